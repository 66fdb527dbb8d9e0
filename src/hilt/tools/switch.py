"""The kill switch of all tools: a file whose presence stops every process that works with it, now and after restarts.

The file holds the reason. Only its absence means that tools may run: whatever else is found there, a file that can't be
read, a folder or a link, counts as off. So a half-finished writing can only stop tools, never let them run.
"""

import asyncio
import os
import tempfile
from pathlib import Path

NO_REASON = "no reason was given"
UNREADABLE = "the kill switch can't be read"

_MAX_REASON_BYTES = 2000
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Switch:
    """The switch that lies at `path`; any number of processes may share it. Its folder is made when it is needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unsaved: str | None = None

    def why_off(self) -> str | None:
        """Why no tool may run, or None if tools may. One small read; it never raises."""
        if self._unsaved is not None:
            return self._unsaved
        try:
            opened = os.open(self._path, _OPEN)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as fault:
            return f"{UNREADABLE}: {_said(fault)}"
        try:
            reason = os.read(opened, _MAX_REASON_BYTES).decode("utf-8", "replace").strip()
        except OSError as fault:
            return f"{UNREADABLE}: {_said(fault)}"
        finally:
            os.close(opened)
        return reason or NO_REASON

    def turn_off(self, reason: str) -> None:
        """Stop all tools, until `turn_on`. The reason is kept to its first 2,000 bytes.

        Where the reason can't be written, as on a full disk, an empty file is left in its place. Raises OSError if not
        even that can be made; then this process is off all the same.
        """
        shown = reason.strip() or NO_REASON
        self._unsaved = shown
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _replace(self._path, shown.encode("utf-8", "replace")[:_MAX_REASON_BYTES])
        except OSError:
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        _save_folder(self._path.parent)
        self._unsaved = None

    def turn_on(self) -> None:
        """Let tools run again. Raises OSError if the file can't be removed."""
        self._path.unlink(missing_ok=True)
        self._unsaved = None
        if self._path.parent.is_dir():
            _save_folder(self._path.parent)

    async def tripped(self, poll_s: float = 0.2) -> str:
        """Wait until the switch is off, looking every `poll_s` seconds; the reason."""
        while (reason := self.why_off()) is None:  # noqa: ASYNC110 - it may be another process that turns the switch
            await asyncio.sleep(poll_s)
        return reason


def _replace(path: Path, content: bytes) -> None:
    """Put a whole file at `path`, in one step, and on the disk."""
    written, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(written, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _save_folder(folder: Path) -> None:
    """Make sure that what was put into the folder, or taken out of it, outlives a crash of the machine."""
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _said(fault: OSError | ValueError) -> str:
    return (fault.strerror if isinstance(fault, OSError) else None) or type(fault).__name__
