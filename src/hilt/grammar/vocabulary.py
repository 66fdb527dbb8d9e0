"""The tokens of a model as a grammar sees them: which of them are marks, and which end a turn."""

import re
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeAlias

from llguidance import LLTokenizer

from hilt.grammar.lark import literal

Piece: TypeAlias = str | int


class FastTokenizer(Protocol):
    """The parts of a tokenizer of Hugging Face's Rust library that are read."""

    def to_str(self) -> str: ...
    def get_vocab_size(self, with_added_tokens: bool = True) -> int: ...
    def get_added_tokens_decoder(self) -> Mapping[int, object]: ...


class Vocabulary:
    """What a grammar needs to know of a tokenizer.

    `size` is the number of tokens that the model scores. `ends` are the tokens that end a turn. `special` are the
    tokens which no plain text spells, by their text: a string in a grammar never matches one.
    """

    def __init__(self, tokens: LLTokenizer, known: int, special: Mapping[str, int]) -> None:
        self.tokens = tokens
        self.size = tokens.vocab_size
        self.ends = frozenset(tokens.eos_tokens)
        self.special = dict(special)
        self._unknown = range(known, self.size)
        found = sorted(special, key=len, reverse=True)
        self._marks = re.compile("|".join(map(re.escape, found))) if found else None

    def pieces(self, text: str) -> list[Piece]:
        """A text as its model writes it: special tokens by their number, and the text between them."""
        pieces: list[Piece] = []
        place = 0
        for match in self._marks.finditer(text) if self._marks is not None else ():
            if match.start() > place:
                pieces.append(text[place : match.start()])
            pieces.append(self.special[match[0]])
            place = match.end()
        if place < len(text):
            pieces.append(text[place:])
        return pieces

    def spelled(self, text: str) -> list[int]:
        """The tokens of a text, special ones where their own text stands."""
        pieces = self.pieces(text)
        return [t for p in pieces for t in ([p] if isinstance(p, int) else self.tokens.tokenize_str(p))]

    def mark(self, text: str) -> str:
        """The body of a rule: this text as its model writes it."""
        return written(self.pieces(text))

    def any_special_but(self, tokens: Iterable[int]) -> str:
        """The body of a rule: one special token of the model, none of `tokens` and none that ends a turn."""
        banned = {*tokens, *self.ends, *self._unknown}
        allowed = sorted(token for token in self.special.values() if token not in banned)
        return f"<[{','.join(map(str, allowed))}]>" if allowed else ""


def written(pieces: Iterable[Piece]) -> str:
    """The body of a rule: these pieces, one after the other."""
    return " ".join(f"<[{piece}]>" if isinstance(piece, int) else literal(piece) for piece in pieces)


def read_vocabulary(tokenizer: FastTokenizer, size: int, ends: Iterable[int]) -> Vocabulary:
    """The vocabulary of a model that scores `size` tokens, of which `ends` end a turn. Takes about a second."""
    known = tokenizer.get_vocab_size(with_added_tokens=True)
    tokens = LLTokenizer(tokenizer.to_str(), n_vocab=max(size, known), eos_token=sorted(ends))
    added = {str(getattr(t, "content", "")): i for i, t in tokenizer.get_added_tokens_decoder().items()}
    special = {text: token for text, token in added.items() if text and tokens.is_special_token(token)}
    return Vocabulary(tokens, known, special)
