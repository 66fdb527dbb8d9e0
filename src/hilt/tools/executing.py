"""The work of a tool, from its function to the text that a model reads, and the end of it when its time is up.

Work runs in a task of its own. When the time is up the task is cancelled and given a moment to end; one that does not
is left behind. A thread can't be stopped from outside, so a plain function that hangs goes on in the background,
unread; what must end with its time runs in a process of its own, which is killed.
"""

import asyncio
import inspect
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from hilt.conversation import Card, Failed, Source, TimedOut
from hilt.threads import run_in_thread
from hilt.tools.model_text import error_text, said
from hilt.tools.processes import ChildFailed, run_in_process
from hilt.tools.tool import Tool

_GRACE_S = 0.2


class Done(Struct, frozen=True):
    """What a tool returned: its JSON text, the sources and the card that it made of it, and what went wrong in making
    these two."""

    text: str
    sources: tuple[Source, ...] = ()
    card: Card | None = None
    warnings: tuple[str, ...] = ()


async def execute(
    tool: Tool, arguments: Mapping[str, Any], timeout_s: float, *, local_only: bool
) -> Done | Failed | TimedOut:
    """Run a tool on validated arguments for `timeout_s` seconds at most. Raises nothing but CancelledError."""
    if timeout_s <= 0:
        return TimedOut(error_text(f"no time is left for {tool.name}, so it was not run"))
    work = asyncio.create_task(_work(tool, arguments, timeout_s, local_only))
    try:
        await asyncio.wait([work], timeout=timeout_s)
        if work.done() and not work.cancelled():
            return work.result()
        if work.done():
            return failure(tool, asyncio.CancelledError())  # nobody cancelled this call: the tool did so by itself
        return TimedOut(error_text(f"{tool.name} did not end within {timeout_s:g} seconds"))
    finally:
        if not work.done():
            work.cancel()
            await asyncio.wait([work], timeout=_GRACE_S)


async def _work(tool: Tool, arguments: Mapping[str, Any], timeout_s: float, local_only: bool) -> Done | Failed:
    if tool.isolation == "process":
        given = to_jsonable_python(dict(arguments))
        run = partial(run_in_process, tool.function, given, timeout_s=timeout_s, local_only=local_only)
        return await _attempted(tool, run)
    if inspect.iscoroutinefunction(tool.function):
        return await _attempted(tool, partial(tool.function, **arguments))
    return await run_in_thread(partial(_attempt, tool, arguments), name=f"tool {tool.name}")


def _attempt(tool: Tool, arguments: Mapping[str, Any]) -> Done | Failed:
    try:
        return _done(tool, tool.function(**arguments))
    except BaseException as fault:  # noqa: BLE001 - whatever a tool raises, the model reads it
        return failure(tool, fault)


async def _attempted(tool: Tool, run: Callable[[], Any]) -> Done | Failed:
    try:
        return _done(tool, await run())
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise
    except BaseException as fault:  # noqa: BLE001 - whatever a tool raises, the model reads it
        return failure(tool, fault)


def failure(tool: Tool, fault: BaseException) -> Failed:
    """What the model reads of a fault of a tool."""
    match fault:
        case ValueError():
            return Failed(error_text(said(fault) or "the tool can't use these arguments"))
        case ChildFailed():
            return Failed(error_text(f"{tool.name} failed: {fault}"))
        case OSError():
            return Failed(error_text(f"{tool.name} failed: {fault.strerror or said(fault) or type(fault).__name__}"))
        case _:
            return Failed(error_text(f"{tool.name} failed: {type(fault).__name__}: {said(fault)}"))


def _done(tool: Tool, value: Any) -> Done | Failed:
    try:
        text = _serialised(value)
    except Exception as fault:  # noqa: BLE001 - a result's own code may raise anything
        return Failed(error_text(f"{tool.name} failed: {type(fault).__name__}: {said(fault)}"), "output")
    warnings: list[str] = []
    sources = _made("sources", tool.sources, value, tuple[Source, ...], warnings)
    card = _made("card", tool.card, value, Card | None, warnings)
    return Done(text, sources or (), card, tuple(warnings))


def _made(what: str, make: Callable[[Any], Any] | None, value: Any, kind: Any, warnings: list[str]) -> Any:
    """What `make` makes of the value, if that is of this kind in all its parts."""
    if make is None:
        return None
    try:
        made = make(value)
        return of_kind(tuple(made) if what == "sources" else made, kind)
    except Exception as fault:  # noqa: BLE001 - the result is whole without them
        warnings.append(f"its {what} could not be made: {type(fault).__name__}: {said(fault)}")
        return None


def of_kind(made: Any, kind: Any) -> Any:
    """What a tool's own code has made, in characters that can be sent. Raises what it takes to see that it isn't of
    this kind in all its parts."""
    plain = json.dumps(msgspec.to_builtins(made), ensure_ascii=False)
    return msgspec.json.decode(plain.encode("utf-8", "replace"), type=kind)


def _serialised(result: object) -> str:
    plain = msgspec.to_builtins(result, enc_hook=_pydantic, str_keys=True)
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace").decode()


def _pydantic(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise NotImplementedError(f"a result of type {type(value).__name__} has no JSON form")
