"""JSON read as it arrives: each piece leaves as soon as nothing later can change it, and it leaves as strict JSON.

A value ends where JSON says that it ends, never at something that looks like a closing mark inside a string. Control
characters, unknown escapes and halves of surrogate pairs in strings, which models write and no text can hold, are
mended and named in `repairs`; anything else that JSON forbids is `Malformed`.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any, cast

from hilt.dialects.cursor import Cursor, Reading, TextEnded

MAX_DEPTH = 200
MAX_NUMBER_LENGTH = 400

_STRING_STOP = re.compile(r'["\\\x00-\x1f]')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER_END = re.compile(r"[^0-9+\-.eE]")
_HEX4 = re.compile(r"[0-9a-fA-F]{4}")
_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile(r"[dD][89a-fA-F]..")
_SPACE = re.compile(r"[ \t\r\n]*")
_LITERALS = {"t": "true", "f": "false", "n": "null"}

Emit = Callable[[str], None]


class Malformed(Exception):
    """The text can't be read as a call; the message says why."""


def read_string(cursor: Cursor, emit: Emit, repairs: set[str]) -> Reading[None]:
    """Read a JSON string from its opening quote; emits it, quotes included, as strict JSON."""
    if not (yield from cursor.looking_at('"')):
        if not cursor.available:
            raise TextEnded
        raise Malformed(f"expected a string, found {cursor.buffer[cursor.position]!r}")
    emit(cursor.take(1))
    while True:
        stop = _STRING_STOP.search(cursor.buffer, cursor.position)
        if stop is None:
            if cursor.available:
                emit(cursor.take(cursor.available))
            yield from cursor.more()
            continue
        if stop.start() > cursor.position:
            emit(cursor.take(stop.start() - cursor.position))
        match stop[0]:
            case '"':
                emit(cursor.take(1))
                return
            case "\\":
                yield from _read_escape(cursor, emit, repairs)
            case control:
                cursor.take(1)
                repairs.add("control_character")
                emit(json.dumps(control)[1:-1])


def _read_escape(cursor: Cursor, emit: Emit, repairs: set[str]) -> Reading[None]:
    pair = yield from cursor.peek(2)
    if len(pair) < 2:
        raise TextEnded
    if pair[1] in '"\\/bfnrt':
        emit(cursor.take(2))
        return
    if pair[1] == "u":
        six = yield from cursor.peek(6)
        if len(six) < 6 and _HEX4.fullmatch(six[2:].ljust(4, "0")):
            raise TextEnded
        if _HEX4.fullmatch(six[2:]):
            yield from _read_code_unit(cursor, six[2:], emit, repairs)
            return
    repairs.add("invalid_escape")
    cursor.take(1)
    emit("" if pair[1] == "'" else "\\\\")


def _read_code_unit(cursor: Cursor, digits: str, emit: Emit, repairs: set[str]) -> Reading[None]:
    """Read a `\\u` escape, or two that are one character together; half of such a pair alone is no text."""
    if not _SURROGATE.fullmatch(digits):
        emit(cursor.take(6))
    elif _PAIR.fullmatch((yield from cursor.peek(12))):
        emit(cursor.take(12))
    else:
        cursor.take(6)
        repairs.add("lone_surrogate")
        emit("\\ufffd")


def read_value(cursor: Cursor, emit: Emit, repairs: set[str]) -> Reading[None]:
    """Read one JSON value, from its first character to its last; emits it as strict JSON."""
    closers: list[str] = []  # what closes each container that is open
    expect_key = False
    while True:
        yield from _copy_space(cursor, emit)
        if expect_key:
            yield from read_string(cursor, emit, repairs)
            yield from _copy_space(cursor, emit)
            yield from _copy(cursor, ":", emit)
            yield from _copy_space(cursor, emit)
        first = cursor.buffer[cursor.position]
        if first in "{[":
            emit(cursor.take(1))
            if len(closers) == MAX_DEPTH:
                raise Malformed(f"values are nested deeper than {MAX_DEPTH}")
            closers.append("}" if first == "{" else "]")
            yield from _copy_space(cursor, emit)
            expect_key = first == "{"
            if cursor.buffer[cursor.position] != closers[-1]:
                continue
        elif first == '"':
            yield from read_string(cursor, emit, repairs)
        else:
            yield from _read_scalar(cursor, emit)
        while closers:
            yield from _copy_space(cursor, emit)
            if cursor.buffer[cursor.position] != closers[-1]:
                break
            emit(cursor.take(1))
            closers.pop()
        if not closers:
            return
        yield from _copy(cursor, ",", emit)
        expect_key = closers[-1] == "}"


def _copy_space(cursor: Cursor, emit: Emit) -> Reading[None]:
    """Emit white space up to the next character, which is then at hand."""
    while True:
        space = _SPACE.match(cursor.buffer, cursor.position)
        if space is not None and space.end() > cursor.position:
            emit(cursor.take(space.end() - cursor.position))
        if cursor.available:
            return
        yield from cursor.more()


def _copy(cursor: Cursor, wanted: str, emit: Emit) -> Reading[None]:
    found = yield from cursor.peek(1)
    if not found:
        raise TextEnded
    if found != wanted:
        raise Malformed(f"expected {wanted!r}, found {found!r}")
    emit(cursor.take(1))


def _read_scalar(cursor: Cursor, emit: Emit) -> Reading[None]:
    first = cursor.buffer[cursor.position]
    word = _LITERALS.get(first)
    if word is not None:
        if not (yield from cursor.looking_at(word)):
            if cursor.ends_inside(word):
                raise TextEnded
            raise Malformed(f"a value that begins with {first!r} must be {word!r}")
        emit(cursor.take(len(word)))
        return
    if first not in "-0123456789":
        raise Malformed(f"a value can't begin with {first!r}")
    while True:
        end = _NUMBER_END.search(cursor.buffer, cursor.position, cursor.position + MAX_NUMBER_LENGTH + 1)
        if end is not None:
            break
        if cursor.available > MAX_NUMBER_LENGTH:
            raise Malformed(f"a number is longer than {MAX_NUMBER_LENGTH} characters")
        yield from cursor.more()
    number = cursor.buffer[cursor.position : end.start()]
    if not _NUMBER.fullmatch(number):
        raise Malformed(f"{number[:40]!r} is no JSON number")
    emit(cursor.take(len(number)))


def mend_value(text: str, repairs: set[str]) -> str:
    """The strict JSON text of the one value that `text` holds; Malformed if it holds anything else."""
    cursor = Cursor()
    cursor.extend(f"{text} ")  # a number ends only where something stands behind it
    cursor.ended = True
    pieces: list[str] = []
    try:
        for _ in read_value(cursor, pieces.append, repairs):
            pass
    except TextEnded:
        raise Malformed("the value is not complete") from None
    if rest := cursor.take(cursor.available).strip():
        raise Malformed(f"{rest[:20]!r} stands behind the value")
    return "".join(pieces)


def load_value(text: str) -> Any:
    """Decode the text of one JSON value; Malformed on anything else, on repeated keys and on what is no number."""
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from error


def load_object(text: str) -> dict[str, Any]:
    """Decode the JSON text of a call's arguments, which must be an object."""
    value = load_value(text)
    if not isinstance(value, dict):
        raise Malformed(f"the arguments must be a JSON object, not {type(value).__name__}")
    return cast("dict[str, Any]", value)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise Malformed(f"the key {name!r} is given twice")
            seen.add(name)
    return members


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise Malformed(f"{number[:40]} is too large for a number")
    return value


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is no JSON value")
