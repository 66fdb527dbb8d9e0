"""Demands over HTTP, with the starter model and the official client: what is asked for comes, or is refused."""

import json
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import OpenAI

from hilt.backends.local import LocalBackend
from hilt.store import STARTER, find_model
from tests.backends.fake_engine import FakeEngine, constraining, saying
from tests.backends.test_local import backend_of
from tests.server.fakes import WAIT_S, app_of, running

if TYPE_CHECKING:
    from hilt.engine.devices import Device
    from hilt.engine.loading import LoadedModel

ASKED: Any = [{"role": "user", "content": "How much is 17 % of 2340?"}]
FORMAT: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "people": {"type": "integer", "minimum": 3}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
NUMBERS = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
PICK = {"type": "object", "properties": {"n": NUMBERS}, "required": ["n"]}


def tool(name: str, parameters: dict[str, Any] | None = None, **more: Any) -> Any:
    plain = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    return {"type": "function", "function": {"name": name, "parameters": parameters or plain, **more}}


TOOLS = [tool("say"), tool("calculate"), tool("note")]


def answer_form(schema: dict[str, Any], **more: Any) -> Any:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **more}}


@pytest.fixture(scope="module")
def url(device: "Device") -> Iterator[str]:
    """A server on the starter model."""
    from hilt.engine.loading import load
    from hilt.engine.worker import Engine
    from hilt.prompting import find_manner
    from hilt.settings import EngineOptions

    engine = Engine(lambda: load(find_model(STARTER), device), EngineOptions())
    manner = find_manner(engine.loaded.tokenizer, engine.loaded.architecture, None)
    numbers = count()
    held = constraining(engine, manner)
    backend = LocalBackend(engine, held, "starter", "cpu", manner, lambda: f"call_{next(numbers)}")
    try:
        with running(app_of({"starter": backend})) as address:
            yield address
    finally:
        held.close()
        engine.close()


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=WAIT_S) as client:
        yield client


def completed(client: OpenAI, *, stream: bool, **fields: Any) -> Any:
    """The choice that comes of a request, whole or folded from its stream by the official client."""
    asked = {"model": "starter", "messages": ASKED, "max_tokens": 120, "temperature": 0} | fields
    if not stream:
        return client.chat.completions.create(**asked).choices[0]
    with client.chat.completions.stream(**asked) as events:
        return events.get_final_completion().choices[0]


def told(choice: Any) -> tuple[str, list[tuple[str, Any]], str]:
    calls = [(c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls or []]
    return choice.finish_reason, calls, choice.message.content or ""


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("required", {"say", "calculate", "note"}),
        ({"type": "function", "function": {"name": "note"}}, {"note"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "say"}}],
                },
            },
            {"say"},
        ),
    ],
    ids=["required", "named", "allowed"],
)
def test_a_forced_call_comes(client: OpenAI, choice: Any, names: set[str]) -> None:
    whole, folded = (
        told(completed(client, stream=stream, tools=TOOLS, tool_choice=choice)) for stream in (False, True)
    )
    assert whole == folded
    reason, calls, _ = whole
    assert reason == "tool_calls"
    assert calls
    assert {name for name, _ in calls} <= names
    assert all(isinstance(arguments["text"], str) for _, arguments in calls)


def test_no_call_comes_where_none_may(client: OpenAI) -> None:
    reason, calls, content = told(completed(client, stream=False, tools=TOOLS, tool_choice="none"))
    assert (reason, calls) == ("stop", [])
    assert content


@pytest.mark.parametrize("form", [answer_form(FORMAT, strict=True), answer_form(FORMAT), {"type": "json_object"}])
def test_an_answer_has_the_form_that_was_asked_for(client: OpenAI, form: Any) -> None:
    whole, folded = (told(completed(client, stream=stream, response_format=form)) for stream in (False, True))
    assert whole == folded
    reason, calls, content = whole
    assert (reason, calls) == ("stop", [])
    answer = json.loads(content)
    assert isinstance(answer, dict)
    if form["type"] == "json_schema":
        assert set(answer) == {"city", "people"}
        assert len(answer["city"]) <= 20
        assert answer["people"] >= 3


@pytest.mark.parametrize("max_tokens", [1, 5, 12, 20, 24, 28, 40])
def test_with_few_tokens_a_forced_call_is_whole_or_the_reply_says_length(client: OpenAI, max_tokens: int) -> None:
    choice = completed(client, stream=False, tools=TOOLS, tool_choice="required", max_tokens=max_tokens)
    reason, calls, _ = told(choice)
    assert reason == "tool_calls" if max_tokens > 30 else reason in ("tool_calls", "length")
    assert calls or reason == "length"


def test_near_its_last_token_prose_is_cut_and_a_call_is_brought_to_an_end(client: OpenAI) -> None:
    hi: Any = [{"role": "user", "content": "Hello!"}]
    whole = told(completed(client, stream=False, tools=TOOLS, messages=hi))
    assert (whole[0], whole[1]) == ("stop", [])
    for max_tokens in (1, 3, 6):
        reason, calls, content = told(completed(client, stream=False, tools=TOOLS, messages=hi, max_tokens=max_tokens))
        assert (reason, calls) == ("length", [])
        assert whole[2].startswith(content)
    free = told(completed(client, stream=False, tools=TOOLS))
    short = told(completed(client, stream=False, tools=TOOLS, max_tokens=30))
    assert free[0] == short[0] == "tool_calls"
    assert free[1] != short[1]


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"tools": [tool("a"), tool("b", {"properties": {"x": {"type": "strin"}}})]},
         "tools[1].function.parameters.properties.x.type", "strin"),
        ({"tools": [tool("b", PICK, strict=True)]},
         "tools[0].function.parameters.properties.n.uniqueItems", "leave `strict` out"),
        ({"response_format": answer_form({"properties": {"a b": {"minimum": "x"}}})},
         'response_format.json_schema.schema.properties["a b"].minimum', "minimum"),
        ({"response_format": answer_form(PICK, strict=True)},
         "response_format.json_schema.schema.properties.n.uniqueItems", "leave `strict` out"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_by_its_place(
    client: OpenAI, fields: dict[str, Any], param: str, said: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        completed(client, stream=False, **fields)
    assert refused.value.param == param
    assert said in refused.value.message
    assert param in refused.value.message


def call(arguments: str) -> str:
    return f'<tool_call>\n{{"name": "pick", "arguments": {arguments}}}\n</tool_call>'


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("second", ['{"n": [1, 2]}', '{"n": [2, 2]}'])
def test_a_call_that_broke_its_schema_is_never_seen(tiny_model: "LoadedModel", stream: bool, second: str) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, call('{"n": [1, 1]}')), later=[saying(tiny_model, call(second))])
    fields = {"stream": stream, "tools": [tool("pick", PICK)], "tool_choice": "required", "max_tokens": 500}
    with running(app_of({"starter": backend_of(engine)})) as url, OpenAI(base_url=f"{url}/v1", api_key="x") as client:
        raw = client._client.post(f"{url}/v1/chat/completions", json={"model": "starter", "messages": ASKED} | fields)
    if second == '{"n": [1, 2]}':
        assert raw.status_code == 200
        assert "[1, 1]" not in raw.text
        assert "tool_calls" in raw.text
    else:
        assert raw.status_code == (200 if stream else 502)
        assert "tool_call_invalid_arguments" in raw.text
        assert 'finish_reason":"tool_calls' not in raw.text.replace(" ", "")
