"""Making, editing and deleting files of the workspace folder, and saying beforehand what that would change."""

import contextlib
import os
import stat
from pathlib import Path

from msgspec import Struct

from hilt.tools.builtin.confinement import (
    Place,
    canonical_path,
    open_folder_of,
    relative_parts,
)
from hilt.tools.builtin.replacing import locked, write_new, write_over
from hilt.tools.builtin.text_edits import Edited, replaced, short_diff
from hilt.tools.tool import Change

_MAX_FILE_BYTES = 2_000_000
_MAX_SHOWN_CHARS = 500
_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class FileCreated(Struct, frozen=True):
    """A new file and its size."""

    path: str
    size_bytes: int


class FileEdited(Struct, frozen=True):
    """A changed file; `first_line`, from 1, is where the first of the `replacements` is."""

    path: str
    replacements: int
    first_line: int


class FileDeleted(Struct, frozen=True):
    """A file that is no more, and the size that it had."""

    path: str
    size_bytes: int


def create(workspace: Path, path: str, text: str) -> FileCreated:
    """Make a file, and the folders on the way to it. ValueError if there is something already, or for a bad path."""
    content = _content(text)
    with open_folder_of(workspace, _new_parts(workspace, path), make_folders=True, follow=False) as place:
        try:
            with locked(place.folder):
                write_new(place.folder, place.name, content)
        except FileExistsError:
            raise _taken(path) from None
        return FileCreated(place.path, len(content))


def plan_create(workspace: Path, path: str, text: str) -> tuple[Change, ...]:
    """The folders and the file that `create` would make. ValueError as there, as far as it can be foreseen."""
    size_bytes = len(_content(text))
    parts = relative_parts(workspace, canonical_path(workspace, "/".join(_new_parts(workspace, path)), follow=False))
    missing = [parts[:end] for end in range(1, len(parts)) if not _is_there(workspace, parts[:end])]
    if not missing and _is_there(workspace, parts):
        raise _taken(path)
    folders = [Change("create", "/".join(folder), "a folder") for folder in missing]
    shown = text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}…"
    return (*folders, Change("create", "/".join(parts), f"{size_bytes} bytes:\n{shown}"))


def edit(workspace: Path, path: str, old_text: str, new_text: str, *, replace_all: bool) -> FileEdited:
    """Replace a piece of a text file of at most 2 MB. ValueError if it can't be edited, or as `replaced` says."""
    with open_folder_of(workspace, relative_parts(workspace, path)) as place, locked(place.folder):
        status, text = _text_at(place)
        edited = _edited(text, old_text, new_text, replace_all=replace_all, path=place.path)
        write_over(place.folder, place.name, edited.text.encode(), status)
        return FileEdited(place.path, edited.replacements, edited.first_line)


def plan_edit(workspace: Path, path: str, old_text: str, new_text: str, *, replace_all: bool) -> tuple[Change, ...]:
    """What `edit` would change, as a diff. ValueError as there."""
    with open_folder_of(workspace, relative_parts(workspace, path)) as place:
        _, text = _text_at(place)
        edited = _edited(text, old_text, new_text, replace_all=replace_all, path=place.path)
        return (Change("edit", place.path, short_diff(text, edited.text)),)


def delete(workspace: Path, path: str) -> FileDeleted:
    """Delete a file; of a link only the link. ValueError for what is no file, or has other names."""
    with open_folder_of(workspace, relative_parts(workspace, path), follow=False) as place, locked(place.folder):
        size_bytes = _deletable_bytes(place)
        try:
            os.unlink(place.name, dir_fd=place.folder)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as fault:
            raise ValueError(f"{place.path!r} can't be deleted: {fault.strerror}") from None
        with contextlib.suppress(OSError):  # not every file system can bring a folder to the disk
            os.fsync(place.folder)
        return FileDeleted(place.path, size_bytes)


def plan_delete(workspace: Path, path: str) -> tuple[Change, ...]:
    """The file that `delete` would delete. ValueError as there."""
    with open_folder_of(workspace, relative_parts(workspace, path), follow=False) as place:
        return (Change("delete", place.path, f"{_deletable_bytes(place)} bytes"),)


def check_plain(status: os.stat_result, path: str) -> None:
    """Raise ValueError unless it is a plain file with no second name, which could lie anywhere."""
    if stat.S_ISDIR(status.st_mode):
        raise ValueError(f"{path!r} is a folder; list_files shows what is in it")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path!r} is a device or a pipe and can't be read")
    if status.st_nlink > 1:
        raise ValueError(
            f"{path!r} is a hard link: the file has {status.st_nlink} names, of which some may lie outside the "
            "workspace, so it is neither read nor changed; ask the user to make a copy of it"
        )


def _new_parts(workspace: Path, path: str) -> tuple[str, ...]:
    parts = relative_parts(workspace, path)
    if not parts or path.endswith(("/", "/.", "/..")):
        raise ValueError(f"{path[:200]!r} names a folder; give the path of the new file, such as notes/today.md")
    if not path.isprintable():
        raise ValueError(f"{path[:200]!r} holds characters that can't be seen; take plain ones for the name of a file")
    return parts


def _content(text: str) -> bytes:
    try:
        content = text.encode()
    except UnicodeEncodeError:
        raise ValueError("the text holds half of a surrogate pair, which is no character") from None
    if len(content) > _MAX_FILE_BYTES:
        raise ValueError(f"the text has more than {_MAX_FILE_BYTES} bytes; write it in parts")
    return content


def _taken(path: str) -> ValueError:
    return ValueError(f"there is already something at {path!r}; edit_file changes a file, or take another name")


def _is_there(workspace: Path, parts: tuple[str, ...]) -> bool:
    with contextlib.suppress(ValueError, FileNotFoundError):
        with open_folder_of(workspace, parts, follow=False) as place:
            os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
        return True
    return False


def _text_at(place: Place) -> tuple[os.stat_result, str]:
    """The file's status and its text, byte for byte. It is opened for writing, so what may not be written isn't."""
    try:
        # Looked at beforehand as well, because to open some devices is to do something already.
        check_plain(os.stat(place.name, dir_fd=place.folder, follow_symlinks=False), place.path)
        opened = os.open(place.name, _OPEN, dir_fd=place.folder)
    except FileNotFoundError:
        raise ValueError(
            f"there is nothing at {place.path!r} in the workspace; create_file makes a file, list_files shows what "
            "there is"
        ) from None
    except OSError as fault:
        raise ValueError(f"{place.path!r} can't be changed: {fault.strerror}") from None
    with contextlib.closing(os.fdopen(opened, "rb", buffering=0)) as file:
        status = os.fstat(opened)
        check_plain(status, place.path)
        if status.st_size > _MAX_FILE_BYTES:
            raise ValueError(f"{place.path!r} has {status.st_size} bytes; at most {_MAX_FILE_BYTES} can be edited")
        content = file.read()
    if b"\0" in content:
        raise ValueError(f"{place.path!r} is a binary file; only text files can be edited")
    try:
        return status, content.decode()
    except UnicodeDecodeError as fault:
        raise ValueError(
            f"{place.path!r} is no UTF-8 text from byte {fault.start} on, so an edit would damage it"
        ) from None


def _edited(text: str, old_text: str, new_text: str, *, replace_all: bool, path: str) -> Edited:
    edited = replaced(text, old_text, new_text, everywhere=replace_all, path=path)
    _content(edited.text)
    return edited


def _deletable_bytes(place: Place) -> int:
    """The size in bytes of what may be deleted."""
    try:
        status = os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
    except FileNotFoundError:
        raise ValueError(
            f"there is nothing at {place.path!r} in the workspace; list_files shows what there is"
        ) from None
    if not stat.S_ISLNK(status.st_mode):
        check_plain(status, place.path)
    return status.st_size
