"""The shortest way out: a few tokens that bring a reply, wherever it stands, to an end that its grammar allows.

The search walks copies of the matcher. Where only one text can follow, it takes that. Elsewhere it tries marks that
close what is open, then one token of each kind; whatever opens a new way (allows a token that wasn't allowed before)
comes before what doesn't, because a mark that is mere text inside a string changes nothing. The best guess at every
place is followed to its end first, then all ways with one second-best guess, and so on, until the effort is spent.
"""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from enum import Enum, IntEnum, auto
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hilt.grammar.matching import Matcher, Words
from hilt.grammar.vocabulary import Vocabulary

Tokens: TypeAlias = tuple[int, ...]

EFFORT = 400  # masks that a search may compute: tens of milliseconds with a large vocabulary
_WIDE_SHARE = 8
_BRACKETS = ("}", "]", '"')
_QUOTED_BRACKETS = ('"}', '"]', '"')
_PUNCTUATION = "\"]}),:>;.'-@/_+=#&!?%*$~|^`([{<"
_SPECIAL_TOKEN = 0xFF


class Kind(IntEnum):
    """What a token is made of; earlier ones are tried first."""

    SPECIAL = 0
    PUNCTUATION = 1
    LETTERS = 2
    DIGITS = 3
    OTHER = 4
    SPACE = 5
    PART = 6  # of a character or of an escape


class Change(Enum):
    """What a guess does to what may follow. A new way is a token that couldn't follow before, the end of a text, or
    something that is forced."""

    NEW_WAY = auto()
    FEWER_WAYS = auto()
    NONE = auto()


class Closers(Struct, frozen=True, eq=False):
    """What a search tries: tokens of marks, and the kind, rank and length (in bytes) of each token [vocabulary].
    `behind_quotes` are the tokens that hold a quote and more, and may so end a string and begin something."""

    marks: tuple[Tokens, ...]
    brackets: tuple[Tokens, ...]
    quoted_brackets: tuple[Tokens, ...]
    kinds: NDArray[np.uint8]
    ranks: NDArray[np.uint8]
    lengths: NDArray[np.uint16]
    behind_quotes: tuple[int, ...]


def read_closers(vocabulary: Vocabulary, marks: Sequence[str]) -> Closers:
    """What endings are made of, for a model and the marks of its dialect: all that end something, and those that begin
    what a reply may be obliged to have. Takes about a second for a large vocabulary; once for a model is enough."""
    kinds = np.full(vocabulary.size, Kind.OTHER, np.uint8)
    ranks = np.zeros(vocabulary.size, np.uint8)
    lengths = np.zeros(vocabulary.size, np.uint16)
    behind_quotes: list[int] = []
    for token in range(vocabulary.size):
        if vocabulary.tokens.is_special_token(token):
            kinds[token] = Kind.SPECIAL
            continue
        text = vocabulary.tokens.decode_bytes([token])
        lengths[token] = len(text)
        kinds[token] = _kind(text)
        if len(text) > 1 and b'"' in text:
            behind_quotes.append(token)
        ranks[token] = _PUNCTUATION.find(chr(text[0])) if kinds[token] == Kind.PUNCTUATION else 0
    return Closers(
        tuple(dict.fromkeys(itertools.chain.from_iterable(_spellings(vocabulary, mark) for mark in marks if mark))),
        tuple(_plainly(vocabulary, mark) for mark in _BRACKETS),
        tuple(_plainly(vocabulary, mark) for mark in _QUOTED_BRACKETS),
        kinds,
        ranks,
        lengths,
        tuple(behind_quotes),
    )


def _kind(text: bytes) -> Kind:
    if text.isalpha():
        return Kind.LETTERS
    if text.isdigit():
        return Kind.DIGITS
    if text.isspace():
        return Kind.SPACE
    if len(text) == 1 and chr(text[0]) in _PUNCTUATION:
        return Kind.PUNCTUATION
    if text == b"\\":
        return Kind.PART
    try:
        text.decode()
    except UnicodeDecodeError:
        return Kind.PART
    return Kind.OTHER


def _plainly(vocabulary: Vocabulary, text: str) -> Tokens:
    """Tokens that spell a text, none of them special: one that is a special token as a whole is cut behind its first
    character."""
    tokens = vocabulary.tokens.tokenize_str(text)
    if any(map(vocabulary.tokens.is_special_token, tokens)):
        tokens = vocabulary.tokens.tokenize_str(text[:1]) + vocabulary.tokens.tokenize_str(text[1:])
    return tuple(tokens)


def _spellings(vocabulary: Vocabulary, mark: str) -> Iterator[Tokens]:
    """A mark with its special tokens and as plain text, which some grammars ask for, on lines of its own or not."""
    for text in (mark, f"\n{mark}", f"{mark}\n", f"\n{mark}\n"):
        tokens: list[int] = []
        for piece in vocabulary.pieces(text):
            tokens += [piece] if isinstance(piece, int) else _plainly(vocabulary, piece)
        yield tuple(tokens)
        yield _plainly(vocabulary, text)


def ending(matcher: Matcher, limit: int, closers: Closers, *, effort: int = EFFORT) -> list[int] | None:
    """Tokens that lead from here to a place where the reply may end, at most `limit` of them; short, not always the
    shortest. Empty if it may end here; None if none was found before `effort` masks were computed."""
    path = _Search(limit, closers, effort).run(matcher.copy())
    if path is None:
        return None
    check = matcher.copy()
    if not check.takes(path):
        return None
    for token in path:
        check.take(token)
    return list(path) if check.accepting else None


def bits_of(mask: Words, size: int) -> NDArray[np.uint8]:
    """A mask as one number, 0 or 1, for each of `size` tokens."""
    return np.unpackbits(mask.view(np.uint8), bitorder="little")[:size]


def is_wide(bits: NDArray[np.uint8]) -> bool:
    """Whether so many tokens may follow that this is text, most likely."""
    return int(np.count_nonzero(bits)) * _WIDE_SHARE > len(bits)


class _Place(Struct, eq=False):
    """A place that the search has reached: what leads to it, a matcher there, its mask, what the last guess changed,
    and the guesses that were found to change nothing at places with this mask."""

    path: Tokens
    matcher: Matcher
    mask: Words
    bits: NDArray[np.uint8]
    wide: bool
    change: Change
    vain: set[Tokens]


class _Search:
    """The effort that is left, and what doesn't change in a search."""

    def __init__(self, limit: int, closers: Closers, effort: int) -> None:
        self._limit = limit
        self._closers = closers
        self._effort = effort

    def run(self, matcher: Matcher) -> Tokens | None:
        """The ending of a matcher, which is moved."""
        first = self._reach(matcher, (), None)
        if not isinstance(first, _Place):
            return first
        order = itertools.count()
        waiting = [(0, 0, next(order), self._children(first))]
        while waiting and self._effort > 0:
            detours, depth, _, children = heapq.heappop(waiting)
            found = next(children, None)
            if found is None:
                continue
            if not isinstance(found, _Place):
                return found
            heapq.heappush(waiting, (detours + 1, depth, next(order), children))
            heapq.heappush(waiting, (detours, len(found.path), next(order), self._children(found)))
        return None

    def _guess(self, place: _Place, guess: Tokens) -> "_Place | Tokens | None":
        """Where a guess leads."""
        if self._effort <= 0 or len(place.path) + len(guess) > self._limit:
            return None
        matcher = place.matcher.copy()
        for token in guess:
            matcher.take(token)
        return self._reach(matcher, (*place.path, *guess), place)

    def _reach(self, matcher: Matcher, path: Tokens, before: _Place | None) -> "_Place | Tokens | None":
        """The place at the end of a path and of what is forced behind it; the path itself if a reply may end there;
        None if it gets too long."""
        guessed = len(path)
        while len(path) <= self._limit:
            if matcher.accepting:
                return path
            forced = _forced(matcher)
            if not forced:
                break
            for token in forced:
                matcher.take(token)
            path += forced
        if len(path) >= self._limit:
            return None
        self._effort -= 1
        mask = matcher.mask()
        bits = bits_of(mask, len(self._closers.kinds))
        wide = is_wide(bits)
        if before is None or len(path) > guessed:
            change = Change.NEW_WAY
        elif np.array_equal(before.mask, mask):
            return _Place(path, matcher, mask, bits, wide, Change.NONE, before.vain)
        elif (before.wide and not wide) or np.any(mask & ~before.mask):
            change = Change.NEW_WAY
        else:
            change = Change.FEWER_WAYS
        return _Place(path, matcher, mask, bits, wide, change, set())

    def _children(self, place: _Place) -> Iterator["_Place | Tokens"]:
        """The places one guess further, the best first; a whole path if it is an ending."""
        changed: list[_Place] = []
        for mark in self._marks(place):
            child = None if mark in place.vain else self._guess(place, mark)
            if child is None:
                continue
            if not isinstance(child, _Place) or not place.wide or child.change is Change.NEW_WAY:
                yield child
            elif child.change is Change.FEWER_WAYS:
                changed.append(child)
            else:
                place.vain.add(mark)
        same: list[Tokens] = []
        for pick in self._picks(place):
            if pick in place.vain:
                same.append(pick)
                continue
            child = self._guess(place, pick)
            if child is None:
                continue
            if not isinstance(child, _Place) or child.change is Change.NEW_WAY:
                yield child
            elif child.change is Change.FEWER_WAYS:
                changed.append(child)
            else:
                place.vain.add(pick)
                same.append(pick)
        yield from changed
        for pick in sorted(same, key=lambda p: -int(self._closers.lengths[p[0]])):
            child = self._guess(place, pick)
            if child is not None:
                yield child

    def _marks(self, place: _Place) -> Iterator[Tokens]:
        closers = self._closers
        usual = closers.quoted_brackets if place.wide else closers.brackets
        for mark in itertools.chain(usual, closers.marks):
            if place.bits[mark[0]] and place.matcher.takes(mark):
                yield mark

    def _picks(self, place: _Place) -> Iterator[Tokens]:
        """Single tokens that are allowed here, a few of each kind."""
        allowed = np.flatnonzero(place.bits)
        kinds = self._closers.kinds[allowed]
        for kind in Kind:
            tokens = allowed[kinds == kind]
            if len(tokens) and (kind != Kind.PART or len(tokens) == len(allowed)):
                yield from ((int(token),) for token in self._few(kind, tokens))

    def _few(self, kind: Kind, tokens: NDArray[np.intp]) -> Sequence[int]:
        lengths = self._closers.lengths[tokens]
        match kind:
            case Kind.SPECIAL:
                return tokens[:4].tolist()
            case Kind.PUNCTUATION:
                return tokens[np.argsort(self._closers.ranks[tokens], kind="stable")].tolist()
            case Kind.LETTERS:  # a text may have to end with one letter alone
                return _distinct(tokens[lengths.argmax()], tokens[lengths.argmin()], *tokens[lengths == 1].tolist())
            case Kind.DIGITS:
                short = tokens[lengths == lengths.min()].tolist()
                return _distinct(*short[:10], tokens[lengths.argmax()])
            case Kind.OTHER:
                return _distinct(tokens[lengths.argmin()], tokens[lengths.argmax()])
            case Kind.SPACE | Kind.PART:
                return _distinct(tokens[lengths.argmin()])


def _forced(matcher: Matcher) -> Tokens:
    tokens = matcher.forced()
    if tokens:
        return tuple(tokens)
    text = matcher.forced_bytes()
    if not text or _SPECIAL_TOKEN in text:
        return ()
    spelled = matcher.vocabulary.tokens.tokenize_bytes(text)
    return tuple(spelled) if matcher.takes(spelled) else ()


def _distinct(*tokens: "np.intp | int") -> list[int]:
    return list(dict.fromkeys(map(int, tokens)))
