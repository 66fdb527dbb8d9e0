"""A folder on disk becomes a model in memory, with its tokenizer and its own defaults.

Only safetensors are read and no code from the folder is run. On a CPU, half-precision and quantised weights become
float32, because their products are slow there.
"""

import json
from pathlib import Path
from typing import Any, Protocol, cast

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.utils import dequantize_model, load_model, load_tokenizer  # pyright: ignore[reportUnknownVariableType]
from msgspec import Struct

from hilt.conversation import InvalidRequest, Sampling
from hilt.engine.devices import Device

DEFAULT_CONTEXT_LENGTH = 4096


class Tokenizer(Protocol):
    """The parts of a Hugging Face tokenizer, as mlx-lm wraps it, that Hilt uses."""

    @property
    def eos_token_ids(self) -> set[int]: ...
    @property
    def has_chat_template(self) -> bool: ...
    def apply_chat_template(self, conversation: list[dict[str, Any]], **options: Any) -> Any: ...
    def encode(self, text: str, **options: Any) -> list[int]: ...
    def decode(self, ids: list[int], **options: Any) -> str: ...


class LoadedModel(Struct, frozen=True):
    """A model ready to run. `context_length` is in tokens, `vocabulary_size` in rows of the output."""

    model: nn.Module
    tokenizer: Tokenizer
    context_length: int
    vocabulary_size: int
    sampling: Sampling


def load(folder: Path, device: Device) -> LoadedModel:
    """Load the model in `folder`. Must run on the thread that will run the model.

    Raises InvalidRequest, saying what is missing or wrong, if the folder holds no model that mlx-lm can read.
    """
    config = _read_json(folder / "config.json")
    if config is None:
        raise InvalidRequest(f"{folder} holds no model: there is no readable config.json in it")
    if not any(folder.glob("model*.safetensors")):
        raise InvalidRequest(f"{folder} holds no weights: there is no model*.safetensors in it")
    if "model_file" in config:
        raise InvalidRequest(f"{folder} wants to run its own code ({config['model_file']!r}), which Hilt never does")
    try:
        model, _ = cast("tuple[nn.Module, Any]", load_model(folder, lazy=True))
        tokenizer = cast(Tokenizer, load_tokenizer(folder, eos_token_ids=config.get("eos_token_id")))
        if not device.multiplies_any_type:
            model = dequantize_model(model)
            model.set_dtype(mx.float32)
        mx.eval(model.parameters())  # pyright: ignore[reportUnknownMemberType]
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RuntimeError) as problem:
        raise InvalidRequest(f"the model in {folder} can't be loaded: {problem}") from problem
    return LoadedModel(
        model=model,
        tokenizer=tokenizer,
        context_length=_context_length(config),
        vocabulary_size=_vocabulary_size(config, tokenizer),
        sampling=_default_sampling(_read_json(folder / "generation_config.json") or {}),
    )


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _text_config(config: dict[str, Any]) -> dict[str, Any]:
    inner = config.get("text_config")
    return config | cast("dict[str, Any]", inner) if isinstance(inner, dict) else config


def _context_length(config: dict[str, Any]) -> int:
    length = _text_config(config).get("max_position_embeddings")
    return length if isinstance(length, int) and length > 0 else DEFAULT_CONTEXT_LENGTH


def _vocabulary_size(config: dict[str, Any], tokenizer: Tokenizer) -> int:
    size = _text_config(config).get("vocab_size")
    return size if isinstance(size, int) and size > 0 else len(cast("list[Any]", tokenizer))


def _default_sampling(generation: dict[str, Any]) -> Sampling:
    """The sampling that the model's makers recommend in generation_config.json; greedy if they don't sample."""
    if not generation.get("do_sample"):
        return Sampling(temperature=0.0, top_p=1.0, top_k=0)
    return Sampling(
        temperature=float(generation.get("temperature", 1.0)),
        top_p=float(generation.get("top_p", 1.0)),
        top_k=int(generation.get("top_k", 0)),
    )
