"""S15: what a child process sees. S16: who may change something at the server. S18: what HTML is made of results."""

import asyncio
import itertools
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.backends import ScriptedBackend
from hilt.conversation import Call, Card
from hilt.server import create_app
from hilt.settings import ServerOptions
from hilt.tools import Desk, Nobody, Registry, Runtime, run_tool
from hilt.tools.cards import as_html, as_text, card_of
from tests.promises.process_tools import process_environment
from tests.promises.worlds import hilt
from tests.server.fakes import Answer, ask

ALLOWED = {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PYTHONPATH"}


def test_s15_the_process_of_a_tool_sees_only_what_is_on_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HILT_API_KEY", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD_", "HTTP_PROXY", "SSH_AUTH_SOCK", "PYTHONSTARTUP",
                 "MY_TOKEN", "path", "PATH_TO_SECRET"):  # fmt: skip
        monkeypatch.setenv(name, "canary")
    runtime = Runtime(registry=Registry((process_environment,)), approver=Nobody())
    outcome = asyncio.run(run_tool(Call("c", "process_environment", "{}"), runtime))
    seen = json.loads(outcome.text)  # type: ignore[union-attr]
    assert "PATH" in seen
    assert {name for name in seen if name not in ALLOWED and not name.startswith(("LC_", "__"))} == set()
    assert "canary" not in outcome.text  # type: ignore[union-attr]


KEY = "a key of the server"
CHANGING = {("POST", "/v1/chat/completions"), ("POST", "/v1/approvals/{fingerprint}")}


def app_of(key: str | None) -> Any:
    numbers = itertools.count()
    return create_app(
        {"scripted": ScriptedBackend([])},
        ServerOptions(api_key=key),
        version="0",
        new_id=lambda: f"n{next(numbers)}",
        now_s=lambda: 0.0,
        desk=Desk(60),
    )


def sent(app: Any, method: str, path: str, *headers: tuple[str, str]) -> Answer:
    return asyncio.run(ask(app, method, path, b'{"decision": "approve"}', headers))


def test_s16_every_route_that_changes_something_is_known() -> None:
    """A new one has to be put above, and so is tried below."""
    routes = {(method, route.path) for route in app_of(KEY).routes for method in route.methods}
    assert {(method, path) for method, path in routes if method not in ("GET", "HEAD")} == CHANGING


@pytest.mark.parametrize(("method", "path"), sorted(CHANGING))
def test_s16_nothing_is_changed_from_elsewhere_or_without_the_key(method: str, path: str) -> None:
    app, own, key = app_of(KEY), ("host", "127.0.0.1:11435"), ("authorization", f"Bearer {KEY}")
    assert sent(app, method, path, own).status == 401
    assert sent(app, method, path, own, ("authorization", "Bearer nonsense")).status == 401
    assert sent(app, method, path, ("host", "evil.example"), key).status == 403
    assert sent(app, method, path, own, key, ("origin", "http://evil.example")).status == 403
    assert sent(app, method, path, own, key, ("origin", "null")).status == 403
    assert sent(app, method, path, own, key).status in (400, 404)  # it came in, and asked for nothing that there is


def test_s16_without_a_key_no_call_can_be_approved() -> None:
    for method, path in (("GET", "/v1/approvals"), ("POST", f"/v1/approvals/{'0' * 64}")):
        assert sent(app_of(None), method, path, ("host", "127.0.0.1:11435")).status == 403


def test_s16_no_server_without_a_key_runs_tools_that_change_something(home: Path) -> None:
    """Even where a rule allows them."""
    done = hilt(home, "serve", "--port", "0", "--tools", "calculate", "--tools", "add_note", HILT_POLICY_ALLOW="*")
    assert done.returncode == 2
    assert "the tool 'add_note' changes something or reaches out, so the server needs a key" in done.stderr


class Reading(HTMLParser):
    """What a browser would see: the elements with their attributes, and the text in them."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text: list[tuple[str, str]] = []
        self.other: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))
        self._open.append(tag)
        if tag in ("h3", "dt", "dd", "pre"):
            self.text.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside, so_far = self.text[-1]
        assert self._open[-1] == inside
        self.text[-1] = inside, so_far + data

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</pre></section><iframe src=https://evil.example>",
    "<!--",
    "-->",
    "<![CDATA[<b>]]>",
    "&lt;b&gt;",
    "&#60;b&#62;",
    "&amp;amp;",
    "javascript:alert(1)",
    "![x](https://evil.example/pixel.png)",
    "<style>@import 'https://evil.example'</style>",
    "<base href=//evil.example>",
    "<",
    "&",
    "<\x00script>",
    "＜script＞",
]
texts = st.text(max_size=20) | st.sampled_from(HOSTILE) | st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join)
cards = st.builds(Card, texts, st.lists(st.tuples(texts, texts), max_size=4).map(tuple), texts)


def check(card: Card) -> None:
    seen = Reading(as_html(card))
    rows = [("dl", ()), *[(tag, ()) for _ in card.rows for tag in ("dt", "dd")]] if card.rows else []
    text = [("pre", ())] if card.text else []
    assert seen.elements == [("section", (("class", "tool-card"),)), ("h3", ()), *rows, *text]
    assert seen.other == []
    said = [("h3", card.title), *[cell for row in card.rows for cell in zip(("dt", "dd"), row, strict=True)]]
    said += [("pre", card.text)] if card.text else []
    assert seen.text == said


@given(card=cards)
def test_s18_a_card_is_text_in_the_elements_of_its_template(card: Card) -> None:
    check(card)


@given(value=st.recursive(texts | st.none() | st.integers(), lambda inner: st.dictionaries(texts, inner, max_size=3)))
def test_s18_whatever_a_tool_returns_is_text(value: Any) -> None:
    check(card_of("<b>tool</b>", json.dumps(value, ensure_ascii=False)))
    assert as_text(card_of("t", "x")) == "t\nx"


@pytest.mark.parametrize("text", HOSTILE)
def test_s18_no_text_of_a_stranger_loads_or_runs_anything(text: str) -> None:
    check(card_of(text, text))
    check(Card(text, ((text, text),), text))
