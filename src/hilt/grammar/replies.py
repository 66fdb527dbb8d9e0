"""A whole reply as a grammar: what a turn may be, given what the request demands of it."""

import json
from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hilt.dialects import Dialect
from hilt.dialects.beginnings import closing_mark, openings
from hilt.dialects.spec import HeadedJson, JsonCall, LiteralCall, Payload, Span, TaggedCall
from hilt.grammar.blocks import BlockWriter
from hilt.grammar.lark import Rules, json_value, sequence
from hilt.grammar.messages import MessageWriter
from hilt.grammar.offers import Offer
from hilt.grammar.text import FreeText, Opener, space
from hilt.grammar.vocabulary import Vocabulary

MOST_FRAMES = 4


class FreeReply(Struct, frozen=True):
    """Text, and calls where the model opens them; `several` may stand in one turn."""

    several: bool = True


class ForcedCalls(Struct, frozen=True):
    """At least one call and nothing else, after thinking; unless `several` may, exactly one."""

    several: bool = True


class NoCalls(Struct, frozen=True):
    """Text in which no call begins."""


class JsonAnswer(Struct, frozen=True):
    """A JSON value that fits a schema, in normal form, after thinking; or calls, if tools are offered."""

    schema: dict[str, Any] | bool
    several: bool = True


T = TypeVar("T")
Demand: TypeAlias = FreeReply | ForcedCalls | NoCalls | JsonAnswer


def write_grammar(
    dialect: Dialect, vocabulary: Vocabulary, tools: Sequence[Offer], demand: Demand, begun: str = ""
) -> str:
    """The grammar of a turn, from its very beginning: what the prompt has `begun` is its first text.

    `tools` are those that may be called. Without any, a free reply is one without calls.
    """
    given = [(tool.name, tool.parameters) for tool in tools]
    dialect = native(dialect, vocabulary)
    rules = Rules(forcing=not _spells_special([given, demand], vocabulary))
    several = demand.several if isinstance(demand, FreeReply | ForcedCalls | JsonAnswer) else False
    if isinstance(demand, FreeReply) and not tools:
        demand = NoCalls()
    if dialect.channels is not None:
        writer = MessageWriter(rules, vocabulary, dialect, dialect.channels, tools, several=several)
    else:
        blocks = BlockWriter(rules, vocabulary, dialect, tools, several=several)
        writer = _ReplyWriter(rules, vocabulary, dialect, blocks, begun, several=several)
    match demand:
        case FreeReply():
            start = writer.free()
        case NoCalls():
            start = writer.without_calls()
        case ForcedCalls():
            start = writer.forced()
        case JsonAnswer(schema):
            start = writer.answered(schema, or_calls=bool(tools))
    return rules.text(start)


def native(dialect: Dialect, vocabulary: Vocabulary) -> Dialect:
    """The dialect without the variants of other models: where some marks are special tokens of this model, the others
    are none of its."""
    blocks = _of_this_model(dialect.blocks, [span.open for span in dialect.blocks], vocabulary)
    payloads = _of_this_model(dialect.payloads, [_mark_in(p) for p in dialect.payloads], vocabulary)
    return replace(dialect, blocks=blocks, payloads=payloads)


def _of_this_model(variants: tuple[T, ...], marks: Sequence[str], vocabulary: Vocabulary) -> tuple[T, ...]:
    """The first variant, those without a mark, and those whose mark holds a special token; all if none does."""
    own = [any(isinstance(piece, int) for piece in vocabulary.pieces(mark)) for mark in marks]
    if not any(own):
        return variants
    kept = zip(variants, own, marks, strict=True)
    return tuple(v for v, is_own, mark in kept if is_own or not mark or v == variants[0])


def _mark_in(payload: Payload) -> str:
    match payload:
        case TaggedCall():
            return payload.parameter.open
        case HeadedJson():
            return payload.open + payload.prefix + payload.end.strip()
        case LiteralCall():
            return payload.notation.quote
        case JsonCall():
            return ""


def _spells_special(given: Any, vocabulary: Vocabulary) -> bool:
    """Whether a special token is spelled in what the grammar has from a request."""
    texts = msgspec.json.encode(given).decode()
    return any(mark in texts or json.dumps(mark, ensure_ascii=False)[1:-1] in texts for mark in vocabulary.special)


def marks_of(dialect: Dialect) -> list[str]:
    """The marks of a dialect that end something, or that a reply may be obliged to have."""
    spans = [*dialect.blocks, dialect.call, *(s for s in (dialect.thought, *dialect.thoughts) if s is not None)]
    marks = [mark for span in spans for mark in (span.close, span.open)] + [dialect.label.strip()]
    for payload in dialect.payloads:
        match payload:
            case TaggedCall(function, parameter):
                marks += [parameter.close, function.close, parameter.open, parameter.value_open, function.value_open]
            case HeadedJson():
                marks += [
                    payload.close,
                    payload.end,
                    payload.id_mark,
                    payload.prefix,
                    "```json" if payload.fence else "",
                ]
            case LiteralCall():
                marks += [payload.notation.quote, payload.brackets.close]
            case JsonCall():
                pass
    channels = dialect.channels
    if channels is not None:
        marks += [*channels.ends, channels.start, channels.channel, channels.message, " to="]
    return [mark for mark in dict.fromkeys(marks) if mark.strip() and "{" not in mark]


class _ReplyWriter:
    def __init__(
        self,
        rules: Rules,
        vocabulary: Vocabulary,
        dialect: Dialect,
        blocks: BlockWriter,
        begun: str,
        *,
        several: bool,
    ) -> None:
        self._rules = rules
        self._vocabulary = vocabulary
        self._dialect = dialect
        self._blocks = blocks
        self._begun = begun
        self._several = several
        self._gap = space(rules)

    def free(self) -> str:
        """Text and calls in any order."""
        openers = self._blocks.openers()
        known = {o.mark for o in openers}
        others = [mark for mark in self._banned() if mark not in known]
        text = FreeText(self._rules, self._vocabulary, openers, others, self._blocks.bare_calls())
        opened = self._rules.rule("opened", " | ".join(text.opened()))
        return f"{opened}* {text.free()}"

    def without_calls(self) -> str:
        """Text alone."""
        openers = self._blocks.openers()
        marks = dict.fromkeys([*(o.mark for o in openers if o.mark), *self._banned()])
        bare = [o for o in openers if o.regex]
        return FreeText(self._rules, self._vocabulary, bare, list(marks), self._blocks.bare_calls()).free()

    def _banned(self) -> list[str]:
        """The marks that have no place in text: those behind which a call may be read, and those that close one. Not
        those that may also stand around content or thoughts."""
        dialect = self._dialect
        spans = [dialect.answer, dialect.thought, *dialect.thoughts]
        free = {mark for span in spans if span is not None for mark in (span.open, span.close)}
        free |= {*dialect.frames, *dialect.ends}
        closes = [span.close for span in (*dialect.blocks, dialect.call)] + [closing_mark(p) for p in dialect.payloads]
        marks = [*openings(dialect), *(mark for mark in closes if mark.startswith(("<", "[", "]")))]
        return [mark for mark in dict.fromkeys(marks) if mark not in free]

    def forced(self) -> str:
        """Thinking, and then calls."""
        return sequence(self._thought(), self._framed(self._calls()))

    def answered(self, schema: dict[str, Any] | bool, *, or_calls: bool) -> str:
        """Thinking, and then a JSON value, or calls."""
        answer = self._rules.rule("answer", json_value(schema))
        answer = f"({answer} | {self._calls()})" if or_calls else answer
        around = self._dialect.answer
        if around is not None and self._is_token(around.open) and self._is_token(around.close):
            begin, end = self._vocabulary.mark(around.open), self._vocabulary.mark(around.close)
            answer = f"({answer} | {begin} {self._gap} {answer} {self._gap} {end})"
        return sequence(self._thought(), self._framed(answer))

    def _calls(self) -> str:
        block = self._rules.rule("blocks", " | ".join(self._blocks.block(span) for span in self._blocks.spans))
        return f"{block} ({self._blocks.between()} {block})*" if self._several else block

    def _framed(self, body: str) -> str:
        """What holds the body of a turn: marks that are no content, white space, a mark at its end."""
        framing = [self._vocabulary.mark(text) for text in self._dialect.frames if self._is_token(text)]
        frames = f"({' | '.join(framing)}){{0,{MOST_FRAMES}}}" if framing else ""
        ends = [self._vocabulary.mark(text) for text in self._dialect.ends if self._is_token(text)]
        end = f"({' | '.join(ends)})?" if ends else ""
        behind = sequence(self._gap, frames) if frames else ""
        return sequence(self._gap, frames, self._gap if frames else "", f"({body})", behind, end)

    def _thought(self) -> str:
        """Thinking, if the model does: text up to the mark that closes it."""
        dialect = self._dialect
        spans = [span for span in (dialect.thought, *dialect.thoughts) if span is not None]
        choices = [self._thinking(span) for span in spans if self._is_known(span)]
        return f"({self._gap} {self._rules.rule('thought', ' | '.join(choices))})?" if choices else ""

    def _thinking(self, span: Span) -> str:
        dialect = self._dialect
        spans = [s for s in (dialect.thought, *dialect.thoughts) if s is not None]
        others = [mark for s in spans for mark in (s.open, s.close) if mark not in ("", span.close)]
        text = FreeText(self._rules, self._vocabulary, [Opener("", mark=span.close)], [*others, *self._banned()])
        return sequence(self._vocabulary.mark(span.open), *text.opened())

    def _is_known(self, span: Span) -> bool:
        """Whether the model thinks between these marks: they are tokens of its own, or the prompt ends in one."""
        if not (span.open and span.close):
            return False
        return self._begun == span.open.rstrip() or isinstance(self._vocabulary.pieces(span.open)[0], int)

    def _is_token(self, mark: str) -> bool:
        pieces = self._vocabulary.pieces(mark)
        return all(isinstance(p, int) and p not in self._vocabulary.ends for p in pieces)
