"""The store of scheduled tasks: what is due is done, once, whatever dies in between."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import Struct, structs

from hilt.settings import PolicyOptions
from hilt.tools.builtin.schedule import Claim, Ended, Grant, Schedule, Task, Timing
from hilt.tools.builtin.schedule import store as store_module
from hilt.tools.builtin.schedule.recurrence import next_after
from hilt.tools.builtin.schedule.store import (
    MAX_ATTEMPTS,
    MAX_KEPT_RUNS,
    add,
    cancel,
    claim,
    find,
    finish,
    next_time,
    release,
    runs,
    tasks,
)

BEGIN = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
GRANT = Grant(("calculate",), PolicyOptions(deny=("effect:write",), allow=("calculate",)))
LEASE_S = 60.0
DONE = Ended("final", "done")


def at(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def timing(minutes: int = 0, rule: str = "") -> Timing:
    return Timing(int(at(minutes).timestamp()), "UTC", rule)


@pytest.fixture
def kept(tmp_path: Path) -> Schedule:
    return Schedule(tmp_path / "new" / "folder" / "schedule.sqlite3")


def claimed(kept: Schedule, minutes: float, runner: str = "r1") -> Claim:
    found = claim(kept, runner, at(minutes), LEASE_S)
    assert found is not None
    return found


def test_a_task_is_kept_with_its_grant(kept: Schedule) -> None:
    task = add(kept, "  say «hi» 🙂 ", timing(5, "FREQ=DAILY"), GRANT, BEGIN)
    start_s = int(at(5).timestamp())
    assert task == Task(1, "say «hi» 🙂", timing(5, "FREQ=DAILY"), GRANT, BEGIN.timestamp(), start_s, "waiting")
    assert find(Schedule(kept.path), 1) == task
    assert tasks(kept, 10) == (task,)
    assert next_time(kept) == start_s
    assert kept.path.stat().st_mode & 0o077 == 0


def test_looking_makes_no_file(kept: Schedule) -> None:
    assert (tasks(kept, 10), find(kept, 1), runs(kept, 1), next_time(kept)) == ((), None, (), None)
    assert claim(kept, "r1", BEGIN, LEASE_S) is None
    assert not kept.path.parent.exists()


@pytest.mark.parametrize(
    ("text", "said"), [(" \n", "is empty"), ("x" * 4001, "longer than 4000"), ("\ud800", "no text")]
)
def test_a_bad_task_is_refused(text: str, said: str, kept: Schedule) -> None:
    with pytest.raises(ValueError, match=said):
        add(kept, text, timing(), GRANT, BEGIN)
    assert tasks(kept, 10) == ()


def test_too_many_tasks_are_refused(kept: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MAX_OPEN_TASKS", 3)
    for _ in range(3):
        add(kept, "x", timing(), GRANT, BEGIN)
    with pytest.raises(ValueError, match="there are 3 tasks already"):
        add(kept, "x", timing(), GRANT, BEGIN)
    cancel(kept, 1, BEGIN)
    assert add(kept, "x", timing(), GRANT, BEGIN).id == 4


def test_what_is_due_is_claimed_in_order_and_once(kept: Schedule) -> None:
    for minutes in (3, 1, 2, 1):
        add(kept, f"{minutes}", timing(minutes), GRANT, BEGIN)
    assert claim(kept, "r1", at(0.9), LEASE_S) is None
    order = [claimed(kept, 5, f"r{number}").task.id for number in range(4)]
    assert order == [2, 4, 3, 1]
    assert claim(kept, "r1", at(5), LEASE_S) is None


def test_what_was_missed_is_done_once(kept: Schedule) -> None:
    add(kept, "x", timing(0, "FREQ=HOURLY"), GRANT, BEGIN)
    first = claimed(kept, 5 * 60 + 1)
    assert first.due_s == at(0).timestamp()
    assert finish(kept, first, DONE, at(5 * 60 + 2)) is not None
    assert claim(kept, "r1", at(5 * 60 + 3), LEASE_S) is None
    assert next_time(kept) == at(6 * 60).timestamp()


def test_the_next_time_is_of_the_rule_and_not_of_the_end(kept: Schedule) -> None:
    add(kept, "x", timing(0, "FREQ=HOURLY;COUNT=3"), GRANT, BEGIN)
    for hour in (0, 1, 2):
        found = claimed(kept, hour * 60 + 7)
        assert found.due_s == at(hour * 60).timestamp()
        finish(kept, found, DONE, at(hour * 60 + 31))
    task = find(kept, 1)
    assert task is not None
    assert (task.next_s, task.state) == (None, "done")


def test_a_task_does_not_run_beside_itself(kept: Schedule) -> None:
    add(kept, "x", timing(0, "FREQ=MINUTELY"), GRANT, BEGIN)
    long = claim(kept, "r1", at(0), 600.0)
    assert long is not None
    assert claim(kept, "r2", at(5), LEASE_S) is None
    finish(kept, long, DONE, at(5))
    assert claimed(kept, 5, "r2").due_s == at(1).timestamp()


def test_what_a_dead_runner_left_is_taken_up_after_its_lease(kept: Schedule) -> None:
    add(kept, "x", timing(), GRANT, BEGIN)
    lost = claimed(kept, 0, "r1")
    assert claim(kept, "r2", at(0.99), LEASE_S) is None
    assert next_time(kept) == lost.lease_until_s
    again = claimed(kept, 1, "r2")
    assert (again.task.id, again.due_s, again.attempt) == (1, lost.due_s, 2)
    # The first one was not dead after all: its end comes too late.
    assert finish(kept, lost, DONE, at(1.1)) is None
    assert release(kept, lost, at(1.1)) is False
    assert finish(kept, again, DONE, at(1.2)) is not None
    assert [(run.attempt, run.stop_reason) for run in runs(kept, 1)] == [(2, "final"), (1, "runner_died")]


def test_what_kills_every_runner_is_given_up(kept: Schedule) -> None:
    add(kept, "x", timing(), GRANT, BEGIN)
    for attempt in range(MAX_ATTEMPTS):
        assert claimed(kept, 2 * attempt).attempt == attempt + 1
    assert claim(kept, "r1", at(20), LEASE_S) is None
    assert "it is given up" in runs(kept, 1)[0].error
    task = find(kept, 1)
    assert task is not None
    assert task.state == "done"
    assert next_time(kept) is None


def test_what_is_given_back_is_begun_again_at_once(kept: Schedule) -> None:
    add(kept, "x", timing(), GRANT, BEGIN)
    assert release(kept, claimed(kept, 0), at(0.1)) is True
    assert claimed(kept, 0.1, "r2").attempt == 2


def test_a_cancelled_task_is_not_begun(kept: Schedule) -> None:
    add(kept, "x", timing(0, "FREQ=DAILY"), GRANT, BEGIN)
    assert cancel(kept, 1, BEGIN).state == "cancelled"
    assert claim(kept, "r1", at(1), LEASE_S) is None
    for task_id, said in ((1, "is cancelled already"), (2, "there is no task 2"), (2**70, "there is no task")):
        with pytest.raises(ValueError, match=said):
            cancel(kept, task_id, BEGIN)


def test_a_task_cancelled_while_it_runs_is_not_taken_up_again(kept: Schedule) -> None:
    add(kept, "x", timing(0, "FREQ=DAILY"), GRANT, BEGIN)
    claimed(kept, 0)
    cancel(kept, 1, at(0.5))
    assert claim(kept, "r2", at(10), LEASE_S) is None
    assert runs(kept, 1)[0].stop_reason == "runner_died"


def test_only_the_newest_runs_and_tasks_are_kept(kept: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MAX_KEPT_RUNS", 3)
    monkeypatch.setattr(store_module, "MAX_ENDED_TASKS", 2)
    add(kept, "x", timing(0, "FREQ=HOURLY"), GRANT, BEGIN)
    for hour in range(5):
        finish(kept, claimed(kept, hour * 60), DONE, at(hour * 60))
    assert [run.due_s for run in runs(kept, 1, MAX_KEPT_RUNS)] == [at(60 * hour).timestamp() for hour in (4, 3, 2)]
    for task_id in (2, 3, 4, 5):
        assert add(kept, "x", timing(600), GRANT, BEGIN).id == task_id
        cancel(kept, task_id, BEGIN)
    add(kept, "x", timing(600), GRANT, BEGIN)
    assert [task.id for task in tasks(kept, 10, ended=True)] == [1, 6, 5, 4]


def test_long_answers_are_cut_and_bad_characters_replaced(kept: Schedule) -> None:
    add(kept, "x", timing(), GRANT, BEGIN)
    run = finish(kept, claimed(kept, 0), Ended("final", "\ud800" + "a" * 50_000), at(0))
    assert run is not None
    assert run.answer == "?" + "a" * 19_999


def test_a_task_whose_zone_is_gone_ends_alone(kept: Schedule) -> None:
    add(kept, "gone", timing(0, "FREQ=DAILY"), GRANT, BEGIN)
    add(kept, "other", timing(1), GRANT, BEGIN)
    with sqlite3.connect(kept.path) as database:
        database.execute("UPDATE tasks SET zone = 'Atlantis/Port' WHERE id = 1")
    database.close()
    assert claimed(kept, 2).task.text == "other"
    assert "no time zone 'Atlantis/Port'" in runs(kept, 1)[0].error


def test_runners_in_many_threads_never_share_an_occurrence(kept: Schedule) -> None:
    for _ in range(20):
        add(kept, "x", timing(), GRANT, BEGIN)

    def take_all(runner: int) -> list[int]:
        taken: list[int] = []
        while (found := claim(kept, f"r{runner}", at(1), LEASE_S)) is not None:
            taken.append(found.task.id)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [task_id for part in pool.map(take_all, range(4)) for task_id in part]
    assert sorted(taken) == list(range(1, 21))


def test_what_fails_in_a_transaction_leaves_nothing(kept: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    add(kept, "x", timing(0, "FREQ=DAILY"), GRANT, BEGIN)

    def full(*_: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(store_module, "next_after", full)
        with pytest.raises(sqlite3.OperationalError):
            claim(kept, "r1", at(1), LEASE_S)
    assert runs(kept, 1) == ()
    assert claimed(kept, 1).due_s == at(0).timestamp()


@pytest.mark.parametrize("content", [b"this is no database, but it is long enough to be one" * 40])
def test_a_file_that_is_no_database_is_told_and_left(content: bytes, tmp_path: Path) -> None:
    kept = Schedule(tmp_path / "schedule.sqlite3")
    kept.path.write_bytes(content)
    with pytest.raises(sqlite3.DatabaseError):
        tasks(kept, 10)
    assert kept.path.read_bytes() == content


def test_a_file_of_a_newer_version_is_left(kept: Schedule) -> None:
    add(kept, "x", timing(), GRANT, BEGIN)
    with sqlite3.connect(kept.path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(sqlite3.DatabaseError, match="a newer Hilt"):
        tasks(kept, 10)


def test_an_empty_file_left_by_a_crash_is_used(kept: Schedule) -> None:
    kept.path.parent.mkdir(parents=True)
    kept.path.touch()
    assert tasks(kept, 10) == ()
    assert add(kept, "x", timing(), GRANT, BEGIN).id == 1


class Expected(Struct):
    """What the model knows of a task."""

    timing: Timing
    next_s: int | None
    cancelled: bool = False


class Held(Struct):
    """A claim that the model has seen, and whether its runner lives."""

    claim: Claim
    alive: bool = True


RULES = ("", "", "FREQ=MINUTELY", "FREQ=HOURLY;COUNT=3", "FREQ=DAILY", "FREQ=MINUTELY;INTERVAL=3;COUNT=4")


class Runners(RuleBasedStateMachine):
    """Runners that claim, finish, die and come back over one store, against a model of what must be carried out."""

    begun = Bundle("begun")

    @initialize()
    def open_store(self) -> None:
        self.folder = TemporaryDirectory()
        self.kept = Schedule(Path(self.folder.name) / "schedule.sqlite3")
        self.now = BEGIN
        self.expected: dict[int, Expected] = {}
        self.open: dict[int, Held] = {}
        self.runner = 0
        # (task, due) -> what became of that occurrence.
        self.carried_out: dict[tuple[int, int], list[str]] = {}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(in_minutes=st.sampled_from([0, 0, 0, 1, 10]), repeat=st.sampled_from(RULES))
    def add_task(self, in_minutes: int, repeat: str) -> None:
        start_s = int(self.now.timestamp()) + 60 * in_minutes
        task = add(self.kept, "x", Timing(start_s, "UTC", repeat), GRANT, self.now)
        assert task.id not in self.expected
        self.expected[task.id] = Expected(task.timing, start_s)

    @rule(seconds=st.sampled_from([1, 20, 31, 40, 59, 60, 61, 4000, 100_000]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(place=st.integers(0, 20))
    @precondition(lambda self: self.expected)
    def cancel_task(self, place: int) -> None:
        task_id = sorted(self.expected)[place % len(self.expected)]
        known = self.expected[task_id]
        if known.cancelled or (known.next_s is None and task_id not in self.open):
            with pytest.raises(ValueError, match="already"):
                cancel(self.kept, task_id, self.now)
        else:
            assert cancel(self.kept, task_id, self.now).state == "cancelled"
            known.cancelled, known.next_s = True, None

    @rule(target=begun)
    def claim_next(self) -> int | None:
        now_s = self.now.timestamp()
        self.runner += 1
        # First what the dead left behind, of which some is over.
        left = sorted(
            (held.claim.due_s, task_id, held)
            for task_id, held in self.open.items()
            if held.claim.lease_until_s <= now_s
        )
        want: tuple[int, int, int] | None = None
        for due_s, task_id, held in left:
            del self.open[task_id]
            if held.claim.attempt < MAX_ATTEMPTS and not self.expected[task_id].cancelled:
                want = (task_id, due_s, held.claim.attempt + 1)
                break
        if want is None:
            due = sorted(
                (known.next_s, task_id)
                for task_id, known in self.expected.items()
                if known.next_s is not None and known.next_s <= now_s and task_id not in self.open
            )
            if due:
                due_s, task_id = due[0]
                want = (task_id, due_s, 1)
                known = self.expected[task_id]
                known.next_s = next_after(known.timing, now_s)
        found = claim(self.kept, f"r{self.runner}", self.now, LEASE_S)
        assert (None if found is None else (found.task.id, found.due_s, found.attempt)) == want
        if found is None:
            return None
        history = self.carried_out.setdefault((found.task.id, found.due_s), [])
        # Never twice, unless the one before died or was too slow.
        assert history.count("finished") == 0
        assert len(history) == found.attempt - 1
        history.append("begun")
        self.open[found.task.id] = Held(found)
        return found.task.id

    @rule(task_id=begun)
    def finish_task(self, task_id: int | None) -> None:
        held = self.open.get(task_id or 0)
        if held is None or not held.alive:
            return
        run = finish(self.kept, held.claim, DONE, self.now)
        assert run is not None
        assert (run.task_id, run.due_s, run.answer) == (held.claim.task.id, held.claim.due_s, "done")
        self.carried_out[held.claim.task.id, held.claim.due_s].append("finished")
        del self.open[held.claim.task.id]
        assert finish(self.kept, held.claim, DONE, self.now) is None

    @rule(task_id=begun)
    def crash(self, task_id: int | None) -> None:
        if (held := self.open.get(task_id or 0)) is not None:
            held.alive = False

    @rule(task_id=begun)
    def give_back(self, task_id: int | None) -> None:
        held = self.open.get(task_id or 0)
        if held is not None and held.alive:
            assert release(self.kept, held.claim, self.now)
            held.alive = False
            held.claim = structs.replace(held.claim, lease_until_s=self.now.timestamp())

    @rule()
    def restart(self) -> None:
        self.kept = Schedule(Path(self.folder.name) / "schedule.sqlite3")

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "kept"):
            return
        listed = {task.id: task for task in tasks(self.kept, 10_000, ended=True)}
        assert set(listed) == set(self.expected)
        for task_id, known in self.expected.items():
            task = listed[task_id]
            assert task.next_s == known.next_s
            running = task_id in self.open
            waits = "done" if known.next_s is None else "waiting"
            assert task.state == ("cancelled" if known.cancelled else "running" if running else waits)
        coming = next_time(self.kept)
        assert (coming is None) == (not self.open and all(known.next_s is None for known in self.expected.values()))
        order = [task.next_s for task in tasks(self.kept, 10_000) if task.next_s is not None]
        assert order == sorted(order)


TestRunners = Runners.TestCase
TestRunners.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
