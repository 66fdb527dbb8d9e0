"""Files, folders and texts into the knowledge base, one transaction a file, with a report on each."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from hilt.tools.builtin.confinement import open_inside
from hilt.tools.builtin.knowledge.chunking import passages
from hilt.tools.builtin.knowledge.reading import Document, Unread, clean, one_line, read_document
from hilt.tools.builtin.knowledge.store import Put, SourceRecord, Store, check_embedder, digest_of, put, remove, sources

Progress: TypeAlias = Literal["added", "replaced", "unchanged", "removed", "skipped", "failed"]

MAX_TEXT_CHARS = 100_000

_READING_VERSION = b"1"
_LEFT_OUT_FOLDERS = frozenset({"node_modules", "__pycache__"})


class Knowledge(Struct, frozen=True):
    """A knowledge base that can be added to: its store, the clock that dates what comes in, the largest file that is
    taken, and the environment of this process, of which a parser's process gets the harmless part."""

    store: Store
    now: Callable[[], datetime]
    max_file_bytes: int
    environment: Mapping[str, str]


class Ingested(Struct, frozen=True):
    """What became of one file or folder: the `number`th of `total`. `reason` says why it was skipped or failed;
    `passages` counts what was added."""

    source: str
    outcome: Progress
    reason: str = ""
    passages: int = 0
    number: int = 0
    total: int = 0


class _File(Struct, frozen=True):
    """A file to be read: `parts` below the folder `root`, an absolute path without links."""

    root: Path
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        return str(self.root.joinpath(*self.parts))


class _Listed(Struct, frozen=True):
    """What a path leads to: files, what is left out and why, folders that could not be looked into, and the folder
    itself if it is one."""

    files: list[_File]
    left_out: list[Ingested]
    closed: list[str]
    folder: str | None


def ingest(knowledge: Knowledge, paths: Sequence[Path]) -> Iterator[Ingested]:
    """Add files, and all files below folders, and drop what is gone from these folders; a report on each as it is done.

    A file that was taken in with the same content is left alone. A file that can't be read is reported and the next
    one is taken; a file that no longer holds text is dropped. What is hidden below a folder, `node_modules`, and
    symbolic links there are left out. What is reported as done stays done if the rest is interrupted.

    Raises InvalidRequest if the base was made with another embedder, Unavailable if the base or the embedder can't be
    used.
    """
    check_embedder(knowledge.store)
    listed = [_list(path) for path in paths]
    files = list({file.name: file for each in listed for file in each.files}.values())
    left_out = [report for each in listed for report in each.left_out]
    gone = _gone(knowledge.store, listed)
    total = len(left_out) + len(files) + len(gone)
    for number, report in enumerate(_reports(knowledge, left_out, files, gone), start=1):
        yield Ingested(report.source, report.outcome, report.reason, report.passages, number, total)


def _reports(
    knowledge: Knowledge, left_out: Sequence[Ingested], files: Sequence[_File], gone: Sequence[str]
) -> Iterator[Ingested]:
    yield from left_out
    for file in files:
        yield _take_in(knowledge, file)
    for name in gone:
        remove(knowledge.store, [name])
        yield Ingested(name, "removed", "it is gone")


def add_text(knowledge: Knowledge, text: str, title: str) -> tuple[SourceRecord, Put]:
    """Add a text under a title. ValueError if either is empty or the text is longer than 100,000 characters;
    InvalidRequest if another text has that title; Unavailable if the base or the embedder can't be used."""
    named = one_line(title.encode("utf-8", "replace").decode())
    if not named:
        raise ValueError("the title is empty")
    if not clean(text).strip():
        raise ValueError("the text is empty")
    if len(text) > MAX_TEXT_CHARS:
        raise ValueError(f"the text is longer than {MAX_TEXT_CHARS} characters; add it in parts")
    content = Document(named, "markdown", (clean(text),))
    cut = passages(content)
    record = _record(knowledge, text_name(named), content, _digest(text.encode("utf-8", "replace")), len(cut))
    return record, put(knowledge.store, record, cut, replace=False)


def text_name(title: str) -> str:
    """What the source of a text with that title is called; no file has such a name."""
    return f"text:{one_line(title.encode('utf-8', 'replace').decode())}"


def _record(knowledge: Knowledge, name: str, document: Document, digest: str, count: int) -> SourceRecord:
    added = f"{knowledge.now():%Y-%m-%d %H:%M}"
    return SourceRecord(name, document.title, document.kind, digest, added, count)


def _digest(content: bytes) -> str:
    """Of the content and of the way of reading it, so that a better way takes files in again."""
    return hashlib.sha256(_READING_VERSION + content).hexdigest()


def _take_in(knowledge: Knowledge, file: _File) -> Ingested:
    try:
        content = _content(file, knowledge.max_file_bytes)
    except (ValueError, OSError) as fault:
        return Ingested(file.name, "failed", str(fault))
    if isinstance(content, Unread):
        return _not_taken(knowledge, file, content)
    digest = _digest(content)
    if digest_of(knowledge.store, file.name) == digest:
        return Ingested(file.name, "unchanged")
    document = read_document(file.name, content, knowledge.environment)
    if isinstance(document, Unread):
        return _not_taken(knowledge, file, document)
    cut = passages(document)
    outcome = put(knowledge.store, _record(knowledge, file.name, document, digest, len(cut)), cut)
    return Ingested(file.name, outcome, passages=0 if outcome == "unchanged" else len(cut))


def _not_taken(knowledge: Knowledge, file: _File, unread: Unread) -> Ingested:
    """A file that is broken may be mended, so what is known of it stays; one without text has nothing to be known."""
    if unread.broken:
        return Ingested(file.name, "failed", unread.reason)
    dropped = remove(knowledge.store, [file.name])
    return Ingested(file.name, "skipped", unread.reason + ("; its former text was dropped" if dropped else ""))


def _content(file: _File, max_bytes: int) -> bytes | Unread:
    with open_inside(file.root, file.parts) as opened:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return Unread("it is a device or a pipe")
        pieces: list[bytes] = []
        room = max_bytes + 1
        while room > 0 and (piece := os.read(opened, min(room, 1 << 20))):
            pieces.append(piece)
            room -= len(piece)
    return b"".join(pieces) if room > 0 else Unread(f"it is larger than {max_bytes} bytes")


def _list(path: Path) -> _Listed:
    try:
        real = Path(os.path.realpath(path.expanduser()))
        if not stat.S_ISDIR(real.stat().st_mode):
            return _Listed(*_sorted_out([_File(real.parent, (real.name,))]), [], None)
    except (OSError, ValueError, RuntimeError) as fault:  # the last for a ~ without a home
        why = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
        return _Listed([], [Ingested(_shown(str(path)), "failed", f"it can't be opened: {why}")], [], None)
    files: list[_File] = []
    left_out: list[Ingested] = []
    closed: list[str] = []
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        parts = waiting.pop()
        try:
            inner = _look_into(real, parts, left_out)
        except (OSError, ValueError) as fault:
            folder = str(real.joinpath(*parts))
            closed.append(folder)
            left_out.append(Ingested(_shown(folder), "failed", str(fault)))
            continue
        files += [_File(real, (*parts, name)) for name, is_folder in inner if not is_folder]
        waiting += [(*parts, name) for name, is_folder in reversed(inner) if is_folder]
    named, unnamed = _sorted_out(files)
    return _Listed(named, left_out + unnamed, closed, str(real))


def _look_into(root: Path, parts: tuple[str, ...], left_out: list[Ingested]) -> list[tuple[str, bool]]:
    """The names in a folder by name, and which are folders; what is left out is put to the others."""
    inner: list[tuple[str, bool]] = []
    with open_inside(root, parts) as folder, os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            is_folder = entry.is_dir(follow_symlinks=False)
            why = ""
            if entry.is_symlink():
                why = "it is a link; what it leads to is taken where it lies, if that is in the folder"
            elif entry.name.startswith("."):
                why = "it is hidden"
            elif is_folder and entry.name in _LEFT_OUT_FOLDERS:
                why = "it holds what programs put there"
            if why:
                left_out.append(Ingested(_shown(str(root.joinpath(*parts, entry.name))), "skipped", why))
            else:
                inner.append((entry.name, is_folder))
    return inner


def _sorted_out(files: list[_File]) -> tuple[list[_File], list[Ingested]]:
    """The files whose names are text, and reports on the others."""
    good = [file for file in files if _shown(file.name) == file.name]
    bad = [file for file in files if _shown(file.name) != file.name]
    return good, [Ingested(_shown(file.name), "failed", "its name is not UTF-8; rename it") for file in bad]


def _shown(name: str) -> str:
    """A name as text: bytes of it that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode()


def _gone(store: Store, listed: Sequence[_Listed]) -> list[str]:
    """Sources below the folders that are no longer found there; what lies in a folder that is closed may be there."""
    folders = [each.folder.rstrip("/") for each in listed if each.folder is not None]
    closed = [folder for each in listed for folder in each.closed]
    present = {file.name for each in listed for file in each.files}
    return [
        known.name
        for known in (sources(store) if folders else ())
        if known.name not in present
        and any(known.name.startswith(f"{folder}/") for folder in folders)
        and not any(known.name.startswith(f"{folder}/") for folder in closed)
    ]
