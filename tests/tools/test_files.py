"""The file tools show what is in the workspace, and nothing else to anybody who tries."""

import os
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hilt.settings import ToolOptions
from hilt.tools import Tool, builtin_tools
from hilt.tools.builtin import file_tools
from hilt.tools.builtin.confinement import open_inside, relative_parts

Ask = Callable[..., dict[str, Any]]
SECRET = "the secret outside"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text(SECRET)
    return folder


def test_a_listing_is_sorted_and_has_sizes(ask: Ask, workspace: Path) -> None:
    (workspace / "src").mkdir()
    (workspace / "notes.txt").write_text("x" * 120)
    (workspace / "Größe.txt").write_text("")
    (workspace / "link").symlink_to("notes.txt")
    os.mkfifo(workspace / "pipe")
    assert ask("list_files") == {
        "path": ".",
        "entries": [
            {"name": "Größe.txt", "kind": "file", "size_bytes": 0},
            {"name": "link", "kind": "link", "size_bytes": None},
            {"name": "notes.txt", "kind": "file", "size_bytes": 120},
            {"name": "pipe", "kind": "other", "size_bytes": None},
            {"name": "src", "kind": "folder", "size_bytes": None},
        ],
    }


@pytest.mark.parametrize("path", ["src", "src/", "./src", "src/../src", "a/../src"])
def test_a_folder_in_the_workspace_is_listed(path: str, ask: Ask, workspace: Path) -> None:
    (workspace / "src" / "deep").mkdir(parents=True)
    assert ask("list_files", path=path) == {
        "path": "src",
        "entries": [{"name": "deep", "kind": "folder", "size_bytes": None}],
    }


@pytest.mark.parametrize(("count", "omitted"), [(200, None), (201, 1), (205, 5)])
def test_a_long_listing_is_cut(count: int, omitted: int | None, ask: Ask, workspace: Path) -> None:
    for number in range(count):
        (workspace / f"{number:03}").touch()
    result = ask("list_files")
    assert [entry["name"] for entry in result["entries"]] == [f"{number:03}" for number in range(200)]
    assert result.get("omitted") == omitted
    assert ("omitted" in result) == (omitted is not None)


def test_a_name_that_is_no_text_is_listed(ask: Ask, workspace: Path) -> None:
    (workspace / os.fsdecode(b"\xff.txt")).touch()
    assert [entry["name"] for entry in ask("list_files")["entries"]] == ["?.txt"]


@pytest.mark.parametrize(
    ("content", "text", "truncated"),
    [
        (b"hello\n", "hello\n", False),
        (b"", "", False),
        ("Grüße\r\n".encode(), "Grüße\r\n", False),
        (b"\xef\xbb\xbfmarked", "marked", False),
        (b"caf\xe9", "caf\ufffd", False),
        (b"x" * 12_000, "x" * 12_000, False),
        (b"x" * 12_001, "x" * 12_000, True),
        (b"x" * 11_999 + "é".encode(), "x" * 11_999, True),
    ],
    ids=["plain", "empty", "utf-8", "byte order mark", "latin-1", "full", "too long", "cut in a character"],
)
def test_a_file_is_read(content: bytes, text: str, truncated: bool, ask: Ask, workspace: Path) -> None:
    (workspace / "it.txt").write_bytes(content)
    assert ask("read_file", path="it.txt") == {"path": "it.txt", "text": text, "truncated": truncated}


def test_an_absolute_path_into_the_workspace_is_taken(ask: Ask, workspace: Path) -> None:
    (workspace / "it.txt").write_text("here")
    assert ask("read_file", path=str(workspace / "it.txt"))["path"] == "it.txt"
    assert ask("list_files", path=str(workspace))["path"] == "."


def test_a_workspace_behind_a_link_is_the_workspace(tmp_path: Path, workspace: Path) -> None:
    (workspace / "it.txt").write_text("here")
    alias = tmp_path / "alias"
    alias.symlink_to(workspace)
    for path in ("it.txt", str(alias / "it.txt"), str(workspace / "it.txt")):
        with open_inside(alias, relative_parts(alias, path)) as opened:
            assert os.read(opened, 10) == b"here"


def test_links_within_the_workspace_are_followed(ask: Ask, workspace: Path) -> None:
    (workspace / "docs" / "deep").mkdir(parents=True)
    (workspace / "docs" / "it.txt").write_text("here")
    (workspace / "to_file").symlink_to("docs/it.txt")
    (workspace / "to_folder").symlink_to(workspace / "docs")
    (workspace / "docs" / "deep" / "up").symlink_to("../it.txt")
    for path in ("to_file", "to_folder/it.txt", "to_folder/deep/up"):
        assert ask("read_file", path=path)["text"] == "here"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("", "the path is empty"),
        ("..", "leads outside the workspace"),
        ("../outside/secret.txt", "leads outside the workspace"),
        ("a/../../outside/secret.txt", "leads outside the workspace"),
        ("a/../../workspace/../outside/secret.txt", "leads outside the workspace"),
        ("/etc/passwd", "leads outside the workspace"),
        ("//etc/passwd", "leads outside the workspace"),
        ("{outside}/secret.txt", "leads outside the workspace"),
        ("{workspace}/../outside/secret.txt", "leads outside the workspace"),
        ("{workspace}-evil/secret.txt", "leads outside the workspace"),
        ("/proc/self/cwd", "leads outside the workspace"),
        ("~/.ssh/id_rsa", "there is nothing at"),
        ("link/secret.txt", "leads outside the workspace"),
        ("file_link", "leads outside the workspace"),
        ("relative_link/secret.txt", "leads outside the workspace"),
        ("chain", "leads outside the workspace"),
        ("loop", "too many symbolic links"),
        ("a\0b", "NUL character"),
        ("x" * 300, "is too long"),
        ("x/" * 3000, "longer than 4096 characters"),
        ("missing.txt", "there is nothing at 'missing.txt' in the workspace; list_files shows"),
        ("it.txt/inner", "there is nothing at"),
        ("folder", "is a folder; list_files shows"),
        ("pipe", "is a device or a pipe"),
        ("image.png", "is a binary file"),
        ("locked", "can't be opened"),
    ],
)
def test_what_may_not_be_read_is_refused(
    path: str, error: str, ask: Ask, workspace: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "folder").mkdir()
    (workspace / "it.txt").write_text("here")
    (workspace / "image.png").write_bytes(b"\x89PNG\0\0")
    (workspace / "link").symlink_to(outside)
    (workspace / "file_link").symlink_to(outside / "secret.txt")
    (workspace / "relative_link").symlink_to("../outside")
    (workspace / "chain").symlink_to("file_link")
    (workspace / "loop").symlink_to("loop")
    os.mkfifo(workspace / "pipe")
    evil = workspace.with_name("workspace-evil")
    evil.mkdir()
    (evil / "secret.txt").write_text(SECRET)
    monkeypatch.chdir(workspace)  # because the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as unreadable:
        unreadable.bind("locked")
    result = ask("read_file", path=path.format(workspace=workspace, outside=outside))
    assert error in result["error"]
    assert SECRET not in str(result)


def test_a_file_is_not_listed(ask: Ask, workspace: Path) -> None:
    (workspace / "it.txt").write_text("here")
    assert "is a file and not a folder; read_file reads it" in ask("list_files", path="it.txt")["error"]
    assert "leads outside" in ask("list_files", path="..")["error"]


def test_a_missing_workspace_is_said_so(ask: Ask, workspace: Path) -> None:
    workspace.rmdir()
    assert "the workspace folder can't be opened: No such file" in ask("list_files")["error"]


def test_an_error_leaves_no_file_open(workspace: Path, outside: Path) -> None:
    (workspace / "a" / "b").mkdir(parents=True)
    (workspace / "a" / "out").symlink_to(outside)
    list_files, read_file, *_ = file_tools(workspace)
    before = set(Path("/dev/fd").iterdir())
    for path in ("a/b", "a/out/secret.txt", "a/missing", "..", "a/b/c/d"):
        for tool in (list_files, read_file):
            _text_or_error(tool, path)
    assert set(Path("/dev/fd").iterdir()) == before


def test_a_race_on_a_link_never_leads_outside(workspace: Path, outside: Path) -> None:
    """One thread swaps a folder for a link to the outside and back while files are read through it."""
    inside = workspace / "inside"
    inside.mkdir()
    (inside / "secret.txt").write_text("harmless")
    (workspace / "link").symlink_to(outside)
    _, read_file, *_ = file_tools(workspace)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (workspace / "inside").rename(workspace / "aside")
            (workspace / "link").rename(workspace / "inside")
            (workspace / "inside").rename(workspace / "link")
            (workspace / "aside").rename(workspace / "inside")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        seen = {_text_or_error(read_file, "inside/secret.txt") for _ in range(3000)}
    finally:
        stop.set()
        swapper.join()
    assert SECRET not in seen
    assert "harmless" in seen  # or nothing was tried


def _text_or_error(tool: Tool, path: str) -> str:
    try:
        result = tool.function(path=path)
    except ValueError as fault:
        return str(fault)
    return getattr(result, "text", "")


def test_the_timeout_of_the_options_is_the_tools(tmp_path: Path) -> None:
    options = ToolOptions(workspace=tmp_path, notes=tmp_path / "n", timeout_s=3.5)
    assert {tool.timeout_s for tool in builtin_tools(options, lambda: datetime.now(UTC))} == {3.5}
