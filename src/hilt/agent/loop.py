"""A run of the agent: a model's turns and its tools' work, as one stream of events."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from msgspec import structs

from hilt.agent.state import State, Stop, Work, after_turn, after_work, batches, tool_choice
from hilt.backends import Backend
from hilt.conversation import (
    Bug,
    Call,
    Cancelled,
    Event,
    Message,
    ModelEvent,
    Outcome,
    Request,
    RunFinished,
    Sampling,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    Usage,
    merge,
)
from hilt.settings import AgentOptions
from hilt.tools import Runtime, error_text, run_tool

_INTERRUPTED = "the run was stopped before this call ended, so it may or may not have been carried out"
_NOT_BEGUN = "the run was stopped before this call was run"


class AgentRun:
    """One run, from the messages so far to the model's answer.

    `clock` gives seconds from any fixed point, for the durations of tools. The run happens while `stream()` is read,
    once; `messages` holds the conversation so far at any time, and is a whole one again when the stream has ended or
    was closed: every call in it has exactly one result.
    """

    def __init__(
        self,
        backend: Backend,
        runtime: Runtime,
        messages: Sequence[Message],
        *,
        model: str,
        clock: Callable[[], float],
        sampling: Sampling = Sampling(),
        options: AgentOptions = AgentOptions(),
    ) -> None:
        self._backend = backend
        self._runtime = runtime
        self._messages = list(messages)
        self._model = model
        self._clock = clock
        self._sampling = sampling
        self._options = options

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages that were given, and all that came after them.

        Of a turn that was broken off there is what it had said, without its calls; nothing if it had said nothing.
        """
        return tuple(self._messages)

    async def stream(self) -> AsyncGenerator[Event]:
        """Every event of the run, ending in RunFinished.

        Closing it cancels the tools that run and closes the backend's stream. Raises what the backend raises.
        """
        state = State()
        while True:
            events: list[ModelEvent] = []
            async with aclosing(self._turn(state, events)) as turn:
                async for event in turn:
                    yield event
            whole = merge(events)
            state, step = after_turn(
                state, whole, self._options, self._runtime.registry, self._backend.card.context_length
            )
            match step:
                case Stop(reason, results):
                    self._messages += [whole.message, *results]
                    yield RunFinished(reason, state.usage)
                    return
                case Work(calls, answered, repair):
                    self._messages.append(
                        structs.replace(whole.message, calls=(*calls, *(call for call, _ in answered)))
                    )
                    outcomes: dict[int, Outcome] = {}
                    try:
                        async with aclosing(self._work(calls, outcomes)) as work:
                            async for event in work:
                                yield event
                    finally:
                        not_begun = Cancelled(error_text(_NOT_BEGUN))
                        done = [(call, outcomes.get(place, not_begun)) for place, call in enumerate(calls)]
                        state, results = after_work(state, [*done, *answered])
                        self._messages += results
                    if repair is not None:
                        self._messages.append(repair)

    async def _turn(self, state: State, events: list[ModelEvent]) -> AsyncGenerator[ModelEvent]:
        """One turn of the model, its events kept in `events` too; what was said is kept if it is broken off."""
        request = Request(
            model=self._model,
            messages=self.messages,
            tools=self._runtime.registry.specs,
            tool_choice=tool_choice(state),
            sampling=self._sampling,
        )
        whole = False
        try:
            async with aclosing(self._backend.stream(request)) as stream:
                async for event in stream:
                    events.append(event)
                    yield event
            whole = True
        finally:
            if not whole:
                self._keep_partial(events)
        if not events or not isinstance(events[-1], TurnFinished):
            self._keep_partial(events)
            raise Bug(f"the backend of {self._model} ended its turn without saying so")

    def _keep_partial(self, events: list[ModelEvent]) -> None:
        said = [event for event in events if not isinstance(event, TurnFinished)]
        message = merge([*said, TurnFinished("stop", Usage())]).message
        if message.content:
            self._messages.append(structs.replace(message, calls=()))

    async def _work(
        self, calls: tuple[Call, ...], outcomes: dict[int, Outcome]
    ) -> AsyncGenerator[ToolStarted | ToolFinished]:
        """Run the calls, batch after batch; `outcomes` gets each one's under its place as soon as it has ended."""
        place = 0
        for batch in batches(calls, self._runtime.registry):
            async with aclosing(self._batch(dict(enumerate(batch, place)), outcomes)) as events:
                async for event in events:
                    yield event
            place += len(batch)

    async def _batch(
        self, batch: dict[int, Call], outcomes: dict[int, Outcome]
    ) -> AsyncGenerator[ToolStarted | ToolFinished]:
        """Run calls together: all of them start, and each is told of when it ends."""
        for call in batch.values():
            yield ToolStarted(call)

        async def run(place: int, call: Call) -> ToolFinished:
            began_s = self._clock()
            outcomes[place] = Cancelled(error_text(_INTERRUPTED))
            outcomes[place] = outcome = await run_tool(call, self._runtime)
            return ToolFinished(call, outcome, self._clock() - began_s)

        tasks = [asyncio.create_task(run(place, call)) for place, call in batch.items()]
        running = set(tasks)
        try:
            while running:
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task in ended:
                        yield task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
