"""How the next token is picked from the model's scores."""

from collections.abc import Callable
from typing import TypeAlias

import mlx.core as mx
from mlx_lm.sample_utils import apply_top_k, apply_top_p  # pyright: ignore[reportUnknownVariableType]

from hilt.conversation import Sampling

Sampler: TypeAlias = Callable[[mx.array], mx.array]


def sampler_for(sampling: Sampling) -> Sampler | None:
    """A function from log-probabilities [rows, vocabulary] to token ids [rows]; None for the greedy choice.

    With a seed, the tokens depend on nothing but the seed and the scores.
    """
    temperature = sampling.temperature or 0.0
    top_p = 1.0 if sampling.top_p is None else sampling.top_p
    top_k = sampling.top_k or 0
    if temperature == 0:
        return None
    key = None if sampling.seed is None else mx.random.key(sampling.seed % 2**64)

    def sample(scores: mx.array) -> mx.array:
        nonlocal key
        scores = _normalised(scores / temperature)
        if 0 < top_k < scores.shape[-1]:
            scores = _normalised(apply_top_k(scores, top_k))
        if top_p < 1:
            scores = apply_top_p(scores, top_p)
        if key is None:
            return mx.random.categorical(scores)
        key, now = mx.random.split(key)
        return mx.random.categorical(scores, key=now)

    return sample


def _normalised(scores: mx.array) -> mx.array:
    return scores - mx.logsumexp(scores, axis=-1, keepdims=True)
