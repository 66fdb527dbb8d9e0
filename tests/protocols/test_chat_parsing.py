"""Bodies of Chat Completions: what is read, and the table of what is refused (bad_chat_requests.json)."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.conversation import (
    Assistant,
    Auto,
    Call,
    FreeText,
    InvalidRequest,
    JsonObject,
    JsonSchema,
    Message,
    Named,
    NoTools,
    Required,
    ResponseFormat,
    Sampling,
    System,
    ToolChoice,
    ToolResult,
    ToolSpec,
    User,
)
from hilt.protocols.openai_chat import ChatRequest, parse

BAD = json.loads((Path(__file__).parent / "bad_chat_requests.json").read_text())


def body(**fields: Any) -> bytes:
    base: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    changed = {name: value for name, value in (base | fields).items() if value != {"absent": True}}
    return json.dumps(changed).encode()


def refusal(sent: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(sent)
    return caught.value


@pytest.mark.parametrize("case", BAD, ids=[case["name"] for case in BAD])
def test_bad_requests(case: dict[str, Any]) -> None:
    error = refusal(body(**case["change"]))
    assert (error.status, error.param, error.code) == (400, case["param"], case.get("code", "invalid_request"))
    assert case["says"] in error.message


def calling(arguments: Any) -> dict[str, Any]:
    function = {"name": "add", "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": function}],
    }


RESULT_PARTS = [{"type": "text", "text": "4"}, {"type": "text", "text": "5"}]


@pytest.mark.parametrize(
    ("wire", "read"),
    [
        ([{"role": "system", "content": "s"}], (System("s"),)),
        ([{"role": "developer", "content": "s"}], (System("s"),)),
        ([{"role": "user", "content": "hé 😀", "name": "bob"}], (User("hé 😀"),)),
        ([{"role": "user", "content": None}], (User(""),)),
        ([{"role": "user"}], (User(""),)),
        ([{"role": "user", "content": []}], (User(""),)),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
            (User("a\nb"),),
        ),
        ([{"role": "assistant", "content": "a", "reasoning_content": "t"}], (Assistant("a", thinking="t"),)),
        ([{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}], (Assistant("no"),)),
        ([{"role": "assistant", "content": None, "tool_calls": None}], (Assistant(),)),
        ([calling('{"a": 1}')], (Assistant(calls=(Call("c1", "add", '{"a": 1}'),)),)),
        ([calling({"a": [1, "é"]})], (Assistant(calls=(Call("c1", "add", '{"a":[1,"é"]}'),)),)),
        ([calling("")], (Assistant(calls=(Call("c1", "add", "{}"),)),)),
        ([calling(None)], (Assistant(calls=(Call("c1", "add", "{}"),)),)),
        (
            [calling("{}"), {"role": "tool", "tool_call_id": "c1", "content": RESULT_PARTS}],
            (Assistant(calls=(Call("c1", "add", "{}"),)), ToolResult("c1", "add", "4\n5")),
        ),
        (
            [calling("{}"), {"role": "tool", "tool_call_id": "c1", "content": "4", "name": "ignored"}],
            (Assistant(calls=(Call("c1", "add", "{}"),)), ToolResult("c1", "add", "4")),
        ),
    ],
)
def test_messages(wire: list[dict[str, Any]], read: tuple[Message, ...]) -> None:
    assert parse(body(messages=wire)).request.messages == read


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("function", "spec"),
    [
        (
            {"name": "add", "description": "Adds.", "parameters": SCHEMA, "strict": True},
            ToolSpec("add", "Adds.", SCHEMA, strict=True),
        ),
        ({"name": "now", "strict": False}, ToolSpec("now", "", {"type": "object", "properties": {}})),
        ({"name": "now", "strict": None}, ToolSpec("now", "", {"type": "object", "properties": {}})),
        ({"name": "now"}, ToolSpec("now", "", {"type": "object", "properties": {}})),
        (
            {"name": "now", "description": None, "parameters": None},
            ToolSpec("now", "", {"type": "object", "properties": {}}),
        ),
        ({"name": "now", "parameters": {}}, ToolSpec("now", "", {"type": "object", "properties": {}})),
        (
            {"name": "a.b-C_1", "parameters": {"properties": {}}},
            ToolSpec("a.b-C_1", "", {"type": "object", "properties": {}}),
        ),
    ],
)
def test_tools(function: dict[str, Any], spec: ToolSpec) -> None:
    assert parse(body(tools=[{"type": "function", "function": function}])).request.tools == (spec,)
    assert parse(body(tools=[{"function": function}])).request.tools == (spec,)


def test_a_schema_is_kept_as_it_was_ordered() -> None:
    parameters = {"required": ["b"], "properties": {"b": {}, "a": {}}, "type": "object"}
    sent = body(tools=[{"type": "function", "function": {"name": "f", "parameters": parameters}}])
    assert json.dumps(parse(sent).request.tools[0].parameters["properties"]) == '{"b": {}, "a": {}}'


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        ({}, Sampling()),
        ({"temperature": 0, "top_p": 1, "top_k": 0}, Sampling(temperature=0, top_p=1, top_k=0)),
        ({"temperature": None, "stop": None, "max_tokens": None}, Sampling()),
        ({"max_tokens": 5}, Sampling(max_tokens=5)),
        ({"max_completion_tokens": 6}, Sampling(max_tokens=6)),
        ({"max_tokens": 5, "max_completion_tokens": 6}, Sampling(max_tokens=6)),
        ({"max_tokens": 10**30}, Sampling(max_tokens=10**30)),
        ({"seed": -(2**63)}, Sampling(seed=-(2**63))),
        ({"seed": 2**64 - 1}, Sampling(seed=2**64 - 1)),
        ({"stop": "END"}, Sampling(stop=("END",))),
        ({"stop": ["a", "b"]}, Sampling(stop=("a", "b"))),
        ({"stop": []}, Sampling()),
    ],
)
def test_sampling(fields: dict[str, Any], sampling: Sampling) -> None:
    assert parse(body(**fields)).request.sampling == sampling


def test_how_the_answer_is_sent() -> None:
    assert parse(body()) == ChatRequest(parse(body()).request, stream=False, include_usage=False)
    assert parse(body(stream=True)).stream
    assert not parse(body(stream=True, stream_options={"include_usage": False})).include_usage
    assert parse(body(stream=True, stream_options={"include_usage": True})).include_usage


def function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def allowed(mode: str, *names: str) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [function(name) for name in names]}}


@pytest.mark.parametrize(
    ("tools", "wire", "choice"),
    [
        ("", None, Auto()),
        ("", "auto", Auto()),
        ("", "none", NoTools()),
        ("ab", "none", NoTools()),
        ("ab", "required", Required()),
        ("ab", function("b"), Named("b")),
        ("ab", allowed("auto", "b"), Auto(("b",))),
        ("ab", allowed("required", "b", "a"), Required(("b", "a"))),
        ("ab", allowed("required", "a", "a"), Required(("a",))),
        (
            "ab",
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"function": {"name": "a"}}]}},
            Auto(("a",)),
        ),
    ],
)
def test_choosing_tools(tools: str, wire: Any, choice: ToolChoice) -> None:
    sent = body(tools=[function(name) for name in tools], tool_choice=wire)
    assert parse(sent).request.tool_choice == choice


def test_a_choice_is_auto_unless_it_is_made() -> None:
    assert parse(body()).request.tool_choice == Auto()
    assert parse(body(tools=[function("a")])).request.tool_choice == Auto()


def test_choosing_one_call_at_a_time() -> None:
    assert parse(body()).request.parallel_calls
    assert parse(body(parallel_tool_calls=None)).request.parallel_calls
    assert not parse(body(parallel_tool_calls=False)).request.parallel_calls


def test_a_choice_among_many_tools_is_told_some_of_them() -> None:
    error = refusal(body(tools=[function("x" * 100 + str(i)) for i in range(500)], tool_choice=function("y" * 10_000)))
    assert error.param == "tool_choice.function.name"
    assert "and 492 more" in error.message
    assert len(error.message) < 1_500


@pytest.mark.parametrize(
    ("wire", "form"),
    [
        (None, FreeText()),
        ({"type": "text"}, FreeText()),
        ({"type": "json_object"}, JsonObject()),
        ({"type": "json_object", "schema": None, "json_schema": None}, JsonObject()),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}, JsonSchema("x", SCHEMA)),
        (
            {
                "type": "json_schema",
                "json_schema": {"name": "a-B_1", "schema": {}, "strict": True, "description": "A sum."},
            },
            JsonSchema("a-B_1", {}, strict=True, description="A sum."),
        ),
        ({"type": "json_schema", "json_schema": {"name": "x" * 64}}, JsonSchema("x" * 64, {})),
        (
            {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": None, "strict": None, "description": None},
            },
            JsonSchema("x", {}),
        ),
    ],
)
def test_the_form_of_the_answer(wire: Any, form: ResponseFormat) -> None:
    assert parse(body(response_format=wire)).request.response_format == form
    assert parse(body()).request.response_format == FreeText()


def test_what_is_unknown_or_harmless_is_ignored() -> None:
    extra = {
        "store": False,
        "metadata": {"a": "😀"},
        "user": "u",
        "reasoning_effort": "low",
        "service_tier": "auto",
        "n": 1,
        "logprobs": False,
        "top_logprobs": 0,
        "logit_bias": {},
        "presence_penalty": 0,
        "frequency_penalty": 0.0,
        "response_format": {"type": "text"},
        "modalities": ["text"],
        "functions": None,
        "made_up": {"deep": [1, 2, {"x": None}]},
    }
    assert parse(body(**extra)) == parse(body())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": f"f{i}"}} for i in range(513)]}, "tools"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"stop": ["a"] * 1_000_000}, "stop"),
        ({"stop": "a" * 257}, "stop"),
        ({"stop": ["a" * 257]}, "stop[0]"),
        ({"messages": [calling("[" * 100_000)]}, "messages[0].tool_calls[0].function.arguments"),
        ({"messages": [calling('{"a":' * 201 + "1" + "}" * 201)]}, "messages[0].tool_calls[0].function.arguments"),
        ({"messages": [calling('{"a": "\\ud800"}')]}, "messages[0].tool_calls[0].function.arguments"),
    ],
    ids=[
        "tools",
        "stops",
        "a million stops",
        "long stop",
        "long stop in a list",
        "deep brackets",
        "deep arguments",
        "surrogate inside",
    ],
)
def test_what_is_counted_is_bounded(fields: dict[str, Any], param: str) -> None:
    error = refusal(body(**fields))
    assert error.param == param
    assert len(error.message) < 600


def test_as_many_tools_and_stops_as_allowed() -> None:
    tools = [{"type": "function", "function": {"name": f"f{i}"}} for i in range(512)]
    asked = parse(body(tools=tools, stop=["a" * 256] * 16)).request
    assert len(asked.tools) == 512
    assert len(asked.sampling.stop) == 16


@pytest.mark.parametrize("sent", [b"[]", b'"hi"', b"null", b"3"])
def test_a_body_that_is_no_object(sent: bytes) -> None:
    error = refusal(sent)
    assert error.param is None
    assert "object" in error.message


def test_numbers_beyond_a_float() -> None:
    sent = b'{"model": "m", "messages": [{"role": "user"}], "temperature": 1e999}'
    assert refusal(sent).param == "temperature"


def test_long_values_are_not_echoed_whole() -> None:
    assert len(refusal(body(messages=[{"role": "x" * 100_000}])).message) < 400


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "text", "role", "function", "name", "id", "arguments", "json_schema", "allowed_tools", "mode"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FIELDS = ["model", "messages", "tools", "tool_choice", "stop", "temperature", "max_tokens", "seed", "stream", "n"]
FIELDS += ["response_format"]


@given(st.dictionaries(st.sampled_from(FIELDS), junk), st.lists(junk, max_size=3), st.lists(junk, max_size=3))
def test_any_object_is_read_or_refused(fields: dict[str, Any], messages: list[Any], tools: list[Any]) -> None:
    for sent in (body(**fields), body(messages=messages), body(tools=tools)):
        with suppress(InvalidRequest):
            assert parse(sent).request.messages
