"""Whole runs against a scripted model: what streams out, what the model was asked, and what is remembered."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hilt.agent import AgentRun
from hilt.backends import ModelCard, ScriptedBackend
from hilt.conversation import (
    AnswerRejected,
    Assistant,
    Auto,
    BadCall,
    Call,
    ContentDelta,
    Event,
    NoTools,
    PromptRead,
    Request,
    RunFinished,
    Sampling,
    Succeeded,
    System,
    ThinkingDelta,
    ToolFinished,
    ToolResult,
    ToolStarted,
    TurnFinished,
    Usage,
    User,
)
from hilt.settings import AgentOptions
from hilt.tools import Nobody, Refused, Registry, Runtime, tool
from hilt.tools.builtin import arithmetic_tools
from tests.agent.scripts import (
    QUESTION,
    USAGE,
    Answering,
    agent,
    calls,
    clock,
    contents,
    counting,
    counts,
    one_result_a_call,
    read,
    says,
    tool_events,
)

TRANSCRIPT = Path(__file__).parent / "main_job.json"
CALCULATE = Call("c1", "calculate", '{"expression": "17 / 100 * 2340"}')


def main_job() -> str:
    """The main job as JSON: every event, every request's messages, and the messages that are left."""
    count, _ = counting("write")
    first = [
        PromptRead(10, 4),
        ThinkingDelta("a sum, and a count"),
        *calls(CALCULATE, *counts(3), said="I work it out."),
    ]
    backend = ScriptedBackend([first, [PromptRead(20, 18), *says("It is 397.8.")]])
    tools = (*arithmetic_tools(), count)
    run = agent(backend, tools, approver=Nobody(), messages=(System("be brief"), User("17 % of 2340?")))
    events = read(run)
    asked = [request.messages for request in backend.requests]
    written = msgspec.to_builtins({"events": events, "asked": asked, "left": run.messages})
    return json.dumps(written, indent=1, ensure_ascii=False) + "\n"


def test_the_main_job_is_as_written_down() -> None:
    """`python -m tests.agent.test_loop` writes the transcript anew, to be read as a diff."""
    assert main_job() == TRANSCRIPT.read_text(encoding="utf-8")


def test_what_the_backend_is_asked() -> None:
    count, _ = counting()
    backend = ScriptedBackend([calls(*counts(1)), says("done")])
    sampling = Sampling(temperature=0.0, max_tokens=50)
    runtime = Runtime(registry=Registry((count, *arithmetic_tools())), approver=Nobody())
    run = AgentRun(backend, runtime, Request("m", (QUESTION,), sampling=sampling), clock=clock())
    read(run)
    for request in backend.requests:
        assert request.model == "m"
        assert request.tools == runtime.registry.specs
        assert request.sampling == sampling
        assert request.tool_choice == Auto()
    assert backend.requests[1].messages == run.messages[:-1]


def test_the_messages_are_the_history_of_the_next_run() -> None:
    count, seen = counting()
    first = agent(ScriptedBackend([calls(*counts(1)), says("one")]), [count], approver=Nobody())
    read(first)
    assert contents(first.messages) == ["question", "", '{"count": 1}', "one"]
    backend = ScriptedBackend([calls(*counts(2)), says("two")])
    second = agent(backend, [count], approver=Nobody(), messages=(*first.messages, User("again")))
    read(second)
    assert contents(second.messages)[4:] == ["again", "", '{"count": 2}', "two"]
    assert one_result_a_call(second.messages)
    assert seen == [1, 2]


def test_usage_is_summed_and_the_run_ends_once() -> None:
    count, _ = counting()
    events = read(agent(ScriptedBackend([calls(*counts(1)), says("ok")]), [count], approver=Nobody()))
    assert [event for event in events if isinstance(event, RunFinished)] == [RunFinished("final", USAGE + USAGE)]
    assert isinstance(events[-1], RunFinished)


def test_results_are_in_call_order_whatever_ends_first() -> None:
    """Three reads of a turn are under way together; each may end only when the end of the next one was told."""
    may_end = [asyncio.Event(), asyncio.Event(), asyncio.Event()]

    @tool(effect="read")
    async def wait(number: int) -> int:
        """Wait for leave to end."""
        await may_end[number].wait()
        return number

    made = [Call(f"c{number}", "wait", json.dumps({"number": number})) for number in range(3)]
    run = agent(ScriptedBackend([calls(*made), says("ok")]), [wait], approver=Nobody())

    async def read_and_allow() -> list[Event]:
        events: list[Event] = []
        async for event in run.stream():
            events.append(event)
            match tool_events(events):
                case ["+c0", "+c1", "+c2", *ended] if len(ended) < 3:
                    may_end[2 - len(ended)].set()
                case _:
                    pass
        return events

    assert tool_events(asyncio.run(read_and_allow())) == ["+c0", "+c1", "+c2", "-c2", "-c1", "-c0"]
    assert contents(run.messages)[2:5] == ["0", "1", "2"]


def test_a_change_waits_for_the_reads_before_it_and_holds_those_after_it() -> None:
    at_work: set[str] = set()
    together: list[set[str]] = []

    async def work(name: str) -> str:
        at_work.add(name)
        await asyncio.sleep(0)
        together.append(set(at_work))
        await asyncio.sleep(0)
        at_work.remove(name)
        return name

    @tool(effect="read")
    async def look(name: str) -> str:
        """Look."""
        return await work(name)

    @tool(effect="write")
    async def change(name: str) -> str:
        """Change."""
        return await work(name)

    made = [
        Call(name, "change" if name.isupper() else "look", json.dumps({"name": name})) for name in ("a", "b", "C", "d")
    ]
    run = agent(ScriptedBackend([calls(*made), says("ok")]), [look, change], approver=Answering())
    assert tool_events(read(run)) == ["+a", "+b", "-a", "-b", "+C", "-C", "+d", "-d"]
    assert together == [{"a", "b"}, {"a", "b"}, {"C"}, {"d"}]


def test_a_refusal_is_told_to_the_model() -> None:
    count, seen = counting("destructive")
    backend = ScriptedBackend([calls(*counts(1)), says("ok")])
    run = agent(backend, [count], approver=Answering(Refused("not that one")))
    read(run)
    assert run.messages[2] == ToolResult("c1", "count", '{"error": "not that one"}')
    assert seen == []


@pytest.mark.parametrize("reason", ["truncated", "malformed"])
def test_an_unreadable_call_is_never_run_and_may_be_written_again(reason: Any) -> None:
    count, seen = counting()
    bad = BadCall("b1", "count", reason, "a bracket is missing", '{"number": 7', None)
    backend = ScriptedBackend([calls(*counts(1), bad), calls(*counts(2)), says("ok")])
    run = agent(backend, [count], approver=Nobody())
    events = read(run)
    assert seen == [1, 2]
    kinds = [type(message).__name__ for message in run.messages]
    assert kinds == ["User", "Assistant", "ToolResult", "User", "Assistant", "ToolResult", "Assistant"]
    assert "Your call of count" in run.messages[3].content
    assert isinstance(events[-1], RunFinished)
    assert events[-1].reason == "final"


def test_an_answer_that_was_taken_back_is_asked_for_again_and_none_of_its_calls_run() -> None:
    count, seen = counting()
    refused = [*calls(*counts(1), said="Well")[:-1], AnswerRejected("no call of add", "Well"), *says("")[-1:]]
    run = agent(ScriptedBackend([refused, calls(*counts(2)), says("ok")]), [count], approver=Nobody())
    events = read(run)
    assert seen == [2]
    assert "can't be used" in run.messages[2].content
    assert run.messages[3] == User("Your answer can't be used: no call of add. Write the whole answer again.")
    assert one_result_a_call(run.messages)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].reason == "final"


def test_repairs_end_with_a_turn_without_tools() -> None:
    bad = BadCall("b1", "count", "malformed", "no JSON", "{{{")
    count, _ = counting()
    backend = ScriptedBackend([calls(bad), calls(bad), calls(bad), says("I can't count")])
    run = agent(backend, [count], approver=Nobody())
    events = read(run)
    assert events[-1] == RunFinished("repair_exhausted", Usage(40, 16, 12))
    assert [request.tool_choice for request in backend.requests] == [Auto(), Auto(), Auto(), NoTools()]
    assert contents(run.messages)[-2].endswith("Answer in words, without calling a tool.")
    assert contents(run.messages)[-1] == "I can't count"


def test_an_unknown_tool_is_answered_with_the_names() -> None:
    count, seen = counting()
    rejected = BadCall("b1", "cuont", "unknown_tool", "no such tool", "raw", '{"number": 1}')
    finished = Call("c9", "cuont", '{"number": 1}')
    backend = ScriptedBackend([calls(rejected), calls(finished), calls(*counts(1)), says("ok")])
    run = agent(backend, [count], approver=Nobody())
    read(run)
    error = '{"error": "there is no tool named \'cuont\'; the tools are: count"}'
    assert run.messages[1:3] == (
        Assistant(calls=(Call("b1", "cuont", '{"number": 1}'),)),
        ToolResult("b1", "cuont", error),
    )
    assert "the tools are: count" in run.messages[4].content
    assert one_result_a_call(run.messages)
    assert seen == [1]


def test_the_turns_have_a_limit_and_then_an_answer() -> None:
    count, seen = counting()
    backend = ScriptedBackend([*(calls(*counts(number)) for number in range(3)), says("enough")])
    run = agent(backend, [count], approver=Nobody(), options=AgentOptions(max_iterations=3))
    events = read(run)
    assert seen == [0, 1, 2]
    assert [request.tool_choice for request in backend.requests] == [Auto(), Auto(), Auto(), NoTools()]
    assert isinstance(events[-1], RunFinished)
    assert events[-1].reason == "max_iterations"
    assert contents(run.messages)[-1] == "enough"


def test_a_call_in_the_last_turn_is_not_run() -> None:
    count, seen = counting()
    backend = ScriptedBackend([calls(*counts(1)), calls(*counts(2), said="still")])
    run = agent(backend, [count], approver=Nobody(), options=AgentOptions(max_iterations=1))
    events = read(run)
    assert seen == [1]
    assert tool_events(events) == ["+c1", "-c1"]
    assert "no tool may be called any more" in run.messages[-1].content
    assert one_result_a_call(run.messages)


def test_the_same_call_for_ever_is_nudged_and_stopped() -> None:
    count, seen = counting()
    backend = ScriptedBackend([*([calls(*counts(1))] * 3), says("it is 1")])
    run = agent(backend, [count], approver=Nobody())
    events = read(run)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].reason == "repeated_calls"
    assert seen == [1, 1, 1]
    assert backend.requests[-1].tool_choice == NoTools()
    assert ["note" in json.loads(run.messages[place].content) for place in (2, 4, 6)] == [False, True, True]
    # What the tool said is told as it was; only the model reads the nudge.
    outcomes = {event.outcome for event in events if isinstance(event, ToolFinished)}
    assert outcomes == {Succeeded('{"count": 1}')}


def test_a_reply_cut_at_its_length_runs_nothing() -> None:
    count, seen = counting()
    run = agent(ScriptedBackend([calls(*counts(1), said="so", reason="length")]), [count], approver=Nobody())
    events = read(run)
    assert events[-1] == RunFinished("length", USAGE)
    assert seen == []
    assert one_result_a_call(run.messages)


def test_a_call_cut_at_its_length_is_written_again_if_there_is_room() -> None:
    count, seen = counting()
    cut = BadCall("b1", "count", "truncated", "no end", '{"num')
    script = [calls(*counts(1), cut, reason="length"), calls(*counts(2)), says("ok")]
    run = agent(ScriptedBackend(script), [count], approver=Nobody())
    read(run)
    assert seen == [2]
    assert one_result_a_call(run.messages)
    full = ModelCard("scripted", "none", "hermes", context_length=13)
    run = agent(ScriptedBackend(script, full), [count], approver=Nobody())
    assert read(run)[-1] == RunFinished("length", USAGE)


def test_durations_come_from_the_clock() -> None:
    count, _ = counting()
    events = read(agent(ScriptedBackend([calls(*counts(1)), says("ok")]), [count], approver=Nobody()))
    assert [event.duration_s for event in events if isinstance(event, ToolFinished)] == [0.5]


def test_thinking_is_kept_with_its_turn() -> None:
    turn = [ThinkingDelta("hm"), ContentDelta("yes"), TurnFinished("stop", USAGE)]
    run = agent(ScriptedBackend([turn]), approver=Nobody())
    read(run)
    assert run.messages[-1] == Assistant("yes", thinking="hm")


def test_every_finished_tool_was_started() -> None:
    count, _ = counting()
    backend = ScriptedBackend([calls(*counts(1, 2)), calls(*counts(3)), says("six")])
    events = read(agent(backend, [count], approver=Nobody()))
    started = [event.call for event in events if isinstance(event, ToolStarted)]
    finished = [event.call for event in events if isinstance(event, ToolFinished)]
    assert started == counts(1, 2, 3)
    assert sorted(call.id for call in finished) == ["c1", "c2", "c3"]


if __name__ == "__main__":
    TRANSCRIPT.write_text(main_job(), encoding="utf-8")
