"""What a schema allows and the grammar leaves out, because a model that writes it has lost its way.

JSON Schema lets an object have any further members unless it says otherwise, and hardly a schema of a tool does. What a
model puts there is made up. So where an object declares members and says nothing of others, the grammar has no others;
where it says that there may be some, or where they may come from a part that the grammar leaves to the check, it has.

It also lets a whole number have any number of digits. Here it has as many as 64 bits hold.
"""

from typing import Any, cast

from hilt.grammar.keywords import Node, Unenforced

GREATEST_INTEGER = 9 * 10**18

_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
_MAY_DECLARE = frozenset(
    ("if", "then", "else", "allOf", "anyOf", "oneOf", "$ref", "$dynamicRef", "dependentSchemas", "patternProperties")
)


def narrowed(node: Node, unenforced: tuple[Unenforced, ...]) -> Node:
    """A schema in normal form with no more than that; undeclared members stay where something of it that is
    `unenforced` may declare some."""
    opens = any(part.keyword in _MAY_DECLARE or part.keyword.startswith("unevaluated") for part in unenforced)
    return cast("Node", _narrowed(node, closing=not opens))


def _narrowed(part: Any, *, closing: bool) -> Any:
    if isinstance(part, list):
        return [_narrowed(item, closing=closing) for item in cast("list[Any]", part)]
    if not isinstance(part, dict):
        return part
    node = cast("dict[str, Any]", part)
    if "enum" in node:
        return node
    found: dict[str, Any] = {}
    for keyword, value in node.items():
        by_name = keyword in ("properties", "patternProperties", "$defs")
        if by_name:
            found[keyword] = {name: _narrowed(v, closing=closing) for name, v in value.items()}
        else:
            found[keyword] = _narrowed(value, closing=closing)
    if node.get("type") == "integer":
        return _within_64_bits(found)
    declared = cast("dict[str, Any]", node.get("properties") or {})
    says = "additionalProperties" in node or "patternProperties" in node
    if (
        closing
        and node.get("type") == "object"
        and declared
        and not says
        and node.get("minProperties", 0) <= len(declared)
    ):
        found["additionalProperties"] = False
    return found


def _within_64_bits(node: dict[str, Any]) -> dict[str, Any]:
    """A whole number with bounds on both sides, if those that it has leave room for them."""
    bounds = [node[keyword] for keyword in _BOUNDS if keyword in node]
    if "multipleOf" in node or any(not -GREATEST_INTEGER < bound < GREATEST_INTEGER for bound in bounds):
        return node
    lower = {} if {"minimum", "exclusiveMinimum"} & node.keys() else {"minimum": -GREATEST_INTEGER}
    upper = {} if {"maximum", "exclusiveMaximum"} & node.keys() else {"maximum": GREATEST_INTEGER}
    return node | lower | upper
