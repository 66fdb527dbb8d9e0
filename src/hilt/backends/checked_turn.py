"""What leaves of a turn: events whose calls and answer hold to the terms of the request.

What a grammar enforces leaves as it comes, and is checked all the same. What it can't enforce is held back until it is
whole and has been checked, so that a client never sees anything that is taken back.
"""

from typing import TypeAlias

from msgspec import Struct

from hilt.backends.terms import Terms
from hilt.conversation import (
    AnswerRejected,
    ArgumentsDelta,
    BadCall,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    FinishReason,
    ModelEvent,
    PromptRead,
    ThinkingDelta,
    TurnFinished,
    Usage,
)


class BrokenCall(Struct, frozen=True):
    """A call that breaks the schema of its tool; `faults` say how."""

    event: CallFinished
    faults: tuple[str, ...]


class BrokenAnswer(Struct, frozen=True):
    """An answer that breaks its schema; `faults` say how, and `event` would have ended the turn."""

    event: TurnFinished
    content: str
    faults: tuple[str, ...]


Broken: TypeAlias = BrokenCall | BrokenAnswer


class CheckedTurn:
    """The events of one turn, which two attempts of the model may make up.

    `broken` is what was held back and found to break its schema: the turn waits for `go_on`, if the model tries once
    more, or `give_up`. This happens at most once in a turn.
    """

    def __init__(self, terms: Terms, *, constrained: bool) -> None:
        self._terms = terms
        self._constrained = constrained
        self._spent = Usage()
        self._prompt_told = False
        self._waiting: list[ModelEvent] = []
        self._may_mend = True
        self._rejected = False
        self._calls: list[CallFinished] = []
        self._content: list[str] = []
        self._thinking: list[str] = []
        self.broken: Broken | None = None
        self.over = False

    @property
    def calls(self) -> tuple[CallFinished, ...]:
        """The calls of the turn that have left."""
        return tuple(self._calls)

    @property
    def content(self) -> str:
        """What the model has said in this attempt."""
        return "".join(self._content)

    @property
    def thinking(self) -> str:
        """What it has thought in this attempt."""
        return "".join(self._thinking)

    def admit(self, event: ModelEvent) -> list[ModelEvent]:
        """The events that leave now that this one has come."""
        match event:
            case PromptRead():
                told, self._prompt_told = self._prompt_told, True
                return [] if told else [event]
            case ThinkingDelta(text):
                self._thinking.append(text)
                return [event]
            case ContentDelta(text):
                self._content.append(text)
                return self._unless_held(event, held=self._holds_answer)
            case CallStarted(name=name):
                return self._unless_held(event, held=self._holds_call(name))
            case ArgumentsDelta():
                return self._unless_held(event, held=bool(self._waiting))
            case CallFinished():
                return self._finished(event)
            case CallRejected():
                self._rejected = True
                self._waiting.clear()
                return [event]
            case AnswerRejected():
                return [event]
            case TurnFinished(reason, usage):
                return self._ended(reason, usage)

    def go_on(self, spent: Usage, *, constrained: bool) -> None:
        """The model makes another attempt; the one so far has cost `spent`."""
        self._spent += spent
        self._constrained = constrained
        self._forget_broken()
        self._content.clear()
        self._thinking.clear()

    def give_up(self) -> list[ModelEvent]:
        """The events that tell of what is broken, because the model makes no other attempt."""
        broken = self.broken
        self._forget_broken()
        match broken:
            case None:
                return []
            case BrokenCall(event, faults):
                return self._rejected_call(event, faults)
            case BrokenAnswer(event, content, faults):
                self.over = True
                return [AnswerRejected("; ".join(faults), content), event]

    def _forget_broken(self) -> None:
        self.broken = None
        self._may_mend = False
        self._waiting.clear()

    @property
    def _holds_answer(self) -> bool:
        answer = self._terms.answer
        return answer is not None and not (self._constrained and answer.enforced)

    def _holds_call(self, name: str) -> bool:
        tool = self._terms.tools.get(name)
        return tool is not None and not (self._constrained and tool.enforced)

    def _unless_held(self, event: ModelEvent, *, held: bool) -> list[ModelEvent]:
        if not held:
            return [event]
        self._waiting.append(event)
        return []

    def _released(self) -> list[ModelEvent]:
        released, self._waiting = self._waiting, []
        return released

    def _finished(self, event: CallFinished) -> list[ModelEvent]:
        tool = self._terms.tools.get(event.call.name)
        faults = () if tool is None else tool.check.faults(event.call.arguments)
        if not faults:
            self._calls.append(event)
            return [*self._released(), event]
        if self._may_mend and self._holds_call(event.call.name):
            self.broken = BrokenCall(event, faults)
            return []
        self._waiting.clear()
        return self._rejected_call(event, faults)

    def _rejected_call(self, event: CallFinished, faults: tuple[str, ...]) -> list[ModelEvent]:
        self._rejected = True
        call = event.call
        bad = BadCall(
            id=call.id,
            name=call.name,
            reason="invalid_arguments",
            detail="; ".join(faults),
            raw=event.raw or call.arguments,
            arguments=call.arguments,
            wire_id=event.wire_id,
        )
        return [CallRejected(event.index, bad, event.repairs)]

    def _ended(self, reason: FinishReason, usage: Usage) -> list[ModelEvent]:
        if reason != "length":
            reason = "tool_calls" if self._calls else "stop"
        event = TurnFinished(reason, self._spent + usage)
        faultless = reason == "stop" and not self._rejected
        if faultless and self._terms.calls:
            self.over = True
            wrote = self.content or self.thinking
            return [AnswerRejected("the request demands a call of a tool, and the model made none", wrote), event]
        if faultless and self._terms.answer is not None:
            faults = self._terms.answer.check.faults(self.content)
            if faults and self._may_mend and self._holds_answer:
                self.broken = BrokenAnswer(event, self.content, faults)
                return []
            if faults:
                self.over = True
                self._waiting.clear()
                return [AnswerRejected("; ".join(faults), self.content), event]
        self.over = True
        return [*self._released(), event]
