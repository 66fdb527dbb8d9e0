"""Notes in one SQLite file, found again by their words."""

import re
import sqlite3
import unicodedata
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

from msgspec import Struct
from pydantic import Field

from hilt.tools.tool import Tool, tool

_MAX_NOTE_CHARS = 20_000
_MAX_QUERY_CHARS = 500
_MAX_FOUND = 50
_BUSY_TIMEOUT_S = 5.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, created TEXT NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS note_words USING fts5(
    text, tokenize='unicode61 remove_diacritics 2', prefix='2 3'
);
"""
_BY_WORDS = """
SELECT notes.id, notes.text, notes.created FROM note_words JOIN notes ON notes.id = note_words.rowid
WHERE note_words MATCH ? ORDER BY bm25(note_words), notes.id DESC LIMIT ?
"""
_NEWEST = "SELECT id, text, created FROM notes ORDER BY id DESC LIMIT ?"


class Note(Struct, frozen=True):
    """A saved note; `created` is local time to the minute."""

    id: int
    text: str
    created: str


class Found(Struct, frozen=True):
    """What a search found, best first."""

    query: str
    notes: tuple[Note, ...]


class Notes(Struct, frozen=True):
    """Where the notes are kept, and the clock that dates them. The file is made when the first note is saved."""

    path: Path
    now: Callable[[], datetime]


def note_tools(notes: Notes) -> tuple[Tool, ...]:
    """The tools that save and find notes."""

    @tool(effect="write")
    def add_note(text: Annotated[str, Field(description="The text of the note.")]) -> Note:
        """Save a note."""
        return save(notes, text)

    @tool(effect="read")
    def search_notes(
        query: Annotated[str, Field(description="Words to look for.")],
        limit: Annotated[int, Field(description="The most notes to return.")] = 5,
    ) -> Found:
        """Search the saved notes."""
        return Found(query, search(notes, query, limit))

    return add_note, search_notes


def save(notes: Notes, text: str) -> Note:
    """Save a note. ValueError if it is empty or longer than 20,000 characters."""
    text = text.strip()
    if not text:
        raise ValueError("the note is empty")
    if len(text) > _MAX_NOTE_CHARS:
        raise ValueError(f"the note is longer than {_MAX_NOTE_CHARS} characters; save it in parts")
    created = f"{notes.now():%Y-%m-%d %H:%M}"
    notes.path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(notes.path) as database:
        # One writer at a time from the start: a lock taken later could meet another's and fail at once.
        database.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";\n"):
            database.execute(statement)
        row = database.execute(
            "INSERT INTO notes (text, created) VALUES (?, ?) RETURNING id", (text, created)
        ).fetchone()
        database.execute("INSERT INTO note_words (rowid, text) VALUES (?, ?)", (row[0], _composed(text)))
        database.execute("COMMIT")
    return Note(row[0], text, created)


def search(notes: Notes, query: str, limit: int) -> tuple[Note, ...]:
    """The notes that hold words beginning with those of the query: all of them, or, if no note has all, any.

    The query "*" and the empty one find the newest notes. At most 50 are found; ValueError if `limit` is under 1.
    """
    if limit < 1:
        raise ValueError("limit must be at least 1")
    if not notes.path.exists():
        return ()
    limit = min(limit, _MAX_FOUND)
    with _opened(notes.path) as database:
        if query.strip() in ("", "*"):
            return _notes(database, _NEWEST, limit)
        words = _quoted_words(query)
        every = _notes(database, _BY_WORDS, " AND ".join(words), limit) if words else ()
        return every or (_notes(database, _BY_WORDS, " OR ".join(words), limit) if len(words) > 1 else ())


def _quoted_words(query: str) -> tuple[str, ...]:
    """The words as FTS5 prefix strings; nothing but letters and digits gets through, so nothing of it is syntax."""
    words = re.findall(r"[^\W_]+", _composed(query[:_MAX_QUERY_CHARS]))
    return tuple(f'"{word}"*' for word in dict.fromkeys(words))


def _composed(text: str) -> str:
    """Text whose accents are one character with their letter, as both the index and the query need it."""
    return unicodedata.normalize("NFC", text)


def _notes(database: sqlite3.Connection, statement: str, *values: str | int) -> tuple[Note, ...]:
    return tuple(Note(*row) for row in database.execute(statement, values))


@contextmanager
def _opened(path: Path) -> Generator[sqlite3.Connection]:
    """A connection of this call alone, so that calls may come from any thread."""
    with closing(sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)) as database:
        yield database
