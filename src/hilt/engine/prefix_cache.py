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

    @property
    def size_bytes(self) -> int:
        """Memory that the snapshots hold."""
        return sum(s.size_bytes for s in self._snapshots)

    def find(self, prompt: list[int]) -> tuple[LayerCaches | None, int]:
        """A copy of the caches that share the longest beginning with `prompt`, and its length in tokens.

        At least the last token of the prompt is always left to compute.
        """
        best: Snapshot | None = None
        reused = 0
        for snapshot in self._snapshots:
            shared = _shared_length(snapshot.tokens, prompt, len(prompt) - 1)
            if shared < len(snapshot.tokens) and not can_trim_prompt_cache(snapshot.layers):
                continue
            if shared > reused:
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
        """Keep the caches of a sequence that has been computed; replaces snapshots that it merely extends."""
        mx.eval([layer.state for layer in layers])  # pyright: ignore[reportUnknownMemberType]
        size_bytes = sum(int(layer.nbytes) for layer in layers)
        if size_bytes > self._limit_bytes:
            return
        if can_trim_prompt_cache(layers):
            self._snapshots = [
                s for s in self._snapshots if _shared_length(s.tokens, tokens, len(tokens)) < len(s.tokens)
            ]
        self._snapshots.append(Snapshot(tokens, layers, size_bytes))
        while self.size_bytes > self._limit_bytes:
            self._snapshots.pop(0)


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
