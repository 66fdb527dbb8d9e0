"""`hilt schedule`: tasks are added, told of, carried out with what they were granted, and cancelled."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import HILT, Hilt


def test_a_task_is_added_listed_shown_and_cancelled(hilt: Hilt) -> None:
    assert hilt("schedule", "list").stdout == ""
    added = hilt("schedule", "add", "Water the plants", "--when", "in 3 days", "--repeat", "weekdays")
    assert added.returncode == 0, added.stderr
    assert added.stdout.startswith("task 1, ")
    assert "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR" in added.stdout
    assert "waiting" in hilt("schedule", "list").stdout
    shown = hilt("schedule", "show", "1").stdout
    assert "Water the plants" in shown
    assert "calculate" in shown
    assert "cancelled: Water the plants" in hilt("schedule", "cancel", "1").stdout
    assert hilt("schedule", "list").stdout == ""
    assert "cancelled" in hilt("schedule", "list", "--all").stdout


def test_objects_for_programs(hilt: Hilt) -> None:
    hilt("schedule", "add", "a\x1b[31m b", "--when", "tomorrow")
    (line,) = hilt("schedule", "list", "--json").stdout.splitlines()
    task = json.loads(line)
    assert (task["id"], task["text"], task["state"]) == (1, "a\x1b[31m b", "waiting")
    assert json.loads(hilt("schedule", "show", "1", "--json").stdout) == task
    assert "\x1b" not in hilt("schedule", "list").stdout + hilt("schedule", "show", "1").stdout


def test_what_is_due_is_done_with_reading_only(hilt: Hilt, tmp_path: Path) -> None:
    hilt("schedule", "add", "What is 12 * 12?", "--when", "now")
    hilt("schedule", "add", "Add a note: buy milk", "--when", "now")
    hilt("schedule", "add", "What is 2 + 2?", "--when", "tomorrow")
    done = hilt("schedule", "run", "--once")
    assert done.returncode == 0, done.stderr
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["task 1", "task 2"]
    assert "144" in done.stdout.splitlines()[0]
    # Nobody was there to allow the note, so there is none.
    assert not (tmp_path / "data" / "hilt" / "notes").exists()
    assert "final (trace run_" in hilt("schedule", "show", "1").stdout
    again = hilt("schedule", "run", "--once")
    assert (again.stdout, again.stderr) == ("", "nothing is due\n")


def test_a_request_to_terminate_ends_the_runner(hilt: Hilt, home: dict[str, str], tmp_path: Path) -> None:
    hilt("schedule", "add", "x", "--when", "tomorrow")
    with subprocess.Popen(
        [*HILT, "schedule", "run"], env=home, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as running:
        assert running.stderr is not None
        assert any("as they come due" in line for line in running.stderr)
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 130


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "x", "--when", "2020-01-01"), "is in the past"),
        (("add", "x", "--when", "soon"), "can't be read as a moment"),
        (("add", " ", "--when", "tomorrow"), "the task is empty"),
        (("add", "x", "--when", "tomorrow", "--repeat", "FREQ=SECONDLY"), "more often than once a minute"),
        (("show", "7"), "there is no task 7"),
        (("cancel", "7"), "there is no task 7"),
    ],
)
def test_mistakes_are_told_in_a_line(hilt: Hilt, arguments: tuple[str, ...], said: str) -> None:
    done = hilt("schedule", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_broken_file_is_told_in_a_line(hilt: Hilt, tmp_path: Path) -> None:
    path = tmp_path / "data" / "hilt" / "schedule.sqlite3"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 50)
    for arguments in (("list",), ("run", "--once"), ("add", "x", "--when", "tomorrow")):
        done = hilt("schedule", *arguments)
        assert done.returncode == 1
        assert str(path) in done.stderr
        assert "Traceback" not in done.stderr
