"""Running what may take long or never end beside the event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from hilt.threads import run_in_thread
from hilt.tools.builtin.web.client import unreachable

Apart: TypeAlias = Callable[[Callable[..., Any], dict[str, Any], float], Awaitable[Any]]


async def in_thread(function: Callable[..., Any], arguments: dict[str, Any], timeout_s: float) -> Any:
    """What `function` returns for `arguments`, or raises, in a thread that is left to itself after `timeout_s`.

    Raises OSError at the timeout. A process of its own, where one is to be had, can be ended as well.
    """

    try:
        async with asyncio.timeout(timeout_s):
            return await run_in_thread(partial(function, **arguments), name="web")
    except TimeoutError:
        raise unreachable(f"the answer could not be read within {timeout_s:g} seconds; try another source") from None
