"""Notes are kept, found by their words, and never found by the syntax of a query language."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.tools.builtin.notes import Note, Notes, save, search

Ask = Callable[..., dict[str, Any]]

TEXTS = (
    "buy milk",
    "milk, eggs and bread for Saturday",
    "Café opens at 8 – résumé for Anna",
    "the passport is in the blue drawer",
    "milk milk milk",
)


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Notes:
    notes = Notes(tmp_path_factory.mktemp("notes") / "notes", lambda: datetime(2026, 11, 21, 14, 3))
    for text in TEXTS:
        save(notes, text)
    return notes


def test_a_note_is_saved_and_found(ask: Ask) -> None:
    note = {"id": 1, "text": "buy milk", "created": "2026-11-21 14:03"}
    assert ask("add_note", text=" buy milk\n") == note
    assert ask("search_notes", query="milk") == {"query": "milk", "notes": [note]}
    assert ask("add_note", text="more")["id"] == 2


def test_looking_makes_no_file(ask: Ask, tmp_path: Path) -> None:
    assert ask("search_notes", query="milk")["notes"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("passport", [4]),
        ("PASSPORT", [4]),
        ("pass", [4]),
        ("port", []),
        ("cafe", [3]),
        ("CAFÉ", [3]),
        ("re\u0301sume\u0301", [3]),
        ("milk", [5, 1, 2]),
        ("milk eggs", [2]),
        ("milk passport", [4, 5, 1, 2]),
        ("blue-drawer", [4]),
        ("", [5, 4, 3, 2, 1]),
        (" * ", [5, 4, 3, 2, 1]),
        ("🙂", []),
        ("unheard", []),
    ],
)
def test_search(query: str, found: list[int], notes: Notes) -> None:
    assert [note.id for note in search(notes, query, 10)] == found


@pytest.mark.parametrize(
    "query",
    [
        '"',
        '"milk',
        "text:milk",
        "NEAR(milk eggs, 1)",
        "milk NOT bread",
        "milk OR passport",
        "{text} : milk",
        "^milk",
        "milk + eggs",
        "milk' OR 1=1 --",
        "milk\0eggs",
        "-milk",
        "(",
        "*milk",
    ],
)
def test_syntax_of_a_query_is_only_words(query: str, notes: Notes) -> None:
    words = [word for word in ("milk", "eggs", "text", "near", "not", "or", "passport", "1") if word in query.lower()]
    assert all(any(word in note.text.lower() for word in words) for note in search(notes, query, 10))


@settings(deadline=None)
@given(query=st.text(max_size=60), limit=st.integers(1, 100))
def test_no_query_breaks_the_search(query: str, limit: int, notes: Notes) -> None:
    found = search(notes, query, limit)
    assert len(found) <= limit
    assert all(isinstance(note, Note) and note.text in TEXTS for note in found)


# SQLite's own table of letters is of Unicode 6.1, so the law holds for the letters that were there then.
LETTERS = st.characters(max_codepoint=0x24F, categories=["L", "N"]) | st.sampled_from("жЩαΩ日本語\uf91e\u0301")


@settings(deadline=None)
@given(text=st.text(LETTERS, min_size=1, max_size=20).filter(lambda text: text != "\u0301" * len(text)))
def test_a_note_is_found_by_its_own_word(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    notes = Notes(tmp_path_factory.mktemp("one") / "notes", lambda: datetime(2026, 1, 1))
    note = save(notes, text)
    assert search(notes, text, 5) == (note,)


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (5, 5), (50, 50), (1000, 50)])
def test_the_limit_is_kept(limit: int, count: int, tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes", lambda: datetime(2026, 1, 1))
    for number in range(55):
        save(notes, f"note {number}")
    assert len(search(notes, "note", limit)) == count
    assert len(search(notes, "*", limit)) == count


@pytest.mark.parametrize(("text", "error"), [(" \n", "the note is empty"), ("x" * 20_001, "longer than 20000")])
def test_a_bad_note_is_refused(text: str, error: str, ask: Ask) -> None:
    assert error in ask("add_note", text=text)["error"]


def test_notes_are_saved_from_many_threads_at_once(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "new" / "notes", lambda: datetime(2026, 1, 1))
    with ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(lambda number: save(notes, f"note {number}"), range(24)))
    assert sorted(note.id for note in saved) == list(range(1, 25))
    assert len(search(notes, "note", 50)) == 24
