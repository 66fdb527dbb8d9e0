"""Calls written as a header that names the tool, and its arguments as JSON behind it."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from hilt.conversation import Call, ToolSpec
from hilt.dialects.confirming import MAX_NAME_LENGTH, SPACE, Verdict, follows, name_ahead
from hilt.dialects.cursor import LOOK_AHEAD, Cursor, Reading, TextEnded, literals, standing
from hilt.dialects.json_call import read_arguments
from hilt.dialects.open_call import OpenCall
from hilt.dialects.spec import HeadedJson
from hilt.dialects.strict_json import Malformed, load_object
from hilt.dialects.values import read_value

MAX_CONFIRMED_NAME = 40  # with a prefix before it, within the look-ahead

_ARGUMENTS = re.compile(r"[{\[\"'`<]|null\b|None\b")
_COUNTER = re.compile(r"[:_.]?[0-9]+$")
_BEHIND_HEADER = "{[`\"'nN<"  # with which arguments begin, even bad ones, or a mark behind none
_FENCE = "```"


def begins_headed(ahead: str, payload: HeadedJson) -> Verdict:
    """Whether a name and what stands behind it in this payload begin here, behind an opening mark."""
    body = _behind_prefix(ahead, payload)
    if body is None:
        return None
    name, rest = name_ahead(ahead if body is ahead else body.lstrip(SPACE))
    if len(name) >= MAX_CONFIRMED_NAME:
        return True
    if not rest:
        return None
    if not name:
        return False
    end, behind = payload.end.strip(SPACE), rest.lstrip(SPACE)
    if end and behind.startswith(end):
        arguments = behind[len(end) :].lstrip(SPACE)
        if len(ahead) - len(arguments) >= LOOK_AHEAD:
            return True
        return arguments[0] in _BEHIND_HEADER if arguments else None
    return follows(rest, [m for m in (end, payload.id_mark, "{", _FENCE) if m])


def fits_headed(ahead: str, payload: HeadedJson) -> Verdict:
    """Whether a call begins here just as this payload is written: the prefix, a name, its end, and arguments."""
    body = _behind_prefix(ahead, payload)
    if body is None:
        return None
    if payload.prefix and body is ahead:
        return False
    name, rest = name_ahead(body.lstrip(SPACE))
    if not rest:
        return None
    if not name:
        return False
    end = payload.end.strip(SPACE)
    behind = rest.lstrip(SPACE)
    if payload.id_mark and (marked := follows(rest, [payload.id_mark])) is not False:
        return marked
    if end and not behind.startswith(end):
        return None if end.startswith(behind) else False
    if not end and behind == rest:
        return rest[0] == "<"
    behind = behind.removeprefix(end).lstrip(SPACE)
    if any(word.startswith(behind) for word in ("null", "None")):
        return None
    return _ARGUMENTS.match(behind) is not None


def heads(payload: object, text: str) -> bool:
    """Whether `text` is a whole header, so that a reply which ends here has named a tool."""
    return isinstance(payload, HeadedJson) and payload.end.strip(SPACE) != "" and payload.end.strip(SPACE) in text


def goes_on_headed(ahead: str, payload: HeadedJson, names: Collection[str] | None) -> Verdict:
    """Whether a tool's name and the mark behind it stand right here, behind another call and without a mark."""
    end = payload.end.strip(SPACE)
    name, rest = name_ahead(ahead.lstrip(SPACE))
    if not end or payload.open or payload.prefix or (ahead and not name and rest):
        return False
    if rest:
        return (names is None or name in names) and follows(rest, [end, *filter(None, (payload.id_mark,))])
    return None if names is None or any(n.startswith(name) for n in names) else False


def _behind_prefix(ahead: str, payload: HeadedJson) -> str | None:
    """`ahead` without the prefix, or itself where none stands; None while that is open."""
    if payload.prefix and payload.prefix.startswith(ahead):
        return None
    return ahead[len(payload.prefix) :] if payload.prefix and ahead.startswith(payload.prefix) else ahead


def read_headed_json(cursor: Cursor, payload: HeadedJson, call: OpenCall, outer: Sequence[str]) -> Reading[None]:
    """Read from behind `payload.open` to the end of the arguments, which may be missing before a mark of `outer`."""
    yield from cursor.skip_space()
    yield from _read_prefix(cursor, payload, call)
    header = yield from _read_header(cursor, payload)
    marked = payload.end.strip(SPACE)
    yield from cursor.skip_space()
    if payload.id_mark and (yield from cursor.looking_at(payload.id_mark)):
        cursor.take(len(payload.id_mark))
        yield from cursor.skip_space()
        call.identified((yield from _read_header(cursor, payload)))
        yield from cursor.skip_space()
    if marked:
        if (yield from cursor.looking_at(marked)):
            cursor.take(len(marked))
        elif cursor.ends_inside(marked):
            raise TextEnded
        elif (yield from cursor.peek(1)) in ("{", "`"):
            call.repairs.add("missing_header_end")
        else:
            raise Malformed(f"no {marked!r} stands behind the name {header[:40]!r}")
    if payload.id_is_header:
        yield from _read_identified(cursor, payload, header, call, outer)
    else:
        call.named(header)
        yield from read_behind_header(cursor, payload, call, outer)


def _read_prefix(cursor: Cursor, payload: HeadedJson, call: OpenCall) -> Reading[None]:
    if not payload.prefix:
        return
    if (yield from cursor.looking_at(payload.prefix)):
        cursor.take(len(payload.prefix))
        yield from cursor.skip_space()
    elif cursor.ends_inside(payload.prefix):
        raise TextEnded
    else:
        call.repairs.add("missing_prefix")


def _read_header(cursor: Cursor, payload: HeadedJson) -> Reading[str]:
    """Read a name or an id, which ends where something stands that no name holds."""
    ends = _header_ends(payload)
    while True:
        end = ends.search(cursor.buffer, cursor.position, cursor.position + MAX_NAME_LENGTH + 1)
        if end is not None:
            break
        if cursor.available > MAX_NAME_LENGTH:
            raise Malformed(f"a name is longer than {MAX_NAME_LENGTH} characters")
        yield from cursor.more()
    return cursor.take(end.start() - cursor.position)


@lru_cache(maxsize=64)
def _header_ends(payload: HeadedJson) -> re.Pattern[str]:
    marks = [re.escape(mark) for mark in (payload.end.strip(SPACE), payload.id_mark) if mark]
    return re.compile("|".join([r"[\s{\[<|\"']", *marks]))


def read_behind_header(cursor: Cursor, payload: HeadedJson, call: OpenCall, outer: Sequence[str]) -> Reading[None]:
    """Read the arguments, with or without a code fence, or none at all before the closing mark."""
    yield from cursor.skip_space()
    fenced = yield from cursor.looking_at(_FENCE)
    if not fenced and cursor.ends_inside(_FENCE):
        raise TextEnded
    if fenced:
        cursor.take(len(_FENCE))
        while (yield from cursor.peek(1)).isalpha():
            cursor.take(1)
        yield from cursor.skip_space()
    if fenced != payload.fence:
        call.repairs.add("missing_fence" if payload.fence else "code_fence")
    marks = (*outer, _FENCE) if fenced else outer
    if (yield from standing(cursor, literals(tuple(marks)))) is None:
        yield from read_arguments(cursor, call)
    if fenced:
        yield from cursor.skip_space()
        if (yield from cursor.looking_at(_FENCE)) or cursor.ends_inside(_FENCE):
            cursor.take(len(_FENCE))


def _read_identified(
    cursor: Cursor, payload: HeadedJson, header: str, call: OpenCall, outer: Sequence[str]
) -> Reading[None]:
    """Read the arguments of a call whose header is its id, and find out which tool that is.

    Where the header doesn't say, the arguments do: they name the tool, or fit only one.
    """
    call.identified(header)
    name = tool_in_id(header, call.tools)
    if name is not None:
        if not re.fullmatch(r"functions\.[^\s]+:[0-9]+", header):
            call.repairs.add("id_form")
        call.named(name)
        yield from read_behind_header(cursor, payload, call, outer)
        return
    pieces: list[str] = []
    yield from cursor.skip_space()
    yield from read_value(cursor, pieces.append, call.repairs)
    arguments = load_object("".join(pieces))
    call.repairs.add("inferred_name")
    named = arguments.get("name")
    if isinstance(named, str) and call.tools is not None and named in call.tools:
        del arguments["name"]
        call.named(named)
        inner = arguments.get("arguments")
        whole = len(arguments) == 1 and isinstance(inner, dict)
        call.arguments(json.dumps(inner if whole else arguments, ensure_ascii=False))
        return
    fitting = [t.name for t in (call.tools or {}).values() if _fits(t.parameters, arguments)]
    if len(fitting) != 1:
        raise Malformed(f"the id {header[:60]!r} names no tool, and the arguments fit {len(fitting)} of the tools")
    call.named(fitting[0])
    for piece in pieces:
        call.arguments(piece)


def tool_in_id(header: str, tools: Mapping[str, ToolSpec] | None) -> str | None:
    """The tool that an id of the form `functions.f:0` names, in any of the forms in which models write it.

    A form that is well written names a tool even if none is known by that name.
    """
    well_formed = re.fullmatch(r"functions\.([^\s:]+):[0-9]+", header)
    candidates = [header, header.removeprefix("functions.")]
    stem = _COUNTER.sub("", header)
    for start in ("functions.", "functions_", "functions", ""):
        if stem.startswith(start) and len(stem) > len(start):
            candidates.append(stem[len(start) :])
    candidates += [c.rpartition(".")[2] for c in list(candidates)]
    if tools is not None:
        known = next((c for c in candidates if c in tools), None)
        if known is not None:
            return known
    if well_formed:
        return well_formed[1]
    bare = re.fullmatch(r"([A-Za-z_][^\s:]*):[0-9]+", header)
    if bare:
        return bare[1].rpartition("functions.")[2] or None
    return None if tools is not None or re.fullmatch(r"[0-9]+|call_.*", header) else stem.removeprefix("functions.")


def _fits(schema: dict[str, Any], arguments: Mapping[str, Any]) -> bool:
    properties = cast("dict[str, Any]", schema.get("properties") or {})
    required = cast("Collection[str]", schema.get("required") or ())
    return arguments.keys() <= properties.keys() and set(required) <= arguments.keys()


def write_headed_json(payload: HeadedJson, call: Call, index: int) -> str:
    """The header and the arguments as they were written; `index` counts the calls for those whose id is the header."""
    name = call.name
    if payload.id_is_header:
        name = call.id if tool_in_id(call.id, None) == call.name and ":" in call.id else f"functions.{name}:{index}"
    id_ = f"{payload.id_mark}{call.id}" if payload.id_mark else ""
    arguments = f"{_FENCE}json\n{call.arguments}\n{_FENCE}" if payload.fence else call.arguments
    return f"{payload.open}{payload.prefix}{name}{id_}{payload.end}{arguments}{payload.close}"
