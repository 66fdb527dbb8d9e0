"""Writing a file so that whoever reads it, even after a crash, finds the old text or the new one and never a half.

The new text goes to a file beside the old one, is brought to the disk, and takes the old one's name. Everything is
named relative to an open folder, and no link is followed. A new file is reserved under its name first, empty, so that
nothing is written over.
"""

import contextlib
import fcntl
import itertools
import os
import stat
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def locked(opened: int) -> Generator[None]:
    """Only one holder at a time, among all threads and processes, of the file or folder behind the descriptor; each
    must have opened it by itself. The lock ends with its process."""
    with contextlib.suppress(OSError):  # some network file systems have no locks; there the writers go unguarded
        fcntl.flock(opened, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(opened, fcntl.LOCK_UN)


def read_plain(folder: int, name: str, max_bytes: int) -> tuple[bytes, os.stat_result]:
    """The first `max_bytes` bytes of a file in the open folder, and its status. Raises OSError if it can't be opened,
    because it is a link for instance."""
    with os.fdopen(os.open(name, _READ, dir_fd=folder), "rb") as file:
        return file.read(max_bytes), os.fstat(file.fileno())


def write_new(folder: int, name: str, content: bytes) -> None:
    """Make the file `name` in the open folder. Raises FileExistsError if there is anything of that name, a link
    included, and OSError where it can't be written; then there is no such file."""
    reserved = os.open(name, _NEW, 0o666, dir_fd=folder)
    try:
        status = os.fstat(reserved)
    finally:
        os.close(reserved)
    with ExitStack() as undo:
        undo.callback(_remove_if_same, folder, name, status)
        write_over(folder, name, content, status)
        undo.pop_all()


def write_over(folder: int, name: str, content: bytes, old: os.stat_result) -> None:
    """Put `content` in the place of the plain file `name`, which had the status `old` when it was read; its
    permissions and owner stay.

    Raises ValueError if it isn't as it was any more, OSError where it can't be written; then nothing is changed.
    """
    with ExitStack() as undo:
        temporary, opened = _temporary(folder)
        undo.callback(_remove, folder, temporary)
        with contextlib.closing(os.fdopen(opened, "wb", buffering=0)) as file:
            _write_all(opened, content)
            with contextlib.suppress(PermissionError):  # only root may give a file to somebody else
                os.fchown(opened, old.st_uid, old.st_gid)
            os.fchmod(opened, stat.S_IMODE(old.st_mode) & 0o777)
            os.fsync(file)
        if not same_file(_status(folder, name), old):
            raise ValueError(f"{name!r} was changed by somebody else meanwhile; read it again")
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        undo.pop_all()
    with contextlib.suppress(OSError):  # not every file system can bring a folder to the disk
        os.fsync(folder)


def same_file(one: os.stat_result | None, other: os.stat_result) -> bool:
    """Whether both are of one file that wasn't written to in between."""
    return one is not None and stamp(one) == stamp(other)


def stamp(status: os.stat_result) -> tuple[int, ...]:
    """What tells a file from another, and from itself before it was changed."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _status(folder: int, name: str) -> os.stat_result | None:
    with contextlib.suppress(FileNotFoundError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    return None


def _temporary(folder: int) -> tuple[str, int]:
    """A new file that nobody else has; another number where a crash has left one behind."""
    for number in itertools.count():
        name = f".hilt-{os.getpid()}-{number}.new"
        with contextlib.suppress(FileExistsError):
            return name, os.open(name, _NEW, 0o600, dir_fd=folder)
    raise AssertionError("the numbers have no end")


def _write_all(opened: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(opened, left) :]


def _remove(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _remove_if_same(folder: int, name: str, status: os.stat_result) -> None:
    if same_file(_status(folder, name), status):
        _remove(folder, name)
