"""Pretraining from scratch on freshly drawn conversations: Muon and AdamW, constant rate, then a linear decay to zero.

Runs where PyTorch and a GPU are (`PYTHONPATH=src python -m hilt.training.starter pretrain ...`); needs the standard
library, tokenizers, safetensors and PyTorch only.
"""

# pyright: basic, reportMissingImports=false
# PyTorch is not a dependency of Hilt: only this room's network, muon and pretrain import it.

import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from hilt.training.starter.muon import Muon
from hilt.training.starter.network import Network, weighted_loss
from hilt.training.starter.packing import Pack, PackMill, packs
from hilt.training.starter.recipe import Recipe

PARTS = 3


@dataclass(frozen=True)
class PretrainRun:
    """One run: where the tokenizer is and the weights go, and how long (`steps`, or as many as fit `minutes`).

    `start_from` continues from a folder of weights with fresh optimizers; `checkpoint_minutes` lie between saves.
    """

    tokenizer_file: Path
    out: Path
    minutes: float
    steps: int | None = None
    start_from: Path | None = None
    checkpoint_minutes: float = 2.0


def save_weights(network: Network, folder: Path, shape: dict[str, Any]) -> None:
    """Write the weights as bfloat16 safetensors in three parts, named as mlx-lm names them, and the shape."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"model.{name}": value.detach().bfloat16().cpu().contiguous() for name, value in network.named_parameters()
    }
    share = sum(tensor.numel() for tensor in tensors.values()) / PARTS
    parts: list[dict[str, torch.Tensor]] = [{} for _ in range(PARTS)]
    seen = 0
    for name, tensor in tensors.items():
        parts[min(PARTS - 1, int(seen / share))][name] = tensor
        seen += tensor.numel()
    for at, part in enumerate(parts):
        save_file(part, folder / f"model-{at + 1:05d}-of-{PARTS:05d}.safetensors", metadata={"format": "pt"})
    (folder / "shape.json").write_text(json.dumps(shape, indent=2))


def load_weights(network: Network, folder: Path) -> None:
    """Read weights that `save_weights` wrote. RuntimeError if names or shapes differ."""
    state: dict[str, torch.Tensor] = {}
    for path in sorted(folder.glob("model-*.safetensors")):
        state.update({name.removeprefix("model."): tensor for name, tensor in load_file(path).items()})
    missing, unexpected = network.load_state_dict(
        {name: tensor.float() for name, tensor in state.items()}, strict=False
    )
    if missing or unexpected:
        raise RuntimeError(f"weights do not fit: missing {missing}, unexpected {unexpected}")


def _on(device: str, pack: Pack, prompt_weight: float) -> tuple[torch.Tensor, ...]:
    def tensor(raw: bytes, dtype: torch.dtype) -> torch.Tensor:
        return torch.frombuffer(bytearray(raw), dtype=dtype).to(device, non_blocking=True)

    ids, targets = tensor(pack.ids, torch.uint16).long(), tensor(pack.targets, torch.uint16).long()
    trained = tensor(pack.trained, torch.uint8)
    weights = (trained == 1).float() + prompt_weight * (trained == 2).float()
    return ids, targets, weights, tensor(pack.positions, torch.uint16).long(), tensor(pack.starts, torch.int32), trained


def rate_share(step: int, total: int | None, warmup: int, decay: float) -> float:
    """The share of the full rate at a step: linear warm-up, constant, linear decay to zero at `total`."""
    share = min(1.0, (step + 1) / warmup)
    if total is not None:
        share = min(share, max(0.0, (total - step) / max(1.0, decay * total)))
    return share


def run(recipe: Recipe, plan: PretrainRun) -> dict[str, Any]:
    """Train, write weights and record.json to `plan.out`, and return the record."""
    began = time.time()
    torch.manual_seed(recipe.pretrain.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("high")
    mill = PackMill(recipe.pretrain.seed, plan.tokenizer_file, recipe.pretrain.pack_tokens, recipe.pretrain.workers)
    network = Network(recipe.network, torch.bfloat16 if device == "cuda" else torch.float32).to(device)
    if plan.start_from is not None:
        load_weights(network, plan.start_from)
    matrices = [weight for name, weight in network.named_parameters() if name.endswith("proj.weight")]
    others = [weight for name, weight in network.named_parameters() if not name.endswith("proj.weight")]
    muon = Muon(matrices, compiled=device == "cuda")
    adamw = torch.optim.AdamW(
        others, lr=recipe.pretrain.adamw_rate, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0, fused=device == "cuda"
    )
    compiled = torch.compile(weighted_loss, dynamic=False) if device == "cuda" else weighted_loss
    record: dict[str, Any] = {
        "recipe": asdict(recipe),
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.processor(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "start_from": str(plan.start_from) if plan.start_from else None,
        "curve": [],
    }
    try:
        _train(recipe, plan, mill, network, muon, adamw, compiled, device, began, record)
    finally:
        mill.close()
    tokenizer = Tokenizer.from_file(str(plan.tokenizer_file))
    record["own"] = _accuracy(network, tokenizer, recipe, device, held_out=False)
    record["held_out"] = _accuracy(network, tokenizer, recipe, device, held_out=True)
    record["seconds"] = round(time.time() - began, 1)
    (plan.out / "record.json").write_text(json.dumps(record, indent=1))
    return record


def _train(
    recipe: Recipe,
    plan: PretrainRun,
    mill: PackMill,
    network: Network,
    muon: Muon,
    adamw: Any,
    compiled: Any,
    device: str,
    began: float,
    record: dict[str, Any],
) -> None:
    settings = recipe.pretrain
    tokens_per_step = settings.pack_tokens * settings.packs_per_step
    total = plan.steps
    step, saved, measured = 0, time.time(), 0.0
    while total is None or step < total:
        share = rate_share(step, total, settings.warmup_steps, settings.decay_fraction)
        batches = [_on(device, mill.take(), settings.prompt_weight) for _ in range(settings.packs_per_step)]
        weight = torch.stack([batch[2].sum() for batch in batches]).sum()
        loss_sum = torch.zeros((), device=device)
        right = None
        for batch in batches:
            loss, right = compiled(network, *batch[:5])
            (loss / weight).backward()
            loss_sum += loss.detach()
        muon.step(settings.muon_rate * share)
        for group in adamw.param_groups:
            group["lr"] = settings.adamw_rate * share
        adamw.step()
        network.zero_grad(set_to_none=True)
        step += 1
        if step == 30:
            _synchronize(device)
            measured = time.time()
        if step == 130 and total is None:
            _synchronize(device)
            a_step = (time.time() - measured) / 100
            total = step + int((plan.minutes * 60 - (time.time() - began)) / a_step)
            record["planned_steps"] = total
            print(f"{tokens_per_step / a_step:,.0f} tokens/s, {total} steps planned", flush=True)
        if step % 50 == 0 or step == total:
            own = batches[-1][5] == 1
            assert right is not None
            accuracy = (right[own].sum() / own.sum()).item()
            point = {
                "step": step,
                "loss": round((loss_sum / weight).item(), 4),
                "accuracy": round(accuracy, 5),
                "rate": round(share, 3),
                "seconds": round(time.time() - began, 1),
                "waiting": mill.waiting(),
            }
            record["curve"].append(point)
            if step % 250 == 0 or step in (50, 100) or step == total:
                print(point, flush=True)
            if point["loss"] != point["loss"]:
                raise FloatingPointError(f"the loss is not a number at step {step}")
        if time.time() - saved > plan.checkpoint_minutes * 60:
            save_weights(network, plan.out, asdict(recipe.network))
            (plan.out / "record.json").write_text(json.dumps(record, indent=1))
            saved = time.time()
        if time.time() - began > plan.minutes * 60 + 20:
            print(f"out of time at step {step}", flush=True)
            break
    record["steps"], record["tokens"] = step, step * tokens_per_step
    save_weights(network, plan.out, asdict(recipe.network))


def _synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


@torch.no_grad()
def _accuracy(network: Network, tokenizer: Tokenizer, recipe: Recipe, device: str, held_out: bool) -> dict[str, float]:
    """Share of the model's own tokens that are right, teacher-forced, on conversations of another seed."""
    right = own = 0.0
    drawn = packs(recipe.evaluate.seed + 1000, tokenizer, recipe.pretrain.pack_tokens, held_out)
    for _ in range(4):
        batch = _on(device, next(drawn), 0.0)
        _, correct = weighted_loss(network, *batch[:5])
        mask = batch[5] == 1
        right, own = right + correct[mask].sum().item(), own + mask.sum().item()
    return {"accuracy": round(right / own, 5), "tokens": own}
