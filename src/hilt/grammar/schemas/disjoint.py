"""Whether two schemas can be told apart for certain, so that `oneOf` says no more than `anyOf`."""

from typing import Any

from hilt.grammar.keywords import TYPES, Schema, is_list, is_object, type_of

_MAX_STEPS = 8
MAX_COMPARISONS = 100_000


class Comparison:
    """Compares schemas of one document, with a budget of steps for all of them; without it nothing is certain."""

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions
        self._remaining = MAX_COMPARISONS

    def hold_apart(self, a: Schema, b: Schema, steps: int = _MAX_STEPS) -> bool:
        """True only if no value satisfies both; False also where that isn't known."""
        if a is False or b is False:
            return True
        self._remaining -= 1
        first, second = _resolved(a, self._definitions), _resolved(b, self._definitions)
        if first is None or second is None or steps == 0 or self._remaining <= 0:
            return False
        if not _types(first) & _types(second):
            return True
        if (some := _values(first)) is not None and (others := _values(second)) is not None:
            return not some & others
        for one, other in ((first, second), (second, first)):
            for keyword in ("anyOf", "oneOf"):
                if keyword in one and all(self.hold_apart(part, other, steps - 1) for part in one[keyword]):
                    return True
            if any(self.hold_apart(part, other, steps - 1) for part in one.get("allOf", ())):
                return True
        if _types(first) & _types(second) != {"object"}:
            return False
        shared = set(first.get("required", ())) & set(second.get("required", ()))
        return (
            any(
                self.hold_apart(
                    first.get("properties", {}).get(name, True),
                    second.get("properties", {}).get(name, True),
                    steps - 1,
                )
                for name in sorted(shared)
            )
            or _forbids(first, second)
            or _forbids(second, first)
        )


def _forbids(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether `one` refuses a member that `other` requires."""
    known = one.get("properties", {})
    closed = one.get("additionalProperties") is False and not one.get("patternProperties")
    return any(known.get(name, not closed) is False for name in other.get("required", ()))


def _resolved(schema: Schema, definitions: dict[str, Schema]) -> dict[str, Any] | None:
    """The schema with a lone reference followed; None where it says nothing."""
    for _ in range(_MAX_STEPS):
        if isinstance(schema, bool):
            return None
        if "$ref" not in schema or len(schema) > 1:
            return schema
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return None


def _types(schema: dict[str, Any]) -> set[str]:
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    stated = schema.get("type")
    types: set[str] = set(TYPES) if stated is None else {stated} if isinstance(stated, str) else set(stated)
    if "number" in types:
        types.add("integer")
    return types if values is None else types & {type_of(value) for value in values}


def _values(schema: dict[str, Any]) -> set[str] | None:
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return None if values is None else {_key(value) for value in values}


def _key(value: Any) -> str:
    """One text for all values that JSON Schema takes as equal."""
    if is_list(value):
        return f"[{','.join(_key(part) for part in value)}]"
    if is_object(value):
        return f"{{{','.join(f'{name!r}:{_key(value[name])}' for name in sorted(value))}}}"
    return repr(int(value) if isinstance(value, float) and value.is_integer() else value)
