"""Reading a schema in normal form: what a node can be, reference by reference."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

from msgspec import Struct

from hilt.grammar.keywords import Node, type_of

Definitions: TypeAlias = Mapping[str, Node]

_REFERENCE = "#/$defs/"


def members_of(node: dict[str, Any], keyword: str) -> dict[str, Node]:
    """The schemas by name under `properties` or `patternProperties`."""
    return cast("dict[str, Node]", node.get(keyword, {}))


def definitions(root: Node) -> dict[str, Node]:
    """What a schema in normal form defines for its references."""
    return {} if isinstance(root, bool) else members_of(root, "$defs")


def referred(node: Node, defs: Definitions) -> tuple[str, Node] | None:
    """The name and the schema to which a node refers, if it does."""
    if isinstance(node, bool) or "$ref" not in node:
        return None
    name = str(node["$ref"]).removeprefix(_REFERENCE)
    return name, defs[name]


def impossible(node: Node, defs: Definitions, followed: tuple[str, ...] = ()) -> bool:
    """Whether no value fits, as far as that shows without looking into objects and lists."""
    if isinstance(node, bool):
        return not node
    if (reference := referred(node, defs)) is not None:
        return reference[0] in followed or impossible(reference[1], defs, (*followed, reference[0]))
    if "anyOf" in node:
        return all(impossible(branch, defs, followed) for branch in node["anyOf"])
    return False


def alternatives(node: Node, defs: Definitions, followed: tuple[str, ...] = ()) -> Iterator[Node]:
    """What a node can be, one by one: True, a list of values of one type, or a schema of one type."""
    if isinstance(node, bool):
        if node:
            yield True
    elif (reference := referred(node, defs)) is not None:
        if reference[0] not in followed:
            yield from alternatives(reference[1], defs, (*followed, reference[0]))
    elif "anyOf" in node:
        for branch in node["anyOf"]:
            yield from alternatives(branch, defs, followed)
    elif "enum" in node:
        by_type: dict[str, list[Any]] = {}
        for value in node["enum"]:
            by_type.setdefault(type_of(value), []).append(value)
        for values in by_type.values():
            yield {"enum": values}
    else:
        yield node


def type_named(alternative: dict[str, Any]) -> str:
    """The type of one of the `alternatives` that is not True."""
    return str(alternative["type"]) if "type" in alternative else type_of(alternative["enum"][0])


class KeyText(Struct, frozen=True):
    """The keys that further members of an object may have: those that match a pattern, or any, with exceptions."""

    pattern: str | None
    names: tuple[str, ...]
    patterns: tuple[str, ...] = ()
