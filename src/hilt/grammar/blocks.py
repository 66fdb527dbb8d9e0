"""Blocks of calls: the marks around calls, and what stands between them."""

import re
from collections.abc import Sequence

from hilt.dialects import Dialect
from hilt.dialects.beginnings import own_mark
from hilt.dialects.spec import NO_MARKS, JsonCall, LiteralCall, Span
from hilt.grammar.lark import Rules, exactly, literal, pattern, sequence
from hilt.grammar.offers import Offer
from hilt.grammar.payloads import GAP, CallWriter
from hilt.grammar.text import Opener, space
from hilt.grammar.vocabulary import Vocabulary

_TOKEN = re.compile(r'"[^"]*"|[^\s]')


class BlockWriter:
    """Writes the rules of blocks in one dialect, for the `tools` that may be called.

    Unless calls may be `several`, a block holds one. `ends_turn` says of a block's marks that the closing one ends the
    turn, so that it is no part of the grammar.
    """

    def __init__(
        self, rules: Rules, vocabulary: Vocabulary, dialect: Dialect, tools: Sequence[Offer], *, several: bool
    ) -> None:
        self._rules = rules
        self._vocabulary = vocabulary
        self._dialect = dialect
        self._tools = tools
        self._several = several
        self._calls = CallWriter(rules, vocabulary, dialect)
        self._gap = space(rules)

    @property
    def spans(self) -> list[Span]:
        """The marks that a block may have; none at all where a call may stand without, as a thing of course. A mark
        with which content may begin opens no block for certain."""
        dialect = self._dialect
        content = dialect.answer.open if dialect.answer is not None else None
        bare = dialect.bare != "never" and not dialect.bare_is_repair
        spans = [span for span in dialect.blocks if span.open != content]
        return list(dict.fromkeys([*spans, *([NO_MARKS] if bare or not dialect.blocks else [])]))

    def block(self, span: Span) -> str:
        """The name of a rule: a whole block between these marks."""
        if self._dialect.echoed:
            bodies = [
                sequence(f"({literal(t.name)})?", self._vocabulary.mark(span.open), self._inside(span, [t]))
                for t in self._tools
            ]
            return self._rules.rule("block", " | ".join(bodies))
        return self._rules.rule("block", sequence(self._vocabulary.mark(span.open), self._inside(span, self._tools)))

    def between(self) -> str:
        """The body of a rule: what stands between two blocks of a turn."""
        mark = self._dialect.between.strip()
        return sequence(self._gap, self._vocabulary.mark(mark), self._gap if mark else "")

    def openers(self) -> list[Opener]:
        """How a block begins in the midst of text, and what follows there."""
        found: list[Opener] = []
        for span in self.spans:
            if span.open:
                found.append(Opener(self._inside(span, self._tools), mark=span.open))
            else:
                found += self._bare_openers()
        return found

    def _inside(self, span: Span, tools: Sequence[Offer]) -> str:
        """The body of a rule: a block from behind its opening mark to behind its closing one."""
        close = self._closing(span.close)
        group = self._dialect.group
        one = self._call(tools, bare=not span.open)
        if group is None:
            return sequence(self._gap, one, self._gap if close else "", close)
        begin, end = self._tokens(group.open), self._tokens(group.close)
        more = f"({self._separator()} {one})*" if self._several else ""
        behind = sequence(self._gap, end) if end else ""
        return sequence(
            self._gap, begin, self._gap if begin else "", one, more, behind, self._gap if close else "", close
        )

    def _call(self, tools: Sequence[Offer], *, bare: bool) -> str:
        """The name of a rule: one call with its marks. Where a block is `bare`, a name that has more than itself behind
        it tells nobody that this is a call."""
        dialect, mark = self._dialect, self._vocabulary.mark
        payloads = [p for p in dialect.payloads if not (bare and isinstance(p, LiteralCall) and p.method)]
        bodies = [self._calls.call(payload, tool) for payload in payloads for tool in tools]
        payload = self._rules.rule("payload", " | ".join(bodies))
        label = sequence(self._gap, mark(dialect.label.strip()), self._gap) if dialect.label else ""
        opened = sequence(mark(dialect.call.open), label or self._gap) if dialect.call.open else label
        closed = sequence(self._gap, self._closing(dialect.call.close)) if dialect.call.close else ""
        return self._rules.rule("call", sequence(opened, payload, closed))

    def _separator(self) -> str:
        group, dialect = self._dialect.group, self._dialect
        assert group is not None
        mark = group.separator.strip()
        if mark:
            return sequence(self._gap, literal(mark), self._gap)
        own = dialect.call.open or not any(isinstance(p, JsonCall | LiteralCall) for p in dialect.payloads)
        if own:
            return self._gap
        return self._rules.terminal("line", pattern(rf"[ \t]{{0,32}}\n{GAP}"))

    def _tokens(self, text: str) -> str:
        """The body of a rule: the tokens of a group's brackets."""
        return f" {self._gap} ".join(literal(token) for token in _TOKEN.findall(text))

    def _closing(self, mark: str) -> str:
        """The body of a rule: a closing mark, unless it ends the turn."""
        pieces = self._vocabulary.pieces(mark)
        if pieces and isinstance(pieces[0], int) and pieces[0] in self._vocabulary.ends:
            return ""
        return self._vocabulary.mark(mark)

    # Blocks without a mark

    def _bare_openers(self) -> list[Opener]:
        """Blocks that begin without a mark: with words of their own, or with a call of one of the tools."""
        group = self._dialect.group
        tokens = _TOKEN.findall(group.open) if group is not None else []
        begin = [exactly(token) for token in tokens]
        openers = self._own_openers()
        if any(len(token) > 1 for token in tokens):
            return [*openers, Opener(self._behind_opening(), regex=GAP.join(begin))]
        calls = self._calls
        for payload in self._dialect.payloads:
            found: list[tuple[str, str]] = []
            match payload:
                case JsonCall(kind=None):
                    found = [(calls.json_head(payload, t), calls.json_rest(payload, t)) for t in self._tools]
                case JsonCall():
                    rests = " | ".join(calls.behind_kind(payload, t) for t in self._tools)
                    found = [(calls.kind_head(payload), self._rules.rule("kind", rests))]
                case LiteralCall() if not payload.method:
                    found = [(calls.literal_head(payload, t), calls.literal_rest(payload, t)) for t in self._tools]
                case _:
                    pass
            for head, rest in found:
                openers.append(Opener(self._behind_first(rest), regex=GAP.join([*begin, head])))
        return openers

    def bare_calls(self) -> list[str]:
        """The regular expressions of bare calls of any tool; behind the name of one that is offered the block has begun
        before they match."""
        bare = any(not span.open for span in self.spans)
        payloads = [p for p in self._dialect.payloads if isinstance(p, JsonCall) and p.kind is None and not p.keyed]
        return [self._calls.any_json_call(payload) for payload in payloads] if bare else []

    def _behind_opening(self) -> str:
        """The body of a rule: a block behind the tokens that open its group."""
        group = self._dialect.group
        assert group is not None
        one = self._call(self._tools, bare=True)
        more = f"({self._separator()} {one})*" if self._several else ""
        return sequence(self._gap, one, more, self._gap, self._tokens(group.close))

    def _own_openers(self) -> list[Opener]:
        """The marks with which payloads themselves begin, and what may follow them: a call, or a mark of content."""
        answer = self._dialect.answer.open if self._dialect.answer is not None else ""
        openers: list[Opener] = []
        for payload in self._dialect.payloads:
            own = own_mark(payload)
            if own:
                calls = [self._calls.call(payload, tool, opened=True) for tool in self._tools]
                other = [literal(answer[len(own) :])] if answer.startswith(own) else []
                openers.append(Opener(self._rules.rule("opened", " | ".join([*calls, *other])), mark=own))
        return openers

    def _behind_first(self, rest: str) -> str:
        """The body of a rule: the rest of a first call, and then of the block."""
        group = self._dialect.group
        if group is None:
            return rest
        end = self._tokens(group.close)
        more = f"({self._separator()} {self._call(self._tools, bare=True)})*" if self._several else ""
        return sequence(rest, more, sequence(self._gap, end) if end else "")
