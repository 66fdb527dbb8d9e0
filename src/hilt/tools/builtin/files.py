"""The tools for the files of the workspace folder, and for nothing outside it."""

import codecs
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Struct
from pydantic import Field

from hilt.tools.builtin.confinement import canonical_paths, open_inside, relative_parts
from hilt.tools.builtin.file_changes import (
    FileCreated,
    FileDeleted,
    FileEdited,
    check_plain,
    create,
    delete,
    edit,
    plan_create,
    plan_delete,
    plan_edit,
)
from hilt.tools.builtin.file_search import Matches, search
from hilt.tools.normalising import renamed
from hilt.tools.tool import Tool, tool

EntryKind: TypeAlias = Literal["file", "folder", "link", "other"]

_MAX_ENTRIES = 200
# Below the runtime's cap, so that a long file is cut here, at its end and marked, and not in the middle of its JSON.
_MAX_FILE_BYTES = 12_000
_MAX_SCANNED_BYTES = 100_000_000
_PATH_NAMES = ("file", "filename", "file_name", "file_path", "filepath")
_FOLDER_NAMES = ("folder", "directory", "dir", "folder_path", "directory_path")


class Entry(Struct, frozen=True):
    """One thing in a folder. `size_bytes` is None for what is no plain file."""

    name: str
    kind: EntryKind
    size_bytes: int | None


class Listing(Struct, frozen=True):
    """A folder's entries by name; `omitted` counts those beyond the first 200."""

    path: str
    entries: tuple[Entry, ...]
    omitted: int | msgspec.UnsetType = msgspec.UNSET


class FileText(Struct, frozen=True):
    """A file's text; `truncated` if the file goes on."""

    path: str
    text: str
    truncated: bool


class FilePart(Struct, frozen=True):
    """The lines of a file from `first_line` to `last_line`, counted from 1; `truncated` if the file goes on."""

    path: str
    first_line: int
    last_line: int
    text: str
    truncated: bool


def file_tools(workspace: Path) -> tuple[Tool, ...]:
    """The tools that look at `workspace`, an absolute path, and those that change it."""
    return (*_reading_tools(workspace), *_changing_tools(workspace))


def _reading_tools(workspace: Path) -> tuple[Tool, ...]:
    canonical = canonical_paths(workspace, "path")
    file = renamed(path=_PATH_NAMES)
    folder = renamed(path=_FOLDER_NAMES)

    @tool(
        effect="read",
        aliases=("ls", "list_directory", "list_dir"),
        permission="files:read",
        domain="files",
        keywords=("folder", "directory", "files", "workspace"),
        normalisers=(folder, canonical),
        untrusted=True,
    )
    def list_files(
        path: Annotated[str, Field(description="The folder, relative to the workspace.")] = ".",
    ) -> Listing:
        """List the files and folders in a folder of the workspace."""
        parts = relative_parts(workspace, path or ".")
        with open_inside(workspace, parts) as opened:
            if not stat.S_ISDIR(os.fstat(opened).st_mode):
                raise ValueError(f"{path!r} is a file and not a folder; read_file reads it")
            entries = _entries(opened)
        left_out = len(entries) - _MAX_ENTRIES
        return Listing("/".join(parts) or ".", entries[:_MAX_ENTRIES], left_out if left_out > 0 else msgspec.UNSET)

    @tool(
        effect="read",
        aliases=("file_read", "open_file", "cat"),
        permission="files:read",
        domain="files",
        keywords=("text", "content", "open", "show", "workspace"),
        normalisers=(file, canonical),
        untrusted=True,
    )
    def read_file(
        path: Annotated[str, Field(description="The file, relative to the workspace.")],
    ) -> FileText:
        """Read a text file of the workspace."""
        parts = relative_parts(workspace, path)
        with _open_text(workspace, parts, path) as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        _check_text(content, path)
        truncated = len(content) > _MAX_FILE_BYTES
        return FileText("/".join(parts), _text(content[:_MAX_FILE_BYTES], whole=not truncated), truncated)

    @tool(
        effect="read",
        aliases=("read_lines",),
        permission="files:read",
        domain="files",
        keywords=("lines", "range", "long", "part"),
        examples=(("Show me lines 120 to 160 of server.log", {"path": "server.log", "first_line": 120, "lines": 41}),),
        normalisers=(file, canonical),
        untrusted=True,
    )
    def read_file_part(
        path: Annotated[str, Field(description="The file, relative to the workspace.")],
        first_line: Annotated[int, Field(description="The number of the first line to read, from 1.", ge=1)],
        lines: Annotated[int, Field(description="The most lines to read.", ge=1)] = 200,
    ) -> FilePart:
        """Read some lines of a long text file of the workspace."""
        parts = relative_parts(workspace, path)
        with _open_text(workspace, parts, path) as file:
            return _part(file, "/".join(parts), path, first_line, lines)

    @tool(
        effect="read",
        aliases=("grep", "grep_files", "file_search", "find_in_files"),
        permission="files:read",
        domain="files",
        keywords=("find", "grep", "text", "lines", "occurrences", "workspace"),
        examples=(("Where is the port set in the YAML files?", {"query": "port:", "glob": "*.yaml"}),),
        normalisers=(renamed(path=_FOLDER_NAMES, query=("text", "pattern")), canonical),
        untrusted=True,
    )
    def search_files(
        query: Annotated[str, Field(description="The text to find, word for word, within one line.")],
        path: Annotated[str, Field(description="The folder or file to search, relative to the workspace.")] = ".",
        glob: Annotated[str, Field(description="Search only files with such names, like *.py.")] = "*",
        ignore_case: Annotated[bool, Field(description="Take capitals and small letters for the same.")] = False,
    ) -> Matches:
        """Find the lines that hold a text in the files of the workspace."""
        return search(workspace, query, path or ".", glob, ignore_case=ignore_case)

    return list_files, read_file, read_file_part, search_files


def _changing_tools(workspace: Path) -> tuple[Tool, ...]:
    @tool(
        effect="write",
        aliases=("write_file", "file_create", "new_file"),
        permission="files:write",
        domain="files",
        keywords=("write", "save", "new", "text", "workspace"),
        examples=(("Write 'hello' into greeting.txt", {"path": "greeting.txt", "text": "hello\n"}),),
        normalisers=(
            renamed(path=_PATH_NAMES, text=("content", "contents", "body")),
            canonical_paths(workspace, "path", follow=False),
        ),
        plan=partial(plan_create, workspace),
    )
    def create_file(
        path: Annotated[str, Field(description="The new file, relative to the workspace.")],
        text: Annotated[str, Field(description="The text of the file.")],
    ) -> FileCreated:
        """Create a text file in the workspace. There must be no such file yet."""
        return create(workspace, path, text)

    @tool(
        effect="write",
        aliases=("file_edit", "replace_in_file", "str_replace"),
        permission="files:write",
        domain="files",
        keywords=("change", "replace", "correct", "text", "workspace"),
        examples=(
            (
                "Set the port in config.toml from 80 to 8080",
                {"path": "config.toml", "old_text": "port = 80\n", "new_text": "port = 8080\n"},
            ),
        ),
        normalisers=(
            renamed(
                path=_PATH_NAMES, old_text=("old_str", "old_string", "old"), new_text=("new_str", "new_string", "new")
            ),
            canonical_paths(workspace, "path"),
        ),
        plan=partial(plan_edit, workspace),
    )
    def edit_file(
        path: Annotated[str, Field(description="The file, relative to the workspace.")],
        old_text: Annotated[str, Field(description="The text to replace, exactly as it stands in the file.")],
        new_text: Annotated[str, Field(description="The text to put in its place.")],
        replace_all: Annotated[bool, Field(description="Replace every occurrence and not only one.")] = False,
    ) -> FileEdited:
        """Replace a piece of a text file of the workspace. It must occur once, unless all are to be replaced."""
        return edit(workspace, path, old_text, new_text, replace_all=replace_all)

    @tool(
        effect="destructive",
        aliases=("file_delete", "remove_file", "rm"),
        permission="files:write",
        domain="files",
        keywords=("remove", "erase", "workspace"),
        examples=(("Delete draft.txt", {"path": "draft.txt"}),),
        normalisers=(
            renamed(path=_PATH_NAMES),
            canonical_paths(workspace, "path", follow=False),
        ),
        plan=partial(plan_delete, workspace),
    )
    def delete_file(
        path: Annotated[str, Field(description="The file, relative to the workspace.")],
    ) -> FileDeleted:
        """Delete a file of the workspace."""
        return delete(workspace, path)

    return create_file, edit_file, delete_file


def _entries(folder: int) -> tuple[Entry, ...]:
    found: list[Entry] = []
    with os.scandir(folder) as listed:
        for entry in listed:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # it went away while the folder was read
            kind = _kind(status.st_mode)
            found.append(Entry(_shown(entry.name), kind, status.st_size if kind == "file" else None))
    return tuple(sorted(found, key=lambda entry: entry.name))


def _kind(mode: int) -> EntryKind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def _shown(name: str) -> str:
    """A name as text: bytes of it that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode()


@contextmanager
def _open_text(workspace: Path, parts: tuple[str, ...], path: str) -> Generator[BufferedReader]:
    """A plain file for reading. ValueError if it is anything else."""
    with open_inside(workspace, parts) as opened:
        check_plain(os.fstat(opened), path)
        with open(opened, "rb", closefd=False) as file:
            yield file


def _check_text(content: bytes, path: str) -> None:
    if b"\0" in content:
        raise ValueError(f"{path!r} is a binary file; only text files can be read")


def _part(file: BufferedReader, shown_path: str, path: str, first_line: int, lines: int) -> FilePart:
    """The lines from `first_line` on, read piece by piece, so that a line of any length takes little memory."""
    number, scanned, room = 1, 0, _MAX_FILE_BYTES
    last_line = 0
    kept: list[bytes] = []
    while number < first_line + lines and (piece := file.readline(_MAX_FILE_BYTES)):
        scanned += len(piece)
        if scanned > _MAX_SCANNED_BYTES:
            raise ValueError(f"{path!r} is too long to find its line {first_line}")
        if number >= first_line:
            _check_text(piece, path)
            if len(piece) > room:
                return FilePart(shown_path, first_line, last_line, _text(b"".join(kept), whole=False), truncated=True)
            kept.append(piece)
            room -= len(piece)
            last_line = number
        number += piece.endswith(b"\n")
    if not kept:
        raise ValueError(f"{path!r} has no line {first_line}; it has {number} lines or fewer")
    return FilePart(shown_path, first_line, last_line, _text(b"".join(kept), whole=True), truncated=bool(file.read(1)))


def _text(content: bytes, *, whole: bool) -> str:
    """UTF-8 with faults replaced; where the file goes on, a character cut by the end of `content` is left out."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    return decoder.decode(content, final=whole)
