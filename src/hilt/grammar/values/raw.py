"""Values as plain text inside of an element, which its closing mark ends.

Where a schema allows strings and something else, the reader takes text that looks like something else for that. Text
that could be read so is left out here. A lexer doesn't go back, so a text and what may stand in its place end in one
lexeme with the closing mark, unless that is a token of its own.
"""

import json
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from hilt.dialects.declared import ANY_BUT_STRING, STRING, Declared, coerce, declared
from hilt.grammar.keywords import Node
from hilt.grammar.lark import Rules, all_of, either, literal, no, none_within, pattern, sequence
from hilt.grammar.values.literals import Literals
from hilt.grammar.values.nodes import Definitions, alternatives, type_named
from hilt.grammar.values.texts import INTEGER, NUMBER, NUMBER_BOUNDS, conditions
from hilt.grammar.vocabulary import Vocabulary, written

_SPACE = r"[\s\x1c-\x1f]*"
_DIGITS = "[0-9][0-9_]*"
_NUMBER_LIKE = rf"[+-]?(?:0[xXoObB][0-9a-fA-F_]+|(?:{_DIGITS}\.?[0-9_]*|\.{_DIGITS})(?:[eE][+-]?[0-9]+)?)"
_ALL_TYPES = ("string", "number", "boolean", "null", "array", "object")
_CDATA = ("<![CDATA[", "]]>")


class _View(Struct, frozen=True):
    """How a value will be read; `free_numbers` says that no number beside it has bounds."""

    declared: Declared
    free_numbers: bool


class Frame(Struct, frozen=True):
    """Where a raw value stands: `close` is all that stands behind it up to and with its closing mark.

    `marks` are the texts that the reader could take for its end; `cdata` and `python` are those of `TaggedCall`, and
    `typing` says that an attribute tells a string from other values where the schema doesn't.
    """

    close: str
    marks: tuple[str, ...]
    python: Literal["", "words", "all"] = ""
    cdata: bool = False
    typing: bool = False


class RawValues:
    """Writes values as plain text. `literals` writes lists and objects, and `bound` those in which no mark stands."""

    def __init__(
        self,
        rules: Rules,
        vocabulary: Vocabulary,
        defs: Definitions,
        frame: Frame,
        *,
        literals: Literals,
        bound: Literals,
    ) -> None:
        self._rules = rules
        self._defs = defs
        self._frame = frame
        self._literals = literals
        self._bound = bound
        pieces = vocabulary.pieces(frame.close)
        self._close = written(pieces)
        plain = pieces[0] if pieces and isinstance(pieces[0], str) else ""
        self._plain_close = literal(plain)
        self._rest = written(pieces[1:] if plain else pieces)
        self._ends_plain = plain == frame.close

    def typed(self, node: Node, read_as: Declared | None = None) -> list[tuple[str, str]]:
        """For each JSON type that the value may have, that type and the body of a rule: the value and the close.

        `read_as` is what the reader takes the value for, if its schema isn't `node`.
        """
        view = read_as if read_as is not None else declared({"properties": {"v": node}, "$defs": self._defs}, "v")
        found: dict[str, list[str]] = {}
        for name, alternative, seen in self._readable(node, view):
            bodies = self._string(alternative, seen) if name == "string" else self._other(alternative, seen)
            found.setdefault(name, []).extend(b for b in bodies if b not in found.get(name, []))
        return [(name, either(bodies)) for name, bodies in found.items() if bodies]

    def value(self, node: Node, read_as: Declared | None = None) -> str:
        """The body of a rule: a value that fits and what closes it."""
        return either([body for _, body in self.typed(node, read_as)])

    def _readable(self, node: Node, view: Declared) -> list[tuple[str, dict[str, Any], "_View"]]:
        """The alternatives that the reader can tell from each other, with their types and how each is read."""
        spread: dict[str, tuple[str, dict[str, Any]]] = {}
        for option in alternatives(node, self._defs):
            for schema in [{"type": t} for t in _ALL_TYPES] if isinstance(option, bool) else [option]:
                spread.setdefault(json.dumps(schema), (type_named(schema), schema))
        free = not any(keyword in schema for _, schema in spread.values() for keyword in NUMBER_BOUNDS)
        if view.types or not self._frame.typing:
            views = {True: _View(view, free), False: _View(view, free)}
        else:
            views = {True: _View(STRING, free), False: _View(ANY_BUT_STRING, free)}
        return [(n, s, views[n == "string"]) for n, s in spread.values() if _is_read(n, views[n == "string"].declared)]

    def _string(self, schema: dict[str, Any], view: "_View") -> list[str]:
        if "enum" in schema:
            listed = self._listed(schema["enum"], view)
            return [*([self._closed(either(listed))] if listed else []), *self._listed_cdata(schema["enum"])]
        asked = [*conditions(schema), *none_within([*self._frame.marks, *(_CDATA[:1] if self._frame.cdata else ())])]
        text = self._rules.terminal("text", all_of([*asked, *self._misread(view)]))
        bodies = [self._ended(text)]
        if self._frame.cdata:
            bodies.append(self._section([*conditions(schema), *self._misread(view)], free=not conditions(schema)))
        return bodies

    def _misread(self, view: "_View") -> list[str]:
        """What keeps a text from being read as something else than a string."""
        types = view.declared.types - {"string"}
        if view.declared.streams:
            return []
        words = ["true", "True", "false", "False"] if "boolean" in types else []
        words += ["null", "None"] if "null" in types else []
        excluded = [f"{_SPACE}(?:{'|'.join(words)}){_SPACE}"] if words else []
        if types & {"integer", "number"}:
            number = f"{_NUMBER_LIKE}{_SPACE}" if view.free_numbers else "[-+.0-9](?s:.*)"
            excluded.append(f"{_SPACE}{number}")
        opened = (r"\{" if types & {"object", "array"} else "") + (r"\[\(" if "array" in types else "")
        if opened:
            excluded.append(f"{_SPACE}[{opened}](?s:.*)")
        return [no(e) for e in excluded]

    def _other(self, schema: dict[str, Any], view: "_View") -> list[str]:
        """A value that is no string. Beside strings it ends in one lexeme with what closes it."""
        beside_text = "string" in view.declared.types
        words = _words(schema)
        if words:
            return [
                self._closed(literal(word)) if beside_text else sequence(literal(word), self._close) for word in words
            ]
        if schema.get("type") in ("integer", "number") and not any(k in schema for k in NUMBER_BOUNDS):
            number = self._rules.terminal("number", pattern(INTEGER if schema["type"] == "integer" else NUMBER))
            return [self._ended(number) if beside_text else sequence(number, self._close)]
        if "enum" in schema and not isinstance(schema["enum"][0], list | dict) and beside_text:
            return [self._closed(either([literal(json.dumps(v)) for v in schema["enum"]]))]
        literals = self._bound if beside_text else self._literals
        return [sequence(literals.value(schema), self._close)]

    def _listed(self, values: Sequence[str], view: "_View") -> list[str]:
        """The texts of an enumeration that are read as what they are."""
        kept: list[str] = []
        for value in values:
            held = any(mark in value for mark in self._frame.marks) or (self._frame.cdata and _CDATA[0] in value)
            python = self._frame.python == "all"
            if not held and (
                view.declared.streams or coerce(value, view.declared, set(), python=python) == _string(value)
            ):
                kept.append(literal(value))
        return kept

    def _listed_cdata(self, values: Sequence[str]) -> list[str]:
        if not self._frame.cdata:
            return []
        kept = [literal(f"{_CDATA[0]}{v}{_CDATA[1]}") for v in values if _CDATA[1] not in v]
        return [sequence(self._rules.terminal("listed", either(kept)), self._close)] if kept else []

    def _section(self, asked: Sequence[str], *, free: bool) -> str:
        """A text in a CDATA section; a free one may go on in further ones."""
        text = self._rules.terminal("section", all_of([*asked, *none_within(_CDATA[1:])]))
        section = self._rules.lazy("cdata", sequence(literal(_CDATA[0]), text, literal(_CDATA[1])))
        return sequence(f"{section}+" if free else section, self._close)

    def _closed(self, body: str) -> str:
        """A text of few spellings, in brackets if there are several, and what closes it."""
        if not self._plain_close:
            return sequence(self._rules.terminal("closed", body), self._close)
        return sequence(self._rules.terminal("closed", sequence(body, self._plain_close)), self._rest)

    def _ended(self, text: str) -> str:
        """A terminal and what closes it, as soon as it does."""
        if not self._plain_close:
            return sequence(text, self._close)
        body = sequence(text, self._plain_close)
        if self._ends_plain:
            return self._rules.lazy("ended", body)
        return sequence(self._rules.terminal("ended", body), self._rest)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _is_read(name: str, view: Declared) -> bool:
    """Whether a value of this type comes out as one; what the reader doesn't know stays text."""
    if view.streams:
        return name == "string"
    return name == "string" or name in view.types or (name == "integer" and "number" in view.types)


def _words(schema: dict[str, Any]) -> list[str]:
    """The spellings of the words that a boolean or a null may be."""
    match schema:
        case {"type": "boolean"}:
            return ["true", "false", "True", "False"]
        case {"type": "null"}:
            return ["null", "None"]
        case {"enum": [None, *_]}:
            return ["null", "None"]
        case {"enum": [bool(), *_]}:
            return [w for v in schema["enum"] for w in (json.dumps(v), repr(v))]
        case _:
            return []
