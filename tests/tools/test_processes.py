"""A function in a process of its own: its values and faults come back, and nothing of it is left behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hilt.tools.processes import ChildFailed, child_environment, run_in_process
from tests.tools import process_work as work

LONG_S = 120.0


def run(
    function: Callable[..., Any], timeout_s: float = LONG_S, options: dict[str, Any] | None = None, **given: Any
) -> Any:
    return asyncio.run(run_in_process(function, given, timeout_s=timeout_s, **(options or {})))


def alive(marks: Path) -> list[int]:
    """Which of the processes that left a mark are still there and no zombies."""
    found: list[int] = []
    for mark in marks.iterdir():
        if mark.name.isdecimal():
            state = subprocess.run(["ps", "-o", "stat=", "-p", mark.name], capture_output=True, text=True, check=False)
            if state.stdout.strip() and not state.stdout.startswith("Z"):
                found.append(int(mark.name))
    return found


def assert_gone(marks: Path) -> None:
    """All that left a mark are gone, or go without more being done: a killed process takes a moment to end."""

    async def until_gone() -> None:
        async with asyncio.timeout(LONG_S):
            while alive(marks):  # noqa: ASYNC110 - the system ends them
                await asyncio.sleep(0.01)

    asyncio.run(until_gone())


async def until_ready(marks: Path) -> None:
    async with asyncio.timeout(LONG_S):
        while not (marks / "ready").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "value", [None, True, 1.5, "Grüße 🙂\0\n", "half \ud800", [1, [2]], {"a": {"b": None}}, 10**40, "x" * 300_000]
)
def test_values_go_there_and_back(value: Any) -> None:
    assert run(work.echo, value=value) == value


def test_arguments_and_results_have_their_types() -> None:
    answer = run(work.answer, day=date(2026, 11, 21), path=Path("a"), question=work.Question(text="why"))
    assert answer == work.Answer(date(2026, 11, 21), (2026, 3))


def test_a_tool_of_a_module_is_found_by_its_function() -> None:
    assert run(work.doubled.function, number=21) == 42


def test_a_function_of_a_class_is_found() -> None:
    assert run(work.Holder.held, text="a") == "A"


@pytest.mark.parametrize("kind", ["half", "model"])
def test_results_are_plain_json(kind: str) -> None:
    wanted = {"half": {"half": "\ud800", "numbers": {"1": 2}}, "model": [{"text": "q", "day": "2026-01-02"}]}
    assert run(work.result, kind=kind) == wanted[kind]


def test_s15_a_child_sees_only_allowed_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "OPENAI_API_KEY",
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "SSH_AUTH_SOCK",
        "PGPASSWORD",
        "LCX",
        "path",
    ):
        monkeypatch.setenv(name, "canary-secret")
    monkeypatch.setenv("LC_TIME", "C")
    allowed = {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PYTHONPATH", "LC_TIME"}
    # The interpreter itself may add how it reads text.
    added = {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"}
    seen = run(work.environment)
    assert "canary" not in json.dumps(seen)
    assert set(seen) <= allowed | added
    assert seen["PATH"] == os.environ["PATH"]
    below = json.loads(run(work.grandchild_environment))
    assert "canary" not in json.dumps(below)
    assert set(below) <= allowed | added


def test_the_environment_is_chosen_by_name() -> None:
    chosen = child_environment({"PATH": "/bin", "LC_ALL": "C", "API_KEY": "k", "LD_PRELOAD": "x", "PYTHONSTARTUP": "y"})
    assert {name: chosen[name] for name in chosen if name != "PYTHONPATH"} == {"PATH": "/bin", "LC_ALL": "C"}
    assert all(Path(entry).is_absolute() for entry in chosen["PYTHONPATH"].split(os.pathsep))


def test_it_runs_in_an_empty_folder_that_goes_away() -> None:
    seen = run(work.surroundings)
    assert seen["entries"] == []
    assert not Path(seen["folder"]).exists()
    assert (seen["stdin"], seen["session"], seen["core"]) == ("", True, 0)
    assert seen["path"] != seen["folder"]


def test_it_runs_in_a_given_folder_that_stays(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a module of the workspace was imported')")
    seen = run(work.surroundings, options={"folder": tmp_path})
    assert seen["folder"] == os.path.realpath(tmp_path)
    assert seen["entries"] == ["json.py"]


def test_what_it_prints_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(work.noisy) == "quiet"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("value", ValueError, "the day is wrong"),
        ("unicode", ValueError, "can't decode byte 0xff"),
        ("half", ValueError, "half ?"),
        ("os", ChildFailed, "FileNotFoundError: No such file or directory"),
        ("key", ChildFailed, "KeyError: 'missing'"),
        ("exit", ChildFailed, "SystemExit: 3"),
        ("own", ChildFailed, "Exception: xxx"),
        ("interrupt", ChildFailed, "KeyboardInterrupt"),
        ("odd", ValueError, "Input should be"),
    ],
)
def test_faults_come_back(kind: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as fault:
        run(work.raising, kind=kind)
    assert message in str(fault.value)
    assert "secret-name" not in str(fault.value)
    assert len(str(fault.value)) < 20_000


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("nan", "no JSON form"),
        ("object", "no JSON form"),
        ("cycle", "no JSON form"),
        ("large", "more than 1000000 bytes"),
    ],
)
def test_results_that_cannot_be_given_back(kind: str, message: str) -> None:
    with pytest.raises(ChildFailed, match=message):
        run(work.result, kind=kind, options={"max_output_bytes": 1_000_000})


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("exit", "exit status 7"),
        ("kill", "killed by SIGKILL"),
        ("fault", "killed by SIG(SEGV|BUS)"),
        ("processor", "killed by SIG(XCPU|KILL)"),
    ],
)
def test_a_death_is_told(how: str, message: str) -> None:
    with pytest.raises(ChildFailed, match=message):
        run(work.dying, how=how)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process")
def test_memory_is_bounded() -> None:
    assert run(work.hungry, size_bytes=1 << 20, options={"max_memory_bytes": 256 << 20}) == 1 << 20
    with pytest.raises(ChildFailed, match="MemoryError"):
        run(work.hungry, size_bytes=1 << 30, options={"max_memory_bytes": 256 << 20})


async def _asynchronous() -> None:
    pass


@pytest.mark.parametrize("function", [lambda: None, _asynchronous])
def test_what_no_module_holds_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="plain function of a module"):
        run(function)


def test_what_cannot_be_imported_is_told() -> None:
    def nowhere() -> None: ...

    nowhere.__module__, nowhere.__qualname__ = "hilt.no_such_room", "nowhere"
    with pytest.raises(ChildFailed, match="ModuleNotFoundError"):
        run(nowhere)


STUBBORN = ["plain", "deaf", "grandchild"]


@pytest.mark.parametrize("kind", STUBBORN)
def test_cancelling_kills_the_whole_group(kind: str, tmp_path: Path) -> None:
    async def cancelled() -> None:
        given = {"marks": str(tmp_path), "kind": kind}
        running = asyncio.create_task(run_in_process(work.sleeping, given, timeout_s=LONG_S))
        await until_ready(tmp_path)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancelled())
    assert_gone(tmp_path)


@pytest.mark.parametrize("kind", STUBBORN)
def test_the_timeout_kills_the_whole_group(kind: str, tmp_path: Path) -> None:
    timeout_s = 1.0
    # How long a start takes is the machine's affair: the time grows until all were there before its end.
    while not (tmp_path / "ready").exists():
        timeout_s *= 2
        with pytest.raises(TimeoutError, match=f"sleeping did not end within {timeout_s:g} seconds"):
            run(work.sleeping, timeout_s, marks=str(tmp_path), kind=kind)
    assert_gone(tmp_path)


@pytest.mark.parametrize(("kind", "value"), [("late", "done"), ("fork", "from the child")])
def test_nothing_outlives_a_result(kind: str, value: str, tmp_path: Path) -> None:
    assert run(work.sleeping, marks=str(tmp_path), kind=kind) == value
    assert len(list(tmp_path.iterdir())) == 2
    assert_gone(tmp_path)


def test_children_do_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from hilt.tools.processes import run_in_process; from tests.tools import process_work\n"
        "given = {'marks': sys.argv[1], 'kind': 'grandchild'}\n"
        "asyncio.run(run_in_process(process_work.sleeping, given, timeout_s=1000))"
    )
    environment = {**os.environ, **child_environment(os.environ)}
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environment) as parent:
        asyncio.run(until_ready(tmp_path))
        parent.send_signal(signal.SIGKILL)
    assert_gone(tmp_path)


def test_many_run_at_once() -> None:
    async def several() -> list[Any]:
        calls = [run_in_process(work.echo, {"value": number}, timeout_s=LONG_S) for number in range(6)]
        return await asyncio.gather(*calls)

    assert asyncio.run(several()) == list(range(6))


def test_it_runs_on_the_servers_loop() -> None:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(run_in_process(work.echo, {"value": 1}, timeout_s=LONG_S)) == 1
