"""S17: a scheduled job may do what it might when it was made and still may, and what would ask is refused."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hilt.agent.scheduled import Performed
from hilt.assembly import tooling
from hilt.backends import Backend
from hilt.conversation import Call
from hilt.settings import PolicyOptions, Settings
from hilt.tools import Nobody
from hilt.tools.builtin.schedule import Grant, Schedule, Task, Timing
from hilt.tools.builtin.schedule.store import add, find
from tests.promises.worlds import HOSTILE, NOW, Deciding, World, agent, obeying

ALL = PolicyOptions(allow=("*",))
EVERYTHING = tuple(HOSTILE)


def task_of(world: World, grant: Grant) -> Task:
    return add(
        Schedule(world.settings.schedule.path), "Go on.", Timing(int(NOW.timestamp()), "UTC", "FREQ=DAILY"), grant, NOW
    )


def performed(
    world: World, task: Task, settings: Settings, monkeypatch: pytest.MonkeyPatch, *turns: list[Call]
) -> Performed:
    """Carry out a task as the command does, with a model that obeys."""
    backend = obeying(*turns)

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[Backend]:
        yield backend

    monkeypatch.setattr(tooling, "open_backend", opened)
    machine: Any = None
    with tooling.open_performer("a model", settings, machine, 50, lambda sentence: None) as perform:
        return asyncio.run(perform(task))


def writing(text: str) -> Call:
    return Call(f"w{text}", "create_file", f'{{"path": "{text}", "text": ""}}')


@pytest.mark.parametrize(
    ("grant", "now"),
    [
        (Grant(EVERYTHING, PolicyOptions()), PolicyOptions()),
        (Grant(EVERYTHING, PolicyOptions()), ALL),
        (Grant(("calculate", "read_file"), ALL), ALL),
        (Grant((), ALL), ALL),
        (Grant(EVERYTHING, PolicyOptions(allow=("*",), deny=("*",))), ALL),
        (Grant(EVERYTHING, PolicyOptions(allow=("*",), ask=("*",))), ALL),
        (Grant(EVERYTHING, PolicyOptions(allow=("*",), dry_run=True)), ALL),
        (Grant(EVERYTHING, ALL), PolicyOptions(ask=("*",))),
        (Grant(EVERYTHING, ALL), PolicyOptions(deny=("*",))),
        (Grant(EVERYTHING, ALL), PolicyOptions(dry_run=True, allow=("*",))),
    ],
    ids=[
        "asking is refused", "what is allowed later", "few tools", "no tools", "denied then", "asked then",
        "planned then", "asked now", "denied now", "planned now",
    ],
)  # fmt: skip
def test_nothing_more_than_then_and_nothing_more_than_now(
    grant: Grant, now: PolicyOptions, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(world, grant)
    before = world.state()
    done = performed(world, task, world.changed(policy=now), monkeypatch, world.hostile())
    assert done.stop_reason == "final"
    assert world.state() == before


def test_what_was_allowed_when_it_was_made_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of(world, Grant(("create_file", "delete_file"), PolicyOptions(allow=("create_file(path=reports*)",))))
    calls = [writing("reports.txt"), writing("other.txt"), *world.hostile("delete_file")]
    performed(world, task, world.settings, monkeypatch, calls)
    files = {path.name for path in world.settings.tools.workspace.iterdir()}
    assert files == {"plain.txt", "deep", "link.txt", "way_out", "reports.txt"}


def newest(world: World, number: int) -> Grant:
    found = find(Schedule(world.settings.schedule.path), number)
    assert found is not None
    return found.grant


def test_a_job_can_not_give_itself_more_by_another_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also not what the user's rules have come to allow since."""
    task = task_of(
        world, Grant(("calculate", "schedule_task"), PolicyOptions(allow=("schedule_task",), deny=("wipe",)))
    )
    settings = world.changed(policy=PolicyOptions(allow=("*",), deny=("post_letter",)))
    performed(world, task, settings, monkeypatch, world.hostile("schedule_task"))
    made = newest(world, task.id + 1)
    assert set(made.tools) == {"calculate", "schedule_task"}
    assert made.policy == PolicyOptions(allow=("schedule_task",), deny=("wipe", "post_letter"))


def test_a_conversation_hands_on_its_own_tools_and_rules(world: World) -> None:
    policy = PolicyOptions(allow=("schedule_task",), deny=("delete_file",))
    with tooling.open_tools(world.changed(policy=policy), Deciding(everything=True)) as make:
        runtime = make(("schedule_task", "calculate"))
        agent(obeying(world.hostile("schedule_task")[:1]), runtime).run_sync("q")
    assert set(newest(world, 2).tools) == {"schedule_task", "calculate", "read_result"}
    assert newest(world, 2).policy == policy


def test_nobody_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    async def approve(self: Nobody, request: object) -> Any:
        asked.append(request)
        raise AssertionError(request)

    monkeypatch.setattr(Nobody, "approve", approve)
    task = task_of(world, Grant(EVERYTHING, PolicyOptions()))
    performed(world, task, world.settings, monkeypatch, world.hostile())
    assert asked == []
