"""One streamed request to an OpenAI-compatible server: sent, its errors told as ours, its events cut apart.

The key stands in a header and in no message, even where the server repeats it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeAlias, cast

import httpx2
import msgspec
from msgspec import Struct

from hilt.backends.openai_wire import WireChunk, encoded
from hilt.conversation import HiltError, InvalidRequest, NotFound, Overloaded, Unavailable

MAX_EVENT_BYTES = 8 << 20
MAX_REPLY_BYTES = 64 << 20
MAX_ERROR_BYTES = 64 << 10
MAX_RETRY_WAIT_S = 30.0
_TOLD_CHARS = 300
_LAST_PORT = 65535
_DONE = b"[DONE]"

Sleep: TypeAlias = Callable[[float], Awaitable[None]]


class Address(Struct, frozen=True):
    """Where a server is and how one gets in: `url` is that of its API, such as "http://127.0.0.1:8080/v1"; `connect_s`
    bounds the way there, `stall_s` each silence."""

    url: str
    api_key: str = ""
    connect_s: float = 10.0
    stall_s: float = 120.0

    @property
    def shown(self) -> str:
        """The address as it may be told: without names and words to get in."""
        try:
            parsed = httpx2.URL(self.url)
        except httpx2.InvalidURL:
            return "(its address can't be read)"
        port = "" if parsed.port is None else f":{parsed.port}"
        host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
        return f"{parsed.scheme}://{host}{port}{parsed.path}"

    def endpoint(self, path: str) -> httpx2.URL:
        """The address of one of its routes; a query stays. Raises httpx2.InvalidURL."""
        parsed = httpx2.URL(self.url)
        if parsed.port is not None and parsed.port > _LAST_PORT:
            raise httpx2.InvalidURL(f"{parsed.port} is no port")
        return parsed.copy_with(path=f"{parsed.path.rstrip('/')}/{path}")

    def hidden(self, text: str) -> str:
        """A text of the server on one line, cut, and without the key."""
        if self.api_key:
            text = text.replace(self.api_key, "[key]")
        text = " ".join(text.split())
        return text if len(text) <= _TOLD_CHARS else f"{text[:_TOLD_CHARS]}…"


async def streamed(
    client: httpx2.AsyncClient, address: Address, path: str, body: dict[str, Any], sleep: Sleep = asyncio.sleep
) -> AsyncGenerator[WireChunk]:
    """The chunks of the reply to a body; one chunk if the server doesn't stream.

    A server that asks for patience (429) is asked once more after the time that it names, if that is short; one that
    doesn't know `stream_options` is asked without. Raises InvalidRequest, NotFound, Overloaded and Unavailable. What
    ends before its end is Unavailable.
    """
    may_wait = True
    while True:
        try:
            async with client.stream(
                "POST",
                address.endpoint(path),
                content=encoded(body),
                headers=_headers(address),
                timeout=httpx2.Timeout(address.stall_s, connect=address.connect_s),
            ) as response:
                if response.status_code == 200:
                    async with aclosing(_chunks(response, address)) as chunks:
                        async for chunk in chunks:
                            yield chunk
                    return
                told = await _told(response)
        except httpx2.TimeoutException as problem:
            raise Unavailable(_silence(address, problem)) from problem
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as problem:
            reason = address.hidden(str(problem)) or type(problem).__name__
            raise Unavailable(f"The server {address.shown} can't be reached or broke off: {reason}") from problem
        wait_s = _wait_s(response)
        if response.status_code == 429 and may_wait and wait_s <= MAX_RETRY_WAIT_S:
            may_wait = False
            await sleep(wait_s)
        elif response.status_code in (400, 422) and "stream_options" in body and "stream_options" in told:
            body = {name: value for name, value in body.items() if name != "stream_options"}
        else:
            raise _refusal(address, response.status_code, told, wait_s, str(body.get("model", "")))


def _headers(address: Address) -> dict[str, str]:
    if not (address.api_key.isascii() and address.api_key.isprintable()):
        raise Unavailable(
            f"The API key for the server {address.shown} can't be sent: it holds line breaks or other characters than"
            " ASCII. Set it again."
        )
    headers = {"content-type": "application/json", "accept": "text/event-stream, application/json"}
    return headers | ({"authorization": f"Bearer {address.api_key}"} if address.api_key else {})


async def _told(response: httpx2.Response) -> str:
    """The beginning of an answer that tells of an error."""
    kept = b""
    async for piece in response.aiter_bytes():
        kept += piece
        if len(kept) >= MAX_ERROR_BYTES:
            break
    return _message(kept[:MAX_ERROR_BYTES])


def _message(body: bytes) -> str:
    """What an error says: OpenAI's `error.message`, or another server's words."""
    try:
        told: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return body.decode("utf-8", "replace")
    return _words(told)


def _words(told: Any) -> str:
    if isinstance(told, dict):
        members = cast("dict[str, Any]", told)
        for name in ("error", "message", "detail"):
            if members.get(name):
                return _words(members[name])
    return told if isinstance(told, str) else msgspec.json.encode(told).decode()


def _wait_s(response: httpx2.Response) -> float:
    """The seconds that the server asks to wait; 1 where it doesn't say so in seconds."""
    try:
        wait_s = float(response.headers.get("retry-after", ""))
    except ValueError:
        return 1.0
    return wait_s if 0 <= wait_s < float("inf") else 1.0


def _silence(address: Address, problem: httpx2.TimeoutException) -> str:
    if isinstance(problem, httpx2.ConnectTimeout):
        return f"The server {address.shown} can't be reached: no answer within {address.connect_s:g} seconds."
    return f"The server {address.shown} has said nothing for {address.stall_s:g} seconds, so its reply was given up."


def _refusal(address: Address, status: int, told: str, wait_s: float, model: str) -> HiltError:
    words = address.hidden(told) or f"status {status}"
    shown = address.shown
    if status in (401, 403):
        return Unavailable(
            f"The server {shown} doesn't let us in ({status}): check the API key for it. It says: {words}"
        )
    if status == 404:
        return NotFound(
            f"The server {shown} has no model {model!r}, or it isn't an OpenAI-compatible API: {words}", param="model"
        )
    if status == 429:
        return Overloaded(f"The server {shown} is overloaded: {words}", retry_after_s=max(1, round(min(wait_s, 86400))))
    if 400 <= status < 500:
        return InvalidRequest(f"The server {shown} refuses the request ({status}): {words}")
    return Unavailable(f"The server {shown} failed ({status}): {words}")


# The stream

_BROKEN = "The reply of the server {shown} broke off: {reason}"


async def _chunks(response: httpx2.Response, address: Address) -> AsyncGenerator[WireChunk]:
    """The chunks of a stream, or of an answer that came whole; an empty one marks the end, if the server tells it."""
    if response.headers.get("content-type", "").startswith("application/json"):
        yield _chunk(await _whole(response, address), address)
        yield WireChunk()
        return
    async for payload in _events(response.aiter_bytes(), address):
        if payload == _DONE:
            yield WireChunk()
            return
        yield _chunk(payload, address)


async def _whole(response: httpx2.Response, address: Address) -> bytes:
    kept = bytearray()
    async for piece in response.aiter_bytes():
        kept += piece
        if len(kept) > MAX_REPLY_BYTES:
            raise _broken(address, f"it is longer than {MAX_REPLY_BYTES} bytes")
    return bytes(kept)


async def _events(pieces: AsyncIterator[bytes], address: Address) -> AsyncGenerator[bytes]:
    """The payloads of server-sent events. Only `data` counts; a line ends in LF, CRLF or CR."""
    held = b""
    total = 0
    fields: list[bytes] = []
    async for piece in pieces:
        total += len(piece)
        if len(held) + len(piece) > MAX_EVENT_BYTES or total > MAX_REPLY_BYTES:
            raise _broken(address, "it is too long")
        # A CR at the end may be half of a CRLF, so the last line is held until the next piece.
        text = held + piece
        end = text.endswith(b"\r")
        lines = (text[:-1] if end else text).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        held = lines.pop() + (b"\r" if end else b"")
        for line in lines:
            if line.startswith(b"data:"):
                fields.append(line[5:].removeprefix(b" "))
            elif not line and fields:
                yield b"\n".join(fields).strip()
                fields = []
    if held.startswith(b"data:"):
        fields.append(held[5:].strip())
    if fields:  # some servers leave out the last empty line
        yield b"\n".join(fields).strip()


def _chunk(payload: bytes, address: Address) -> WireChunk:
    try:
        chunk = msgspec.json.decode(payload, type=WireChunk, strict=False)
    except (msgspec.DecodeError, RecursionError) as problem:
        raise _broken(address, f"it holds what can't be read: {problem}") from problem
    if chunk.error is not None:
        raise _broken(address, _words(chunk.error))
    return chunk


def _broken(address: Address, reason: str) -> Unavailable:
    return Unavailable(_BROKEN.format(shown=address.shown, reason=address.hidden(reason)))
