"""The tools that schedule: what they are told, what they keep, what they refuse, and what a task may do later."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.conversation import Call, Failed
from hilt.settings import PolicyOptions, ToolOptions
from hilt.tools import Registry, Runtime, Tool, builtin_tools, run_tool, tool
from hilt.tools.builtin.schedule import Grant, Schedule, granted, narrowed, schedule_tools
from hilt.tools.builtin.schedule import store as store_module
from hilt.tools.builtin.schedule.store import find
from tests.tools.conftest import Yes

NOW = datetime(2026, 11, 21, 14, 3, 27, tzinfo=ZoneInfo("Europe/Paris"))
GRANT = Grant(("calculate", "read_file"), PolicyOptions(deny=("read_file(path=.env)",)))

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def kept(tmp_path: Path) -> Schedule:
    return Schedule(tmp_path / "kept" / "schedule.sqlite3")


@pytest.fixture
def made(kept: Schedule) -> dict[str, Tool]:
    return {each.name: each for each in schedule_tools(kept, lambda: NOW, lambda: GRANT)}


@pytest.fixture
def ask(made: dict[str, Tool]) -> Ask:
    runtime = Runtime(registry=Registry(tuple(made.values())), approver=Yes())

    def asked(name: str, **values: Any) -> dict[str, Any]:
        outcome = asyncio.run(run_tool(Call("c1", name, json.dumps(values)), runtime))
        result: dict[str, Any] = json.loads(outcome.text)
        assert isinstance(outcome, Failed) == (set(result) == {"error"})
        return result

    return asked


def test_what_the_tools_say_of_themselves(made: dict[str, Tool]) -> None:
    told = {name: (each.effect, each.permission, each.plan is not None) for name, each in made.items()}
    assert told == {
        "schedule_task": ("write", "schedule:write", True),
        "list_tasks": ("read", "schedule:read", False),
        "cancel_task": ("destructive", "schedule:write", True),
    }
    assert {"scheduleAgentTask", "schedule_agent_task", "create_task"} <= set(made["schedule_task"].aliases)
    assert all(each.domain == "schedule" and each.keywords and each.spec.examples for each in made.values())


def test_a_task_is_scheduled_listed_and_cancelled(ask: Ask, kept: Schedule) -> None:
    task = {
        "id": 1,
        "task": "Summarise my notes.",
        "next": "Monday 2026-11-23 08:30",
        "timezone": "Europe/Paris",
        "repeat": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        "state": "waiting",
    }
    assert ask("schedule_task", task="Summarise my notes.", when="tomorrow 8:30", repeat="weekdays") == task
    assert ask("list_tasks") == {"tasks": [task]}
    assert ask("cancel_task", id=1) == task | {"state": "cancelled", "next": ""}
    assert ask("list_tasks") == {"tasks": []}


def test_a_task_keeps_the_grant_of_its_creation(ask: Ask, kept: Schedule) -> None:
    ask("schedule_task", task="x", when="in 20 minutes")
    task = find(kept, 1)
    assert task is not None
    assert task.grant == GRANT


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"task": " ", "when": "tomorrow"}, "the task is empty"),
        ({"task": "x", "when": "yesterday"}, "can't be read as a moment"),
        ({"task": "x", "when": "2026-11-21 09:00"}, "is in the past"),
        ({"task": "x", "when": "tomorrow", "repeat": "every second"}, "more often than once a minute"),
        ({"task": "x", "when": "tomorrow", "repeat": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "never comes"),
        ({"task": "x", "when": "tomorrow", "repeat": "FREQ=DAILY;UNTIL=20261121"}, "never comes"),
        ({"task": "x" * 4001, "when": "tomorrow"}, "longer than 4000 characters"),
        ({"task": "x"}, "when"),
    ],
)
def test_what_can_not_be_scheduled_is_refused_and_leaves_nothing(
    arguments: dict[str, str], said: str, ask: Ask, kept: Schedule
) -> None:
    assert said in ask("schedule_task", **arguments)["error"]
    assert not kept.path.exists()


@pytest.mark.parametrize("task_id", [1, 0, -1, 2**80])
def test_a_task_that_is_not_there_is_not_cancelled(task_id: int, ask: Ask) -> None:
    assert "list_tasks tells the ids" in ask("cancel_task", id=task_id)["error"]


def test_a_plan_tells_what_would_be_done_and_does_nothing(made: dict[str, Tool], kept: Schedule, ask: Ask) -> None:
    plan = made["schedule_task"].plan
    unplan = made["cancel_task"].plan
    assert plan is not None
    assert unplan is not None
    (change,) = plan(task="Water\nthe plants", when="tomorrow 9:00", repeat="daily")
    assert change.kind == "create"
    assert change.detail == "Sunday 2026-11-22 09:00 (Europe/Paris), then FREQ=DAILY: Water the plants"
    assert not kept.path.exists()
    with pytest.raises(ValueError, match="the task is empty"):
        plan(task=" ", when="tomorrow")
    with pytest.raises(ValueError, match="in the past"):
        plan(task="x", when="2026-11-21 09:00")
    with pytest.raises(ValueError, match="there is no task 1"):
        unplan(id=1)
    ask("schedule_task", task="x" * 1000, when="in 20 minutes")
    (change,) = unplan(id=1)
    assert (change.kind, change.target, len(change.detail)) == ("delete", "scheduled task 1", 200)
    assert [task["state"] for task in ask("list_tasks")["tasks"]] == ["waiting"]


def test_a_long_list_is_cut_and_says_so(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(51):
        ask("schedule_task", task="x", when="tomorrow")
    listed = ask("list_tasks")
    assert (len(listed["tasks"]), listed["omitted"]) == (50, True)
    monkeypatch.setattr(store_module, "MAX_OPEN_TASKS", 51)
    assert "there are 51 tasks already" in ask("schedule_task", task="x", when="tomorrow")["error"]


RULES = st.lists(st.sampled_from(["a", "b", "effect:write", "c(path=*)"]), max_size=3).map(tuple)
POLICIES = st.builds(PolicyOptions, deny=RULES, ask=RULES, allow=RULES, dry_run=st.booleans(), local_only=st.booleans())


@given(made=POLICIES, current=POLICIES)
def test_a_later_policy_only_narrows_what_was_granted(made: PolicyOptions, current: PolicyOptions) -> None:
    policy = narrowed(Grant((), made), current)
    assert set(policy.deny) == {*made.deny, *current.deny}
    assert set(policy.ask) == {*made.ask, *current.ask}
    assert policy.allow == made.allow
    assert (policy.dry_run, policy.local_only) == (
        made.dry_run or current.dry_run,
        made.local_only or current.local_only,
    )


def test_only_tools_of_the_grant_that_still_exist_are_offered(tmp_path: Path) -> None:
    @tool(effect="external")
    def send_mail() -> None:
        """Send a mail."""

    @tool(effect="read")
    def Calculate() -> None:
        """Look like another."""

    options = ToolOptions(workspace=tmp_path, notes=tmp_path / "notes")
    now = (*builtin_tools(options, lambda: NOW), send_mail, Calculate)
    grant = Grant(("calculate", "read_file", "gone_since"))
    assert sorted(each.name for each in granted(grant, now)) == ["calculate", "read_file"]
    assert granted(Grant(), now) == ()
