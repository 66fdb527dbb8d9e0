"""Running what may take long or never end beside the event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from hilt.threads import run_in_thread
from hilt.tools.builtin.web.client import unreachable

Apart: TypeAlias = Callable[[Callable[..., Any], dict[str, Any], float], Awaitable[Any]]


async def in_thread(function: Callable[..., Any], arguments: dict[str, Any], timeout_s: float) -> Any:
    """What `function` returns for `arguments`, or raises, in a thread that is left to itself after `timeout_s`.

    Raises OSError at the timeout. A process of its own, where one is to be had, can be ended as well.
    """

    def attempted() -> tuple[Any, Exception | None]:
        try:
            return function(**arguments), None
        except Exception as fault:  # noqa: BLE001 - it is raised again where the result is waited for
            return None, fault

    try:
        async with asyncio.timeout(timeout_s):
            value, fault = await run_in_thread(attempted, name="web")
    except TimeoutError:
        raise unreachable(f"the answer could not be read within {timeout_s:g} seconds; try another source") from None
    if fault is not None:
        raise fault
    return value
