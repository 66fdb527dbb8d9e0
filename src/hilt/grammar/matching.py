"""From a grammar's text to masks: which tokens may come next, after each token that came.

llguidance compiles a grammar once into a lexer and a parser. A matcher is a copy of that with a place in it. Its mask
has one bit for each token, in 32-bit words, the first token in the lowest bit.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from llguidance import LLExecutor, LLMatcher, LLParserLimits
from msgspec import Struct
from numpy.typing import NDArray

from hilt.conversation import Bug
from hilt.grammar.lark import WITHOUT_FORCING
from hilt.grammar.vocabulary import Vocabulary

Words: TypeAlias = NDArray[np.uint32]

LONGEST_TEXT = 8 << 20  # characters of a grammar; longer ones would take minutes even where all else is within limits
LONGEST_REASON = 300
LIMITS = LLParserLimits(
    max_items_in_row=4_000,
    initial_lexer_fuel=4_000_000,
    step_lexer_fuel=400_000,
    step_max_items=100_000,
    max_lexer_states=100_000,
    max_grammar_size=2_000_000,
    verbose_errors=False,
)
FIXED_SIZE_BYTES = 256 << 10
SIZE_BYTES_PER_CHARACTER = 100
_GOOD_STOPS = ("NotStopped", "NoExtension", "NoExtensionBias", "EndOfSentence")


class GrammarTooComplex(ValueError):
    """llguidance refuses a grammar, or it would take too much time or memory; the message says why."""


class Only(Struct, frozen=True):
    """Nothing but one of these tokens may come next; in the order of their numbers."""

    tokens: tuple[int, ...]


class Matched(Struct, frozen=True, eq=False):
    """What may come next is what this matcher's mask allows, but for some tokens."""

    matcher: "Matcher"
    but: tuple[int, ...] = ()


Allowed: TypeAlias = Only | Matched


class Matcher:
    """A place in a grammar. It belongs to one reply, and to one thread at a time."""

    def __init__(self, inner: LLMatcher, vocabulary: Vocabulary, *, forcing: bool) -> None:
        self.vocabulary = vocabulary
        self._forcing = forcing  # without it, asking what is forced would spoil the masks behind
        self._inner = inner
        self._ends = tuple(sorted(vocabulary.ends))

    @property
    def accepting(self) -> bool:
        """Whether the reply may end here."""
        return self._inner.is_accepting()

    @property
    def over(self) -> bool:
        """Whether nothing may follow but a token that ends the turn."""
        return self._inner.is_stopped()

    def allowed(self) -> Allowed:
        """What may come next."""
        return Only(self._ends) if self.over else Matched(self)

    def mask(self) -> Words:
        """The mask of what may come next: a bit for each token of the vocabulary. Raises Bug if a limit is hit."""
        words = np.zeros(width_words(self.vocabulary), np.uint32)
        write_masks([(self, 0)], words[None, :], None)
        self.verify()
        return words

    def take(self, token: int) -> None:
        """Move past a token. Raises Bug if the grammar doesn't allow it here."""
        if self.over and token in self.vocabulary.ends:
            return
        self._inner.consume_token(token)
        if self._inner.is_error():
            raise Bug(f"token {token} is against the grammar: {_shortened(self._inner.get_error())}")

    def takes(self, tokens: Sequence[int]) -> bool:
        """Whether these tokens may come next, one after the other."""
        return self._inner.validate_tokens(list(tokens)) == len(tokens)

    def forced(self) -> list[int]:
        """The tokens that have to come next whatever the model says; may be empty although only one text can follow,
        where that could still be cut into tokens in another way."""
        return [] if self.over or not self._forcing else self._inner.compute_ff_tokens()

    def forced_bytes(self) -> bytes:
        """The text that has to come next, in UTF-8; a special token in it begins with the byte 255."""
        return b"" if self.over or not self._forcing else self._inner.compute_ff_bytes()

    def copy(self) -> "Matcher":
        """Another matcher at the same place."""
        return Matcher(self._inner.deep_copy(), self.vocabulary, forcing=self._forcing)

    def verify(self) -> None:
        """Raise Bug if llguidance has given up here; its masks would only say that the turn has to end."""
        if self._inner.is_error() or self._inner.stop_reason() not in _GOOD_STOPS:
            raise Bug(f"the grammar can't go on: {self._inner.stop_reason()} {_shortened(self._inner.get_error())}")

    @property
    def inner(self) -> LLMatcher:
        """llguidance's own matcher, for `write_masks`."""
        return self._inner


class Grammar(Struct, frozen=True, eq=False):
    """A compiled grammar: `first` is a matcher at its beginning, never moved, only copied. `size_bytes` is an estimate
    of the memory that it holds."""

    first: Matcher
    size_bytes: int

    def matcher(self) -> Matcher:
        """A matcher at the beginning; takes well below a millisecond."""
        return self.first.copy()


def compile_grammar(lark: str, vocabulary: Vocabulary) -> Grammar:
    """Compile a grammar in llguidance's dialect of Lark; up to seconds of CPU, without the interpreter's lock.

    Raises GrammarTooComplex if llguidance refuses it or a limit is hit.
    """
    if len(lark) > LONGEST_TEXT:
        raise GrammarTooComplex(f"the grammar has {len(lark)} characters; at most {LONGEST_TEXT} are compiled")
    inner = LLMatcher(vocabulary.tokens, lark, log_level=0, limits=LIMITS)
    if inner.is_error():
        raise GrammarTooComplex(_shortened(inner.get_error()))
    first = Matcher(inner, vocabulary, forcing=not lark.startswith(WITHOUT_FORCING))
    try:
        first.mask()  # the first states of the lexer, so that no copy has to make them
    except Bug as problem:
        raise GrammarTooComplex(problem.message) from problem
    return Grammar(first, estimated_size_bytes(lark))


def estimated_size_bytes(lark: str) -> int:
    """About how much memory a grammar of this text holds once compiled, from above."""
    return FIXED_SIZE_BYTES + SIZE_BYTES_PER_CHARACTER * len(lark)


def width_words(vocabulary: Vocabulary) -> int:
    """How many words a mask of this vocabulary has."""
    return (vocabulary.size + 31) // 32


def write_masks(places: Sequence[tuple[Matcher, int]], words: Words, executor: LLExecutor | None) -> None:
    """Write the mask of each matcher into its row of `words`, an array [rows, width_words] without gaps.

    With an `executor`, several are computed at once, on its threads; the interpreter's lock is dropped either way. A
    matcher that hits a limit writes a mask that ends the turn: call `verify` on each afterwards.
    """
    if executor is not None and len(places) > 1:
        inner = [(matcher.inner, row) for matcher, row in places]
        executor.unsafe_compute_mask_ptr(inner, words.ctypes.data, words.shape[1] * 4, words.shape[0])
        return
    for matcher, row in places:
        matcher.inner.unsafe_compute_mask_ptr(words[row].ctypes.data, words.shape[1] * 4)


def _shortened(reason: str) -> str:
    """The first line of what llguidance says, without the text of the grammar."""
    line = " ".join(reason.strip().split("\n<state>")[0].split())
    return line if len(line) <= LONGEST_REASON else line[:LONGEST_REASON] + "…"
