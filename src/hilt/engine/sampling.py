"""How the next token is picked from the model's scores."""

from collections.abc import Callable
from typing import TypeAlias

import mlx.core as mx

from hilt.conversation import Sampling

COLDEST = 1e-5  # below this temperature float32 scores overflow, and the choice is the greedy one anyway

Sampler: TypeAlias = Callable[[mx.array], mx.array]


def sampler_for(sampling: Sampling) -> Sampler | None:
    """A function from scores [rows, vocabulary] to token ids [rows]; None for the greedy choice.

    The scores are log-probabilities but for a constant in each row; minus infinity is never picked. With a seed, the
    tokens depend on nothing but the seed and the scores. Nothing here is compiled: `mx.compile` would make a kernel for
    every single value of top_p and top_k that a client thinks of.
    """
    temperature = sampling.temperature or 0.0
    top_p = 1.0 if sampling.top_p is None else sampling.top_p
    top_k = sampling.top_k or 0
    if temperature < COLDEST:
        return None
    key = None if sampling.seed is None else mx.random.key(sampling.seed % 2**64)

    def sample(scores: mx.array) -> mx.array:
        nonlocal key
        scores = scores.astype(mx.float32) / temperature
        if 0 < top_k < scores.shape[-1]:
            scores = _most_likely(scores, top_k)
        if top_p < 1:
            scores = _nucleus(scores, top_p)
        if key is None:
            return mx.random.categorical(scores)
        key, now = mx.random.split(key)
        return mx.random.categorical(scores, key=now)

    return sample


def _most_likely(scores: mx.array, count: int) -> mx.array:
    """The scores with all but the `count` highest of each row at minus infinity."""
    others = mx.argpartition(-scores, kth=count - 1, axis=-1)[..., count:]
    return mx.put_along_axis(scores, others, mx.array(-mx.inf, scores.dtype), axis=-1)


def _nucleus(scores: mx.array, top_p: float) -> mx.array:
    """The scores with each row cut to the fewest likeliest tokens that hold a share `top_p` of the probability."""
    best_first = -mx.sort(-scores, axis=-1)
    probabilities = mx.softmax(best_first.astype(mx.float32), axis=-1)
    before = mx.cumsum(probabilities, axis=-1) - probabilities
    kept = mx.maximum((before < top_p).sum(axis=-1, keepdims=True), 1)
    lowest = mx.take_along_axis(best_first, kept - 1, axis=-1)
    return mx.where(scores < lowest, -mx.inf, scores)
