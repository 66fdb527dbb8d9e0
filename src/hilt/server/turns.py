"""Reading one turn of a backend while watching for a client that leaves.

The turn is read in a task of its own. So whatever the model has written while a chunk was on its way to the client is
there to be sent in one piece, silence can be noticed without disturbing the model, and a client that leaves stops its
turn at once, in the middle of the prompt too. The queue between is bounded: a slow reader slows its own turn down.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import TypeAlias

from msgspec import Struct
from starlette.types import Receive

from hilt.backends import Backend
from hilt.conversation import HiltError, ModelEvent, Request, Unavailable
from hilt.server.faults import bug_of

MAX_QUEUED = 256


class Complete(Struct, frozen=True):
    """The backend has said all it had to say."""


class Gone(Struct, frozen=True):
    """The client has left; nobody reads what is sent."""


class Broken(Struct, frozen=True):
    """The turn failed."""

    error: HiltError


Ending: TypeAlias = Complete | Gone | Broken
News: TypeAlias = tuple[list[ModelEvent], Ending | None]


class TurnReader:
    """The queue between a turn and its answer."""

    def __init__(self, max_queued: int = MAX_QUEUED) -> None:
        self._max_queued = max_queued
        self._queued: list[ModelEvent] = []
        self._ending: Ending | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, event: ModelEvent) -> None:
        """Queue one event, after waiting for room."""
        while len(self._queued) >= self._max_queued:
            self._room.clear()
            await self._room.wait()
        self._queued.append(event)
        self._news.set()

    def end(self, ending: Ending) -> None:
        """Say how the turn ended. The first word counts."""
        self._ending = self._ending or ending
        self._news.set()

    async def take(self, patience_s: float | None) -> News:
        """All events that are queued, and how the turn ended once they are the last.

        Waits for news, `patience_s` seconds at most; silence is ([], None).
        """
        if not self._queued and self._ending is None:
            self._news.clear()
            try:
                async with asyncio.timeout(patience_s):
                    await self._news.wait()
            except TimeoutError:
                return [], None
        taken, self._queued = self._queued, []
        self._room.set()
        return taken, self._ending


@asynccontextmanager
async def reading(backend: Backend, request: Request, receive: Receive, request_id: str) -> AsyncGenerator[TurnReader]:
    """Read one turn for as long as the context lasts. Leaving it closes the turn, whatever the reason."""
    reader = TurnReader()
    pump = asyncio.create_task(_pump(backend, request, reader, request_id))
    watch = asyncio.create_task(_watch(receive, reader))
    try:
        yield reader
    finally:
        pump.cancel()
        watch.cancel()
        await asyncio.wait([pump, watch])


async def _pump(backend: Backend, request: Request, reader: TurnReader, request_id: str) -> None:
    try:
        async with aclosing(backend.stream(request)) as events:
            async for event in events:
                await reader.put(event)
    except HiltError as error:
        reader.end(Broken(error))
    except Exception as error:  # noqa: BLE001
        reader.end(Broken(bug_of(error, request_id)))
    else:
        reader.end(Complete())
    finally:
        # Counts only where the backend itself was cancelled: without a last word the answer would wait for ever.
        reader.end(Broken(Unavailable("The turn was stopped before its end; send the request again.")))


async def _watch(receive: Receive, reader: TurnReader) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reader.end(Gone())
