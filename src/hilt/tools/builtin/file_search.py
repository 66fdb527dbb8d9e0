"""Finding the lines of the workspace's files that hold a piece of text, with bounded work and a bounded answer."""

import codecs
import contextlib
import fnmatch
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from hilt.tools.builtin.confinement import open_inside, relative_parts

_MAX_QUERY_CHARS = 500
_MAX_GLOB_CHARS = 200
_MAX_MATCHES = 100
_MAX_SHOWN_CHARS = 200
# All lines together stay below the runtime's cap, so that the answer isn't cut in the middle of its JSON.
_MAX_ANSWER_CHARS = 8_000
_MAX_FILE_BYTES = 2_000_000
_MAX_ALL_BYTES = 200_000_000
_MAX_FILES = 20_000
_MAX_ENTRIES = 200_000
_MAX_DEPTH = 40
_SKIPPED_FOLDERS = {"node_modules", "__pycache__"}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Match(Struct, frozen=True):
    """A line that holds what was looked for; `place` is the path and the number of the line: "src/main.py:12"."""

    place: str
    text: str


class Matches(Struct, frozen=True):
    """What a search found, in the order of the paths. `searched` and `skipped` count files; binary and very large ones
    are skipped. `complete` is False where the search stopped at a limit."""

    query: str
    path: str
    matches: tuple[Match, ...]
    searched: int
    skipped: int
    complete: bool


class _Limit(Exception):
    """The search has done enough."""


class _Search:
    """One search on its way: what it found and how much it did."""

    def __init__(self, query: str, glob: str, *, ignore_case: bool) -> None:
        self.matches: list[Match] = []
        self.searched = 0
        self.skipped = 0
        self._query = query.casefold() if ignore_case else query
        self._glob = glob
        self._ignore_case = ignore_case
        self._chars_left = _MAX_ANSWER_CHARS
        self._bytes_left = _MAX_ALL_BYTES
        self._entries_left = _MAX_ENTRIES

    def folder(self, opened: int, path: str, depth: int = 0) -> None:
        """Search a folder and those in it: hidden ones not, and no links."""
        for name, is_folder in self._listed(opened):
            below = f"{path}/{name}" if path else name
            if is_folder:
                if name.startswith(".") or name in _SKIPPED_FOLDERS:
                    continue
                if depth == _MAX_DEPTH:
                    raise _Limit
                with _opened(name, _FOLDER, opened) as inner:
                    if inner is not None:
                        self.folder(inner, below, depth + 1)
            elif fnmatch.fnmatchcase(below if "/" in self._glob else name, self._glob):
                with _opened(name, _FILE, opened) as inner:
                    self.file(inner, below)

    def file(self, opened: int | None, path: str) -> None:
        """Search an open file; None is one that can't be opened."""
        if self.searched + self.skipped == _MAX_FILES:
            raise _Limit
        text = None if opened is None else self._text(opened)
        if text is None:
            self.skipped += 1
            return
        self.searched += 1
        if self._query not in self._compared(text):
            return
        for number, line in enumerate(text.split("\n"), 1):
            place = self._compared(line).find(self._query)
            if place >= 0:
                self._found(Match(f"{_shown(path)}:{number}", _around(line.rstrip("\r"), place)))

    def _listed(self, folder: int) -> list[tuple[str, bool]]:
        found: list[tuple[str, bool]] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                self._entries_left -= 1
                if self._entries_left < 0:
                    raise _Limit
                with contextlib.suppress(OSError):  # it went away meanwhile
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if is_folder or entry.is_file(follow_symlinks=False):
                        found.append((entry.name, is_folder))
        return sorted(found)

    def _found(self, match: Match) -> None:
        self._chars_left -= len(match.place) + len(match.text)
        if self._chars_left < 0 or len(self.matches) == _MAX_MATCHES:
            raise _Limit
        self.matches.append(match)

    def _text(self, opened: int) -> str | None:
        """The file's text; None if it is none, too large, or may lie outside by another name."""
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or status.st_size > _MAX_FILE_BYTES:
            return None
        with open(opened, "rb", closefd=False, buffering=0) as file:
            content = file.read(_MAX_FILE_BYTES) or b""
        self._bytes_left -= len(content)
        if self._bytes_left < 0:
            raise _Limit
        if b"\0" in content:
            return None
        return content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")

    def _compared(self, text: str) -> str:
        return text.casefold() if self._ignore_case else text


def search(workspace: Path, query: str, path: str, glob: str, *, ignore_case: bool) -> Matches:
    """The lines that hold `query`, word for word, in the file at `path` or in the files below it whose names fit
    `glob`; a glob with a slash is held against the whole path. ValueError for a query or path that can't be used."""
    if not query or "\n" in query or len(query) > _MAX_QUERY_CHARS:
        raise ValueError(f"query is to be a piece of one line, of 1 to {_MAX_QUERY_CHARS} characters")
    if not glob or len(glob) > _MAX_GLOB_CHARS:
        raise ValueError(f"glob needs 1 to {_MAX_GLOB_CHARS} characters, such as *.md")
    parts = relative_parts(workspace, path)
    found = _Search(query, glob, ignore_case=ignore_case)
    complete = True
    with open_inside(workspace, parts) as opened:
        try:
            if stat.S_ISDIR(os.fstat(opened).st_mode):
                found.folder(opened, "/".join(parts))
            else:
                found.file(opened, "/".join(parts))
        except _Limit:
            complete = False
    return Matches(query, _shown("/".join(parts) or "."), tuple(found.matches), found.searched, found.skipped, complete)


@contextmanager
def _opened(name: str, flags: int, folder: int) -> Generator[int | None]:
    try:
        opened = os.open(name, flags, dir_fd=folder)
    except OSError:  # no longer there, or not for us
        yield None
        return
    try:
        yield opened
    finally:
        os.close(opened)


def _around(line: str, place: int) -> str:
    """The line, or the piece of a long one around the place."""
    if len(line) <= _MAX_SHOWN_CHARS:
        return line
    start = max(0, min(place - _MAX_SHOWN_CHARS // 4, len(line) - _MAX_SHOWN_CHARS))
    end = start + _MAX_SHOWN_CHARS
    return f"{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}"


def _shown(path: str) -> str:
    return path.encode("utf-8", "replace").decode()
