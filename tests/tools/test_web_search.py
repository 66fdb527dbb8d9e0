"""Searching through providers that answer as SearXNG, Brave and the ddgs package do."""

import asyncio
import importlib.machinery
import json
import sys
from types import ModuleType
from typing import Any

import pytest

from hilt.conversation import Source
from hilt.settings import WebOptions
from hilt.tools.builtin.web import Found, web_tools
from hilt.tools.builtin.web.searching import Hit, missing_provider
from hilt.tools.tool import Capability, unavailable
from tests.tools.web_site import Answer, page, redirect, searched, serving

Json = dict[str, Any]
KEY = "canary-key-123"

SEARXNG = {
    "query": "basil",
    "number_of_results": 0,
    "results": [
        {"url": "https://a.example/basil?x=1#top", "title": "Basil &amp; <b>herbs</b>", "content": "How to\n grow it."},
        {"url": "https://A.example/basil?x=1", "title": "The same again", "content": ""},
        {"url": "javascript:canary()", "title": "Odd", "content": ""},
        {"url": "https://user:canary@a.example/", "title": "Odd", "content": ""},
        {"url": "https://b.example", "title": "", "content": None, "engines": ["x"]},
        {"title": "No address"},
        "no entry",
        {"url": "https://c.example/", "title": "C\u202e" * 300, "content": "word " * 500},
    ],
    "answers": [],
    "unresponsive_engines": [["google", "timeout"]],
}
BRAVE = {
    "type": "search",
    "query": {"original": "basil"},
    "web": {
        "type": "search",
        "results": [
            {"title": "Basil", "url": "https://a.example/", "description": "Grow <strong>basil</strong> &lt;5 pots"},
        ],
    },
}


def answer(value: object, *, status: str = "200 OK", headers: tuple[str, ...] = ()) -> bytes:
    return page(json.dumps(value).encode(), "application/json", status=status, headers=headers)


def ask(served: Answer, search: str, query: str = "basil", limit: int = 5, **options: Any) -> tuple[Json, list[Any]]:
    """What a search through a provider comes to, and what the provider was asked."""

    async def asked() -> tuple[Json, list[Any]]:
        async with serving({"/search": served, "/sub/search": served}) as site:
            base = f"http://127.0.0.1:{site.port}"
            given = {"search": search, "search_url": base, "brave_api_key": KEY, "timeout_s": 10.0, **options}
            given["search_url"] = given["search_url"].replace("BASE", base)
            result = await searched(query, limit, options=given, brave_url=f"{base}/search")
            return result, site.asked

    return asyncio.run(asked())


def test_searxng() -> None:
    result, asked = ask(answer(SEARXNG), "searxng", "growing  basil & co")
    assert result["query"] == "growing basil & co"
    first, second, third = result["results"]
    assert first == {"title": "Basil & herbs", "url": "https://a.example/basil?x=1", "snippet": "How to grow it."}
    assert second == {"title": "b.example", "url": "https://b.example/", "snippet": ""}
    assert len(third["title"]) == 200
    assert "\u202e" not in third["title"]
    assert len(third["snippet"]) == 400
    assert [target for target, _ in asked] == ["/search?q=growing+basil+%26+co&format=json"]


@pytest.mark.parametrize("url", ["BASE", "BASE/", "BASE/search", "BASE/sub", "BASE/sub/search/?q=x"])
def test_the_address_of_a_searxng_may_have_a_path(url: str) -> None:
    result, asked = ask(answer(SEARXNG), "searxng", search_url=url)
    assert len(result["results"]) == 3
    assert asked[0][0].split("?")[0] == ("/sub/search" if "sub" in url else "/search")


def test_brave() -> None:
    result, asked = ask(answer(BRAVE), "brave", limit=3)
    assert result["results"] == [{"title": "Basil", "url": "https://a.example/", "snippet": "Grow basil <5 pots"}]
    ((target, headers),) = asked
    assert target == "/search?q=basil&count=3"
    assert headers["x-subscription-token"] == KEY


@pytest.mark.parametrize(("limit", "shown"), [(-3, 1), (0, 1), (2, 2), (10, 10), (1000, 10)])
def test_the_limit_is_kept(limit: int, shown: int) -> None:
    many = {"results": [{"url": f"https://a.example/{number}", "title": "T"} for number in range(30)]}
    result, _ = ask(answer(many), "searxng", limit=limit)
    assert len(result["results"]) == shown
    assert len(json.dumps(result)) < 12_000


@pytest.mark.parametrize("value", [{}, {"web": None}, {"web": {"results": {}}}, {"results": []}, {"results": [[]]}])
@pytest.mark.parametrize("search", ["searxng", "brave"])
def test_nothing_found(search: str, value: object) -> None:
    assert ask(answer(value), search)[0] == {"query": "basil", "results": []}


FAULTS: list[tuple[str, Answer, str]] = [
    ("searxng", answer({}, status="429 Too Many"), "asks for fewer searches"),
    ("brave", answer({}, status="429 Too Many"), "asks for fewer searches"),
    ("searxng", answer({}, status="403 Forbidden"), "list json in search.formats"),
    ("brave", answer({}, status="401 Unauthorized"), "should check the API key"),
    ("brave", answer({}, status="422 Unprocessable"), "should check the API key"),
    ("searxng", answer({}, status="500 Oh"), "answered with HTTP 500"),
    ("brave", redirect("https://evil.example/"), "answered with HTTP 302"),
    ("searxng", page(b"<html>a page</html>"), "did not answer in JSON"),
    ("searxng", answer([1]), "did not answer in JSON"),
    ("brave", page(b'{"web": ', "application/json"), "did not answer in JSON"),
    ("brave", page(b"[" * 100_000, "application/json"), "did not answer in JSON"),
    ("brave", page(b'{"a": "\xff"}', "application/json"), "did not answer in JSON"),
    ("searxng", page(b" " * (5 << 20), "application/json"), "sent more than can be read"),
    ("searxng", b"HTTP/1.1 nonsense\r\n\r\n", "can't be reached"),
    (
        "searxng",
        answer({"results": [], "unresponsive_engines": [["google", "timeout"]]}),
        "none of the search engines",
    ),
]


@pytest.mark.parametrize(("search", "served", "error"), FAULTS)
def test_providers_that_fail(search: str, served: Answer, error: str) -> None:
    result, asked = ask(served, search)
    assert error in result["error"]
    assert KEY not in result["error"]
    assert "127.0.0.1" not in result["error"]
    assert len(asked) == 1


def test_a_provider_that_never_answers() -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    assert "did not answer in time" in ask(silent, "searxng", timeout_s=0.2)[0]["error"]


def test_a_provider_that_answers_for_ever() -> None:
    async def dripping(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0)

    assert "did not answer in time" in ask(dripping, "searxng", timeout_s=0.2)[0]["error"]


def test_nobody_listens() -> None:
    result, _ = ask(b"", "searxng", search_url="http://127.0.0.1:9")
    assert "can't be reached" in result["error"]


@pytest.mark.parametrize(("query", "error"), [(" \n", "the query is empty"), ("a" * 401, "longer than 400 characters")])
def test_queries_that_are_none(query: str, error: str) -> None:
    result, asked = ask(answer(SEARXNG), "searxng", query)
    assert error in result["error"]
    assert asked == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (WebOptions(), "no search provider is chosen"),
        (WebOptions(search="searxng"), "the address of the SearXNG is not set"),
        (WebOptions(search="searxng", search_url="searx.example"), "none that begins with http"),
        (WebOptions(search="brave"), "needs an API key"),
        (WebOptions(search="brave", brave_api_key=" "), "needs an API key"),
        (WebOptions(search="brave", brave_api_key="schlüssel"), "needs an API key"),
        (WebOptions(search="searxng", search_url="http://10.0.0.1:8888"), None),
        (WebOptions(search="brave", brave_api_key=KEY), None),
    ],
)
def test_why_searching_is_not_offered(options: WebOptions, why: str | None) -> None:
    search, fetch = web_tools(options)
    said = unavailable(search, Capability("linux"))
    assert said is None if why is None else (said is not None and why in said)
    assert unavailable(fetch, Capability("linux")) is None
    for tool in (search, fetch):
        assert unavailable(tool, Capability("linux", local_only=True)) is not None
        assert unavailable(tool, Capability("linux", frozenset({"files:read"}))) is not None


class Ddgs:
    """The package as it answers: one class and its faults, in modules of its names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fault: str | None = None, message: str = "") -> None:
        package, faults = ModuleType("ddgs"), ModuleType("ddgs.exceptions")
        package.__spec__ = importlib.machinery.ModuleSpec("ddgs", None)
        base = type("DDGSException", (Exception,), {})
        kinds = {"DDGSException": base, "RatelimitException": type("RatelimitException", (base,), {})}
        asked: list[tuple[str, int]] = []

        class Ddgs:
            def __init__(self, *, timeout: int) -> None:
                assert timeout >= 1

            def text(self, query: str, *, max_results: int) -> list[dict[str, str]]:
                asked.append((query, max_results))
                if fault is not None:
                    raise kinds[fault](message)
                return [{"title": "Basil", "href": "https://a.example/", "body": "Grow it."}]

        package.__dict__["DDGS"] = Ddgs
        faults.__dict__.update(kinds)
        monkeypatch.setitem(sys.modules, "ddgs", package)
        monkeypatch.setitem(sys.modules, "ddgs.exceptions", faults)
        self.asked = asked


def test_ddgs(monkeypatch: pytest.MonkeyPatch) -> None:
    package = Ddgs(monkeypatch)
    assert missing_provider(WebOptions(search="ddgs")) is None
    result = asyncio.run(searched("basil", 3, options={"search": "ddgs"}))
    assert result["results"] == [{"title": "Basil", "url": "https://a.example/", "snippet": "Grow it."}]
    assert package.asked == [("basil", 3)]


@pytest.mark.parametrize(
    ("fault", "message", "wanted"),
    [
        ("RatelimitException", "202", {"error": "fewer searches"}),
        ("DDGSException", "No results found.", {"query": "basil"}),
        ("DDGSException", f"proxy {KEY}", {"error": "did not answer"}),
    ],
)
def test_ddgs_failing(fault: str, message: str, wanted: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    Ddgs(monkeypatch, fault, message)
    result = asyncio.run(searched("basil", options={"search": "ddgs"}))
    for name, text in wanted.items():
        assert text in result[name]
    assert KEY not in str(result)


def test_ddgs_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "the package ddgs is not installed" in (missing_provider(WebOptions(search="ddgs")) or "")
    assert "not installed" in asyncio.run(searched("basil", options={"search": "ddgs"}))["error"]


def test_every_hit_is_a_source() -> None:
    search, _ = web_tools(WebOptions())
    assert search.sources is not None
    hits = (Hit("A", "https://a.example/", ""), Hit("B", "https://b.example/", "x"))
    assert search.sources(Found("q", hits)) == (
        Source("A", "https://a.example/"),
        Source("B", "https://b.example/"),
    )
