"""Searching files finds the lines, reads on in long files, and does no more than it may."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.tools.builtin import file_search

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def files(workspace: Path) -> Path:
    for path, content in {
        "main.py": b"import os\nPORT = 80\n",
        "docs/guide.md": b"\xef\xbb\xbfThe port is 80.\r\nStra\xc3\x9fe\r\n",
        "docs/deep/notes.md": b"nothing\nport port\n",
        ".git/config": b"port",
        "node_modules/a.js": b"port",
        "image.png": b"port\0",
        ".env": b"port=1\n",
        "latin.txt": b"caf\xe9 port\n",
    }.items():
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace / path).write_bytes(content)
    (workspace / "docs" / "round").symlink_to("..")
    os.mkfifo(workspace / "pipe")
    return workspace


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"query": "port"}, [".env:1", "docs/deep/notes.md:2", "docs/guide.md:1", "latin.txt:1", "main.py:1"]),
        ({"query": "PORT"}, ["main.py:2"]),
        ({"query": "PORT", "ignore_case": True, "glob": "*.py"}, ["main.py:1", "main.py:2"]),
        ({"query": "STRASSE", "ignore_case": True}, ["docs/guide.md:2"]),
        ({"query": "port", "path": "docs"}, ["docs/deep/notes.md:2", "docs/guide.md:1"]),
        ({"query": "port", "path": "docs/guide.md"}, ["docs/guide.md:1"]),
        ({"query": "port", "glob": "docs/*.md"}, ["docs/deep/notes.md:2", "docs/guide.md:1"]),
        ({"query": "port", "path": ".git"}, [".git/config:1"]),
        ({"query": "80.", "glob": "[a-z]*.md"}, ["docs/guide.md:1"]),
        ({"query": "p.rt"}, []),
        ({"query": "port", "glob": "*.rs"}, []),
    ],
)
def test_search(arguments: dict[str, Any], found: list[str], ask: Ask, files: Path) -> None:
    result = ask("search_files", **arguments)
    # A line of main.py holds "import".
    assert [match["place"] for match in result["matches"]] == found
    assert result["complete"]


def test_a_line_is_shown_without_its_end_and_around_the_match(ask: Ask, workspace: Path) -> None:
    (workspace / "a.txt").write_bytes(b"short one\r\n" + b"x" * 1000 + b"one" + b"y" * 1000)
    first, second = ask("search_files", query="one")["matches"]
    assert first == {"place": "a.txt:1", "text": "short one"}
    assert second["text"].startswith("…x")
    assert second["text"].endswith("y…")
    assert "one" in second["text"]
    assert len(second["text"]) <= 202


def test_the_answer_is_bounded(ask: Ask, workspace: Path) -> None:
    (workspace / "a.txt").write_text("one\n" * 1000)
    result = ask("search_files", query="one")
    assert (len(result["matches"]), result["complete"]) == (100, False)
    (workspace / "a.txt").write_text(f"one {'x' * 190}\n" * 1000)
    result = ask("search_files", query="one")
    assert (30 < len(result["matches"]) < 50, result["complete"]) == (True, False)


@pytest.mark.parametrize(
    ("limit", "value"), [("_MAX_FILES", 2), ("_MAX_ALL_BYTES", 40), ("_MAX_ENTRIES", 3), ("_MAX_DEPTH", 1)]
)
def test_the_work_is_bounded(limit: str, value: int, ask: Ask, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_search, limit, value)
    result = ask("search_files", query="unheard")
    assert (result["matches"], result["complete"]) == ([], False)


def test_huge_binary_and_foreign_files_are_skipped(ask: Ask, files: Path) -> None:
    (files / "huge.txt").write_bytes(b"port" * 500_001)
    (files / "hard.txt").hardlink_to(files / "main.py")
    result = ask("search_files", query="port", glob="*.*")
    assert result["skipped"] == 4  # main.py and its other name too
    assert result["searched"] == 4


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"query": ""}, "query is to be a piece of one line"),
        ({"query": "a\nb"}, "query is to be a piece of one line"),
        ({"query": "x" * 501}, "of 1 to 500 characters"),
        ({"query": "x", "glob": ""}, "glob needs 1 to 200 characters"),
        ({"query": "x", "path": "missing"}, "there is nothing at"),
    ],
)
def test_what_can_not_be_searched(arguments: dict[str, Any], error: str, ask: Ask, workspace: Path) -> None:
    assert error in ask("search_files", **arguments)["error"]


@settings(deadline=None, max_examples=50)
@given(
    lines=st.lists(st.text(st.sampled_from("ab é\u2028\x0c"), max_size=8), max_size=12), query=st.sampled_from("abé")
)
def test_search_finds_exactly_the_lines(lines: list[str], query: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("search")
    (folder / "it").write_bytes("\n".join(lines).encode())
    found = file_search.search(folder, query, ".", "*", ignore_case=False)
    assert [(match.place, match.text) for match in found.matches] == [
        (f"it:{number}", line) for number, line in enumerate(lines, 1) if query in line
    ]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"first_line": 1, "lines": 2}, (1, 2, "line 1\nline 2\n", True)),
        ({"first_line": 3}, (3, 4, "line 3\nline 4", False)),
        ({"first_line": 4, "lines": 1}, (4, 4, "line 4", False)),
    ],
)
def test_a_part_of_a_file_is_read(
    arguments: dict[str, int], part: tuple[int, int, str, bool], ask: Ask, workspace: Path
) -> None:
    (workspace / "it.txt").write_text("line 1\nline 2\nline 3\nline 4")
    result = ask("read_file_part", path="it.txt", **arguments)
    assert (result["first_line"], result["last_line"], result["text"], result["truncated"]) == part


@pytest.mark.parametrize(
    ("content", "first_line", "error"),
    [
        (b"one\ntwo\n", 3, "has no line 3"),
        (b"", 1, "has no line 1"),
        (b"one\n", 0, "greater than or equal to 1"),
        (b"one\na\0b\n", 2, "is a binary file"),
    ],
)
def test_a_part_that_is_not_there(content: bytes, first_line: int, error: str, ask: Ask, workspace: Path) -> None:
    (workspace / "it.txt").write_bytes(content)
    assert error in ask("read_file_part", path="it.txt", first_line=first_line)["error"]


def test_a_long_file_can_be_read_on(ask: Ask, workspace: Path) -> None:
    lines = [f"{number} {'x' * (number % 700)}\n" for number in range(300)] + ["y" * 30_000 + "\n", "end\n"]
    (workspace / "it.txt").write_text("".join(lines))
    first_line, read = 1, ""
    for _ in range(50):
        part = ask("read_file_part", path="it.txt", first_line=first_line)
        read += part["text"]
        first_line = part["last_line"] + 1
        if not part["truncated"]:
            break
    # Of the one line that is longer than a part only its beginning is read.
    assert read == "".join(lines[:300]) + "y" * 12_000 + "end\n"
