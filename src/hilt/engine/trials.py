"""Trials of what constraints cost on this device: a mask on a batch's scores, and steps of a batch under a grammar."""

# pyright: reportUnknownMemberType=false
# mlx-lm's models have no types of their own.

import time
from collections.abc import Callable
from typing import Any, cast

import mlx.core as mx
import numpy as np
from mlx_lm.models.llama import Model, ModelArgs
from msgspec import Struct

from hilt.engine.decoding import Generator
from hilt.engine.devices import find_device
from hilt.engine.door import Constraint
from hilt.engine.masking import Guarded, masked

WARM_UP_STEPS = 8


class LlamaSize(Struct, frozen=True):
    """The shape of a Llama; with these values it has about 1.2 billion parameters."""

    hidden: int = 2048
    layers: int = 16
    vocabulary: int = 131_072
    dtype: str = "bfloat16"


class MaskTimes(Struct, frozen=True):
    """Seconds of picking the best token of each row, without a mask and with one, taking turns."""

    plain_s: list[float]
    masked_s: list[float]


def time_masks(rows: int, vocabulary: int, repeats: int) -> MaskTimes:
    """Pick the best of random scores [rows, vocabulary]; every other token is masked."""
    scores = mx.random.normal((rows, vocabulary))
    words = np.full((rows, (vocabulary + 31) // 32), 0x55555555, np.uint32)
    mx.eval(scores)
    taken = MaskTimes([], [])
    for turn in range(repeats + 1):
        for times, pick in (
            (taken.plain_s, lambda: mx.argmax(scores, axis=-1)),
            (taken.masked_s, lambda: mx.argmax(masked(scores, words), axis=-1)),
        ):
            start = time.perf_counter()
            mx.eval(pick())
            if turn:
                times.append(time.perf_counter() - start)
    return taken


def device_name() -> str:
    """What these trials run on."""
    device = find_device()
    return f"{device.kind}: {device.name}"


def random_llama(size: LlamaSize) -> Any:
    """A Llama with random weights; deterministic."""
    mx.random.seed(1)
    model = Model(
        ModelArgs(
            model_type="llama",
            hidden_size=size.hidden,
            num_hidden_layers=size.layers,
            intermediate_size=4 * size.hidden,
            num_attention_heads=max(1, size.hidden // 64),
            num_key_value_heads=max(1, size.hidden // 256),
            rms_norm_eps=1e-5,
            vocab_size=size.vocabulary,
            tie_word_embeddings=True,
        )
    )
    model.set_dtype(getattr(mx, size.dtype))
    mx.eval(model.parameters())
    return model


def decode_rate(model: Any, rows: int, steps: int, new_constraint: Callable[[], Constraint] | None) -> float:
    """Tokens a second of `rows` replies over `steps` steps, each under a constraint of its own if there is one; the
    prompts and the first steps don't count. ValueError if a reply ends or breaks off before that."""
    generator = Generator(
        model, stop_tokens=frozenset(), prefill_step_size=512, completion_batch_size=rows, prefill_batch_size=rows
    )
    guards = [Guarded(new_constraint()) for _ in range(rows)] if new_constraint is not None else []
    generator.insert(
        [[1 + row, 2, 3, 4] for row in range(rows)],
        max_tokens=[steps + 2 * WARM_UP_STEPS] * rows,
        logits_processors=cast(Any, [[guard] for guard in guards]) if guards else None,
    )
    try:
        warm = 0
        while warm < WARM_UP_STEPS:
            warm += bool(generator.next()[1])
        start = time.perf_counter()
        tokens = sum(len(generator.next()[1]) for _ in range(steps))
        seconds = time.perf_counter() - start
    finally:
        generator.close()
    faults = [guard.fault for guard in guards if guard.fault is not None]
    if faults or tokens != rows * steps:
        raise ValueError(f"{tokens} tokens came in place of {rows * steps}: {faults or 'a reply ended'}")
    return tokens / seconds
