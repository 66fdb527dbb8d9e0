"""Our own server as the remote one: what a backend there says arrives here as it was."""

import asyncio
import json
from collections.abc import Sequence

import httpx2
import pytest

from hilt.backends import ScriptedBackend
from hilt.backends.openai_http import Address
from hilt.backends.remote import RemoteBackend, RemoteModel, RemoteWay
from hilt.conversation import (
    AnswerRejected,
    ArgumentsDelta,
    Call,
    CallFinished,
    CallStarted,
    ContentDelta,
    HiltError,
    ModelEvent,
    Overloaded,
    PromptRead,
    Request,
    System,
    ThinkingDelta,
    ToolSpec,
    TurnFinished,
    Unavailable,
    Usage,
    User,
    merge,
)
from hilt.dialects import CATALOG, render
from hilt.server import create_app
from hilt.settings import ServerOptions

ADD = ToolSpec("add", "Add.", {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
ASKED = Request("scripted", (System("Be brief."), User("2 + 3?")), (ADD,))
CALLS = (Call("call_x", "add", '{"a": 2}'), Call("call_y", "add", '{"a": 3}'))
ENDED = TurnFinished("tool_calls", Usage(11, 4, 6))
NATIVE: list[ModelEvent] = [PromptRead(11, 4), ThinkingDelta("hm"), ContentDelta("I'll add.")]
for _index, _call in enumerate(CALLS):
    NATIVE += [CallStarted(_index, _call.id, "add"), ArgumentsDelta(_index, _call.arguments)]
    NATIVE += [CallFinished(_index, _call)]
NATIVE.append(ENDED)


def through_hilt(
    turns: Sequence[Sequence[ModelEvent | HiltError]], way: RemoteWay = "native", dialect: str = "jsonl"
) -> tuple[list[ModelEvent], ScriptedBackend]:
    """The events of a turn asked of a server that plays these turns, and its backend."""
    scripted = ScriptedBackend(turns)
    numbers = iter(range(1000))

    def new_id() -> str:
        return f"id{next(numbers)}"

    app = create_app({"scripted": scripted}, ServerOptions(), version="0", new_id=new_id, now_s=lambda: 0.0)

    async def no_wait(wait_s: float) -> None:
        pass

    async def asked() -> list[ModelEvent]:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as client:
            address = Address("http://127.0.0.1:11435/v1")
            backend = RemoteBackend(RemoteModel(address, "scripted", way, CATALOG[dialect]), client, new_id, no_wait)
            return [event async for event in backend.stream(ASKED)]

    return asyncio.run(asked()), scripted


def test_a_native_turn_arrives_as_it_was() -> None:
    events, scripted = through_hilt([NATIVE])
    assert merge(events) == merge(NATIVE)
    assert scripted.requests[0].messages == ASKED.messages
    assert scripted.requests[0].tools == ASKED.tools


@pytest.mark.parametrize("dialect", ["jsonl", "xml", "markdown-json"])
def test_the_same_reply_as_text_makes_the_same_calls(dialect: str) -> None:
    text = f"I'll add.\n{render(CATALOG[dialect], CALLS)}"
    said: list[ModelEvent] = [PromptRead(11, 4), *map(ContentDelta, text), TurnFinished("stop", Usage(11, 4, 6))]
    events, scripted = through_hilt([said], "text", dialect)
    native, text_turn = merge(NATIVE), merge(events)
    assert [(c.name, json.loads(c.arguments)) for c in text_turn.message.calls] == [
        (c.name, json.loads(c.arguments)) for c in native.message.calls
    ]
    assert text_turn.message.content.strip() == native.message.content
    assert (text_turn.reason, text_turn.usage) == (native.reason, native.usage)
    assert scripted.requests[0].tools == ()


@pytest.mark.parametrize("way", ["native", "text"])
@pytest.mark.parametrize(
    ("turn", "kind"),
    [
        ([Overloaded("too much")], Overloaded),
        ([Unavailable("no engine")], Unavailable),
        ([PromptRead(1, 0), ContentDelta("He"), Unavailable("gone")], Unavailable),
        ([PromptRead(1, 0), AnswerRejected("no", "x"), TurnFinished("stop", Usage())], Unavailable),
    ],
)
def test_errors_arrive_as_errors(turn: list[ModelEvent | HiltError], kind: type[HiltError], way: RemoteWay) -> None:
    with pytest.raises(HiltError) as failed:
        through_hilt([turn, turn, turn], way)
    assert type(failed.value) is kind


def test_a_turn_that_is_closed_lets_the_server_go() -> None:
    async def asked() -> int:
        closed = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
            writer.write(b'data: {"choices": [{"delta": {"content": "He"}}]}\n\n')
            await writer.drain()
            while await reader.read(1 << 16):
                pass
            closed.set()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with httpx2.AsyncClient(trust_env=False) as client:
            remote = RemoteModel(Address(f"http://127.0.0.1:{port}/v1"), "far")
            events = RemoteBackend(remote, client, lambda: "call_1").stream(ASKED)
            first = [await anext(events), await anext(events)]
            await events.aclose()
            await asyncio.wait_for(closed.wait(), 30)
        server.close()
        await server.wait_closed()
        return len(first)

    assert asyncio.run(asked()) == 2
