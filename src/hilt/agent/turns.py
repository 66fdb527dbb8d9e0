"""One turn of the model: asked, heard within its time, and taken note of."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing

from msgspec import structs

from hilt.agent.citing import MarkFilter
from hilt.agent.sound import SoundTurn
from hilt.backends import Backend
from hilt.conversation import (
    AnswerRejected,
    Assistant,
    Bug,
    CallFinished,
    CallRejected,
    ContentDelta,
    HiltError,
    ModelEvent,
    PromptRead,
    Request,
    ThinkingDelta,
    Turn,
    TurnFinished,
    Usage,
    merge,
)
from hilt.traces import TurnRecord


class HeardTurn:
    """A turn that is being heard, for `timeout_s` seconds at most.

    Marks of sources that don't exist are taken out where `sources` says how many there are; None leaves the text as it
    is. `taken` are the ids of earlier calls, `is_tool` knows the other names of tools. `failed` is why the turn broke
    off, `timed_out` says that its time was up.
    """

    def __init__(
        self,
        backend: Backend,
        request: Request,
        *,
        timeout_s: float,
        sources: int | None,
        taken: Collection[str],
        is_tool: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        self._backend = backend
        self._request = request
        self._timeout_s = timeout_s
        self._filter = None if sources is None else MarkFilter(sources)
        self._sound = SoundTurn(taken, is_tool)
        self._clock = clock
        self._began_s = clock()
        self._first_s: float | None = None
        self._raw: list[str] = []
        self._events: list[ModelEvent] = []
        self.failed: HiltError | None = None
        self.timed_out = False

    async def stream(self) -> AsyncGenerator[ModelEvent]:
        """The events of the turn, up to its end or to where it breaks off."""
        try:
            async with aclosing(self._backend.stream(self._request)) as stream:
                while not self._ended and (event := await self._next(stream)) is not None:
                    for mended in self._sound.mended(event):
                        for told in self._told(mended):
                            self._events.append(told)
                            yield told
        except HiltError as error:
            self.failed = error
        except Exception as fault:  # noqa: BLE001 - a backend may be anybody's code, and the run must have an end
            self.failed = Bug(f"the backend of {self._request.model} failed: {type(fault).__name__}")
            self.failed.__cause__ = fault
        if self.failed is None and not self.timed_out and self.turn is None:
            self.failed = Bug(f"the backend of {self._request.model} ended its turn without saying so")

    @property
    def turn(self) -> Turn | None:
        """The turn, if it is whole."""
        return merge(self._events) if self._ended else None

    @property
    def _ended(self) -> bool:
        return bool(self._events) and isinstance(self._events[-1], TurnFinished)

    @property
    def said(self) -> Assistant | None:
        """What was said of a turn that isn't whole, without its calls; None if nothing was."""
        events = [event for event in self._events if not isinstance(event, TurnFinished)]
        message = merge([*events, TurnFinished("stop", Usage())]).message
        return structs.replace(message, calls=()) if message.content else None

    def record(self, run_id: str, number: int, started_s: float) -> TurnRecord:
        """What is remembered of it; `started_s` is in seconds since 1970."""
        events = self._events
        finished = events[-1] if self.turn is not None else None
        calls = tuple((e.call.name, e.call.arguments) for e in events if isinstance(e, CallFinished))
        rejected = [e.bad.detail for e in events if isinstance(e, CallRejected)]
        rejected += [e.detail for e in events if isinstance(e, AnswerRejected)]
        broken = "timed_out" if self.timed_out else "broken_off"
        return TurnRecord(
            run_id=run_id,
            number=number,
            started_s=started_s,
            duration_s=self._clock() - self._began_s,
            first_token_s=self._first_s,
            finish=finished.reason if isinstance(finished, TurnFinished) else broken,
            usage=finished.usage if isinstance(finished, TurnFinished) else Usage(),
            raw="".join(self._raw),
            content="".join(e.text for e in events if isinstance(e, ContentDelta)),
            calls=calls,
            rejected=tuple(rejected),
        )

    async def _next(self, stream: AsyncGenerator[ModelEvent]) -> ModelEvent | None:
        left_s = self._timeout_s - (self._clock() - self._began_s)
        if left_s <= 0:  # a backend that never waits never gives way to a timer
            self.timed_out = True
            return None
        limit = asyncio.timeout(left_s)
        event: ModelEvent | None = None
        try:
            async with limit:
                event = await anext(stream, None)
        except TimeoutError:
            if not limit.expired():
                raise
        self.timed_out = limit.expired()
        return None if self.timed_out else event

    def _told(self, event: ModelEvent) -> list[ModelEvent]:
        """The events that leave now that this one has come."""
        if self._first_s is None and not isinstance(event, PromptRead):
            self._first_s = self._clock() - self._began_s
        match event:
            case ContentDelta(text):
                self._raw.append(text)
                return self._honest(event)
            case ThinkingDelta(text):
                self._raw.append(text)
            case CallFinished(call=call, raw=raw):
                self._raw.append(raw or f"{call.name} {call.arguments}")
            case CallRejected(bad=bad):
                self._raw.append(bad.raw)
            case _:
                pass
        return [*self._rest(), event] if not isinstance(event, PromptRead) else [event]

    def _honest(self, event: ContentDelta) -> list[ModelEvent]:
        if self._filter is None:
            return [event]
        text = self._filter.feed(event.text)
        return [ContentDelta(text)] if text else []

    def _rest(self) -> list[ModelEvent]:
        rest = "" if self._filter is None else self._filter.finish()
        return [ContentDelta(rest)] if rest else []
