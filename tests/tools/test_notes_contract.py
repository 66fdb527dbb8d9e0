"""The store of notes behaves as a dictionary does, whoever edits its files and whatever happens to its index."""

import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hilt.tools import Change, Tool
from hilt.tools.builtin.note_files import NoteFile, file_name, parsed, rendered
from hilt.tools.builtin.notes import Note, Notes, delete, edit, note_tools, read, save, search

Ask = Callable[..., dict[str, Any]]
CREATED = "2026-11-21 14:03"
WORDS = ("milk", "bread", "passport", "café", "blue")
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)


def now() -> datetime:
    return datetime(2026, 11, 21, 14, 3, tzinfo=timezone(timedelta(hours=1)))


def matches(text: str, query: str) -> bool:
    return all(any(word.startswith(part) for word in text.split()) for part in query.split())


class Store(RuleBasedStateMachine):
    """Against a dictionary from ids to texts; `given` are all ids that were ever given."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.notes = Notes(self.home / "notes", now)
        self.model: dict[int, str] = {}
        self.given: set[int] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.home)

    def some_id(self, choice: int) -> int:
        return sorted(self.model)[choice % len(self.model)]

    def file_of(self, note_id: int) -> Path:
        (path,) = (path for path in self.notes.folder.glob("*.md") if parsed(path.read_bytes()).id == note_id)
        return path

    @rule(text=TEXTS)
    def save(self, text: str) -> None:
        note = save(self.notes, text)
        assert note == Note(note.id, text, CREATED)
        assert note.id not in self.given
        assert note.id > max(self.given, default=0)
        self.given.add(note.id)
        self.model[note.id] = text

    @precondition(lambda self: self.model)
    @rule(choice=st.integers(0, 99), text=TEXTS)
    def edit(self, choice: int, text: str) -> None:
        note_id = self.some_id(choice)
        assert edit(self.notes, note_id, text) == Note(note_id, text, CREATED)
        self.model[note_id] = text

    @precondition(lambda self: self.model)
    @rule(choice=st.integers(0, 99))
    def delete(self, choice: int) -> None:
        note_id = self.some_id(choice)
        kept = self.notes.folder / delete(self.notes, note_id).moved_to
        assert parsed(kept.read_bytes()).text == self.model.pop(note_id)

    @rule(note_id=st.integers(-5, 60) | st.just(1 << 70))
    def a_note_that_is_not_there(self, note_id: int) -> None:
        if note_id not in self.model:
            for act in (read, delete, lambda notes, it: edit(notes, it, "x")):
                with pytest.raises(ValueError, match="there is no note"):
                    act(self.notes, note_id)

    @precondition(lambda self: self.model)
    @rule(choice=st.integers(0, 99), text=TEXTS)
    def edit_by_hand(self, choice: int, text: str) -> None:
        note_id = self.some_id(choice)
        path = self.file_of(note_id)
        path.write_bytes(path.read_bytes().replace(f"\n\n{self.model[note_id]}\n".encode(), f"\n\n{text}\n".encode()))
        self.model[note_id] = text

    @precondition(lambda self: self.model)
    @rule(choice=st.integers(0, 99), name=st.sampled_from(("a.md", "b.md")))
    def rename_by_hand(self, choice: int, name: str) -> None:
        if not (self.notes.folder / name).exists():
            self.file_of(self.some_id(choice)).rename(self.notes.folder / name)

    @precondition(lambda self: self.model)
    @rule(choice=st.integers(0, 99))
    def remove_by_hand(self, choice: int) -> None:
        note_id = self.some_id(choice)
        self.file_of(note_id).unlink()
        del self.model[note_id]

    @precondition(lambda self: self.model)
    @rule(text=TEXTS)
    def write_by_hand(self, text: str) -> None:
        path = self.notes.folder / f"by hand {len(self.given)}.md"
        path.write_text(f"---\ncreated: {CREATED}\n---\n{text}")
        (found,) = (note for note in search(self.notes, "", 50) if note.id not in self.model)
        assert found.text == text
        assert found.id not in self.given
        edit(self.notes, found.id, text)  # now the id stands in the file
        self.given.add(found.id)
        self.model[found.id] = text

    @precondition(lambda self: self.model)
    @rule(harm=st.sampled_from(("gone", "garbage", "empty", "other tables", "older", "cut")))
    def harm_the_index(self, harm: str) -> None:
        index = self.notes.folder / ".index.sqlite3"
        match harm:
            case "gone":
                index.unlink(missing_ok=True)
            case "garbage":
                index.write_bytes(b"no database at all" * 500)
            case "empty":
                index.write_bytes(b"")
            case "cut":
                index.write_bytes(index.read_bytes()[:5000] if index.exists() else b"")
            case _:
                index.unlink(missing_ok=True)
                with sqlite3.connect(index) as database:
                    database.execute(f"PRAGMA user_version = {int(harm == 'other tables')}")
                    database.execute("CREATE TABLE notes (something)")
                database.close()

    @rule(query=st.lists(st.sampled_from((*WORDS, "pass", "b", "un")), min_size=1, max_size=2).map(" ".join))
    def search(self, query: str) -> None:
        found = search(self.notes, query, 50)
        wanted = {note_id for note_id, text in self.model.items() if matches(text, query)}
        if not wanted:
            wanted = {
                note_id for note_id, text in self.model.items() if any(matches(text, part) for part in query.split())
            }
        assert {note.id: note.text for note in found} == {note_id: self.model[note_id] for note_id in wanted}

    @invariant()
    def all_are_there(self) -> None:
        listed = search(self.notes, "*", 50)
        assert [(note.id, note.text) for note in listed] == sorted(self.model.items(), reverse=True)[:50]
        assert [read(self.notes, note_id).text for note_id in list(self.model)[:1]] == list(self.model.values())[:1]


Store.TestCase.settings = settings(max_examples=12, stateful_step_count=16, deadline=None)
TestStore = Store.TestCase


@settings(deadline=None)
@given(
    text=st.text(max_size=60).map(str.strip),
    note_id=st.integers(1, 10**15 - 1),
    others=st.lists(st.from_regex(r"[a-z]{1,8}: [a-z ,\[\]]{0,9}", fullmatch=True), max_size=3),
)
def test_a_note_is_read_as_it_was_written(text: str, note_id: int, others: list[str]) -> None:
    kept = tuple(line for line in others if not line.startswith(("id:", "created:")))
    note = NoteFile(text, note_id, CREATED, kept)
    assert parsed(rendered(note)) == note


@settings(deadline=None)
@given(content=st.binary(max_size=80) | st.text(st.sampled_from("-\n\r id:1c"), max_size=60).map(str.encode))
def test_any_file_is_a_note(content: bytes) -> None:
    note = parsed(content)
    assert note.text == note.text.strip()
    assert parsed(rendered(NoteFile(note.text, 7, CREATED, note.others))).text == note.text


@settings(deadline=None)
@given(text=st.text(max_size=200))
def test_the_name_of_a_file_is_plain(text: str) -> None:
    name = file_name(7, text)
    assert re.fullmatch(r"0007-[^\W_][\w-]*\.md", name)
    assert len(name.encode()) < 255


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("plain\n", Note(4, "plain", CREATED)),
        ("---\nid: 9\n---\ntext", Note(9, "text", CREATED)),
        (
            "\ufeff---\r\nid: '9'\r\ncreated: \"2020-01-02 03:04\"\r\n---\r\n\r\ntext\r\n",
            Note(9, "text", "2020-01-02 03:04"),
        ),
        ("---\ncreated: 2020-01-02\ntags: [a]\n---\ntext", Note(4, "text", "2020-01-02")),
        ("---\nno end", Note(4, "---\nno end", CREATED)),
        ("---\nid: 0\n---\ntext", Note(4, "text", CREATED)),
        ("---\nid: 99999999999999999999\n---\ntext", Note(4, "text", CREATED)),
        ("---\nid: 2\n---\na copy", Note(4, "a copy", CREATED)),
    ],
)
def test_a_file_written_by_hand_is_a_note(content: str, note: Note, tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes", now)
    for text in ("one", "two", "three"):
        save(notes, text)
    path = notes.folder / "by hand.md"
    path.write_bytes(content.encode())
    found = read(notes, note.id)
    assert (found.id, found.text) == (note.id, note.text)
    if "created" in content:
        assert found.created == note.created
    assert path.read_bytes() == content.encode()  # looking changes nothing
    edited = edit(notes, note.id, "changed")
    assert edited == Note(note.id, "changed", found.created)
    assert ("tags: [a]" in path.read_text()) == ("tags: [a]" in content)
    (notes.folder / ".index.sqlite3").unlink()
    assert read(notes, note.id) == edited
    assert [read(notes, number).text for number in (1, 2, 3)] == ["one", "two", "three"]


def test_what_is_no_note_is_left_alone(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes", now)
    save(notes, "one")
    (tmp_path / "secret.md").write_text("secret")
    (notes.folder / "link.md").symlink_to(tmp_path / "secret.md")
    (notes.folder / "huge.md").write_bytes(b"secret " * 50_000)
    (notes.folder / "empty.md").touch()
    (notes.folder / ".hidden.md").write_text("secret")
    (notes.folder / "secret.txt").write_text("secret")
    (notes.folder / "folder.md").mkdir()
    (notes.folder / "folder.md" / "in.md").write_text("secret")
    assert search(notes, "secret", 5) == ()
    assert [note.id for note in search(notes, "*", 5)] == [1]
    assert save(notes, "two").id == 2


def test_an_id_is_not_given_twice_though_note_and_index_are_gone(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes", now)
    assert [save(notes, text).id for text in ("one", "two", "three")] == [1, 2, 3]
    delete(notes, 3)
    shutil.rmtree(notes.folder / "trash")
    (notes.folder / ".index.sqlite3").unlink()
    assert save(notes, "four").id == 4
    (notes.folder / ".last-id").write_text("garbage")
    delete(notes, 4)
    (notes.folder / ".last-id").unlink()
    (notes.folder / ".index.sqlite3").unlink()
    assert save(notes, "five").id == 5


def test_a_note_deleted_twice_under_one_name_is_kept_twice(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes", now)
    save(notes, "one")
    assert delete(notes, 1).moved_to == "trash/0001-one.md"
    (notes.folder / "0001-one.md").write_text("another")
    (other,) = search(notes, "*", 5)
    assert delete(notes, other.id).moved_to == "trash/0001-one-2.md"


def test_a_trash_that_is_a_link_takes_nothing(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes", now)
    save(notes, "one")
    (tmp_path / "outside").mkdir()
    (notes.folder / "trash").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match=r"[Dd]irectory|[Ss]ymbolic"):
        delete(notes, 1)
    assert list((tmp_path / "outside").iterdir()) == []
    assert read(notes, 1).text == "one"


def test_a_failing_disk_saves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Notes(tmp_path / "notes", now)
    save(notes, "one")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        save(notes, "two")
    with pytest.raises(OSError, match="No space left"):
        edit(notes, 1, "other")
    monkeypatch.undo()
    assert [(note.id, note.text) for note in search(notes, "*", 5)] == [(1, "one")]
    assert save(notes, "three").id in (2, 3)


MANY = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from hilt.tools.builtin.notes import Notes, save, search

notes = Notes(Path(sys.argv[1]), lambda: datetime(2026, 11, 21, tzinfo=UTC))
for number in range(12):
    print(save(notes, f"note {sys.argv[2]} {number}").id, len(search(notes, "note", 50)) > 0)
"""


def test_processes_that_save_at_once_get_ids_of_their_own(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", MANY, str(tmp_path / "notes"), name], stdout=subprocess.PIPE, text=True)
        for name in ("a", "b", "c")
    ]
    printed = [worker.communicate()[0].split("\n")[:-1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    ids = sorted(int(line.removesuffix(" True")) for lines in printed for line in lines)
    assert ids == list(range(1, 37))
    assert len(search(Notes(tmp_path / "notes", now), "note", 50)) == 36


def former(folder: Path, rows: list[tuple[int, str, str]]) -> None:
    with sqlite3.connect(folder / "notes.sqlite3") as database:
        database.execute(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, created TEXT NOT NULL)"
        )
        database.executemany("INSERT INTO notes VALUES (?, ?, ?)", rows)
    database.close()


def test_the_notes_of_the_former_file_are_taken_over_once(tmp_path: Path) -> None:
    rows = [(1, "buy milk", "2026-01-02 03:04"), (5, "---\nid: 7\n---\nodd", "2026-01-02 03:05")]
    former(tmp_path, rows)
    notes = Notes(tmp_path / "notes", now)
    assert search(notes, "milk", 5) == (Note(*rows[0]),)
    assert read(notes, 5) == Note(*rows[1])
    assert save(notes, "new").id == 6
    delete(notes, 1)
    assert [note.id for note in search(notes, "*", 5)] == [6, 5]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "notes.sqlite3.imported"]


def test_a_take_over_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    rows = [(number, f"note {number}", CREATED) for number in range(1, 6)]
    notes = Notes(tmp_path / "notes", now)
    notes.folder.mkdir()
    for note_id, text, created in rows[:3]:
        (notes.folder / file_name(note_id, text)).write_bytes(rendered(NoteFile(text, note_id, created)))
    former(tmp_path, rows)
    assert search(notes, "*", 50) == tuple(Note(*row) for row in reversed(rows))


def test_former_notes_lose_nothing_to_newer_ones(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes", now)
    save(notes, "new")
    former(tmp_path, [(1, "old", "2026-01-02 03:04")])
    assert search(notes, "*", 5) == (Note(2, "old", "2026-01-02 03:04"), Note(1, "new", CREATED))


@pytest.mark.parametrize("content", [b"", b"garbage" * 300])
def test_a_former_file_that_can_not_be_read_is_kept(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "notes.sqlite3").write_bytes(content)
    notes = Notes(tmp_path / "notes", now)
    assert search(notes, "*", 5) == ()
    assert save(notes, "one").id == 1
    assert (tmp_path / "notes.sqlite3.unreadable").read_bytes() == content


def test_the_tools_read_change_and_delete_notes(ask: Ask) -> None:
    note = {"id": 1, "text": "buy milk", "created": "2026-11-21 14:03"}
    ask("add_note", text="buy milk")
    assert ask("read_note", id=1) == note
    assert ask("edit_note", id=1, text=" buy bread ") == note | {"text": "buy bread"}
    assert ask("search_notes", query="bread")["notes"] == [note | {"text": "buy bread"}]
    assert ask("delete_note", id=1) == {"id": 1, "moved_to": "trash/0001-buy-milk.md"}
    assert "there is no note 1; search_notes finds" in ask("read_note", id=1)["error"]
    assert "the note is empty" in ask("edit_note", id=1, text=" ")["error"]


def test_the_plans_say_what_would_change(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes", lambda: datetime.now(UTC))
    tools: dict[str, Tool] = {tool.name: tool for tool in note_tools(notes)}

    def plan(name: str, **arguments: Any) -> tuple[Change, ...]:
        planned = tools[name].plan
        assert planned is not None
        return tuple(planned(**arguments))

    assert plan("add_note", text=" buy milk ") == (Change("create", "a note", "buy milk"),)
    assert not notes.folder.exists()
    save(notes, "buy milk")
    before = {path.name: path.read_bytes() for path in notes.folder.glob("*.md")}
    assert plan("edit_note", id=1, text="buy bread") == (
        Change("edit", "note 1", "@@ -1 +1 @@\n-buy milk\n+buy bread"),
    )
    assert plan("delete_note", id=1) == (Change("delete", "note 1", "buy milk"),)
    for name in ("edit_note", "delete_note"):
        with pytest.raises(ValueError, match="there is no note 2"):
            plan(name, **{"id": 2, "text": "x"} if name == "edit_note" else {"id": 2})
    assert {path.name: path.read_bytes() for path in notes.folder.glob("*.md")} == before
