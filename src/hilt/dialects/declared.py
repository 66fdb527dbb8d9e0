"""What a tool's schema says of one argument, for dialects that write every value as plain text.

Only the declared schema decides: a declared string stays the text that it is ("null", "02134", "true").
"""

import json
from collections.abc import Iterator
from typing import Any, cast

from msgspec import Struct

from hilt.dialects.repairs import Repair
from hilt.dialects.strict_json import Malformed, load_value
from hilt.dialects.values import PYTHON, mend_value


class Declared(Struct, frozen=True):
    """The JSON types that a value may have, empty where nothing is declared, and where in a schema that is said."""

    types: frozenset[str]
    node: dict[str, Any] | None = None
    root: dict[str, Any] | None = None

    @property
    def streams(self) -> bool:
        """Whether the text is the value, so that it needs no reading."""
        return not self.types or self.types == frozenset({"string"})

    @property
    def holds_text(self) -> bool:
        """Whether a value may have text in it that looks like a mark."""
        return not self.types or bool(self.types & {"string", "array", "object"})

    def member(self, key: str) -> "Declared":
        """What is declared for member `key` of this object."""
        return _declared(_found(self.node, self.root, "properties", key), self.root)

    def item(self) -> "Declared":
        """What is declared for the members of this list."""
        return _declared(_found(self.node, self.root, "items", None), self.root)


STRING = Declared(frozenset({"string"}))
ANY_BUT_STRING = Declared(frozenset({"null", "boolean", "integer", "number", "array", "object"}))


def declared(schema: dict[str, Any] | None, name: str) -> Declared:
    """What the JSON Schema of a tool's arguments declares for argument `name`."""
    return _declared(_found(schema, schema, "properties", name), schema)


def _declared(node: Any, root: dict[str, Any] | None) -> Declared:
    types = frozenset(_types(node, root or {}))
    return Declared(types, cast("dict[str, Any]", node) if isinstance(node, dict) else None, root)


def _found(node: dict[str, Any] | None, root: dict[str, Any] | None, keyword: str, key: str | None) -> Any:
    """The sub-schema for a member or for items, wherever branches and references put it."""
    for part in _parts(node, root or {}):
        if key is None:
            if isinstance(part.get(keyword), dict):
                return part[keyword]
            continue
        properties = cast("dict[str, Any]", part.get(keyword) or {})
        if key in properties:
            return properties[key]
        by_pattern = cast("dict[str, Any]", part.get("patternProperties") or {})
        others = [*by_pattern.values(), part.get("additionalProperties")]
        schemas = [cast("dict[str, Any]", schema) for schema in others if isinstance(schema, dict)]
        if schemas:
            return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return None


def _parts(node: Any, root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and the branches and references in it; each reference is followed once."""
    followed: set[str] = set()
    pending = [node]
    while pending:
        part = pending.pop(0)
        if not isinstance(part, dict):
            continue
        part = cast("dict[str, Any]", part)
        yield part
        reference = part.get("$ref")
        if isinstance(reference, str) and reference not in followed:
            followed.add(reference)
            pending.append(_resolve(reference, root))
        pending += [b for key in ("anyOf", "oneOf", "allOf") for b in _listed(part.get(key))]


def _types(declaration: Any, root: dict[str, Any]) -> set[str]:
    """The types that a declaration allows, its branches and references included."""
    found: set[str] = set()
    for part in _parts(declaration, root):
        if stated := {t for t in _listed(part.get("type")) or [part.get("type")] if isinstance(t, str)}:
            found |= stated
            if part is declaration:
                break
        elif "const" in part:
            found.add(_type_of(part["const"]))
        elif values := _listed(part.get("enum")):
            found |= {_type_of(v) for v in values}
        elif "properties" in part and "$ref" not in part:
            found.add("object")
        elif "items" in part:
            found.add("array")
    if isinstance(declaration, dict) and cast("dict[str, Any]", declaration).get("nullable") is True and found:
        found.add("null")
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


def coerce(text: str, type_: Declared, repairs: set[Repair], *, python: bool = False) -> str:
    """The JSON text of a value that was written as plain text, read as one of its declared types.

    Text that fits none of them stays a string, so that the schema check can name it. `python` says that the dialect
    writes values as Python does, so that doing so is no deviation.
    """
    as_string = json.dumps(text, ensure_ascii=False)
    stripped = text.strip()
    if stripped in _WORDS:
        value = _WORDS[stripped]
        return json.dumps(value) if _type_of(value) in type_.types else as_string
    mended: set[Repair] = set()
    try:
        written = mend_value(stripped, mended)
        if python and mended:
            mended.clear()
            written = mend_value(stripped, mended, PYTHON)
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
