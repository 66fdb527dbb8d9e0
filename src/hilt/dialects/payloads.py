"""How each kind of payload is read: whether one begins here, and what it says, piece by piece."""

import re
from collections.abc import Collection
from json.encoder import encode_basestring  # pyright: ignore[reportUnknownVariableType]
from typing import Any, Protocol, cast

from hilt.dialects.cursor import Cursor, Reading, TextEnded, find, follows, literals
from hilt.dialects.declared import Declared, coerce, declared
from hilt.dialects.json_reading import Malformed, load_object, load_value, read_string, read_value
from hilt.dialects.spec import Dialect, JsonCall, TaggedCall

CONFIRM_LENGTH = 64
MAX_NAME_LENGTH = 256

_FENCE = re.compile(r"```[a-zA-Z]*")
_NAMED_OBJECTS = tuple(
    prefix + key
    for prefix in ("{", '{"type":"function",', '{"type":"function","function":{')
    for key in ('"name":"', '"function":"')
)
_SPACE_RUN = re.compile(r"\s+")
_NAME = re.compile(r"[^\s<>{}\[\]\"'`,;]+")


class CallSink(Protocol):
    """Where a payload puts what it reads. Pieces of the arguments concatenate to JSON."""

    repairs: set[str]

    def named(self, name: str) -> None:
        """The tool's name is known."""
        ...

    def arguments(self, piece: str) -> None:
        """A piece of the arguments has been read."""
        ...

    def parameters(self) -> dict[str, Any] | None:
        """The JSON Schema of the named tool's arguments, if the tool is known."""
        ...


# Confirmation: is this mark the beginning of a call, or a word in a sentence?


def confirm_marked(cursor: Cursor, dialect: Dialect) -> Reading[bool]:
    """Whether a call follows the opening mark just read; consumes nothing and looks at most 64 characters ahead."""
    while True:
        ahead = cursor.buffer[cursor.position : cursor.position + CONFIRM_LENGTH]
        verdict = _confirm(ahead, dialect)
        if verdict is None and (cursor.ended or len(ahead) == CONFIRM_LENGTH):
            return False
        if verdict is not None:
            return verdict
        yield


def _confirm(ahead: str, dialect: Dialect) -> bool | None:
    body = ahead.lstrip(" \t\r\n")
    match dialect.payload:
        case JsonCall():
            if body.startswith("`"):
                fence = _FENCE.match(body)
                if fence is None:
                    return None if "```".startswith(body) else False
                if fence.end() == len(body):
                    return None
                body = body[fence.end() :].lstrip(" \t\r\n")
            return None if not body else body.startswith("{")
        case TaggedCall(function, _, _):
            if body.startswith(function.open):
                return True
            return None if function.open.startswith(body) else False


def confirm_bare_json(cursor: Cursor, names: Collection[str] | None) -> Reading[bool]:
    """Whether the object that begins here names a tool (one of `names`, if they are known)."""
    while True:
        ahead = cursor.buffer[cursor.position : cursor.position + CONFIRM_LENGTH + MAX_NAME_LENGTH]
        verdict = _confirm_named_object(_SPACE_RUN.sub("", ahead), names)
        if verdict is not None:
            return verdict
        if cursor.ended or len(ahead) == CONFIRM_LENGTH + MAX_NAME_LENGTH:
            return False
        yield


def _confirm_named_object(ahead: str, names: Collection[str] | None) -> bool | None:
    undecided = False
    for beginning in _NAMED_OBJECTS:
        if ahead.startswith(beginning):
            name, end, _ = ahead[len(beginning) :].partition('"')
            if end:
                return bool(name) if names is None else name in names
            return None if names is None or any(n.startswith(name) for n in names) else False
        undecided = undecided or beginning.startswith(ahead)
    return None if undecided else False


def confirm_bare_tag(cursor: Cursor, payload: TaggedCall) -> Reading[bool]:
    """Whether a tool's name and the end of the header follow the header's opening, just read."""
    while True:
        ahead = cursor.buffer[cursor.position : cursor.position + CONFIRM_LENGTH]
        name, end, _ = ahead.partition(payload.header_end)
        if end:
            return _NAME.fullmatch(name) is not None
        if cursor.ended or len(ahead) == CONFIRM_LENGTH or (ahead and not _NAME.fullmatch(ahead)):
            return False
        yield


# Reading: what does the call say?


def read_json_call(cursor: Cursor, payload: JsonCall, sink: CallSink) -> Reading[None]:
    """Read a JSON object that names a tool, with or without a code fence before it."""
    yield from cursor.skip_space()
    if (yield from cursor.looking_at("```")):
        sink.repairs.add("code_fence")
        cursor.take(3)
        while (yield from cursor.peek(1)).isalpha():
            cursor.take(1)
        yield from cursor.skip_space()
    has_arguments = yield from _read_call_object(cursor, payload, sink)
    if not has_arguments:
        sink.arguments("{}")


def _read_call_object(cursor: Cursor, payload: JsonCall, sink: CallSink) -> Reading[bool]:
    """Read the members of a call's object; says whether arguments were among them."""
    yield from _expect(cursor, "{")
    has_arguments = False
    first = True
    while True:
        yield from cursor.skip_space()
        if (yield from cursor.looking_at("}")):
            cursor.take(1)
            return has_arguments
        if not first:
            yield from _expect(cursor, ",")
            yield from cursor.skip_space()
        first = False
        key = yield from _read_text(cursor, sink.repairs)
        yield from cursor.skip_space()
        yield from _expect(cursor, ":")
        yield from cursor.skip_space()
        ahead = yield from cursor.peek(1)
        if key in payload.name_keys and ahead == '"':
            if key != payload.name_keys[0]:
                sink.repairs.add("name_key")
            sink.named((yield from _read_text(cursor, sink.repairs)))
        elif key in payload.name_keys and ahead == "{":
            sink.repairs.add("nested_call")
            has_arguments = (yield from _read_call_object(cursor, payload, sink)) or has_arguments
        elif key in payload.argument_keys:
            if has_arguments:
                raise Malformed("the arguments are given twice")
            has_arguments = True
            if key != payload.argument_keys[0]:
                sink.repairs.add("arguments_key")
            yield from _read_arguments(cursor, sink)
        else:
            yield from read_value(cursor, _ignore, sink.repairs)


def _read_arguments(cursor: Cursor, sink: CallSink) -> Reading[None]:
    ahead = yield from cursor.peek(1)
    if ahead == '"':
        sink.repairs.add("string_arguments")
        text = yield from _read_text(cursor, sink.repairs)
        if text.strip():
            load_object(text)
        sink.arguments(text.strip() or "{}")
    elif ahead == "n":
        sink.repairs.add("null_arguments")
        yield from read_value(cursor, _ignore, sink.repairs)
        sink.arguments("{}")
    elif ahead == "{" or not ahead:
        yield from read_value(cursor, sink.arguments, sink.repairs)
    else:
        raise Malformed(f"the arguments must be a JSON object, but they begin with {ahead!r}")


def read_tagged_call(cursor: Cursor, dialect: Dialect, payload: TaggedCall, sink: CallSink) -> Reading[None]:
    """Read a tagged call from behind its `function.open` to the end of its function element."""
    sink.named((yield from _read_header(cursor, payload)))
    schema = sink.parameters()
    given: set[str] = set()
    sink.arguments("{")
    while True:
        yield from cursor.skip_space()
        if (yield from cursor.looking_at(payload.parameter.open)):
            cursor.take(len(payload.parameter.open))
            key = yield from _read_header(cursor, payload)
            if key in given:
                raise Malformed(f"the parameter {key!r} is given twice")
            sink.arguments(f"{', ' if given else ''}{encode_basestring(key)}: ")
            given.add(key)
            yield from _read_parameter(cursor, dialect, payload, declared(schema, key), given, schema, sink)
        elif (yield from cursor.looking_at(payload.parameter.close)):
            sink.repairs.add("doubled_closer")
            cursor.take(len(payload.parameter.close))
        elif (yield from cursor.looking_at(payload.function.close)):
            cursor.take(len(payload.function.close))
            break
        elif dialect.call.close and (yield from cursor.looking_at(dialect.call.close)):
            sink.repairs.add("missing_function_closer")
            break
        elif not cursor.available:
            raise TextEnded
        else:
            raise Malformed(f"text outside of a parameter: {cursor.buffer[cursor.position : cursor.position + 20]!r}")
    sink.arguments("}")


def _read_header(cursor: Cursor, payload: TaggedCall) -> Reading[str]:
    ahead = ""
    while payload.header_end not in ahead:
        if cursor.ended and len(ahead) == cursor.available:
            raise TextEnded
        if len(ahead) >= MAX_NAME_LENGTH:
            raise Malformed(f"a name is longer than {MAX_NAME_LENGTH} characters or has no {payload.header_end!r}")
        ahead = yield from cursor.peek(min(MAX_NAME_LENGTH, cursor.available + 1))
    name = cursor.take(ahead.index(payload.header_end))
    cursor.take(len(payload.header_end))
    return name.strip().strip("\"'")


def _read_parameter(
    cursor: Cursor,
    dialect: Dialect,
    payload: TaggedCall,
    type_: Declared,
    given: set[str],
    schema: dict[str, Any] | None,
    sink: CallSink,
) -> Reading[None]:
    """Read one value up to its closing tag. A declared string leaves as it arrives; anything else when it is whole.

    One line break behind the opening tag and one before the closing tag are framing.
    """
    marks = literals((payload.parameter.close, payload.function.close, payload.parameter.open))
    held_break = False
    collected: list[str] = []

    def put(text: str) -> None:
        nonlocal held_break
        if not text:
            return
        text = ("\n" if held_break else "") + text
        held_break = text.endswith("\n")
        text = text[:-1] if held_break else text
        if type_.streams:
            sink.arguments(encode_basestring(text)[1:-1])
        else:
            collected.append(text)

    if type_.streams:
        sink.arguments('"')
    if (yield from cursor.looking_at("\n")):
        cursor.take(1)
    while True:
        free, mark = find(cursor, marks)
        put(cursor.take(free))
        if mark is None:
            yield from cursor.more()
        elif (yield from _ends_value(cursor, dialect, payload, mark, given, schema)):
            break
        else:
            put(cursor.take(len(mark)))
    if mark == payload.parameter.close:
        cursor.take(len(mark))
    else:
        sink.repairs.add("unclosed_parameter")
    sink.arguments('"' if type_.streams else coerce("".join(collected), type_))


def _ends_value(
    cursor: Cursor, dialect: Dialect, payload: TaggedCall, mark: str, given: set[str], schema: dict[str, Any] | None
) -> Reading[bool]:
    """Whether the tag ahead ends the value, or is text inside it: what stands behind the tag decides."""
    if mark == payload.parameter.open:
        return (yield from _opens_another(cursor, payload, given, schema))
    behind = (payload.function.open, *filter(None, (dialect.call.close, dialect.call.open)))
    if mark == payload.parameter.close:
        behind = (payload.parameter.open, payload.function.close, payload.parameter.close, *behind)
    while True:
        ahead = cursor.buffer[cursor.position + len(mark) : cursor.position + len(mark) + CONFIRM_LENGTH]
        verdict = follows(ahead, CONFIRM_LENGTH // 2, behind, cursor.ended)
        if verdict is not None:
            return verdict
        yield


def _opens_another(
    cursor: Cursor, payload: TaggedCall, given: set[str], schema: dict[str, Any] | None
) -> Reading[bool]:
    """Whether the parameter tag ahead opens a declared parameter that has no value yet."""
    properties = cast("dict[str, Any]", (schema or {}).get("properties") or {})
    start = len(payload.parameter.open)
    while True:
        ahead = cursor.buffer[cursor.position + start : cursor.position + start + CONFIRM_LENGTH]
        name, end, _ = ahead.partition(payload.header_end)
        if end:
            return name in properties and name not in given
        if cursor.ended or len(ahead) == CONFIRM_LENGTH or not any(p.startswith(ahead) for p in properties):
            return False
        yield


def _expect(cursor: Cursor, wanted: str) -> Reading[None]:
    found = yield from cursor.peek(1)
    if not found:
        raise TextEnded
    if found != wanted:
        raise Malformed(f"expected {wanted!r}, found {found!r}")
    cursor.take(1)


def _read_text(cursor: Cursor, repairs: set[str]) -> Reading[str]:
    """Read a JSON string and decode it."""
    pieces: list[str] = []
    yield from read_string(cursor, pieces.append, repairs)
    return cast(str, load_value("".join(pieces)))


def _ignore(piece: str) -> None:
    del piece
