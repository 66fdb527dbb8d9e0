"""Backends that wait, a caller without sockets, and a real server in a thread."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from msgspec import Struct
from starlette.types import ASGIApp, Message

from hilt.backends import Backend, ModelCard
from hilt.conversation import (
    ArgumentsDelta,
    Call,
    CallFinished,
    CallStarted,
    ContentDelta,
    ModelEvent,
    PromptRead,
    Request,
    TurnFinished,
    Usage,
)
from hilt.server import create_app, http_server, listen, url_of
from hilt.settings import ServerOptions

USAGE = Usage(prompt_tokens=9, cached_tokens=2, completion_tokens=3)
GREETING: Sequence[ModelEvent] = [
    PromptRead(9, 2),
    ContentDelta("Hel"),
    ContentDelta("lo"),
    TurnFinished("stop", USAGE),
]
ADDING: Sequence[ModelEvent] = [
    PromptRead(9, 2),
    CallStarted(0, "call_a", "add"),
    ArgumentsDelta(0, '{"a": 2,'),
    ArgumentsDelta(0, ' "b": 3}'),
    CallFinished(0, Call("call_a", "add", '{"a": 2, "b": 3}')),
    TurnFinished("tool_calls", USAGE),
]
WAIT_S = 20.0


class HeldBackend:
    """Gives some events, calls `on_waiting`, then waits until it is released or its turn is closed.

    `released` belongs to the loop that the turn runs in; `closed` can be waited for from any thread.
    """

    def __init__(
        self,
        before: Sequence[ModelEvent] = (),
        after: Sequence[ModelEvent | Exception] = (),
        on_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self.card = ModelCard(id="held", device="none", dialect=None, context_length=1)
        self.before = before
        self.after = after
        self.on_waiting = on_waiting
        self.released = asyncio.Event()
        self.closed = threading.Event()

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
        try:
            for event in self.before:
                yield event
            self.on_waiting()
            await self.released.wait()
            for step in self.after:
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            self.closed.set()


class WatchedBackend:
    """Another backend, with `closed` set when a turn of it has ended or was closed."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.card = inner.card
        self.closed = threading.Event()

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
        events = self.inner.stream(request)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()
            self.closed.set()


class Answer(Struct):
    """What an application sent; `pieces` are the bodies of its writes, `complete` tells whether it said "the end"."""

    status: int
    headers: dict[str, str]
    pieces: list[bytes]
    complete: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.body)["error"]


def app_of(backends: Mapping[str, Backend] | Backend, **options: Any) -> ASGIApp:
    named = backends if isinstance(backends, Mapping) else {"org/scripted": backends}
    ids = count(1)
    return create_app(
        named,
        ServerOptions(**options),
        version="1.2.3",
        new_id=lambda: str(next(ids)),
        now_s=lambda: 1_700_000_000.5,
    )


def chat_body(**fields: Any) -> bytes:
    return json.dumps({"model": "org/scripted", "messages": [{"role": "user", "content": "hi"}]} | fields).encode()


async def ask(
    app: ASGIApp,
    method: str = "POST",
    path: str = "/v1/chat/completions",
    body: bytes | Sequence[bytes] = b"",
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    *,
    leaves: asyncio.Event | None = None,
    on_write: Callable[[bytes], None] = lambda piece: None,
) -> Answer:
    """One request, straight to the application. The client stays unless `leaves` is set."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    unread = [
        {"type": "http.request", "body": piece, "more_body": position + 1 < len(pieces)}
        for position, piece in enumerate(pieces)
    ]
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    if not any(name == "host" for name, _ in pairs):
        pairs.append(("host", "127.0.0.1:11435"))
    answer = Answer(status=0, headers={}, pieces=[])

    async def receive() -> Message:
        if unread:
            return unread.pop(0)
        await (leaves or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            assert not answer.complete
            answer.pieces.append(message["body"])
            answer.complete = not message.get("more_body", False)
            on_write(message["body"])

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in pairs],
    }
    await app(scope, receive, send)
    return answer


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """A real server in a thread; gives its address."""
    listener = listen(ServerOptions(port=0))
    server = http_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield url_of(listener)
    finally:
        server.should_exit = True
        thread.join(WAIT_S)
        listener.close()
    assert not thread.is_alive()
