"""Notes as Markdown files in a folder, found again by their words."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

from msgspec import Struct, structs
from pydantic import Field

from hilt.tools.builtin.note_files import NoteFile, parsed, rendered
from hilt.tools.builtin.note_folder import discard, is_there, open_shelf, put_note, remember_last_id
from hilt.tools.builtin.note_index import MAX_FILE_BYTES, Indexed, Shelf, by_id, by_words, consulted, newest
from hilt.tools.builtin.replacing import read_plain, write_over
from hilt.tools.builtin.text_edits import short_diff
from hilt.tools.normalising import renamed
from hilt.tools.tool import Change, Tool, tool

T = TypeVar("T")

_MAX_NOTE_CHARS = 20_000
_MAX_FOUND = 50
_MAX_SHOWN_CHARS = 500


class Note(Struct, frozen=True):
    """A saved note; `created` is local time to the minute."""

    id: int
    text: str
    created: str


class Found(Struct, frozen=True):
    """What a search found, best first."""

    query: str
    notes: tuple[Note, ...]


class NoteDeleted(Struct, frozen=True):
    """A note that is no more; its file is kept as `moved_to`, from the folder of the notes."""

    id: int
    moved_to: str


class Notes(Struct, frozen=True):
    """Where the notes are kept, and the clock that dates them, an aware datetime. The folder is made when the first
    note is saved; notes of the file `<folder>.sqlite3`, where they were kept before, are taken over once."""

    folder: Path
    now: Callable[[], datetime]


def note_tools(notes: Notes) -> tuple[Tool, ...]:
    """The tools that save, find, read, change and delete notes."""
    return (*_keeping_tools(notes), *_changing_tools(notes))


def _keeping_tools(notes: Notes) -> tuple[Tool, ...]:
    def add_plan(text: str) -> tuple[Change, ...]:
        return (Change("create", "a note", _shortened(_checked(text))),)

    @tool(
        effect="write",
        aliases=("notes_create", "create_note", "save_note", "petalNotesTool"),
        permission="notes:write",
        domain="notes",
        keywords=("remember", "write down", "memo", "save"),
        normalisers=(renamed(text=("content", "note", "body")),),
        plan=add_plan,
    )
    def add_note(text: Annotated[str, Field(description="The text of the note.")]) -> Note:
        """Save a note."""
        return save(notes, text)

    @tool(
        effect="read",
        aliases=("find_notes", "notes_search"),
        permission="notes:read",
        domain="notes",
        keywords=("remember", "find", "memo", "look up"),
        normalisers=(renamed(query=("text", "keywords", "words")),),
        untrusted=True,
    )
    def search_notes(
        query: Annotated[str, Field(description="Words to look for.")],
        limit: Annotated[int, Field(description="The most notes to return.")] = 5,
    ) -> Found:
        """Search the saved notes."""
        return Found(query, search(notes, query, limit))

    @tool(
        effect="read",
        aliases=("get_note", "show_note", "notes_read"),
        permission="notes:read",
        domain="notes",
        keywords=("memo", "show", "whole"),
        examples=(("Show me note 12", {"id": 12}),),
        normalisers=(renamed(id=("note_id", "number")),),
        untrusted=True,
    )
    def read_note(id: Annotated[int, Field(description="The number of the note.")]) -> Note:
        """Read one saved note."""
        return read(notes, id)

    return add_note, search_notes, read_note


def _changing_tools(notes: Notes) -> tuple[Tool, ...]:
    def edit_plan(id: int, text: str) -> tuple[Change, ...]:
        return (Change("edit", f"note {id}", short_diff(read(notes, id).text, _checked(text))),)

    def delete_plan(id: int) -> tuple[Change, ...]:
        return (Change("delete", f"note {id}", _shortened(read(notes, id).text)),)

    @tool(
        effect="write",
        aliases=("update_note", "change_note", "notes_edit"),
        permission="notes:write",
        domain="notes",
        keywords=("memo", "change", "correct", "update"),
        examples=(("Change note 12 to: dentist at 9", {"id": 12, "text": "dentist at 9"}),),
        normalisers=(renamed(id=("note_id", "number"), text=("content", "note", "body")),),
        plan=edit_plan,
    )
    def edit_note(
        id: Annotated[int, Field(description="The number of the note.")],
        text: Annotated[str, Field(description="The whole new text of the note.")],
    ) -> Note:
        """Replace the text of a saved note."""
        return edit(notes, id, text)

    @tool(
        effect="destructive",
        aliases=("remove_note", "notes_delete"),
        permission="notes:write",
        domain="notes",
        keywords=("memo", "remove", "forget"),
        examples=(("Delete note 12", {"id": 12}),),
        normalisers=(renamed(id=("note_id", "number")),),
        plan=delete_plan,
    )
    def delete_note(id: Annotated[int, Field(description="The number of the note.")]) -> NoteDeleted:
        """Delete a saved note."""
        return delete(notes, id)

    return edit_note, delete_note


def save(notes: Notes, text: str) -> Note:
    """Save a note. ValueError if it is empty or longer than 20,000 characters."""
    text = _checked(text)
    moment = notes.now()
    created = f"{moment:%Y-%m-%d %H:%M}"
    with open_shelf(notes.folder, moment.tzinfo, make=True) as shelf:
        note_id = _consult(shelf, lambda _: 0, taking=1)[1]
        put_note(shelf.folder, NoteFile(text, note_id, created))
    return Note(note_id, text, created)


def search(notes: Notes, query: str, limit: int) -> tuple[Note, ...]:
    """The notes that hold words beginning with those of the query: all of them, or, if no note has all, any.

    The query "*" and the empty one find the newest notes. At most 50 are found, and of those written by hand at most
    20,000 characters are shown; ValueError if `limit` is under 1.
    """
    if limit < 1:
        raise ValueError("limit must be at least 1")
    most = min(limit, _MAX_FOUND)
    if not is_there(notes.folder):
        return ()
    with _shelf(notes) as shelf:
        if query.strip() in ("", "*"):
            found, _ = _consult(shelf, lambda database: newest(database, most))
        else:
            found, _ = _consult(shelf, lambda database: by_words(database, query, most))
    return tuple(Note(each.id, _shortened(each.text, _MAX_NOTE_CHARS), each.created) for each in found)


def read(notes: Notes, note_id: int) -> Note:
    """The note with the id; ValueError if there is none."""
    if not is_there(notes.folder):
        raise _no_note(note_id)
    with _shelf(notes) as shelf:
        return _note(_indexed(shelf, note_id))


def edit(notes: Notes, note_id: int, text: str) -> Note:
    """Give a note another text; the name of its file and its date stay. ValueError as `save` and `read` say."""
    text = _checked(text)
    if not is_there(notes.folder):
        raise _no_note(note_id)
    with _shelf(notes) as shelf:
        found = _indexed(shelf, note_id)
        content, status = read_plain(shelf.folder, found.name, MAX_FILE_BYTES)
        after = structs.replace(parsed(content), text=text, id=note_id, created=found.created)
        write_over(shelf.folder, found.name, rendered(after), status)
    return Note(note_id, text, found.created)


def delete(notes: Notes, note_id: int) -> NoteDeleted:
    """Move a note's file to the folder `trash`; ValueError if there is none."""
    if not is_there(notes.folder):
        raise _no_note(note_id)
    with _shelf(notes) as shelf:
        found = _indexed(shelf, note_id)
        moved_to = discard(shelf.folder, found.name)
    return NoteDeleted(note_id, moved_to)


def _shelf(notes: Notes) -> AbstractContextManager[Shelf]:
    return open_shelf(notes.folder, notes.now().tzinfo)


def _checked(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError("the note is empty")
    if len(text) > _MAX_NOTE_CHARS:
        raise ValueError(f"the note is longer than {_MAX_NOTE_CHARS} characters; save it in parts")
    return text


def _shortened(text: str, most: int = _MAX_SHOWN_CHARS) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _note(found: Indexed) -> Note:
    return Note(found.id, found.text, found.created)


def _no_note(note_id: int) -> ValueError:
    return ValueError(f"there is no note {note_id}; search_notes finds the notes with their numbers")


def _indexed(shelf: Shelf, note_id: int) -> Indexed:
    if not 0 < note_id < 1 << 63:  # what SQLite can compare
        raise _no_note(note_id)
    found, _ = _consult(shelf, lambda database: by_id(database, note_id))
    if found is None:
        raise _no_note(note_id)
    return found


def _consult(shelf: Shelf, question: Callable[[sqlite3.Connection], T], *, taking: int = 0) -> tuple[T, int]:
    """What the index answers, and the highest id with `taking` new ones. It is written down before any of them is
    used, so that no crash lets an id be given twice."""
    answer, last_id = consulted(shelf, question)
    if last_id + taking > shelf.last_id:
        remember_last_id(shelf.folder, last_id + taking)
    return answer, last_id + taking
