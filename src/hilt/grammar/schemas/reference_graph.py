"""How definitions lead to each other: whether one stands for itself, and how deep a reader that follows them goes.

A validator follows references in place, and llguidance compiles what a reference leads to before it goes on; both
recurse on the native stack, where too much ends the process. So both are bounded here, in linear time.
"""

from collections.abc import Mapping, Set
from typing import Any

from hilt.grammar.keywords import Node, Schema, is_list, is_object

MAX_REFERENCE_DEPTH = 600
"""The most levels of nodes on a path through definitions. llguidance overflowed 8 MiB of stack beyond 1,200."""
_IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
_IN_PLACE = ("not", "if", "then", "else")


def standing_for_itself(definitions: Mapping[str, Schema]) -> str | None:
    """A definition that leads to itself with no member or item between, or None."""
    edges = {name: in_place_references(schema) for name, schema in definitions.items()}
    loops = [group for group in _groups(edges) if len(group) > 1 or group[0] in edges[group[0]]]
    return loops[0][0] if loops else None


def in_place_references(schema: Schema) -> set[str]:
    """The definitions that are asked about the very value that `schema` is asked about."""
    names: set[str] = set()
    pending: list[Any] = [schema]
    while pending:
        part = pending.pop()
        if not is_object(part):
            continue
        if "$ref" in part:
            names.add(part["$ref"].rpartition("/")[2])
        for keyword in _IN_PLACE_LISTS:
            pending.extend(part.get(keyword, ()))
        pending.extend(part[keyword] for keyword in _IN_PLACE if keyword in part)
        pending.extend(part.get("dependentSchemas", {}).values())
    return names


def reference_depth(root: Node, definitions: Mapping[str, Node]) -> int:
    """At most how many levels of nodes a reader goes down that follows every definition once, in whatever order."""
    shapes = {name: _levels_and_references(node) for name, node in definitions.items()}
    below: dict[str, int] = {}
    for group in _groups({name: names for name, (_, names) in shapes.items()}):
        own = sum(shapes[name][0] for name in group)
        beyond = (below[name] for member in group for name in shapes[member][1] if name in below)
        deepest = max(beyond, default=0)
        below.update(dict.fromkeys(group, own + deepest))
    levels, names = _levels_and_references(root)
    return levels + max((below[name] for name in names), default=0)


def _levels_and_references(node: Node) -> tuple[int, set[str]]:
    levels = 0
    names: set[str] = set()
    level: list[Any] = [node]
    while level:
        levels += 1
        following: list[Any] = []
        for part in level:
            if is_list(part):
                following.extend(part)
            elif is_object(part) and isinstance(part.get("$ref"), str):
                names.add(part["$ref"].rpartition("/")[2])
            elif is_object(part) and "enum" not in part:
                following.extend(value for value in part.values() if is_object(value) or is_list(value))
        level = following
    return levels, names


def _groups(edges: Mapping[str, Set[str]]) -> list[list[str]]:
    """Definitions that lead to each other, grouped; a group comes after all that it leads to (Tarjan, 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    open_names: set[str] = set()
    groups: list[list[str]] = []
    for start in edges:
        path = [] if start in order else [(start, iter(sorted(edges[start])))]
        while path:
            name, rest = path[-1]
            if name not in order:
                order[name] = low[name] = len(order)
                stack.append(name)
                open_names.add(name)
            following = next(rest, None)
            if following is None:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[name])
                if low[name] == order[name]:
                    group = [stack.pop()]
                    while group[-1] != name:
                        group.append(stack.pop())
                    open_names.difference_update(group)
                    groups.append(group)
            elif following not in order:
                path.append((following, iter(sorted(edges[following]))))
            elif following in open_names:
                low[name] = min(low[name], order[following])
    return groups
