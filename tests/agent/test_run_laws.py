"""What holds for every run, whatever its backend streams, wherever it is broken off and however often it pauses."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hilt.agent import Agent, AgentRun, RunState, ServerTools
from hilt.agent.state import Work, batches
from hilt.agent.working import CallsAtWork
from hilt.backends import ScriptedBackend
from hilt.conversation import (
    AnswerRejected,
    ArgumentsDelta,
    Assistant,
    BadCall,
    Call,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    HiltError,
    ModelEvent,
    PromptRead,
    Request,
    RunFinished,
    Succeeded,
    ThinkingDelta,
    ToolFinished,
    ToolSpec,
    ToolStarted,
    TurnFinished,
    Unavailable,
    Usage,
    User,
    merge,
)
from hilt.settings import AgentOptions, PolicyOptions
from hilt.tools import Approved, Later, Nobody, Registry, Runtime, Tool, policy_of, tool
from tests.agent.scripts import Answering, calls, clock, one_result_a_call, read, says

LAW = settings(deadline=None, max_examples=200)
OPTIONS = AgentOptions(total_timeout_s=1e6, turn_timeout_s=1e6)


class Worked:
    """A tool that reads, one that reads strangers' words and one that writes; `ran` holds the calls in order."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, int]] = []

        @tool(effect="read")
        def look(number: int) -> dict[str, int]:
            """Look."""
            self.ran.append(("look", number))
            return {"number": number}

        @tool(effect="read", untrusted=True)
        def fetch(number: int) -> dict[str, int]:
            """Fetch."""
            self.ran.append(("fetch", number))
            return {"number": number}

        @tool(effect="write")
        def write(number: int) -> dict[str, int]:
            """Write."""
            self.ran.append(("write", number))
            return {"number": number}

        @tool(effect="destructive")
        def remove(number: int) -> dict[str, int]:
            """Remove."""
            self.ran.append(("remove", number))
            return {"number": number}

        self.tools: tuple[Tool, ...] = (look, fetch, write, remove)


IDS = st.sampled_from(["c1", "c2", "", "call", "c1_2"])
NAMES = st.sampled_from(["look", "write", "remove", "nothing", "own"])
ARGUMENTS = st.sampled_from(['{"number": 1}', '{"number": 2}', "{}", "[", '{"number": 1, "number": 2}'])
CALLED = st.builds(Call, IDS, NAMES, ARGUMENTS)
INDICES = st.integers(-1, 3)
EVENTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(PromptRead, st.integers(0, 9), st.just(0)),
    st.builds(ContentDelta, st.sampled_from(["a", " ", "[S1]", "[S", "7]", ""])),
    st.builds(ThinkingDelta, st.just("hm")),
    st.builds(CallStarted, INDICES, IDS, NAMES),
    st.builds(ArgumentsDelta, INDICES, st.sampled_from(['{"number"', ": 1}", ""])),
    st.builds(CallFinished, INDICES, CALLED, st.sampled_from([(), ("mended",)])),
    st.builds(
        CallRejected,
        INDICES,
        st.builds(
            BadCall,
            IDS,
            st.none() | NAMES,
            st.sampled_from(["truncated", "malformed", "unknown_tool", "invalid_arguments"]),
            st.just("bad"),
            st.just("raw"),
            st.none() | ARGUMENTS,
        ),
    ),
    st.just(AnswerRejected("not so", "raw")),
    st.builds(TurnFinished, st.sampled_from(["stop", "length", "tool_calls"]), st.just(Usage(1, 0, 1))),
    st.sampled_from([Unavailable("gone"), RuntimeError("a fault of the backend"), TimeoutError()]),
)
END = st.builds(TurnFinished, st.sampled_from(["stop", "tool_calls", "length"]), st.just(Usage(1, 0, 1)))
TURNS = st.lists(
    st.lists(EVENTS, max_size=8) | st.tuples(st.lists(EVENTS, max_size=8), END).map(lambda t: [*t[0], t[1]])
)


class Chaotic(ScriptedBackend):
    """Plays whatever the script holds, exceptions of any kind among it."""

    async def stream(self, request: Request) -> Any:
        self.requests.append(request)
        for step in next(self._turns, says("done")):
            if isinstance(step, Exception):
                raise step
            yield step


def run_of(script: Any, worked: Worked, approver: Any, **more: Any) -> AgentRun:
    runtime = Runtime(registry=Registry(worked.tools), approver=approver)
    request = Request("scripted", (User("question"),), **more)
    return AgentRun(Chaotic(script), runtime, request, clock=clock(), options=OPTIONS, run_id="run")


def whole(run: AgentRun) -> None:
    """Every call of the messages has one result, and an id of its own."""
    assert one_result_a_call(run.messages)
    ids = [call.id for message in run.messages if isinstance(message, Assistant) for call in message.calls]
    assert max(Counter(ids).values(), default=1) == 1
    assert "" not in ids


def sound(events: Sequence[ModelEvent]) -> None:
    """One turn as the contract of events has it."""
    open_: dict[int, list[Any]] = {}
    number = 0
    for place, event in enumerate(events):
        match event:
            case CallStarted(index, id, name):
                assert index == number
                number += 1
                open_[index] = [id, name, ""]
            case ArgumentsDelta(index, text):
                open_[index][2] += text
            case CallFinished(index, call):
                assert open_.pop(index) == [call.id, call.name, call.arguments]
            case CallRejected(index):
                if open_.pop(index, None) is None:
                    assert index == number
                    number += 1
            case TurnFinished():
                assert place == len(events) - 1
            case PromptRead() | ContentDelta() | ThinkingDelta() | AnswerRejected():
                pass
    assert not open_ or not isinstance(events[-1], TurnFinished)


@LAW
@given(script=TURNS, allowed=st.booleans())
def test_whatever_a_backend_streams_a_run_ends_whole(script: Any, allowed: bool) -> None:
    worked = Worked()
    run = run_of(script, worked, Answering() if allowed else Nobody())
    events = read(run)
    assert isinstance(events[-1], RunFinished)
    assert [event for event in events if isinstance(event, RunFinished)] == [events[-1]]
    whole(run)
    ended = [event.call.id for event in events if isinstance(event, ToolFinished)]
    assert max(Counter(ended).values(), default=1) == 1
    assert len(worked.ran) <= len(ended)
    assert allowed or not {"write", "remove"} & {name for name, _ in worked.ran}
    turn: list[Any] = []
    for event in events:
        if not isinstance(event, ToolStarted | ToolFinished | RunFinished):
            turn.append(event)
            if isinstance(event, TurnFinished):
                sound(turn)
                turn = []


@LAW
@given(script=TURNS, stop_after=st.integers(0, 30), cancelled=st.booleans())
def test_a_run_broken_off_anywhere_leaves_whole_messages_and_runs_nothing_more(
    script: Any, stop_after: int, cancelled: bool
) -> None:
    worked = Worked()
    run = run_of(script, worked, Answering())

    async def broken_off() -> None:
        stream = run.stream()

        async def some() -> None:
            for _ in range(stop_after):
                await anext(stream, None)
            if cancelled:
                task.cancel()
                await asyncio.sleep(0)

        task = asyncio.ensure_future(some())
        await asyncio.gather(task, return_exceptions=True)
        await stream.aclose()
        before = list(worked.ran)
        for _ in range(5):
            await asyncio.sleep(0)
        assert worked.ran == before

    asyncio.run(broken_off())
    whole(run)
    assert isinstance(run.messages[0], User)


CALL_TURNS = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["look", "fetch", "write", "remove"]), st.integers(1, 3)), min_size=1, max_size=5
    ),
    max_size=3,
)


def scripted(turns: Any) -> list[Any]:
    """Turns of calls whose ids begin anew in each, as small models write them."""
    return [
        calls(*[Call(f"c{place}", name, json.dumps({"number": number})) for place, (name, number) in enumerate(turn)])
        for turn in turns
    ]


@LAW
@given(turns=CALL_TURNS, ask_looks=st.booleans(), allow_all=st.booleans())
@example(turns=[[("fetch", 1), ("write", 1), ("remove", 1)]], ask_looks=False, allow_all=True)
def test_pausing_is_as_not_pausing(turns: Any, ask_looks: bool, allow_all: bool) -> None:
    """The same calls are run and asked about, once each, and the same messages come of it, also through JSON."""
    policy = policy_of(
        PolicyOptions(ask=("look", "write") if ask_looks else ("write",), allow=("*",) if allow_all else ())
    )

    def agent(worked: Worked, backend: ScriptedBackend, approver: Any) -> Agent:
        runtime = Runtime(registry=Registry(worked.tools), approver=approver, policy=policy)
        return Agent(backend, runtime, options=OPTIONS, clock=clock(), new_id=lambda: "run")

    direct, paused = Worked(), Worked()
    answering = Answering()
    wanted = asyncio.run(agent(direct, Chaotic(scripted(turns)), answering).run("question"))

    backend = Chaotic(scripted(turns))
    result = asyncio.run(agent(paused, backend, Later()).run("question"))
    asked: list[str] = []
    while result.state is not None:
        state = msgspec.json.decode(msgspec.json.encode(result.state), type=RunState)
        assert state == result.state
        decisions = {request.call_id: Approved(request.fingerprint) for request in result.pending}
        assert len(decisions) == len(result.pending)
        asked += decisions
        result = asyncio.run(agent(paused, backend, Later()).resume(state, decisions))
    assert result.messages == wanted.messages
    assert result.stop_reason == wanted.stop_reason
    assert Counter(paused.ran) == Counter(direct.ran)
    assert asked == sorted(asked, key=asked.index)
    assert Counter(asked) == Counter(request.call_id for request in answering.asked)


@LAW
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_an_altered_state_is_refused_or_runs_nothing_unapproved(data: st.DataObject, seed: int) -> None:
    """Whatever bytes of a kept run are others, no change happens but the one that was shown and approved."""
    worked = Worked()
    runtime = Runtime(registry=Registry(worked.tools), approver=Later())
    script = [calls(Call("c1", "look", '{"number": 1}'), Call("c2", "write", '{"number": 2}'))]
    agent = Agent(ScriptedBackend(script), runtime, options=OPTIONS, clock=clock(), new_id=lambda: "run")
    paused = asyncio.run(agent.run("question"))
    kept = bytearray(msgspec.json.encode(paused.state))
    chance = random.Random(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        place = chance.randrange(len(kept))
        match chance.randrange(3):
            case 0:
                kept[place] = chance.choice(b'0123456789abcxyz"{}[],:rwl')
            case 1:
                del kept[place]
            case _:
                kept.insert(place, chance.choice(b'0123456789"{}[],'))
    decisions = {request.call_id: Approved(request.fingerprint) for request in paused.pending}
    worked.ran.clear()
    try:
        state = msgspec.json.decode(bytes(kept), type=RunState)
        resumed = Agent(ScriptedBackend([says("done")]), runtime, options=OPTIONS, clock=clock())
        result = asyncio.run(resumed.resume(state, decisions))
    except (HiltError, msgspec.DecodeError):
        assert worked.ran == []
        return
    assert Counter(worked.ran)["write", 2] <= 1
    assert {ran for ran in worked.ran if ran[0] in ("write", "remove")} <= {("write", 2)}
    assert result.stop_reason in ("final", "approval_pending", "model_error", "total_timeout")


OWN = ToolSpec("own", "The client's.", {"type": "object", "properties": {}})


@LAW
@given(script=TURNS)
def test_a_client_of_server_tools_sees_one_sound_turn(script: Any) -> None:
    """Its own tools are called in it and no others, with no gaps, and only in a turn that can be used."""
    worked = Worked()
    runtime = Runtime(registry=Registry(worked.tools), approver=Nobody())
    tools = ServerTools(
        [made.name for made in worked.tools],
        lambda names: runtime,
        options=OPTIONS,
        clock=clock(),
        new_id=lambda: "run",
    )
    backend = tools.around(Chaotic(script), [])
    seen: list[ModelEvent] = []

    async def listen() -> None:
        async for event in backend.stream(Request("scripted", (User("q"),), tools=(OWN,))):
            seen.append(event)

    try:
        asyncio.run(listen())
    except HiltError:
        assert not any(isinstance(event, TurnFinished | CallStarted) for event in seen)
        return
    sound(seen)
    turn = merge(seen)
    assert {call.name for call in turn.message.calls} <= {"own"}
    assert not turn.message.calls or turn.reason in ("tool_calls", "length")
    assert turn.reason != "tool_calls" or turn.message.calls
    assert sum(isinstance(event, PromptRead) for event in seen) <= 1


@given(kinds=st.lists(st.sampled_from(["look", "write"]), max_size=80), ended=st.sets(st.integers(0, 80)))
def test_every_call_is_in_one_batch_in_order_and_few_run_at_once(kinds: list[str], ended: set[int]) -> None:
    work = Work(tuple(Call(f"c{place}", name, "{}") for place, name in enumerate(kinds)))
    groups = batches(work, ended, Registry(Worked().tools))
    assert [place for group in groups for place in group] == [p for p in range(len(kinds)) if p not in ended]
    assert all(len(group) <= 16 for group in groups)
    assert all(len(group) == 1 or {kinds[place] for place in group} == {"look"} for group in groups)


def test_what_strangers_wrote_counts_after_a_pause_as_well() -> None:
    """A page was read before the question; after its answer nothing is removed unasked, even if rules allow it."""
    worked = Worked()
    policy = policy_of(PolicyOptions(allow=("remove",)))
    runtime = Runtime(registry=Registry(worked.tools), approver=Nobody(), policy=policy)
    work = Work((Call("f", "fetch", '{"number": 1}'), Call("r", "remove", '{"number": 1}')))
    at_work = CallsAtWork(
        work,
        {0: Succeeded("{}")},
        runtime,
        run_id="run",
        untrusted=False,
        left_s=lambda: 60.0,
        clock=lambda: 0.0,
    )

    async def worked_on() -> None:
        async for _ in at_work.stream():
            pass

    asyncio.run(worked_on())
    assert worked.ran == []


def test_a_backend_that_never_ends_is_ended() -> None:
    class Endless(ScriptedBackend):
        async def stream(self, request: Request) -> Any:
            while True:
                yield ThinkingDelta("more")

    run = AgentRun(
        Endless([]),
        Runtime(registry=Registry(), approver=Nobody()),
        Request("scripted", (User("q"),)),
        clock=clock(),
        options=AgentOptions(total_timeout_s=10),
    )
    assert read(run)[-1] == RunFinished("total_timeout", Usage())


def test_a_repeated_id_never_takes_the_answer_of_another_call() -> None:
    """The model writes the id of a call that waits once more: each is asked about by an id of its own."""
    worked = Worked()
    runtime = Runtime(registry=Registry(worked.tools), approver=Later(), policy=policy_of(PolicyOptions(ask=("look",))))
    script = [calls(*[Call("c1", "look", json.dumps({"number": number})) for number in (1, 2)])]
    agent = Agent(ScriptedBackend(script), runtime, options=OPTIONS, clock=clock(), new_id=lambda: "run")
    paused = asyncio.run(agent.run("question"))
    assert [request.call_id for request in paused.pending] == ["c1", "c1_2"]
    assert paused.state is not None
    decisions = {"c1_2": Approved(paused.pending[1].fingerprint)}
    asyncio.run(Agent(ScriptedBackend([]), runtime, options=OPTIONS, clock=clock()).resume(paused.state, decisions))
    assert worked.ran == [("look", 2)]


def test_a_state_keeps_no_results_twice() -> None:
    worked = Worked()
    runtime = Runtime(registry=Registry(worked.tools), approver=Later())
    script = [calls(Call("a", "look", '{"number": 7}')), calls(Call("b", "write", '{"number": 1}'))]
    agent = Agent(ScriptedBackend(script), runtime, options=OPTIONS, clock=clock())
    state = asyncio.run(agent.run("question")).state
    assert state is not None
    assert all(len(sight) == 64 for sight in state.state.seen)
    assert replace(state.state, seen=()).turns == 2
