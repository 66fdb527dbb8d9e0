"""The user's own files of calendars and cards: read afresh each time, changed by one writer at a time and as a whole.

Other programs may write them meanwhile. What is read is what lies there now; what is written replaces a file only if
it still is as it was read.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from hilt.tools.builtin.replacing import locked, read_plain, same_file, write_new, write_over

MAX_FILE_BYTES = 64 << 20
MAX_TOTAL_BYTES = 256 << 20
MAX_FILES = 20_000
_MAX_DEPTH = 3
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Content(Struct, frozen=True):
    """One file as it was read: its path from the folder of all, its bytes, and what it was then."""

    name: str
    content: bytes
    status: os.stat_result


class Shelf(Struct, frozen=True):
    """One file, or a folder of files whose names end with `ending`; neither needs to exist."""

    path: Path
    ending: str
    own_name: str

    @property
    def is_folder(self) -> bool:
        """Whether files lie in a folder; a path that is not there yet is one unless it is named like a file."""
        mode = _mode(self.path)
        return stat.S_ISDIR(mode) if mode else self.path.suffix.lower() != self.ending


def is_empty(shelf: Shelf) -> bool:
    """Whether there is no file to read."""
    return next(_names(shelf), None) is None


def contents(shelf: Shelf, complain: Callable[[str], None]) -> Iterator[Content]:
    """All files, by name. `complain` is told, in a sentence, of each that can't be read; no link is followed."""
    left_bytes = MAX_TOTAL_BYTES
    for number, name in enumerate(sorted(_names(shelf))):
        if number >= MAX_FILES or left_bytes <= 0:
            complain(f"there is more in {shelf.path.name} than can be read: {name} and what follows was left out")
            return
        try:
            found = read_one(shelf, name)
        except (OSError, ValueError) as fault:
            complain(f"{name} can't be read: {fault.strerror if isinstance(fault, OSError) else fault}")
            continue
        left_bytes -= len(found.content)
        yield found


def read_one(shelf: Shelf, name: str) -> Content:
    """One file. Raises OSError if it can't be opened, ValueError if it is no plain file or too large."""
    with _folder_of(shelf, name) as (folder, last):
        if not stat.S_ISREG(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode):
            raise ValueError("it is no plain file")
        content, status = read_plain(folder, last, MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"it is larger than {MAX_FILE_BYTES >> 20} MiB")
    return Content(name, content, status)


@contextmanager
def writing(shelf: Shelf) -> Generator[None]:
    """Only this writer, among all of Hilt's, until the block is left. Makes the folder if there is none."""
    folder = shelf.path if shelf.is_folder else shelf.path.parent
    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, _FOLDER)
    try:
        with locked(opened):
            yield
    finally:
        os.close(opened)


def put(shelf: Shelf, name: str, content: bytes, old: Content | None) -> None:
    """Write a file, which is new or was `old` when it was read.

    Raises ValueError if somebody else has written it meanwhile, OSError where it can't be written; then nothing is
    changed.
    """
    with _folder_of(shelf, name) as (folder, last):
        if old is not None:
            write_over(folder, last, content, old.status)
            return
        try:
            write_new(folder, last, content)
        except FileExistsError:
            raise ValueError(f"{name!r} was made by somebody else meanwhile; try again") from None


def remove(shelf: Shelf, old: Content) -> None:
    """Take a file away. Raises ValueError if somebody else has written it since it was read."""
    with _folder_of(shelf, old.name) as (folder, last):
        if not same_file(os.stat(last, dir_fd=folder, follow_symlinks=False), old.status):
            raise ValueError(f"{old.name!r} was changed by somebody else meanwhile; try again")
        os.unlink(last, dir_fd=folder)


def _mode(path: Path) -> int:
    """What kind of thing there is; 0 for nothing, and for what may not be looked at."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _names(shelf: Shelf) -> Iterator[str]:
    """The paths of the files from the folder, or the name of the one file."""
    if not shelf.is_folder:
        if _mode(shelf.path):
            yield shelf.path.name
        return
    if _mode(shelf.path):
        yield from _below(shelf, shelf.path, "", _MAX_DEPTH)


def _below(shelf: Shelf, folder: Path, before: str, depth: int) -> Iterator[str]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_file(follow_symlinks=False) and entry.name.lower().endswith(shelf.ending):
                yield before + entry.name
            elif depth > 1 and entry.is_dir(follow_symlinks=False):
                yield from _below(shelf, folder / entry.name, f"{before}{entry.name}/", depth - 1)


@contextmanager
def _folder_of(shelf: Shelf, name: str) -> Generator[tuple[int, str]]:
    """The open folder that holds the file, and its name there. A folder inside the shelf may be no link."""
    if shelf.is_folder:
        *inner, last = name.split("/")
        opened = os.open(shelf.path, _FOLDER)
    else:
        # The one file may be a link, if the user has made it one.
        real = Path(os.path.realpath(shelf.path))
        inner, last = [], real.name
        opened = os.open(real.parent, _FOLDER)
    try:
        for each in inner:
            below = os.open(each, _FOLDER | os.O_NOFOLLOW, dir_fd=opened)
            os.close(opened)
            opened = below
        yield opened, last
    finally:
        os.close(opened)
