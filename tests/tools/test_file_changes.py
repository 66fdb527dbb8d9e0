"""Files are made, edited and deleted as asked, whole or not at all, and never outside the workspace."""

import errno
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.tools import Change, Tool
from hilt.tools.builtin import file_tools
from hilt.tools.builtin.confinement import canonical_path, listed_name
from hilt.tools.builtin.text_edits import replaced, short_diff

Ask = Callable[..., dict[str, Any]]
SECRET = "the secret outside"
CHANGING = ("create_file", "edit_file", "delete_file")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text(SECRET)
    return folder


@pytest.fixture
def tools(workspace: Path) -> dict[str, Tool]:
    return {tool.name: tool for tool in file_tools(workspace)}


def arguments_of(name: str, path: str) -> dict[str, Any]:
    """Arguments with which the tool would succeed on any text file that holds the letter e."""
    match name:
        case "create_file":
            return {"path": path, "text": "new"}
        case "edit_file":
            return {"path": path, "old_text": "e", "new_text": "E", "replace_all": True}
        case "search_files":
            return {"path": path, "query": "e"}
        case "read_file_part":
            return {"path": path, "first_line": 1}
        case _:
            return {"path": path}


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """Everything below a folder: contents of files, targets of links, None for folders."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found[name] = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return found


@pytest.mark.parametrize("path", ["new.txt", "./a/../new.txt", "a/b/c/new.txt", "Größe 日本.txt", "{workspace}/a/x"])
def test_a_file_is_created_with_its_folders(path: str, ask: Ask, workspace: Path) -> None:
    path = path.format(workspace=workspace)
    made = ask("create_file", path=path, text="grün\r\n")
    assert made["size_bytes"] == 7
    assert (workspace / made["path"]).read_bytes() == "grün\r\n".encode()
    assert ask("read_file", path=path)["text"] == "grün\r\n"
    assert [each.name for each in workspace.rglob("*.new")] == []


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("taken.txt", "there is already something at 'taken.txt'"),
        ("folder", "there is already something at 'folder'"),
        ("dangling", "there is already something at 'dangling'"),
        ("taken.txt/inner", "'taken.txt' is a file and not a folder"),
        ("taken.txt/inner/x", "'taken.txt' is a file and not a folder"),
        ("folder/", "names a folder"),
        (".", "names a folder"),
        ("folder/..", "names a folder"),
        ("a\nb", "characters that can't be seen"),
        ("a\u202etxt.exe", "characters that can't be seen"),
        ("x" * 300, "File name too long"),
    ],
)
def test_what_can_not_be_created(path: str, error: str, ask: Ask, workspace: Path) -> None:
    (workspace / "taken.txt").write_text("here")
    (workspace / "folder").mkdir()
    (workspace / "dangling").symlink_to("nothing")
    before = tree(workspace)
    assert error in ask("create_file", path=path, text="new")["error"]
    assert tree(workspace) == before


@pytest.mark.parametrize(
    ("content", "old", "new", "after"),
    [
        (b"port = 80\n", "80", "8080", b"port = 8080\n"),
        (b"a\r\nb\r\nc\r\n", "a\nb", "x\ny\nz", b"x\r\ny\r\nz\r\nc\r\n"),
        (b"a\r\nb\r\n", "b", "b\nc", b"a\r\nb\r\nc\r\n"),
        (b"a\nb\n", "a\r\nb", "c\r\nd", b"c\nd\n"),
        (b"a\nb\r\nc\n", "b\nc", "x\ny", b"a\nx\ny\n"),
        (b"\xef\xbb\xbfone\n", "one", "two", b"\xef\xbb\xbftwo\n"),
        ("é日\n".encode(), "日", "本", "é本\n".encode()),
        (b"no end", "no end", "", b""),
        (b"a\rb", "a\rb", "a\nb", b"a\nb"),
    ],
    ids=["plain", "crlf", "crlf grows", "lf", "mixed", "mark", "utf-8", "all", "old mac"],
)
def test_an_edit_changes_its_piece_and_no_other_byte(
    content: bytes, old: str, new: str, after: bytes, ask: Ask, workspace: Path
) -> None:
    (workspace / "it.txt").write_bytes(content)
    edited = ask("edit_file", path="it.txt", old_text=old, new_text=new)
    assert (workspace / "it.txt").read_bytes() == after
    assert edited["path"] == "it.txt"
    assert edited["replacements"] == 1


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_an_edit_keeps_the_permissions(mode: int, ask: Ask, workspace: Path) -> None:
    (workspace / "run.sh").write_text("echo one\n")
    (workspace / "run.sh").chmod(mode)
    ask("edit_file", path="run.sh", old_text="one", new_text="two")
    assert stat.S_IMODE((workspace / "run.sh").stat().st_mode) == mode


def test_every_occurrence_is_replaced_on_demand(ask: Ask, workspace: Path) -> None:
    (workspace / "it.txt").write_bytes(b"aaa\r\nb\r\na\r\n")
    edited = ask("edit_file", path="it.txt", old_text="a", new_text="xy", replace_all=True)
    assert edited == {"path": "it.txt", "replacements": 4, "first_line": 1}
    assert (workspace / "it.txt").read_bytes() == b"xyxyxy\r\nb\r\nxy\r\n"


@pytest.mark.parametrize(
    ("content", "old", "new", "error"),
    [
        (b"a\nb\na\n", "a", "c", "occurs 2 times in 'it.txt', in lines 1, 3; add the text around"),
        (b"aaa", "aa", "c", "more than once in 'it.txt', overlapping itself in line 1"),
        (b"a\n" * 9, "a", "c", "occurs 9 times in 'it.txt', in lines 1, 2, 3, 4, 5, …"),
        (b"the port is 80\n", "the Port is 80", "x", "the nearest lines are line 1: 'the port is 80'"),
        (b"x\n    indented = 1\n", "indented = 1\nmore", "x", "line 2 holds a part of it"),
        (b"abc\n", "zzzz", "x", "no line is near it; read_file shows"),
        (b"", "zzzz", "x", "no line is near it"),
        (b"abc", "", "x", "old_text is empty"),
        (b"a\r\n", "a\r\n", "a\n", "are the same, so nothing would change"),
        (b"a\0b", "a", "x", "is a binary file"),
        (b"caf\xe9 a", "a", "x", "is no UTF-8 text from byte 3 on"),
        (b"a" * 2_000_001, "a", "x", "has 2000001 bytes; at most 2000000"),
        (b"a" * 1_500_000, "a", "xx", "more than 2000000 bytes"),
    ],
)
def test_an_edit_that_is_not_clear_changes_nothing(
    content: bytes, old: str, new: str, error: str, ask: Ask, workspace: Path
) -> None:
    (workspace / "it.txt").write_bytes(content)
    everywhere = error.startswith("more than 2000000")
    result = ask("edit_file", path="it.txt", old_text=old, new_text=new, replace_all=everywhere)
    assert error in result["error"]
    assert tree(workspace) == {"it.txt": content}


def test_a_file_is_deleted_and_of_a_link_only_the_link(ask: Ask, workspace: Path, outside: Path) -> None:
    (workspace / "it.txt").write_text("12345")
    (workspace / "inner").symlink_to("it.txt")
    (workspace / "outer").symlink_to(outside / "secret.txt")
    ask("delete_file", path="inner")
    ask("delete_file", path="outer")
    assert tree(workspace) == {"it.txt": b"12345"}
    assert ask("delete_file", path="./it.txt") == {"path": "it.txt", "size_bytes": 5}
    assert tree(workspace) == {}
    assert tree(outside) == {"secret.txt": SECRET.encode()}
    assert "there is nothing at" in ask("delete_file", path="it.txt")["error"]


WAYS_OUT = (
    "",
    "..",
    "../outside/new.txt",
    "../outside/secret.txt",
    "a/../../outside/secret.txt",
    "/etc/passwd",
    "/dev/null",
    "{outside}/secret.txt",
    "{workspace}/../outside/secret.txt",
    "{workspace}-evil/secret.txt",
    "link/secret.txt",
    "link/new.txt",
    "link/new/new.txt",
    "relative_link/new.txt",
    "chain/new.txt",
    "inner/out/new.txt",
    "loop/new.txt",
    "up/outside/secret.txt",
    "root/etc/passwd",
    "a\0b",
    "x/" * 3000,
)


@pytest.mark.parametrize("name", ["read_file", "read_file_part", "list_files", "search_files", *CHANGING])
@pytest.mark.parametrize("path", WAYS_OUT)
def test_no_way_leads_outside(name: str, path: str, tools: dict[str, Tool], workspace: Path, outside: Path) -> None:
    (workspace / "link").symlink_to(outside)
    (workspace / "relative_link").symlink_to("../outside")
    (workspace / "chain").symlink_to("link")
    (workspace / "loop").symlink_to("loop")
    (workspace / "up").symlink_to("..")
    (workspace / "root").symlink_to("/")
    (workspace / "inner").mkdir()
    (workspace / "inner" / "out").symlink_to("../../outside")
    evil = workspace.with_name("workspace-evil")
    evil.mkdir()
    (evil / "secret.txt").write_text(SECRET)
    before = tree(workspace.parent)
    path = path.format(workspace=workspace, outside=outside)
    tool = tools[name]
    if path or name not in ("list_files", "search_files"):  # where no path means the workspace
        with pytest.raises(ValueError, match=r"outside|empty|NUL|longer|too many symbolic links"):
            tool.function(**arguments_of(name, path))
        if tool.plan is not None:
            with pytest.raises(ValueError, match=r"outside|empty|NUL|longer|too many symbolic links"):
                tool.plan(**arguments_of(name, path))
    for normalise in tool.normalisers:
        assert normalise({"path": path}).arguments == {"path": path}
    assert tree(workspace.parent) == before


@pytest.mark.parametrize("name", ["edit_file", "create_file"])
def test_a_link_at_the_end_never_leads_a_change_outside(
    name: str, tools: dict[str, Tool], workspace: Path, outside: Path
) -> None:
    (workspace / "file_link").symlink_to(outside / "secret.txt")
    (workspace / "new_link").symlink_to("../outside/new.txt")
    before = tree(workspace.parent)
    for path in ("file_link", "new_link"):
        with pytest.raises(ValueError, match=r"outside|already"):
            tools[name].function(**arguments_of(name, path))
    assert tree(workspace.parent) == before


@pytest.mark.parametrize("name", ["read_file", "read_file_part", "edit_file", "delete_file"])
@pytest.mark.parametrize(
    ("path", "error"),
    [("hard.txt", "is a hard link: the file has 2 names"), ("pipe", "device or a pipe"), ("socket", "can't be|device")],
)
def test_hard_links_and_devices_are_left_alone(
    name: str,
    path: str,
    error: str,
    tools: dict[str, Tool],
    workspace: Path,
    outside: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (workspace / "hard.txt").hardlink_to(outside / "secret.txt")
    os.mkfifo(workspace / "pipe")
    monkeypatch.chdir(workspace)  # because the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    with pytest.raises(ValueError, match=error):
        tools[name].function(**arguments_of(name, path))
    assert sorted(each.name for each in workspace.iterdir()) == ["hard.txt", "pipe", "socket"]
    assert (outside / "secret.txt").read_text() == SECRET
    assert tools["search_files"].function(query="secret").matches == ()


def test_changes_go_through_links_within_the_workspace(ask: Ask, workspace: Path) -> None:
    (workspace / "docs").mkdir()
    (workspace / "to_docs").symlink_to("docs")
    (workspace / "to_file").symlink_to(workspace / "docs" / "it.txt")
    assert ask("create_file", path="to_docs/it.txt", text="one")["path"] == "docs/it.txt"
    assert ask("edit_file", path="to_file", old_text="one", new_text="two")["path"] == "docs/it.txt"
    assert (workspace / "docs" / "it.txt").read_text() == "two"
    assert (workspace / "to_file").is_symlink()


@pytest.mark.parametrize("failing", ["write", "fsync", "rename", "fchmod"])
@pytest.mark.parametrize("name", ["create_file", "edit_file"])
def test_a_disk_that_fails_leaves_the_old_or_nothing(
    name: str, failing: str, tools: dict[str, Tool], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "old.txt").write_text("here")

    def fail(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        tools[name].function(**arguments_of(name, "old.txt" if name == "edit_file" else "new.txt"))
    monkeypatch.undo()
    assert tree(workspace) == {"old.txt": b"here"}


CRASH = """
import os, sys
from pathlib import Path
from hilt.tools.builtin.file_changes import create, edit

whole = os.write

def write(opened, content):
    whole(opened, bytes(content)[: int(sys.argv[3])])
    os._exit(7)

os.write = write
if sys.argv[2] == "edit":
    edit(Path(sys.argv[1]), "it.txt", "here", "there", replace_all=False)
else:
    create(Path(sys.argv[1]), "new.txt", "there")
"""


@pytest.mark.parametrize("written", ["0", "3"])
@pytest.mark.parametrize("act", ["create", "edit"])
def test_a_crash_in_the_middle_leaves_the_old_text_or_none(
    act: str, written: str, tools: dict[str, Tool], workspace: Path
) -> None:
    """The process ends in the middle of the writing, so nothing is tidied up."""
    (workspace / "it.txt").write_text("here")
    done = subprocess.run([sys.executable, "-c", CRASH, str(workspace), act, written])
    assert done.returncode == 7
    assert (workspace / "it.txt").read_text() == "here"
    assert not (workspace / "new.txt").exists() or (workspace / "new.txt").read_text() == ""
    tools["edit_file"].function(path="it.txt", old_text="here", new_text="there")  # what is left is in nobody's way
    assert (workspace / "it.txt").read_text() == "there"


def test_an_edit_does_not_undo_another_one(
    tools: dict[str, Tool], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor saves the file between the tool's reading and its writing."""
    it = workspace / "it.txt"
    it.write_text("one two")
    whole = os.fsync

    def save_meanwhile(opened: Any) -> None:
        it.write_text("one two three")
        whole(opened)

    monkeypatch.setattr(os, "fsync", save_meanwhile)
    with pytest.raises(ValueError, match="changed by somebody else meanwhile; read it again"):
        tools["edit_file"].function(path="it.txt", old_text="one", new_text="1")
    assert tree(workspace) == {"it.txt": b"one two three"}


EDITS = """
import sys
from pathlib import Path
from hilt.tools.builtin.file_changes import edit

for number in range(15):
    edit(Path(sys.argv[1]), "it.txt", "end", f"{sys.argv[2]}{number} end", replace_all=False)
"""


def test_processes_that_edit_at_once_lose_nothing(workspace: Path) -> None:
    (workspace / "it.txt").write_text("end")
    editors = [subprocess.Popen([sys.executable, "-c", EDITS, str(workspace), name]) for name in "abc"]
    assert [editor.wait() for editor in editors] == [0, 0, 0]
    words = (workspace / "it.txt").read_text().split()
    assert sorted(words) == sorted([*(f"{name}{number}" for name in "abc" for number in range(15)), "end"])


@pytest.mark.parametrize(
    ("name", "arguments", "changes"),
    [
        (
            "create_file",
            {"path": "docs/../new/deep/it.txt", "text": "hello"},
            (
                Change("create", "new", "a folder"),
                Change("create", "new/deep", "a folder"),
                Change("create", "new/deep/it.txt", "5 bytes:\nhello"),
            ),
        ),
        ("create_file", {"path": "to_docs/new", "text": ""}, (Change("create", "docs/new", "0 bytes:\n"),)),
        (
            "edit_file",
            {"path": "it.txt", "old_text": "b", "new_text": "x", "replace_all": False},
            (Change("edit", "it.txt", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n "),),
        ),
        ("delete_file", {"path": "./it.txt"}, (Change("delete", "it.txt", "4 bytes"),)),
    ],
)
def test_a_plan_says_what_would_change_and_changes_nothing(
    name: str, arguments: dict[str, Any], changes: Sequence[Change], tools: dict[str, Tool], workspace: Path
) -> None:
    (workspace / "it.txt").write_text("a\nb\n")
    (workspace / "docs").mkdir()
    (workspace / "to_docs").symlink_to("docs")
    before = tree(workspace)
    plan = tools[name].plan
    assert plan is not None
    assert tuple(plan(**arguments)) == changes
    assert tree(workspace) == before
    tools[name].function(**arguments)
    assert tree(workspace) != before


@pytest.mark.parametrize(
    ("name", "path", "meant"),
    [
        ("read_file", "a/it.txt", "a/it.txt"),
        ("read_file", "./a//b/../it.txt", "a/it.txt"),
        ("read_file", "{workspace}/a/it.txt", "a/it.txt"),
        ("read_file", "to_a/it.txt", "a/it.txt"),
        ("edit_file", "to_file", "a/it.txt"),
        ("list_files", "to_a/", "a/"),
        ("list_files", "{workspace}", "."),
        ("search_files", "./", "."),
        ("create_file", "to_a/new/x", "a/new/x"),
        ("create_file", "a/new/", "a/new/"),
        ("create_file", "to_file", "to_file"),
        ("delete_file", "to_a/../to_file", "to_file"),
        ("read_file", "missing/../a/it.txt", "a/it.txt"),
        ("read_file", "a/it.txt/more", "a/it.txt/more"),
        ("read_file", "../a", "../a"),
        ("read_file", "a/\u0065\u0301", "a/\u0065\u0301"),
    ],
)
def test_paths_are_made_canonical(name: str, path: str, meant: str, tools: dict[str, Tool], workspace: Path) -> None:
    (workspace / "a").mkdir()
    (workspace / "a" / "it.txt").write_text("here")
    (workspace / "to_a").symlink_to("a")
    (workspace / "to_file").symlink_to("to_a/it.txt")
    given = path.format(workspace=workspace)
    normalise = tools[name].normalisers[-1]
    normalised = normalise({"path": given, "other": 3})
    assert normalised.arguments == {"path": meant, "other": 3}
    assert len(normalised.warnings) == (given != meant)
    assert normalise(normalised.arguments).warnings == ()
    assert normalise({"path": 3}).arguments == {"path": 3}


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("create_file", {"file_path": "./a", "content": "x"}, {"path": "a", "text": "x"}),
        ("create_file", {"path": "a", "file": "b", "text": "x"}, {"path": "a", "file": "b", "text": "x"}),
        ("create_file", {"path": "a", "content": "x", "body": "y"}, {"path": "a", "content": "x", "body": "y"}),
        ("edit_file", {"path": "a", "old_str": "x", "new_str": "y"}, {"path": "a", "old_text": "x", "new_text": "y"}),
        ("read_file", {"filename": "{workspace}/a"}, {"path": "a"}),
        ("list_files", {"directory": "./"}, {"path": "."}),
        ("list_files", {}, {}),
        ("search_files", {"pattern": "x", "folder": "a/.."}, {"query": "x", "path": "."}),
    ],
)
def test_other_names_of_arguments_are_understood(
    name: str, given: dict[str, str], meant: dict[str, str], tools: dict[str, Tool], workspace: Path
) -> None:
    arguments: dict[str, Any] = {key: value.format(workspace=workspace) for key, value in given.items()}
    for normalise in tools[name].normalisers:
        arguments = normalise(arguments).arguments
    assert arguments == meant


@pytest.mark.parametrize(
    "path", ["．．/secret.txt", "‥/secret.txt", "a／..／secret.txt", "..\\secret.txt", "%2e%2e/secret.txt"]
)
def test_what_only_looks_like_a_way_out_is_a_name(path: str, ask: Ask, workspace: Path, outside: Path) -> None:
    assert "there is nothing at" in ask("read_file", path=path)["error"]
    before = tree(outside)
    made = ask("create_file", path=path, text="new")["path"]
    assert (workspace / made).read_text() == "new"
    assert tree(outside) == before


def test_another_spelling_of_a_name_is_known_by_its_file(workspace: Path) -> None:
    """As on a file system that takes capitals and small letters, or composed accents, for the same."""
    (workspace / "Secrets").mkdir()
    (workspace / "other").mkdir()
    folder = os.open(workspace, os.O_RDONLY)
    try:
        status = (workspace / "Secrets").stat()
        assert listed_name(folder, "sEcReTs", status) == "Secrets"
        assert listed_name(folder, "Secrets", status) == "Secrets"
    finally:
        os.close(folder)


@settings(deadline=None)
@given(path=st.text(st.sampled_from("ab./l~\0é "), max_size=12))
def test_a_canonical_path_stays_as_it_is(path: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "canonical"
    if not folder.exists():
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "l").symlink_to("a/b")
        (folder / "a" / "l").symlink_to("../..")
    try:
        meant = canonical_path(folder, path)
    except ValueError:
        return
    assert canonical_path(folder, meant) == meant
    assert not {"..", "", "l"} & set(meant.split("/")[:1])
    if (folder / path).exists():
        assert (folder / path).resolve() == (folder / meant).resolve() or ".." in path


TEXTS = st.lists(st.sampled_from(["a", "b", " ", "\n", "\r\n", "é"]), max_size=30).map("".join)


@settings(deadline=None)
@given(before=TEXTS, old=TEXTS, new=TEXTS, after=TEXTS)
def test_an_edit_is_a_replacement_but_for_the_ends_of_lines(before: str, old: str, new: str, after: str) -> None:
    text = before + old + after
    try:
        edited = replaced(text, old, new, everywhere=False, path="it")
    except ValueError:
        flat, piece = text.replace("\r\n", "\n"), old.replace("\r\n", "\n")
        assert not piece or piece == new.replace("\r\n", "\n") or flat.find(piece, flat.find(piece) + 1) >= 0
        return
    assert edited.text.replace("\r\n", "\n") == (before + new + after).replace("\r\n", "\n")
    assert edited.text.startswith(before.rstrip("\r"))
    assert edited.text.endswith(after.lstrip("\n"))


@settings(deadline=None)
@given(text=TEXTS, old=st.sampled_from(["a", "b", "ab", "\n", "a\n"]), new=TEXTS)
def test_replacing_everywhere_is_what_replace_does(text: str, old: str, new: str) -> None:
    flat = text.replace("\r\n", "\n")
    if old in flat and old != new.replace("\r\n", "\n"):
        edited = replaced(text, old, new, everywhere=True, path="it")
        assert edited.text.replace("\r\n", "\n") == flat.replace(old, new.replace("\r\n", "\n"))
        assert edited.replacements == flat.count(old)


@settings(deadline=None)
@given(before=st.lists(st.sampled_from("abc"), max_size=12), after=st.lists(st.sampled_from("abc"), max_size=12))
def test_a_short_diff_names_every_line_that_goes_or_comes(before: list[str], after: list[str]) -> None:
    diff = short_diff("\n".join(before), "\n".join(after)).split("\n")
    gone = sum(line.startswith("-") for line in diff)
    come = sum(line.startswith("+") for line in diff)
    assert come - gone == len("\n".join(after).split("\n")) - len("\n".join(before).split("\n"))
    assert (before == after or not before or not after) or come + gone > 0


def test_a_huge_diff_is_short() -> None:
    before = "\n".join(f"line {number}" for number in range(100_000))
    assert short_diff(before, before.replace("1", "2")) == "lines 1 to 99994 of 100000 change"
    assert len(short_diff("a" * 5000, "b" * 5000)) <= 2001
