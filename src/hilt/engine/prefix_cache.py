"""What the model has already read: the caches of finished sequences, found again by their first tokens."""

import copy
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import can_trim_prompt_cache, trim_prompt_cache  # pyright: ignore[reportUnknownVariableType]
from msgspec import Struct

LayerCaches = list[Any]


class Snapshot(Struct, frozen=True, eq=False):
    """The caches of every layer after reading `tokens`; never changed, only copied."""

    tokens: list[int]
    layers: LayerCaches
    size_bytes: int


class PrefixCache:
    """Snapshots under a bound in bytes; the one that was used longest ago goes first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._snapshots: list[Snapshot] = []  # the last one was used last
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Memory that the snapshots hold."""
        return self._size_bytes

    def find(self, prompt: list[int]) -> tuple[LayerCaches | None, int]:
        """A copy of the caches that share the longest beginning with `prompt`, and its length in tokens.

        At least the last token of the prompt is always left to compute.
        """
        best: Snapshot | None = None
        reused = 0
        for snapshot in self._snapshots:
            shared = _shared_length(snapshot.tokens, prompt, len(prompt) - 1)
            if shared > reused and _serves(snapshot, shared):
                best, reused = snapshot, shared
        if best is None:
            return None, 0
        self._snapshots.remove(best)
        self._snapshots.append(best)
        layers = copy.deepcopy(best.layers)
        surplus = len(best.tokens) - reused
        if surplus:
            trim_prompt_cache(layers, surplus)
        return layers, reused

    def keep(self, tokens: list[int], layers: LayerCaches) -> None:
        """Keep the caches of a sequence that has been computed, unless another can serve in its place; those that it
        can serve for are dropped."""
        mx.eval([layer.state for layer in layers])  # pyright: ignore[reportUnknownMemberType]
        size_bytes = sum(int(layer.nbytes) for layer in layers)
        if size_bytes > self._limit_bytes:
            return
        if any(_begins(s.tokens, tokens) and _serves(s, len(tokens)) for s in self._snapshots):
            return
        fresh = Snapshot(tokens, layers, size_bytes)
        for old in [s for s in self._snapshots if _begins(tokens, s.tokens) and _serves(fresh, len(s.tokens))]:
            self._drop(old)
        self._snapshots.append(fresh)
        self._size_bytes += size_bytes
        while self._size_bytes > self._limit_bytes:
            self._drop(self._snapshots[0])

    def _drop(self, snapshot: Snapshot) -> None:
        self._snapshots.remove(snapshot)
        self._size_bytes -= snapshot.size_bytes


def _serves(snapshot: Snapshot, length: int) -> bool:
    """Whether a snapshot can be cut to its first `length` tokens; sliding windows and recurrent states can't."""
    return length == len(snapshot.tokens) or can_trim_prompt_cache(snapshot.layers)


def _begins(tokens: list[int], beginning: list[int]) -> bool:
    return _shared_length(tokens, beginning, len(beginning)) == len(beginning)


def _shared_length(left: list[int], right: list[int], limit: int) -> int:
    """How many of the first `limit` tokens are the same."""
    limit = min(limit, len(left), len(right))
    if left[:limit] == right[:limit]:
        return limit
    low, high = 0, limit  # the first difference lies in [low, high)
    while high - low > 1:
        middle = (low + high) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle
    return low
