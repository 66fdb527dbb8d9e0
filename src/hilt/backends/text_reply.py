"""The text of one reply on its way to events: searched for stop texts, parsed, its calls counted and given ids."""

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from hilt.backends.fresh_ids import FreshIds
from hilt.backends.stops import StopSearch
from hilt.backends.terms import known_tools
from hilt.conversation import (
    ArgumentsDelta,
    CallFinished,
    CallRejected,
    CallStarted,
    FinishReason,
    ModelEvent,
    NoTools,
    Request,
)
from hilt.dialects import Dialect, Parser, ParserEvent

E = TypeVar("E", bound=ModelEvent)


class TextReply:
    """Reads the text that a model writes behind a prompt with this `tail`. Calls are counted from `first_index`.

    `ended` says why the reply is over, once it is: nothing is read behind that.
    """

    def __init__(
        self, request: Request, dialect: Dialect, new_id: Callable[[], str], first_index: int = 0, tail: str = ""
    ) -> None:
        self._first_index = first_index
        self._stops = StopSearch(request.sampling.stop)
        self._parallel_calls = request.parallel_calls
        self._ids = FreshIds(request.messages, new_id, nine=dialect.ids == "nine")
        self._parser = Parser(
            dialect,
            tools=known_tools(request),
            new_id=self._ids.mint,
            prompt=tail,
            calls_allowed=not isinstance(request.tool_choice, NoTools),
        )
        self.ended: FinishReason | None = None

    def feed(self, text: str) -> list[ParserEvent]:
        """What more text means; `ended` is set if it ends the reply."""
        if self.ended is not None:
            return []
        events = self._parsed(self._stops.feed(text))
        if self._stops.found or self._parser.turn_over:
            return [*events, *self._over("stop")]
        if not self._parallel_calls and self._parser.finished_calls:
            self.ended = "tool_calls"
            return up_to_first_call(events)
        return events

    def finish(self, reason: FinishReason) -> list[ParserEvent]:
        """What the end of the text means, which came for this reason."""
        if self.ended is not None:
            return []
        events = [*self._parsed(self._stops.finish()), *self._over(reason)]
        return events if self._parallel_calls else up_to_first_call(events)

    def _parsed(self, text: str) -> list[ParserEvent]:
        return [*map(self._numbered, self._parser.feed(text))] if text else []

    def _over(self, reason: FinishReason) -> list[ParserEvent]:
        events = [*map(self._numbered, self._parser.finish(cut=reason == "length"))]
        self.ended = self._parser.finish_reason
        return events

    def _numbered(self, event: ParserEvent) -> ParserEvent:
        """The event with an id and an index of its own in the whole turn."""
        event = self._ids.renamed(event)
        if self._first_index and isinstance(event, CallStarted | ArgumentsDelta | CallFinished | CallRejected):
            return replace(event, index=event.index + self._first_index)
        return event


def up_to_first_call(events: list[E]) -> list[E]:
    """The events up to the end of the first call that is whole, for a turn that may make only one."""
    first = next((i for i, e in enumerate(events) if isinstance(e, CallFinished)), len(events))
    return events[: first + 1]
