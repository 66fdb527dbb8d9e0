"""The tools that schedule tasks, tell of them and cancel them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Struct
from pydantic import Field

from hilt.tools.builtin.schedule.grant import Grant
from hilt.tools.builtin.schedule.recurrence import Timing, zone_name, zone_named
from hilt.tools.builtin.schedule.repeats import read_repeat
from hilt.tools.builtin.schedule.store import Schedule, Task, add, cancel, checked_text, find, first_time, tasks
from hilt.tools.builtin.schedule.when import WEEKDAYS, read_when
from hilt.tools.tool import Change, Tool, tool

_MAX_LISTED = 50
_MAX_SHOWN_CHARS = 200


class ScheduledTask(Struct, frozen=True):
    """A task as the model sees it. `next` is local time to the minute with its weekday, "" when none is left."""

    id: int
    task: str
    next: str
    timezone: str
    repeat: str
    state: str


class TaskList(Struct, frozen=True):
    """Tasks, the next to come first; `omitted` says that there are more than the 50 that are listed."""

    tasks: tuple[ScheduledTask, ...]
    omitted: bool | msgspec.UnsetType = msgspec.UNSET


def schedule_tools(schedule: Schedule, now: Callable[[], datetime], grant: Callable[[], Grant]) -> tuple[Tool, ...]:
    """The three tools. `now` gives an aware datetime in the user's zone; `grant` what a task made now may do later."""

    def plan_task(task: str, when: str, repeat: str | None = None) -> Sequence[Change]:
        timing = read_timing(when, repeat, now())
        first = _shown(first_time(timing), timing.zone)
        detail = (
            f"{first} ({timing.zone})"
            + (f", then {timing.rule}" if timing.rule else "")
            + f": {_short(checked_text(task))}"
        )
        return (Change("create", "scheduled task", detail),)

    @tool(
        effect="write",
        aliases=("scheduleAgentTask", "schedule_agent_task", "create_task", "scheduleTask"),
        permission="schedule:write",
        domain="schedule",
        keywords=("schedule", "later", "remind", "reminder", "every day", "daily", "weekly", "tomorrow", "recurring"),
        examples=(
            ("Tomorrow at nine, summarise my notes.", {"task": "Summarise my notes.", "when": "tomorrow 09:00"}),
            (
                "Check the logs in the workspace every two hours.",
                {"task": "Check the logs in the workspace.", "when": "in 2 hours", "repeat": "every 2 hours"},
            ),
        ),
        plan=plan_task,
    )
    def schedule_task(
        task: Annotated[str, Field(description="What to do then, as a request that makes sense by itself.")],
        when: Annotated[
            str, Field(description="When first: 2026-12-31T09:00, tomorrow 09:00, monday 8:30 or in 20 minutes.")
        ],
        repeat: Annotated[
            str | None,
            Field(description="daily, weekly, weekdays, every 2 hours or an RRULE; once if left out."),
        ] = None,
    ) -> ScheduledTask:
        """Schedule a task to be done by the agent later, once or again and again."""
        moment = now()
        return _seen(add(schedule, task, read_timing(when, repeat, moment), grant(), moment))

    @tool(
        effect="read",
        aliases=("listTasks", "list_scheduled_tasks"),
        permission="schedule:read",
        domain="schedule",
        keywords=("scheduled", "tasks", "planned", "reminders"),
        examples=(("What have I scheduled?", {}),),
    )
    def list_tasks() -> TaskList:
        """List the scheduled tasks that are still to be done."""
        found = tasks(schedule, _MAX_LISTED + 1)
        listed = tuple(_seen(task) for task in found[:_MAX_LISTED])
        return TaskList(listed, True if len(found) > _MAX_LISTED else msgspec.UNSET)

    def plan_cancel(id: int) -> Sequence[Change]:
        task = find(schedule, id)
        if task is None:
            raise ValueError(f"there is no task {id}; list_tasks tells the ids")
        return (Change("delete", f"scheduled task {id}", _short(task.text)),)

    @tool(
        effect="destructive",
        aliases=("cancelTask", "cancel_scheduled_task", "delete_task"),
        permission="schedule:write",
        domain="schedule",
        keywords=("cancel", "unschedule", "stop", "remove"),
        examples=(("Cancel task 3.", {"id": 3}),),
        plan=plan_cancel,
    )
    def cancel_task(id: Annotated[int, Field(description="The task's id.")]) -> ScheduledTask:
        """Cancel a scheduled task, so that it is never done again."""
        return _seen(cancel(schedule, id, now()))

    return schedule_task, list_tasks, cancel_task


def read_timing(when: str, repeat: str | None, now: datetime) -> Timing:
    """When a task is due, from the words for it. Raises ValueError, which says what to write, also for what is past or
    never comes."""
    start = read_when(when, now)
    timing = Timing(int(start.timestamp()), zone_name(now), read_repeat(repeat, start))
    first_time(timing)
    return timing


def _seen(task: Task) -> ScheduledTask:
    timing = task.timing
    shown = "" if task.next_s is None else _shown(task.next_s, timing.zone)
    return ScheduledTask(task.id, task.text, shown, timing.zone, timing.rule, task.state)


def _shown(moment_s: int, zone: str) -> str:
    moment = datetime.fromtimestamp(moment_s, zone_named(zone))
    return f"{WEEKDAYS[moment.weekday()].capitalize()} {moment:%Y-%m-%d %H:%M}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_SHOWN_CHARS else line[: _MAX_SHOWN_CHARS - 1] + "…"
