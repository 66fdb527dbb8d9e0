"""Getting one page from a stranger's server: redirects by hand, every hop checked and pinned, every size bounded.

A name is looked up once a hop, its addresses are checked, and the connection goes to a checked address itself, so a
name that means something else a moment later changes nothing. The Host header, the TLS server name and the check of
the certificate stay with the name. No connection is used twice, because one that was checked for a name must not
serve another; nothing of the environment (proxies, cookies, passwords) is sent along.
"""

import asyncio
import ssl
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import Message
from typing import Literal, TypeAlias, cast

import httpx2
from msgspec import Struct

from hilt.tools.builtin.web.addresses import WebAddress, joined
from hilt.tools.builtin.web.reach import Resolve, reachable

_MAX_REDIRECTS = 5
_MAX_ADDRESSES = 4
_REDIRECTS = (301, 302, 303, 307, 308)
_USER_AGENT = "Mozilla/5.0 (compatible; Hilt web_fetch)"
_ACCEPT = "text/html, application/xhtml+xml, application/pdf;q=0.9, text/*;q=0.9, application/json;q=0.9, */*;q=0.5"
_EIO = 5

Kind: TypeAlias = Literal["html", "pdf", "text", "unknown"]
Forbids: TypeAlias = Callable[[str], str | None]


class Reach(Struct, frozen=True):
    """How pages are fetched. `tls` gives the context that certificates are checked with; hosts in `private_hosts`, as
    `read_host` spells them, may have private addresses; `forbids` says why an address that a redirect leads to must
    not be fetched, None if it may; `timeout_s` bounds everything together, `max_bytes` the decoded content."""

    resolve: Resolve
    tls: Callable[[], ssl.SSLContext]
    forbids: Forbids
    private_hosts: frozenset[str]
    timeout_s: float
    max_bytes: int


class Fetched(Struct, frozen=True):
    """What was found at `address`, after redirects. `charset` is as the server named it, "" if it did not; `cut` tells
    that there was more than `content`."""

    address: WebAddress
    kind: Kind
    charset: str
    content: bytes
    cut: bool


async def fetch(address: WebAddress, reach: Reach) -> Fetched:
    """What lies at `address`.

    Raises ValueError, in words for the model, for what must not be fetched or isn't text, and OSError for what can't
    be fetched now; its `strerror` says why.
    """
    try:
        async with asyncio.timeout(reach.timeout_s):
            return await _followed(address, reach)
    except TimeoutError:
        raise unreachable(f"{address.host} did not send the page within {reach.timeout_s:g} seconds") from None


def unreachable(message: str) -> OSError:
    """The error of something that can't be had now, `message` being its `strerror`."""
    return OSError(_EIO, message)


async def _followed(address: WebAddress, reach: Reach) -> Fetched:
    seen = {address}
    for _ in range(_MAX_REDIRECTS + 1):
        async with _response(address, reach) as response:
            location = _location(response)
            if location is None:
                return await _read(address, response, reach.max_bytes)
        try:
            address = joined(address, location)
        except ValueError as fault:
            raise ValueError(f"the page redirects to what can't be fetched: {fault}") from None
        forbidden = reach.forbids(address.url)
        if forbidden is not None:
            raise ValueError(f"the page redirects to {address.url}, which may not be fetched: {forbidden}")
        if address in seen:
            raise ValueError("the page redirects in a circle; try another address")
        seen.add(address)
    raise ValueError(f"the page redirects more than {_MAX_REDIRECTS} times; try another address")


@asynccontextmanager
async def _response(address: WebAddress, reach: Reach) -> AsyncGenerator[httpx2.Response]:
    """The answer to a GET of `address` from the first of its checked addresses that can be connected to."""
    checked = await reachable(address.host, address.port, reach.resolve, private=address.host in reach.private_hosts)
    transport = httpx2.AsyncHTTPTransport(
        verify=reach.tls(), trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
    )
    async with transport:
        response = await _answered(address, checked[:_MAX_ADDRESSES], transport, reach.timeout_s)
        try:
            yield response
        finally:
            await response.aclose()


async def _answered(
    address: WebAddress, checked: tuple[str, ...], transport: httpx2.AsyncHTTPTransport, timeout_s: float
) -> httpx2.Response:
    fault: Exception | None = None
    for place in checked:
        try:
            return await transport.handle_async_request(_request(address, place, timeout_s / len(checked)))
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as failed:
            fault = failed
        except (httpx2.HTTPError, httpx2.InvalidURL) as failed:
            fault = failed
            break
    raise unreachable(_connection_fault(address, fault))


def _request(address: WebAddress, place: str, connect_s: float) -> httpx2.Request:
    host = f"[{place}]" if ":" in place else place
    return httpx2.Request(
        "GET",
        httpx2.URL(f"{address.scheme}://{host}:{address.port}").copy_with(raw_path=address.target.encode("ascii")),
        headers=[
            ("Host", address.authority),
            ("User-Agent", _USER_AGENT),
            ("Accept", _ACCEPT),
            ("Accept-Encoding", "gzip, deflate"),
            ("Accept-Language", "en, *;q=0.5"),
            ("Connection", "close"),
        ],
        extensions={"sni_hostname": address.host, "timeout": {"connect": connect_s}},
    )


def _connection_fault(address: WebAddress, fault: BaseException | None) -> str:
    match fault:
        case httpx2.ConnectError() if _distrusts(fault):
            return f"the certificate of {address.host} can't be trusted, so the page was not fetched"
        case httpx2.ConnectError() | httpx2.ConnectTimeout():
            return f"{address.authority} can't be connected to; check the address or try another source"
        case _:
            return f"{address.authority} broke off the connection; try again or try another source"


def _distrusts(fault: BaseException) -> bool:
    """Whether the connection failed over the certificate, as one of the causes of the fault tells."""
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _location(response: httpx2.Response) -> str | None:
    """Where a redirect leads; None for any other answer. Names that are no ASCII are mostly sent as UTF-8."""
    if response.status_code not in _REDIRECTS:
        return None
    values = [value for name, value in response.headers.raw if name.lower() == b"location"]
    if len(set(values)) != 1:
        raise ValueError("the page redirects, but does not say where to")
    return values[0].decode("utf-8", "replace")


async def _read(address: WebAddress, response: httpx2.Response, max_bytes: int) -> Fetched:
    _check_status(address, response)
    named, charset = _content_type(response)
    kind = _kind(named)
    if kind is None:
        raise ValueError(f"the address holds {named[:60]}, and only pages, text and PDF can be read")
    try:
        content, cut = await _content(response, max_bytes)
    except httpx2.HTTPError:
        raise unreachable(f"{address.authority} broke off the connection within the page; try again") from None
    if kind == "unknown":
        kind = _sniffed(content)
    return Fetched(address, kind, charset, content, cut)


def _check_status(address: WebAddress, response: httpx2.Response) -> None:
    status = response.status_code
    if 200 <= status < 300:
        return
    match status:
        case 404 | 410:
            raise ValueError(f"there is no page at {address.url} (HTTP {status}); check the address or search for it")
        case 401 | 402 | 403 | 407 | 451:
            raise ValueError(f"{address.host} does not show this page to strangers (HTTP {status}); try another source")
        case 429:
            raise unreachable(f"{address.host} asks for fewer requests (HTTP 429); wait or try another source")
        case _:
            raise unreachable(f"{address.host} answered with HTTP {status} and no page; try again or elsewhere")


def _content_type(response: httpx2.Response) -> tuple[str, str]:
    """The media type in lower case and the charset, "" for what is not named."""
    value = response.headers.get("content-type", "")
    message = Message()
    message["Content-Type"] = "".join(character for character in value[:500] if character.isprintable())
    charset = message.get_param("charset", "") if value else ""
    return (message.get_content_type() if "/" in value else ""), charset if isinstance(charset, str) else ""


def _kind(named: str) -> Kind | None:
    """What is made of a media type; None if it can't be read."""
    match named:
        case "text/html" | "application/xhtml+xml":
            return "html"
        case "application/pdf" | "application/x-pdf":
            return "pdf"
        case "" | "application/octet-stream" | "binary/octet-stream" | "application/force-download":
            return "unknown"
        case "application/json" | "application/xml" | "application/yaml" | "application/x-yaml" | "application/toml":
            return "text"
        case "application/javascript" | "application/x-ndjson" | "application/jsonl" | "application/x-sh":
            return "text"
        case _:
            return "text" if named.startswith("text/") or named.endswith(("+json", "+xml", "+yaml")) else None


def _sniffed(content: bytes) -> Kind:
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"%pdf-"):
        return "pdf"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "html"
    return "text"


async def _content(response: httpx2.Response, max_bytes: int) -> tuple[bytes, bool]:
    """The decoded content up to `max_bytes`, and whether there was more. No more than that is read either, so that an
    endless stream of nothing ends too."""
    decoded = bytearray()
    received = 0
    inflate = _inflater(response.headers.get("content-encoding", ""))
    async for piece in cast("AsyncIterator[bytes]", response.stream):
        received += len(piece)
        decoded += inflate(piece, max_bytes + 1 - len(decoded))
        if len(decoded) > max_bytes or received > max_bytes:
            return bytes(decoded[:max_bytes]), True
    return bytes(decoded), False


def _inflater(encoding: str) -> Callable[[bytes, int], bytes]:
    """A function (piece, the most bytes wanted) -> decoded bytes. One coding is taken and no stack of them, which only
    bombs have."""
    match encoding.strip().lower():
        case "" | "identity":
            return lambda piece, most: piece[:most]
        case "gzip" | "x-gzip":
            return _bounded(zlib.MAX_WBITS | 32)
        case "deflate":
            return _deflated()
        case other:
            raise ValueError(f"the page is packed as {other[:40]!r}, which can't be read; try another source")


def _deflated() -> Callable[[bytes, int], bytes]:
    """The coding "deflate" has a zlib header by its definition, and often none in fact; the first byte tells."""
    chosen: list[Callable[[bytes, int], bytes]] = []

    def inflate(piece: bytes, most: int) -> bytes:
        if not piece:
            return b""
        if not chosen:
            chosen.append(_bounded(zlib.MAX_WBITS if piece[0] & 0x0F == 8 else -zlib.MAX_WBITS))
        return chosen[0](piece, most)

    return inflate


def _bounded(window: int) -> Callable[[bytes, int], bytes]:
    decompressor = zlib.decompressobj(window)

    def inflate(piece: bytes, most: int) -> bytes:
        try:
            return decompressor.decompress(piece, max(most, 1))
        except zlib.error:
            raise unreachable("the page is packed in a way that can't be unpacked; try another source") from None

    return inflate
