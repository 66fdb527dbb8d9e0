"""What a grammar of values leaves to the check of the finished call."""

from collections.abc import Iterator
from typing import Any, Literal, cast

from msgspec import Struct

from hilt.grammar.values.members import MOST_IN_ANY_ORDER, members_in
from hilt.grammar.values.nodes import Definitions, Node, members_of
from hilt.grammar.values.patterns import whole_text
from hilt.grammar.values.texts import LONGEST_BOUND


class Unenforced(Struct, frozen=True):
    """A keyword that the grammar leaves free: where it stands (`/properties/a`), its name, and why."""

    path: str
    keyword: str
    reason: str


def unenforced(root: Node, notation: Literal["raw", "python", "marked", "elements"]) -> tuple[Unenforced, ...]:
    """The keywords of a schema in normal form that values in this notation don't enforce."""
    defs = {} if isinstance(root, bool) else members_of(root, "$defs")
    found = list(_in_node(root, "", defs, notation))
    for name, node in defs.items():
        found += _in_node(node, f"/$defs/{_step(name)}", defs, notation)
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
            pending += [(n, f"{place}/{keyword}/{_step(k)}") for k, n in members_of(part, keyword).items()]
        for keyword in ("anyOf", "prefixItems"):
            branches = cast("list[Node]", part.get(keyword) or [])
            pending += [(n, f"{place}/{keyword}/{i}") for i, n in enumerate(branches)]
        pending += [(part[k], f"{place}/{k}") for k in ("items", "additionalProperties") if k in part]


def _in_text(node: dict[str, Any], path: str) -> Iterator[Unenforced]:
    if "pattern" in node and whole_text(node["pattern"]) is None:
        yield Unenforced(path, "pattern", "the pattern can't be told of a whole text")
    for keyword in ("minLength", "maxLength"):
        if (node.get(keyword) or 0) > LONGEST_BOUND:
            yield Unenforced(path, keyword, f"texts are counted up to {LONGEST_BOUND:,} characters")


def _in_object(node: dict[str, Any], path: str, defs: Definitions, notation: str) -> Iterator[Unenforced]:
    members = members_in(node, defs)
    counted = not members.named or (not members.others and len(members.named) <= MOST_IN_ANY_ORDER)
    for keyword, matters in (
        ("minProperties", members.least > len(members.required)),
        ("maxProperties", members.most is not None and (bool(members.others) or members.most < len(members.named))),
    ):
        if matters and not counted and not (notation == "elements" and not members.others):
            yield Unenforced(path, keyword, "declared members and others can't be counted together")


def _step(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
