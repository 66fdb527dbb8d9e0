"""Taking secrets and personal facts out of text before anybody keeps or shows it.

What is found is replaced by `[redacted:KIND]`. An object, array or string of JSON is read as JSON: only its strings are
searched, as they read without their escapes, and a number that must go becomes a string; so JSON stays JSON, and what
is not touched keeps its form.

A replaced part can bring to light another: what stood right after it now begins a word. So the search is repeated until
it finds nothing. Each time some text that is no marker goes, and how often it is repeated is bounded.
"""

import base64
import html
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import accumulate, chain
from typing import Any, cast
from urllib.parse import quote, quote_plus

from msgspec import Struct

from hilt.tools.named_secrets import may_name_secret, named_kind, named_secrets
from hilt.tools.personal_facts import file_paths, personal_facts
from hilt.tools.secret_shapes import Span, shaped_secrets

_MARK = re.compile(r"\[redacted:[a-z-]{1,40}\]")
_TOKEN = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"|(-?[0-9][0-9.eE+-]*+)|([{}\[\],:])|[A-Za-z]++', re.DOTALL)
_MIN_KNOWN_CHARS = 4
_MIN_BASE64_CHARS = 6
# No part of any secret: what is searched stops at the end of a line, or at a NUL.
_BETWEEN = "\n\0\n"
_MAX_ROUNDS = 16
_MAX_DEPTH = 8
_OPENINGS = ("{", "[", '"')
# An object is read as the tuple of its members, so that a name may stand in it twice.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, object_pairs_hook=tuple)


class Redaction(Struct, frozen=True):
    """What is taken out: secrets, personal facts, file paths; and the secrets `known`, of four characters or more, in
    whatever way they are written."""

    secrets: bool = True
    personal: bool = False
    paths: bool = False
    known: tuple[str, ...] = ()


def redact(text: str, what: Redaction) -> str:
    """The text with `[redacted:KIND]` in place of all that `what` names. Redacting it again changes nothing."""
    known = _spellings(what.known)
    if _is_clean(text, what, known):
        return text
    leaves: list[str] = []
    whole = _taken_apart(text, leaves, depth=0)
    return _put_together(whole, _cleaned(leaves, what, known), secrets=what.secrets)


def _is_clean(text: str, what: Redaction, known: tuple[str, ...]) -> bool:
    """Whether there surely is nothing to take out. To read JSON without asking where its strings stand is far faster
    than to take it apart, and mostly all that is needed."""
    leaves: list[str] = []
    members: list[tuple[str, Any]] = []
    try:
        _read(text, leaves, members, depth=0)
    except RecursionError:
        return False
    if what.secrets and _has_named(members):
        return False
    return next(_found(_BETWEEN.join(leaves), what, known), None) is None


def _read(text: str, leaves: list[str], members: list[tuple[str, Any]], depth: int) -> None:
    """Read the leaves of a text, which are those that `_taken_apart` finds, and the members of its objects."""
    try:
        value = _DECODER.decode(text) if depth < _MAX_DEPTH and _may_be_json(text) else None
    except ValueError:
        value = None
    if value is None:
        leaves.append(text)
        return
    own: list[str] = []
    unread: list[Iterator[Any]] = [iter((value,))]
    while unread:
        for item in unread[-1]:
            if isinstance(item, str):
                own.append(item)
            elif isinstance(item, list):
                unread.append(iter(cast("list[Any]", item)))
                break
            elif isinstance(item, tuple):
                of_object = cast("tuple[tuple[str, Any], ...]", item)
                members += of_object
                unread.append(chain.from_iterable(of_object))
                break
        else:
            unread.pop()
    together = "".join(own)
    if any(opening in together for opening in _OPENINGS):
        for leaf in own:
            _read(leaf, leaves, members, depth + 1)
    else:
        leaves += own


def _has_named(members: list[tuple[str, Any]]) -> bool:
    """Whether a member is a secret by its name. The elements of an array are named like the array."""
    naming = {name for name in {name for name, _ in members} if may_name_secret(name)}
    for name, value in members if naming else ():
        unread = [value] if name in naming else []
        while unread:
            item = unread.pop()
            if isinstance(item, list):
                unread += cast("list[Any]", item)
            elif isinstance(item, str) and named_kind(name, item) is not None:
                return True
    return False


def _cleaned(texts: list[str], what: Redaction, known: tuple[str, ...]) -> list[str]:
    """The texts, redacted. They are searched as one, since starting each search anew for thousands of short strings
    would take most of the time; what stands between them belongs to no secret."""
    cleaned = list(texts)
    left = list(range(len(texts)))
    for _ in range(_MAX_ROUNDS):
        starts = list(accumulate((len(cleaned[place]) + len(_BETWEEN) for place in left), initial=0))
        found: dict[int, list[Span]] = {}
        for start, end, kind in _found(_BETWEEN.join(cleaned[place] for place in left), what, known):
            for turn in range(bisect_right(starts, start) - 1, bisect_left(starts, end)):
                found.setdefault(left[turn], []).append((max(start - starts[turn], 0), end - starts[turn], kind))
        changed: list[int] = []
        for place, spans in sorted(found.items()):
            new = _replaced(cleaned[place], spans)
            if new != cleaned[place]:
                cleaned[place] = new
                changed.append(place)
        left = changed
        if not left:
            break
    return cleaned


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
        end = min(end, len(text))
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


def _may_be_json(text: str) -> bool:
    return text.lstrip(" \t\r\n").startswith(_OPENINGS)


def _is_json(text: str) -> bool:
    if not _may_be_json(text):
        return False
    try:
        _DECODER.decode(text)
    except RecursionError:
        return _is_json_by_tokens(text)
    except ValueError:
        return False
    return True


def _is_json_by_tokens(text: str) -> bool:
    """Whether a text that is nested too deeply to be read at once has the tokens of JSON, each bracket with its other.
    That is less than being JSON, and enough to be taken apart."""
    open_brackets: list[str] = []
    end = 0
    for token in _TOKEN.finditer(text):
        if text[end : token.start()].strip(" \t\r\n"):
            return False
        end = token.end()
        match token.group()[0]:
            case "[" | "{" as bracket:
                open_brackets.append(bracket)
            case "]" | "}" as bracket:
                if not open_brackets or open_brackets.pop() + bracket not in ("[]", "{}"):
                    return False
            case '"':
                try:
                    json.loads(token.group(), strict=False)
                except ValueError:
                    return False
            case _:
                pass
    return not open_brackets and not text[end:].strip(" \t\r\n")


class _Part(Struct, frozen=True):
    """A string or a number within JSON: where it stands, what it reads as, and which part, by its number, is its name.
    None if it has none, or is a name itself."""

    start: int
    end: int
    whole: "_Whole"
    name: int | None


class _Whole(Struct, frozen=True):
    """A text as it is redacted: JSON with its parts, or one of the texts to be searched, by its number."""

    text: str
    parts: tuple[_Part, ...] = ()
    leaf: int | None = None


class _Place(Struct):
    """Where a walk over JSON is: in an array or an object, after which name, and before a name or a value."""

    is_object: bool
    name: int | None = None
    at_name: bool = False


def _taken_apart(text: str, leaves: list[str], depth: int) -> _Whole:
    if depth >= _MAX_DEPTH or not _is_json(text):
        leaves.append(text)
        return _Whole(text, leaf=len(leaves) - 1)
    places = [_Place(is_object=False)]
    parts: list[_Part] = []
    for token in _TOKEN.finditer(text):
        if (mark := token.group(3)) is not None:
            _step(places, mark)
        elif token.group(1) is not None or token.group(2) is not None:
            read = token.group(1)
            if read is None:
                read = token.group()
            elif "\\" in read:
                read = str(json.loads(token.group(), strict=False))
            place = places[-1]
            parts.append(
                _Part(*token.span(), _taken_apart(read, leaves, depth + 1), None if place.at_name else place.name)
            )
            if place.at_name:
                place.name = len(parts) - 1
    return _Whole(text, tuple(parts))


def _put_together(whole: _Whole, cleaned: list[str], *, secrets: bool) -> str:
    """The text with its parts redacted. What a name says is asked last, of names and values as they will be read, so
    that another reading comes to the same."""
    if whole.leaf is not None:
        return cleaned[whole.leaf]
    pieces: list[str] = []
    place = 0
    read: list[str] = []
    for part in whole.parts:
        new = _put_together(part.whole, cleaned, secrets=secrets)
        kind = None if part.name is None or not secrets else named_kind(read[part.name], new)
        if kind is not None:
            new = f"[redacted:{kind}]"
        read.append(new)
        if new != part.whole.text:
            pieces += whole.text[place : part.start], json.dumps(new)
            place = part.end
    return "".join([*pieces, whole.text[place:]])


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


@lru_cache(maxsize=16)
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
