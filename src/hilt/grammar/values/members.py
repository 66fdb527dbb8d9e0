"""The members of an object by name, in any order, each at most once, and all that are required.

Up to 60 of them stand in a rule with a parameter, whose bits say which have been written; more than that stand in the
schema's order, because a parameter has no more than 64 bits. Members with other names may stand anywhere between them.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from msgspec import Struct

from hilt.grammar.keywords import Node
from hilt.grammar.lark import Rules, either, sequence
from hilt.grammar.values.nodes import Definitions, KeyText, impossible, members_of
from hilt.grammar.values.texts import whole_text

MOST_IN_ANY_ORDER = 60


class Members(Struct, frozen=True):
    """What an object may hold: `named` members by name, those in `required` always, and `others`."""

    named: Mapping[str, Node]
    required: frozenset[str]
    others: tuple[tuple[KeyText, Node], ...]
    least: int = 0
    most: int | None = None


def members_in(node: dict[str, Any], defs: Definitions) -> Members:
    """The members of an object with this schema."""
    additional = cast("Node", node.get("additionalProperties", True))
    named = members_of(node, "properties")
    names = tuple(named)
    by_pattern = [(whole_text(p), schema) for p, schema in members_of(node, "patternProperties").items()]
    others = [(KeyText(p, names), schema) for p, schema in by_pattern if not impossible(schema, defs)]
    if not impossible(additional, defs):
        others.append((KeyText(None, names, tuple(p for p, _ in by_pattern)), additional))
    return Members(
        {name: schema for name, schema in named.items() if not impossible(schema, defs)},
        frozenset(node.get("required", ())),
        tuple(others),
        node.get("minProperties", 0),
        node.get("maxProperties"),
    )


class MemberWriter:
    """Writes rules for the members of objects."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def body(
        self,
        members: Members,
        member: Callable[[str, Node], str],
        other: Callable[[KeyText, Node], str] | None,
        separator: str = "",
        *,
        nothing: bool = True,
    ) -> str:
        """The body of a rule: the members, with `separator` between them; empty where none can stand.

        `member` and `other` give the body of one member; without `other`, none stands under another name. With
        `nothing` false, at least one member stands there.
        """
        written = {name: self._one(member(name, node)) for name, node in members.named.items()}
        others = [self._one(other(key, node)) for key, node in members.others] if other is not None else []
        extra = self._one(either(others)) if others else ""
        least = max(members.least, 0 if nothing else 1)
        if not written:
            return repeated(extra, separator, least, members.most) if extra else ""
        if len(written) > MOST_IN_ANY_ORDER:
            return self._in_order(written, members.required, extra, separator, nothing=nothing)
        least = 0 if extra and nothing else least
        return self._in_any_order(written, members.required, extra, separator, least, members.most)

    def _one(self, body: str) -> str:
        return self._rules.rule("member", body) if " " in body else body

    def _in_any_order(
        self,
        written: dict[str, str],
        required: frozenset[str],
        extra: str,
        separator: str,
        least: int,
        most: int | None,
    ) -> str:
        bodies = [written[name] for name in sorted(written, key=lambda name: name not in required)]
        first = self._rules.reserve("members") if separator or (extra and least) else ""
        rest = self._rules.reserve("members")
        ends = [f"is_ones([0:{len(required)}])"] if required else []
        if least > len(required) and not extra:
            ends.append(f"bit_count_ge(_, {least})")
        room = f"bit_count_lt(_, {most})" if most is not None and not extra and most < len(written) else ""
        for name, before in ((first, ""), (rest, separator)):
            if not name:
                continue
            steps = [] if name == first and least and extra else [_when('""', ends)]
            for bit, body in enumerate(bodies):
                conditions = [f"bit_clear({bit})", *([room] if room else [])]
                steps.append(_when(sequence(before, body, f"{rest}::set_bit({bit})"), conditions))
            if extra:
                steps.append(sequence(before, extra, f"{rest}::_"))
            self._rules.define(f"{name}::_", " | ".join(steps))
        return f"{first or rest}::0x0"

    def _in_order(
        self, written: dict[str, str], required: frozenset[str], extra: str, separator: str, *, nothing: bool
    ) -> str:
        """The members in the schema's order, and behind them those under other names."""
        extras = f"({sequence(separator, extra)})*" if extra else ""
        rest = self._rules.rule("rest", extras or '""')
        alone = repeated(extra, separator, 0 if nothing else 1, None) if extra else ('""' if nothing else "")
        first = self._rules.rule("first", alone) if alone else ""
        for name, body in reversed(written.items()):
            after = rest
            with_it = sequence(body, after)
            if name in required:
                rest = self._rules.rule("rest", sequence(separator, with_it))
                first = self._rules.rule("first", with_it)
            else:
                rest = self._rules.rule("rest", f"{sequence(separator, with_it)} | {after}")
                first = self._rules.rule("first", " | ".join(filter(None, (with_it, first))))
        return first


def _when(body: str, conditions: list[str]) -> str:
    if not conditions:
        return body
    first, *others = conditions
    for condition in others:
        first = f"and({first}, {condition})"
    return f"{body} %if {first}"


def repeated(body: str, separator: str, least: int, most: int | None) -> str:
    """The body of a rule: one body several times, with separators between; empty if it can't stand at all."""
    if most == 0:
        return ""
    upper = "" if most is None else str(most - 1)
    further = f"({sequence(separator, body)}){{{max(least - 1, 0)},{upper}}}" if most != 1 else ""
    written = sequence(body, further)
    return written if least else f"({written})?"
