"""Calls written as elements: one for the tool, one for each of its parameters."""

from typing import Any

from hilt.dialects.declared import declared
from hilt.dialects.spec import Tag, TaggedCall
from hilt.grammar.lark import Rules, either, literal, pattern, sequence
from hilt.grammar.offers import Offer
from hilt.grammar.text import space
from hilt.grammar.values import Frame, KeyText, Node, Values
from hilt.grammar.vocabulary import Vocabulary

_NAME = r"[A-Za-z_][A-Za-z0-9_.-]{0,63}"
_KIND = {"integer": "number"}


class ElementWriter:
    """Writes the calls of one tool in one payload."""

    def __init__(self, rules: Rules, vocabulary: Vocabulary, payload: TaggedCall, tool: Offer) -> None:
        self._rules = rules
        self._mark = vocabulary.mark
        self._payload = payload
        self._tool = tool
        self._gap = space(rules)
        self._values = Values(rules, vocabulary, tool.definitions)
        tag, function = payload.parameter, payload.function
        around = "\n" if payload.value_lines else ""
        self._before = f"{payload.line if tag.value_open else ''}{tag.value_open}{around}"
        self._frame = Frame(
            f"{around}{tag.close}",
            tuple(mark for mark in (tag.close, function.close, tag.open) if mark),
            payload.python,
            cdata=payload.cdata,
            typing=bool(payload.typing),
        )

    def call(self, *, opened: bool) -> str:
        """The body of a rule: a whole call; where it is `opened`, without its first mark."""
        function = self._payload.function
        begin = "" if opened else self._mark(function.open)
        index = ""
        if self._payload.indexed:
            index = sequence(
                literal(' index="'), self._rules.terminal("index", pattern("[1-9][0-9]{0,3}")), literal('"')
            )
        head = sequence(begin, literal(self._name(self._tool.name, function)), index)
        behind = sequence(self._mark(function.end), self._mark(function.value_open))
        close = sequence(self._gap, self._mark(function.close)) if function.close else ""
        return sequence(head, behind, self._gap, self.parameters(), close)

    def parameters(self) -> str:
        """The body of a rule: the parameters alone, in any order."""
        bodies = [self._members(shape) for shape in self._tool.shapes]
        return self._rules.rule("parameters", " | ".join(body or '""' for body in bodies))

    def _members(self, shape: dict[str, Any]) -> str:
        other = None if self._payload.nested else self._other
        return self._values.members(shape, self._member, other, self._gap)

    def _member(self, name: str, node: Node) -> str:
        if self._payload.nested:
            return self._values.element(name, node, self._payload)
        tag = self._payload.parameter
        written = self._name(name, tag)
        # The mark and the name are two lexemes, so that the names of other members may begin alike.
        head = sequence(self._mark(tag.open + written[: tag.quoted]), literal(written[tag.quoted :]))
        return self._valued(head, name, node)

    def _other(self, key: KeyText, node: Node) -> str:
        tag = self._payload.parameter
        quote = '"' if tag.quoted else ""
        head = sequence(self._mark(tag.open + quote), self._values.key(key, _NAME), literal(quote))
        return self._valued(head, None, node)

    def _valued(self, head: str, name: str | None, node: Node) -> str:
        """The body of a rule: a parameter behind its name."""
        payload, tag = self._payload, self._payload.parameter
        view = None if name is None else declared(self._tool.declared, name)
        if not payload.typing:
            return sequence(head, self._mark(f"{tag.end}{self._before}"), self._values.raw(node, self._frame, view))
        bodies = [
            sequence(self._mark(f"{self._typing(kind)}{tag.end}{self._before}"), body)
            for kind, body in self._values.raw_typed(node, self._frame, view)
        ]
        return sequence(head, either(bodies))

    def _typing(self, kind: str) -> str:
        if self._payload.typing == "flag":
            return f' string="{str(kind == "string").lower()}"'
        return f' type="{_KIND.get(kind, kind)}"'

    def _name(self, name: str, tag: Tag) -> str:
        if self._payload.entities:
            name = name.replace("&", "&amp;").replace('"', "&quot;")
        return f'"{name}"' if tag.quoted else name
