"""Runs that stop at a question, are kept as JSON, and go on."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from hilt.agent import Agent, RunResult, RunState
from hilt.backends import ScriptedBackend
from hilt.conversation import Call, InvalidRequest, Request, ToolResult, User
from hilt.settings import PolicyOptions
from hilt.tools import Approved, Later, Nobody, Refused, Registry, Runtime, Tool, policy_of, tool
from tests.agent.scripts import QUESTION, calls, clock, contents, counting, counts, one_result_a_call, says


def agent_of(script: Any, *tools: Tool, **options: Any) -> tuple[Agent, ScriptedBackend]:
    backend = ScriptedBackend(script)
    runtime = Runtime(**{"registry": Registry(tools), "approver": Later(), **options})
    return Agent(backend, runtime, clock=clock(), new_id=lambda: "run_1"), backend


def stored(state: RunState | None) -> RunState:
    """The state as it comes back from the disk."""
    assert state is not None
    return msgspec.json.decode(msgspec.json.encode(state), type=RunState)


def approvals(result: RunResult, *call_ids: str) -> dict[str, Any]:
    return {waiting.call_id: Approved(waiting.fingerprint) for waiting in result.pending if waiting.call_id in call_ids}


def test_a_run_stops_at_a_question_and_goes_on_with_the_answer() -> None:
    change, seen = counting("write")
    agent, _ = agent_of([calls(*counts(1, 2), said="so")], change)
    first = agent.run_sync("question")
    assert (first.stop_reason, first.trace_id, first.output) == ("approval_pending", "run_1", "")
    assert [waiting.call_id for waiting in first.pending] == ["c1"]  # a change holds everything behind it
    assert seen == []
    assert one_result_a_call(first.messages)

    resumed, _ = agent_of([], change)
    second = resumed.resume_sync(stored(first.state), approvals(first, "c1"))
    assert (second.stop_reason, seen) == ("approval_pending", [1])
    assert [waiting.call_id for waiting in second.pending] == ["c2"]

    ending, backend = agent_of([says("done")], change)
    third = ending.resume_sync(stored(second.state), {"c2": Refused("not that one")})
    assert (third.stop_reason, third.output, seen) == ("final", "done", [1])
    assert contents(third.messages) == ["question", "so", '{"count": 1}', '{"error": "not that one"}', "done"]
    assert backend.requests[0].messages == third.messages[:-1]
    assert third.usage == first.usage + backend_usage()


def backend_usage() -> Any:
    from tests.agent.scripts import USAGE

    return USAGE


def test_no_call_that_ended_runs_again() -> None:
    look, looked = counting("read")

    @tool(effect="write")
    def change() -> int:
        """Change."""
        return 1

    script = [calls(*counts(1, 2), Call("w", "change", "{}"), *[Call("c3", "count", '{"number": 3}')])]
    agent, _ = agent_of(script, look, change)
    first = agent.run_sync("question")
    assert looked == [1, 2]
    for _ in range(3):  # asked again as often as nobody decides
        again, _ = agent_of([], look, change)
        first = again.resume_sync(stored(first.state), {})
        assert [waiting.call_id for waiting in first.pending] == ["w"]
    ending, _ = agent_of([says("done")], look, change)
    last = ending.resume_sync(stored(first.state), approvals(first, "w"))
    assert looked == [1, 2, 3]
    assert [message.call_id for message in last.messages if isinstance(message, ToolResult)] == ["c1", "c2", "w", "c3"]
    assert one_result_a_call(last.messages)


def test_an_approval_does_not_survive_a_change_of_the_arguments() -> None:
    change, seen = counting("write")
    agent, _ = agent_of([calls(*counts(1))], change)
    first = agent.run_sync("question")
    state = stored(first.state)
    altered = msgspec.structs.replace(
        state, work=msgspec.structs.replace(state.work, calls=(Call("c1", "count", '{"number": 666}'),))
    )
    resumed, _ = agent_of([says("hm")], change)
    result = resumed.resume_sync(altered, approvals(first, "c1"))
    assert seen == []
    assert "given to another call" in result.messages[2].content


def test_a_deny_rule_that_came_meanwhile_wins_over_the_approval() -> None:
    change, seen = counting("write")
    agent, _ = agent_of([calls(*counts(1))], change)
    first = agent.run_sync("question")
    policy = policy_of(PolicyOptions(deny=("count",)))
    resumed, _ = agent_of([says("hm")], change, policy=policy)
    result = resumed.resume_sync(stored(first.state), approvals(first, "c1"))
    assert (seen, result.stop_reason) == ([], "final")
    assert "the rules forbid this call" in result.messages[2].content


def test_a_decision_about_nothing_is_refused() -> None:
    change, _ = counting("write")
    agent, _ = agent_of([calls(*counts(1))], change)
    first = agent.run_sync("question")
    with pytest.raises(InvalidRequest, match="no call with the id 'c9' waits"):
        agent.resume_sync(stored(first.state), {"c9": Refused()})


def test_reads_of_a_batch_that_ask_wait_beside_those_that_ran() -> None:
    look, looked = counting("read")
    policy = policy_of(PolicyOptions(ask=("count(number=2)",)))
    agent, _ = agent_of([calls(*counts(1, 2, 3))], look, policy=policy)
    first = agent.run_sync("question")
    assert looked == [1, 3]
    resumed, _ = agent_of([says("six")], look, policy=policy)
    last = resumed.resume_sync(stored(first.state), approvals(first, "c2"))
    assert looked == [1, 3, 2]
    assert contents(last.messages)[2:5] == ['{"count": 1}', '{"count": 2}', '{"count": 3}']


def test_what_was_repaired_stays_repaired_over_a_pause() -> None:
    """A call that was allowed but had to be mended waits, and nobody's absence lets it run later."""
    from hilt.conversation import CallFinished

    change, seen = counting("write")
    turn = [
        CallFinished(0, event.call, ("trailing comma",)) if isinstance(event, CallFinished) else event
        for event in calls(*counts(1))
    ]
    policy = policy_of(PolicyOptions(allow=("count",)))
    agent, _ = agent_of([turn], change, policy=policy)
    first = agent.run_sync("question")
    assert first.stop_reason == "approval_pending"
    resumed, _ = agent_of([says("no")], change, policy=policy, approver=Nobody())
    result = resumed.resume_sync(stored(first.state), {})
    assert seen == []
    assert "nobody is here" in result.messages[2].content


def test_run_sync_inside_a_loop_says_so() -> None:
    agent, _ = agent_of([says("hi")])

    async def inside() -> None:
        with pytest.raises(RuntimeError, match=r"asyncio\.run\(\) cannot be called from a running event loop"):
            agent.run_sync("question")

    with pytest.warns(RuntimeWarning, match="never awaited"):
        asyncio.run(inside())


def test_instructions_come_first_and_once() -> None:
    backend = ScriptedBackend([says("a"), says("b")])
    runtime = Runtime(registry=Registry(), approver=Nobody())
    agent = Agent(backend, runtime, instructions="be brief", clock=clock())
    first = agent.run_sync([QUESTION])
    agent.run_sync((*first.messages, User("more")))
    asked: list[Request] = backend.requests
    assert [json.loads(msgspec.json.encode(message))["type"] for message in asked[1].messages] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
