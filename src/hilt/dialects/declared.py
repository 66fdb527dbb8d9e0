"""What a tool's schema says of one argument, for dialects that write every value as plain text.

Only the declared schema decides: a declared string stays the text that it is ("null", "02134", "true").
"""

import json
from typing import Any, cast

from msgspec import Struct

from hilt.dialects.json_reading import Malformed, load_value, mend_value


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
    return Declared(frozenset(_types(declaration, schema)))


def _types(declaration: Any, root: dict[str, Any]) -> set[str]:
    """The types that a declaration allows, its branches and references included; each reference is followed once."""
    found: set[str] = set()
    followed: set[str] = set()
    pending = [declaration]
    while pending:
        part = pending.pop()
        if not isinstance(part, dict):
            continue
        part = cast("dict[str, Any]", part)
        branches = [b for key in ("anyOf", "oneOf", "allOf") for b in _listed(part.get(key))]
        reference = part.get("$ref")
        if stated := {t for t in _listed(part.get("type")) or [part.get("type")] if isinstance(t, str)}:
            found |= stated
        elif "const" in part:
            found.add(_type_of(part["const"]))
        elif values := _listed(part.get("enum")):
            found |= {_type_of(v) for v in values}
        elif isinstance(reference, str):
            if reference not in followed:
                followed.add(reference)
                pending.append(_resolve(reference, root))
        elif branches:
            pending += branches
        elif "properties" in part:
            found.add("object")
        elif "items" in part:
            found.add("array")
    return found


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


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


def coerce(text: str, type_: Declared, repairs: set[str]) -> str:
    """The JSON text of a value that was written as plain text, read as one of its declared types.

    Text that fits none of them stays a string, so that the schema check can name it.
    """
    as_string = json.dumps(text, ensure_ascii=False)
    stripped = text.strip()
    if stripped in _WORDS:
        value = _WORDS[stripped]
        return json.dumps(value) if _type_of(value) in type_.types else as_string
    mended: set[str] = set()
    try:
        written = mend_value(stripped, mended)
        value = load_value(written)
    except Malformed:
        return as_string
    type_written = _type_of(value)
    if type_written == "string":
        return as_string
    if type_written in type_.types or (type_written == "integer" and "number" in type_.types):
        repairs |= mended
        return written
    if isinstance(value, float) and value.is_integer() and "integer" in type_.types:
        return str(int(value))
    return as_string
