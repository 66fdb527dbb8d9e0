"""Tool sets for measurements: varied schemas of about six properties, the same for the same number, and a plain grammar
of calls to them."""

import random
from typing import Any

from hilt.conversation import ToolSpec

_NOUNS = ("city", "order", "file", "event", "user", "report", "route", "price", "ticket", "sensor", "photo", "invoice")
_VERBS = ("find", "create", "update", "delete", "list", "send", "book", "measure", "convert", "compare")
_FORMATS = ("date", "date-time", "email", "uuid")


def made_tools(count: int) -> list[ToolSpec]:
    """`count` tools with different names."""
    return [_tool(number) for number in range(count)]


def _tool(number: int) -> ToolSpec:
    choice = random.Random(number)
    name = f"{_VERBS[number % 10]}_{_NOUNS[number // 10 % 12]}_{number}"
    names = choice.sample(_NOUNS, 6)
    properties = {f"{prop}_{choice.choice(('id', 'name', 'count', 'kind'))}": _property(choice) for prop in names}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties)[: choice.randrange(1, 5)],
        "additionalProperties": False,
    }
    return ToolSpec(name, f"Does what {name} says.", schema)


def _property(choice: random.Random, depth: int = 0) -> dict[str, Any]:
    kind = choice.randrange(9 if depth == 0 else 6)
    if kind == 0:
        return {"type": "integer", "minimum": 0, "maximum": choice.choice((10, 100, 5000))}
    if kind == 1:
        return {"type": "number"}
    if kind == 2:
        return {"type": "boolean"}
    if kind == 3:
        return {"enum": [f"{choice.choice(_VERBS)}ed_{n}" for n in range(choice.randrange(2, 8))]}
    if kind == 4:
        return {"type": "string", "format": choice.choice(_FORMATS)}
    if kind == 6:
        return {"type": "array", "items": _property(choice, 1), "maxItems": choice.randrange(2, 9)}
    if kind == 7:
        inner = {noun: _property(choice, 1) for noun in choice.sample(_NOUNS, 2)}
        return {"type": "object", "properties": inner, "required": list(inner), "additionalProperties": False}
    return {"type": "string"}
