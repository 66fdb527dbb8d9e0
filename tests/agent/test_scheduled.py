"""Tasks are carried out when they are due, one after the other, and no end of one keeps another from its own."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from hilt.agent import scheduled
from hilt.agent.scheduled import Performed, Terms, run_due, run_forever
from hilt.assembly.tooling import performer
from hilt.backends import ScriptedBackend
from hilt.conversation import Call
from hilt.settings import PolicyOptions, default_settings
from hilt.tools import Nobody, Registry, Runtime, tool
from hilt.tools.builtin.schedule import Grant, Run, Schedule, Task, Timing
from hilt.tools.builtin.schedule.store import add, cancel, claim, find, runs
from tests.agent.scripts import calls, says

BEGIN = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
GRANT = Grant(("calculate",))


class Clock:
    """A clock that only moves when it is told to, or slept on."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.slept_s: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.forward(seconds)
        await asyncio.sleep(0)


class Stopped(Exception):
    """The test has seen enough of what goes on for ever."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(tmp_path: Path) -> Schedule:
    return Schedule(tmp_path / "schedule.sqlite3")


def scheduled_task(kept: Schedule, text: str, in_s: int = 0, rule: str = "") -> Task:
    return add(kept, text, Timing(int(BEGIN.timestamp()) + in_s, "UTC", rule), GRANT, BEGIN)


async def answering(task: Task) -> Performed:
    return Performed("final", f"did {task.text}", f"trace of {task.id}")


def told(ended: list[Run]) -> list[tuple[int, str, str]]:
    return [(run.task_id, run.stop_reason, run.error or run.answer) for run in ended]


def test_what_is_due_is_carried_out_in_order_and_recorded(kept: Schedule, clock: Clock) -> None:
    scheduled_task(kept, "b", 2)
    scheduled_task(kept, "a", 1)
    scheduled_task(kept, "later", 100)
    clock.forward(10)
    seen: list[str] = []
    ended = asyncio.run(run_due(kept, clock, answering, Terms("r"), tell=lambda task, run: seen.append(task.text)))
    assert told(ended) == [(2, "final", "did a"), (1, "final", "did b")]
    assert seen == ["a", "b"]
    assert runs(kept, 2) == (ended[0],)
    assert ended[0].trace_id == "trace of 2"
    assert asyncio.run(run_due(kept, clock, answering, Terms("r"))) == []


async def raising(task: Task) -> Performed:
    raise RuntimeError(f"{task.text} broke")


async def interrupted(task: Task) -> Performed:
    raise asyncio.CancelledError


async def waiting(task: Task) -> Performed:
    await asyncio.Event().wait()
    raise AssertionError


async def deaf(task: Task) -> Performed:
    """Goes on when it is told to stop, a little."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.sleep(0)
    raise RuntimeError("too late")


@pytest.mark.parametrize(
    ("bad", "reason", "error"),
    [
        (raising, "failed", "RuntimeError: bad broke"),
        (interrupted, "failed", "cancelled from within"),
        (waiting, "timed_out", "did not end within 0.01 seconds"),
        (deaf, "timed_out", "did not end within 0.01 seconds"),
    ],
)
def test_one_bad_end_keeps_no_other_task_from_its_own(
    bad: Callable[[Task], Awaitable[Performed]], reason: str, error: str, kept: Schedule, clock: Clock
) -> None:
    scheduled_task(kept, "bad", 0, "FREQ=DAILY")
    scheduled_task(kept, "good", 1)
    clock.forward(10)

    async def perform(task: Task) -> Performed:
        return await (bad(task) if task.text == "bad" else answering(task))

    first, second = asyncio.run(run_due(kept, clock, perform, Terms("r", timeout_s=0.01)))
    assert (first.stop_reason, second.stop_reason) == (reason, "final")
    assert error in first.error
    task = find(kept, 1)
    assert task is not None
    assert (task.state, task.next_s) == ("waiting", int((BEGIN + timedelta(days=1)).timestamp()))


def test_what_will_not_stop_is_left_behind(kept: Schedule, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduled, "_CANCEL_GRACE_S", 0.01)
    scheduled_task(kept, "stubborn")
    over = asyncio.Event()

    async def stubborn(task: Task) -> Performed:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                continue
        return Performed("final", "at last")

    async def passing() -> list[Run]:
        ended = await run_due(kept, clock, stubborn, Terms("r", timeout_s=0.01))
        over.set()
        return ended

    assert [run.stop_reason for run in asyncio.run(passing())] == ["timed_out"]


def test_tasks_run_one_at_a_time(kept: Schedule, clock: Clock) -> None:
    for _ in range(3):
        scheduled_task(kept, "x")
    running: list[int] = []
    most = 0

    async def perform(task: Task) -> Performed:
        nonlocal most
        running.append(task.id)
        most = max(most, len(running))
        await asyncio.sleep(0)
        running.remove(task.id)
        return Performed("final", "")

    assert len(asyncio.run(run_due(kept, clock, perform, Terms("r")))) == 3
    assert most == 1


def test_a_pass_ends_though_a_task_takes_longer_than_its_interval(kept: Schedule, clock: Clock) -> None:
    scheduled_task(kept, "x", 0, "FREQ=MINUTELY")

    async def slow(task: Task) -> Performed:
        clock.forward(150)
        return Performed("final", "")

    assert len(asyncio.run(run_due(kept, clock, slow, Terms("r")))) == 1
    (second,) = asyncio.run(run_due(kept, clock, slow, Terms("r")))
    # What was missed meanwhile is made up for once, from the rule.
    assert second.due_s == BEGIN.timestamp() + 60


def test_nothing_begins_while_switched_off(kept: Schedule, clock: Clock) -> None:
    for _ in range(3):
        scheduled_task(kept, "x")
    why: list[str | None] = [None, "the user switched tools off"]
    off = Terms("r", why_off=lambda: why.pop(0) if len(why) > 1 else why[0])
    assert len(asyncio.run(run_due(kept, clock, answering, off))) == 1
    assert asyncio.run(run_due(kept, clock, answering, off)) == []
    assert [len(runs(kept, task_id)) for task_id in (1, 2, 3)] == [1, 0, 0]
    assert len(asyncio.run(run_due(kept, clock, answering, Terms("r")))) == 2


def test_what_runs_is_stopped_when_switched_off(kept: Schedule, clock: Clock) -> None:
    scheduled_task(kept, "x")
    stopped: list[str] = []

    async def perform(task: Task) -> Performed:
        try:
            return await waiting(task)
        finally:
            stopped.append(task.text)

    async def tripped() -> str:
        await asyncio.sleep(0)
        return "the user switched tools off"

    ended = asyncio.run(run_due(kept, clock, perform, Terms("r", tripped=tripped)))
    assert told(ended) == [(1, "killed", "the user switched tools off")]
    assert stopped == ["x"]


def test_a_switch_that_can_not_be_read_stops_what_runs(kept: Schedule, clock: Clock) -> None:
    scheduled_task(kept, "x")

    async def tripped() -> str:
        raise OSError("unreadable")

    ended = asyncio.run(run_due(kept, clock, waiting, Terms("r", tripped=tripped)))
    assert told(ended) == [(1, "killed", "it can't be told whether tools are switched off")]


def test_a_cancelled_pass_gives_its_task_back(kept: Schedule, clock: Clock) -> None:
    scheduled_task(kept, "x")

    async def cancelled() -> None:
        begun = asyncio.Event()

        async def perform(task: Task) -> Performed:
            begun.set()
            return await waiting(task)

        passing = asyncio.create_task(run_due(kept, clock, perform, Terms("r")))
        await begun.wait()
        passing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await passing

    asyncio.run(cancelled())
    assert told(asyncio.run(run_due(kept, clock, answering, Terms("other")))) == [(1, "final", "did x")]
    assert [run.attempt for run in runs(kept, 1)] == [2, 1]


def test_a_task_of_a_dead_runner_is_taken_up_after_its_lease(kept: Schedule, clock: Clock) -> None:
    scheduled_task(kept, "x")
    terms = Terms("r", timeout_s=100.0)
    assert claim(kept, "dead", clock(), terms.lease_s) is not None
    assert terms.lease_s > terms.timeout_s
    clock.forward(terms.lease_s - 1)
    assert asyncio.run(run_due(kept, clock, answering, terms)) == []
    clock.forward(1)
    assert told(asyncio.run(run_due(kept, clock, answering, terms))) == [(1, "final", "did x")]


def test_an_end_that_another_runner_overtook_is_not_told(kept: Schedule, clock: Clock) -> None:
    scheduled_task(kept, "x")

    async def asleep(task: Task) -> Performed:
        clock.forward(100_000)  # the machine was asleep meanwhile
        assert claim(kept, "other", clock(), 60.0) is not None
        return Performed("final", "too late")

    assert asyncio.run(run_due(kept, clock, asleep, Terms("r"))) == []
    assert [run.stop_reason for run in runs(kept, 1)] == ["", "runner_died"]


def test_while_an_end_can_not_be_recorded_nothing_new_begins(
    kept: Schedule, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled_task(kept, "a")
    scheduled_task(kept, "b")
    recorded = scheduled.finish
    faults = 3

    def full(*arguments: object) -> object:
        nonlocal faults
        if faults:
            faults -= 1
            assert runs(kept, 2) == ()
            raise sqlite3.OperationalError("database or disk is full")
        return recorded(*arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(scheduled, "finish", full)
    ended = asyncio.run(run_due(kept, clock, answering, Terms("r"), sleep=clock.sleep))
    assert [run.task_id for run in ended] == [1, 2]
    assert len(clock.slept_s) == 3
    assert [run.attempt for run in runs(kept, 1)] == [1]


def test_a_task_may_do_only_what_was_granted_and_nobody_is_asked(kept: Schedule, clock: Clock, tmp_path: Path) -> None:
    did: list[str] = []

    @tool(effect="read")
    def look() -> str:
        """Look."""
        did.append("look")
        return "seen"

    @tool(effect="read")
    def look_elsewhere() -> str:
        """Look where it was not granted."""
        did.append("look_elsewhere")
        return "seen"

    @tool(effect="read")
    def look_inside() -> str:
        """Look where it was granted, but is denied by now."""
        did.append("look_inside")
        return "seen"

    @tool(effect="write")
    def write() -> str:
        """Write."""
        did.append("write")
        return "written"

    names = ("look", "look_elsewhere", "look_inside", "write")
    backend = ScriptedBackend(
        [calls(*(Call(f"c{number}", name, "{}") for number, name in enumerate(names))), says("all done")]
    )
    grant = Grant(("look", "look_inside", "write"), PolicyOptions())
    add(kept, "do it all", Timing(int(BEGIN.timestamp()), "UTC"), grant, BEGIN)
    settings = replace(default_settings(tmp_path, tmp_path), policy=PolicyOptions(deny=("look_inside",)))
    tools = (look, look_elsewhere, look_inside, write)
    perform = performer(backend, lambda: Runtime(registry=Registry(tools), approver=Nobody()), settings, 10)
    (run,) = asyncio.run(run_due(kept, clock, perform, Terms("r")))
    assert (run.stop_reason, run.answer) == ("final", "all done")
    assert did == ["look"]
    assert [spec.name for spec in backend.requests[0].tools] == ["look", "look_inside", "write"]


KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from hilt.tools.builtin.schedule import Schedule
from hilt.tools.builtin.schedule.store import claim
assert claim(Schedule(Path(sys.argv[1])), "killed", datetime.fromisoformat(sys.argv[2]), 60.0).task.id == 1
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_runner_that_is_killed_loses_nothing(kept: Schedule, clock: Clock) -> None:
    scheduled_task(kept, "x")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(kept.path), BEGIN.isoformat()])
    assert killed.returncode == -signal.SIGKILL
    assert asyncio.run(run_due(kept, clock, answering, Terms("r"))) == []
    clock.forward(60)
    assert told(asyncio.run(run_due(kept, clock, answering, Terms("r")))) == [(1, "final", "did x")]


def ending(clock: Clock, sleeps: int) -> Callable[[float], Awaitable[None]]:
    """A sleep that ends what goes on for ever after so many."""

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        if len(clock.slept_s) >= sleeps:
            raise Stopped

    return sleep


def test_it_sleeps_until_the_next_is_due_and_never_long(kept: Schedule, clock: Clock) -> None:
    scheduled_task(kept, "x", 70, "FREQ=MINUTELY;INTERVAL=10;COUNT=2")
    ended: list[Run] = []
    with pytest.raises(Stopped):
        asyncio.run(
            run_forever(
                kept, clock, answering, Terms("r"), sleep=ending(clock, 4), tell=lambda task, run: ended.append(run)
            )
        )
    assert clock.slept_s == [30.0, 30.0, 10.0, 30.0]
    assert [run.started_s for run in ended] == [BEGIN.timestamp() + 70]


def test_a_new_task_is_seen_within_half_a_minute(kept: Schedule, clock: Clock) -> None:
    ended: list[str] = []

    async def sleep(seconds: float) -> None:
        if ended:
            raise Stopped
        await clock.sleep(seconds)
        if len(clock.slept_s) == 2:
            scheduled_task(kept, "new")

    with pytest.raises(Stopped):
        asyncio.run(
            run_forever(kept, clock, answering, Terms("r"), sleep=sleep, tell=lambda task, run: ended.append(task.text))
        )
    assert clock.slept_s == [30.0, 30.0]
    assert ended == ["new"]


def test_a_fault_of_the_file_is_told_and_the_file_is_tried_again(
    kept: Schedule, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled_task(kept, "x")
    claimed = scheduled.claim
    faults: list[str] = []
    ended: list[Run] = []

    def locked(*arguments: object, **named: object) -> object:
        if not faults:
            raise sqlite3.OperationalError("database is locked")
        return claimed(*arguments, **named)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(scheduled, "claim", locked)
    with pytest.raises(Stopped):
        asyncio.run(
            run_forever(
                kept,
                clock,
                answering,
                Terms("r"),
                sleep=ending(clock, 2),
                tell=lambda task, run: ended.append(run),
                complain=lambda fault: faults.append(str(fault)),
            )
        )
    assert faults == ["database is locked"]
    assert told(ended) == [(1, "final", "did x")]


def test_a_task_cancelled_while_it_runs_ends_as_it_would(kept: Schedule, clock: Clock) -> None:
    scheduled_task(kept, "x", 0, "FREQ=DAILY")

    async def perform(task: Task) -> Performed:
        cancel(kept, task.id, clock())
        return Performed("final", "done")

    assert told(asyncio.run(run_due(kept, clock, perform, Terms("r")))) == [(1, "final", "done")]
    clock.forward(86_400 * 2)
    assert asyncio.run(run_due(kept, clock, perform, Terms("r"))) == []
