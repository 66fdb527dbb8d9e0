"""Taking secrets and personal facts out of text before anybody keeps or shows it.

What is found is replaced by `[redacted:KIND]`. JSON is read as JSON: only its strings are searched, as they read
without their escapes, and a number that must go becomes a string; so JSON stays JSON, and what is not touched keeps its
form.

A replaced part can bring to light another: what stood right after it now begins a word. So the search is repeated until
it finds nothing. Each time some text that is no marker goes, and how often it is repeated is bounded.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from msgspec import Struct

from hilt.tools.named_secrets import named_kind, named_secrets
from hilt.tools.personal_facts import file_paths, personal_facts
from hilt.tools.secret_shapes import Span, shaped_secrets

_MARK = re.compile(r"\[redacted:[a-z-]{1,40}\]")
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)"|(-?[0-9][0-9.eE+-]*+)|([{}\[\],:])|[A-Za-z]++', re.DOTALL)
_MIN_KNOWN_CHARS = 4
_MIN_BASE64_CHARS = 6
_MAX_ROUNDS = 16
_MAX_DEPTH = 8


class Redaction(Struct, frozen=True):
    """What is taken out: secrets, personal facts, file paths; and the secrets `known`, of four characters or more, in
    whatever way they are written."""

    secrets: bool = True
    personal: bool = False
    paths: bool = False
    known: tuple[str, ...] = ()


def redact(text: str, what: Redaction) -> str:
    """The text with `[redacted:KIND]` in place of all that `what` names. Redacting it again changes nothing."""
    return _redacted(text, what, _spellings(what.known), depth=0)


def _redacted(text: str, what: Redaction, known: tuple[str, ...], depth: int) -> str:
    if depth < _MAX_DEPTH and _is_json(text):
        return _redacted_json(text, what, known, depth)
    for _ in range(_MAX_ROUNDS):
        cleaned = _replaced(text, _found(text, what, known))
        if cleaned == text:
            break
        text = cleaned
    return text


def _found(text: str, what: Redaction, known: tuple[str, ...]) -> Iterator[Span]:
    for spelling in known:
        at = text.find(spelling)
        while at >= 0:
            yield at, at + len(spelling), "known"
            at = text.find(spelling, at + len(spelling))
    if what.secrets:
        yield from shaped_secrets(text)
        yield from named_secrets(text)
    if what.personal:
        yield from personal_facts(text)
    if what.paths:
        yield from file_paths(text)


def _replaced(text: str, spans: Iterable[Span]) -> str:
    """The text with a marker for each span; those that overlap become one, of the kind of the first. A marker that is
    there already is never cut: a span that lies within markers is none, one that reaches into a marker takes it whole.
    """
    marks = [found.span() for found in _MARK.finditer(text)]
    merged: list[Span] = []
    next_mark = 0
    for start, end, kind in sorted(spans, key=lambda span: (span[0], -span[1])):
        while next_mark < len(marks) and marks[next_mark][1] <= start:
            next_mark += 1
        if next_mark < len(marks) and marks[next_mark][0] <= start:
            start = marks[next_mark][1] if end > marks[next_mark][1] else end
        if start >= end:
            continue
        if merged and start < merged[-1][1]:
            first, until, named = merged[-1]
            merged[-1] = (first, max(until, end), named)
        else:
            merged.append((start, end, kind))
    pieces: list[str] = []
    place = 0
    for start, end, kind in merged:
        pieces += text[place:start], f"[redacted:{kind}]"
        place = end
    return "".join([*pieces, text[place:]])


def _is_json(text: str) -> bool:
    if not text.lstrip(" \t\r\n").startswith(("{", "[", '"')):
        return False
    try:
        json.loads(text)
    except RecursionError:
        return True  # it was well as deep as could be looked
    except ValueError:
        return False
    return True


class _Place(Struct):
    """Where a walk over JSON is: in an array or an object, after which name, and before a name or a value."""

    is_object: bool
    name: str = ""
    at_name: bool = False


def _redacted_json(text: str, what: Redaction, known: tuple[str, ...], depth: int) -> str:
    places = [_Place(is_object=False)]
    pieces: list[str] = []
    end = 0
    for token in _TOKEN.finditer(text):
        place = places[-1]
        new: str | None = None
        if (mark := token.group(3)) is not None:
            _step(places, mark)
        elif token.group(1) is not None:
            read = str(json.loads(token.group(), strict=False))
            if place.at_name:
                place.name = read
                new = _redacted(read, what, known, depth + 1)
            else:
                new = _redacted_value(read, place.name, what, known, depth)
            new = None if new == read else json.dumps(new)
        elif (number := token.group(2)) is not None:
            cleaned = _redacted_value(number, place.name, what, known, depth)
            new = None if cleaned == number else json.dumps(cleaned)
        if new is not None:
            pieces += text[end : token.start()], new
            end = token.end()
    return "".join([*pieces, text[end:]])


def _step(places: list[_Place], mark: str) -> None:
    match mark:
        case "{":
            places.append(_Place(is_object=True, at_name=True))
        case "[":
            # The elements of an array are named like the array.
            places.append(_Place(is_object=False, name=places[-1].name))
        case ":":
            places[-1].at_name = False
        case ",":
            places[-1].at_name = places[-1].is_object
        case _:
            places.pop()


def _redacted_value(value: str, name: str, what: Redaction, known: tuple[str, ...], depth: int) -> str:
    kind = named_kind(name, value) if what.secrets and name else None
    if kind is not None and not _MARK.fullmatch(value):
        return f"[redacted:{kind}]"
    return _redacted(value, what, known, depth + 1)


def _spellings(known: tuple[str, ...]) -> tuple[str, ...]:
    """The ways in which the known secrets may be written, the longest first."""
    found: set[str] = set()
    for secret in known:
        if len(secret) < _MIN_KNOWN_CHARS:
            continue
        raw = secret.encode("utf-8", "replace")
        escaped = json.dumps(secret)[1:-1]
        found |= {secret, escaped, escaped.replace("/", "\\/"), json.dumps(secret, ensure_ascii=False)[1:-1]}
        found |= {json.dumps(escaped)[1:-1], html.escape(secret), repr(secret)[1:-1], raw.hex()}
        for coded in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
            found |= {coded, re.sub("%[0-9A-F]{2}", lambda hexed: hexed.group().lower(), coded)}
        found |= _in_base64(raw)
    return tuple(sorted(found, key=lambda spelling: (-len(spelling), spelling)))


def _in_base64(raw: bytes) -> set[str]:
    """What a base64 text holds of the secret whatever stands around it: it may begin at each of three places."""
    found: set[str] = set()
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        # The first letters hold bits of what stands before, the last one those of what follows.
        whole = coded[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        if len(whole) >= _MIN_BASE64_CHARS:
            found |= {
                whole,
                whole.replace("+", "-").replace("/", "_"),
                quote(whole, safe=""),
                whole.replace("/", "\\/"),
            }
    return found
