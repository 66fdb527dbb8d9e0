"""S11: whatever hangs, goes on for ever or won't stop, a run ends in its time and says why.

Where time itself is what is tested the clock is a fake one; where something really hangs, the limit is a tiny one and
the hanging has no end.
"""

import asyncio
import itertools
import json
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest

from hilt.agent import RunResult
from hilt.backends import Backend, ModelCard, ScriptedBackend
from hilt.backends.completion import CompletionBackend
from hilt.conversation import (
    BadCall,
    Call,
    ContentDelta,
    ModelEvent,
    NoTools,
    Request,
    ThinkingDelta,
    ToolResult,
)
from hilt.tools import Change, Desk, Nobody, Registry, Runtime, Tool, tool
from tests.agent.scripts import calls, says
from tests.promises.process_tools import process_hang
from tests.promises.worlds import agent

LIMIT_S = 0.2
CARD = ModelCard("endless", "none", "hermes", 1 << 20)


class Moving:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Endless:
    """A model that makes a turn of `turn` each time, for ever, even where no tool is offered; each takes `turn_s`."""

    card = CARD

    def __init__(self, turn: Callable[[int], Sequence[ModelEvent]], clock: Moving, turn_s: float = 1.0) -> None:
        self._turn = turn
        self._clock = clock
        self._turn_s = turn_s
        self.choices: list[Any] = []

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
        self.choices.append(request.tool_choice)
        self._clock.now_s += self._turn_s
        for event in self._turn(len(self.choices)):
            yield event


@tool(effect="read")
def look(number: int) -> int:
    """Look."""
    return number


def other_call(turn: int) -> Sequence[ModelEvent]:
    return calls(Call(f"c{turn}", "look", json.dumps({"number": turn})))


def same_call(turn: int) -> Sequence[ModelEvent]:
    return calls(Call(f"c{turn}", "look", '{"number": 1}'))


def bad_call(turn: int) -> Sequence[ModelEvent]:
    return calls(BadCall(f"c{turn}", "look", "malformed", "no JSON", "{"))


def unknown_call(turn: int) -> Sequence[ModelEvent]:
    return calls(Call(f"c{turn}", f"tool_{turn}", "{}"))


def cut_call(turn: int) -> Sequence[ModelEvent]:
    return calls(BadCall(f"c{turn}", "look", "truncated", "cut", "{"), reason="length")


@pytest.mark.parametrize(
    ("turn", "options", "reason"),
    [
        (other_call, {}, "max_iterations"),
        (other_call, {"max_iterations": 10_000}, "total_timeout"),
        (same_call, {"max_iterations": 10_000}, "repeated_calls"),
        (bad_call, {"max_iterations": 10_000}, "repair_exhausted"),
        (bad_call, {"max_iterations": 10_000, "max_repairs": 10_000}, "total_timeout"),
        (cut_call, {"max_iterations": 10_000, "max_repairs": 10_000}, "total_timeout"),
        (unknown_call, {"max_iterations": 10_000}, "total_timeout"),
    ],
)
def test_a_model_that_never_comes_to_an_end(turn: Any, options: dict[str, Any], reason: str) -> None:
    clock = Moving()
    backend = Endless(turn, clock)
    runtime = Runtime(registry=Registry((look,)), approver=Nobody())
    run = agent(backend, runtime, clock, total_timeout_s=100, **options)
    assert run.run_sync("q").stop_reason == reason
    assert clock.now_s <= 101
    assert backend.choices[-1] == NoTools()


async def babbling() -> AsyncGenerator[ModelEvent]:
    while True:
        yield ContentDelta("and so on ")
        await asyncio.sleep(0)


async def pondering() -> AsyncGenerator[ModelEvent]:
    while True:
        yield ThinkingDelta("hm ")
        await asyncio.sleep(0)


async def silent() -> AsyncGenerator[ModelEvent]:
    await asyncio.Event().wait()
    yield ContentDelta("")


async def clinging() -> AsyncGenerator[ModelEvent]:
    """One that works on for a moment when it is to end."""
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.01)
    yield ContentDelta("")


class Streaming:
    card = CARD

    def __init__(self, events: Callable[[], AsyncGenerator[ModelEvent]]) -> None:
        self._events = events

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
        events = self._events()
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()


def ended(backend: Backend, *tools: Tool, **more: Any) -> RunResult:
    """How a run of a tiny limit ends; if it doesn't, the test does."""
    runtime = Runtime(**{"registry": Registry(tools), "approver": Nobody(), **more})

    async def run() -> RunResult:
        async with asyncio.timeout(60):
            return await agent(backend, runtime, total_timeout_s=LIMIT_S).run("q")

    return asyncio.run(run())


@pytest.mark.parametrize("events", [babbling, pondering, silent, clinging])
def test_a_model_whose_turn_never_ends(events: Callable[[], AsyncGenerator[ModelEvent]]) -> None:
    assert ended(Streaming(events)).stop_reason == "total_timeout"


def test_a_function_that_never_returns() -> None:
    """Neither the run waits for it nor the end of the event loop."""
    never = threading.Event()
    numbers = itertools.count()
    backend = CompletionBackend(lambda prompt: str(never.wait()), lambda: f"c{next(numbers)}")
    assert ended(backend).stop_reason == "total_timeout"
    never.set()


NEVER = threading.Event()


@tool(effect="read", timeout_s=1000)
def sync_hang() -> str:
    """Hang in a thread."""
    return str(NEVER.wait())


@tool(effect="read", timeout_s=1000)
async def async_hang() -> str:
    """Hang."""
    await asyncio.Event().wait()
    return ""


@tool(effect="write", timeout_s=1000, plan=lambda: [Change("edit", str(NEVER.wait()))])
def plan_hang() -> str:
    """Hang before it is asked."""
    return ""


@pytest.mark.parametrize("hanging", [sync_hang, async_hang, process_hang, plan_hang], ids=lambda each: each.name)
@pytest.mark.parametrize("more", [{}, {"dry_run": True}, {"approver": Desk(0.01)}], ids=["", "dry run", "asked"])
def test_a_tool_that_hangs(hanging: Tool, more: dict[str, Any]) -> None:
    backend = ScriptedBackend([calls(Call("c", hanging.name, "{}")), says("it hangs")])
    result = ended(backend, hanging, **more)
    assert (result.stop_reason, result.output) in (("total_timeout", "it hangs"), ("final", "it hangs"))
    answered = json.loads(result.messages[2].content)
    assert "error" in answered or "can't be told beforehand" in str(answered["plan"]["changes"])


def test_a_tool_that_will_not_be_cancelled() -> None:
    refused: list[int] = []

    async def run() -> RunResult:
        released = asyncio.Event()

        @tool(effect="read", timeout_s=1000)
        async def cling() -> str:
            """Go on, whatever is said."""
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    refused.append(1)
            return "at last"

        runtime = Runtime(registry=Registry((cling,)), approver=Nobody())
        backend = ScriptedBackend([calls(Call("c", "cling", "{}")), says("it clings")])
        async with asyncio.timeout(60):
            # Long enough for the moment in which a cancelled tool may end, and for the last turn behind it.
            result = await agent(backend, runtime, total_timeout_s=10 * LIMIT_S).run("q")
        released.set()
        return result

    result = asyncio.run(run())
    assert result.output == "it clings"
    assert "did not end within" in result.messages[2].content
    assert refused


def test_many_hanging_calls_hang_together_and_not_in_turn() -> None:
    """In a real clock the run takes its own time and no more, however many of its calls hang."""
    asked = [Call(f"c{number}", "async_hang", "{}") for number in range(50)]
    result = ended(ScriptedBackend([calls(*asked), says("they hang")]), async_hang)
    assert result.output == "they hang"
    told = [json.loads(message.content) for message in result.messages if isinstance(message, ToolResult)]
    assert len(told) == 50
    assert all("error" in each for each in told)
