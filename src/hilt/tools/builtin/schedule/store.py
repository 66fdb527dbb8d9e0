"""Tasks that are due later and what became of them, in one SQLite file that several processes may share.

A runner takes an occurrence by a claim: one transaction that begins a run and sets the task's next time. So no two
runners get the same one, and a runner that dies leaves a run behind that never ended. Every claim has a lease; when it
has passed, the run is begun again by whoever claims next, and the end that the first runner may still report is
refused. A task never runs beside itself, and what was missed while it ran, or while nothing ran, is made up for once.
"""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct, structs

from hilt.tools.builtin.schedule.grant import Grant
from hilt.tools.builtin.schedule.recurrence import Timing, next_after

MAX_OPEN_TASKS = 1000
MAX_TASK_CHARS = 4000
MAX_KEPT_RUNS = 100
MAX_ENDED_TASKS = 1000
MAX_ATTEMPTS = 3
MAX_ANSWER_CHARS = 20_000
_BUSY_TIMEOUT_S = 5.0
_VERSION = 1

_SCHEMA = """
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, start_s INTEGER NOT NULL, zone TEXT NOT NULL,
    rule TEXT NOT NULL, "grant" TEXT NOT NULL, created_s REAL NOT NULL, next_s INTEGER, cancelled_s REAL
);
CREATE INDEX tasks_by_time ON tasks (next_s) WHERE next_s IS NOT NULL;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, task_id INTEGER NOT NULL REFERENCES tasks (id), due_s INTEGER NOT NULL,
    attempt INTEGER NOT NULL, runner TEXT NOT NULL, started_s REAL NOT NULL, lease_until_s REAL NOT NULL,
    ended_s REAL, stop_reason TEXT NOT NULL DEFAULT '', answer TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '', trace_id TEXT NOT NULL DEFAULT ''
);
CREATE INDEX runs_by_task ON runs (task_id, id);
CREATE INDEX open_runs ON runs (task_id) WHERE ended_s IS NULL;
"""
_TASK = """
SELECT id, text, start_s, zone, rule, "grant", created_s, next_s, cancelled_s,
    EXISTS (SELECT 1 FROM runs WHERE runs.task_id = tasks.id AND runs.ended_s IS NULL)
FROM tasks
"""
_OPEN = """
WHERE next_s IS NOT NULL
    OR (cancelled_s IS NULL AND EXISTS (SELECT 1 FROM runs WHERE runs.task_id = tasks.id AND runs.ended_s IS NULL))
"""
_BY_TIME = "ORDER BY next_s IS NULL, next_s, CASE WHEN next_s IS NULL THEN -id ELSE id END LIMIT ?"
_RUN = "SELECT id, task_id, due_s, attempt, started_s, ended_s, stop_reason, answer, error, trace_id FROM runs"
_LEFT_BEHIND = """
SELECT runs.id, task_id, due_s, attempt, cancelled_s IS NOT NULL FROM runs JOIN tasks ON tasks.id = task_id
WHERE ended_s IS NULL AND lease_until_s <= ? ORDER BY due_s, task_id LIMIT 1
"""
_DUE = """
SELECT id, next_s FROM tasks WHERE next_s IS NOT NULL AND next_s <= ?
    AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.task_id = tasks.id AND runs.ended_s IS NULL)
ORDER BY next_s, id LIMIT 1
"""
# A task that runs can only go on when its lease has passed.
_NEXT = """
SELECT min(at_s) FROM (
    SELECT max(next_s, coalesce((SELECT max(lease_until_s) FROM runs WHERE task_id = tasks.id AND ended_s IS NULL), 0))
        AS at_s FROM tasks WHERE next_s IS NOT NULL
    UNION ALL SELECT lease_until_s FROM runs WHERE ended_s IS NULL
)
"""
_FORGET = """
DELETE FROM runs WHERE task_id = ? AND ended_s IS NOT NULL
    AND id NOT IN (SELECT id FROM runs WHERE task_id = ? ORDER BY id DESC LIMIT ?)
"""
_FORGOTTEN = """
SELECT id FROM tasks WHERE next_s IS NULL
    AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.task_id = tasks.id AND runs.ended_s IS NULL)
ORDER BY id DESC LIMIT -1 OFFSET ?
"""

TaskState: TypeAlias = Literal["waiting", "running", "done", "cancelled"]


class Task(Struct, frozen=True):
    """One task. `text` is what the agent will be asked; times are seconds since 1970, `next_s` None when none is left.

    A cancelled task that runs is "cancelled" and goes on to its end.
    """

    id: int
    text: str
    timing: Timing
    grant: Grant
    created_s: float
    next_s: int | None
    state: TaskState


class Run(Struct, frozen=True):
    """One run of a task that was due at `due_s`; `attempt` counts from 1, a later one follows a runner that died.

    `ended_s` is None while it runs. `error` is "" if it ended with an answer, `trace_id` "" where there is no trace.
    """

    id: int
    task_id: int
    due_s: int
    attempt: int
    started_s: float
    ended_s: float | None
    stop_reason: str
    answer: str
    error: str
    trace_id: str


class Claim(Struct, frozen=True):
    """The right to carry out one occurrence, until `lease_until_s`."""

    run_id: int
    task: Task
    due_s: int
    attempt: int
    lease_until_s: float
    runner: str


class Ended(Struct, frozen=True):
    """How a run ended."""

    stop_reason: str
    answer: str = ""
    error: str = ""
    trace_id: str = ""


class Schedule(Struct, frozen=True):
    """Where the tasks are kept. The file is made when the first task is added."""

    path: Path


def add(schedule: Schedule, text: str, timing: Timing, grant: Grant, now: datetime) -> Task:
    """Keep a task. Raises ValueError if it says nothing or too much, would never come, or too many are kept."""
    text = checked_text(text)
    next_s = first_time(timing)
    with _writing(schedule) as database:
        kept = _number(database, "SELECT count(*) FROM tasks WHERE next_s IS NOT NULL")
        if kept >= MAX_OPEN_TASKS:
            raise ValueError(f"there are {kept} tasks already; cancel some first")
        task_id = _number(
            database,
            'INSERT INTO tasks (text, start_s, zone, rule, "grant", created_s, next_s) VALUES (?, ?, ?, ?, ?, ?, ?)'
            " RETURNING id",
            (text, timing.start_s, timing.zone, timing.rule, _json(grant), now.timestamp(), next_s),
        )
        database.execute(f"DELETE FROM runs WHERE task_id IN ({_FORGOTTEN})", (MAX_ENDED_TASKS,))
        database.execute(f"DELETE FROM tasks WHERE id IN ({_FORGOTTEN})", (MAX_ENDED_TASKS,))
        return _task(database, task_id)


def checked_text(text: str) -> str:
    """What a task says, as it is kept. Raises ValueError if it says nothing, too much, or is no text."""
    text = text.strip()
    if not text:
        raise ValueError("the task is empty; say what is to be done")
    if len(text) > MAX_TASK_CHARS:
        raise ValueError(f"the task is longer than {MAX_TASK_CHARS} characters; say it shorter")
    if not _encodable(text):
        raise ValueError("the task holds characters that are no text")
    return text


def first_time(timing: Timing) -> int:
    """When a task is due for the first time, in seconds since 1970. Raises ValueError if that is never."""
    first_s = next_after(timing, timing.start_s - 1)
    if first_s is None:
        raise ValueError(f"the recurrence {timing.rule} never comes after the start; give another")
    return first_s


def find(schedule: Schedule, task_id: int) -> Task | None:
    """The task of this id, whatever became of it."""
    with _reading(schedule) as database:
        return None if database is None else next(_tasks(database, "WHERE id = ?", (_bounded(task_id),)), None)


def tasks(schedule: Schedule, limit: int, *, ended: bool = False) -> tuple[Task, ...]:
    """Tasks that wait or run, the next to come first; with `ended` the others too, newest first after them."""
    with _reading(schedule) as database:
        if database is None:
            return ()
        return tuple(_tasks(database, f"{'' if ended else _OPEN} {_BY_TIME}", (limit,)))


def runs(schedule: Schedule, task_id: int, limit: int = MAX_KEPT_RUNS) -> tuple[Run, ...]:
    """The runs of a task that are still known, newest first."""
    with _reading(schedule) as database:
        if database is None:
            return ()
        found = database.execute(f"{_RUN} WHERE task_id = ? ORDER BY id DESC LIMIT ?", (_bounded(task_id), limit))
        return tuple(Run(*row) for row in found)


def cancel(schedule: Schedule, task_id: int, now: datetime) -> Task:
    """Never begin this task again; a run that goes on is not stopped. Raises ValueError if nothing is left of it."""
    with _writing(schedule) as database:
        task = next(_tasks(database, "WHERE id = ?", (_bounded(task_id),)), None)
        if task is None:
            raise ValueError(f"there is no task {task_id}; list_tasks tells the ids")
        if task.state in ("done", "cancelled"):
            raise ValueError(f"task {task_id} is {task.state} already")
        database.execute("UPDATE tasks SET next_s = NULL, cancelled_s = ? WHERE id = ?", (now.timestamp(), task_id))
        return _task(database, task_id)


def claim(
    schedule: Schedule, runner: str, now: datetime, lease_s: float, *, due_by: datetime | None = None
) -> Claim | None:
    """Begin what is due by `due_by`, now if left out: first what dead runners left behind, then the longest due.

    `runner` must be unique to a process. What was begun three times without an end is given up, with an error.
    """
    if not _known(schedule):
        return None
    now_s = now.timestamp()
    due_by_s = now_s if due_by is None else due_by.timestamp()
    with _writing(schedule) as database:
        while (left := database.execute(_LEFT_BEHIND, (now_s,)).fetchone()) is not None:
            run_id, task_id, due_s, attempt, cancelled = left
            again = attempt < MAX_ATTEMPTS and not cancelled
            error = "its runner died" if again or cancelled else f"its runner died {attempt} times; it is given up"
            _end(database, run_id, now_s, Ended("runner_died", error=error))
            if again:
                return _begin(database, task_id, due_s, attempt + 1, runner, now_s, lease_s)
        while (due := database.execute(_DUE, (due_by_s,)).fetchone()) is not None:
            task_id, due_s = due
            begun = _begin(database, task_id, due_s, 1, runner, now_s, lease_s)
            try:
                next_s = next_after(begun.task.timing, max(now_s, due_by_s))
            except ValueError as fault:  # its zone is gone from this machine
                database.execute("UPDATE tasks SET next_s = NULL WHERE id = ?", (task_id,))
                _end(database, begun.run_id, now_s, Ended("failed", error=str(fault)))
                continue
            database.execute("UPDATE tasks SET next_s = ? WHERE id = ?", (next_s, task_id))
            return structs.replace(begun, task=_task(database, task_id))
    return None


def finish(schedule: Schedule, claimed: Claim, ended: Ended, now: datetime) -> Run | None:
    """Record how a claimed run ended. None if the claim was lost: its lease had passed, and another took it."""
    with _writing(schedule) as database:
        if not _held(database, claimed):
            return None
        _end(database, claimed.run_id, now.timestamp(), ended)
        database.execute(_FORGET, (claimed.task.id, claimed.task.id, MAX_KEPT_RUNS))
        return Run(*database.execute(f"{_RUN} WHERE id = ?", (claimed.run_id,)).fetchone())


def release(schedule: Schedule, claimed: Claim, now: datetime) -> bool:
    """Give a claim back unfinished, so that the next one begins it again; False if it was lost already."""
    with _writing(schedule) as database:
        held = _held(database, claimed)
        if held:
            database.execute("UPDATE runs SET lease_until_s = ? WHERE id = ?", (now.timestamp(), claimed.run_id))
        return held


def next_time(schedule: Schedule) -> float | None:
    """When there may be something to claim again, in seconds since 1970; None if nothing is left."""
    with _reading(schedule) as database:
        return None if database is None else database.execute(_NEXT).fetchone()[0]


def _begin(
    database: sqlite3.Connection, task_id: int, due_s: int, attempt: int, runner: str, now_s: float, lease_s: float
) -> Claim:
    run_id = _number(
        database,
        "INSERT INTO runs (task_id, due_s, attempt, runner, started_s, lease_until_s) VALUES (?, ?, ?, ?, ?, ?)"
        " RETURNING id",
        (task_id, due_s, attempt, runner, now_s, now_s + lease_s),
    )
    return Claim(run_id, _task(database, task_id), due_s, attempt, now_s + lease_s, runner)


def _held(database: sqlite3.Connection, claimed: Claim) -> bool:
    held = database.execute(
        "SELECT 1 FROM runs WHERE id = ? AND runner = ? AND ended_s IS NULL", (claimed.run_id, claimed.runner)
    )
    return held.fetchone() is not None


def _end(database: sqlite3.Connection, run_id: int, now_s: float, ended: Ended) -> None:
    database.execute(
        "UPDATE runs SET ended_s = ?, stop_reason = ?, answer = ?, error = ?, trace_id = ? WHERE id = ?",
        (now_s, *map(_kept, (ended.stop_reason, ended.answer, ended.error, ended.trace_id)), run_id),
    )


def _kept(text: str) -> str:
    return text[:MAX_ANSWER_CHARS].encode("utf-8", "replace").decode()


def _encodable(text: str) -> bool:
    return text.encode("utf-8", "replace").decode() == text


def _json(grant: Grant) -> str:
    return msgspec.json.encode(grant).decode()


def _bounded(number: int) -> int:
    """An id as SQLite can compare it: one beyond its integers is nobody's."""
    return number if abs(number) < 2**63 else -1


def _number(database: sqlite3.Connection, statement: str, values: tuple[Any, ...] = ()) -> int:
    return database.execute(statement, values).fetchone()[0]


def _task(database: sqlite3.Connection, task_id: int) -> Task:
    return next(_tasks(database, "WHERE id = ?", (task_id,)))


def _tasks(database: sqlite3.Connection, which: str, values: tuple[Any, ...]) -> Iterator[Task]:
    for task_id, text, start_s, zone, rule, grant, created_s, next_s, cancelled_s, running in database.execute(
        f"{_TASK} {which}", values
    ):
        yield Task(
            id=task_id,
            text=text,
            timing=Timing(start_s, zone, rule),
            grant=msgspec.json.decode(grant, type=Grant),
            created_s=created_s,
            next_s=next_s,
            state=_state(next_s, cancelled=cancelled_s is not None, running=bool(running)),
        )


def _state(next_s: int | None, *, cancelled: bool, running: bool) -> TaskState:
    if cancelled:
        return "cancelled"
    if running:
        return "running"
    return "done" if next_s is None else "waiting"


def _known(schedule: Schedule) -> bool:
    try:
        return schedule.path.exists()
    except OSError:
        return True  # it can't be told; opening it tells why


@contextmanager
def _reading(schedule: Schedule) -> Generator[sqlite3.Connection | None]:
    if not _known(schedule):
        yield None
        return
    with _opened(schedule) as database:
        yield database


@contextmanager
def _writing(schedule: Schedule) -> Generator[sqlite3.Connection]:
    """A transaction that holds the file from its beginning, so that what is read in it stays true until its end.

    Whatever is raised within it ends the connection, and with it the transaction, undone.
    """
    with _opened(schedule) as database:
        database.execute("BEGIN IMMEDIATE")
        yield database
        database.execute("COMMIT")


@contextmanager
def _opened(schedule: Schedule) -> Generator[sqlite3.Connection]:
    """A connection of this call alone, so that calls may come from any thread and process."""
    try:
        if not schedule.path.exists():
            schedule.path.parent.mkdir(parents=True, exist_ok=True)
            schedule.path.touch(mode=0o600)
    except OSError as fault:
        raise sqlite3.OperationalError(f"{schedule.path} can't be opened: {fault.strerror}") from fault
    with closing(sqlite3.connect(schedule.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)) as database:
        if _version(database) != _VERSION:
            _prepare(database)
        yield database


def _version(database: sqlite3.Connection) -> int:
    return _number(database, "PRAGMA user_version")


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    version = _version(database)
    if version > _VERSION:
        raise sqlite3.DatabaseError("the tasks were kept by a newer Hilt; install that one")
    if version == 0:
        for statement in _SCHEMA.split(";\n"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {_VERSION}")
    database.execute("COMMIT")
