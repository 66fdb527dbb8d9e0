"""The whole of results that were too long for the model, kept so that it can read on in them."""

import json
from collections import OrderedDict
from typing import Annotated

from msgspec import Struct
from pydantic import Field

from hilt.tools.tool import Tool, tool


class Piece(Struct, frozen=True):
    """A part of a result from the character `offset` on; `next_offset` is where to read on, None at the end."""

    id: str
    offset: int
    text: str
    total_chars: int
    next_offset: int | None


# What a piece takes in JSON besides its text: names, numbers and the id.
_PIECE_CHARS = 160


class ResultStore:
    """The results of one conversation, up to `max_bytes` of UTF-8; beyond that the oldest are forgotten."""

    def __init__(self, max_bytes: int = 64 << 20) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._size_bytes = 0
        self._count = 0

    def keep(self, text: str) -> str:
        """Keep a text and give its id: "r1", "r2" and so on. One that is larger than the whole store is not kept, and
        nothing is forgotten for it."""
        self._count += 1
        name = f"r{self._count}"
        size_bytes = _size_bytes(text)
        if size_bytes > self._max_bytes:
            return name
        self._kept[name] = text
        self._size_bytes += size_bytes
        while self._size_bytes > self._max_bytes:
            _, forgotten = self._kept.popitem(last=False)
            self._size_bytes -= _size_bytes(forgotten)
        return name

    def read(self, id: str, offset: int, max_chars: int) -> Piece:
        """At most `max_chars` characters of a result from `offset` on. Raises ValueError, in words for the model, for
        an id that isn't kept and an offset outside the text."""
        text = self._kept.get(id)
        if text is None:
            raise ValueError(self._missing(id))
        total = len(text)
        if offset < 0:
            raise ValueError(f"offset {offset} is below 0; {id} has {total} characters, counted from 0")
        if offset >= total and offset > 0:
            raise ValueError(f"offset {offset} is beyond the end of {id}, which has {total} characters")
        end = min(offset + max(max_chars, 1), total)
        return Piece(id, offset, text[offset:end], total, end if end < total else None)

    def _missing(self, id: str) -> str:
        kept = f"those that can be read are {_listed(list(self._kept))}" if self._kept else "none is kept now"
        number = id.removeprefix("r")
        if len(number) < 20 and number.isdecimal() and 0 < int(number) <= self._count and id == f"r{int(number)}":
            return f"the result {id} is no longer kept; {kept}; call the tool again if you need it"
        return f"there is no result {id[:40]!r}; {kept}"


def read_result_tool(store: ResultStore, max_chars: int) -> Tool:
    """The tool that reads on in a cut result. The JSON of what it returns has at most `max_chars` characters, so that
    it isn't cut again; `max_chars` must be at least 500."""

    @tool(effect="read", untrusted=True, domain="tools", keywords=("result", "long", "more", "rest", "cut"))
    def read_result(
        id: Annotated[str, Field(description="The id of the result, such as r1.")],
        offset: Annotated[int, Field(description="The character to read on from.")] = 0,
    ) -> Piece:
        """Read on in a long result that was cut."""
        piece = store.read(id, offset, max_chars)
        fits = _fitting(piece.text, max_chars - _PIECE_CHARS)
        return piece if fits == len(piece.text) else store.read(id, offset, fits)

    return read_result


def _fitting(text: str, max_chars: int) -> int:
    """How many characters of the text, at least one, take at most `max_chars` when written as a JSON string."""
    if len(json.dumps(text, ensure_ascii=False)) <= max_chars:
        return len(text)
    fits, misses = 1, len(text)
    while misses - fits > 1:
        middle = (fits + misses) // 2
        if len(json.dumps(text[:middle], ensure_ascii=False)) <= max_chars:
            fits = middle
        else:
            misses = middle
    return fits


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 5 else f"{names[0]} to {names[-1]}"


def _size_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
