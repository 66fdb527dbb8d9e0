"""A folder on disk becomes a model in memory, with its tokenizer and its own defaults.

Only safetensors are read and no code from the folder is run. On a CPU, half-precision and quantised weights become
float32, because their products are slow there, and nothing is compiled: MLX would start g++ for each new combination of
operations, a second or two each time, for kernels that are no faster.
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
CONTEXT_LENGTH_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_context_length")
MOST_CANDIDATES = 1 << 24
_REASON_LENGTH = 400


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
    if not device.multiplies_any_type:
        mx.disable_compile()
    try:
        model, read = cast("tuple[nn.Module, dict[str, Any]]", load_model(folder, lazy=True))
        ends = _text_config(read).get("eos_token_id") if read.get("eos_token_id") is None else read["eos_token_id"]
        tokenizer = cast(Tokenizer, load_tokenizer(folder, {"trust_remote_code": False}, eos_token_ids=ends))
        if not device.multiplies_any_type:
            model = dequantize_model(model)
            model.set_dtype(mx.float32)
        mx.eval(model.parameters())  # pyright: ignore[reportUnknownMemberType]
    except Exception as problem:  # the files are a stranger's, and mlx-lm takes them as they come
        reason = " ".join(f"{type(problem).__name__}: {problem}".split())[:_REASON_LENGTH]
        raise InvalidRequest(f"the model in {folder} can't be loaded: {reason}") from problem
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
    """What a configuration says of the text model; a model of several kinds of input keeps that in a part of it."""
    inner = config.get("text_config")
    return config | cast("dict[str, Any]", inner) if isinstance(inner, dict) else config


def _context_length(config: dict[str, Any]) -> int:
    lengths = map(_text_config(config).get, CONTEXT_LENGTH_KEYS)
    return next((n for n in lengths if isinstance(n, int) and n > 0), DEFAULT_CONTEXT_LENGTH)


def _vocabulary_size(config: dict[str, Any], tokenizer: Tokenizer) -> int:
    size = _text_config(config).get("vocab_size")
    return size if isinstance(size, int) and size > 0 else len(cast("list[Any]", tokenizer))


def _default_sampling(generation: dict[str, Any]) -> Sampling:
    """The sampling that the model's makers recommend in generation_config.json; greedy if they don't sample."""
    if generation.get("do_sample") is not True:
        return Sampling(temperature=0.0, top_p=1.0, top_k=0)
    return Sampling(
        temperature=_number(generation, "temperature", 1.0, least=0.0, most=2.0),
        top_p=_number(generation, "top_p", 1.0, least=0.01, most=1.0),
        top_k=int(_number(generation, "top_k", 0, least=0, most=MOST_CANDIDATES)),
    )


def _number(options: dict[str, Any], name: str, default: float, *, least: float, most: float) -> float:
    """A number as the model's makers give it; the default if it is none, or makes no sense."""
    value = options.get(name)
    return value if isinstance(value, int | float) and least <= value <= most else default
