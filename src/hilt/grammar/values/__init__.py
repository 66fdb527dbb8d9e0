"""Values in the notations that are not JSON, as grammars: what is written so is read as a value that fits its schema.

A schema comes in normal form, and what it refers to stands in `$defs`. What can't be enforced is told by `unenforced`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from hilt.dialects.declared import Declared
from hilt.dialects.spec import TaggedCall
from hilt.grammar.keywords import Node
from hilt.grammar.lark import Rules, all_of, none_within
from hilt.grammar.values.elements import Elements
from hilt.grammar.values.literals import Form, Literals
from hilt.grammar.values.members import MOST_IN_ANY_ORDER, MemberWriter, members_in
from hilt.grammar.values.nodes import Definitions, KeyText, definitions, impossible
from hilt.grammar.values.raw import Frame, RawValues
from hilt.grammar.values.texts import key_conditions
from hilt.grammar.values.unenforced import unenforced
from hilt.grammar.vocabulary import Vocabulary

__all__ = [
    "MOST_IN_ANY_ORDER",
    "Frame",
    "KeyText",
    "Node",
    "Values",
    "definitions",
    "impossible",
    "unenforced",
]


class Values:
    """Writes the values of one tool's arguments into `rules`; `defs` is what its schema has under `$defs`.

    Every method gives the body of a rule, and takes nodes that are not `impossible`.
    """

    def __init__(self, rules: Rules, vocabulary: Vocabulary, defs: Definitions) -> None:
        self._rules = rules
        self._vocabulary = vocabulary
        self._defs = defs
        self._literals: dict[Form, Literals] = {}
        self._raw: dict[Frame, RawValues] = {}
        self._elements: dict[TaggedCall, Elements] = {}
        self._members = MemberWriter(rules)

    def raw(self, node: Node, frame: Frame, read_as: Declared | None = None) -> str:
        """A value as plain text, and all that closes it.

        `read_as` is what the tool's own schema declares, where that isn't the node.
        """
        return self._in_frame(frame).value(node, read_as)

    def raw_typed(self, node: Node, frame: Frame, read_as: Declared | None = None) -> list[tuple[str, str]]:
        """The same for each JSON type that the value may have, with that type's name."""
        return self._in_frame(frame).typed(node, read_as)

    def python_arguments(self, node: dict[str, Any], assign: str) -> str:
        """The members of an object as keyword arguments, with commas between them; maybe none. Words and strings may
        be Python's or JSON's."""
        return self._notation(Form("python")).arguments(node, assign)

    def marked_arguments(self, node: dict[str, Any], quote: str, assign: str) -> str:
        """The members of an object as they stand between its brackets in that notation; maybe none."""
        return self._notation(Form("marked", quote)).arguments(node, assign)

    def element(self, name: str, node: Node, payload: TaggedCall) -> str:
        """A whole element, marks included, with elements inside of it for objects and lists."""
        if payload not in self._elements:
            self._elements[payload] = Elements(self._rules, self._vocabulary, self._defs, payload)
        return self._elements[payload].element(name, node)

    def members(
        self,
        node: dict[str, Any],
        member: Callable[[str, Node], str],
        other: Callable[[KeyText, Node], str] | None,
        separator: str = "",
    ) -> str:
        """The members of an object in any order; see `MemberWriter.body`. Empty if there are none.

        `separator` is the body of what stands between two, such as a terminal's name. What `member` and `other` write
        must begin with the same lexeme or with the names themselves: a lexer that has read `<k=c` for a declared
        `<k=city>` doesn't go back to `<k=`.
        """
        return self._members.body(members_in(node, self._defs), member, other, separator)

    def key(self, key: KeyText, alphabet: str, avoided: Sequence[str] = ()) -> str:
        """A terminal for the name of a further member: `alphabet` is a regular expression of all names."""
        return self._rules.terminal("key", all_of([*key_conditions(key, alphabet), *none_within(avoided)]))

    def _notation(self, form: Form) -> Literals:
        if form not in self._literals:
            self._literals[form] = Literals(self._rules, self._vocabulary, self._defs, form)
        return self._literals[form]

    def _in_frame(self, frame: Frame) -> RawValues:
        if frame not in self._raw:
            kind = "python" if frame.python == "all" else "json"
            self._raw[frame] = RawValues(
                self._rules,
                self._vocabulary,
                self._defs,
                frame,
                literals=self._notation(Form(kind)),
                bound=self._notation(Form(kind, avoided=frame.marks)),
            )
        return self._raw[frame]
