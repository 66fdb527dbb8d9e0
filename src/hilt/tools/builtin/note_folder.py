"""The folder of the notes: one user at a time, ids that are never given twice, and the notes of the former file."""

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import tzinfo
from pathlib import Path

from msgspec import structs

from hilt.tools.builtin.note_files import NoteFile, file_name, rendered
from hilt.tools.builtin.note_index import Shelf, file_ids, is_broken
from hilt.tools.builtin.replacing import locked, read_plain, write_new, write_over

_TRASH = "trash"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = ".lock"
_LAST_ID = ".last-id"
_MAX_ID_BYTES = 20
_MAX_ID = 10**16
_FORMER_NOTES = "SELECT id, text, created FROM notes ORDER BY id"


def is_there(folder: Path) -> bool:
    """Whether there can be any notes."""
    return folder.exists() or _former(folder).exists()


@contextmanager
def open_shelf(path: Path, zone: tzinfo | None, *, make: bool = False) -> Generator[Shelf]:
    """The folder, for this call alone: any other, of this process or another one, waits until it is done."""
    if make or _former(path).exists():
        path.mkdir(parents=True, exist_ok=True)
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        with os.fdopen(lock, "rb"), locked(lock):
            os.utime(lock)
            tick_ns = os.fstat(lock).st_ctime_ns
            _take_over(folder, _former(path))
            yield Shelf(path, folder, tick_ns, _last_id(folder), zone)
    finally:
        os.close(folder)


def discard(folder: int, name: str) -> str:
    """Move a note's file to the trash; where it is now, from the folder of the notes."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(_TRASH, dir_fd=folder)
    trash = os.open(_TRASH, _FOLDER, dir_fd=folder)
    try:
        with os.scandir(trash) as entries:
            kept = {entry.name for entry in entries}
        stem = name.removesuffix(".md")
        names = itertools.chain([name], (f"{stem}-{number}.md" for number in itertools.count(2)))
        free = next(each for each in names if each not in kept)
        os.rename(name, free, src_dir_fd=folder, dst_dir_fd=trash)
    finally:
        os.close(trash)
    return f"{_TRASH}/{free}"


def remember_last_id(folder: int, last_id: int) -> None:
    """Write down that ids up to `last_id` are given."""
    content = f"{last_id}\n".encode()
    try:
        write_new(folder, _LAST_ID, content)
    except FileExistsError:
        write_over(folder, _LAST_ID, content, os.stat(_LAST_ID, dir_fd=folder, follow_symlinks=False))


def put_note(folder: int, note: NoteFile) -> None:
    """Write a new note's file, under the first name that is free."""
    content = rendered(note)
    for number in itertools.count(1):
        with contextlib.suppress(FileExistsError):
            write_new(folder, file_name(note.id or 0, note.text, number), content)
            return


def _last_id(folder: int) -> int:
    """The highest id ever given, as far as is known without reading the notes."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        last_id = int(read_plain(folder, _LAST_ID, _MAX_ID_BYTES)[0])
        if 0 <= last_id < _MAX_ID:
            return last_id
    return max([0, *_ids(folder)])


def _ids(folder: int) -> Generator[int]:
    """The ids that stand in the files of all notes, deleted ones included."""
    yield from file_ids(folder)
    try:
        trash = os.open(_TRASH, _FOLDER, dir_fd=folder)
    except OSError:  # there is none
        return
    try:
        yield from file_ids(trash)
    finally:
        os.close(trash)


def _take_over(folder: int, former: Path) -> None:
    """Make files of the notes in the former database, and rename it; one that can't be read is only renamed.

    After a crash it is done again, and notes that have become files already are left alone.
    """
    if not former.exists():
        return
    try:
        with closing(sqlite3.connect(former)) as database:
            database.text_factory = _as_text
            rows = [(int(row[0]), str(row[1]), str(row[2])) for row in database.execute(_FORMER_NOTES)]
    except sqlite3.DatabaseError as fault:
        if not is_broken(fault):
            raise
        former.rename(former.with_name(f"{former.name}.unreadable"))
        return
    last_id = max([_last_id(folder), *(row[0] for row in rows)])
    taken = set(_ids(folder))
    for note_id, text, created in rows:
        note = NoteFile(text, note_id, created)
        if note_id in taken:
            if _holds(folder, note):
                continue
            last_id += 1
            note = structs.replace(note, id=last_id)
        put_note(folder, note)
    if rows:
        remember_last_id(folder, last_id)
    former.rename(former.with_name(f"{former.name}.imported"))


def _as_text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _holds(folder: int, note: NoteFile) -> bool:
    """Whether there is such a file already."""
    content = rendered(note)
    with contextlib.suppress(OSError):
        return read_plain(folder, file_name(note.id or 0, note.text), len(content) + 1)[0] == content
    return False


def _former(folder: Path) -> Path:
    """Where the notes were kept before they were files."""
    return folder.with_name(f"{folder.name}.sqlite3")
