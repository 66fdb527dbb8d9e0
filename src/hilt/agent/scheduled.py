"""Carries out scheduled tasks when they are due, one after the other.

What carries out a task is handed in, so nothing here knows of models. However a task ends, its end is recorded and the
next one is begun; while an end can't be recorded (a full disk), nothing new begins.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NoReturn, TypeAlias

from msgspec import Struct

from hilt.tools.builtin.schedule.store import Claim, Ended, Run, Schedule, Task, claim, finish, next_time, release

LONGEST_SLEEP_S = 30.0
_SHORTEST_SLEEP_S = 1.0
_RETRY_S = 5.0
_LEASE_MARGIN_S = 60.0
_CANCEL_GRACE_S = 5.0


class Performed(Struct, frozen=True):
    """How a task was carried out; `stop_reason` is the agent's, `trace_id` "" where nothing was traced."""

    stop_reason: str
    answer: str
    trace_id: str = ""


Perform: TypeAlias = Callable[[Task], Awaitable[Performed]]
Sleep: TypeAlias = Callable[[float], Awaitable[None]]


async def _never() -> str:
    await asyncio.Event().wait()
    return ""


class Terms(Struct, frozen=True):
    """How tasks are run: by the process `runner`, a name that no other has, each within `timeout_s`.

    While `why_off` gives a reason nothing is begun, and `tripped` returns a reason as soon as what runs must stop. A
    runner that is silent for a minute longer than a task may take is taken for dead.
    """

    runner: str
    timeout_s: float = 600.0
    why_off: Callable[[], str | None] = lambda: None
    tripped: Callable[[], Awaitable[str]] = _never

    @property
    def lease_s(self) -> float:
        return self.timeout_s + _CANCEL_GRACE_S + _LEASE_MARGIN_S


async def run_due(
    schedule: Schedule,
    now: Callable[[], datetime],
    perform: Perform,
    terms: Terms,
    *,
    sleep: Sleep = asyncio.sleep,
    tell: Callable[[Task, Run], None] = lambda task, run: None,
) -> list[Run]:
    """Carry out what is due when the pass begins, each task once; the runs that ended, in order.

    `tell` is given each as it ends. If the pass is cancelled, the task that runs is given back, to be begun again.
    Raises sqlite3.Error if the tasks can't be read or written.
    """
    ended: list[Run] = []
    due_by = now()
    while terms.why_off() is None:
        claimed = claim(schedule, terms.runner, now(), terms.lease_s, due_by=due_by)
        if claimed is None:
            break
        run = await _carry_out(schedule, claimed, now, perform, terms, sleep)
        if run is not None:
            ended.append(run)
            tell(claimed.task, run)
    return ended


async def run_forever(
    schedule: Schedule,
    now: Callable[[], datetime],
    perform: Perform,
    terms: Terms,
    *,
    sleep: Sleep = asyncio.sleep,
    tell: Callable[[Task, Run], None] = lambda task, run: None,
    complain: Callable[[sqlite3.Error], None] = lambda fault: None,
) -> NoReturn:
    """Carry out tasks as they come due, until cancelled.

    Between passes it sleeps until the next is due, and never more than 30 seconds, so that new tasks are seen. A fault
    of the file goes to `complain`, and the file is tried again.
    """
    while True:
        try:
            await run_due(schedule, now, perform, terms, sleep=sleep, tell=tell)
            wait_s = _until_next_s(schedule, now())
        except sqlite3.Error as fault:
            complain(fault)
            wait_s = LONGEST_SLEEP_S
        await sleep(wait_s)


def _until_next_s(schedule: Schedule, now: datetime) -> float:
    next_s = next_time(schedule)
    if next_s is None:
        return LONGEST_SLEEP_S
    return min(LONGEST_SLEEP_S, max(_SHORTEST_SLEEP_S, next_s - now.timestamp()))


async def _carry_out(
    schedule: Schedule,
    claimed: Claim,
    now: Callable[[], datetime],
    perform: Perform,
    terms: Terms,
    sleep: Sleep,
) -> Run | None:
    """Carry out one claim; None if the claim was lost before its end could be recorded."""
    try:
        ended = await _performed(claimed.task, perform, terms)
    except asyncio.CancelledError:
        with contextlib.suppress(sqlite3.Error):  # then its lease passes by itself
            release(schedule, claimed, now())
        raise
    while True:
        try:
            return finish(schedule, claimed, ended, now())
        except sqlite3.OperationalError:
            # Unrecorded it would be done twice. Once the lease has passed, that can't be helped any more.
            if now().timestamp() >= claimed.lease_until_s:
                raise
        await sleep(_RETRY_S)


async def _performed(task: Task, perform: Perform, terms: Terms) -> Ended:
    async def work() -> Performed:
        return await perform(task)

    async def watch() -> str:
        return await terms.tripped()

    working, watching = asyncio.create_task(work()), asyncio.create_task(watch())
    try:
        await asyncio.wait({working, watching}, timeout=terms.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        ended = _end_of(working, watching, terms.timeout_s)
    finally:
        stopped = {each for each in (working, watching) if not each.done()}
        for each in stopped:
            each.cancel()
        if stopped:
            await asyncio.wait(stopped, timeout=_CANCEL_GRACE_S)
        # What they raise while they are stopped changes nothing any more, and must not be reported as forgotten.
        for each in stopped:
            if each.done() and not each.cancelled():
                each.exception()
    return ended


def _end_of(working: "asyncio.Task[Performed]", watching: "asyncio.Task[str]", timeout_s: float) -> Ended:
    if not working.done():
        if not watching.done():
            return Ended("timed_out", error=f"the task did not end within {timeout_s:g} seconds")
        fault = None if watching.cancelled() else watching.exception()
        why = "it can't be told whether tools are switched off" if fault or watching.cancelled() else watching.result()
        return Ended("killed", error=why)
    if working.cancelled():
        return Ended("failed", error="the task was cancelled from within")
    fault = working.exception()
    if fault is not None:
        return Ended("failed", error=f"{type(fault).__name__}: {fault}")
    performed = working.result()
    return Ended(performed.stop_reason, performed.answer, trace_id=performed.trace_id)
