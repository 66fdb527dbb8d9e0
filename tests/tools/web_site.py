"""A server on loopback that answers byte by byte as a test wants, and the web tools pointed at it."""

import asyncio
import functools
import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import httpx2
import msgspec

from hilt.settings import WebOptions
from hilt.tools.builtin.web import web_tools

# Made once, because reading the system's certificates takes longer than most tests.
TLS = functools.cache(httpx2.create_ssl_context)
LOOPBACK = "127.0.0.1"
PUBLIC = "93.184.215.14"

Send: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]
Answer: TypeAlias = bytes | Send


class Site:
    """What is served by path, and what was asked: pairs of the request's target and its headers by lower-case name."""

    def __init__(self, pages: Mapping[str, Answer]) -> None:
        self.pages = dict(pages)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            target = head[0].split(" ")[1]
            fields = (line.split(": ", 1) for line in head[1:] if ": " in line)
            self.asked.append((target, {name.lower(): value for name, value in fields}))
            answer = self.pages.get(target.split("?")[0], page(b"none", status="404 Not Found"))
            if isinstance(answer, bytes):
                writer.write(answer)
            else:
                await answer(writer)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(pages: Mapping[str, Answer], tls: ssl.SSLContext | None = None) -> AsyncGenerator[Site]:
    site = Site(pages)
    tasks: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await site.serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(served, LOOPBACK, 0, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)


def page(
    body: bytes, kind: str = "text/html; charset=utf-8", *, status: str = "200 OK", headers: Sequence[str] = ()
) -> bytes:
    """A whole answer."""
    named = [f"Content-Type: {kind}"] if kind else []
    lines = [f"HTTP/1.1 {status}", *named, f"Content-Length: {len(body)}", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return page(b"", status=status, headers=(f"Location: {location}",))


def names(**addresses: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A resolver of names in `.test`, "site" being on loopback; each asking takes the next of a name's answers, the
    last for ever. An answer may hold several addresses, with spaces between."""
    left = {"site": [LOOPBACK], **{name: list(answers) for name, answers in addresses.items()}}

    async def resolve(host: str, port: int) -> Sequence[str]:
        answers = left.get(host.removesuffix(".test"), [])
        if not answers:
            raise OSError("unknown")
        return (answers.pop(0) if len(answers) > 1 else answers[0]).split()

    return resolve


async def fetched(
    url: str, *, offset: int = 0, options: Mapping[str, Any] | None = None, **made: Any
) -> dict[str, Any]:
    """What web_fetch returns as JSON, or {"error": ...}; site.test may be private."""
    given = {"private_hosts": ("site.test",), "timeout_s": 10.0, **(options or {})}
    tool = {tool.name: tool for tool in web_tools(WebOptions(**given), **{"resolve": names(), "tls": TLS, **made})}[
        "web_fetch"
    ]
    return await _told(tool.function(url=url, offset=offset))


async def searched(query: str, limit: int = 5, *, options: Mapping[str, Any], **made: Any) -> dict[str, Any]:
    """What web_search returns as JSON, or {"error": ...}."""
    tool = {tool.name: tool for tool in web_tools(WebOptions(**options), tls=TLS, **made)}["web_search"]
    return await _told(tool.function(query=query, limit=limit))


async def _told(result: Awaitable[Any]) -> dict[str, Any]:
    try:
        return json.loads(msgspec.json.encode(await result))
    except OSError as fault:
        return {"error": fault.strerror}
    except ValueError as fault:
        return {"error": str(fault)}
