"""How each kind of payload is read: whether one begins here, and what it says, piece by piece."""

import re
from collections.abc import Callable, Collection
from json.encoder import encode_basestring  # pyright: ignore[reportUnknownVariableType]
from typing import Any, Protocol, cast

from hilt.dialects.cursor import Cursor, Reading, TextEnded, find, follows, literals
from hilt.dialects.declared import Declared, coerce, declared
from hilt.dialects.json_reading import Malformed, load_value, mend_value, read_string, read_value
from hilt.dialects.spec import Dialect, JsonCall, TaggedCall

CONFIRM_LENGTH = 64
MAX_NAME_LENGTH = 256

_FENCE = re.compile(r"```[a-zA-Z]*")
_NAMED_OBJECTS = tuple(
    prefix + key
    for prefix in ("{", '{"type":"function",', '{"type":"function","function":{')
    for key in ('"name":"', '"function":"')
)
_MEMBERS = ('"', "'", "}", "{")  # what stands behind the brace of an object, even of a badly written one
_SPACE_RUN = re.compile(r"[ \t\r\n]+")
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


# Confirmation: is this mark the beginning of a call, or a word in a sentence? None means that the reply ended before
# that could be known. Nothing is consumed.


def _confirm(cursor: Cursor, limit: int, judge: Callable[[str], bool | None]) -> Reading[bool | None]:
    """What `judge` says of the text ahead as soon as it can tell; False if `limit` characters don't suffice."""
    while True:
        ahead = cursor.buffer[cursor.position : cursor.position + limit]
        verdict = judge(ahead)
        if verdict is not None or cursor.ended:
            return verdict
        if len(ahead) == limit:
            return False
        yield


def confirm_marked(cursor: Cursor, dialect: Dialect) -> Reading[bool | None]:
    """Whether a call follows the opening mark just read; looks at most 64 characters ahead."""
    return (yield from _confirm(cursor, CONFIRM_LENGTH, lambda ahead: _begins_payload(ahead, dialect)))


def _begins_payload(ahead: str, dialect: Dialect) -> bool | None:
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
            if not body.startswith("{"):
                return False if body else None
            return follows(body[1:], CONFIRM_LENGTH, _MEMBERS)
        case TaggedCall(function, _, _):
            if body.startswith(function.open):
                return True
            return None if function.open.startswith(body) else False


def confirm_bare_json(cursor: Cursor, payload: JsonCall, names: Collection[str] | None) -> Reading[bool | None]:
    """Whether the object that begins here is a call: it names one of the tools, or a tool and then its arguments."""
    limit = CONFIRM_LENGTH + MAX_NAME_LENGTH
    return (yield from _confirm(cursor, limit, lambda ahead: _begins_named_object(ahead, payload, names)))


def _begins_named_object(ahead: str, payload: JsonCall, names: Collection[str] | None) -> bool | None:
    ahead = _SPACE_RUN.sub("", ahead)
    for beginning in _NAMED_OBJECTS:
        if ahead.startswith(beginning):
            name, end, rest = ahead[len(beginning) :].partition('"')
            if not end:
                return None
            if names is None or name in names:
                return bool(name)
            return follows(rest, 0, [f',"{key}":{{' for key in payload.argument_keys])
    return None if any(beginning.startswith(ahead) for beginning in _NAMED_OBJECTS) else False


def confirm_bare_tag(cursor: Cursor, payload: TaggedCall) -> Reading[bool | None]:
    """Whether the header's opening, just read, begins a call: a name, the header's end, then a parameter or the end."""
    return (yield from _confirm(cursor, 2 * CONFIRM_LENGTH, lambda ahead: _begins_tagged_call(ahead, payload)))


def _begins_tagged_call(ahead: str, payload: TaggedCall) -> bool | None:
    name, end, rest = ahead.partition(payload.header_end)
    if len(name) > CONFIRM_LENGTH or (name and not _NAME.fullmatch(name)):
        return False
    if not end:
        return None
    inside = (payload.parameter.open, payload.function.close)
    return bool(name) and follows(rest, CONFIRM_LENGTH // 2, inside)


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
    elif cursor.ends_inside("```"):
        raise TextEnded
    has_arguments = yield from _read_call_object(cursor, payload, sink, nested=False)
    if not has_arguments:
        sink.arguments("{}")


def _read_call_object(cursor: Cursor, payload: JsonCall, sink: CallSink, *, nested: bool) -> Reading[bool]:
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
        elif key in payload.name_keys and ahead == "{" and not nested:
            sink.repairs.add("nested_call")
            has_arguments = (yield from _read_call_object(cursor, payload, sink, nested=True)) or has_arguments
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
        sink.arguments(mend_value(text, sink.repairs) if text.strip() else "{}")
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
    expected = (payload.parameter.open, payload.parameter.close, payload.function.close, dialect.call.close)
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
        elif cursor.ends_inside(*expected):
            raise TextEnded
        else:
            raise Malformed(f"text that begins with {cursor.buffer[cursor.position]!r} stands outside of a parameter")
    sink.arguments("}")


def _read_header(cursor: Cursor, payload: TaggedCall) -> Reading[str]:
    while True:
        ahead = cursor.buffer[cursor.position : cursor.position + MAX_NAME_LENGTH]
        name, end, _ = ahead.partition(payload.header_end)
        if end:
            break
        if len(ahead) == MAX_NAME_LENGTH:
            raise Malformed(f"a name is longer than {MAX_NAME_LENGTH} characters or has no {payload.header_end!r}")
        yield from cursor.more()
    if "<" in name or "\n" in name:
        raise Malformed(f"a name has no {payload.header_end!r} behind it")
    cursor.take(len(name) + len(end))
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
    sink.arguments('"' if type_.streams else coerce("".join(collected), type_, sink.repairs))


def _ends_value(
    cursor: Cursor, dialect: Dialect, payload: TaggedCall, mark: str, given: set[str], schema: dict[str, Any] | None
) -> Reading[bool]:
    """Whether the tag ahead ends the value, or is text inside it: what stands behind the tag decides.

    Where the text ends behind it, only the parameter's own closing tag does, because a value that was cut off must not
    pass for a whole one.
    """
    if mark == payload.parameter.open:
        return (yield from _opens_another(cursor, payload, given, schema))
    behind = (payload.function.open, *filter(None, (dialect.call.close, dialect.call.open)))
    if mark == payload.parameter.close:
        behind = (payload.parameter.open, payload.function.close, payload.parameter.close, *behind)
    while True:
        ahead = cursor.buffer[cursor.position + len(mark) : cursor.position + len(mark) + CONFIRM_LENGTH]
        verdict = follows(ahead, CONFIRM_LENGTH // 2, behind)
        if verdict is not None or cursor.ended:
            return mark == payload.parameter.close if verdict is None else verdict
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
