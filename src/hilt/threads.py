"""Running a function that may block beside the event loop, without ever waiting longer than the caller wants to.

The threads of `asyncio.to_thread` are few, and the interpreter waits for them before it exits: a function that hangs
would first starve the others and then hold up the end of the program. So each gets a daemon thread of its own.
"""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")


async def run_in_thread(function: Callable[[], T], *, name: str) -> T:
    """What `function` returns or raises. A cancelled wait leaves the thread to end by itself."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()

    def settle(value: T | None, fault: BaseException | None) -> None:
        if not ended.done():
            ended.set_result((value, fault))

    def work() -> None:
        value, fault = None, None
        try:
            value = function()
        except BaseException as raised:  # noqa: BLE001 - raised again where it is waited for
            fault = raised
        # The loop may have closed while an abandoned thread went on; then nobody wants to know.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, value, fault)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name=name, daemon=True).start()
    value, fault = await ended
    if fault is not None:
        raise fault
    return cast("T", value)
