"""Two tools that reach the web: searching it, and reading a page of it.

They are told apart from all others by what can go wrong: the address may be the model's, or that of a stranger whose
page the model has read, so `reach` and `client` see to it that no request ever goes to a machine that is not public.
"""

import base64
import json
import ssl
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated

import httpx2
import msgspec
from msgspec import UNSET, Struct, UnsetType
from pydantic import Field

from hilt.conversation import InvalidRequest, Source
from hilt.settings import WebOptions
from hilt.tools.builtin.web.addresses import canonical_url, read_address, read_host
from hilt.tools.builtin.web.apart import Apart, in_thread
from hilt.tools.builtin.web.client import Fetched, Forbids, Reach, fetch, unreachable
from hilt.tools.builtin.web.pages import Readable, read_page
from hilt.tools.builtin.web.reach import Resolve, system_resolve
from hilt.tools.builtin.web.searching import BRAVE_URL, MAX_HITS, Hit, Provider, find, missing_provider
from hilt.tools.normalising import renamed
from hilt.tools.tool import Rate, Tool, tool

# Below the runtime's cap, so that a long page is cut here, at an end and marked, and not in the middle of its JSON.
_MAX_TEXT_CHARS = 12_000
_MAX_JSON_CHARS = 14_000
_READING_S = 15.0


class Page(Struct, frozen=True):
    """A stretch of a page's text; `url` is where it was found after redirects. `next_offset` is where the rest begins,
    and `truncated` tells that there is some, or that the page was too large to be read whole."""

    url: str
    title: str
    text: str
    truncated: bool
    next_offset: int | UnsetType = UNSET


class Found(Struct, frozen=True):
    """What a search found, best first."""

    query: str
    results: tuple[Hit, ...]


def web_tools(
    options: WebOptions,
    *,
    resolve: Resolve = system_resolve,
    apart: Apart = in_thread,
    forbids: Forbids = lambda url: None,
    tls: Callable[[], ssl.SSLContext] | None = None,
    brave_url: str = BRAVE_URL,
) -> tuple[Tool, ...]:
    """web_search and web_fetch.

    `resolve` gives the addresses of a name. `apart` runs a function of a module with JSON arguments for so many seconds
    and then raises TimeoutError or OSError; it reads pages, best in a process of its own that may open no socket.
    `forbids` is asked about each address that a redirect leads to, in its one spelling, and gives a reason not to
    follow or None; the address of the call itself is the policy's. `tls` makes the context that certificates are
    checked with. Raises InvalidRequest if one of `private_hosts` is no host.
    """
    context = cache(tls or httpx2.create_ssl_context)
    reach = Reach(resolve, context, forbids, _private_hosts(options), options.timeout_s, options.max_bytes)
    return _search_tool(Provider(options, context, brave_url)), _fetch_tool(reach, apart)


def _search_tool(provider: Provider) -> Tool:
    @tool(
        effect="external",
        timeout_s=provider.options.timeout_s + 2,
        aliases=("websearch", "search_web", "google_search", "internet_search"),
        permission="web:read",
        domain="web",
        keywords=("internet", "online", "news", "google", "look up", "latest", "find"),
        examples=(
            ("Who won the Tour de France this year?", {"query": "Tour de France winner"}),
            ("Find three pages on growing basil indoors.", {"query": "growing basil indoors", "limit": 3}),
        ),
        normalisers=(renamed(query=("q", "search", "search_query")),),
        missing=lambda: missing_provider(provider.options),
        sources=_found_sources,
        rate=Rate(calls=30, per_s=60.0),
        untrusted=True,
    )
    async def web_search(
        query: Annotated[str, Field(description="What to search for, in a few words.")],
        limit: Annotated[int, Field(description=f"The most results to return, 1 to {MAX_HITS}.")] = 5,
    ) -> Found:
        """Search the web for pages; web_fetch reads one of them."""
        wanted = " ".join(query.split())
        if not wanted:
            raise ValueError("the query is empty; say what to search for")
        return Found(wanted, await find(wanted, min(max(limit, 1), MAX_HITS), provider))

    return web_search


def _fetch_tool(reach: Reach, apart: Apart) -> Tool:
    @tool(
        effect="external",
        timeout_s=reach.timeout_s + _READING_S + 2,
        aliases=("fetch", "fetch_url", "open_url", "browse", "visit_page"),
        permission="web:read",
        domain="web",
        keywords=("internet", "page", "website", "link", "address", "download", "article", "pdf", "read"),
        examples=(
            ("What does https://example.org/news say?", {"url": "https://example.org/news"}),
            ("Go on reading that page.", {"url": "https://example.org/news", "offset": _MAX_TEXT_CHARS}),
        ),
        normalisers=(renamed(url=("uri", "link", "address", "href")), canonical_url),
        sources=_page_sources,
        untrusted=True,
    )
    async def web_fetch(
        url: Annotated[str, Field(description="The address of the page, such as https://example.org/news.")],
        offset: Annotated[
            int, Field(description="Where in the page's text to begin, to read on where it was truncated.", ge=0)
        ] = 0,
    ) -> Page:
        """Read a web page, a PDF or a text file at an address of the web, as plain text."""
        address, _ = read_address(url)
        fetched = await fetch(address, reach)
        return _page(fetched, await _read(fetched, apart), offset)

    return web_fetch


async def _read(fetched: Fetched, apart: Apart) -> Readable:
    arguments = {
        "content": base64.b64encode(fetched.content).decode("ascii"),
        "kind": fetched.kind,
        "charset": fetched.charset,
        "url": fetched.address.url,
    }
    try:
        read = await apart(read_page, arguments, _READING_S)
    except TimeoutError:
        raise unreachable(f"the page could not be read within {_READING_S:g} seconds; try another source") from None
    return msgspec.convert(read, Readable, from_attributes=True)


def _page(fetched: Fetched, readable: Readable, offset: int) -> Page:
    whole = readable.text
    if offset and offset >= len(whole):
        raise ValueError(f"the page's text has {len(whole)} characters, so none begins at offset {offset}")
    text = _fitting(whole[offset : offset + _MAX_TEXT_CHARS])
    end = offset + len(text)
    more = end < len(whole)
    return Page(
        url=fetched.address.url,
        title=readable.title,
        text=text,
        truncated=more or readable.cut or fetched.cut,
        next_offset=end if more else UNSET,
    )


def _fitting(text: str) -> str:
    """As much of the text as its JSON has room for, where quotes and line breaks count twice."""
    while (written := len(json.dumps(text, ensure_ascii=False))) > _MAX_JSON_CHARS:
        text = text[: len(text) * _MAX_JSON_CHARS // written]
    return text


def _page_sources(page: Page) -> Sequence[Source]:
    return (Source(page.title or page.url, page.url),)


def _found_sources(found: Found) -> Sequence[Source]:
    return tuple(Source(hit.title, hit.url) for hit in found.results)


def _private_hosts(options: WebOptions) -> frozenset[str]:
    try:
        return frozenset(read_host(host) for host in options.private_hosts)
    except ValueError as fault:
        raise InvalidRequest(f"one of the private hosts can't be read: {fault}", param="private_hosts") from None


__all__ = ["Found", "Page", "web_tools"]
