"""Running a function in a process of its own, which can be ended at any moment with all that it started.

The child is a fresh interpreter, not a fork: it shares nothing with this process but one socket, has an environment of
allow-listed names, and leads a process group of its own, which is killed whole at the end of the time, on cancellation
and also after a result. On the socket go one order and one reply, each JSON after its length in eight bytes. The child
is killed before anything waits for it, so nothing that it left behind can keep the caller waiting.
"""

import asyncio
import contextlib
import inspect
import json
import math
import os
import shutil
import signal
import socket
import sys
import tempfile
import typing
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

import msgspec
from msgspec import Struct
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from hilt.threads import run_in_thread

HEAD_BYTES = 8

_ALLOWED = frozenset({"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PYTHONPATH"})
_MAX_TROUBLE_CHARS = 500


class ChildFailed(Exception):
    """The function raised something other than a ValueError, or its process ended without a result.

    `kind` is the name of the exception's type, "" where the process ended.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}" if kind and message else kind or message)
        self.kind = kind


class Order(Struct, frozen=True):
    """What a child is to do. `arguments` is the JSON text of an object by parameter name."""

    module: str
    qualname: str
    arguments: str
    local_only: bool
    cpu_s: int
    max_memory_bytes: int
    max_output_bytes: int


class Reply(Struct, frozen=True):
    """How the function ended: with a value, in `text` as JSON; refusing with a ValueError; or by another exception,
    `text` then being the message and `error` the name of its type."""

    ended: Literal["value", "refused", "failed"]
    text: str
    error: str = ""


async def run_in_process(
    function: Callable[..., Any],
    arguments: dict[str, Any],
    *,
    timeout_s: float,
    local_only: bool = False,
    folder: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    max_memory_bytes: int = 2 << 30,
    max_output_bytes: int = 8 << 20,
) -> Any:
    """What a plain function of a module returns, as JSON has it; as its own type if it is annotated with a Struct or
    a pydantic model.

    The arguments travel as JSON and are given to the function in the types of its annotations. It runs in `folder`, or
    in an empty one that is removed afterwards. With `local_only` it can open no socket beyond loopback. Its prints go
    nowhere. `max_memory_bytes` is what it may take beyond its start, where the system bounds that (Linux).

    Raises the function's ValueError; ChildFailed for its other exceptions, for a process that died and for a result
    over `max_output_bytes`; TimeoutError after `timeout_s`; TypeError for a function that a module doesn't hold.
    """
    check_importable(function)
    order = Order(
        module=function.__module__,
        qualname=function.__qualname__,
        arguments=json.dumps(to_jsonable_python(arguments)),
        local_only=local_only,
        # Enough for every core; it ends what is left over should this process be killed.
        cpu_s=math.ceil(timeout_s) * (os.cpu_count() or 1) + 5,
        max_memory_bytes=max_memory_bytes,
        max_output_bytes=max_output_bytes,
    )
    try:
        async with asyncio.timeout(timeout_s), _folder(folder) as inside:
            reply = await _run(order, inside, child_environment(environment))
    except TimeoutError:
        raise TimeoutError(f"{function.__name__} did not end within {timeout_s:g} seconds") from None
    match reply.ended:
        case "value":
            return _as_annotated(function, json.loads(reply.text))
        case "refused":
            raise ValueError(reply.text)
        case "failed":
            raise ChildFailed(reply.error, reply.text)


def check_importable(function: Callable[..., Any]) -> None:
    """Raises TypeError if another process could not find the function or not call it plainly."""
    if function.__module__ == "__main__" or "<" in function.__qualname__ or inspect.iscoroutinefunction(function):
        raise TypeError(
            f"{function.__qualname__} is to run in a process of its own, so it must be a plain function of a module"
        )


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a child process may see of an environment: where programs and files are, the language and the time zone.
    Python finds the same modules there as here."""
    allowed = {name: value for name, value in environment.items() if name in _ALLOWED or name.startswith("LC_")}
    return {**allowed, "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)}


@asynccontextmanager
async def _folder(given: Path | None) -> AsyncGenerator[Path]:
    if given is not None:
        yield given
        return
    made = Path(tempfile.mkdtemp(prefix="hilt-"))
    try:
        yield made
    finally:
        await run_in_thread(partial(shutil.rmtree, made, ignore_errors=True), name="removing a folder")


async def _run(order: Order, folder: Path, environment: dict[str, str]) -> Reply:
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryFile() as trouble:
        try:
            with theirs:
                process = await _started(theirs, trouble, folder, environment)
        except BaseException:
            ours.close()
            raise
        try:
            reply = await _exchanged(ours, order)
        finally:
            _kill(process)
            await process.wait()
        return reply or _death(process, trouble, order)


async def _started(theirs: socket.socket, trouble: IO[bytes], folder: Path, environment: dict[str, str]) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-W", "ignore", "-m", "hilt.tools.child"),
        stdin=theirs.fileno(),
        stdout=DEVNULL,
        stderr=trouble,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )


async def _exchanged(ours: socket.socket, order: Order) -> Reply | None:
    """The reply to the order; None if the child ended without one."""
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    try:
        body = msgspec.json.encode(order)
        writer.write(len(body).to_bytes(HEAD_BYTES, "big") + body)
        await writer.drain()
        size_bytes = int.from_bytes(await reader.readexactly(HEAD_BYTES), "big")
        return msgspec.json.decode(await reader.readexactly(size_bytes), type=Reply)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    finally:
        writer.close()


def _kill(process: Process) -> None:
    """Kill the group of the process. Nobody is there any more if it ended by itself; macOS then says EPERM."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _death(process: Process, trouble: IO[bytes], order: Order) -> Reply:
    """How a child ended that gave no reply."""
    status = process.returncode or 0
    if status >= 0:
        trouble.seek(0)
        said = trouble.read(1 << 16).decode("utf-8", "replace").strip()[-_MAX_TROUBLE_CHARS:]
        return Reply("failed", f"its process ended without a result, with exit status {status}\n{said}".strip())
    name = signal.Signals(-status).name if -status in {*signal.Signals} else f"signal {-status}"
    why = {
        "SIGXCPU": f" after {order.cpu_s} seconds of processor time",
        "SIGKILL": ", perhaps since the memory ran out",
    }
    return Reply("failed", f"its process was killed by {name}{why.get(name, '')}")


def _as_annotated(function: Callable[..., Any], value: Any) -> Any:
    hint = typing.get_type_hints(function).get("return")
    if isinstance(hint, type) and issubclass(hint, Struct):
        return msgspec.convert(value, hint, strict=False)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint.model_validate(value)
    return value
