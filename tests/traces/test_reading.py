"""Runs are found again: in order, by what they did, and by the beginning of their ids."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hilt.conversation import InvalidRequest, NotFound, Unavailable, Usage
from hilt.traces import Wanted, find_run, iterate_runs, list_runs
from hilt.traces.keeping import fingerprint
from hilt.traces.store import VERSION
from tests.traces.made import STARTED_S, call, run, store, turn, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Four runs: the second called a tool under another name, the third hit a limit, the fourth was killed."""
    path = tmp_path / "t.sqlite3"
    write(path, turn("aaa1"), run("aaa1"))
    write(
        path,
        turn("aab2", started_s=STARTED_S + 10),
        call("aab2", started_s=STARTED_S + 11),
        call("aab2", call_id="call_2", asked="nonsense", tool="", started_s=STARTED_S + 12),
        run("aab2", started_s=STARTED_S + 10, model="other"),
    )
    write(path, run("b3", started_s=STARTED_S + 20, stop_reason="max_iterations"))
    write(path, turn("b4", started_s=STARTED_S + 30), turn("b4", number=2, started_s=STARTED_S + 31))
    return path


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), ["b4", "b3", "aab2", "aaa1"]),
        (Wanted(model="other"), ["aab2"]),
        (Wanted(model="starter"), ["b3", "aaa1"]),
        (Wanted(stop_reason="max_iterations"), ["b3"]),
        (Wanted(stop_reason=""), ["b4"]),
        (Wanted(tool="calculate"), ["aab2"]),
        (Wanted(tool="calc"), []),
        (Wanted(tool="nonsense"), ["aab2"]),
        (Wanted(tool="' OR 1=1 --"), []),
        (Wanted(tool="\udcff", model="\udcff"), []),
        (Wanted(since_s=STARTED_S + 20), ["b4", "b3"]),
        (Wanted(since_s=STARTED_S + 5, model="starter"), ["b3"]),
    ],
)
def test_runs_are_found_by_what_they_did(path: Path, wanted: Wanted, found: list[str]) -> None:
    assert [summary.run_id for summary in list_runs(path, wanted, 10)] == found
    assert [summary.run_id for summary in list_runs(path, wanted, 1)] == found[:1]
    assert [trace.run_id for trace in iterate_runs(path, wanted)] == found[::-1]


def test_a_run_in_short(path: Path) -> None:
    (killed, _, second, _) = list_runs(path, Wanted(), 10)
    assert (second.model, second.turns, second.calls, second.tools) == ("other", 1, 2, ("calculate", "nonsense"))
    assert (second.question, second.question_chars) == ("What is 12 * 12?", 16)
    assert (killed.model, killed.duration_s, killed.usage) == ("", None, Usage(824, 0, 44))


@pytest.mark.parametrize(
    ("name", "found"), [("aaa1", "aaa1"), ("aaa", "aaa1"), ("b3", "b3"), ("last", "b4"), (fingerprint("x"), "x")]
)
def test_the_beginning_of_an_id_is_enough(path: Path, name: str, found: str) -> None:
    write(path, turn(fingerprint("x"), started_s=1.0))
    assert find_run(path, name).run_id in (found, fingerprint(found))


def test_an_exact_id_goes_before_longer_ones(path: Path) -> None:
    write(path, turn("aaa"))
    assert find_run(path, "aaa").run_id == "aaa"


def test_a_run_is_found_by_the_id_that_was_too_secret_to_keep(tmp_path: Path) -> None:
    write(tmp_path / "t.sqlite3", turn("sk-canary1"))
    assert len(find_run(tmp_path / "t.sqlite3", "sk-canary1").steps) == 1


@pytest.mark.parametrize(
    ("name", "fault", "said"),
    [
        ("aa", InvalidRequest, "aab2, aaa1; write more"),
        ("", InvalidRequest, "several"),
        ("%", NotFound, "no run '%'"),
        ("zzz", NotFound, "hilt trace list"),
    ],
)
def test_a_name_that_names_no_run(path: Path, name: str, fault: type[Exception], said: str) -> None:
    with pytest.raises(fault, match=said):
        find_run(path, name)


def test_steps_stand_in_order_of_time_however_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    write(path, run(), call(started_s=STARTED_S + 3), turn(started_s=STARTED_S + 1), call(started_s=STARTED_S + 2))
    trace = find_run(path, "run1")
    assert [kept.record.started_s - STARTED_S for kept in trace.steps] == [1, 2, 3]


def test_a_run_that_was_resumed_has_all_its_ends(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    write(path, run(stop_reason="approval_pending"), run(started_s=STARTED_S + 60))
    (summary,) = list_runs(path, Wanted(), 10)
    assert (summary.stop_reason, summary.started_s) == ("final", STARTED_S)
    assert len(find_run(path, "run1").runs) == 2


def test_no_file_is_no_runs(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    assert list_runs(path, Wanted(), 10) == ()
    assert list(iterate_runs(path)) == []
    with pytest.raises(NotFound, match="no traces"):
        find_run(path, "last")
    assert not path.exists()


def test_reading_goes_on_while_others_write(path: Path) -> None:
    traces = store(path)
    runs = iterate_runs(path)
    assert next(runs).run_id == "aaa1"
    traces.write(run("new", started_s=STARTED_S + 100))
    assert [trace.run_id for trace in runs] == ["aab2", "b3", "b4"]
    assert list_runs(path, Wanted(), 1)[0].run_id == "new"
    traces.close()


@pytest.mark.parametrize(
    ("spoiling", "said"),
    [(f"PRAGMA user_version = {VERSION + 1}", "version"), ("UPDATE records SET body = '{'", "can't be read")],
)
def test_what_can_not_be_read_is_told(path: Path, spoiling: str, said: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(spoiling)
    with pytest.raises(Unavailable, match=said):
        list_runs(path, Wanted(), 10)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    path.write_text("this is no database" * 100)
    with pytest.raises(Unavailable, match="move the file away"):
        find_run(path, "last")
