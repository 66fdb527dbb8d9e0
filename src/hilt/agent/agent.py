"""An agent to be asked: a backend, tools and limits, put together once."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing

from msgspec import Struct

from hilt.agent.loop import AgentRun, refuse_unknown
from hilt.agent.state import RunState
from hilt.backends import Backend
from hilt.conversation import Assistant, Bug, Citation, Message, Request, Sampling, StopReason, System, Usage, User
from hilt.settings import AgentOptions
from hilt.tools import ApprovalRequest, Decision, Runtime


class RunResult(Struct, frozen=True):
    """How a run ended. `output` is the model's answer, "" if it gave none; `citations` are the sources that it names.

    A run that waits for approvals has `pending`, what is asked, and `state`, to be kept and given to `resume`.
    `detail` says more about an error; `trace_id` is the run's id in the traces.
    """

    output: str
    stop_reason: StopReason
    messages: tuple[Message, ...]
    usage: Usage
    trace_id: str
    citations: tuple[Citation, ...] = ()
    pending: tuple[ApprovalRequest, ...] = ()
    state: RunState | None = None
    detail: str = ""


def new_run_id() -> str:
    """A fresh id for a run."""
    return f"run_{secrets.token_hex(8)}"


class Agent:
    """Answers with the help of tools. `instructions` come before every conversation; the clock gives seconds from any
    fixed point, `new_id` a fresh id for each run."""

    def __init__(
        self,
        backend: Backend,
        runtime: Runtime,
        *,
        instructions: str = "",
        sampling: Sampling = Sampling(),
        options: AgentOptions = AgentOptions(),
        clock: Callable[[], float] = time.monotonic,
        new_id: Callable[[], str] = new_run_id,
    ) -> None:
        self._backend = backend
        self._runtime = runtime
        self._instructions = instructions
        self._sampling = sampling
        self._options = options
        self._clock = clock
        self._new_id = new_id

    def begin(self, asked: str | Sequence[Message]) -> AgentRun:
        """A run that happens while its `stream()` is read; `asked` is a question or a whole conversation."""
        messages: list[Message] = [User(asked)] if isinstance(asked, str) else list(asked)
        if self._instructions and not (messages and isinstance(messages[0], System)):
            messages.insert(0, System(self._instructions))
        return self._run(messages, run_id=self._new_id())

    def continued(self, state: RunState, decisions: Mapping[str, Decision]) -> AgentRun:
        """The run that stopped at questions, from there on. A call without a decision is asked about again.

        No call that had ended is run again, and a decision holds only for the very call and arguments that it was
        given for. Raises InvalidRequest for a decision about a call that doesn't wait.
        """
        refuse_unknown(decisions, state)
        return self._run((), resumed=state, decisions=decisions)

    async def run(self, asked: str | Sequence[Message]) -> RunResult:
        """Ask, and wait for the end."""
        return await finished(self.begin(asked))

    async def resume(self, state: RunState, decisions: Mapping[str, Decision]) -> RunResult:
        """Go on with a run that stopped at questions, and wait for the end; see `continued`."""
        return await finished(self.continued(state, decisions))

    def run_sync(self, asked: str | Sequence[Message]) -> RunResult:
        """`run` where no event loop runs."""
        return asyncio.run(self.run(asked))

    def resume_sync(self, state: RunState, decisions: Mapping[str, Decision]) -> RunResult:
        """`resume` where no event loop runs."""
        return asyncio.run(self.resume(state, decisions))

    def _run(
        self,
        messages: Sequence[Message],
        *,
        run_id: str = "",
        resumed: RunState | None = None,
        decisions: Mapping[str, Decision] | None = None,
    ) -> AgentRun:
        return AgentRun(
            self._backend,
            self._runtime,
            Request(self._backend.card.id, tuple(messages), sampling=self._sampling),
            clock=self._clock,
            run_id=run_id,
            options=self._options,
            resumed=resumed,
            decisions=decisions,
        )


async def finished(run: AgentRun) -> RunResult:
    """The result of a run, after all of its events."""
    async with aclosing(run.stream()) as events:
        async for _ in events:
            pass
    if run.finished is None:
        raise Bug("the run ended without saying so")
    state = run.pending
    last = run.messages[-1] if run.messages else None
    return RunResult(
        output=last.content if isinstance(last, Assistant) else "",
        stop_reason=run.finished.reason,
        messages=run.messages,
        usage=run.finished.usage,
        trace_id=run.run_id,
        citations=run.finished.citations,
        pending=() if state is None else state.waiting,
        state=state,
        detail=run.finished.detail,
    )
