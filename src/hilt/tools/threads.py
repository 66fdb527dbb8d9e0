"""Running a function that may block beside the event loop, without ever waiting longer than the caller wants to.

The threads of `asyncio.to_thread` are few, and the interpreter waits for them before it exits: a tool that hangs
would first starve the others and then hold up the end of the program. So each call gets a daemon thread of its own.
"""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def run_in_thread(function: Callable[[], T], *, name: str) -> T:
    """What `function` returns; it must not raise. A cancelled wait leaves the thread to end by itself."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(value: T) -> None:
        if not future.done():
            future.set_result(value)

    def work() -> None:
        value = function()
        # The loop may have closed while an abandoned thread went on; then nobody wants its value.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, value)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name=name, daemon=True).start()
    return await future
