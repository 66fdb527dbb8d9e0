"""However a run is broken off, nothing of it goes on and its messages are whole."""

import asyncio
from typing import Any

import pytest

from hilt.agent import AgentRun
from hilt.backends import ScriptedBackend
from hilt.conversation import Assistant, Bug, Call, ContentDelta, Event, RunFinished, ToolFinished, Unavailable, Usage
from hilt.tools import Nobody, tool
from tests.agent.scripts import (
    QUESTION,
    USAGE,
    Answering,
    agent,
    calls,
    contents,
    counting,
    counts,
    one_result_a_call,
    read,
    says,
    tool_events,
)


@pytest.mark.parametrize("turn", [[ContentDelta("half")], []], ids=["half", "nothing"])
def test_a_backend_that_breaks_off_silently_is_a_bug(turn: list[Any]) -> None:
    run = agent(ScriptedBackend([turn]), approver=Nobody())
    assert read(run)[-1] == RunFinished(
        "model_error", Usage(), "the backend of scripted ended its turn without saying so"
    )
    assert isinstance(run.error, Bug)
    assert contents(run.messages) == ["question", *(event.text for event in turn)]


def test_an_error_of_the_backend_ends_the_run_and_leaves_whole_messages() -> None:
    count, _ = counting()
    script = [calls(*counts(1)), [ContentDelta("it is"), *calls(*counts(2))[:-1], Unavailable("gone")]]
    run = agent(ScriptedBackend(script), [count], approver=Nobody())
    assert read(run)[-1] == RunFinished("model_error", USAGE, "gone")
    assert isinstance(run.error, Unavailable)
    assert contents(run.messages) == ["question", "", '{"count": 1}', "it is"]
    assert one_result_a_call(run.messages)


def full_run() -> tuple[AgentRun, ScriptedBackend]:
    count, _ = counting()
    backend = ScriptedBackend([calls(*counts(1, 2), said="let me see"), calls(*counts(3)), says("six")])
    return agent(backend, [count], approver=Nobody()), backend


@pytest.mark.parametrize("read_events", range(len(read(full_run()[0])) + 1))
def test_a_run_closed_at_any_event_leaves_whole_messages(read_events: int) -> None:
    run, backend = full_run()

    async def close_early() -> None:
        stream = run.stream()
        for _ in range(read_events):
            await anext(stream)
        await stream.aclose()

    asyncio.run(close_early())
    assert run.messages[0] == QUESTION
    assert one_result_a_call(run.messages)
    assert len(backend.requests) <= 3


def test_closing_while_the_model_writes_closes_its_stream() -> None:
    count, _ = counting()
    backend = ScriptedBackend([calls(*counts(1), said="let me see")])
    run = agent(backend, [count], approver=Nobody())

    async def close_early() -> None:
        stream = run.stream()
        assert await anext(stream) == ContentDelta("let me see")
        await stream.aclose()

    asyncio.run(close_early())
    assert backend.abandoned == 1
    assert run.messages == (QUESTION, Assistant("let me see"))


def test_cancelling_the_reader_cancels_the_tools() -> None:
    """One read has ended, one hangs, and a change stands behind them when the reader goes away."""
    ended: list[str] = []
    begun = asyncio.Event()
    told = asyncio.Event()

    @tool(effect="read")
    async def hang(name: str) -> str:
        """Hang if told to."""
        if name == "quick":
            return name
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)
        return name

    @tool(effect="write")
    async def change() -> None:
        """Change."""
        ended.append("changed")

    made = [Call("c1", "hang", '{"name": "quick"}'), Call("c2", "hang", '{"name": "slow"}'), Call("c3", "change", "{}")]
    run = agent(ScriptedBackend([calls(*made)]), [hang, change], approver=Answering())

    async def cancel_early() -> list[Event]:
        seen: list[Event] = []

        async def consume() -> None:
            async for event in run.stream():
                seen.append(event)
                if isinstance(event, ToolFinished):
                    told.set()

        reader = asyncio.create_task(consume())
        await begun.wait()
        await told.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        return seen

    seen = asyncio.run(cancel_early())
    assert ended == ["slow"]
    assert tool_events(seen) == ["+c1", "+c2", "-c1"]
    assert one_result_a_call(run.messages)
    results = contents(run.messages)[2:]
    assert results[0] == '"quick"'
    assert "may or may not have been carried out" in results[1]
    assert "stopped before this call was run" in results[2]
