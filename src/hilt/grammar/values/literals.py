"""Values as literals: numbers, words, strings, lists and objects in the notation of JSON, of Python or of Gemma.

The three differ in how strings, words and keys are written, and in nothing else. Between a bracket, a comma or a colon
and what follows may stand some white space.
"""

import json
import re
from typing import Any, Literal, cast

from msgspec import Struct

from hilt.grammar.keywords import Node
from hilt.grammar.lark import Rules, all_of, either, exactly, json_value, literal, none_within, pattern, sequence
from hilt.grammar.text import SPACE_CLASS, SPACE_LIMIT
from hilt.grammar.values.members import MemberWriter, members_in, repeated
from hilt.grammar.values.nodes import Definitions, KeyText, impossible, referred
from hilt.grammar.values.texts import (
    CONTROLS,
    JSON_ESCAPE,
    PYTHON_ESCAPE,
    conditions,
    counted,
    key_conditions,
    number_terminal,
)
from hilt.grammar.vocabulary import Vocabulary

_BARE_KEY = r"[^\s\x1c-\x1f{}\[\]()\"'<>,:=|]{1,100}"
_PLAIN_KEY = re.compile(r"[^\s{}\[\]()\"'<>,:=|]{1,255}")
_KEYWORD = r"[A-Za-z_][A-Za-z0-9_]{0,99}"
_TEXT_KEYWORDS = ("pattern", "minLength", "maxLength")


class Form(Struct, frozen=True):
    """How literals are written. `quote` is the mark around strings in `marked` notation.

    No string holds a text of `avoided`, where it would be taken for a mark around the value.
    """

    kind: Literal["json", "python", "marked"]
    quote: str = ""
    avoided: tuple[str, ...] = ()


class Literals:
    """Writes the values of schemas in one notation; `defs` are the schemas that references name."""

    def __init__(self, rules: Rules, vocabulary: Vocabulary, defs: Definitions, form: Form) -> None:
        self._rules = rules
        self._vocabulary = vocabulary
        self._defs = defs
        self._form = form
        self._referred: dict[str, str] = {}
        self._any = ""
        self._members = MemberWriter(rules)
        space = f"{SPACE_CLASS}{{0,{4 if form.kind == 'marked' else SPACE_LIMIT}}}"
        self._comma = rules.terminal("comma", pattern(f",{space}"))
        self._colon = rules.terminal("colon", pattern(f":{space}"))
        self._brackets = {
            sign: rules.terminal("opened", pattern(f"\\{sign}{space}"))
            if sign in "[{"
            else rules.terminal("closed", pattern(f"{space}\\{sign}"))
            for sign in "[]{}"
        }

    def value(self, node: Node) -> str:
        """The body of a rule: a value that fits. The node must not be `impossible`."""
        if isinstance(node, bool):
            return self._anything()
        if (reference := referred(node, self._defs)) is not None:
            return self._reference(*reference)
        if "anyOf" in node:
            branches = [self._rule("branch", b) for b in node["anyOf"] if not impossible(b, self._defs)]
            return either(list(dict.fromkeys(branches)))
        if "enum" in node:
            return self._one_of(cast("list[Any]", node["enum"]))
        return self._typed(node)

    def _one_of(self, values: list[Any]) -> str:
        """The body of a rule: one of these values; all strings and numbers are one lexeme."""
        plain = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if self._form.kind != "marked":
            plain += [v for v in values if isinstance(v, str)]
        texts = [v for v in values if isinstance(v, str) and self._form.kind == "marked"]
        bodies = [self.exactly(v) for v in values if v is None or isinstance(v, bool | list | dict)]
        if "" in texts:
            bodies.append(self._exact_string(""))
        if any(texts):
            bodies.append(self._marked_text([pattern("|".join(exactly(t) for t in texts if t))]))
        if plain:
            bodies.append(self._rules.terminal("listed", either([self.exactly(v) for v in plain])))
        return either(list(dict.fromkeys(bodies)))

    def arguments(self, node: dict[str, Any], assign: str) -> str:
        """The members of an object as a call's arguments: bare names, `assign`, values, commas; maybe empty."""
        return self._members.body(
            members_in(node, self._defs),
            lambda name, schema: sequence(self._argument_name(name), literal(assign), self._rule("value", schema)),
            lambda key, schema: sequence(self._argument_key(key), literal(assign), self._rule("value", schema)),
            self._comma,
        )

    def exactly(self, value: Any) -> str:
        """The body of a rule: this one value; members of objects in their own order."""
        match value:
            case str():
                return self._exact_string(value)
            case dict():
                members = [
                    sequence(self._key(k), self._colon, self.exactly(v))
                    for k, v in cast("dict[str, Any]", value).items()
                ]
                return self._enclosed("{}", f" {self._comma} ".join(members))
            case list():
                return self._enclosed("[]", f" {self._comma} ".join(self.exactly(v) for v in cast("list[Any]", value)))
            case None | bool():
                return self._words([value])
            case _:
                return either([literal(t) for t in dict.fromkeys([json.dumps(value), *_spellings(value)])])

    def _rule(self, hint: str, node: Node) -> str:
        return self._rules.rule(hint, self.value(node))

    def _reference(self, name: str, node: Node) -> str:
        if name not in self._referred:
            rule = self._referred[name] = self._rules.reserve(name)
            self._rules.define(rule, self.value(node))
        return self._referred[name]

    def _anything(self) -> str:
        if not self._any:
            self._any = self._rules.reserve("any")
            kinds: list[Node] = [{"type": t} for t in ("string", "number", "boolean", "null", "array", "object")]
            self._rules.define(self._any, either([self.value(kind) for kind in kinds]))
        return self._any

    def _typed(self, node: dict[str, Any]) -> str:
        match node["type"]:
            case "string":
                return self._string(node)
            case "number" | "integer":
                return number_terminal(self._rules, node)
            case "boolean":
                return self._words([True, False])
            case "null":
                return self._words([None])
            case "array":
                return self._list(node)
            case _:
                return self._object(node)

    def _words(self, values: list[bool | None]) -> str:
        words = [json.dumps(v) for v in values]
        if self._form.kind == "python":
            words += [repr(v) for v in values]
        return either([literal(word) for word in words])

    def _list(self, node: dict[str, Any]) -> str:
        prefix = cast("list[Node]", node.get("prefixItems", []))
        items = cast("Node", node.get("items", True))
        least, most = cast("int", node.get("minItems", 0)), cast("int | None", node.get("maxItems"))
        room = None if most is None else most - len(prefix)
        further = "" if impossible(items, self._defs) or room == 0 else self._rule("item", items)
        if not prefix:
            return self._enclosed("[]", repeated(further, self._comma, least, most) if further else "")
        body = _further(further, self._comma, max(least - len(prefix), 0), room) if further else ""
        for index in reversed(range(len(prefix))):
            comma = self._comma if index else ""
            body = sequence(comma, self._rule("item", prefix[index]), body)
            if index >= least:
                body = f"({body})?"
        return self._enclosed("[]", body)

    def _object(self, node: dict[str, Any]) -> str:
        body = self._members.body(
            members_in(node, self._defs),
            lambda name, schema: sequence(self._key(name), self._colon, self._rule("value", schema)),
            lambda key, schema: sequence(self._other_key(key), self._colon, self._rule("value", schema)),
            self._comma,
        )
        return self._enclosed("{}", body)

    def _enclosed(self, brackets: str, body: str) -> str:
        return sequence(self._brackets[brackets[0]], body, self._brackets[brackets[1]])

    def _key(self, name: str) -> str:
        if self._form.kind != "marked":
            return self._exact_string(name)
        return literal(name) if _PLAIN_KEY.fullmatch(name) else self._marked_text([pattern(exactly(name))])

    def _other_key(self, key: KeyText) -> str:
        if self._form.kind == "marked":
            return either([self._bare_key(key), self._marked_text(key_conditions(key, "(?s:.*)"))])
        quotes = '"' if self._form.kind == "json" else "\"'"
        return either([self._quoted(q, key_conditions(key, f"[^{q}\\\\{CONTROLS}]*")) for q in quotes])

    def _argument_name(self, name: str) -> str:
        return literal(name) if _PLAIN_KEY.fullmatch(name) else self._exact_key(name)

    def _argument_key(self, key: KeyText) -> str:
        return self._other_key(key) if self._form.kind == "marked" else self._bare_key(key)

    def _exact_key(self, name: str) -> str:
        if self._form.kind == "marked":
            return self._key(name)
        return literal(json.dumps(name, ensure_ascii=False))

    def _bare_key(self, key: KeyText) -> str:
        alphabet = _BARE_KEY if self._form.kind == "marked" else _KEYWORD
        return self._rules.terminal("key", all_of(key_conditions(key, alphabet)))

    def _exact_string(self, text: str) -> str:
        if self._form.kind == "marked":
            mark = self._vocabulary.mark(self._form.quote)
            return self._marked_text([pattern(exactly(text))]) if text else sequence(mark, mark)
        inner = json.dumps(text, ensure_ascii=False)[1:-1]
        spellings = [f'"{inner}"']
        if (ascii_only := json.dumps(text)) != spellings[0]:
            spellings.append(ascii_only)
        if self._form.kind == "python":
            single = inner.replace('\\"', '"').replace("'", "\\'")
            spellings += [f"'{single}'"] if repr(text) == f"'{single}'" else [f"'{single}'", repr(text)]
        return either([literal(s) for s in dict.fromkeys(spellings)])

    def _string(self, node: dict[str, Any]) -> str:
        if self._form.kind == "marked":
            return self._marked_text(conditions(node))
        if self._form.kind == "json":
            return self._quoted_string('"', JSON_ESCAPE, node)
        return either([self._quoted_string(quote, PYTHON_ESCAPE, node) for quote in "\"'"])

    def _quoted_string(self, quote: str, escape: str, node: dict[str, Any]) -> str:
        """A string in quotes. One with a pattern has no escapes but those that JSON needs."""
        avoided = none_within(self._form.avoided)
        if "pattern" in node and quote == '"' and not avoided:
            wanted = {k: v for k, v in node.items() if k in _TEXT_KEYWORDS}
            return self._rules.rule("string", json_value({"type": "string", **wanted}))
        if "pattern" in node:
            plain = pattern(f"[^{quote}\\\\{CONTROLS}]*")
            return self._quoted(quote, [plain, *conditions(node)])
        return self._quoted(quote, [pattern(counted(node, rf"[^{quote}\\{CONTROLS}]|{escape}"))])

    def _quoted(self, quote: str, asked: list[str]) -> str:
        mark = literal(quote)
        return self._rules.terminal("string", sequence(mark, all_of([*asked, *none_within(self._form.avoided)]), mark))

    def _marked_text(self, asked: list[str]) -> str:
        """A text between two marks: one lexeme if the mark is plain text, else a rule."""
        quote = self._form.quote
        pieces = self._vocabulary.pieces(quote)
        mark = self._vocabulary.mark(quote)
        text = self._rules.terminal("text", all_of([*asked, *none_within([quote])]))
        if isinstance(pieces[0], int):
            return sequence(mark, text, mark)
        return self._rules.lazy("marked", sequence(mark, text, mark))


def _further(body: str, separator: str, least: int, most: int | None) -> str:
    """Further items behind others."""
    return f"({sequence(separator, body)}){{{least},{'' if most is None else most}}}"


def _spellings(value: float) -> list[str]:
    """Other ways in which a number of an enumeration may be written."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return [str(int(value))]
    return []
