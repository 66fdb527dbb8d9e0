"""`hilt kb`: documents in, passages out, for people, for pipes and for programs."""

import json
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import HILT, Hilt


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "guide.md").write_text("# Guide\n\n## Install\n\nRun the installer.\n\n## Use\n\nPress the button.\n")
    (docs / "notes.txt").write_text("The office closes at six.")
    (docs / "picture.txt").write_bytes(b"\x89PNG\0\0")
    return docs


def test_documents_are_added_searched_listed_and_removed(hilt: Hilt, docs: Path) -> None:
    added = hilt("kb", "add", "docs")
    assert (added.returncode, added.stdout) == (0, "2 added, 1 skipped\n")
    assert added.stderr.splitlines() == [
        f"added      {docs}/guide.md  (2 passages)",
        f"added      {docs}/notes.txt  (1 passages)",
        f"skipped    {docs}/picture.txt: it is binary",
    ]
    found = hilt("kb", "search", "how do I run the installer", "--limit", "1")
    assert found.stdout == f"1. Guide  Guide > Install\n   {docs}/guide.md#Install\n   Run the installer.\n\n"
    assert f"{docs}/notes.txt  (notes.txt)" in hilt("kb", "list").stdout
    assert hilt("kb", "rebuild").stdout == "3 passages embedded by words-1\n"
    assert hilt("kb", "remove", "docs").stdout == f"removed    {docs}/guide.md\nremoved    {docs}/notes.txt\n"
    emptied = hilt("kb", "list")
    assert (emptied.stdout, emptied.returncode) == ("", 0)
    assert "empty" in emptied.stderr


def test_programs_get_json(hilt: Hilt, docs: Path) -> None:
    reports = [json.loads(line) for line in hilt("kb", "add", "docs", "--json").stdout.splitlines()]
    assert [(one["outcome"], one["number"], one["total"]) for one in reports] == [
        ("added", 1, 3),
        ("added", 2, 3),
        ("skipped", 3, 3),
    ]
    found = json.loads(hilt("kb", "search", "office", "--json", "--source", "docs/notes.txt").stdout)
    assert [one["place"] for one in found["passages"]] == [f"{docs}/notes.txt line 1"]
    assert [one["title"] for one in json.loads(hilt("kb", "list", "--json").stdout)] == ["Guide", "notes.txt"]
    assert json.loads(hilt("kb", "remove", "notes.txt", "--json").stdout) == {"removed": [f"{docs}/notes.txt"]}
    assert json.loads(hilt("kb", "rebuild", "--json").stdout) == {"passages": 2, "embedder": "words-1"}


def test_a_terminal_gets_a_bar(home: dict[str, str], docs: Path) -> None:
    child = pexpect.spawn(HILT[0], [*HILT[1:], "kb", "add", str(docs)], env=home, encoding="utf-8", timeout=60)
    child.expect("Adding")
    child.expect("2 added, 1 skipped")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("add", "nowhere"), 1, "nowhere: it can't be opened: No such file or directory"),
        (("search", " "), 2, "the query is empty"),
        (("remove", "nothing"), 2, "there is no 'nothing' in the knowledge base"),
        (("search", "words", "--limit", "0"), 2, "--limit"),
    ],
)
def test_mistakes_are_told(arguments: tuple[str, ...], status: int, said: str, hilt: Hilt) -> None:
    done = hilt("kb", *arguments)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_stands_for_several_is_not_removed(hilt: Hilt, docs: Path) -> None:
    (docs / "more").mkdir()
    (docs / "more" / "guide.md").write_text("another")
    hilt("kb", "add", "docs")
    done = hilt("kb", "remove", "guide.md")
    assert done.returncode == 2
    assert "stands for several" in done.stderr
    assert len(hilt("kb", "list").stdout.splitlines()) == 3


def test_a_damaged_base_is_told_in_a_line(hilt: Hilt, tmp_path: Path) -> None:
    base = tmp_path / "data" / "hilt" / "knowledge.sqlite3"
    base.parent.mkdir(parents=True)
    base.write_bytes(b"no database " * 100)
    for arguments in (("search", "words"), ("list",), ("add", str(base)), ("rebuild",), ("remove", "x")):
        done = hilt("kb", *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(f"hilt: the knowledge base {base} is damaged")
        assert len(done.stderr.splitlines()) == 1
    assert base.read_bytes() == b"no database " * 100
