"""The lines of calendars and cards (RFC 5545, RFC 6350, vCard 2.1): where each block stands, and what its lines say.

A file stays bytes, and a block is a span of them, so that one block can be changed or taken out while every other byte
stays as it is. Lines are unfolded as bytes too, since some programs fold in the middle of a character; only then is
each of them decoded, as UTF-8, by the character set it names, or as Windows-1252.
"""

import quopri
import re
from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct

_KINDS = frozenset({b"VEVENT", b"VTODO", b"VJOURNAL", b"VFREEBUSY", b"VTIMEZONE", b"VCARD"})
_EDGE = re.compile(
    rb"^(BEGIN|END)[ \t]*:[ \t]*([A-Za-z0-9-]{1,40})[ \t]*(?:\r\n|\r|\n|\Z)", re.IGNORECASE | re.MULTILINE
)
_FOLDS = (b"\r\n ", b"\r\n\t", b"\n ", b"\n\t")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CARET = re.compile(r"\^(['n^])")
_NONE: Mapping[str, tuple[str, ...]] = {}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# Character sets alone: Python's codecs include others that unpack, or make what is no text.
_CHARSET = re.compile(
    r"iso-?8859-\d{1,2}|latin-?1|windows-\d{3,4}|cp\d{3,4}|koi8-[rut]|us-ascii|utf-?8|shift[_-]jis|euc-(?:jp|kr)"
    r"|iso-2022-(?:jp|kr)|gb2312|gbk|gb18030|big5|mac-?roman",
    re.ASCII | re.IGNORECASE,
)
_MAX_LINE_BYTES = 75
_MAX_PARAMETERS = 50


class Block(Struct, frozen=True):
    """One component, such as VEVENT, from `start` up to `end` in the bytes of its file; not `whole` if its end is
    missing."""

    kind: str
    start: int
    end: int
    whole: bool = True


class Line(Struct, frozen=True):
    """One property. `parameters` have names in capitals, and their values as lists; `value` is still escaped."""

    name: str
    value: str
    parameters: Mapping[str, tuple[str, ...]]
    group: str = ""

    def parameter(self, name: str) -> str:
        """The first value of a parameter, "" if there is none."""
        return (self.parameters.get(name) or ("",))[0]


def readable(content: bytes) -> bytes:
    """The content with UTF-8 and line ends that can be read; the same bytes where that is so already, or so nearly that
    every byte keeps its place."""
    if content.startswith(_UTF16):
        return content.decode("utf-16", "replace").encode()
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    return b"\r\n\n" + content[3:] if content.startswith(b"\xef\xbb\xbf") else content


def is_editable(content: bytes) -> bool:
    """Whether blocks of the file can be changed in place."""
    return not content.startswith(_UTF16) and (b"\n" in content or b"\r" not in content)


def blocks(content: bytes) -> Iterator[Block]:
    """The components of readable content, in order. A component that begins within another one of the same level means
    that the end of the first is missing."""
    start, kind = 0, b""
    for edge in _EDGE.finditer(content):
        what = edge[2].upper()
        begins = edge[1][:1] in b"Bb"
        if not kind:
            if begins and what in _KINDS:
                start, kind = edge.start(), what
        elif begins and what in _KINDS:
            yield Block(kind.decode(), start, edge.start(), whole=False)
            start, kind = edge.start(), what
        elif not begins and what == kind:
            yield Block(kind.decode(), start, edge.end())
            kind = b""
        elif not begins and what == b"VCALENDAR":
            yield Block(kind.decode(), start, edge.start(), whole=False)
            kind = b""
    if kind:
        yield Block(kind.decode(), start, len(content), whole=False)


def lines(block: bytes, wanted: Collection[str]) -> list[Line]:
    """The properties of a block that have one of the wanted names (in capitals), without those of blocks inside it.
    What is no property is passed over."""
    found: list[Line] = []
    depth = 0
    for raw in _unfolded(block):
        name = raw.partition(b":")[0].partition(b";")[0].strip().upper()
        if name == b"BEGIN":
            depth += 1
        elif name == b"END":
            depth -= 1
        elif depth == 1 and (plain := name.rpartition(b".")[2].decode("latin-1")) in wanted:
            line = _line(raw, plain)
            if line is not None:
                found.append(line)
    return found


def inner_blocks(block: bytes, kinds: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """The blocks of these kinds directly within a block, such as STANDARD in VTIMEZONE, each with its kind."""
    start, kind = 0, ""
    for edge in _EDGE.finditer(block):
        what = edge[2].upper().decode()
        if not kind and edge[1][:1] in b"Bb" and what in kinds:
            start, kind = edge.start(), what
        elif kind == what and edge[1][:1] not in b"Bb":
            yield kind, block[start : edge.end()]
            kind = ""


def unescaped(text: str) -> str:
    """A text value as it is meant."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], text)


def parts(value: str, mark: str) -> list[str]:
    """A value cut at a mark that isn't escaped, each part unescaped."""
    pieces: list[str] = []
    open_piece = False
    for piece in value.split(mark):
        if open_piece:
            pieces[-1] += mark + piece
        else:
            pieces.append(piece)
        open_piece = (len(piece) - len(piece.rstrip("\\"))) % 2 == 1
    return [unescaped(piece) for piece in pieces]


def text_line(name: str, text: str) -> bytes:
    """A property with a text value, escaped, folded and ended."""
    clean = "".join(each for each in text.replace("\r\n", "\n").replace("\r", "\n") if each in "\n\t" or each >= " ")
    clean = clean.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")
    return folded(f"{name}:{clean}")


def folded(line: str) -> bytes:
    """A line of a file, cut between characters so that no piece is longer than 75 bytes."""
    pieces: list[bytes] = []
    piece = b""
    for each in line:
        encoded = each.encode("utf-8", "replace")
        if len(piece) + len(encoded) > _MAX_LINE_BYTES:
            pieces.append(piece)
            piece = b" "
        piece += encoded
    return b"\r\n".join([*pieces, piece]) + b"\r\n"


def _unfolded(block: bytes) -> Iterator[bytes]:
    """The lines, with what was folded put together, the soft line breaks of quoted-printable included."""
    for fold in _FOLDS:
        block = block.replace(fold, b"")
    waiting = b""
    for raw in block.split(b"\n"):
        line = waiting + raw.rstrip(b"\r")
        if line.endswith(b"=") and b"QUOTED-PRINTABLE" in line[:200].partition(b":")[0].upper():
            waiting = line[:-1]
            continue
        waiting = b""
        yield line
    if waiting:
        yield waiting


def _line(raw: bytes, name: str) -> Line | None:
    text = _decoded(raw, "")
    head, value = _head(text)
    if value is None:
        return None
    parameters = _parameters(head) if ";" in head else _NONE
    charset = (parameters.get("CHARSET") or ("",))[0]
    encoding = (parameters.get("ENCODING") or ("",))[0].upper()
    if encoding == "QUOTED-PRINTABLE":
        body = raw[len(head) + 1 :] if head.isascii() else value.encode()
        value = _decoded(quopri.decodestring(body), charset)
    elif charset:
        value = _decoded(raw, charset)[len(head) + 1 :] if head.isascii() else value
    before, dot, _ = head.partition(";")[0].rpartition(".")
    return Line(name, value, parameters, before.strip().lower() if dot else "")


def _decoded(raw: bytes, charset: str) -> str:
    if _CHARSET.fullmatch(charset):
        try:
            return raw.decode(charset)
        except (LookupError, ValueError):
            pass
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _head(text: str) -> tuple[str, str | None]:
    """What stands before the colon that ends name and parameters, and what after it; None if there is no colon."""
    before, colon, after = text.partition(":")
    if '"' in before and (end := next(_places(text, ":"), None)) is not None:
        return text[:end], text[end + 1 :]
    return before, after if colon else None


def _parameters(head: str) -> dict[str, tuple[str, ...]]:
    """The parameters of a head; a bare one, as vCard 2.1 has them, is a TYPE or an ENCODING."""
    found: dict[str, tuple[str, ...]] = {}
    for part in _cut(head, ";")[1 : _MAX_PARAMETERS + 1]:
        name, equals, value = part.partition("=")
        key = name.strip().upper()
        if not equals:
            value, key = key, "ENCODING" if key in ("QUOTED-PRINTABLE", "BASE64", "8BIT", "7BIT") else "TYPE"
        values = tuple(_CARET.sub(_uncaret, each.strip().strip('"')) for each in _cut(value, ",")[:_MAX_PARAMETERS])
        found[key] = (*found.get(key, ()), *values)
    return found


def _cut(text: str, mark: str) -> list[str]:
    """The text cut at the marks outside quotes."""
    pieces: list[str] = []
    start = 0
    for place in _places(text, mark):
        pieces.append(text[start:place])
        start = place + 1
    return [*pieces, text[start:]]


def _places(text: str, mark: str) -> Iterator[int]:
    """Where the mark stands outside quotes; a quote that never ends is none."""
    at = text.find(mark)
    quote = text.find('"')
    while at >= 0:
        if 0 <= quote < at:
            end = text.find('"', quote + 1)
            if end < 0:
                quote = -1
                continue
            at = text.find(mark, end + 1) if at < end else at
            quote = text.find('"', end + 1)
            continue
        yield at
        at = text.find(mark, at + 1)


def _uncaret(found: re.Match[str]) -> str:
    return {"n": "\n", "'": '"', "^": "^"}[found[1]]
