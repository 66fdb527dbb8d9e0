"""Every route and every refusal, in OpenAI's shape and with the right status."""

import asyncio
import json
from typing import Any

import pytest

from hilt.backends import ModelCard, ScriptedBackend
from hilt.conversation import InvalidRequest, JsonObject, NoTools, Overloaded, Unavailable, User
from tests.server.fakes import GREETING, Answer, app_of, ask, chat_body


def backend(model_id: str = "org/scripted", turns: int = 1) -> ScriptedBackend:
    card = ModelCard(id=model_id, device="cpu", dialect="hermes", context_length=4096)
    return ScriptedBackend([GREETING] * turns, card)


def call(path: str, method: str = "GET", body: bytes | list[bytes] = b"", **options: Any) -> Answer:
    return asyncio.run(ask(app_of(backend(), **options), method, path, body))


def test_the_front_page() -> None:
    assert (call("/").status, call("/").body) == (200, b"Hilt is running\n")
    assert call("/", "HEAD").status == 200


def test_health() -> None:
    answer = call("/health")
    assert (answer.status, json.loads(answer.body)) == (
        200,
        {
            "status": "ok",
            "version": "1.2.3",
            "models": ["org/scripted"],
            "model": "org/scripted",
            "device": "cpu",
            "dialect": "hermes",
            "context_length": 4096,
        },
    )


def test_models() -> None:
    listed = json.loads(call("/v1/models").body)["data"]
    assert listed == [{"id": "org/scripted", "object": "model", "created": 1_700_000_000, "owned_by": "hilt"}]
    assert json.loads(call("/v1/models/org/scripted").body) == listed[0]
    assert json.loads(call("/v1/models/scripted").body) == listed[0]


@pytest.mark.parametrize("name", ["nobody", "", "../../etc/passwd", "org", "org/scripted/", "x" * 5_000, "a\x00b"])
def test_unknown_models(name: str) -> None:
    answer = call(f"/v1/models/{name}")
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "model_not_found", "model")
    assert "'org/scripted'" in answer.error["message"]
    assert len(answer.error["message"]) < 400


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/nowhere", "GET", 404, "not_found"),
        ("/v1/models/", "POST", 405, "method_not_allowed"),
        ("/v1/chat/completions", "GET", 405, "method_not_allowed"),
        ("/v1/chat/completions", "OPTIONS", 405, "method_not_allowed"),
        ("/v1/chat/completions/", "POST", 404, "not_found"),
        ("/v1/embeddings", "POST", 404, "not_found"),
        ("/health", "DELETE", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_there(path: str, method: str, status: int, code: str) -> None:
    answer = call(path, method)
    assert (answer.status, answer.error["code"], answer.error["type"]) == (status, code, "invalid_request_error")
    assert path in answer.error["message"]
    assert ("allow" in answer.headers) == (status == 405)


def chat(body: bytes | list[bytes], turns: list[Any] | None = None, **options: Any) -> Answer:
    return asyncio.run(ask(app_of(ScriptedBackend(turns or [GREETING]), **options), body=body))


def test_a_whole_answer() -> None:
    answer = chat(chat_body())
    body = json.loads(answer.body)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert body["choices"][0]["message"]["content"] == "Hello"
    assert body["usage"]["prompt_tokens_details"] == {"cached_tokens": 2}
    assert (body["id"], body["model"], body["created"]) == ("chatcmpl-2", "org/scripted", 1_700_000_000)
    assert answer.headers["x-request-id"] == "req_1"


def test_a_streamed_answer() -> None:
    answer = chat(chat_body(stream=True, stream_options={"include_usage": True}))
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert answer.complete
    assert answer.body.count(b'"content":"Hel"') == 1
    assert answer.body.count(b'"cached_tokens":2') == 1


def test_what_waits_is_sent_in_one_write() -> None:
    assert len([piece for piece in chat(chat_body(stream=True)).pieces if piece]) == 1


def test_the_backend_gets_the_request() -> None:
    scripted = ScriptedBackend([GREETING])
    form = {"type": "json_object"}
    asyncio.run(ask(app_of(scripted), body=chat_body(model="default", tool_choice="none", response_format=form)))
    [request] = scripted.requests
    assert (request.model, request.messages, request.tool_choice) == ("org/scripted", (User("hi"),), NoTools())
    assert request.response_format == JsonObject()


def test_models_by_name() -> None:
    backends = {
        "org/one": backend("org/one", 9),
        "other/one": backend("other/one", 9),
        "/m/two/": backend("/m/two/", 9),
    }
    app = app_of(backends)

    def served(name: str) -> str:
        answer = asyncio.run(ask(app, body=chat_body(model=name)))
        return json.loads(answer.body)["model"] if answer.status == 200 else answer.error["code"]

    names = ["org/one", "other/one", "/m/two/", "two", "default", "one", "three"]
    assert [served(name) for name in names] == [
        "org/one",
        "other/one",
        "/m/two/",
        "/m/two/",
        "org/one",
        "model_not_found",
        "model_not_found",
    ]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (InvalidRequest("the prompt is too long", code="context_length_exceeded"), 400, "invalid_request_error"),
        (Overloaded("too much waits", retry_after_s=3), 429, "rate_limit_error"),
        (Unavailable("the model is loading"), 503, "server_error"),
    ],
)
def test_errors_before_the_first_event_have_their_status(error: Any, status: int, kind: str, stream: bool) -> None:
    answer = chat(chat_body(stream=stream), [[error]])
    assert (answer.status, answer.error["type"], answer.error["message"]) == (status, kind, error.message)
    assert answer.error["code"] == error.code
    assert answer.headers.get("retry-after") == ("3" if status == 429 else None)


def test_bodies_that_cant_be_read() -> None:
    for body in (b"", b"{", b"\xff\xfe", b"[]", b'{"model": "m"}'):
        assert chat(body).status == 400
    encoded = asyncio.run(ask(app_of(backend()), body=b"\x1f\x8b", headers={"content-encoding": "gzip"}))
    assert (encoded.status, encoded.error["code"]) == (400, "unsupported_encoding")


def test_an_unknown_model() -> None:
    answer = chat(chat_body(model="gpt-4o"))
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "model_not_found", "model")
    assert "'gpt-4o'" in answer.error["message"]


def reads_until_refused(headers: list[tuple[bytes, bytes]]) -> tuple[int, int]:
    """The status of an endless body, and how often it was read from."""
    reads = 0
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        nonlocal reads
        reads += 1
        return {"type": "http.request", "body": b"x" * 60, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "query_string": b""}
    scope["headers"] = [(b"host", b"localhost"), *headers]
    asyncio.run(app_of(backend(), max_body_bytes=100)(scope, receive, send))
    return sent[0]["status"], reads


def test_a_body_over_the_limit_is_read_no_further() -> None:
    assert reads_until_refused([(b"content-length", b"101")]) == (413, 0)
    assert reads_until_refused([]) == (413, 2)
    assert reads_until_refused([(b"content-length", b"80")]) == (413, 2)


def test_a_body_over_the_limit_is_told_the_limit() -> None:
    answer = chat(chat_body(), max_body_bytes=20)
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")
    assert "20 bytes" in answer.error["message"]


def test_a_body_of_exactly_the_limit_in_pieces() -> None:
    body = chat_body()
    pieces = [body[:10], b"", body[10:]]
    assert chat(pieces, max_body_bytes=len(body)).status == 200
    assert chat(pieces, max_body_bytes=len(body) - 1).status == 413
