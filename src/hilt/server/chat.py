"""`POST /v1/chat/completions`: from the body to the last byte of the answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct, structs
from starlette.requests import Request as HttpRequest
from starlette.types import ASGIApp, Receive, Scope, Send

from hilt.agent import ServerTools, not_switched_on
from hilt.backends import Backend
from hilt.conversation import Bug, HiltError, ModelEvent, Request, Unavailable
from hilt.protocols import openai_chat
from hilt.protocols.model_faults import model_fault
from hilt.protocols.replies import Reply
from hilt.protocols.sse import KEEP_ALIVE
from hilt.server.answers import refusal, response_of
from hilt.server.bodies import SenderGone, TooLarge, read_body
from hilt.server.faults import REQUEST_ID
from hilt.server.served import find_served
from hilt.server.turns import Broken, Complete, Gone, News, TurnReader, reading

_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Proxies such as nginx hold a stream back unless they are told not to.
    (b"x-accel-buffering", b"no"),
]


class TurnWriter(Protocol):
    """Any protocol's stream: events in, bytes out, and whether that was all; a finished one adds nothing more."""

    finished: bool

    def feed(self, event: ModelEvent) -> bytes: ...

    def fail(self, error: HiltError) -> bytes: ...


class ChatOptions(Struct, frozen=True):
    """What the endpoint needs beside the request. `now_s` gives seconds since 1970; `server_tools` are those that
    requests may ask the server to run, None where there are none."""

    max_body_bytes: int
    keep_alive_s: float
    new_id: Callable[[], str]
    now_s: Callable[[], float]
    server_tools: ServerTools | None = None


def chat_completions(
    backends: Mapping[str, Backend], options: ChatOptions
) -> Callable[[HttpRequest], Awaitable[ASGIApp]]:
    """The endpoint: Starlette sends what it returns."""

    async def endpoint(http: HttpRequest) -> ASGIApp:
        if http.headers.get("content-encoding", "identity").lower() != "identity":
            return response_of(
                refusal(400, "Compressed bodies are not read; send plain JSON.", code="unsupported_encoding")
            )
        match await read_body(http.headers, http.receive, options.max_body_bytes):
            case TooLarge():
                return response_of(too_large(options.max_body_bytes))
            case SenderGone():
                return _nothing
            case bytes() as body:
                asked = openai_chat.parse(body)
        served = find_served(backends, asked.request.model)
        head = openai_chat.ReplyHead(
            id=f"chatcmpl-{options.new_id()}", model=served.model_id, created_s=int(options.now_s())
        )
        request = structs.replace(asked.request, model=served.model_id)
        backend = _with_server_tools(served.backend, asked.server_tools, options.server_tools)
        if asked.stream:
            writer = openai_chat.ChatStream(head, include_usage=asked.include_usage)
            return streamed(backend, request, writer, openai_chat.failure, options.keep_alive_s)
        return folded(backend, request, lambda events: openai_chat.completion(events, head), openai_chat.failure)

    return endpoint


def _with_server_tools(backend: Backend, names: Sequence[str], tools: ServerTools | None) -> Backend:
    """The backend with the tools of the server that a request asks for. Raises InvalidRequest for any other."""
    if not names:
        return backend
    if tools is None:
        raise not_switched_on(names[0], ())
    return tools.around(backend, names)


def too_large(max_body_bytes: int) -> Reply:
    """The refusal of a body over the limit."""
    return refusal(
        413,
        f"The body is larger than the {max_body_bytes} bytes that this server takes; send a shorter conversation.",
        code="body_too_large",
    )


def streamed(
    backend: Backend,
    request: Request,
    writer: TurnWriter,
    failure: Callable[[HiltError], Reply],
    keep_alive_s: float,
) -> ASGIApp:
    """The answer that sends events as they come, and a comment after `keep_alive_s` seconds of silence.

    A turn that fails at once fails with its proper status, as `failure` tells it. Once headers are out, after the
    first event or the first silence, it can only be told in the stream.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async with reading(backend, request, receive, scope[REQUEST_ID]) as turn:
            first = await turn.take(keep_alive_s)
            events, ending = first
            if isinstance(ending, Broken) and not events:
                await response_of(failure(ending.error))(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
            try:
                await _write(turn, first, writer, send, keep_alive_s)
            except asyncio.CancelledError:
                # Only the end of the server cancels a request; what its client reads ends properly all the same.
                last = writer.fail(Unavailable("The server is shutting down."))
                await send({"type": "http.response.body", "body": last})

    return answer


async def _write(turn: TurnReader, first: News, writer: TurnWriter, send: Send, keep_alive_s: float) -> None:
    """Send a turn from its first news to its end, or until its client is gone."""
    events, ending = first
    while True:
        chunk = b"".join([writer.feed(event) for event in events])
        match ending:
            case Gone():
                return
            case Broken(error):
                chunk += writer.fail(error)
            case Complete():
                chunk += writer.fail(_broken_off())
            case None:
                chunk = chunk if events else KEEP_ALIVE
        if chunk:
            await send({"type": "http.response.body", "body": chunk, "more_body": not writer.finished})
        if writer.finished:
            return
        events, ending = await turn.take(keep_alive_s)


def folded(
    backend: Backend,
    request: Request,
    fold: Callable[[list[ModelEvent]], Reply],
    failure: Callable[[HiltError], Reply],
) -> ASGIApp:
    """The answer that is sent whole: `fold` makes it of all events of the turn, or of those up to a fault of the model.

    `failure` makes it of the error of a turn that failed.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async with reading(backend, request, receive, scope[REQUEST_ID]) as turn:
            response = await _whole(turn, fold, failure)
        await response(scope, receive, send)

    return answer


async def _whole(
    turn: TurnReader, fold: Callable[[list[ModelEvent]], Reply], failure: Callable[[HiltError], Reply]
) -> ASGIApp:
    told: list[ModelEvent] = []
    while True:
        events, ending = await turn.take(None)
        told += events
        if any(model_fault(event) for event in events):
            return response_of(fold(told))
        match ending:
            case None:
                continue
            case Gone():
                return _nothing
            case Broken(error):
                return response_of(failure(error))
            case Complete():
                return response_of(fold(told))


def _broken_off() -> Bug:
    return Bug("The model's turn broke off before its end; send the request again.")


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer to a client that has left."""
