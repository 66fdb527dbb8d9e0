"""The child's side of `processes`: run one function of a module, as told on a socket, and write back what came of it.

The first thing that is done with the standard streams is to put them out of reach of the function, so that nothing it
prints goes anywhere and no program that it starts waits for input. The parent keeps its end of the socket open; when
that closes, the parent is gone, and so is this process with all that it started.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import threading
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel, TypeAdapter

from hilt.tools.egress import forbid_remote
from hilt.tools.processes import HEAD_BYTES, Order, Reply
from hilt.tools.schema import Arguments, validated
from hilt.tools.tool import Tool

_MAX_MESSAGE_CHARS = 10_000


def main() -> None:
    """Do what is ordered on stdin, which is a socket; write the reply there, and wait to be killed."""
    itself = os.getpid()
    parent = os.dup(0)
    order = msgspec.json.decode(_exactly(parent, int.from_bytes(_exactly(parent, HEAD_BYTES), "big")), type=Order)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    reply = msgspec.json.encode(_replied(order))
    if os.getpid() != itself:
        os._exit(1)  # the function has forked, and this is not the process that was ordered
    if len(reply) > order.max_output_bytes:
        reply = msgspec.json.encode(_too_large(order.max_output_bytes))
    remaining = len(reply).to_bytes(HEAD_BYTES, "big") + reply
    while remaining:
        remaining = remaining[os.write(parent, remaining) :]
    while True:
        signal.pause()


def _replied(order: Order) -> Reply:
    if order.local_only:
        forbid_remote()
    try:
        function, model = _found(order.module, order.qualname)
        arguments = _typed(function, model, json.loads(order.arguments))
        _limit(order.cpu_s, order.max_memory_bytes)
        value = function(**arguments)
    except ValueError as fault:
        return Reply("refused", _message(str(fault)), type(fault).__name__)
    except OSError as fault:
        # Without the file's name: it says more of this machine than the model has asked for.
        return Reply("failed", _message(fault.strerror or str(fault)), type(fault).__name__)
    except BaseException as fault:  # noqa: BLE001 - whatever the function raises, its caller is told
        return Reply("failed", _message(str(fault)), type(fault).__name__)
    return _written(value)


def _written(value: object) -> Reply:
    try:
        return Reply("value", json.dumps(_plain(value), allow_nan=False))
    except (ValueError, TypeError, RecursionError, MemoryError) as fault:
        return Reply("failed", _message(f"the result has no JSON form: {fault}"), type(fault).__name__)


def _plain(value: object) -> Any:
    return msgspec.to_builtins(value, enc_hook=_pydantic, str_keys=True)


def _found(module: str, qualname: str) -> tuple[Callable[..., Any], Arguments | None]:
    """The function of this name, with the model of its arguments where a tool was made of it."""
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    return (found.function, found.arguments) if isinstance(found, Tool) else (found, None)


def _typed(function: Callable[..., Any], model: Arguments | None, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments, which came as JSON, in the types that the function is annotated with."""
    if model is not None:
        return validated(model, given)
    hints = typing.get_type_hints(function, include_extras=True)
    return {name: _read(hints[name], value) if name in hints else value for name, value in given.items()}


def _read(hint: Any, value: Any) -> Any:
    adapter: TypeAdapter[Any] = TypeAdapter(hint)
    return adapter.validate_python(value)


def _limit(cpu_s: int, max_memory_bytes: int) -> None:
    """Bound what this process may use, and each that it starts; no dump of its memory is left behind."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_CPU, cpu_s)
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        # What the interpreter and its modules have mapped is mostly address space that is never used.
        _lower(resource.RLIMIT_AS, pages * resource.getpagesize() + max_memory_bytes)


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (allowed, allowed))


def _too_large(max_bytes: int) -> Reply:
    return Reply("failed", f"the result takes more than {max_bytes} bytes", "ResultTooLarge")


def _message(text: str) -> str:
    return text[:_MAX_MESSAGE_CHARS].encode("utf-8", "replace").decode()


def _pydantic(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} is none of the types that have one")


def _end_with_parent(parent: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(parent, 4096):
            pass
    os.killpg(0, signal.SIGKILL)


def _exactly(source: int, size_bytes: int) -> bytes:
    pieces: list[bytes] = []
    while size_bytes > 0:
        piece = os.read(source, min(size_bytes, 1 << 20))
        if not piece:
            sys.exit("the order ended early")
        pieces.append(piece)
        size_bytes -= len(piece)
    return b"".join(pieces)


if __name__ == "__main__":
    main()
