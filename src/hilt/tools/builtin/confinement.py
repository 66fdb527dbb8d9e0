"""Opening what lies inside a folder, and nothing else, whatever the path says and whoever changes the folder meanwhile.

A path that was checked and is opened afterwards can be made to lead elsewhere in between, by a symbolic link put in
its place. So nothing is checked beforehand here: each component is opened relative to the folder opened before it,
and none of these steps follows a link. A link met on the way is read and its target walked again from the top by the
same rules, so it can only lead to what the rules allow.
"""

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

_MAX_PATH_CHARS = 4096
_MAX_LINKS = 8
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def relative_parts(workspace: Path, path: str) -> tuple[str, ...]:
    """The components of `path` below the workspace, an absolute folder; () is the workspace itself.

    An absolute path is taken if it leads into the workspace. Raises ValueError for what is empty, leads outside, or
    can't be a path.
    """
    if not path:
        raise ValueError("the path is empty")
    if "\0" in path:
        raise ValueError("the path holds a NUL character")
    if len(path) > _MAX_PATH_CHARS:
        raise ValueError(f"the path is longer than {_MAX_PATH_CHARS} characters")
    given = PurePosixPath(path)
    if given.is_absolute():
        for root in (workspace, Path(os.path.realpath(workspace))):
            if given.is_relative_to(root):
                return _normal(given.relative_to(root).parts, path)
        raise _outside(path)
    return _normal(given.parts, path)


@contextmanager
def open_inside(workspace: Path, parts: tuple[str, ...]) -> Generator[int]:
    """A file descriptor, for reading, of what lies at `parts`; closed at the end.

    Raises ValueError if there is nothing, if the way leads outside or if it may not be opened.
    """
    path = "/".join(parts) or "."
    opened = _opened(workspace, parts, path)
    try:
        yield opened
    finally:
        os.close(opened)


def _opened(workspace: Path, parts: tuple[str, ...], path: str) -> int:
    for _ in range(_MAX_LINKS + 1):
        found = _walk(workspace, parts, path)
        if isinstance(found, int):
            return found
        parts = found
    raise ValueError(f"{path!r} leads through too many symbolic links")


def _walk(workspace: Path, parts: tuple[str, ...], path: str) -> int | tuple[str, ...]:
    """Open component by component: the descriptor, or, where a link is met, the parts that it leads to."""
    try:
        here = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as fault:
        raise ValueError(f"the workspace folder can't be opened: {fault.strerror}") from None
    for place, name in enumerate(parts):
        last = place == len(parts) - 1
        try:
            inner = os.open(name, _OPEN if last else _OPEN | os.O_DIRECTORY, dir_fd=here)
        except OSError as fault:
            target = _link_target(here, name) if fault.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK) else None
            if target is None:
                raise _unopened(path, fault) from None
            return _redirected(workspace, parts[:place], target, parts[place + 1 :], path)
        finally:
            os.close(here)
        here = inner
    return here


def _link_target(folder: int, name: str) -> str | None:
    """Where the symbolic link leads, or None if there is none (any more)."""
    try:
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return os.readlink(name, dir_fd=folder)
    except OSError:
        return None
    return None


def _redirected(
    workspace: Path, before: tuple[str, ...], target: str, after: tuple[str, ...], path: str
) -> tuple[str, ...]:
    if PurePosixPath(target).is_absolute():
        return (*relative_parts(workspace, target), *after)
    return (*_normal((*before, *PurePosixPath(target).parts), path), *after)


def _normal(parts: tuple[str, ...], path: str) -> tuple[str, ...]:
    kept: list[str] = []
    for part in parts:
        if part == "..":
            if not kept:
                raise _outside(path)
            kept.pop()
        else:
            kept.append(part)
    return tuple(kept)


def _outside(path: str) -> ValueError:
    return ValueError(f"{path[:200]!r} leads outside the workspace; give a path inside it, such as notes.txt")


def _unopened(path: str, fault: OSError) -> ValueError:
    match fault.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return ValueError(f"there is nothing at {path!r} in the workspace; list_files shows what there is")
        case errno.ENAMETOOLONG:
            return ValueError(f"a name in {path[:200]!r} is too long")
        case _:
            return ValueError(f"{path!r} can't be opened: {fault.strerror}")
