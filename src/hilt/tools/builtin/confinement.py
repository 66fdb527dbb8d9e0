"""Opening what lies inside a folder, and nothing else, whatever the path says and whoever changes the folder meanwhile.

A path that was checked and is opened afterwards can be made to lead elsewhere in between, by a symbolic link put in
its place. So nothing is checked beforehand here: each component is opened relative to the folder opened before it,
and none of these steps follows a link. A link met on the way is read and its target walked again from the top by the
same rules, so it can only lead to what the rules allow.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct

from hilt.tools.tool import Normalised, Normaliser

_MAX_PATH_CHARS = 4096
_MAX_LINKS = 8
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Place(Struct, frozen=True):
    """Where something is or may come to be: `name` in the open folder `folder`, a file descriptor. `path` is the way
    from the workspace, with all links followed."""

    folder: int
    name: str
    path: str


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


@contextmanager
def open_folder_of(
    workspace: Path, parts: tuple[str, ...], *, make_folders: bool = False, follow: bool = True
) -> Generator[Place]:
    """The folder that holds, or is to hold, what lies at `parts`; closed at the end.

    With `make_folders` missing folders are made on the way. With `follow` a link at the end of the way is followed as
    well, so `name` is no link unless one is put there afterwards. Raises ValueError as `open_inside` does, and for the
    workspace itself.
    """
    path = "/".join(parts) or "."
    for _ in range(_MAX_LINKS + 1):
        if not parts:
            raise ValueError(f"{path!r} is the workspace itself; give the path of a file in it")
        found = _walk(workspace, parts[:-1], path, folder=True, make_folders=make_folders)
        if not isinstance(found, int):
            parts = (*found, parts[-1])
            continue
        try:
            target = _link_target(found, parts[-1]) if follow else None
            if target is None:
                yield Place(found, parts[-1], "/".join(parts))
                return
        finally:
            os.close(found)
        parts = _redirected(workspace, parts[:-1], target, (), path)
    raise ValueError(f"{path!r} leads through too many symbolic links")


def canonical_path(workspace: Path, path: str, *, follow: bool = True) -> str:
    """The one way from the workspace to what `path` names: relative, links followed, names as their folders list them.

    What doesn't exist yet keeps its name. Without `follow` a link at the end stays. Raises ValueError for what leads
    outside.
    """
    parts = relative_parts(workspace, path)
    for _ in range(_MAX_LINKS + 1):
        parts, settled = _settled(workspace, parts, path, follow=follow)
        if settled:
            return "/".join(parts) or "."
    raise ValueError(f"{path!r} leads through too many symbolic links")


def canonical_paths(workspace: Path, *parameters: str, follow: bool = True) -> Normaliser:
    """A normaliser that makes the paths in `parameters` canonical, so that a rule of the policy for one path holds for
    every way of writing it. What leads outside is left for the tool to refuse."""

    def normalise(arguments: Mapping[str, Any]) -> Normalised:
        meant = dict(arguments)
        warnings: list[str] = []
        for parameter in parameters:
            given = meant.get(parameter)
            if not isinstance(given, str):
                continue
            path = _canonical_or_given(workspace, given, follow=follow)
            if path != given:
                meant[parameter] = path
                warnings.append(f"{parameter} {given[:200]!r} was taken as {path[:200]!r}")
        return Normalised(meant, tuple(warnings))

    return normalise


def listed_name(folder: int, name: str, status: os.stat_result) -> str:
    """The name under which the open folder lists the thing with this status.

    Where the file system takes several spellings for one name, by case or by the composition of accents, `name` may
    have been another one.
    """
    found = name
    with os.scandir(folder) as listed:
        for entry in listed:
            if entry.name == name:
                return name
            if entry.inode() == status.st_ino:
                found = entry.name
    return found


def _canonical_or_given(workspace: Path, given: str, *, follow: bool) -> str:
    with contextlib.suppress(ValueError):
        path = canonical_path(workspace, given, follow=follow)
        path.encode()  # a name that is no text can't be written down as an argument
        # A slash at the end says that a folder is meant, which not every tool may take for a file.
        return f"{path}/" if given.endswith("/") and path != "." else path
    return given


def _settled(workspace: Path, parts: tuple[str, ...], path: str, *, follow: bool) -> tuple[tuple[str, ...], bool]:
    """The parts with the first link on the way replaced by its target, and whether there was none."""
    kept: list[str] = []
    here = _workspace_folder(workspace)
    try:
        for place, name in enumerate(parts):
            last = place == len(parts) - 1
            try:
                status = os.stat(name, dir_fd=here, follow_symlinks=False)
                target = os.readlink(name, dir_fd=here) if stat.S_ISLNK(status.st_mode) else None
                if target is not None and (follow or not last):
                    return _redirected(workspace, parts[:place], target, parts[place + 1 :], path), False
                kept.append(listed_name(here, name, status))
                if not last:
                    inner = os.open(name, _OPEN | os.O_DIRECTORY, dir_fd=here)
                    os.close(here)
                    here = inner
            except OSError:
                break
    finally:
        os.close(here)
    return (*kept, *parts[len(kept) :]), True


def _opened(workspace: Path, parts: tuple[str, ...], path: str) -> int:
    for _ in range(_MAX_LINKS + 1):
        found = _walk(workspace, parts, path)
        if isinstance(found, int):
            return found
        parts = found
    raise ValueError(f"{path!r} leads through too many symbolic links")


def _walk(
    workspace: Path, parts: tuple[str, ...], path: str, *, folder: bool = False, make_folders: bool = False
) -> int | tuple[str, ...]:
    """Open component by component: the descriptor, or, where a link is met, the parts that it leads to. With `folder`
    only a folder is opened at the end."""
    here = _workspace_folder(workspace)
    for place, name in enumerate(parts):
        last = place == len(parts) - 1 and not folder
        try:
            inner = _step(here, name, _OPEN if last else _OPEN | os.O_DIRECTORY, make=make_folders)
        except OSError as fault:
            target = _link_target(here, name) if fault.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK) else None
            if target is None:
                if make_folders and fault.errno == errno.ENOTDIR:
                    raise ValueError(f"{'/'.join(parts[: place + 1])!r} is a file and not a folder") from None
                raise _unopened(path, fault) from None
            return _redirected(workspace, parts[:place], target, parts[place + 1 :], path)
        finally:
            os.close(here)
        here = inner
    return here


def _workspace_folder(workspace: Path) -> int:
    try:
        return os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as fault:
        raise ValueError(f"the workspace folder can't be opened: {fault.strerror}") from None


def _step(here: int, name: str, flags: int, *, make: bool) -> int:
    try:
        return os.open(name, flags, dir_fd=here)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):  # somebody else was quicker
        os.mkdir(name, dir_fd=here)
    return os.open(name, flags, dir_fd=here)


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
