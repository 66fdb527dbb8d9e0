"""Objects without members that nobody has declared.

JSON Schema lets an object have any further members unless it says otherwise, and hardly a schema of a tool does. What a
model puts there is made up. So where an object declares members and says nothing of others, the grammar has no others;
where it says that there may be some, or where they may come from a part that the grammar leaves to the check, it has.
"""

from typing import Any, cast

from hilt.grammar.keywords import Node, Unenforced

_MAY_DECLARE = frozenset(
    ("if", "then", "else", "allOf", "anyOf", "oneOf", "$ref", "$dynamicRef", "dependentSchemas", "patternProperties")
)


def closed(node: Node, unenforced: tuple[Unenforced, ...]) -> Node:
    """A schema in normal form without undeclared members, if nothing of it that is `unenforced` may declare some."""
    if any(part.keyword in _MAY_DECLARE or part.keyword.startswith("unevaluated") for part in unenforced):
        return node
    return cast("Node", _closed(node))


def _closed(part: Any) -> Any:
    if isinstance(part, list):
        return [_closed(item) for item in cast("list[Any]", part)]
    if not isinstance(part, dict):
        return part
    node = cast("dict[str, Any]", part)
    if "enum" in node:
        return node
    found: dict[str, Any] = {}
    for keyword, value in node.items():
        by_name = keyword in ("properties", "patternProperties", "$defs")
        found[keyword] = {name: _closed(v) for name, v in value.items()} if by_name else _closed(value)
    declared = cast("dict[str, Any]", node.get("properties") or {})
    says = "additionalProperties" in node or "patternProperties" in node
    if node.get("type") == "object" and declared and not says and node.get("minProperties", 0) <= len(declared):
        found["additionalProperties"] = False
    return found
