"""Marks by which an answer names its sources, and nothing but its sources.

A source gets the mark S1, S2, ... when a tool first returns it, and the model writes it as [S1]. A mark that no source
has is taken out of what the model says, while it streams.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, cast

from hilt.conversation import Source

HOW_TO_CITE = "Name what you take from a source by its mark in brackets, such as [S1]."

_MARK = re.compile(r" ?\[S(\d{1,4})\]")
# What may yet become a mark, with the space in front of it that goes with one.
_BEGUN = re.compile(r" ?(?:\[(?:S\d{0,4})?)?\Z")


def with_marks(text: str, found: Sequence[Source], known: Sequence[Source]) -> tuple[tuple[Source, ...], str]:
    """All sources that are known now, and the result with the marks of those that were found."""
    sources = [*known, *(source for source in dict.fromkeys(found) if source not in known)]
    marks = {f"S{sources.index(source) + 1}": f"{source.title} ({source.place})" for source in dict.fromkeys(found)}
    try:
        result = json.loads(text)
    except ValueError:
        return tuple(sources), f"{text}\n\n{json.dumps({'sources': marks}, ensure_ascii=False)}"
    told = cast("dict[str, Any]", result) if isinstance(result, dict) else {"result": result}
    return tuple(sources), json.dumps({**told, "sources": marks, "how_to_cite": HOW_TO_CITE}, ensure_ascii=False)


class MarkFilter:
    """Takes marks of no source out of a text that comes in pieces; `sources` is how many there are."""

    def __init__(self, sources: int) -> None:
        self._sources = sources
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be said now."""
        text = self._held + piece
        begun = _BEGUN.search(text)
        keep = len(text) if begun is None else begun.start()
        self._held = text[keep:]
        return self._honest(text[:keep])

    def finish(self) -> str:
        """What was held back at the end."""
        rest, self._held = self._held, ""
        return self._honest(rest)

    def _honest(self, text: str) -> str:
        return _MARK.sub(lambda mark: mark[0] if 1 <= int(mark[1]) <= self._sources else "", text)
