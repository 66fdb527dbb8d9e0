"""What a grammar of values leaves to the check of the finished call, beyond what the normal form leaves to it."""

from collections.abc import Iterator
from typing import Any, Literal, cast

from hilt.grammar.keywords import Node, Unenforced, step
from hilt.grammar.values.members import MOST_IN_ANY_ORDER, members_in
from hilt.grammar.values.nodes import Definitions, definitions, members_of
from hilt.grammar.values.texts import LONGEST_BOUND


def unenforced(root: Node, notation: Literal["raw", "python", "marked", "elements"]) -> tuple[Unenforced, ...]:
    """The keywords of a normal form that values in this notation don't enforce, each by its place in that form."""
    defs = definitions(root)
    found = list(_in_node(root, "", defs, notation))
    for name, node in defs.items():
        found += _in_node(node, step("/$defs", name), defs, notation)
    return tuple(found)


def _in_node(node: Node, path: str, defs: Definitions, notation: str) -> Iterator[Unenforced]:
    pending: list[tuple[Node, str]] = [(node, path)]
    while pending:
        part, place = pending.pop()
        if isinstance(part, bool):
            continue
        yield from _in_text(part, place)
        if part.get("type") == "object":
            yield from _in_object(part, place, defs, notation)
        for keyword in ("properties", "patternProperties"):
            pending += [(n, step(step(place, keyword), k)) for k, n in members_of(part, keyword).items()]
        for keyword in ("anyOf", "prefixItems"):
            branches = cast("list[Node]", part.get(keyword, []))
            pending += [(n, step(step(place, keyword), i)) for i, n in enumerate(branches)]
        pending += [(part[k], step(place, k)) for k in ("items", "additionalProperties") if k in part]


def _in_text(node: dict[str, Any], path: str) -> Iterator[Unenforced]:
    for keyword in ("minLength", "maxLength"):
        if node.get(keyword, 0) > LONGEST_BOUND:
            yield Unenforced(step(path, keyword), keyword, f"texts are counted up to {LONGEST_BOUND:,} characters")


def _in_object(node: dict[str, Any], path: str, defs: Definitions, notation: str) -> Iterator[Unenforced]:
    members = members_in(node, defs)
    if notation == "elements":
        counted = not members.others
    else:
        counted = not members.named or (not members.others and len(members.named) <= MOST_IN_ANY_ORDER)
    for keyword, matters in (
        ("minProperties", members.least > len(members.required)),
        ("maxProperties", members.most is not None and (bool(members.others) or members.most < len(members.named))),
    ):
        if matters and not counted:
            yield Unenforced(step(path, keyword), keyword, "members that nobody has declared can't be counted here")
