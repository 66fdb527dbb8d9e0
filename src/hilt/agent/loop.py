"""A run of the agent: a model's turns and its tools' work, as one stream of events."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from msgspec import structs

from hilt.agent.clock import PausingApprover, RunClock
from hilt.agent.modes import ANSWER_FIRST, RAG_FIRST, first_question, instructed, looked_up, lookup
from hilt.agent.sound import unique
from hilt.agent.state import (
    RunState,
    State,
    Stop,
    Work,
    after_turn,
    after_work,
    before_turn,
    citations,
    reads_strangers,
    tool_choice,
    tool_time_s,
)
from hilt.agent.turns import HeardTurn
from hilt.agent.working import CallsAtWork
from hilt.backends import Backend
from hilt.conversation import (
    Assistant,
    Event,
    HiltError,
    InvalidRequest,
    Message,
    Outcome,
    Request,
    RunFinished,
    StopReason,
    User,
)
from hilt.settings import AgentOptions
from hilt.tools import Decided, Decision, Runtime, within
from hilt.traces import RunRecord


class AgentRun:
    """One run, from a request to the model's answer.

    The request says what is asked, and how; its own `tools` are the caller's, beside those of the runtime: a turn that
    calls one of them ends the run as "handed_over", with none of its calls run. Its `tool_choice` binds the first turn.
    `clock` gives seconds from any fixed point; time in which somebody is asked does not count. The run happens while
    `stream()` is read, once; `messages` holds the conversation so far at any time, a whole one: every call in it has
    exactly one result. A run that stopped at questions is continued by `resumed` with their `decisions`, by call id.
    """

    def __init__(
        self,
        backend: Backend,
        runtime: Runtime,
        request: Request,
        *,
        clock: Callable[[], float],
        run_id: str = "",
        options: AgentOptions = AgentOptions(),
        resumed: RunState | None = None,
        decisions: Mapping[str, Decision] | None = None,
    ) -> None:
        self._backend = backend
        self._request = request
        self._options = options
        self.run_id = run_id if resumed is None else resumed.run_id
        self._clock = RunClock(clock, 0.0 if resumed is None else resumed.spent_s)
        approver = Decided(decisions or {}, runtime.approver) if resumed is not None else runtime.approver
        self._messages = list(request.messages if resumed is None else resumed.messages)
        self._runtime = structs.replace(
            runtime,
            approver=PausingApprover(approver, self._clock),
            registry=within(runtime.registry, options.catalogue_tokens, first_question(self._messages)),
        )
        self._cites = any(tool.sources is not None for tool in runtime.registry.tools)
        self._state = self._first_state() if resumed is None else resumed.state
        self._question = next((m.content for m in reversed(self._messages) if isinstance(m, User)), "")
        self._heard: HeardTurn | None = None
        self._at_work = None if resumed is None else self._calls(resumed.work, resumed.outcomes)
        self._started_s = runtime.now_s()
        self.error: HiltError | None = None
        self.finished: RunFinished | None = None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages that were given, and all that came after them.

        Of a turn that was broken off there is what it had said, without its calls; nothing if it had said nothing. A
        call that has not ended is answered with why.
        """
        if self._at_work is not None:
            at_work = self._at_work
            _, results = after_work(self._state, at_work.work.done(at_work.outcomes), self._runtime.registry)
            return (*self._messages, *results)
        said = None if self._heard is None else self._heard.said
        return (*self._messages, said) if said is not None else tuple(self._messages)

    @property
    def pending(self) -> RunState | None:
        """All of a run that waits for approvals; None for any other."""
        at_work = self._at_work
        if at_work is None or not at_work.waiting:
            return None
        return RunState(
            run_id=self.run_id,
            messages=tuple(self._messages),
            state=self._state,
            work=at_work.work,
            outcomes=at_work.outcomes,
            waiting=tuple(request for _, request in sorted(at_work.waiting.items())),
            spent_s=self._clock.elapsed_s,
        )

    async def stream(self) -> AsyncGenerator[Event]:
        """Every event of the run, ending in RunFinished.

        Closing it cancels the tools that run and closes the backend's stream. An error of the backend ends the run as
        a model_error and is kept in `error`.
        """
        try:
            async with aclosing(self._events()) as events:
                async for event in events:
                    yield event
        finally:
            self._runtime.record(self._record())

    async def _events(self) -> AsyncGenerator[Event]:
        if self._at_work is None and self._options.mode == "rag_first":
            self._look_up()
        while self.finished is None:
            if self._at_work is not None:
                async with aclosing(self._at_work.stream()) as work:
                    async for event in work:
                        yield event
                self._after_work(self._at_work)
            else:
                heard = self._heard = self._ask()
                async with aclosing(heard.stream()) as turn:
                    async for event in turn:
                        yield event
                self._runtime.record(heard.record(self.run_id, self._state.turns + 1, self._runtime.now_s()))
                self._after_turn(heard)
        yield self.finished

    def _first_state(self) -> State:
        """Where a run begins: what was read earlier in its conversation counts."""
        registry = self._runtime.registry
        made = [call for message in self._messages if isinstance(message, Assistant) for call in message.calls]
        # What a tool that isn't offered here has read, nobody here can vouch for.
        return State(untrusted=any(registry.tool_of(call) is None for call in made) or reads_strangers(made, registry))

    def _look_up(self) -> None:
        """Let the knowledge base be searched before the model is asked, as if it had called for it."""
        call = lookup(self._messages, self._runtime.registry)
        if call is not None:
            call = structs.replace(call, id=unique(call.id, self._taken))
            self._messages.append(Assistant(calls=(call,)))
            self._at_work = self._calls(Work((call,)), {})

    def _ask(self) -> HeardTurn:
        """The next turn of the model."""
        elapsed_s = self._clock.elapsed_s
        self._state = before_turn(self._state, self._options, elapsed_s)
        request = structs.replace(
            self._request,
            messages=self._instructed(),
            tools=(*self._request.tools, *self._runtime.registry.specs),
            tool_choice=tool_choice(self._state, self._request.tool_choice),
        )
        return HeardTurn(
            self._backend,
            request,
            timeout_s=min(self._options.turn_timeout_s, self._options.total_timeout_s - elapsed_s),
            sources=len(self._state.sources) if self._cites else None,
            taken=self._taken,
            is_tool=lambda name: self._state.ending is None and self._runtime.registry.get(name) is not None,
            clock=self._clock.read,
        )

    @property
    def _taken(self) -> set[str]:
        """The ids of all calls so far."""
        return {call.id for message in self._messages if isinstance(message, Assistant) for call in message.calls}

    def _instructed(self) -> tuple[Message, ...]:
        match self._options.mode:
            case "plain":
                return tuple(self._messages)
            case "answer_first":
                return instructed(self._messages, ANSWER_FIRST)
            case "rag_first":
                found = looked_up(self._messages)
                return instructed(self._messages, RAG_FIRST) if found else tuple(self._messages)

    def _after_turn(self, heard: HeardTurn) -> None:
        turn = heard.turn
        if turn is None:
            self.error = heard.failed
            if heard.timed_out and self._clock.elapsed_s >= self._options.total_timeout_s:
                self._finish("total_timeout")
            elif heard.timed_out:
                self._finish("model_error", f"the model took longer than {self._options.turn_timeout_s:g} s for a turn")
            else:
                self._finish("model_error", "" if heard.failed is None else heard.failed.message)
            return
        self._heard = None
        handed_over = {tool.name for tool in self._request.tools}
        self._state, step = after_turn(
            self._state, turn, self._options, self._runtime.registry, self._backend.card.context_length, handed_over
        )
        match step:
            case Stop(reason, results):
                self._messages += [turn.message, *results]
                self._finish(reason)
            case Work(calls, answered):
                answered_calls = [call for call, _ in answered]
                self._messages.append(structs.replace(turn.message, calls=(*calls, *answered_calls)))
                self._at_work = self._calls(step, {})

    def _after_work(self, at_work: CallsAtWork) -> None:
        switch = self._runtime.switch
        killed = None if switch is None else switch.why_off()
        if at_work.waiting and killed is None:
            self._finish("approval_pending")
            return
        self._state, results = after_work(self._state, at_work.work.done(at_work.outcomes), self._runtime.registry)
        self._messages += results
        self._at_work = None
        if killed is not None:
            self._finish("killed", killed)
        elif at_work.work.repair is not None:
            self._messages.append(at_work.work.repair)

    def _calls(self, work: Work, outcomes: Mapping[int, Outcome]) -> CallsAtWork:
        return CallsAtWork(
            work,
            outcomes,
            self._runtime,
            run_id=self.run_id,
            untrusted=self._state.untrusted,
            left_s=lambda: tool_time_s(self._options) - self._clock.elapsed_s,
            clock=self._clock.read,
        )

    def _finish(self, reason: StopReason, detail: str = "") -> None:
        last = self._messages[-1] if self._messages else None
        said = last.content if isinstance(last, Assistant) else ""
        self.finished = RunFinished(reason, self._state.usage, detail, citations(said, self._state.sources))

    def _record(self) -> RunRecord:
        return RunRecord(
            run_id=self.run_id,
            started_s=self._started_s,
            duration_s=self._clock.elapsed_s,
            model=self._request.model,
            question=self._question,
            stop_reason="cancelled" if self.finished is None else self.finished.reason,
            usage=self._state.usage,
        )


def refuse_unknown(decisions: Mapping[str, Decision], state: RunState) -> None:
    """Raises InvalidRequest if a decision is about a call that isn't waiting."""
    waiting = {request.call_id for request in state.waiting}
    unknown = sorted(set(decisions) - waiting)
    if unknown:
        raise InvalidRequest(f"no call with the id {unknown[0]!r} waits for a decision; waiting are: {sorted(waiting)}")
