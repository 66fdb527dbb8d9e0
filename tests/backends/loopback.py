"""A server on the loopback that answers what it is told to, byte for byte, and keeps what it was asked."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from msgspec import Struct

from hilt.backends.openai_http import Address
from hilt.backends.remote import RemoteBackend, RemoteModel, RemoteWay
from hilt.conversation import ModelEvent, Request
from hilt.dialects import CATALOG


class Answer(Struct, frozen=True):
    """`pieces` are sent one by one; with `hangs` the connection stays open behind them."""

    pieces: tuple[bytes, ...]
    status: int = 200
    kind: str = "text/event-stream"
    headers: tuple[str, ...] = ()
    hangs: bool = False


class Asked(Struct, frozen=True):
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Loopback:
    """Gives each answer once, in order. `asked` keeps what came."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = list(answers)
        self._closing = asyncio.Event()
        self.asked: list[Asked] = []
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.asked.append(Asked(first.split()[1], headers, json.loads(body)))
        answer = self._answers.pop(0)
        sent = [f"HTTP/1.1 {answer.status} X", f"content-type: {answer.kind}", "connection: close", *answer.headers]
        writer.write("\r\n".join([*sent, "", ""]).encode())
        for piece in answer.pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if answer.hangs:
            await self._closing.wait()
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[str]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{self.port}/v1"
        finally:
            self._closing.set()
            server.close()
            await server.wait_closed()


def sse(*chunks: object, done: bool = True) -> bytes:
    """Chunks as server-sent events."""
    text = "".join(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks)
    return (text + ("data: [DONE]\n\n" if done else "")).encode()


def delta(finish: str | None = None, **said: Any) -> dict[str, Any]:
    """A chunk of a chat."""
    return {"choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


class Spoken(Struct, frozen=True):
    """What came of a turn: its events, what the server was asked, and the waits."""

    events: list[ModelEvent]
    asked: list[Asked]
    waited: list[float]


def speak(
    request: Request,
    *answers: Answer,
    way: RemoteWay = "native",
    dialect: str = "jsonl",
    key: str = "",
    stall_s: float = 20.0,
) -> Spoken:
    """The turn of a remote model that is answered so."""

    async def spoken() -> Spoken:
        loopback = Loopback(answers)
        numbers = iter(range(1000))
        waited: list[float] = []

        async def sleep(wait_s: float) -> None:
            waited.append(wait_s)

        async with loopback.running() as url, httpx2.AsyncClient(trust_env=False) as client:
            address = Address(url, key, stall_s=stall_s)
            remote = RemoteModel(address, "far", way, CATALOG[dialect])
            backend = RemoteBackend(remote, client, lambda: f"call_{next(numbers)}", sleep)
            events = [event async for event in backend.stream(request)]
        return Spoken(events, loopback.asked, waited)

    return asyncio.run(spoken())
