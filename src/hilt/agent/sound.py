"""The turn of any backend as the contract of events has it, whatever the backend does.

Calls get consecutive indices from 0, each an announcement, arguments that its deltas spell, and an id that no other
call of the conversation has; a call that was announced and never ended is rejected; nothing comes after the end. A call
of a tool under another of its names is a call of it.
"""

from collections.abc import Callable, Collection

from msgspec import Struct, structs

from hilt.conversation import (
    AnswerRejected,
    ArgumentsDelta,
    BadCall,
    Call,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    ModelEvent,
    PromptRead,
    ThinkingDelta,
    TurnFinished,
)


class _Open(Struct):
    """A call that has begun: its index and id here, and what has been written of it."""

    index: int
    id: str
    name: str
    written: str = ""


class SoundTurn:
    """Mends the events of one turn; `taken` are the ids of the calls before it, and `is_tool` says whether a name that
    the backend doesn't know is one of a tool that may be called."""

    def __init__(self, taken: Collection[str], is_tool: Callable[[str], bool]) -> None:
        self._taken = set(taken)
        self._is_tool = is_tool
        self._open: dict[int, _Open] = {}
        self._calls = 0

    def mended(self, event: ModelEvent) -> list[ModelEvent]:
        """What the event stands for, in order."""
        match event:
            case PromptRead() | ContentDelta() | ThinkingDelta() | AnswerRejected():
                return [event]
            case CallStarted(index, id, name):
                cut = self._rejected(index)
                begun = self._open[index] = self._begun(id, name)
                return [*cut, CallStarted(begun.index, begun.id, name)]
            case ArgumentsDelta(index, text):
                if index not in self._open:
                    return []
                self._open[index].written += text
                return [ArgumentsDelta(self._open[index].index, text)]
            case CallFinished():
                return self._finished(event)
            case CallRejected(index, bad, repairs):
                if bad.reason == "unknown_tool" and bad.arguments is not None and self._is_tool(bad.name or ""):
                    call = Call(bad.id, bad.name or "", bad.arguments)
                    return self._finished(CallFinished(index, call, repairs, bad.raw, bad.wire_id))
                begun = self._open.pop(index, None) or self._begun(bad.id, bad.name or "")
                return [structs.replace(event, index=begun.index, bad=structs.replace(bad, id=begun.id))]
            case TurnFinished():
                cut = [rejected for index in list(self._open) for rejected in self._rejected(index)]
                return [*cut, event]

    def _finished(self, event: CallFinished) -> list[ModelEvent]:
        call = event.call
        told: list[ModelEvent] = []
        begun = self._open.get(event.index)
        if begun is not None and not (begun.name == call.name and call.arguments.startswith(begun.written)):
            # What was told of the call isn't what it came to be.
            told += self._rejected(event.index)
            begun = None
        if begun is None:
            begun = self._begun(call.id, call.name)
            told.append(CallStarted(begun.index, begun.id, call.name))
        self._open.pop(event.index, None)
        rest = call.arguments[len(begun.written) :]
        if rest:
            told.append(ArgumentsDelta(begun.index, rest))
        return [*told, structs.replace(event, index=begun.index, call=structs.replace(call, id=begun.id))]

    def _begun(self, id: str, name: str) -> _Open:
        begun = _Open(self._calls, unique(id, self._taken), name)
        self._taken.add(begun.id)
        self._calls += 1
        return begun

    def _rejected(self, index: int) -> list[CallRejected]:
        """The end of a call that was begun and never ended, if there is one."""
        begun = self._open.pop(index, None)
        if begun is None:
            return []
        bad = BadCall(begun.id, begun.name, "truncated", "the call has no end", begun.written)
        return [CallRejected(begun.index, bad)]


def unique(id: str, taken: Collection[str]) -> str:
    """The id, or one like it that is not taken."""
    free = id or "call"
    number = 1
    while free in taken:
        number += 1
        free = f"{id or 'call'}_{number}"
    return free
