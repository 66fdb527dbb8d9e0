"""The Qwen3 architecture in PyTorch, for packed documents; parameter names are those of mlx-lm and transformers."""

# pyright: basic, reportMissingImports=false
# PyTorch is not a dependency of Hilt: this module is imported only by `pretrain`, on a machine that has it.

import inspect
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn

from hilt.training.starter.recipe import NetworkShape

# The name of the argument for causal attention changed between PyTorch 2.10 and 2.11.
_CAUSAL: dict[str, Any] = (
    {"window_size": (-1, 0)} if "window_size" in inspect.signature(varlen_attn).parameters else {"is_causal": True}
)


def attend(q: Tensor, k: Tensor, v: Tensor, starts: Tensor, longest: int) -> Tensor:
    """Causal attention within each document. q [T, H, D], k and v [T, KV, D]; `starts` are where documents begin."""
    groups = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    if q.is_cuda:
        return varlen_attn(q, k, v, starts, starts, longest, longest, **_CAUSAL)
    document = torch.searchsorted(starts, torch.arange(q.shape[0]), right=True)
    mask = (document[:, None] == document[None, :]) & torch.ones(q.shape[0], q.shape[0], dtype=torch.bool).tril()
    out = F.scaled_dot_product_attention(q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1), attn_mask=mask)
    return out.transpose(0, 1)


class RMSNorm(nn.Module):
    """Root mean square norm with a learned scale."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight).to(x.dtype)


class Linear(nn.Linear):
    """A product whose weight is cast to the input's dtype."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__(size_in, size_out, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight.to(input.dtype))


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    first, second = x[..., :half].float(), x[..., half:].float()
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


class Attention(nn.Module):
    """Grouped-query attention with normed queries and keys."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        size, heads, kv, width = shape.hidden_size, shape.num_attention_heads, shape.num_key_value_heads, shape.head_dim
        self.width = width
        self.q_proj = Linear(size, heads * width)
        self.k_proj = Linear(size, kv * width)
        self.v_proj = Linear(size, kv * width)
        self.o_proj = Linear(heads * width, size)
        self.q_norm = RMSNorm(width, shape.rms_norm_eps)
        self.k_norm = RMSNorm(width, shape.rms_norm_eps)
        self.longest = shape.max_position_embeddings

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, starts: Tensor) -> Tensor:
        tokens = x.shape[0]
        q = _rotated(self.q_norm(self.q_proj(x).view(tokens, -1, self.width)), cos, sin)
        k = _rotated(self.k_norm(self.k_proj(x).view(tokens, -1, self.width)), cos, sin)
        v = self.v_proj(x).view(tokens, -1, self.width)
        return self.o_proj(attend(q, k, v, starts, self.longest).reshape(tokens, -1))


class MLP(nn.Module):
    """The gated feed-forward part."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.gate_proj = Linear(shape.hidden_size, shape.intermediate_size)
        self.up_proj = Linear(shape.hidden_size, shape.intermediate_size)
        self.down_proj = Linear(shape.intermediate_size, shape.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """One layer."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = MLP(shape)
        self.input_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, starts: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, starts)
        return x + self.mlp(self.post_attention_layernorm(x))


class Network(nn.Module):
    """The whole model, with tied embeddings."""

    def __init__(self, shape: NetworkShape, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.num_hidden_layers))
        self.norm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        half = shape.head_dim // 2
        rates = shape.rope_theta ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = torch.arange(shape.max_position_embeddings, dtype=torch.float64)[:, None] * rates
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)
        nn.init.normal_(self.embed_tokens.weight, std=0.02)
        for name, weight in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.zeros_(weight)
            elif name.endswith("proj.weight"):
                nn.init.normal_(weight, std=0.6 * weight.shape[1] ** -0.5)

    def forward(self, ids: Tensor, positions: Tensor, starts: Tensor) -> Tensor:
        """Logits [T, vocab] of a pack: ids and positions [T], starts [documents + 1] int32."""
        cos, sin = self.cos[positions][:, None, :], self.sin[positions][:, None, :]  # pyright: ignore[reportIndexIssue]
        x = self.embed_tokens(ids).to(self.dtype)
        for layer in self.layers:
            x = layer(x, cos, sin, starts)
        return F.linear(self.norm(x), self.embed_tokens.weight.to(self.dtype))


def weighted_loss(
    network: Any, ids: Tensor, targets: Tensor, weights: Tensor, positions: Tensor, starts: Tensor
) -> tuple[Tensor, Tensor]:
    """The summed weighted loss of a pack, and 1 for each token where the likeliest token was right."""
    logits = network(ids, positions, starts)
    loss = F.cross_entropy(logits.float(), targets, reduction="none")
    return (loss * weights).sum(), (logits.argmax(-1) == targets).float()
