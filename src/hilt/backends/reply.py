"""The text of one reply on its way to events: detokenised, searched for stop texts, parsed."""

from collections.abc import Callable

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
    PromptRead,
    Request,
    TurnFinished,
    Usage,
)
from hilt.dialects import Dialect, Parser, ParserEvent
from hilt.engine.detokenizing import Detokenizer
from hilt.engine.door import JobDone, JobFailed, Output, PromptDone, TokenOut
from hilt.prompting import Prompt


class Reply:
    """Reads what the engine puts out for one prompt. Calls are counted from `first_index`."""

    def __init__(
        self,
        request: Request,
        prompt: Prompt,
        dialect: Dialect,
        new_id: Callable[[], str],
        detokenizer: Detokenizer,
        first_index: int = 0,
    ) -> None:
        self._prompt_tokens = len(prompt.tokens)
        self._cached_tokens = 0
        self._tokens = 0
        self._detokenizer = detokenizer
        self._first_index = first_index
        self._stops = StopSearch(request.sampling.stop)
        self._parallel_calls = request.parallel_calls
        self._ids = FreshIds(request.messages, new_id, nine=dialect.ids == "nine")
        self._parser = Parser(
            dialect,
            tools=known_tools(request),
            new_id=self._ids.mint,
            prompt=prompt.tail,
            calls_allowed=not isinstance(request.tool_choice, NoTools),
        )

    @property
    def usage(self) -> Usage:
        """What has been read and written so far."""
        return Usage(self._prompt_tokens, self._cached_tokens, self._tokens)

    def take_in(self, output: Output) -> list[ModelEvent]:
        """What an output of the engine means; raises the error of a job that failed."""
        match output:
            case PromptDone(cached_tokens):
                self._cached_tokens = cached_tokens
                return [PromptRead(self._prompt_tokens, cached_tokens)]
            case TokenOut(token):
                self._tokens += 1
                events = self._feed(self._stops.feed(self._detokenizer.add(token)))
                if self._stops.found or self._parser.turn_over:
                    return [*events, *self._finish("stop")]
                if not self._parallel_calls and self._parser.finished_calls:
                    return [*_up_to_first_call(events), self._end("tool_calls")]
                return events
            case JobDone(reason, tokens):
                self._tokens = tokens
                rest = self._stops.feed(self._detokenizer.finish()) + self._stops.finish()
                events = [*self._feed(rest), *self._finish("stop" if self._stops.found else reason)]
                return events if self._parallel_calls else _up_to_first_call(events[:-1]) + events[-1:]
            case JobFailed(error):
                raise error

    def _feed(self, text: str) -> list[ModelEvent]:
        return [*map(self._numbered, self._parser.feed(text))] if text else []

    def _finish(self, reason: FinishReason) -> list[ModelEvent]:
        events = map(self._numbered, self._parser.finish(cut=reason == "length"))
        return [*events, self._end(self._parser.finish_reason)]

    def _end(self, reason: FinishReason) -> TurnFinished:
        return TurnFinished(reason, self.usage)

    def _numbered(self, event: ParserEvent) -> ParserEvent:
        """The event with an id and an index of its own in the whole turn."""
        event = self._ids.renamed(event)
        if self._first_index and isinstance(event, CallStarted | ArgumentsDelta | CallFinished | CallRejected):
            return replace(event, index=event.index + self._first_index)
        return event


def _up_to_first_call(events: list[ModelEvent]) -> list[ModelEvent]:
    """The events up to the end of the first call that is whole, for a turn that may make only one."""
    first = next((i for i, e in enumerate(events) if isinstance(e, CallFinished)), len(events))
    return events[: first + 1]
