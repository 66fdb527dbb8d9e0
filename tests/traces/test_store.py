"""The file of traces: whole records or none, shared by processes, and never in the way of a run."""

import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hilt.traces import Record, Wanted, find_run, iterate_runs, list_runs
from hilt.traces.store import VERSION
from tests.traces.made import RECORDS, call, run, store, turn, write

ALL = Wanted()

WRITER = """
import sys
from pathlib import Path
from tests.traces.made import call, run, store, turn
path, name = Path(sys.argv[1]), sys.argv[2]
complaints = []
print("ready", flush=True)
sys.stdin.readline()
for number in range(30):
    traces = store(path, complaints)
    for made in (turn, call, run):
        traces.write(made(f"{name}{number}"))
    traces.close()
print(*complaints, sep="\\n")
"""


def ids(path: Path) -> list[str]:
    return [summary.run_id for summary in list_runs(path, ALL, 10_000)]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(RECORDS, max_size=8))
def test_what_is_written_is_read_again(records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("traces") / "t.sqlite3"
    write(path, *records, redact=lambda text: text)
    found = [kept.record for trace in iterate_runs(path) for kept in (*trace.runs, *trace.steps)]
    assert sorted(map(repr, found)) == sorted(map(repr, records))


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "t.sqlite3"
    traces = store(path)
    traces.write(run())
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    traces.close()
    path.chmod(0o644)
    write(path, run())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("max_runs", "left"), [(3, ["run9", "run8", "run7"]), (1, ["run9"]), (0, []), (-1, [])])
def test_the_oldest_runs_are_forgotten(max_runs: int, left: list[str], tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    for number in range(10):
        run_id = f"run{number}"
        write(path, turn(run_id), call(run_id), run(run_id, started_s=1e9 + number), max_runs=max_runs)
    assert [each for each in ids(path) if each in {f"run{n}" for n in range(10)}] == ids(path)
    assert [trace.run_id for trace in iterate_runs(path) if trace.run is not None][::-1] == left
    with closing(sqlite3.connect(path)) as database:
        (count,) = database.execute("SELECT count(*) FROM records").fetchone()
    assert count == 3 * len(left)


def test_what_is_forgotten_is_gone_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    write(path, run("old", question="a word like quagmire"))
    write(path, run("new"), max_runs=1)
    assert all(b"quagmire" not in file.read_bytes() for file in tmp_path.iterdir())


def test_threads_share_a_store(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    complaints: list[str] = []
    traces = store(path, complaints)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: traces.write(run(f"run{number}")), range(40)))
    traces.close()
    assert sorted(ids(path)) == sorted(f"run{number}" for number in range(40))
    assert complaints == []


def test_a_killed_writer_leaves_what_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    killed = "import os, signal; from pathlib import Path; from tests.traces.made import store, turn\n"
    killed += f"traces = store(Path({str(path)!r})); traces.write(turn()); os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", killed]).returncode == -9
    (summary,) = list_runs(path, ALL, 10)
    assert (summary.stop_reason, summary.turns, summary.duration_s) == ("", 1, None)


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no database at all " * 100)


def _holes(path: Path) -> None:
    for number in range(30):
        write(path, call(f"run{number}", text="x" * 3000))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


def _another_version(path: Path) -> None:
    write(path, run())
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")


def _another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE sheep (name TEXT)")


@pytest.mark.parametrize("spoil", [_garbage, _holes, _another_version, _another_program])
def test_an_unusable_file_is_moved_aside(spoil, tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    spoil(path)
    before = path.read_bytes()
    complaints: list[str] = []
    traces = store(path, complaints)
    for record in (turn("new"), call("new"), run("new")):
        traces.write(record)
    traces.close()
    assert ids(path) == ["new"]
    assert len(find_run(path, "new").steps) == 2
    aside = tmp_path / "t.sqlite3.unusable-1"
    assert len(complaints) == 1
    assert str(aside) in complaints[0]
    assert aside.read_bytes() == before


@pytest.mark.parametrize("spoil", [None, _garbage, _another_version])
def test_two_processes_write_at_once(spoil, tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    if spoil is not None:
        spoil(path)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("a", "b")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    complaints = [
        line for writer in writers for line in writer.communicate("go\n", timeout=120)[0].splitlines() if line
    ]
    assert sorted(ids(path)) == sorted(f"{name}{number}" for name in "ab" for number in range(30))
    assert all(len(trace.steps) == 2 for trace in iterate_runs(path))
    assert len(complaints) == len(list(tmp_path.glob("*.unusable-?"))) == (0 if spoil is None else 1)


def test_a_second_unusable_file_does_not_replace_the_first(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    for _ in range(2):
        _garbage(path)
        store(path).write(run())
    assert (tmp_path / "t.sqlite3.unusable-1").exists()
    assert (tmp_path / "t.sqlite3.unusable-2").exists()


def test_a_file_deleted_while_it_is_open_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    traces = store(path)
    traces.write(run("before"))
    for file in tmp_path.iterdir():
        file.unlink()
    traces.write(run("after"))
    assert ids(path) == ["after"]
    traces.close()
    assert ids(path) == ["after"]


def test_a_locked_file_costs_the_record_and_one_complaint(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    complaints: list[str] = []
    traces = store(path, complaints)
    traces.write(turn("kept"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            traces.write(run("lost"))
        other.execute("ROLLBACK")
    traces.write(run("kept"))
    traces.close()
    assert ids(path) == ["kept"]
    assert len(complaints) == 1
    assert "locked" in complaints[0]


def _in_a_file(path: Path) -> Path:
    path.write_text("no folder")
    return path / "t.sqlite3"


def _a_folder(path: Path) -> Path:
    path.mkdir()
    return path


def _a_full_disk(path: Path) -> Path:
    full = Path("/dev/full")
    return full if full.exists() else _a_folder(path)


@pytest.mark.parametrize("place", [_in_a_file, _a_folder, _a_full_disk])
def test_a_place_that_can_not_be_written_never_stops_a_run(place, tmp_path: Path) -> None:
    complaints: list[str] = []
    traces = store(place(tmp_path / "place"), complaints)
    for record in (turn(), call(), run()):
        traces.write(record)
    traces.close()
    assert len(complaints) == 1


def test_a_full_disk_loses_one_record_and_not_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    complaints: list[str] = []
    traces = store(path, complaints)
    traces.write(turn("run1"))
    database = traces._database
    assert database is not None
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then says what it says on a full disk
    traces.write(call("run1", text="x" * 100_000))
    database.execute("PRAGMA max_page_count = 1000000")
    traces.write(run("run1"))
    traces.close()
    assert len(complaints) == 1
    assert "full" in complaints[0]
    trace = find_run(path, "run1")
    assert (len(trace.steps), trace.run is not None) == (1, True)


def test_a_failing_redactor_keeps_the_record_out(tmp_path: Path) -> None:
    def broken(text: str) -> str:
        raise ValueError(f"can't redact {text}")

    path = tmp_path / "t.sqlite3"
    complaints: list[str] = []
    store(path, complaints, redact=broken).write(call(text="a word like quagmire"))
    assert len(complaints) == 1
    assert "quagmire" not in complaints[0]
    assert not path.exists()


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_are_kept_as_nought(seconds: float, tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    write(path, call(started_s=seconds, phases_s={"execute": seconds}), turn(first_token_s=seconds))
    first, second = find_run(path, "run1").steps
    assert first.record.started_s == 0
    assert first.record.phases_s == {"execute": 0}
    assert second.record.first_token_s == 0
