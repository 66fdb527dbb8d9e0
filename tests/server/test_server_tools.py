"""Tools that the server runs itself, over HTTP with the official client."""

import itertools
import json
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from openai import OpenAI

from hilt.agent import ServerTools
from hilt.backends import ScriptedBackend
from hilt.conversation import ModelEvent
from hilt.server import create_app
from hilt.settings import AgentOptions, PolicyOptions, ServerOptions
from hilt.tools import Desk, Nobody, Registry, Runtime, Tool, offer, policy_of, tool
from hilt.tools.tool import Capability
from tests.agent.scripts import calls, counting, counts, says
from tests.server.fakes import running

KEY = "a-long-key-of-the-server"
OWN: Any = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
}
ASKED: Any = [{"role": "user", "content": "count"}]


@contextmanager
def serving(
    script: Sequence[Sequence[ModelEvent]], tools: Sequence[Tool], *, key: str | None = KEY, **more: Any
) -> Iterator[tuple[OpenAI, ScriptedBackend, str]]:
    backend = ScriptedBackend(script)
    numbers = itertools.count()
    desk = more.pop("desk", None)

    def make_runtime(names: tuple[str, ...]) -> Runtime:
        return Runtime(registry=offer(tools, Capability("linux"), names), approver=desk or Nobody(), **more)

    app = create_app(
        {"scripted": backend},
        ServerOptions(api_key=key),
        version="0",
        new_id=lambda: f"n{next(numbers)}",
        now_s=lambda: 0.0,
        server_tools=ServerTools(
            [made.name for made in tools],
            make_runtime,
            options=AgentOptions(),
            clock=lambda: 0.0,
            new_id=lambda: f"run{next(numbers)}",
        ),
        desk=desk,
    )
    with running(app) as url:
        yield OpenAI(base_url=f"{url}/v1", api_key=key or "none", max_retries=0), backend, url


def asked(client: OpenAI, *, stream: bool = False, names: Any = ("count",), **more: Any) -> Any:
    reply = client.chat.completions.create(
        model="scripted", messages=ASKED, stream=stream, extra_body={"server_tools": list(names)}, **more
    )
    return list(reply) if stream else reply.choices[0]


def test_the_server_runs_its_tools_and_the_client_gets_the_answer() -> None:
    count, seen = counting()
    with serving([calls(*counts(1), said="let me see. "), says("it is 1")], [count]) as (client, backend, _):
        choice = asked(client)
    assert (choice.message.content, choice.finish_reason) == ("let me see. it is 1", "stop")
    assert choice.message.tool_calls is None
    assert seen == [1]
    assert [spec.name for spec in backend.requests[0].tools] == ["count"]
    assert backend.requests[1].messages[-1].content == '{"count": 1}'


def test_streamed_and_whole_are_the_same() -> None:
    count, seen = counting()
    with serving([calls(*counts(1), said="hm "), says("done")], [count]) as (client, _, _):
        chunks = asked(client, stream=True, stream_options={"include_usage": True})
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert (said, seen) == ("hm done", [1])
    assert chunks[-1].usage.completion_tokens == 6
    assert {chunk.choices[0].finish_reason for chunk in chunks if chunk.choices} == {None, "stop"}


def test_calls_of_the_clients_own_tools_go_back_to_it() -> None:
    from hilt.conversation import Call

    count, seen = counting()
    mixed = calls(*counts(2), Call("call_add", "add", '{"a": 3}'))
    with serving([calls(*counts(1)), mixed], [count]) as (client, backend, _):
        choice = asked(client, tools=[OWN])
    assert choice.finish_reason == "tool_calls"
    assert [(made.id, made.function.name) for made in choice.message.tool_calls] == [("call_add", "add")]
    assert seen == [1]
    assert [spec.name for spec in backend.requests[0].tools] == ["add", "count"]


def test_off_unless_the_request_asks() -> None:
    count, seen = counting()
    with serving([says("hi"), says("hi")], [count]) as (client, backend, _):
        client.chat.completions.create(model="scripted", messages=ASKED)
        asked(client, names=())
    assert [request.tools for request in backend.requests] == [(), ()]
    assert seen == []


@pytest.mark.parametrize("tools", [[], [counting()[0]]], ids=["none", "another"])
def test_a_tool_that_is_not_switched_on_is_refused(tools: list[Tool]) -> None:
    with serving([], tools) as (client, _, _), pytest.raises(openai.BadRequestError) as refused:
        asked(client, names=["rm_rf"])
    assert refused.value.code == "server_tool_not_available"
    assert refused.value.param == "server_tools"


def test_a_name_that_is_both_is_refused() -> None:
    count, _ = counting()
    own = {"type": "function", "function": {"name": "count", "parameters": {"type": "object"}}}
    with serving([], [count]) as (client, _, _), pytest.raises(openai.BadRequestError, match="rename yours"):
        asked(client, tools=[own])


def test_without_anybody_to_ask_nothing_is_changed() -> None:
    change, seen = counting("write")
    with serving([calls(*counts(1)), says("I may not")], [change]) as (client, backend, _):
        assert asked(client).message.content == "I may not"
    assert seen == []
    assert "nobody is here" in backend.requests[1].messages[-1].content


def http(url: str, path: str, body: Any = None, key: str | None = KEY) -> tuple[int, Any]:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(f"{url}{path}", None if body is None else json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


@pytest.mark.parametrize(("decision", "ran"), [("approve", [1]), ("refuse", [])])
def test_what_asks_is_answered_through_the_api(decision: str, ran: list[int]) -> None:
    change, seen = counting("write")
    desk = Desk(60)
    with serving([calls(*counts(1)), says("done")], [change], desk=desk) as (client, _, url):
        replies: list[Any] = []
        thread = threading.Thread(target=lambda: replies.append(asked(client)))
        thread.start()
        waiting: list[Any] = []
        while not waiting:
            waiting = http(url, "/v1/approvals")[1]["data"]
        [question] = waiting
        assert (question["tool"], question["effect"], question["arguments"]) == ("count", "write", '{"number": 1}')
        assert http(url, "/v1/approvals", key=None)[0] == 401
        assert http(url, f"/v1/approvals/{'0' * 64}", {"decision": "approve"})[0] == 404
        assert http(url, f"/v1/approvals/{question['id']}", {"decision": "maybe"})[0] == 400
        assert http(url, f"/v1/approvals/{question['id']}", {"decision": decision})[0] == 200
        thread.join(20)
        assert http(url, f"/v1/approvals/{question['id']}", {"decision": "approve"})[0] == 404
    assert replies[0].message.content == "done"
    assert seen == ran


def test_a_server_without_a_key_takes_no_approvals() -> None:
    with serving([], [], key=None, desk=Desk(60)) as (_, _, url):
        for path, body in [("/v1/approvals", None), ("/v1/approvals/x", {"decision": "approve"})]:
            status, told = http(url, path, body, key=None)
            assert (status, told["error"]["code"]) == (403, "api_key_required")


def test_health_names_what_is_switched_on() -> None:
    with serving([], [counting()[0]]) as (_, _, url):
        assert http(url, "/health")[1]["server_tools"] == ["count"]


def test_rules_hold_for_the_server_too_and_errors_reach_the_client() -> None:
    change, seen = counting("write")
    policy = policy_of(PolicyOptions(allow=("count",)))
    with serving([calls(*counts(1)), says("done")], [change], policy=policy) as (client, _, _):
        assert asked(client).message.content == "done"
    assert seen == [1]
    failing = serving([calls(*counts(1))], [counting()[0]])
    with failing as (client, _, _), pytest.raises(openai.InternalServerError) as failed:
        asked(client)
    assert failed.value.status_code == 503


def test_a_registry_of_the_server_is_made_for_each_request() -> None:
    """What one request has read is not to be read on by another."""
    from hilt.tools import ResultStore, read_result_tool

    made: list[ResultStore] = []

    @tool(effect="read")
    def tell() -> str:
        """Tell a lot."""
        return "x" * 5000

    def make_runtime(names: tuple[str, ...]) -> Runtime:
        store = ResultStore()
        made.append(store)
        registry = Registry((tell, read_result_tool(store, 1000)))
        return Runtime(registry=registry, approver=Nobody(), results=store, max_result_chars=1000)

    tools = ServerTools(["tell"], make_runtime, options=AgentOptions(), clock=lambda: 0.0, new_id=lambda: "r")
    backend = ScriptedBackend([])
    assert tools.around(backend, ["tell"]).card is backend.card
    tools.around(backend, ["tell"])
    assert len(made) == 2
