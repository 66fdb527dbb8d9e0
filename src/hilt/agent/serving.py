"""A backend that runs tools of its own, so that a client sees one turn and none of them.

What a client sends are its own tools, and their calls go back to it as ever. Tools that the operator has switched on
stand beside them; the model may call those as often as the limits allow, and the client gets what the model says.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from msgspec.structs import replace

from hilt.agent.loop import AgentRun
from hilt.backends import Backend, ModelCard
from hilt.conversation import (
    AnswerRejected,
    ArgumentsDelta,
    Bug,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    InvalidRequest,
    ModelEvent,
    PromptRead,
    Request,
    RunFinished,
    ThinkingDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    Unavailable,
)
from hilt.settings import AgentOptions
from hilt.tools import Runtime, within


class ServerTools:
    """The tools that an operator has switched on, by `make_runtime`, which gives a fresh runtime of those named."""

    def __init__(
        self,
        names: Sequence[str],
        make_runtime: Callable[[tuple[str, ...]], Runtime],
        *,
        options: AgentOptions,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self.names = tuple(sorted(names))
        self._make_runtime = make_runtime
        self._options = options
        self._clock = clock
        self._new_id = new_id

    def around(self, backend: Backend, names: Sequence[str]) -> "ToolRunningBackend":
        """The backend with the named tools. Raises InvalidRequest for one that isn't switched on."""
        for name in names:
            if name not in self.names:
                raise not_switched_on(name, self.names)
        return ToolRunningBackend(
            backend,
            self._make_runtime(tuple(names)),
            options=self._options,
            clock=self._clock,
            new_id=self._new_id,
        )


def not_switched_on(name: str, names: Sequence[str]) -> InvalidRequest:
    """What is said to who asks for a tool that the server does not run."""
    offered = f"it runs {', '.join(names)}" if names else "it runs none; its operator can switch tools on"
    return InvalidRequest(
        f"`server_tools`: this server does not run a tool named {name[:100]!r}; {offered}.",
        param="server_tools",
        code="server_tool_not_available",
    )


class ToolRunningBackend:
    """`backend` with the tools of `runtime` beside those of each request."""

    def __init__(
        self,
        backend: Backend,
        runtime: Runtime,
        *,
        options: AgentOptions,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._backend = backend
        self._runtime = runtime
        self._options = options
        self._clock = clock
        self._new_id = new_id

    @property
    def card(self) -> ModelCard:
        return self._backend.card

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
        own = {tool.name for tool in request.tools}
        # With many tools, those that find the others stand beside them.
        offered = within(self._runtime.registry, self._options.catalogue_tokens, "")
        both = sorted(name for name in own if offered.get(name) is not None or name in offered.names)
        if both:
            raise InvalidRequest(
                f"the tool {both[0]!r} is one of the server's and one of yours; rename yours, or leave it out",
                param="tools",
            )
        run = AgentRun(
            self._backend,
            self._runtime,
            request,
            clock=self._clock,
            run_id=self._new_id(),
            options=self._options,
        )
        seen = _OneTurn(own)
        async with aclosing(run.stream()) as events:
            async for event in events:
                match event:
                    case ToolStarted() | ToolFinished():
                        pass
                    case RunFinished():
                        for last in seen.end(event, run):
                            yield last
                    case _:
                        for told in seen.told(event):
                            yield told


class _OneTurn:
    """The events of a run as those of one turn, in which only the client's own tools are called.

    Their calls are held until the turn of the model that holds them has ended well: what a client has been told can't
    be taken back, and a turn that can't be used is written again.
    """

    def __init__(self, own: set[str]) -> None:
        self._own = own
        self._prompt_told = False
        self._held: dict[int, list[ModelEvent]] = {}
        self._fault: AnswerRejected | None = None
        self._reason = "stop"
        self._begins = True

    def told(self, event: ModelEvent) -> list[ModelEvent]:
        if self._begins:
            self._held, self._fault, self._begins = {}, None, False
        match event:
            case PromptRead():
                told, self._prompt_told = self._prompt_told, True
                return [] if told else [event]
            case ContentDelta() | ThinkingDelta():
                return [event]
            case CallStarted(index, _, name):
                if name in self._own:
                    self._held[index] = [event]
                return []
            case ArgumentsDelta(index) | CallFinished(index):
                if index in self._held:
                    self._held[index].append(event)
                return []
            case CallRejected(index):
                self._held.pop(index, None)
                return []
            case AnswerRejected():
                self._fault = event
                return []
            case TurnFinished(reason):
                self._reason, self._begins = reason, True
                return []

    def end(self, finished: RunFinished, run: AgentRun) -> list[ModelEvent]:
        """The end of the turn; raises the error of a run that failed."""
        match finished.reason:
            case "model_error":
                raise run.error or Unavailable(finished.detail or "the model did not answer in time")
            case "killed":
                raise Unavailable(f"tools are switched off on this server: {finished.detail}")
            case "handed_over":
                return [*self._own_calls(), TurnFinished("tool_calls", finished.usage)]
            case "length":
                return [*self._own_calls(), TurnFinished("length", finished.usage)]
            case "final" | "max_iterations" | "total_timeout" | "repeated_calls" | "repair_exhausted":
                fault: list[ModelEvent] = [] if self._fault is None else [self._fault]
                reason = "length" if self._reason == "length" else "stop"
                return [*fault, TurnFinished(reason, finished.usage)]
            case "approval_pending" | "cancelled":
                raise Bug(f"a run of the server's tools ended as {finished.reason}")

    def _own_calls(self) -> list[ModelEvent]:
        """The calls of the client's tools that the last turn made, counted from 0."""
        calls: list[ModelEvent] = []
        for number, events in enumerate(self._held.values()):
            for event in events:
                assert isinstance(event, CallStarted | ArgumentsDelta | CallFinished)
                calls.append(replace(event, index=number))
        return calls
