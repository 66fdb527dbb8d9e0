"""A real server on loopback: the official client, real sockets, a real process."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from hilt.backends import ScriptedBackend
from hilt.conversation import (
    Assistant,
    Call,
    ContentDelta,
    Overloaded,
    PromptRead,
    ToolResult,
    TurnFinished,
    Unavailable,
    User,
)
from tests.server.fakes import (
    ADDING,
    GREETING,
    USAGE,
    WAIT_S,
    HeldBackend,
    WatchedBackend,
    app_of,
    chat_body,
    running,
)

TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Add two numbers.",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
                "required": ["a", "b"],
            },
        },
    }
]
FINAL = [PromptRead(9, 8), ContentDelta("It is "), ContentDelta("5."), TurnFinished("stop", USAGE)]


def client_of(url: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=WAIT_S)


def two_turns(url: str, *, stream: bool) -> str | None:
    """A tool conversation as the documentation of the official client tells users to write it."""
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is 2 + 3?"}]
    with client_of(url) as client:

        def turn() -> Any:
            if not stream:
                return client.chat.completions.create(model="org/scripted", messages=messages, tools=TOOLS)
            with client.chat.completions.stream(
                model="org/scripted", messages=messages, tools=TOOLS, stream_options={"include_usage": True}
            ) as events:
                return events.get_final_completion()

        first = turn()
        [choice] = first.choices
        [call] = choice.message.tool_calls
        assert choice.finish_reason == "tool_calls"
        assert (call.type, call.function.name, json.loads(call.function.arguments)) == (
            "function",
            "add",
            {"a": 2, "b": 3},
        )
        assert first.usage.prompt_tokens_details.cached_tokens == 2
        messages.append(choice.message)
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "5"})
        last = turn()
        assert last.choices[0].finish_reason == "stop"
        return last.choices[0].message.content


@pytest.mark.parametrize("stream", [False, True])
def test_the_official_client_completes_a_tool_conversation(stream: bool) -> None:
    scripted = ScriptedBackend([ADDING, FINAL])
    with running(app_of(scripted)) as url:
        assert two_turns(url, stream=stream) == "It is 5."
    first, second = scripted.requests
    assert [tool.name for tool in first.tools] == ["add"]
    assert second.messages == (
        User("What is 2 + 3?"),
        Assistant(calls=(Call("call_a", "add", '{"a": 2, "b": 3}'),)),
        ToolResult("call_a", "add", "5"),
    )
    assert scripted.abandoned == 0


def test_many_clients_at_once() -> None:
    async def all_greeted(url: str) -> list[str | None]:
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=WAIT_S) as client:

            async def greeted() -> str | None:
                answer = await client.chat.completions.create(
                    model="scripted", messages=[{"role": "user", "content": "hi"}]
                )
                return answer.choices[0].message.content

            return await asyncio.gather(*(greeted() for _ in range(50)))

    with running(app_of(ScriptedBackend([GREETING] * 50))) as url:
        assert asyncio.run(all_greeted(url)) == ["Hello"] * 50


def test_the_official_client_understands_the_errors() -> None:
    scripted = ScriptedBackend([[Overloaded("too much waits")], [PromptRead(1, 0), Unavailable("the device is gone")]])
    hi: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
    with running(app_of(scripted)) as url, client_of(url) as client:
        assert client.models.list().data[0].id == "org/scripted"
        assert client.models.retrieve("org/scripted").id == "org/scripted"
        with pytest.raises(openai.NotFoundError) as missing:
            client.chat.completions.create(model="gpt-4o", messages=hi)
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(model="scripted", messages=hi, tool_choice="required")
        assert (refused.value.param, refused.value.code) == ("tool_choice", "invalid_request")
        with pytest.raises(openai.RateLimitError) as overloaded:
            client.chat.completions.create(model="scripted", messages=hi)
        assert overloaded.value.response.headers["retry-after"] == "1"
        with pytest.raises(openai.APIError, match="the device is gone"):
            list(client.chat.completions.create(model="scripted", messages=hi, stream=True))


@pytest.mark.parametrize("chunked", [False, True])
def test_a_prompt_of_ten_megabytes(chunked: bool) -> None:
    prompt = "word " * 2_000_000
    body = chat_body(messages=[{"role": "user", "content": prompt}])

    def sent() -> Any:
        pieces = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
        return pieces if chunked else body

    with running(app_of(ScriptedBackend([GREETING]))) as url, client_of(url) as client:
        refused = client._client.post(f"{url}/v1/chat/completions", content=sent())
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "body_too_large")
        answer = client.chat.completions.create(model="default", messages=[{"role": "user", "content": "still there?"}])
        assert answer.choices[0].message.content == "Hello"

    roomy = ScriptedBackend([GREETING])
    with running(app_of(roomy, max_body_bytes=16 << 20)) as url, client_of(url) as client:
        assert client._client.post(f"{url}/v1/chat/completions", content=sent()).status_code == 200
    assert roomy.requests[0].messages == (User(prompt),)


def connected(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=WAIT_S)


def posted(url: str, body: bytes) -> socket.socket:
    """A connection on which one request was sent and nothing read yet."""
    connection = connected(url)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {url.removeprefix('http://')}\r\nContent-Length: {len(body)}\r\n"
    )
    connection.sendall(head.encode() + b"\r\n" + body)
    return connection


def test_a_client_that_hangs_up_stops_a_busy_stream() -> None:
    scripted = ScriptedBackend([[ContentDelta("x" * 1_000)] * 1_000_000])
    watched = WatchedBackend(scripted)
    with running(app_of(watched)) as url:
        with posted(url, chat_body(stream=True)) as connection:
            assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
        assert watched.closed.wait(WAIT_S)
    assert scripted.abandoned == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_stops_a_turn_that_reads_its_prompt(stream: bool) -> None:
    connections: list[socket.socket] = []
    held = HeldBackend(on_waiting=lambda: connections[0].close())
    with running(app_of(held)) as url:
        connections.append(connected(url))
        body = chat_body(stream=stream)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        connections[0].sendall(head.encode() + body)
        assert held.closed.wait(WAIT_S)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n{", b"400"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}", b"403"),
        (b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n", b"403"),
        (b"GET /v1/models HTTP/1.1\r\n\r\n", b"403"),
        (b"GET http://evil.example/v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"403"),
        (b"GET /v1/models/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (b"GET /v1/models/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
    ],
)
def test_raw_requests(request_bytes: bytes, status: bytes) -> None:
    with running(app_of(ScriptedBackend([]))) as url, connected(url) as connection:
        connection.sendall(request_bytes)
        assert connection.recv(10_000).split()[1] == status


def test_a_half_sent_body_harms_nobody() -> None:
    with running(app_of(ScriptedBackend([GREETING]))) as url, connected(url) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        with client_of(url) as client:
            answer = client.chat.completions.create(model="default", messages=[{"role": "user", "content": "hi"}])
        assert answer.choices[0].message.content == "Hello"


PROGRAM = """
from tests.server.fakes import HeldBackend, app_of
from hilt.conversation import PromptRead
from hilt.server import serve
from hilt.settings import ServerOptions
serve(app_of(HeldBackend([PromptRead(1, 0)])), ServerOptions(port=0), on_listening=lambda url: print(url, flush=True))
print("goodbye")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_tells_its_address_and_leaves_when_asked(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with posted(url, chat_body(stream=True)) as connection:
            assert connection.recv(10_000).startswith(b"HTTP/1.1 200")
            process.send_signal(number)
            stream = b"".join(iter(lambda: connection.recv(10_000), b""))
            assert b"shutting down" in stream
            assert stream.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
            rest, log = process.communicate(timeout=WAIT_S)
    assert "Traceback" not in log
    assert (rest, process.returncode) == ("goodbye\n", 0)
