"""The deltas of a server that makes calls itself, on their way to events.

Calls are told when the reply is over, one after the other: servers may write several at once, in pieces that alternate,
and nothing of a call leaves before it is whole and checked anyway.
"""

import json
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from hilt.backends.fresh_ids import FreshIds
from hilt.backends.openai_wire import WireCall, WireDelta, WireFunction, text_of
from hilt.backends.stops import StopSearch
from hilt.backends.text_reply import up_to_first_call
from hilt.conversation import (
    ArgumentsDelta,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    FinishReason,
    Request,
    ThinkingDelta,
    ToolSpec,
    callable_tools,
)
from hilt.dialects import ParserEvent
from hilt.dialects.event_log import EventLog
from hilt.dialects.open_call import OpenCall
from hilt.dialects.repairs import Repair
from hilt.dialects.strict_json import Malformed, load_object, load_value
from hilt.dialects.values import mend_value


class _Pieces:
    """A call whose pieces are coming."""

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments = ""

    def is_whole(self) -> bool:
        try:
            load_object(self.arguments)
        except Malformed:
            return False
        return True


class NativeReply:
    """Reads the deltas of one reply. Calls are counted from `first_index`; `ended` says why it is over."""

    def __init__(self, request: Request, new_id: Callable[[], str], first_index: int = 0) -> None:
        self._tools: Mapping[str, ToolSpec] = {tool.name: tool for tool in callable_tools(request)}
        self._parallel_calls = request.parallel_calls
        self._first_index = first_index
        self._new_id = new_id
        self._ids = FreshIds(request.messages, new_id, nine=False)
        self._stops = StopSearch(request.sampling.stop)
        self._calls: list[_Pieces] = []
        self._by_index: dict[int, _Pieces] = {}
        self.ended: FinishReason | None = None

    def feed(self, delta: WireDelta) -> list[ParserEvent]:
        """What a delta says at once; its calls are kept."""
        events: list[ParserEvent] = []
        thinking = delta.reasoning_content or delta.reasoning
        if thinking:
            events.append(ThinkingDelta(thinking))
        content = self._stops.feed(text_of(delta))
        if content:
            events.append(ContentDelta(content))
        if delta.function_call is not None:
            self._take(WireCall(index=0, function=delta.function_call))
        for call in delta.tool_calls or []:
            self._take(call)
        return events

    def finish(self, reason: FinishReason) -> list[ParserEvent]:
        """What was kept, now that the reply is over for this reason."""
        rest = self._stops.finish()
        events: list[ParserEvent] = [ContentDelta(rest)] if rest else []
        log = EventLog()
        for number, pieces in enumerate(self._calls):
            self._tell(pieces, number, log, cut=reason == "length" and number == len(self._calls) - 1)
        told = log.drain()
        events += [self._ids.renamed(event) for event in (told if self._parallel_calls else up_to_first_call(told))]
        finished = any(isinstance(event, CallFinished) for event in events)
        cut = reason == "length" or log.truncated
        self.ended = "length" if cut else ("tool_calls" if finished else "stop")
        return [self._numbered(event) for event in events]

    def _take(self, wire: WireCall) -> None:
        function = wire.function or WireFunction()
        pieces = self._place(wire, function)
        pieces.id = pieces.id or wire.id or ""
        pieces.name = pieces.name or function.name or ""
        arguments = function.arguments
        if isinstance(arguments, dict):
            pieces.arguments = json.dumps(arguments, ensure_ascii=False)
        elif arguments:
            pieces.arguments += arguments

    def _place(self, wire: WireCall, function: WireFunction) -> _Pieces:
        """The call that a piece belongs to.

        By its index, unless another id, or another name behind a whole call, shows that the server gives all calls one
        index. Without an index by its id; and without either, a name begins a call.
        """
        if wire.index is not None:
            known = self._by_index.get(wire.index)
            if known is not None and not _begins_other(wire, function, known):
                return known
            made = self._by_index[wire.index] = self._new()
            return made
        if wire.id:
            same = next((pieces for pieces in self._calls if pieces.id == wire.id), None)
            return same if same is not None else self._new()
        if function.name or not self._calls:
            return self._new()
        return self._calls[-1]

    def _new(self) -> _Pieces:
        self._calls.append(_Pieces())
        return self._calls[-1]

    def _tell(self, pieces: _Pieces, number: int, log: EventLog, *, cut: bool) -> None:
        call = OpenCall(log, number, self._new_id, self._tools, keeps_wire_id=True)
        raw = pieces.arguments
        call.identified(pieces.id)
        if cut and not pieces.is_whole():
            call.name = pieces.name or None
            call.reject("truncated", "the reply ended in the middle of this call", raw)
            return
        try:
            arguments = _mended(raw, call.repairs)
            call.named(pieces.name)
            call.arguments(arguments)
            call.check()
        except Malformed as problem:
            call.name = pieces.name or None
            call.reject("malformed", str(problem), raw)
            return
        call.finish(raw)

    def _numbered(self, event: ParserEvent) -> ParserEvent:
        if self._first_index and isinstance(event, CallStarted | ArgumentsDelta | CallFinished | CallRejected):
            return replace(event, index=event.index + self._first_index)
        return event


def _mended(raw: str, repairs: set[Repair]) -> str:
    """The arguments as they are if they are well, else as the text of a dialect that writes JSON would be mended.

    Malformed if they can't be read.
    """
    if not raw.strip():
        return "{}"
    try:
        load_object(raw)
        return raw
    except Malformed:
        mended = mend_value(raw.strip(), repairs)
    value = load_value(mended)
    if value is None:
        repairs.add("null_arguments")
        return "{}"
    if isinstance(value, str):
        repairs.add("string_arguments")
        mended = mend_value(value, repairs) if value.strip() else "{}"
    load_object(mended)
    return mended


def _begins_other(wire: WireCall, function: WireFunction, known: _Pieces) -> bool:
    """Whether a piece with the index of a known call belongs to another one all the same."""
    if wire.id and known.id:
        return wire.id != known.id and bool(function.name)
    return bool(function.name and function.arguments) and known.is_whole()
