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

_MARK = re.compile(r" ?\[S([0-9]{1,4})\]")
# What may yet become a mark, with the space in front of it that goes with one.
_BEGUN = re.compile(r" ?(?:\[(?:S[0-9]{0,4})?)?\Z")
_BEGUN_MARK = re.compile(r"\[(?:S[0-9]{0,4})?\Z")
_GOES_ON = re.compile(r"\[(?:S[0-9]{0,4}\]?)?")
_MAX_TITLE_CHARS = 200
_MAX_PLACE_CHARS = 1000
_MOST_SOURCES = 40


def with_marks(text: str, found: Sequence[Source], known: Sequence[Source]) -> tuple[tuple[Source, ...], str]:
    """All sources that are known now, and the result with the marks of those that were found: of the first 40."""
    numbers = {source: number for number, source in enumerate(known, 1)}
    marks: dict[str, str] = {}
    for source in list(dict.fromkeys(found))[:_MOST_SOURCES]:
        number = numbers.setdefault(source, len(numbers) + 1)
        marks[f"S{number}"] = f"{source.title[:_MAX_TITLE_CHARS]} ({source.place[:_MAX_PLACE_CHARS]})"
    sources = list(numbers)
    try:
        result = json.loads(text)
    except (ValueError, RecursionError):
        return tuple(sources), f"{text}\n\n{json.dumps({'sources': marks}, ensure_ascii=False)}"
    told: dict[str, Any] = cast("dict[str, Any]", result) if isinstance(result, dict) else {"result": result}
    if not told.keys().isdisjoint(("sources", "how_to_cite")):
        told = {"result": result}
    return tuple(sources), json.dumps({**told, "sources": marks, "how_to_cite": HOW_TO_CITE}, ensure_ascii=False)


class MarkFilter:
    """Takes marks of no source out of a text that comes in pieces; `sources` is how many there are.

    Where what stands around a mark that was taken out would make another, a space comes between.
    """

    def __init__(self, sources: int) -> None:
        self._sources = sources
        self._held = ""
        self._begun = ""
        self._cut = False

    def feed(self, piece: str) -> str:
        """What can be said now."""
        text = self._held + piece
        begun = _BEGUN.search(text)
        keep = len(text) if begun is None else begun.start()
        self._held = text[keep:]
        return self._honest(text[:keep])

    def finish(self) -> str:
        """What was held back, where something else comes or the text ends."""
        rest, self._held = self._held, ""
        said = self._honest(rest)
        self._cut = True
        return said

    def _honest(self, text: str) -> str:
        said: list[str] = []
        at = 0
        for mark in _MARK.finditer(text):
            if not self._is_source(mark[1]):
                said.append(self._apart(text[at : mark.start()]))
                self._cut = True
                at = mark.end()
        said.append(self._apart(text[at:]))
        return "".join(said)

    def _is_source(self, digits: str) -> bool:
        return not digits.startswith("0") and 1 <= int(digits) <= self._sources

    def _apart(self, text: str) -> str:
        """The text, with a space before it where it would go on with a mark that was begun before a cut."""
        if not text:
            return ""
        if self._cut and self._begun and _GOES_ON.fullmatch(self._begun + text[0]):
            text = f" {text}"
        self._cut = False
        begun = _BEGUN_MARK.search(self._begun + text)
        self._begun = "" if begun is None else begun[0]
        return text
