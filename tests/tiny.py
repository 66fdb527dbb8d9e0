"""Tiny models with random weights, written as folders that mlx-lm reads, to stand in for big ones."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

TURN_END = "<|im_end|>"
CHATML = """{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}{% if message.tool_calls %}{% for tool_call in message.tool_calls %}
<tool_call>
{"name": "{{ tool_call.function.name }}", "arguments": {{ tool_call.function.arguments | tojson }}}
</tool_call>{% endfor %}{% endif %}<|im_end|>
{% endfor -%}
{%- if tools %}{% for tool in tools %}{{ tool | tojson }}
{% endfor %}{% endif -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}"""
PLAIN = """{%- for message in messages -%}
{{ message.role }}: {{ message.content }}
{% endfor -%}{%- if add_generation_prompt %}assistant: {% endif -%}"""

SLIDING_WINDOW = {
    "model_type": "gemma3_text",
    "sliding_window": 32,
    "sliding_window_pattern": 2,
    "query_pre_attn_scalar": 16,
    "rope_local_base_freq": 10000.0,
    "rope_global_base_freq": 10000.0,
}
HYBRID = {
    "model_type": "lfm2",
    "norm_eps": 1e-5,
    "conv_bias": False,
    "conv_L_cache": 3,
    "block_dim": 64,
    "block_ff_dim": 128,
    "block_multiple_of": 32,
    "block_ffn_dim_multiplier": 1.0,
    "block_auto_adjust_ff_dim": False,
    "full_attn_idxs": [1],
    "layer_types": ["conv", "full_attention"],
}


def write_tiny_model(folder: Path, *, template: str | None = CHATML, **config: Any) -> Path:
    """Write a random Qwen3 of about 100,000 parameters over bytes; `config` overrides its config.json.

    None leaves a setting out. With another `model_type`, the weights are those of that architecture.
    """
    import mlx.core as mx
    from mlx.utils import tree_flatten

    folder.mkdir(parents=True, exist_ok=True)
    specials = ["<|im_start|>", TURN_END, "<tool_call>", "</tool_call>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(s, special=True) for s in specials[:2]])
    tokenizer.add_tokens([AddedToken(s, special=False) for s in specials[2:]])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": TURN_END,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    full = {
        "model_type": "qwen3",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "rms_norm_eps": 1e-6,
        "vocab_size": tokenizer.get_vocab_size(),
        "max_position_embeddings": 4096,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "eos_token_id": tokenizer.token_to_id(TURN_END),
    } | config
    full = {name: value for name, value in full.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(full))
    mx.random.seed(7)
    architecture = import_module(f"mlx_lm.models.{full['model_type']}")
    model = architecture.Model(architecture.ModelArgs.from_dict(full))
    weights = {name: mx.random.normal(array.shape) * 0.3 for name, array in tree_flatten(model.parameters())}
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
    return folder
