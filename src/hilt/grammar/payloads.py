"""One call of one tool, as its payload writes it."""

import json
from collections.abc import Sequence

from hilt.dialects import Dialect
from hilt.dialects.spec import HeadedJson, JsonCall, LiteralCall, Payload, TaggedCall
from hilt.grammar.elements import ElementWriter
from hilt.grammar.lark import WHITE_SPACE, Rules, exactly, json_value, literal, pattern, sequence
from hilt.grammar.offers import Offer
from hilt.grammar.text import SPACE_CLASS, space
from hilt.grammar.values import Values
from hilt.grammar.vocabulary import Vocabulary

GAP = f"{WHITE_SPACE}?"
_ID = {"any": "[A-Za-z0-9_-]{1,64}", "nine": "[A-Za-z0-9]{9}", "header": "[A-Za-z0-9_.:-]{1,64}"}


class CallWriter:
    """Writes the rules of calls in one dialect."""

    def __init__(self, rules: Rules, vocabulary: Vocabulary, dialect: Dialect) -> None:
        self._rules = rules
        self._vocabulary = vocabulary
        self._dialect = dialect
        self._written: dict[tuple[Payload, str, str], str] = {}

    def call(self, payload: Payload, tool: Offer, *, opened: bool = False) -> str:
        """The body of a rule: a whole payload; where it is `opened`, without the mark of its own that begins it."""
        key = payload, tool.name, "opened" if opened else "whole"
        if key not in self._written:
            self._written[key] = self._call(payload, tool, opened=opened)
        return self._written[key]

    def _call(self, payload: Payload, tool: Offer, *, opened: bool) -> str:
        match payload:
            case JsonCall():
                head = self._rules.terminal(f"head_{tool.name}", pattern(self.json_head(payload, tool)))
                return sequence(head, self.json_rest(payload, tool))
            case HeadedJson():
                return self._headed(payload, tool, opened=opened)
            case TaggedCall():
                return ElementWriter(self._rules, self._vocabulary, payload, tool).call(opened=opened)
            case LiteralCall():
                head = literal(self._literal_name(payload, tool))
                return sequence(head, self.literal_rest(payload, tool))

    def arguments(self, tool: Offer) -> str:
        """The arguments as a JSON object: the name of a rule."""
        return self._rules.rule(f"arguments_{tool.name}", json_value(tool.parameters))

    def parameters(self, payload: TaggedCall, tool: Offer) -> str:
        """The parameters of a call whose tool is named elsewhere: the name of a rule."""
        return ElementWriter(self._rules, self._vocabulary, payload, tool).parameters()

    def literal_head(self, payload: LiteralCall, tool: Offer) -> str:
        """The regular expression of a call with literals up to its opening bracket."""
        return exactly(self._literal_name(payload, tool))

    def literal_rest(self, payload: LiteralCall, tool: Offer) -> str:
        """The body of a rule: what follows the opening bracket of a call with literals."""
        key = payload, tool.name, "rest"
        if key not in self._written:
            self._written[key] = self._literal_rest(payload, tool)
        return self._written[key]

    def _literal_rest(self, payload: LiteralCall, tool: Offer) -> str:
        gap = space(self._rules)
        values = Values(self._rules, self._vocabulary, tool.definitions)
        bodies: list[str] = []
        for shape in tool.shapes:
            if payload.notation.kind == "marked":
                body = values.marked_arguments(shape, payload.notation.quote, payload.assign)
            else:
                body = values.python_arguments(shape, payload.assign)
            bodies.append(body or '""')
        arguments = self._rules.rule(f"arguments_{tool.name}", " | ".join(bodies))
        return sequence(gap, arguments, gap, literal(payload.brackets.close))

    def _literal_name(self, payload: LiteralCall, tool: Offer) -> str:
        method = f".{payload.method}" if payload.method else ""
        return f"{payload.prefix}{tool.name}{method}{payload.brackets.open}"

    def json_head(self, payload: JsonCall, tool: Offer) -> str:
        """The regular expression of a JSON call up to the tool's name."""
        if payload.keyed:
            return rf"\{{{GAP}{exactly(json.dumps(tool.name, ensure_ascii=False))}"
        members = [_member(payload.name_keys[:1], exactly(json.dumps(tool.name, ensure_ascii=False)))]
        if payload.id_key and payload.id_first:
            members.insert(0, f"({self._id_member(payload)},{GAP})?")
        return f"{self.kind_head(payload)}{',' + GAP if payload.kind else ''}{''.join(members)}"

    def kind_head(self, payload: JsonCall) -> str:
        """The regular expression of the beginning of a JSON call, up to the member that says what it is."""
        kind = "" if payload.kind is None else f"{_member(payload.kind[:1], exactly(json.dumps(payload.kind[1])))}{GAP}"
        return rf"\{{{GAP}{kind}"

    def behind_kind(self, payload: JsonCall, tool: Offer) -> str:
        """The body of a rule: what follows `kind_head` in a call."""
        name = _member(payload.name_keys[:1], exactly(json.dumps(tool.name, ensure_ascii=False)))
        head = self._rules.terminal(f"name_{tool.name}", pattern(f"{GAP},{GAP}{name}"))
        return sequence(head, self.json_rest(payload, tool))

    def any_json_call(self, payload: JsonCall) -> str:
        """The regular expression of a JSON call of any tool up to the beginning of its arguments."""
        name = _member(payload.name_keys, '"[^"]+"')
        call = rf"\{{{GAP}{name}{GAP},{GAP}{_member(payload.argument_keys, '')}\{{"
        return call.replace(GAP, f"{SPACE_CLASS}*")  # counting would cost too much in what no text may hold

    def json_rest(self, payload: JsonCall, tool: Offer) -> str:
        """The body of a rule: what follows the tool's name in a JSON call."""
        gap = space(self._rules)
        if payload.keyed:
            between = f"{GAP}:{GAP}"
            return sequence(self._rules.terminal("colon", pattern(between)), self.arguments(tool), gap, literal("}"))
        keys = payload.argument_keys if payload.any_key else payload.argument_keys[:1]
        between = self._rules.terminal("key", pattern(f"{GAP},{GAP}{_member(keys, '')}"))
        end = self._rules.terminal("end", pattern(rf"{GAP}\}}"))
        if payload.id_key and not payload.id_first:
            end = self._rules.terminal("end", pattern(rf"({GAP},{GAP}{self._id_member(payload)})?{GAP}\}}"))
        return sequence(between, self.arguments(tool), end)

    def _id_member(self, payload: JsonCall) -> str:
        form = f'"{_ID[self._dialect.ids]}"'
        return f"{_member((payload.id_key,), form)}{GAP}"

    def _headed(self, payload: HeadedJson, tool: Offer, *, opened: bool) -> str:
        rules, mark, gap = self._rules, self._vocabulary.mark, space(self._rules)
        name = literal(tool.name)
        if payload.id_is_header:
            name = sequence(literal(f"functions.{tool.name}:"), rules.terminal("count", pattern("[0-9]{1,4}")))
        if payload.id_mark:
            id_ = rules.terminal("id", pattern(_ID[self._dialect.ids]))
            name = sequence(name, f"({mark(payload.id_mark)} {id_})?")
        arguments = self.arguments(tool)
        if payload.fence:
            arguments = sequence(literal("```json"), gap, arguments, gap, literal("```"))
        end = mark(payload.end.rstrip(" \n"))
        line = payload.end[len(payload.end.rstrip(" \n")) :]
        behind = sequence(literal(line), gap) if line and not end else gap
        begin = "" if opened else mark(payload.open)
        return sequence(begin, mark(payload.prefix), name, end, behind, arguments, mark(payload.close))


def _member(keys: Sequence[str], value: str) -> str:
    """The regular expression of a member under one of some keys."""
    names = "|".join(exactly(json.dumps(key)) for key in keys)
    return f"{names if len(keys) == 1 else f'({names})'}{GAP}:{GAP}{value}"
