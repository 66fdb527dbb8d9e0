"""Replies that are made of messages, each with a header that says to whom it goes."""

from collections.abc import Sequence
from typing import Any

from hilt.dialects import Dialect
from hilt.dialects.beginnings import openings
from hilt.dialects.spec import Channels, TaggedCall
from hilt.grammar.blocks import BlockWriter
from hilt.grammar.lark import Rules, either, exactly, json_value, literal, pattern, sequence
from hilt.grammar.offers import Offer
from hilt.grammar.payloads import CallWriter
from hilt.grammar.text import FreeText, Opener, space
from hilt.grammar.vocabulary import Vocabulary, written

_ROLE = "assistant"
_WORD = "[a-z]{1,16}"


class MessageWriter:
    """Writes the rules of messages in a dialect with channels."""

    def __init__(
        self,
        rules: Rules,
        vocabulary: Vocabulary,
        dialect: Dialect,
        channels: Channels,
        tools: Sequence[Offer],
        *,
        several: bool,
    ) -> None:
        self._rules = rules
        self._vocabulary = vocabulary
        self._dialect = dialect
        self._channels = channels
        self._tools = tools
        self._gap = space(rules)
        mark = vocabulary.mark
        self._begin = sequence(mark(channels.start), literal(_ROLE))
        self._inner_ends = [end for end in channels.ends if not self._ends_turn(end)]
        text = FreeText(
            rules,
            vocabulary,
            [Opener("", mark=end) for end in self._inner_ends],
            list(filter(None, (channels.start, channels.channel, channels.message, *openings(dialect)))),
        )
        self._open_text = rules.rule("text", text.free())
        self._whole_text = rules.rule("message", " | ".join(text.opened()))
        self._end = either([mark(end) for end in self._inner_ends]) if self._inner_ends else ""
        self._several = several and self._end != ""

    def free(self) -> str:
        """Messages of any kind, in any order."""
        said = sequence(self._any_header(), self._whole_text)
        called = self._call()
        done = f"({said} | {called} {self._end})" if self._end else said
        last = f"({self._any_header()} ({self._open_text} | {self._whole_text}) | {called} {self._last()})"
        return f"{self._first()} ({done} {self._begin})* {last}"

    def without_calls(self) -> str:
        """Messages to the reader alone."""
        header = self._any_header()
        last = f"({self._open_text} | {self._whole_text})"
        return f"{self._first()} ({header} {self._whole_text} {self._begin})* {header} {last}"

    def forced(self) -> str:
        """Thinking, and then calls."""
        call = self._call()
        more = f"({self._end} {self._begin} {call})*" if self._several else ""
        return sequence(self._first(), self._thoughts(), call, more, self._last())

    def answered(self, schema: dict[str, Any] | bool, *, or_calls: bool) -> str:
        """Thinking, and then a JSON value, or a call."""
        answer = f"{self._content_header()} {self._gap} {json_value(schema)} {self._gap}"
        answer = f"({answer} | {self._call()})" if or_calls else answer
        return sequence(self._first(), self._thoughts(), answer, self._last())

    def _ends_turn(self, mark: str) -> bool:
        pieces = self._vocabulary.pieces(mark)
        return bool(pieces) and pieces[0] in self._vocabulary.ends

    def _first(self) -> str:
        """The beginning of the first message, which the prompt may have written."""
        return f"({self._begin})?"

    def _thoughts(self) -> str:
        return f"({self._thought_header()} {self._whole_text} {self._begin})*"

    def _last(self) -> str:
        """What may stand at the end of the last message; a token that ends the turn ends it as well."""
        return f"{self._end}?" if self._end else ""

    # Headers

    def _word(self) -> str:
        """A channel, or a kind of text."""
        return self._rules.terminal("word", pattern(_WORD))

    def _behind(self) -> str:
        """What may stand in a header behind its channel: what kind of text follows."""
        usual = self._vocabulary.pieces(self._channels.call_header)
        known = self._vocabulary.pieces(self._channels.channel)
        marks = [written([piece]) for piece in usual if isinstance(piece, int) and piece not in known]
        kind = self._rules.terminal("kind", pattern(f"[ ]{{1,2}}({_WORD})?"))
        return f"{kind}? ({either(marks)} {self._word()}?)?" if marks else f"{kind}?"

    def _to(self, names: Sequence[str]) -> str:
        """The name of a terminal: a recipient who is no tool."""
        people = "|".join(map(exactly, names))
        return self._rules.terminal("to", pattern(f"[ ]to=({people})"))

    def _thought_header(self) -> str:
        channels, mark = self._channels, self._vocabulary.mark
        choices: list[str] = []
        if channels.channel and channels.thinking:
            names = "|".join(map(exactly, channels.thinking))
            name = self._rules.terminal("thinking", pattern(f"[ ]?({names})"))
            choices.append(sequence(mark(channels.channel), name, self._behind()))
        if channels.selves:
            choices.append(self._to(channels.selves))
        return self._rules.rule("thought_header", f"({' | '.join(choices)}) {mark(channels.message)}")

    def _content_header(self) -> str:
        channels, mark = self._channels, self._vocabulary.mark
        to = self._to(channels.people)
        if not channels.channel:
            return self._rules.rule("content_header", f"{to} {mark(channels.message)}")
        thinking = pattern("|".join(f"[ ]?{exactly(name)}" for name in channels.thinking))
        name = self._rules.terminal("channel", f"{pattern(f'[ ]?{_WORD}')} & ~{thinking}")
        channel = sequence(mark(channels.channel), name)
        return self._rules.rule(
            "content_header",
            sequence(f"({to}? {channel} | {channel} {to})", self._behind(), mark(channels.message)),
        )

    def _any_header(self) -> str:
        return self._rules.rule("header", f"{self._thought_header()} | {self._content_header()}")

    # Calls

    def _call(self) -> str:
        return self._rules.rule("call", " | ".join(self._call_of(tool) for tool in self._tools))

    def _call_of(self, tool: Offer) -> str:
        channels, mark = self._channels, self._vocabulary.mark
        functions = f"({exactly(channels.functions)})?" if channels.functions else ""
        to = self._rules.terminal("to_tool", pattern(f"[ ]to={functions}{exactly(tool.name)}"))
        channel = f"{mark(channels.channel)} {self._word()}" if channels.channel else ""
        usual = mark(channels.call_header.partition("{name}")[2])
        addressed = f"({to} ({channel})? | {channel} {to})" if channel else to
        other = [f"{before} {to} {usual}" for before in ([channel] if channel else []) + [""]] if usual else []
        header = " | ".join([f"{addressed} {self._behind()}", *other])
        return sequence(f"({header})", mark(channels.message), self._gap, self._body(tool))

    def _body(self, tool: Offer) -> str:
        calls = CallWriter(self._rules, self._vocabulary, self._dialect)
        match self._channels.body:
            case "arguments":
                return sequence(calls.arguments(tool), self._gap)
            case "parameters":
                payload = self._dialect.payload
                assert isinstance(payload, TaggedCall)
                return sequence(calls.parameters(payload, tool), self._gap)
            case "block":
                blocks = BlockWriter(self._rules, self._vocabulary, self._dialect, [tool], several=False)
                choices = [blocks.block(span) for span in blocks.spans]
                return sequence(self._rules.rule("blocks", " | ".join(choices)), self._gap)
