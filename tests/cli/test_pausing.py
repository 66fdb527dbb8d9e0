"""Files in which runs wait: whole or not there, taken up once, and told of when they are no run."""

import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hilt.agent import Agent
from hilt.backends import ScriptedBackend
from hilt.cli.waiting import WaitingRun, keep, read, take
from hilt.conversation import InvalidRequest, Unavailable, User
from hilt.tools import Later, Registry, Runtime
from hilt.tools.builtin.schedule import Grant
from tests.agent.scripts import calls, clock, counting, counts


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("home")))


def paused() -> WaitingRun:
    change, _ = counting("write")
    runtime = Runtime(registry=Registry((change,)), approver=Later())
    state = Agent(ScriptedBackend([calls(*counts(1))]), runtime, clock=clock()).run_sync("question").state
    assert state is not None
    return WaitingRun(state, Grant(("count",)))


def test_a_kept_run_is_read_as_it_was_and_only_its_owner_can(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "run.json"
    state = paused()
    keep(path, state)
    assert read(path)[0] == state
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["run.json"]
    assert "c1  count (write)" in capsys.readouterr().err


def test_what_a_process_left_half_written_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    (tmp_path / f".run.json.{os.getpid()}").write_text("half")
    keep(path, paused())
    assert read(path)[0].state.waiting


def test_a_run_that_cannot_be_kept_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")
    waiting = paused()
    broken = replace(waiting, state=replace(waiting.state, messages=(User("\ud800"),)))
    with pytest.raises(Unavailable, match="surrogate"):
        keep(path, broken)
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("run.json", "old")]
    with pytest.raises(Unavailable):
        keep(tmp_path / "nowhere" / "run.json", paused())


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b"[" * 200_000, b'{"run_id":' + b"[" * 200_000, b'{"run_id": "\xff"}', b"null"]
)
def test_a_file_that_holds_no_run_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(InvalidRequest, match="holds no run"):
        read(path)


def test_a_run_is_taken_up_once(tmp_path: Path) -> None:
    """Two processes with the same file: the second has nothing to approve."""
    path = tmp_path / "run.json"
    keep(path, paused())
    (_, one), (_, other) = read(path), read(path)
    take(one)
    with pytest.raises(InvalidRequest, match="gone on already"):
        take(other)
    with pytest.raises(InvalidRequest, match="has gone on already"):
        read(path)


def test_a_file_that_was_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    keep(path, paused())
    path.write_bytes(path.read_bytes().replace(b"question", b"quostion"))
    with pytest.raises(InvalidRequest, match="was changed"):
        read(path)
