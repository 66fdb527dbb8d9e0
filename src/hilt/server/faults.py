"""The outermost layer: an id for every request, and an answer for every fault, so that none touches another request."""

import asyncio
import logging
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilt.conversation import Bug, HiltError, Unavailable
from hilt.server.answers import fault_response

REQUEST_ID = "hilt.request_id"

_log = logging.getLogger("hilt.server")


def bug_of(error: Exception, request_id: str) -> Bug:
    """Log an exception that nobody expected, with its traceback, and give what the client may know of it."""
    _log.error("%s failed", request_id, exc_info=error)
    return Bug(f"The server made a mistake on request {request_id}; its log says more. Other requests go on.")


def contained(app: ASGIApp, *, new_id: Callable[[], str]) -> ASGIApp:
    """`app` with x-request-id on every answer, and with faults that come before an answer turned into one."""

    async def contain(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        request_id = f"req_{new_id()}"
        scope[REQUEST_ID] = request_id
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        fault: HiltError
        try:
            await app(scope, receive, send_with_id)
            return
        except HiltError as error:
            fault = error
        except asyncio.CancelledError:
            # Only the end of the server cancels a request. uvicorn would print a traceback for each.
            fault = Unavailable("The server is shutting down.")
        except Exception as error:  # noqa: BLE001
            fault = bug_of(error, request_id)
        if not started:
            await fault_response(fault)(scope, receive, send_with_id)

    return contain
