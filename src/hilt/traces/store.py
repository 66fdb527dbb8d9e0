"""The file of traces, written as a run goes on; a trace that can't be written never stops the run.

Writers in several processes may share the file. A transaction holds one record, so that what a crash leaves behind is
whole; the write-ahead log makes it cheap. A file that is damaged, or of another version of Hilt, is moved aside and a
fresh one begun.
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from hilt.traces.keeping import Kept, Redact, keep
from hilt.traces.records import CallRecord, Record, RunRecord, TurnRecord

VERSION = 1

_SCHEMA = f"""
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    started_s REAL NOT NULL,
    model TEXT NOT NULL DEFAULT '',
    stop_reason TEXT NOT NULL DEFAULT ''
);
CREATE TABLE records (
    number INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    kind TEXT NOT NULL,
    tool TEXT NOT NULL,
    started_s REAL NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX records_of_a_run ON records (run);
PRAGMA user_version = {VERSION}
"""
_INSERT_RUN = "INSERT INTO runs (run_id, started_s) VALUES (?, ?) ON CONFLICT DO NOTHING"
_INSERT_RECORD = """
INSERT INTO records (run, kind, tool, started_s, body) SELECT number, ?, ?, ?, ? FROM runs WHERE run_id = ?
"""
_BEGAN_EARLIER = "UPDATE runs SET started_s = min(started_s, ?) WHERE run_id = ?"
_END_RUN = "UPDATE runs SET started_s = min(started_s, ?), model = ?, stop_reason = ? WHERE run_id = ?"
_TOO_OLD = "SELECT number FROM runs ORDER BY number DESC LIMIT -1 OFFSET ?"

_BUSY_TIMEOUT_S = 0.25
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_MOST_ASIDE = 100


class ForeignFileError(Exception):
    """The file is of another version of Hilt, or holds no traces at all."""


_UNWRITABLE = (
    sqlite3.Error,
    ForeignFileError,
    OSError,
    ValueError,
    ArithmeticError,
    RuntimeError,
    msgspec.MsgspecError,
)


class TraceStore:
    """Writes records into the SQLite file `path`, which is made at the first of them, for its owner's eyes only.

    Every text passes `redact` first, and without `full` the texts are not kept. Of all runs the newest `max_runs`
    stay. `complain` is told in a sentence when records are lost, and when a file was moved aside: once each. May be
    used from several threads.
    """

    def __init__(
        self, path: Path, *, redact: Redact, full: bool, max_runs: int, complain: Callable[[str], None]
    ) -> None:
        self._path = path
        self._redact = redact
        self._full = full
        self._max_runs = max(0, max_runs)
        self._complain = complain
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._patient = True

    def write(self, record: Record) -> None:
        """Keep one record. What can't be kept is dropped, and complained of once."""
        with self._lock:
            try:
                self._keep(keep(record, self._redact, full=self._full))
            except _UNWRITABLE as fault:
                self._be_patient(not _is_busy(fault))
                self._tell("lost", f"traces can't be written to {self._path}, so some are lost: {_reason(fault)}")
            else:
                self._be_patient(True)

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        with self._lock:
            self._close()

    def _keep(self, kept: Kept) -> None:
        try:
            self._insert(self._opened(), kept)
        except (sqlite3.DatabaseError, ForeignFileError) as fault:
            if not _is_unusable(fault):
                raise
            aside = self._move_aside()
            if aside is not None:
                self._tell(
                    "aside", f"the traces in {self._path} were unusable ({_reason(fault)}) and are now in {aside}"
                )
            self._insert(self._opened(), kept)

    def _insert(self, database: sqlite3.Connection, kept: Kept) -> None:
        record = kept.record
        body = encoded(kept)
        with transaction(database):
            is_new = database.execute(_INSERT_RUN, (record.run_id, record.started_s)).rowcount == 1
            database.execute(_INSERT_RECORD, (*_columns(record), record.started_s, body, record.run_id))
            if isinstance(record, RunRecord):
                database.execute(_END_RUN, (record.started_s, record.model, record.stop_reason, record.run_id))
            elif not is_new:
                database.execute(_BEGAN_EARLIER, (record.started_s, record.run_id))
            if is_new:
                self._forget(database)

    def _forget(self, database: sqlite3.Connection) -> None:
        for row in database.execute(_TOO_OLD, (self._max_runs,)).fetchall():
            database.execute("DELETE FROM records WHERE run = ?", row)
            database.execute("DELETE FROM runs WHERE number = ?", row)

    def _opened(self) -> sqlite3.Connection:
        """The connection to the file that lies at `path` now: it may have been deleted or moved since."""
        if self._database is not None:
            if _identity(self._path) == self._file:
                return self._database
            self._close()
        _make_private(self._path)
        self._file = _identity(self._path)
        self._database = _open(self._path, self._timeout_s)
        return self._database

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            with suppress(sqlite3.Error):  # nothing is lost: what was written lies in the log
                database.close()

    def _move_aside(self) -> Path | None:
        """Rename the file and its log; None if another process has done so already. OSError if it can't be done."""
        seen = self._file
        self._close()
        aside = _free_name(self._path)
        if _identity(self._path) != seen:
            return None
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                os.replace(f"{self._path}{suffix}", f"{aside}{suffix}")  # noqa: PTH105 - the names are no paths yet
        return aside

    def _be_patient(self, patient: bool) -> None:
        """Wait for other writers, or, while one holds the file for long, don't: the caller may be the event loop."""
        changed, self._patient = self._patient != patient, patient
        if changed and self._database is not None:
            with suppress(sqlite3.Error):  # it only sets a number; if it can't, the next write tells why
                self._database.execute(f"PRAGMA busy_timeout = {round(self._timeout_s * 1000)}")

    @property
    def _timeout_s(self) -> float:
        return _BUSY_TIMEOUT_S if self._patient else 0.0

    def _tell(self, kind: Literal["lost", "aside"], complaint: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._complain(complaint)


def encoded(kept: Kept) -> bytes:
    """A record as one line of JSON: its fields, and `chars` beside them."""
    fields = msgspec.to_builtins(kept.record)
    return msgspec.json.encode(fields | {"chars": kept.chars} if kept.chars else fields)


@contextmanager
def transaction(database: sqlite3.Connection) -> Generator[None]:
    """All that is written in the block, or nothing of it; one writer at a time from the start."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")


def _open(path: Path, timeout_s: float) -> sqlite3.Connection:
    """An open file of our version, made if it was empty. ForeignFileError if it holds anything else."""
    database = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    try:
        if _version(database) != VERSION:
            with transaction(database):
                _create(database)
        with suppress(sqlite3.OperationalError):  # another process is in the file; the next to open it may do this
            database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA secure_delete = ON")
    except BaseException:
        database.close()
        raise
    return database


def _create(database: sqlite3.Connection) -> None:
    version = _version(database)
    if version == VERSION:
        return
    if version:
        raise ForeignFileError(f"they are of version {version}, this Hilt writes version {VERSION}")
    if database.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise ForeignFileError("it is another program's file")
    for statement in _SCHEMA.split(";\n"):
        database.execute(statement)


def _version(database: sqlite3.Connection) -> int:
    return database.execute("PRAGMA user_version").fetchone()[0]


def _columns(record: Record) -> tuple[str, str]:
    """The kind of a record, and the tool that it is of."""
    match record:
        case RunRecord():
            return "run", ""
        case TurnRecord():
            return "turn", ""
        case CallRecord(asked=asked, tool=tool):
            return "call", tool or asked


def _make_private(path: Path) -> None:
    """Make the file if it isn't there, and let nobody but its owner read it; its log takes its rights from it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # An existing file is not opened: closing it would give up the locks that this process has on it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if stat.S_IMODE(path.stat().st_mode) & 0o077 and path.is_file():
            path.chmod(0o600)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file lies at `path`, as its device and number; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _free_name(path: Path) -> Path:
    for number in range(1, _MOST_ASIDE):
        aside = path.with_name(f"{path.name}.unusable-{number}")
        if not aside.exists():
            return aside
    raise FileExistsError(f"there are {_MOST_ASIDE - 1} unusable files beside it already; remove them")


def _is_unusable(fault: sqlite3.DatabaseError | ForeignFileError) -> bool:
    return isinstance(fault, ForeignFileError) or (_code(fault) & 0xFF) in _DAMAGED


def _is_busy(fault: Exception) -> bool:
    return isinstance(fault, sqlite3.Error) and (_code(fault) & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(fault: sqlite3.Error) -> int:
    """SQLite's own code of an error; 0 where the fault is in how SQLite was called."""
    return getattr(fault, "sqlite_errorcode", 0)


def _reason(fault: Exception) -> str:
    """Why, without the values: a complaint is not redacted."""
    match fault:
        case sqlite3.Error() | ForeignFileError():
            return str(fault)
        case OSError():
            return fault.strerror or str(fault)
        case _:
            return f"the record can't be prepared ({type(fault).__name__})"
