"""Looking at the files of the workspace folder, and at nothing outside it."""

import codecs
import os
import stat
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Struct
from pydantic import Field

from hilt.tools.builtin.confinement import open_inside, relative_parts
from hilt.tools.tool import Tool, tool

EntryKind: TypeAlias = Literal["file", "folder", "link", "other"]

_MAX_ENTRIES = 200
# Below the runtime's cap, so that a long file is cut here, at its end and marked, and not in the middle of its JSON.
_MAX_FILE_BYTES = 12_000


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


def file_tools(workspace: Path) -> tuple[Tool, ...]:
    """The tools that look at `workspace`, an absolute path."""

    @tool(effect="read")
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

    @tool(effect="read")
    def read_file(
        path: Annotated[str, Field(description="The file, relative to the workspace.")],
    ) -> FileText:
        """Read a text file of the workspace."""
        parts = relative_parts(workspace, path)
        with open_inside(workspace, parts) as opened:
            mode = os.fstat(opened).st_mode
            if stat.S_ISDIR(mode):
                raise ValueError(f"{path!r} is a folder; list_files shows what is in it")
            if not stat.S_ISREG(mode):
                raise ValueError(f"{path!r} is a device or a pipe and can't be read")
            content = _content(opened)
        if b"\0" in content:
            raise ValueError(f"{path!r} is a binary file; only text files can be read")
        truncated = len(content) > _MAX_FILE_BYTES
        return FileText("/".join(parts), _text(content[:_MAX_FILE_BYTES], whole=not truncated), truncated)

    return list_files, read_file


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


def _content(file: int) -> bytes:
    """The file's bytes, one more than are shown so that a longer file is known."""
    pieces: list[bytes] = []
    wanted = _MAX_FILE_BYTES + 1
    while wanted > 0 and (piece := os.read(file, wanted)):
        pieces.append(piece)
        wanted -= len(piece)
    return b"".join(pieces)


def _text(content: bytes, *, whole: bool) -> str:
    """UTF-8 with faults replaced; where the file goes on, a character cut by the end of `content` is left out."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    return decoder.decode(content, final=whole)
