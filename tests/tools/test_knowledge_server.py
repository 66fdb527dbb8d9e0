"""Vectors of an OpenAI-compatible server: in batches, tried again where that helps, and told in words where not."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from hilt.assembly.tooling import open_knowledge
from hilt.conversation import InvalidRequest, Unavailable
from hilt.settings import KnowledgeOptions, PolicyOptions, Settings, default_settings
from hilt.tools.builtin.knowledge import ServerEmbedder, add_text, embeddings_address, search, sources
from tests.tools.knowledge import add, open_base

Answer = Callable[[dict[str, Any]], tuple[int, dict[str, str], Any]]


class Served:
    """What a loopback server was asked, and what it answers in turn; the last answer is given for ever."""

    def __init__(self, answers: list[Answer]) -> None:
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self.answers = answers
        self.url = ""


@contextmanager
def serving(*answers: Answer) -> Iterator[Served]:
    served = Served(list(answers))

    class Asked(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            served.asked.append((self.path, body, self.headers.get("Authorization", "")))
            answer = served.answers.pop(0) if len(served.answers) > 1 else served.answers[0]
            status, headers, content = answer(body)
            sent = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(sent)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}/v1/embeddings"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


MEANINGS = ("car automobile vehicle", "dog puppy hound", "rain wet umbrella")


def _vector(text: str) -> list[float]:
    """A number for each meaning: what a model does, for three meanings."""
    return [0.01 + sum(word in text.lower() for word in meaning.split()) for meaning in MEANINGS]


def good(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
    data = [
        {"index": place, "object": "embedding", "embedding": _vector(text)} for place, text in enumerate(body["input"])
    ]
    return 200, {}, {"object": "list", "data": data[::-1], "model": body["model"], "usage": {"prompt_tokens": 1}}


def status(code: int, **headers: str) -> Answer:
    return lambda _: (code, {name.replace("_", "-"): value for name, value in headers.items()}, {"error": "so it is"})


def content(sent: Any) -> Answer:
    return lambda _: (200, {}, sent)


def _embedder(served: Served, slept: list[float] | None = None) -> ServerEmbedder:
    return ServerEmbedder(served.url, "tiny", ([] if slept is None else slept).append, api_key="key")


def test_texts_go_in_batches_and_come_back_in_order() -> None:
    texts = [f"{'car ' if number % 3 else 'dog '}{number}" for number in range(150)]
    with serving(good) as served:
        rows = _embedder(served).embed(texts)
    assert (rows.shape, rows.dtype) == ((150, 3), np.float32)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert [int(row.argmax()) for row in rows] == [0 if number % 3 else 1 for number in range(150)]
    assert [len(body["input"]) for _, body, _ in served.asked] == [64, 64, 22]
    path, body, key = served.asked[0]
    assert (path, body["model"], key) == ("/v1/embeddings", "tiny", "Bearer key")


def test_nothing_to_embed_asks_nobody() -> None:
    with serving(good) as served:
        assert len(_embedder(served).embed([])) == 0
    assert served.asked == []


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        ([status(429, retry_after="3")], [3.0]),
        ([status(429, retry_after="soon")], [0.5]),
        ([status(503), status(500)], [0.5, 1.0]),
        ([status(503, retry_after="100000")], [20.0]),
        ([status(503, retry_after="nan"), status(502), status(504)], [0.5, 1.0, 2.0]),
    ],
)
def test_what_passes_is_tried_again(answers: list[Answer], pauses: list[float]) -> None:
    slept: list[float] = []
    with serving(*answers, good) as served:
        assert _embedder(served, slept).embed(["car"]).shape == (1, 3)
    assert slept == pauses


@pytest.mark.parametrize(
    ("answer", "said", "asked"),
    [
        (status(401), "embeddings_api_key", 1),
        (status(404), "embeddings_model", 1),
        (status(400), "so it is", 1),
        (status(302, location="http://127.0.0.1:9/"), "302", 1),
        (status(500), "tried 4 times", 4),
        (status(429), "tried 4 times", 4),
        (content(b"<html>no JSON"), "no list of embeddings", 1),
        (content({"data": [{"index": 0, "embedding": "text"}]}), "no list of embeddings", 1),
        (content({"data": []}), "0 embeddings for 1 texts", 1),
        (content({"data": [{"index": 7, "embedding": [1.0]}]}), "1 embeddings for 1 texts", 1),
        (content({"data": [{"index": 0, "embedding": []}]}), "empty vectors", 1),
        (content(b'{"data": [{"index": 0, "embedding": [1e999]}]}'), "", 1),
    ],
)
def test_what_does_not_pass_is_told(answer: Answer, said: str, asked: int) -> None:
    with serving(answer) as served:
        with pytest.raises(Unavailable) as told:
            _embedder(served).embed(["car"])
        assert len(served.asked) == asked
    assert said in told.value.message
    assert "key" not in told.value.message.replace("embeddings_api_key", "")


def test_a_query_is_tried_twice_and_no_more() -> None:
    slept: list[float] = []
    with serving(status(503, retry_after="20")) as served:
        with pytest.raises(Unavailable, match="tried 2 times"):
            _embedder(served, slept).embed_query("car")
        assert len(served.asked) == 2
    assert slept == [0.5]


def test_a_server_that_is_away_is_told() -> None:
    with serving(good) as served:
        embedder = _embedder(served, slept := [])
    with pytest.raises(Unavailable, match="can't be reached"):
        embedder.embed(["car"])
    assert slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/embeddings"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1/embeddings"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/embeddings"),
        ("https://host/api/v1/embeddings/", "https://host/api/v1/embeddings"),
        ("http://[::1]:1/v1", "http://[::1]:1/v1/embeddings"),
        ("", None),
        ("127.0.0.1:8080", None),
        ("file:///etc/passwd", None),
        ("http://", None),
        ("http://host:port", None),
    ],
)
def test_the_address_of_a_server(given: str, address: str | None) -> None:
    if address is None:
        with pytest.raises(InvalidRequest) as told:
            embeddings_address(given)
        assert told.value.param == "embeddings_url"
    else:
        assert embeddings_address(given) == address


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("http://192.168.1.5:1", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1@evil.example", False),
    ],
)
def test_local_work_takes_only_a_server_of_this_machine(url: str, taken: bool) -> None:
    if taken:
        assert embeddings_address(url, local_only=True)
    else:
        with pytest.raises(InvalidRequest, match="only local work"):
            embeddings_address(url, local_only=True)


def test_meanings_are_found_and_a_server_that_goes_away_leaves_the_words(tmp_path: Path) -> None:
    with serving(good) as served:
        knowledge = open_base(tmp_path / "k.sqlite3", _embedder(served))
        add_text(knowledge, "The automobile needs petrol.", "one")
        add_text(knowledge, "A puppy needs water.", "two")
        assert [one.title for one in search(knowledge.store, "vehicle", 1).passages] == ["one"]
        assert [one.title for one in search(knowledge.store, "hound", 1).passages] == ["two"]
    found = search(knowledge.store, "puppy")
    assert [one.title for one in found.passages] == ["two"]
    assert "by words only" in found.notice
    (tmp_path / "more.txt").write_text("more words")
    with pytest.raises(Unavailable):
        add(knowledge, tmp_path / "more.txt")
    assert [one.title for one in sources(knowledge.store)] == ["one", "two"]


def test_vectors_of_another_length_ask_for_a_rebuild(tmp_path: Path) -> None:
    longer = content({"data": [{"index": 0, "embedding": [1.0, 0.0]}]})
    with serving(good, longer) as served:
        knowledge = open_base(tmp_path / "k.sqlite3", _embedder(served))
        add_text(knowledge, "The automobile needs petrol.", "one")
        assert "hilt kb rebuild" in search(knowledge.store, "automobile").notice
        with pytest.raises(InvalidRequest, match="hilt kb rebuild"):
            add_text(knowledge, "another", "two")


def settings_of(options: KnowledgeOptions, *, local_only: bool = False) -> Settings:
    defaults = default_settings(options.path.parent, options.path.parent)
    return replace(defaults, knowledge=options, policy=PolicyOptions(local_only=local_only))


def test_options_become_a_base(tmp_path: Path) -> None:
    path = tmp_path / "k.sqlite3"
    assert open_knowledge(settings_of(KnowledgeOptions(path))).store.embedder.name == "words-1"
    with serving(good) as served:
        options = KnowledgeOptions(path, "server", served.url.removesuffix("/embeddings"), "tiny", "key")
        knowledge = open_knowledge(settings_of(options, local_only=True))
        add_text(knowledge, "The automobile needs petrol.", "one")
        assert search(knowledge.store, "vehicle").passages
    assert "server:tiny" in search(open_knowledge(settings_of(KnowledgeOptions(path))).store, "petrol").notice


@pytest.mark.parametrize(
    ("url", "model", "param"),
    [
        ("", "tiny", "embeddings_url"),
        ("http://127.0.0.1:1", "", "embeddings_model"),
        ("https://embeddings.example/v1", "tiny", "embeddings_url"),
    ],
)
def test_options_that_do_not_go_together_are_told(url: str, model: str, param: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as told:
        open_knowledge(settings_of(KnowledgeOptions(tmp_path / "k.sqlite3", "server", url, model), local_only=True))
    assert told.value.param == param
