"""Searching the web through the provider that the operator chose: a SearXNG of theirs, Brave, or the ddgs package.

The provider's address is the operator's word, so it may be private; what it answers is a stranger's word, like any
page. Errors tell the model what to do, and never hold the key or the provider's address.
"""

import asyncio
import html
import importlib.util
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import httpx2
import msgspec
from msgspec import Struct

from hilt.settings import WebOptions
from hilt.tools.builtin.web.addresses import read_address
from hilt.tools.builtin.web.apart import in_thread
from hilt.tools.builtin.web.client import unreachable
from hilt.tools.builtin.web.pages import shown_line

BRAVE_URL = "https://api.search.brave.com/res/v1/web/search"
MAX_HITS = 10

_MAX_ANSWER_BYTES = 4 << 20
_MAX_QUERY_CHARS = 400
_MAX_SNIPPET_CHARS = 400
_TOO_MANY = "the search provider asks for fewer searches; wait a while, or work with what was found before"
_EMPHASIS = re.compile(r"</?(?:strong|b|em|i|mark|span|br)\b[^<>]{0,100}>", re.IGNORECASE)


class Hit(Struct, frozen=True):
    """One page that was found, and what the provider shows of it."""

    title: str
    url: str
    snippet: str


class Provider(Struct, frozen=True):
    """Where searches go: `options` chooses, `tls` gives the context that certificates are checked with."""

    options: WebOptions
    tls: Callable[[], ssl.SSLContext]
    brave_url: str = BRAVE_URL


def missing_provider(options: WebOptions) -> str | None:
    """Why the web can't be searched, in a sentence; None if it can."""
    match options.search:
        case "":
            return "no search provider is chosen; searxng, brave and ddgs are known"
        case "searxng" if not re.match(r"https?://[^/]", options.search_url):
            return "the address of the SearXNG is not set, or is none that begins with http:// or https://"
        case "brave" if not (options.brave_api_key.strip() and options.brave_api_key.strip().isascii()):
            return "Brave needs an API key, and none is set"
        case "ddgs" if importlib.util.find_spec("ddgs") is None:
            return "the package ddgs is not installed; it comes with the extra hilt[search]"
        case "searxng" | "brave" | "ddgs":
            return None


async def find(query: str, limit: int, provider: Provider) -> tuple[Hit, ...]:
    """At most `limit` hits, best first.

    Raises ValueError, in words for the model, for a query that can't be searched for or a provider that isn't set up,
    OSError for a provider that can't answer now; its `strerror` says why.
    """
    missing = missing_provider(provider.options)
    if missing is not None:
        raise ValueError(f"the web can't be searched: {missing}")
    if len(query) > _MAX_QUERY_CHARS:
        raise ValueError(f"the query is longer than {_MAX_QUERY_CHARS} characters; search with a few words")
    match provider.options.search:
        case "searxng":
            found = await _searxng(query, provider)
        case "brave":
            found = await _brave(query, limit, provider)
        case "ddgs":
            found = await _ddgs(query, limit, provider.options.timeout_s)
        case "":
            found = []
    return _hits(found)[:limit]


async def _searxng(query: str, provider: Provider) -> list[Hit]:
    base = provider.options.search_url.split("#")[0].split("?")[0].rstrip("/")
    url = base if base.endswith("/search") else f"{base}/search"
    status, answer = await _asked(url, {"q": query, "format": "json"}, {}, provider)
    if status == 403:
        raise unreachable("the SearXNG refuses answers in JSON; its operator has to list json in search.formats")
    answer = _checked(status, answer)
    found = [_hit(entry, "content") for entry in _entries(answer.get("results"))]
    silent = answer.get("unresponsive_engines")
    if not found and isinstance(silent, list) and silent:
        raise unreachable("none of the search engines behind the SearXNG answered; try again later")
    return found


async def _brave(query: str, limit: int, provider: Provider) -> list[Hit]:
    headers = {"X-Subscription-Token": provider.options.brave_api_key.strip()}
    status, answer = await _asked(provider.brave_url, {"q": query, "count": str(limit)}, headers, provider)
    if status in (401, 403, 422):
        raise unreachable("Brave refuses the search; the operator should check the API key and its plan")
    web = _checked(status, answer).get("web")
    listed = cast("dict[str, Any]", web).get("results") if isinstance(web, dict) else None
    return [_hit(entry, "description") for entry in _entries(listed)]


async def _ddgs(query: str, limit: int, timeout_s: float) -> list[Hit]:
    ddgs: Any = importlib.import_module("ddgs")
    faults: Any = importlib.import_module("ddgs.exceptions")

    def searched() -> list[Hit]:
        try:
            found = ddgs.DDGS(timeout=max(1, int(timeout_s))).text(query, max_results=limit)
        except faults.RatelimitException:
            raise unreachable(_TOO_MANY) from None
        except faults.DDGSException as fault:
            if "no results" in str(fault).lower():
                return []
            raise unreachable("the search engines did not answer; try again later") from None
        return [_hit(entry, "body", place="href") for entry in _entries(found)]

    return await in_thread(searched, {}, timeout_s + 1)


async def _asked(
    url: str, query: Mapping[str, str], headers: Mapping[str, str], provider: Provider
) -> tuple[int, bytes]:
    """Status and body of the provider's answer. Redirects are not followed: the key is meant for this address only."""
    try:
        async with asyncio.timeout(provider.options.timeout_s):
            return await _received(url, query, {"Accept": "application/json", **headers}, provider)
    except (TimeoutError, httpx2.TimeoutException):
        raise unreachable("the search provider did not answer in time; try again") from None
    except (httpx2.HTTPError, httpx2.InvalidURL):
        raise unreachable("the search provider can't be reached; its operator should check it") from None


async def _received(
    url: str, query: Mapping[str, str], headers: Mapping[str, str], provider: Provider
) -> tuple[int, bytes]:
    body = bytearray()
    client = httpx2.AsyncClient(verify=provider.tls(), trust_env=False, follow_redirects=False, timeout=None)
    async with client, client.stream("GET", url, params=query, headers=headers) as response:
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > _MAX_ANSWER_BYTES:
                raise unreachable("the search provider sent more than can be read; search more narrowly")
        return response.status_code, bytes(body)


def _checked(status: int, answer: bytes) -> dict[str, Any]:
    """The JSON object of an answer that is one."""
    if status == 429:
        raise unreachable(_TOO_MANY)
    if status != 200:
        raise unreachable(f"the search provider answered with HTTP {status}; its operator should check it")
    try:
        value = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise unreachable("the search provider did not answer in JSON; its operator should check its address")
    return cast("dict[str, Any]", value)


def _entries(value: object) -> Iterable[dict[str, Any]]:
    if not isinstance(value, list):
        return ()
    return [cast("dict[str, Any]", entry) for entry in cast("list[object]", value) if isinstance(entry, dict)]


def _hit(entry: Mapping[str, Any], snippet: str, *, place: str = "url") -> Hit:
    return Hit(_text(entry.get("title")), str(entry.get(place) or ""), _text(entry.get(snippet), _MAX_SNIPPET_CHARS))


def _text(value: object, most: int = 200) -> str:
    if not isinstance(value, str):
        return ""
    return shown_line(html.unescape(_EMPHASIS.sub("", value[: 4 * most])), most)


def _hits(found: Iterable[Hit]) -> tuple[Hit, ...]:
    """Those whose address can be fetched, in its one spelling, each once."""
    kept: dict[str, Hit] = {}
    for hit in found:
        try:
            address, _ = read_address(hit.url)
        except ValueError:
            continue
        kept.setdefault(address.url, Hit(hit.title or address.host, address.url, hit.snippet))
    return tuple(kept.values())
