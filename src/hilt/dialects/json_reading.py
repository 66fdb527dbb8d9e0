"""JSON read as it arrives: each piece leaves as soon as nothing later can change it, and it leaves as strict JSON.

A value ends where JSON says that it ends, never at something that looks like a closing mark inside a string. Control
characters and unknown escapes in strings, which models write and JSON forbids, are mended and named in `repairs`;
anything else that JSON forbids is `Malformed`.
"""

import json
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
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_SPACE_CHARACTERS = " \t\r\n"

Emit = Callable[[str], None]


class Malformed(Exception):
    """The text can't be read as a call; the message says why."""


def read_string(cursor: Cursor, emit: Emit, repairs: set[str]) -> Reading[None]:
    """Read a JSON string from its opening quote; emits it, quotes included, as strict JSON."""
    if not (yield from cursor.looking_at('"')):
        if cursor.ended and not cursor.available:
            raise TextEnded
        raise Malformed(f"expected a string, found {cursor.buffer[cursor.position : cursor.position + 20]!r}")
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
            emit(cursor.take(6))
            return
    repairs.add("invalid_escape")
    cursor.take(1)
    emit("" if pair[1] == "'" else "\\\\")


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
        if not cursor.available:
            yield from cursor.more()
        elif cursor.buffer[cursor.position] in _SPACE_CHARACTERS:
            emit(cursor.take(1))
        else:
            return


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
            if cursor.ended and word.startswith(cursor.buffer[cursor.position :]):
                raise TextEnded
            raise Malformed(f"{cursor.buffer[cursor.position : cursor.position + 20]!r} is no JSON value")
        emit(cursor.take(len(word)))
        return
    if first not in "-0123456789":
        raise Malformed(f"a value can't begin with {first!r}")
    while (end := _NUMBER_END.search(cursor.buffer, cursor.position)) is None:
        if cursor.available > MAX_NUMBER_LENGTH:
            raise Malformed(f"a number is longer than {MAX_NUMBER_LENGTH} characters")
        yield from cursor.more()
    number = cursor.buffer[cursor.position : end.start()]
    if len(number) > MAX_NUMBER_LENGTH or not _NUMBER.fullmatch(number):
        raise Malformed(f"{number[:40]!r} is no JSON number")
    emit(cursor.take(len(number)))


def load_value(text: str) -> Any:
    """Decode the text of one JSON value; Malformed on anything else, on repeated keys and on NaN."""
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)
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


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is no JSON value")
