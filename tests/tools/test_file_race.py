"""A folder that turns into a link to the outside and back, as fast as it can, leads no tool outside."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hilt.tools import Tool
from hilt.tools.builtin import file_tools

SECRET = "the secret outside, harm and HARM"
_ROUNDS = 1500


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    for path in ("secret.txt", "deep/secret.txt", "victim.txt"):
        (folder / path).write_text(SECRET)
    return folder


# A process of its own, so that it runs at the very same time. What the tools make under the name is put aside.
SWAP = """
import os, sys
os.chdir(sys.argv[1])
print("ready", flush=True)
spare = 0
while True:
    for one, other in (("inside", "aside"), ("link", "inside"), ("inside", "link"), ("aside", "inside")):
        while True:
            try:
                os.rename(one, other)
                break
            except OSError:
                spare += 1
                os.rename(other, f"spare{spare}")
"""


@contextmanager
def swapping(workspace: Path, outside: Path) -> Generator[None]:
    """Meanwhile `inside` is now the folder, now a link to the outside, now nothing."""
    (workspace / "link").symlink_to(outside)
    (workspace / "inside" / "deep").mkdir(parents=True)
    (workspace / "inside" / "victim.txt").write_text("harmless")
    with subprocess.Popen([sys.executable, "-c", SWAP, str(workspace)], stdout=subprocess.PIPE) as swapper:
        try:
            assert swapper.stdout is not None
            assert swapper.stdout.readline() == b"ready\n"
            yield
            assert swapper.poll() is None
        finally:
            swapper.kill()


def contents(folder: Path) -> dict[str, tuple[int, bytes | None]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.read_bytes() if path.is_file() else None)
        for path in folder.rglob("*")
    }


def create(tools: dict[str, Tool], number: int) -> object:
    return tools["create_file"].function(path=f"inside/deep/new{number % 7}/{number}.txt", text="x")


def edit(tools: dict[str, Tool], number: int) -> object:
    old, new = ("harm", "HARM") if number % 2 else ("HARM", "harm")
    return tools["edit_file"].function(path="inside/victim.txt", old_text=old, new_text=new, replace_all=True)


def delete(tools: dict[str, Tool], number: int) -> object:
    with contextlib.suppress(ValueError):
        tools["create_file"].function(path="inside/victim.txt", text="harmless")
    return tools["delete_file"].function(path="inside/victim.txt")


def plan(tools: dict[str, Tool], number: int) -> object:
    shown = tools["edit_file"].plan
    assert shown is not None
    return shown(path="inside/victim.txt", old_text="s", new_text="z", replace_all=True)


def search(tools: dict[str, Tool], number: int) -> object:
    return tools["search_files"].function(query="e", path="inside" if number % 2 else ".")


def part(tools: dict[str, Tool], number: int) -> object:
    return tools["read_file_part"].function(path="inside/victim.txt", first_line=1)


@pytest.mark.parametrize("act", [create, edit, delete, plan, search, part])
def test_no_race_on_a_link_lets_a_tool_read_or_change_the_outside(
    act: Callable[[dict[str, Tool], int], object], workspace: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # the disk need not be waited for here
    tools = {tool.name: tool for tool in file_tools(workspace)}
    before = contents(outside)
    open_before = len(list(Path("/dev/fd").iterdir()))
    done: list[str] = []
    failed: list[str] = []
    with swapping(workspace, outside):
        for number in range(_ROUNDS):
            try:
                done.append(repr(act(tools, number)))
            except (ValueError, OSError) as fault:
                failed.append(str(fault))
    assert contents(outside) == before
    assert not [text for text in (*done, *failed) if SECRET in text]
    assert done  # or nothing was tried
    assert failed
    assert len(list(Path("/dev/fd").iterdir())) == open_before
