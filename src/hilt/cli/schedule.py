"""`hilt schedule`: tasks that the agent does later, by themselves or again and again."""

import asyncio
import signal
import sqlite3
import sys
from collections.abc import Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from hilt.conversation import InvalidRequest, NotFound, Unavailable
from hilt.store import STARTER

if TYPE_CHECKING:
    from hilt.tools.builtin.schedule import Run, Schedule, Task

_MAX_LISTED = 1000
_MAX_LINE_CHARS = 100

schedule = typer.Typer(
    name="schedule", help="Tasks that the agent does later, once or again and again.", no_args_is_help=True
)

TaskId = Annotated[int, typer.Argument(metavar="ID", help="The task's id, as `hilt schedule list` tells it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


@schedule.command(name="list")
def list_tasks(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are done or cancelled.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the tasks, the next to come first."""
    from hilt.tools.builtin.schedule.store import tasks

    with _stored() as kept:
        found = tasks(kept, _MAX_LISTED, ended=everything)
    if as_json:
        _print_json(found)
    else:
        for task in found:
            print(f"{task.id:>4}  {task.state:9}  {_next(task):22}  {_line(task.text)}")
        if not found:
            print("no tasks", file=sys.stderr)


@schedule.command(name="show")
def show_task(task_id: TaskId, as_json: AsJson = False) -> None:
    """Tell all about a task: when it is due, what it may do, and how its runs ended."""
    from hilt.tools.builtin.schedule.store import find, runs

    with _stored() as kept:
        task = find(kept, task_id)
        ran = runs(kept, task_id)
    if task is None:
        raise NotFound(f"there is no task {task_id}; `hilt schedule list --all` tells those there are", param="id")
    if as_json:
        _print_json((task, *ran))
    else:
        for label, text in _described(task, ran):
            print(f"{label:8} {text}")


@schedule.command(name="add")
def add_task(
    task: Annotated[str, typer.Argument(help="What the agent will be asked to do.")],
    when: Annotated[
        str, typer.Option(help="When first: 2026-12-31T09:00, 'tomorrow 09:00', 'monday 8:30', 'in 20 minutes'.")
    ],
    repeat: Annotated[
        str | None, typer.Option(help="daily, weekly, weekdays, 'every 2 hours' or an RRULE; once if left out.")
    ] = None,
) -> None:
    """Schedule a task. It will run with the tools and the policy of today, and nobody will be asked anything."""
    from hilt.assembly import clock, load_settings
    from hilt.assembly.tooling import current_grant
    from hilt.tools.builtin.schedule import read_timing
    from hilt.tools.builtin.schedule.store import add

    now = clock()()
    with _stored() as kept:
        try:
            added = add(kept, task, read_timing(when, repeat, now), current_grant(load_settings()), now)
        except ValueError as fault:
            raise InvalidRequest(str(fault)) from fault
    print(f"task {added.id}, {_next(added)}" + (f", then {added.timing.rule}" if added.timing.rule else ""))


@schedule.command(name="cancel")
def cancel_task(task_id: TaskId) -> None:
    """Never begin a task again; a run that goes on is not stopped."""
    from hilt.assembly import clock
    from hilt.tools.builtin.schedule.store import cancel

    with _stored() as kept:
        try:
            cancelled = cancel(kept, task_id, clock()())
        except ValueError as fault:
            raise InvalidRequest(str(fault), param="id") from fault
    print(f"task {cancelled.id} is cancelled: {_line(cancelled.text)}")


@schedule.command(name="run")
def run_tasks(
    model: Annotated[
        str, typer.Argument(help="A model's folder, its id on the hub, or 'starter'.", show_default=True)
    ] = STARTER,
    workspace: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="The folder whose files the tools may read.")
    ] = Path(),
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, and end.")] = False,
    timeout_s: Annotated[float, typer.Option(min=1, max=86_400, help="The longest that a task may take.")] = 600.0,
) -> None:
    """Do the tasks as they come due, one after the other, until interrupted."""
    from hilt.agent.scheduled import run_due, run_forever
    from hilt.assembly import clock, load_settings, prepare_machine
    from hilt.assembly.tooling import open_performer, schedule_terms
    from hilt.tools.builtin.schedule.store import next_time

    now = clock()
    terms = schedule_terms(timeout_s)
    with _stored() as kept:
        due_s = next_time(kept)
        if once and (due_s is None or due_s > now().timestamp()):
            print("nothing is due", file=sys.stderr)
            return
        if once and (why := terms.why_off()) is not None:
            raise Unavailable(f"nothing is begun: {why}")
        settings = load_settings(workspace)
        with open_performer(model, settings, prepare_machine(), timeout_s, _tell_complaint) as perform:
            if once:
                work = run_due(kept, now, perform, terms, tell=_tell)
            else:
                work = run_forever(kept, now, perform, terms, tell=_tell, complain=_complain)
            asyncio.run(_until_stopped(work, "" if once else "tasks are done as they come due  (Ctrl-C ends it)"))


async def _until_stopped(work: Coroutine[Any, Any, Any], greeting: str) -> None:
    """Do the work; a request to terminate ends it as an interruption does, so that what runs is given back."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    if greeting:
        print(greeting, file=sys.stderr, flush=True)
    try:
        await task
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _tell(task: "Task", run: "Run") -> None:
    print(f"task {task.id}, {run.stop_reason}: {_line(run.error or run.answer)}", flush=True)


def _tell_complaint(sentence: str) -> None:
    print(f"hilt: {sentence}", file=sys.stderr, flush=True)


def _complain(fault: sqlite3.Error) -> None:
    print(f"hilt: the tasks can't be read now: {fault}", file=sys.stderr, flush=True)


@contextmanager
def _stored() -> "Generator[Schedule]":
    """The user's tasks; a fault of their file becomes one of ours."""
    from hilt.assembly import load_settings
    from hilt.tools.builtin.schedule import Schedule

    path = load_settings().schedule.path
    try:
        yield Schedule(path)
    except sqlite3.Error as fault:
        raise Unavailable(f"the tasks in {path} can't be used: {fault}") from fault


def _described(task: "Task", runs: "tuple[Run, ...]") -> Iterator[tuple[str, str]]:
    yield "task", _safe(task.text)
    yield "state", task.state
    yield "next", _next(task)
    yield "repeat", task.timing.rule or "once"
    yield "tools", ", ".join(task.grant.tools) or "none"
    policy = task.grant.policy
    for label, rules in (("deny", policy.deny), ("ask", policy.ask), ("allow", policy.allow)):
        if rules:
            yield label, ", ".join(rules)
    for run in runs:
        how = run.stop_reason if run.ended_s is not None else "running"
        trace = f" (trace {run.trace_id})" if run.trace_id else ""
        yield "run", f"{_local(task, run.started_s)}, {how}{trace}: {_line(run.error or run.answer)}"


def _next(task: "Task") -> str:
    return "-" if task.next_s is None else _local(task, task.next_s)


def _local(task: "Task", moment_s: float) -> str:
    from hilt.tools.builtin.schedule import zone_named

    return f"{datetime.fromtimestamp(moment_s, zone_named(task.timing.zone)):%a %Y-%m-%d %H:%M}"


def _line(text: str) -> str:
    line = " ".join(_safe(text).split())
    return line if len(line) <= _MAX_LINE_CHARS else line[: _MAX_LINE_CHARS - 1] + "…"


def _safe(text: str) -> str:
    from hilt.cli.screen import safe

    return safe(text)


def _print_json(values: Sequence[Any]) -> None:
    for value in values:
        print(msgspec.json.encode(value).decode())
