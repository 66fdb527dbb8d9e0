"""The words of the notes in an SQLite file, so that they are found quickly; it is only a cache of the Markdown files.

Before every use it is compared with the files, which may have been edited by anybody, and what has changed is read
again. A file's times tell that only if the clock of the file system has ticked since it was read, so a file that was
written in the present tick is read again the next time.
"""

import contextlib
import os
import re
import sqlite3
import stat
import unicodedata
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from hilt.tools.builtin.note_files import NoteFile, parsed
from hilt.tools.builtin.replacing import read_plain, stamp

T = TypeVar("T")

INDEX_NAME = ".index.sqlite3"
_VERSION = 1
MAX_FILE_BYTES = 1 << 18
_MAX_QUERY_CHARS = 500
_BUSY_TIMEOUT_S = 5.0
# What SQLite says of a file that is damaged, is none of its own, or has other tables than it should.
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR}

_SCHEMA = (
    "CREATE TABLE notes (name TEXT PRIMARY KEY, stamp TEXT NOT NULL, id INTEGER NOT NULL UNIQUE, text TEXT NOT NULL, "
    "created TEXT NOT NULL)",
    "CREATE VIRTUAL TABLE note_words USING fts5(text, tokenize='unicode61 remove_diacritics 2', prefix='2 3')",
    f"PRAGMA user_version = {_VERSION}",
)
_COLUMNS = "notes.id, notes.text, notes.created, notes.name"
_BY_WORDS = f"""
SELECT {_COLUMNS} FROM note_words JOIN notes ON notes.id = note_words.rowid
WHERE note_words MATCH ? ORDER BY bm25(note_words), notes.id DESC LIMIT ?
"""
_NEWEST = f"SELECT {_COLUMNS} FROM notes ORDER BY id DESC LIMIT ?"
_ONE = f"SELECT {_COLUMNS} FROM notes WHERE id = ?"


class Indexed(Struct, frozen=True):
    """A note as the index knows it, and the name of its file."""

    id: int
    text: str
    created: str
    name: str


class Shelf(Struct, frozen=True):
    """The folder of the notes, locked for this process: its path and an open descriptor of it. `tick_ns` is the time
    of the file system when it was locked, `last_id` the highest id that was ever given, `zone` is the user's."""

    path: Path
    folder: int
    tick_ns: int
    last_id: int
    zone: tzinfo | None


def consulted(shelf: Shelf, question: Callable[[sqlite3.Connection], T]) -> tuple[T, int]:
    """What `question` finds in the index brought up to date, and the highest id given to a note by now.

    An index that is missing, broken or of another version is made anew. Raises sqlite3.Error where it can't be
    written.
    """
    try:
        return _consulted(shelf, question)
    except sqlite3.DatabaseError as fault:
        if not is_broken(fault):
            raise
    _forget(shelf)
    return _consulted(shelf, question)


def file_ids(folder: int) -> Generator[int]:
    """The ids that stand in the files of the open folder."""
    for name in _listed(folder):
        found = _read(folder, name)
        if found is not None and found[0].id is not None:
            yield found[0].id


def newest(database: sqlite3.Connection, limit: int) -> tuple[Indexed, ...]:
    """The notes with the highest ids."""
    return _notes(database, _NEWEST, limit)


def by_id(database: sqlite3.Connection, note_id: int) -> Indexed | None:
    """The note with the id."""
    found = _notes(database, _ONE, note_id)
    return found[0] if found else None


def by_words(database: sqlite3.Connection, query: str, limit: int) -> tuple[Indexed, ...]:
    """The notes that hold words beginning with those of the query: all of them, or, if no note has all, any."""
    words = _quoted_words(query)
    every = _notes(database, _BY_WORDS, " AND ".join(words), limit) if words else ()
    return every or (_notes(database, _BY_WORDS, " OR ".join(words), limit) if len(words) > 1 else ())


def is_broken(fault: sqlite3.DatabaseError) -> bool:
    """Whether the file is at fault, and neither its lock nor the disk."""
    return getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _BROKEN


def _quoted_words(query: str) -> tuple[str, ...]:
    """The words as FTS5 prefix strings; nothing but letters and digits gets through, so nothing of it is syntax."""
    words = re.findall(r"[^\W_]+", _composed(query[:_MAX_QUERY_CHARS]))
    return tuple(f'"{word}"*' for word in dict.fromkeys(words))


def _composed(text: str) -> str:
    """Text whose accents are one character with their letter, as both the index and the query need it."""
    return unicodedata.normalize("NFC", text)


def _notes(database: sqlite3.Connection, statement: str, *values: str | int) -> tuple[Indexed, ...]:
    return tuple(Indexed(*row) for row in database.execute(statement, values))


def _consulted(shelf: Shelf, question: Callable[[sqlite3.Connection], T]) -> tuple[T, int]:
    with _opened(shelf.path / INDEX_NAME) as database:
        if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            _make_tables(database)
        last_id = _update(database, shelf)
        return question(database), last_id


@contextmanager
def _opened(path: Path) -> Generator[sqlite3.Connection]:
    """A connection of this call alone, so that calls may come from any thread."""
    with closing(sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)) as database:
        yield database


@contextmanager
def _transaction(database: sqlite3.Connection) -> Generator[None]:
    """All of it or nothing: closing the connection takes back what wasn't committed."""
    database.execute("BEGIN IMMEDIATE")
    yield
    database.execute("COMMIT")


def _make_tables(database: sqlite3.Connection) -> None:
    with _transaction(database):
        for table in ("notes", "note_words"):
            database.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _SCHEMA:
            database.execute(statement)


def _forget(shelf: Shelf) -> None:
    for ending in ("", "-journal", "-wal", "-shm"):
        (shelf.path / f"{INDEX_NAME}{ending}").unlink(missing_ok=True)


def _update(database: sqlite3.Connection, shelf: Shelf) -> int:
    """Read what has changed since the last time; the highest id that any note has or had."""
    known = {name: (mark, note_id) for name, mark, note_id in database.execute("SELECT name, stamp, id FROM notes")}
    listed = _listed(shelf.folder)
    changed = {name for name, mark in listed.items() if known.get(name, ("", 0))[0] != mark}
    stale = [name for name in known if name not in listed or name in changed]
    last_id = max([shelf.last_id, *(note_id for _, note_id in known.values())])
    if not changed and not stale:
        return last_id
    read = {name: found for name in sorted(changed) if (found := _read(shelf.folder, name)) is not None}
    taken = {note_id for name, (_, note_id) in known.items() if name in listed and name not in changed}
    last_id = max([last_id, *(note.id or 0 for note, _ in read.values())])
    # A file that had its id before keeps it, whatever a copy of the file says.
    first = sorted(read, key=lambda name: (known.get(name, ("", 0))[1] != read[name][0].id, name))
    with _transaction(database):
        for name in stale:
            database.execute("DELETE FROM note_words WHERE rowid = ?", (known[name][1],))
            database.execute("DELETE FROM notes WHERE name = ?", (name,))
        for name in first:
            note, status = read[name]
            wanted = (note.id, known.get(name, ("", 0))[1])
            note_id = next((each for each in wanted if each and each not in taken), 0)
            if not note_id:
                last_id += 1
                note_id = last_id
            taken.add(note_id)
            created = note.created or f"{datetime.fromtimestamp(status.st_mtime, shelf.zone):%Y-%m-%d %H:%M}"
            mark = _mark(status, shelf.tick_ns)
            database.execute("INSERT INTO notes VALUES (?, ?, ?, ?, ?)", (name, mark, note_id, note.text, created))
            database.execute("INSERT INTO note_words (rowid, text) VALUES (?, ?)", (note_id, _composed(note.text)))
    return last_id


def _listed(folder: int) -> dict[str, str]:
    """The stamp of each note's file: a plain Markdown file that is neither hidden, empty nor huge."""
    found: dict[str, str] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError, UnicodeEncodeError):  # gone meanwhile; a name that is no text
                entry.name.encode()
                status = entry.stat(follow_symlinks=False)
                if entry.name.endswith(".md") and not entry.name.startswith(".") and _is_note(status):
                    found[entry.name] = repr(stamp(status))
    return found


def _is_note(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and 0 < status.st_size <= MAX_FILE_BYTES


def _read(folder: int, name: str) -> tuple[NoteFile, os.stat_result] | None:
    """The note and the status of its file; None if it can't be read."""
    try:
        content, status = read_plain(folder, name, MAX_FILE_BYTES)
    except OSError:
        return None
    return (parsed(content), status) if _is_note(status) else None


def _mark(status: os.stat_result, tick_ns: int) -> str:
    """The stamp, or "" if the file could still change without getting another one."""
    return repr(stamp(status)) if max(status.st_mtime_ns, status.st_ctime_ns) < tick_ns else ""
