"""Calls written as a model of a given dialect writes them."""

import json
from collections.abc import Sequence
from typing import Any

from hilt.conversation import Call
from hilt.dialects.json_reading import load_object
from hilt.dialects.spec import Dialect, JsonCall, TaggedCall


def render(dialect: Dialect, calls: Sequence[Call]) -> str:
    """The text of these calls, their arguments as they were written where the dialect writes JSON.

    Reading it back gives the same calls, except that a tagged dialect can't hold a string that contains its own
    closing tags in sequence.

    Raises Malformed if a call's arguments are no JSON object.
    """
    open_, close, gap = dialect.call.open, dialect.call.close, dialect.gap
    between = "\n" if dialect.separator is None else f"{dialect.separator} "
    if dialect.separator is not None:
        return f"{open_}{gap}{between.join(_payload(dialect, c) for c in calls)}{close}" if calls else ""
    return between.join(f"{open_}{gap}{_payload(dialect, c)}{gap}{close}" for c in calls)


def _payload(dialect: Dialect, call: Call) -> str:
    arguments = load_object(call.arguments)
    match dialect.payload:
        case JsonCall(name_keys, argument_keys):
            name = json.dumps(call.name, ensure_ascii=False)
            return f'{{"{name_keys[0]}": {name}, "{argument_keys[0]}": {call.arguments}}}'
        case TaggedCall(function, parameter, header_end):
            lines = [f"{function.open}{call.name}{header_end}"]
            for key, value in arguments.items():
                lines += [f"{parameter.open}{key}{header_end}", _plain(value), parameter.close]
            return "\n".join([*lines, function.close])


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
