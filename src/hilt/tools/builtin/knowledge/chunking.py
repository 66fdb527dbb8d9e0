"""A document cut into passages of about a thousand characters, each of which knows its heading, page or lines.

Headings and pages part passages; within them paragraphs are gathered while they fit. A paragraph that is too long is
cut between lines or sentences, and only what has neither is cut between words or within one. A passage begins with
the end of the one before it, so that a sentence is seen with what led up to it.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from hilt.tools.builtin.knowledge.reading import Document, heading

MAX_CHARS = 1000
OVERLAP_CHARS = 160

_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*\Z")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]{0,3}\s+|(?<=[。！？])")
_MAX_HEADING_CHARS = 120


class Passage(Struct, frozen=True):
    """A piece of a document. `heading` is the way to it ("Guide > Install"); `fragment`, put behind the document's
    name, says where it stands: "#Install", " p. 3", " lines 4-9", or "" where nothing is known."""

    text: str
    heading: str = ""
    fragment: str = ""


class _Piece(Struct, frozen=True):
    """Text that stays together; `gap` is what stands between it and the piece before it. Lines count from 1."""

    text: str
    gap: str
    first_line: int
    last_line: int


class _Section(Struct, frozen=True):
    """What stands below one heading, or on one page."""

    headings: tuple[str, ...]
    page: int | None
    lines: list[tuple[int, str]]


def passages(document: Document) -> tuple[Passage, ...]:
    """The passages in order. Every word of the document that is no heading is in one of them; none is longer than
    `MAX_CHARS` and an overlap of `OVERLAP_CHARS`."""
    return tuple(passage for section in _sections(document) for passage in _packed(section, document.kind))


def _sections(document: Document) -> Iterator[_Section]:
    match document.kind:
        case "markdown" | "html":
            for page in document.pages:
                yield from _headed(page)
        case "pdf":
            for number, page in enumerate(document.pages, start=1):
                yield _Section((), number, _numbered(page))
        case "text":
            for page in document.pages:
                yield _Section((), None, _numbered(page))


def _numbered(text: str) -> list[tuple[int, str]]:
    return list(enumerate(text.splitlines(), start=1))


def _headed(text: str) -> Iterator[_Section]:
    """Markdown by its headings; a heading without text of its own counts as text, unless deeper ones follow."""
    levels: list[tuple[int, str]] = []
    body: list[tuple[int, str]] = []
    heading_line = 0
    fence = ""
    for number, line in _numbered(text):
        fence, fenced = _fence_after(fence, line)
        found = None if fenced else _heading(line, body)
        if found is None:
            body.append((number, line))
            continue
        level, title, underlined = found
        if underlined:
            body.pop()
        if _filled(body):
            yield _Section(tuple(title for _, title in levels), None, body)
        elif levels and level <= levels[-1][0]:
            yield _Section(tuple(title for _, title in levels), None, [(heading_line, levels[-1][1])])
        levels = [(higher, title) for higher, title in levels if higher < level] + [(level, title)]
        body, heading_line = [], number
    if _filled(body):
        yield _Section(tuple(title for _, title in levels), None, body)
    elif levels:
        yield _Section(tuple(title for _, title in levels), None, [(heading_line, levels[-1][1])])


def _fence_after(fence: str, line: str) -> tuple[str, bool]:
    """The fence that is open behind the line, "" for none; and whether the line belongs to a block of code."""
    mark = _FENCE.match(line)
    if not fence:
        return (mark[1], True) if mark else ("", False)
    closes = mark is not None and mark[1].startswith(fence) and not line.strip().strip(fence[0])
    return ("" if closes else fence), True


def _heading(line: str, body: list[tuple[int, str]]) -> tuple[int, str, bool] | None:
    """Level, title, and whether the title is the line before; None if the line is no heading."""
    if (marked := heading(line)) is not None:
        return marked[0], marked[1][:_MAX_HEADING_CHARS], False
    above = body[-1][1].strip() if body else ""
    alone = len(body) == 1 or (len(body) > 1 and not body[-2][1].strip())
    if above and alone and len(above) <= _MAX_HEADING_CHARS and (rule := _UNDERLINE.match(line)) and len(rule[1]) > 1:
        return (1 if rule[1][0] == "=" else 2), above, True
    return None


def _filled(body: list[tuple[int, str]]) -> bool:
    return any(line.strip() for _, line in body)


def _packed(section: _Section, kind: str) -> Iterator[Passage]:
    held: list[_Piece] = []
    size = 0
    tail = ""
    for piece in _pieces(section.lines):
        if held and size + len(piece.gap) + len(piece.text) > MAX_CHARS:
            yield _passage(section, kind, held, tail)
            tail = _tail(held[-1].text)
            held, size = [], 0
        size += len(piece.text) + (len(piece.gap) if held else 0)
        held.append(piece)
    if held:
        yield _passage(section, kind, held, tail)


def _passage(section: _Section, kind: str, held: list[_Piece], tail: str) -> Passage:
    text = "".join((piece.gap if place else "") + piece.text for place, piece in enumerate(held))
    begun = f"{tail}{held[0].gap}{text}" if tail else text
    return Passage(begun, " > ".join(section.headings), _fragment(section, kind, held))


def _fragment(section: _Section, kind: str, held: list[_Piece]) -> str:
    if section.page is not None:
        return f" p. {section.page}"
    if section.headings:
        return f"#{section.headings[-1]}"
    if kind == "html":
        return ""  # the lines are those of the extracted text, which nobody can open
    first, last = held[0].first_line, held[-1].last_line
    return f" line {first}" if first == last else f" lines {first}-{last}"


def _tail(text: str) -> str:
    """The end of a text that the next passage begins with: whole sentences where they are short, else whole words."""
    if len(text) <= OVERLAP_CHARS:
        return text
    end = text[-OVERLAP_CHARS:]
    if sentence := _SENTENCE_END.search(end):
        return end[sentence.end() :]
    return end.partition(" ")[2]


def _pieces(lines: list[tuple[int, str]]) -> Iterator[_Piece]:
    """Paragraphs that fit, and what longer ones fall into."""
    paragraph: list[tuple[int, str]] = []
    for number, line in [*lines, (0, "")]:
        if line.strip():
            paragraph.append((number, line.rstrip()))
        elif paragraph:
            yield from _pieces_of(paragraph)
            paragraph = []


def _pieces_of(paragraph: list[tuple[int, str]]) -> Iterator[_Piece]:
    if sum(len(line) + 1 for _, line in paragraph) <= MAX_CHARS:
        text = "\n".join(line for _, line in paragraph)
        yield _Piece(text, "\n\n", paragraph[0][0], paragraph[-1][0])
        return
    gap = "\n\n"
    for number, line in paragraph:
        for text in _short(line):
            yield _Piece(text, gap, number, number)
            gap = " "
        gap = "\n"


def _short(line: str) -> Iterator[str]:
    """A line whole if it fits, else its sentences, else pieces of those."""
    if len(line) <= MAX_CHARS:
        yield line
        return
    for sentence in _SENTENCE_END.split(line):
        start = 0
        while len(sentence) - start > MAX_CHARS:
            cut = sentence.rfind(" ", start + MAX_CHARS // 2, start + MAX_CHARS)
            end = start + MAX_CHARS if cut < 0 else cut
            if sentence[start:end].strip():
                yield sentence[start:end].strip()
            start = end
        if sentence[start:].strip():
            yield sentence[start:].strip()
