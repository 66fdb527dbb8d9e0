"""Values as elements inside of elements: an object's members under their keys, a list's under one name.

The reader asks the schema what an element is. Where it couldn't tell (lists beside objects, items by their place, keys
that only a pattern names, names that no grammar can repeat in a closing tag), the value is written as JSON, which is
read as well.
"""

from typing import Any, cast

from hilt.dialects.declared import Declared, declared
from hilt.dialects.spec import TaggedCall
from hilt.grammar.keywords import Node
from hilt.grammar.lark import Rules, all_of, either, literal, none_within, sequence
from hilt.grammar.text import space
from hilt.grammar.values.literals import Form, Literals
from hilt.grammar.values.members import MemberWriter, members_in, repeated
from hilt.grammar.values.nodes import Definitions, alternatives, impossible, type_named
from hilt.grammar.values.raw import Frame, RawValues
from hilt.grammar.vocabulary import Vocabulary


class Elements:
    """Writes elements, each from its opening mark to its closing one."""

    def __init__(self, rules: Rules, vocabulary: Vocabulary, defs: Definitions, payload: TaggedCall) -> None:
        tag = payload.parameter
        self._rules = rules
        self._vocabulary = vocabulary
        self._defs = defs
        self._payload = payload
        self._mark = _common(tag.open, tag.close)
        self._members = MemberWriter(rules)
        self._literals = Literals(rules, vocabulary, defs, Form("json", avoided=(self._mark,)))
        self._raw: dict[str, RawValues] = {}
        self._open: dict[str, str] = {}

    def element(self, name: str, node: Node, *, depth: int = 0) -> str:
        """The body of a rule: element `name` with a value that fits; at `depth` 0 it is a call's parameter."""
        key = f"{name} {bool(depth)} {node!r}"
        if key not in self._open:
            rule = self._open[key] = self._rules.reserve(f"element_{name}")
            self._rules.define(rule, self._body(name, node, depth))
        return self._open[key]

    def _body(self, name: str, node: Node, depth: int) -> str:
        tag = self._payload.parameter
        close = tag.close.replace("{name}", name)
        head = self._vocabulary.mark(f"{tag.open}{name}{tag.end}")
        view = declared({"properties": {"v": node}, "$defs": self._defs}, "v")
        choices: list[str] = []
        if view.types or not depth:
            if text := self._text(name, close, node, view):
                choices.append(text)
        else:
            free = self._rules.terminal("text", all_of(none_within([self._mark])))
            choices += [self._ended(free, close), *self._untyped(close)]
        end = self._vocabulary.mark(close)
        for part in self._nested(node, view):
            if children := self._children(part):
                choices.append(sequence(children, end))
        if any(_may_be_empty(part, _empty_means(view)) for part in alternatives(node, self._defs)):
            choices.append(end)
        return sequence(head, either(choices))

    def _text(self, name: str, close: str, node: Node, view: Declared) -> str:
        """A value as text, and the closing mark: a string as it is, others as JSON."""
        if name not in self._raw:
            frame = Frame(close, (self._mark,))
            self._raw[name] = RawValues(
                self._rules, self._vocabulary, self._defs, frame, literals=self._literals, bound=self._literals
            )
        return self._raw[name].value(node, view)

    def _ended(self, text: str, close: str) -> str:
        pieces = self._vocabulary.pieces(close)
        if isinstance(pieces[0], int):
            return sequence(text, self._vocabulary.mark(close))
        return self._rules.lazy("ended", sequence(text, literal(close)))

    def _untyped(self, close: str) -> list[str]:
        """A list where nothing is declared: elements under the name that lists have."""
        item = self.element(self._payload.nested, True, depth=1)
        return [sequence(f"({self._spaced(item)})+", self._vocabulary.mark(close))]

    def _nested(self, node: Node, view: Declared) -> list[dict[str, Any]]:
        """The one object or list that a node can be, if the reader can tell it from all else."""
        found = list(alternatives(node, self._defs))
        containers = [n for n in found if isinstance(n, dict) and "type" in n and type_named(n) in ("array", "object")]
        if len(containers) != 1 or any(isinstance(n, bool) for n in found) or {"array", "object"} <= view.types:
            return []
        part = containers[0]
        listed = part["type"] == "array" and "prefixItems" not in part
        named = part["type"] == "object" and "patternProperties" not in part
        if named and self._payload.nested in (part.get("properties", ())):
            return []
        return [part] if listed or named else []

    def _children(self, part: dict[str, Any]) -> str:
        if part["type"] == "array":
            items = cast("Node", part.get("items", True))
            least, most = max(cast("int", part.get("minItems", 0)), 1), part.get("maxItems")
            if impossible(items, self._defs) or most == 0:
                return ""
            return repeated(self._spaced(self.element(self._payload.nested, items, depth=1)), "", least, most)
        return self._members.body(
            members_in(part, self._defs),
            lambda name, schema: self._spaced(self.element(name, schema, depth=1)),
            None,
            nothing=False,
        )

    def _spaced(self, element: str) -> str:
        return self._rules.rule("child", sequence(element, space(self._rules)))


def _empty_means(view: Declared) -> str:
    """The type as which the reader takes an element that holds nothing."""
    if "string" in view.types:
        return "string"
    return next((t for t in ("object", "array", "null") if t in view.types), "string")


def _may_be_empty(part: Node, type_name: str) -> bool:
    """Whether this is a list or an object, as `type_name` says, that may hold nothing."""
    if isinstance(part, bool) or part.get("type") != type_name or type_name not in ("array", "object"):
        return False
    return not part.get("minItems") and not part.get("minProperties") and not part.get("required")


def _common(one: str, other: str) -> str:
    """What two texts begin with alike."""
    length = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]
