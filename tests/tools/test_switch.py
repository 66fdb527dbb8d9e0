"""The kill switch stops everybody who shares its file, and when in doubt it is off."""

import asyncio
import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hilt.tools.switch import NO_REASON, UNREADABLE, Switch

TURNING = (
    "import sys; from pathlib import Path; from hilt.tools.switch import Switch; switch = Switch(Path(sys.argv[1]))"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tools-off"


def elsewhere(path: Path, code: str) -> str:
    """Run code in another process, with `switch` bound to the switch at `path`; what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", f"{TURNING}\n{code}", str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_tools_run_where_nothing_was_switched(path: Path) -> None:
    assert Switch(path).why_off() is None
    assert not path.parent.exists()


def test_off_with_its_reason_survives_a_restart_until_on(path: Path) -> None:
    Switch(path).turn_off("  the model went mad\n")
    assert Switch(path).why_off() == "the model went mad"
    assert Switch(path).why_off() == "the model went mad"
    Switch(path).turn_on()
    assert Switch(path).why_off() is None
    assert list(path.parent.iterdir()) == []


def test_turning_twice_is_no_fault(path: Path) -> None:
    switch = Switch(path)
    switch.turn_on()
    switch.turn_off("one")
    switch.turn_off("two")
    assert switch.why_off() == "two"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    switch.turn_on()
    switch.turn_on()
    assert switch.why_off() is None


def test_processes_share_it(path: Path) -> None:
    here = Switch(path)
    elsewhere(path, "switch.turn_off('from elsewhere')")
    assert here.why_off() == "from elsewhere"
    here.turn_on()
    here.turn_off("from here")
    assert elsewhere(path, "print(switch.why_off())") == "from here"
    elsewhere(path, "switch.turn_on()")
    assert here.why_off() is None


@pytest.mark.parametrize(
    ("reason", "shown"), [("", NO_REASON), (" \n", NO_REASON), ("Schluß, 停", "Schluß, 停"), ("half \ud800", "half ?")]
)
def test_reasons(reason: str, shown: str, path: Path) -> None:
    Switch(path).turn_off(reason)
    assert Switch(path).why_off() == shown


@settings(deadline=None, max_examples=30)
@given(reason=st.text(max_size=3000))
def test_any_reason_switches_off_and_is_bounded(reason: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    switch = Switch(tmp_path_factory.mktemp("switch") / "off")
    switch.turn_off(reason)
    shown = switch.why_off()
    assert shown
    assert len(shown) <= 2000


def as_empty(path: Path) -> None:
    path.write_bytes(b"")


def as_folder(path: Path) -> None:
    path.mkdir()


def as_lost_link(path: Path) -> None:
    path.symlink_to("nowhere")


def as_looping_link(path: Path) -> None:
    path.symlink_to(path.name)


def as_pipe(path: Path) -> None:
    os.mkfifo(path)


def as_noise(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00" * 5000)


@pytest.mark.parametrize("put", [as_empty, as_folder, as_lost_link, as_looping_link, as_pipe, as_noise])
def test_whatever_lies_there_is_off(put: object, path: Path) -> None:
    path.parent.mkdir()
    assert callable(put)
    put(path)
    assert Switch(path).why_off()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.EMFILE, errno.ENOTDIR])
def test_what_cannot_be_read_is_off(code: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", refusing)
    assert Switch(path).why_off() == f"{UNREADABLE}: {os.strerror(code)}"


def test_a_path_that_cannot_be_is_off(tmp_path: Path) -> None:
    assert Switch(tmp_path / "a\0b").why_off()
    (tmp_path / "file").touch()
    assert Switch(tmp_path / "file" / "off").why_off()


def test_a_full_disk_does_not_keep_tools_running(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            Switch(path).turn_off("stop")
    assert Switch(path).why_off() == NO_REASON
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_what_cannot_be_saved_stops_this_process(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    switch = Switch(tmp_path / "file" / "off")
    with pytest.raises(OSError, match=r"exists|directory"):
        switch.turn_off("stop")
    assert switch.why_off() == "stop"


def test_waiting_ends_with_the_reason(path: Path) -> None:
    async def turned() -> str:
        async with asyncio.timeout(60):
            waiting = asyncio.create_task(Switch(path).tripped(poll_s=0.001))
            await asyncio.sleep(0)
            assert not waiting.done()
            await asyncio.to_thread(elsewhere, path, "switch.turn_off('enough')")
            return await waiting

    assert asyncio.run(turned()) == "enough"


def test_waiting_for_what_is_off_already_returns_at_once(path: Path) -> None:
    Switch(path).turn_off("before")
    assert asyncio.run(asyncio.wait_for(Switch(path).tripped(poll_s=3600), 60)) == "before"


class Turning(RuleBasedStateMachine):
    """Several holders of one switch never disagree, whoever turned it last."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "off"
        self.holders = [Switch(path) for _ in range(3)]
        self.reason: str | None = None

    @rule(holder=st.integers(0, 2), reason=st.sampled_from(["one", "two", "three"]))
    def off(self, holder: int, reason: str) -> None:
        self.holders[holder].turn_off(reason)
        self.reason = reason

    @rule(holder=st.integers(0, 2))
    def on(self, holder: int) -> None:
        self.holders[holder].turn_on()
        self.reason = None

    @invariant()
    def agreed(self) -> None:
        assert [holder.why_off() for holder in self.holders] == [self.reason] * 3

    def teardown(self) -> None:
        self.folder.cleanup()


TestTurning = Turning.TestCase
TestTurning.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
