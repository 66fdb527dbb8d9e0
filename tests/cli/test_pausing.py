"""Files in which runs wait: whole or not there, taken up once, and told of when they are no run."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hilt.agent import Agent, RunState
from hilt.backends import ScriptedBackend
from hilt.cli.pausing import begun, keep, read
from hilt.conversation import InvalidRequest, NotFound, Unavailable, User
from hilt.tools import Later, Registry, Runtime
from tests.agent.scripts import calls, clock, counting, counts


def paused() -> RunState:
    change, _ = counting("write")
    runtime = Runtime(registry=Registry((change,)), approver=Later())
    state = Agent(ScriptedBackend([calls(*counts(1))]), runtime, clock=clock()).run_sync("question").state
    assert state is not None
    return state


def test_a_kept_run_is_read_as_it_was_and_only_its_owner_can(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "run.json"
    state = paused()
    keep(path, state)
    assert read(path) == state
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["run.json"]
    assert "c1  count (write)" in capsys.readouterr().err


def test_what_a_process_left_half_written_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    (tmp_path / f".run.json.{os.getpid()}").write_text("half")
    keep(path, paused())
    assert read(path).waiting


def test_a_run_that_cannot_be_kept_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")
    broken = msgspec.structs.replace(paused(), messages=(User("\ud800"),))
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
    taken = begun(path)
    assert read(taken).waiting
    with pytest.raises(NotFound, match="resumed elsewhere"):
        begun(path)
