"""A prompt that is encoded in pieces, as if it had been encoded whole but for what stands across the cuts.

Some tokenizers put a mark of white space before every text that they are given. So each piece but the first is encoded
behind a short text whose own tokens are known, and these are taken off again.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

Encode: TypeAlias = Callable[[str], list[int]]

_ANCHORS = ("\n", "|", "a")  # one of them keeps its tokens, whatever stands behind it


def cut_at(text: str, word: str) -> list[str]:
    """The text without each `word`, cut where it stood; an empty word cuts nothing."""
    if not word:
        return [text]
    return [piece for piece in re.split(re.escape(word), text, flags=re.IGNORECASE) if piece] or [""]


def encode_pieces(pieces: Sequence[str], encode: Encode) -> list[int]:
    """The tokens of all pieces, one after the other."""
    first, *others = pieces
    tokens = list(encode(first))
    if not others:
        return tokens
    anchors = [(anchor, encode(anchor)) for anchor in _ANCHORS]
    known: dict[str, list[int]] = {}
    for piece in others:
        if piece not in known:
            known[piece] = _encoded_behind(piece, anchors, encode)
        tokens += known[piece]
    return tokens


def _encoded_behind(piece: str, anchors: Sequence[tuple[str, list[int]]], encode: Encode) -> list[int]:
    for anchor, before in anchors:
        tokens = encode(anchor + piece)
        if tokens[: len(before)] == before:
            return tokens[len(before) :]
    return encode(piece)
