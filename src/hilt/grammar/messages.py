"""Replies that are made of messages, each with a header that says to whom it goes."""

from collections.abc import Sequence
from typing import Any

from hilt.dialects import Dialect
from hilt.dialects.beginnings import openings
from hilt.dialects.spec import Channels, TaggedCall
from hilt.grammar.blocks import BlockWriter
from hilt.grammar.lark import Rules, exactly, json_value, literal, pattern, sequence
from hilt.grammar.payloads import CallWriter, Offer
from hilt.grammar.text import FreeText, Opener, space
from hilt.grammar.vocabulary import Vocabulary

_HEADER = r"[^<\n]"
_ROLE = "assistant"
_NO_RECIPIENT = f" & ~{pattern('(?s:.*)to=(?s:.*)')}"
_ONE_RECIPIENT = f" & ~{pattern('(?s:.*)to=(?s:.*)to=(?s:.*)')}"


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
        call_end = channels.follows or channels.ends[-1]
        self._several = several and not self._ends_turn(call_end)
        self._call_end = "" if self._ends_turn(call_end) else mark(call_end)

    def free(self) -> str:
        """Messages of any kind, in any order."""
        said = sequence(self._any_header(), self._whole_text)
        called = self._call()
        done = f"({said} | {called} {self._call_end or self._gap})"
        last = f"({self._any_header()} ({self._open_text} | {self._whole_text}) | {called} {self._end()})"
        return f"{self._first()} ({done} {self._begin})* {last}"

    def without_calls(self) -> str:
        """Messages to the reader alone."""
        header = self._any_header()
        return f"{self._first()} ({header} {self._whole_text} {self._begin})* {header} ({self._open_text} | {self._whole_text})"

    def forced(self) -> str:
        """Thinking, and then calls."""
        call = self._call()
        more = f"({self._call_end} {self._begin} {call})*" if self._several else ""
        return sequence(self._first(), self._thoughts(), call, more, self._end())

    def answered(self, schema: dict[str, Any] | bool, *, or_calls: bool) -> str:
        """Thinking, and then a JSON value, or a call."""
        answer = f"{self._content_header()} {self._gap} {json_value(schema)} {self._gap}"
        answer = f"({answer} | {self._call()})" if or_calls else answer
        return sequence(self._first(), self._thoughts(), answer, self._end())

    def _ends_turn(self, mark: str) -> bool:
        pieces = self._vocabulary.pieces(mark)
        return bool(pieces) and pieces[0] in self._vocabulary.ends

    def _first(self) -> str:
        """The beginning of the first message, which the prompt may have written."""
        return f"({self._begin})?"

    def _thoughts(self) -> str:
        return f"({self._thought_header()} {self._whole_text} {self._begin})*"

    def _end(self) -> str:
        ends = [self._vocabulary.mark(end) for end in self._inner_ends]
        return f"({' | '.join(ends)})?" if ends else ""

    # Headers

    def _words(self) -> str:
        return self._rules.terminal("words", f"{pattern(f'{_HEADER}{{1,64}}')}{_NO_RECIPIENT}")

    def _other(self) -> str:
        """A special token of a header that says what kind of text follows."""
        channels, vocabulary = self._channels, self._vocabulary
        marks = (channels.start, channels.channel, channels.message, *channels.ends)
        known = [p for mark in marks if mark for p in vocabulary.pieces(mark) if isinstance(p, int)]
        return vocabulary.any_special_but(known)

    def _behind(self) -> str:
        """What may stand in a header behind its channel."""
        other = self._other()
        return f"({other} {self._words()}?){{0,2}}" if other else ""

    def _to(self, names: Sequence[str]) -> str:
        """The body of a rule: a recipient who is no tool."""
        people = "|".join(map(exactly, names))
        return self._rules.terminal("to", f"{pattern(f'({_HEADER}{{0,64}} )?to=({people})[ ]{{0,8}}')}{_ONE_RECIPIENT}")

    def _thought_header(self) -> str:
        channels, mark = self._channels, self._vocabulary.mark
        choices: list[str] = []
        if channels.channel and channels.thinking:
            names = "|".join(map(exactly, channels.thinking))
            name = self._rules.terminal("thinking", f"{pattern(f'[ ]{{0,2}}({names})({_HEADER}{{0,64}})?')}{_NO_RECIPIENT}")
            choices.append(sequence(f"{self._words()}?", mark(channels.channel), name))
        if channels.selves:
            choices.append(self._to(channels.selves))
        return self._rules.rule("thought_header", f"({' | '.join(choices)}) {mark(channels.message)}")

    def _content_header(self) -> str:
        channels, mark = self._channels, self._vocabulary.mark
        to = f"({self._words()} | {self._to(channels.people)})?"
        if not channels.channel:
            return self._rules.rule("content_header", f"{to} {mark(channels.message)}")
        thinking = "|".join(map(exactly, channels.thinking))
        name = f"{pattern(f'{_HEADER}{{1,64}}')}{_NO_RECIPIENT} & ~{pattern(f'[ ]*({thinking})(?s:.*)')}"
        channel = f"({mark(channels.channel)} ({self._rules.terminal('channel', name)} | {self._to(channels.people)}))"
        return self._rules.rule("content_header", sequence(to, channel, self._behind(), mark(channels.message)))

    def _any_header(self) -> str:
        return self._rules.rule("header", f"{self._thought_header()} | {self._content_header()}")

    # Calls

    def _call(self) -> str:
        return self._rules.rule("call", " | ".join(self._call_of(tool) for tool in self._tools))

    def _call_of(self, tool: Offer) -> str:
        channels, mark = self._channels, self._vocabulary.mark
        functions = f"({exactly(channels.functions)})?" if channels.functions else ""
        name = pattern(f"({_HEADER}{{0,64}} )?to={functions}{exactly(tool.name)}")
        to = self._rules.terminal("to_tool", f"{name}{_ONE_RECIPIENT}")
        rest = self._rules.terminal("rest", f"{pattern(f' {_HEADER}{{0,64}}')}{_NO_RECIPIENT}")
        channel = f"({mark(channels.channel)} {self._words()}?)?" if channels.channel else ""
        header = [f"{self._words()}?", channel, to, f"{rest}?", channel, self._behind(), mark(channels.message)]
        return sequence(*header, self._gap, self._body(tool))

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
