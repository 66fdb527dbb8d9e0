"""What a tool's schema says of one argument, for dialects that write every value as plain text.

Only the declared schema decides: a declared string stays the text that it is ("null", "02134", "true").
"""

import json
from typing import Any, cast

from msgspec import Struct

from hilt.dialects.json_reading import Malformed, load_value

MAX_REFERENCES = 16


class Declared(Struct, frozen=True):
    """The JSON types that an argument may have; empty where nothing is declared."""

    types: frozenset[str]

    @property
    def streams(self) -> bool:
        """Whether the text is the value, so that it needs no reading."""
        return not self.types or self.types == frozenset({"string"})


def declared(schema: dict[str, Any] | None, name: str) -> Declared:
    """The types declared for argument `name` by the JSON Schema of a tool's arguments."""
    if schema is None:
        return Declared(frozenset())
    properties = cast("dict[str, Any]", schema.get("properties") or {})
    declaration = properties.get(name, schema.get("additionalProperties"))
    return Declared(frozenset(_types(declaration, schema, MAX_REFERENCES)))


def _types(declaration: Any, root: dict[str, Any], references_left: int) -> set[str]:
    if not isinstance(declaration, dict) or references_left == 0:
        return set()
    declaration = cast("dict[str, Any]", declaration)
    stated = declaration.get("type")
    if isinstance(stated, str):
        return {stated}
    if isinstance(stated, list):
        return {t for t in cast("list[Any]", stated) if isinstance(t, str)}
    if "const" in declaration:
        return {_type_of(declaration["const"])}
    if isinstance(declaration.get("enum"), list):
        return {_type_of(v) for v in cast("list[Any]", declaration["enum"])}
    if isinstance(reference := declaration.get("$ref"), str):
        return _types(_resolve(reference, root), root, references_left - 1)
    branches = [
        b
        for key in ("anyOf", "oneOf", "allOf")
        for b in cast("list[Any]", declaration.get(key) if isinstance(declaration.get(key), list) else [])
    ]
    found: set[str] = set()
    for branch in branches:
        found |= _types(branch, root, references_left - 1)
    if not found and "properties" in declaration:
        return {"object"}
    if not found and "items" in declaration:
        return {"array"}
    return found


def _resolve(reference: str, root: dict[str, Any]) -> Any:
    if not reference.startswith("#"):
        return None
    place: Any = root
    for step in reference[1:].split("/")[1:]:
        if not isinstance(place, dict):
            return None
        place = cast("dict[str, Any]", place).get(step.replace("~1", "/").replace("~0", "~"))
    return place


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}


def coerce(text: str, type_: Declared) -> str:
    """The JSON text of a value that was written as plain text, read as one of its declared types.

    Text that fits none of them stays a string, so that the schema check can name it.
    """
    stripped = text.strip()
    if stripped in _WORDS:
        value = _WORDS[stripped]
        if ("null" if value is None else "boolean") in type_.types:
            return json.dumps(value)
    else:
        try:
            value = load_value(stripped)
        except Malformed:
            return json.dumps(text, ensure_ascii=False)
        written = _type_of(value)
        if (written in type_.types and written != "string") or (written == "integer" and "number" in type_.types):
            return stripped
        if isinstance(value, float) and value.is_integer() and "integer" in type_.types:
            return str(int(value))
    return json.dumps(text, ensure_ascii=False)
