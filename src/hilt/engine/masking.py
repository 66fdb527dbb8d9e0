"""The masks of a batch: what each reply may say next becomes minus infinity at every other score.

The masks of all rows go to the device as bits, in one array, and are spread there with plain MLX operations, which
every backend has.
"""

from collections.abc import Sequence

import mlx.core as mx
import numpy as np
from llguidance import LLExecutor
from numpy.typing import NDArray

from hilt.conversation import Bug
from hilt.engine.door import Constraint
from hilt.grammar.matching import Matched, Matcher, Only, Words, width_words, write_masks

_ALL = np.uint32(0xFFFFFFFF)


class Guarded:
    """A constraint whose exceptions stop at its own row: the first one is kept as `fault`, and nothing is asked of the
    constraint any more."""

    def __init__(self, constraint: Constraint) -> None:
        self.constraint = constraint
        self.fault: Exception | None = None

    def take(self, tokens: Sequence[int]) -> None:
        """Move past tokens of the reply."""
        if self.fault is not None:
            return
        try:
            for token in tokens:
                self.constraint.take(token)
        except Exception as problem:  # noqa: BLE001 - a part of the step; the worker fails the job with it
            self.fault = problem

    def allowed(self) -> Only | Matched | None:
        """What may come next; None after a fault."""
        if self.fault is not None:
            return None
        try:
            return self.constraint.allowed()
        except Exception as problem:  # noqa: BLE001 - a part of the step; the worker fails the job with it
            self.fault = problem
            return None

    def verify(self) -> None:
        """Ask whether the last mask can be trusted."""
        if self.fault is not None:
            return
        try:
            self.constraint.verify()
        except Exception as problem:  # noqa: BLE001 - a part of the step; the worker fails the job with it
            self.fault = problem

    def forced(self, limit: int) -> list[int]:
        """At most `limit` tokens that have to come next."""
        if self.fault is not None or limit < 1:
            return []
        try:
            return self.constraint.forced()[:limit]
        except Exception as problem:  # noqa: BLE001 - a part of the step; the worker fails the job with it
            self.fault = problem
            return []


class Masks:
    """Computes masks; holds the threads on which those of several rows are computed at once."""

    def __init__(self) -> None:
        self._executor: LLExecutor | None = None

    def of(self, rows: Sequence[Guarded | None], vocabulary_size: int) -> Words | None:
        """The masks of a step, [rows, words] for a model that scores so many tokens; None if everything may follow.

        A row whose constraint is at fault may say everything: its job is about to fail.
        """
        words = np.full((len(rows), (vocabulary_size + 31) // 32), _ALL, np.uint32)
        matchers: list[tuple[Matcher, int]] = []
        banned: dict[int, tuple[int, ...]] = {}
        constrained: list[tuple[Guarded, int]] = []
        for row, guarded in enumerate(rows):
            if guarded is None:
                continue
            match guarded.allowed():
                case None:
                    continue
                case Only(tokens):
                    words[row] = _bits_of(tokens, words.shape[1])
                case Matched(matcher, but):
                    matchers.append((matcher, row))
                    if but:
                        banned[row] = but
            constrained.append((guarded, row))
        if matchers:
            self._write(matchers, words)
        for row, tokens in banned.items():
            words[row] &= ~_bits_of(tokens, words.shape[1])
        some: NDArray[np.bool_] = np.any(words, axis=1)
        for guarded, row in constrained:
            guarded.verify()
            if not some[row]:
                guarded.fault = guarded.fault or Bug("the grammar allows no token that the model has")
            if guarded.fault is not None:
                words[row] = _ALL
        return None if not constrained or (words == _ALL).all() else words

    def _write(self, matchers: Sequence[tuple[Matcher, int]], words: Words) -> None:
        if len(matchers) > 1 and self._executor is None:
            self._executor = LLExecutor()
        width = width_words(matchers[0][0].vocabulary)
        if width == words.shape[1]:
            write_masks(matchers, words, self._executor)
            return
        own = np.zeros((len(words), width), np.uint32)
        write_masks(matchers, own, self._executor)
        shared = min(width, words.shape[1])
        for _, row in matchers:
            words[row] = 0
            words[row, :shared] = own[row, :shared]


def _bits_of(tokens: Sequence[int], width: int) -> Words:
    words = np.zeros(width, np.uint32)
    for token in tokens:
        if token < width * 32:
            words[token // 32] |= np.uint32(1) << np.uint32(token % 32)
    return words


def masked(logits: mx.array, words: Words) -> mx.array:
    """Scores [rows, vocabulary] with minus infinity wherever the bit in `words` is 0."""
    spread = (mx.array(words)[:, :, None] >> mx.arange(32, dtype=mx.uint32)) & 1
    allowed = mx.flatten(spread, 1)[:, : logits.shape[-1]]
    return mx.where(allowed.astype(mx.bool_), logits, -mx.inf)
