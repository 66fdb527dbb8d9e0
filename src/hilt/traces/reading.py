"""Traces read again: which runs there were, and all that is known of one."""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from hilt.conversation import InvalidRequest, NotFound, Unavailable, Usage
from hilt.traces.keeping import Kept, fingerprint, well_formed
from hilt.traces.records import CallRecord, Record, RunRecord, TurnRecord
from hilt.traces.store import VERSION

LAST = "last"

_BUSY_TIMEOUT_S = 5.0
_SHOWN_CANDIDATES = 5

_WANTED = """
(:model IS NULL OR model = :model)
AND (:stop_reason IS NULL OR stop_reason = :stop_reason)
AND (:since_s IS NULL OR started_s >= :since_s)
AND (:tool IS NULL OR EXISTS (SELECT 1 FROM records WHERE run = runs.number AND kind = 'call' AND tool = :tool))
"""
_NEWEST = f"SELECT number FROM runs WHERE {_WANTED} ORDER BY started_s DESC, number DESC LIMIT :limit"
_OLDEST = f"SELECT number FROM runs WHERE {_WANTED} ORDER BY started_s, number"
_RUN_ID = "SELECT run_id FROM runs WHERE number = ?"
_EXACT = "SELECT number FROM runs WHERE run_id IN (?, ?)"
_PREFIX = """
SELECT number, run_id FROM runs WHERE substr(run_id, 1, length(?1)) = ?1 ORDER BY started_s DESC, number DESC LIMIT ?2
"""
_BODIES = "SELECT body FROM records WHERE run = ? ORDER BY started_s, number"


class Wanted(Struct, frozen=True):
    """Which runs: all where a field is None. `since_s` is seconds since 1970; `tool` is one that was called, under its
    own name, and `stop_reason` "" finds the runs that have not ended."""

    model: str | None = None
    stop_reason: str | None = None
    tool: str | None = None
    since_s: float | None = None


class Trace(Struct, frozen=True):
    """All that is kept of a run. `runs` holds the record of its end: none while it hasn't ended, or if it was killed,
    and several if it was resumed. `steps` are its turns and calls in order of time."""

    run_id: str
    runs: tuple[Kept, ...]
    steps: tuple[Kept, ...]

    @property
    def run(self) -> Kept | None:
        """The record of the last end."""
        return self.runs[-1] if self.runs else None


class Summary(Struct, frozen=True):
    """A run in short. `started_s` is seconds since 1970; `stop_reason` is "" and `duration_s` None if the run has not
    ended. `tools` are the names that were called, in the order of their first calls."""

    run_id: str
    started_s: float
    duration_s: float | None
    model: str
    stop_reason: str
    usage: Usage
    turns: int
    calls: int
    tools: tuple[str, ...]
    question: str
    question_chars: int


class _Chars(Struct, frozen=True):
    chars: dict[str, int] = {}


_RECORDS = msgspec.json.Decoder(Record)
_CHARS = msgspec.json.Decoder(_Chars)


def list_runs(path: Path, wanted: Wanted, limit: int) -> tuple[Summary, ...]:
    """At most `limit` runs, the newest first; none if there is no file. Raises Unavailable if it can't be read."""
    with _reading(path) as database:
        if database is None:
            return ()
        rows = database.execute(_NEWEST, _values(wanted) | {"limit": limit}).fetchall()
        return tuple(summary(_trace(database, number)) for (number,) in rows)


def find_run(path: Path, name: str) -> Trace:
    """The run with the id `name`, or with the only id that begins so; "last" is the newest.

    Raises NotFound if there is none, InvalidRequest if there are several, Unavailable if the file can't be read.
    """
    with _reading(path) as database:
        number = None if database is None else _number(database, well_formed(name))
        if database is None or number is None:
            raise NotFound(_absence(path, name), param="run_id")
        return _trace(database, number)


def iterate_runs(path: Path, wanted: Wanted = Wanted()) -> Iterator[Trace]:
    """Every wanted run, the oldest first, one at a time in memory and all as of the beginning."""
    with _reading(path) as database:
        if database is None:
            return
        for (number,) in database.execute(_OLDEST, _values(wanted)):
            yield _trace(database, number)


def summary(trace: Trace) -> Summary:
    """A run in short; what is not known of one that has not ended comes from its turns."""
    turns = [kept.record for kept in trace.steps if isinstance(kept.record, TurnRecord)]
    calls = [kept.record for kept in trace.steps if isinstance(kept.record, CallRecord)]
    record = None if trace.run is None else trace.run.record
    starts_s = [kept.record.started_s for kept in (*trace.runs, *trace.steps)]
    return Summary(
        run_id=trace.run_id,
        started_s=min(starts_s, default=0.0),
        duration_s=record.duration_s if isinstance(record, RunRecord) else None,
        model=record.model if isinstance(record, RunRecord) else "",
        stop_reason=record.stop_reason if isinstance(record, RunRecord) else "",
        usage=record.usage if isinstance(record, RunRecord) else sum((turn.usage for turn in turns), Usage()),
        turns=len(turns),
        calls=len(calls),
        tools=tuple(dict.fromkeys(call.tool or call.asked for call in calls)),
        question=record.question if isinstance(record, RunRecord) else "",
        question_chars=0 if trace.run is None else trace.run.chars.get("question", 0),
    )


def _values(wanted: Wanted) -> dict[str, Any]:
    fields = msgspec.to_builtins(wanted)
    return {name: well_formed(value) if isinstance(value, str) else value for name, value in fields.items()}


def _number(database: sqlite3.Connection, name: str) -> int | None:
    if name == LAST:
        newest = database.execute(_NEWEST, _values(Wanted()) | {"limit": 1}).fetchone()
        return None if newest is None else newest[0]
    exact = database.execute(_EXACT, (name, fingerprint(name))).fetchone()
    if exact is not None:
        return exact[0]
    found = database.execute(_PREFIX, (name, _SHOWN_CANDIDATES + 1)).fetchall()
    if len(found) > 1:
        ids = ", ".join(run_id for _, run_id in found[:_SHOWN_CANDIDATES])
        others = ", …" if len(found) > _SHOWN_CANDIDATES else ""
        raise InvalidRequest(f"several runs begin with {name!r}: {ids}{others}; write more of the id", param="run_id")
    return found[0][0] if found else None


def _absence(path: Path, name: str) -> str:
    if name == LAST:
        return f"there are no traces in {path}"
    return f"there is no run {name!r} in {path}; 'hilt trace list' tells which there are"


def _trace(database: sqlite3.Connection, number: int) -> Trace:
    (run_id,) = database.execute(_RUN_ID, (number,)).fetchone()
    kept = [_decoded(body) for (body,) in database.execute(_BODIES, (number,))]
    return Trace(
        run_id,
        tuple(one for one in kept if isinstance(one.record, RunRecord)),
        tuple(one for one in kept if not isinstance(one.record, RunRecord)),
    )


def _decoded(body: bytes) -> Kept:
    return Kept(_RECORDS.decode(body), _CHARS.decode(body).chars)


@contextmanager
def _reading(path: Path) -> Generator[sqlite3.Connection | None]:
    """The file as it is now, whatever is written meanwhile; None if there is none."""
    if not path.exists():
        yield None
        return
    try:
        with closing(_connected(path)) as database:
            version: Any = database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise Unavailable(
                    f"the traces in {path} are of version {version}, and this Hilt reads version {VERSION}; "
                    "install the Hilt that wrote them, or move them away"
                )
            database.execute("BEGIN")
            made = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'records'").fetchone() == (1,)
            yield database if made else None
    except (sqlite3.Error, msgspec.MsgspecError, ValueError) as fault:
        raise Unavailable(f"the traces in {path} can't be read: {fault}; move the file away to begin anew") from fault


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None
    )
