"""The files in which runs wait for answers.

Such a file may lie where tools can write. So its digest is kept among the user's own data while the run waits: a file
that was changed since is not gone on with, nor one whose run has been gone on with already.
"""

import hashlib
import os
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from hilt.agent import RunState
from hilt.assembly import data_folder
from hilt.cli.screen import safe
from hilt.conversation import InvalidRequest, NotFound, Unavailable
from hilt.tools.builtin.schedule import Grant


class WaitingRun(Struct, frozen=True):
    """A run that waits, and what it may do when it goes on: no more than when it stopped."""

    state: RunState
    grant: Grant


def keep(path: Path, waiting: WaitingRun) -> None:
    """Write a run that waits to a file that only its owner can read, and tell what it waits for.

    Raises Unavailable if it can't be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        written = msgspec.json.encode(waiting)
    except UnicodeEncodeError as fault:
        raise Unavailable(f"the run can't be kept in {path}: it holds half of a surrogate pair") from fault
    try:
        beside.unlink(missing_ok=True)  # left by a process of this number that broke off
        _mark(data_folder(), written).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _mark(data_folder(), written).touch(mode=0o600)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as fault:
        beside.unlink(missing_ok=True)
        raise Unavailable(f"the run can't be kept in {path}: {fault.strerror}") from fault
    print("waiting for an answer:", file=sys.stderr)
    for request in waiting.state.waiting:
        print(f"  {request.call_id}  {request.tool} ({request.effect}) {safe(request.arguments)}", file=sys.stderr)
    print(f"answer with: hilt resume {path} --approve all", file=sys.stderr)


def read(path: Path) -> tuple[WaitingRun, Path]:
    """A run that waits, and the mark that says so, to be removed when it goes on. Raises NotFound or InvalidRequest if
    there is none, and for a file that was changed or has been gone on with."""
    try:
        written = path.read_bytes()
        waiting = msgspec.json.decode(written, type=WaitingRun)
    except FileNotFoundError as fault:
        raise NotFound(f"there is no file {path}") from fault
    except OSError as fault:
        raise Unavailable(f"{path} can't be read: {fault.strerror}") from fault
    except (ValueError, RecursionError) as fault:
        raise InvalidRequest(f"{path} holds no run that waits for answers: {fault}") from fault
    mark = _mark(data_folder(), written)
    if not mark.exists():
        raise InvalidRequest(f"{path} was changed since it was written, or its run has gone on already; ask anew")
    return waiting, mark


def _mark(data: Path, written: bytes) -> Path:
    """Where it is remembered that a file with these bytes holds a run that waits."""
    return data / "waiting" / hashlib.sha256(written).hexdigest()


def take(mark: Path) -> None:
    """Make sure that a run is gone on with once. Raises InvalidRequest if somebody else was first."""
    try:
        mark.unlink()
    except FileNotFoundError as fault:
        raise InvalidRequest("the run has gone on already") from fault
