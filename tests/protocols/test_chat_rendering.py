"""Streams and completions: both tell the same turn, in shapes that the official SDK's own types accept."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel, TypeAdapter

from hilt.conversation import (
    AnswerRejected,
    ArgumentsDelta,
    BadCall,
    Bug,
    Call,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    ModelEvent,
    Overloaded,
    PromptRead,
    ThinkingDelta,
    TurnFinished,
    Unavailable,
    Usage,
)
from hilt.protocols import sse
from hilt.protocols.openai_chat import ChatStream, ReplyHead, completion
from hilt.protocols.openai_errors import fault_reply
from hilt.protocols.openai_models import model_reply, models_reply

HEAD = ReplyHead(id="chatcmpl-1", model="org/m", created_s=1_700_000_000)
USAGE = Usage(prompt_tokens=12, cached_tokens=4, completion_tokens=7)
OUR_EXTRAS = {"reasoning_content"}


def rendered(events: list[ModelEvent], *, include_usage: bool = False) -> bytes:
    stream = ChatStream(HEAD, include_usage=include_usage)
    return b"".join(stream.feed(event) for event in events)


def data_of(stream: bytes) -> list[str]:
    """The data of each event, read as the standard says; comments are skipped."""
    *blocks, rest = stream.decode().split("\n\n")
    assert rest == ""
    lines = [block for block in blocks if not block.startswith(":")]
    assert all(line.startswith("data: ") and "\n" not in line for line in lines)
    return [line.removeprefix("data: ") for line in lines]


def no_unknown_fields(model: BaseModel) -> None:
    assert set(model.model_extra or {}) <= OUR_EXTRAS
    for name in type(model).model_fields:
        value = getattr(model, name)
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, BaseModel):
                no_unknown_fields(inner)


def valid(kind: type[Any], raw: bytes | str) -> Any:
    model = TypeAdapter(kind).validate_json(raw, strict=True)
    no_unknown_fields(model)
    return model


def in_order(payloads: list[str]) -> str:
    """Walk the automaton of a stream: role, then deltas, then the finish reason, then usage, then [DONE].

    Returns the finish reason, or "error". AssertionError at the first payload out of place.
    """
    state = "start"
    finish = ""
    calls: list[int] = []
    for payload in payloads:
        if payload == "[DONE]":
            assert state in ("finished", "counted", "failed")
            state = "over"
            continue
        chunk = json.loads(payload)
        if "error" in chunk:
            assert state in ("start", "open")
            assert set(chunk["error"]) == {"message", "type", "param", "code"}
            state, finish = "failed", "error"
            continue
        valid(ChatCompletionChunk, payload)
        if not chunk["choices"]:
            assert state == "finished"
            assert (
                chunk["usage"]["total_tokens"] == chunk["usage"]["prompt_tokens"] + chunk["usage"]["completion_tokens"]
            )
            state = "counted"
            continue
        [choice] = chunk["choices"]
        delta = choice["delta"]
        if state == "start":
            assert delta == {"role": "assistant", "content": ""}
            state = "open"
            continue
        assert state == "open"
        if choice["finish_reason"] is not None:
            assert delta == {}
            state, finish = "finished", choice["finish_reason"]
            continue
        assert len(delta) == 1
        for call in delta.get("tool_calls", []):
            if "id" in call:
                assert call["index"] == len(calls)
                assert call["type"] == "function"
                assert call["function"]["arguments"] == ""
                calls.append(call["index"])
            else:
                assert call["index"] in calls
                assert set(call) == {"index", "function"}
    assert state == "over"
    return finish


def test_a_stream_with_everything_byte_for_byte() -> None:
    events: list[ModelEvent] = [
        PromptRead(12, 4),
        ThinkingDelta("hm"),
        ContentDelta('Say "é"\n'),
        CallStarted(0, "call_a", "add"),
        ArgumentsDelta(0, '{"a":'),
        ArgumentsDelta(0, " 1}"),
        CallFinished(0, Call("call_a", "add", '{"a": 1}')),
        TurnFinished("tool_calls", USAGE),
    ]
    head = '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"org/m","choices":['

    def chunk(delta: str, finish: str = "null") -> str:
        return f'data: {head}{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}\n\n'

    assert rendered(events, include_usage=True).decode() == (
        chunk('{"role":"assistant","content":""}')
        + chunk('{"reasoning_content":"hm"}')
        + chunk('{"content":"Say \\"é\\"\\n"}')
        + chunk('{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"add","arguments":""}}]}')
        + chunk('{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":"}}]}')
        + chunk('{"tool_calls":[{"index":0,"function":{"arguments":" 1}"}}]}')
        + chunk("{}", '"tool_calls"')
        + f'data: {head}],"usage":{{"prompt_tokens":12,"completion_tokens":7,"total_tokens":19,'
        '"prompt_tokens_details":{"cached_tokens":4}}}\n\n'
        "data: [DONE]\n\n"
    )


def test_a_completion_with_everything() -> None:
    events: list[ModelEvent] = [
        PromptRead(12, 4),
        ThinkingDelta("hm"),
        CallStarted(0, "call_a", "add"),
        ArgumentsDelta(0, "{}"),
        CallFinished(0, Call("call_a", "add", "{}")),
        TurnFinished("tool_calls", USAGE),
    ]
    reply = completion(events, HEAD)
    assert reply.status == 200
    assert json.loads(reply.body) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "org/m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                    "reasoning_content": "hm",
                    "tool_calls": [
                        {"id": "call_a", "type": "function", "function": {"name": "add", "arguments": "{}"}}
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 7,
            "total_tokens": 19,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
    }


names = st.sampled_from(["add", "get_weather", "a.b"])
arguments = st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=8), max_size=3).map(json.dumps)
segments = st.lists(
    st.tuples(st.just("content"), st.text(min_size=1, max_size=20))
    | st.tuples(st.just("thinking"), st.text(min_size=1, max_size=20))
    | st.tuples(names, arguments),
    max_size=6,
)


def cut(text: str, draw: st.DataObject) -> list[str]:
    """`text` in pieces, some of them empty."""
    places = sorted(draw.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def told(plan: list[tuple[str, str]], draw: st.DataObject) -> list[ModelEvent]:
    """One way to tell the turn of `plan`."""
    events: list[ModelEvent] = [PromptRead(12, 4)] if draw.draw(st.booleans()) else []
    index = 0
    for kind, text in plan:
        if kind == "content":
            events += [ContentDelta(piece) for piece in cut(text, draw)]
        elif kind == "thinking":
            events += [ThinkingDelta(piece) for piece in cut(text, draw)]
        else:
            events.append(CallStarted(index, f"call_{index}", kind))
            events += [ArgumentsDelta(index, piece) for piece in cut(text, draw)]
            events.append(CallFinished(index, Call(f"call_{index}", kind, text)))
            index += 1
    return [*events, TurnFinished("tool_calls" if index else "stop", USAGE)]


def assembled(stream: bytes) -> dict[str, Any]:
    """What the official SDK makes of a stream."""
    state = ChatCompletionStreamState()
    for payload in data_of(stream):
        if payload != "[DONE]":
            state.handle_chunk(valid(ChatCompletionChunk, payload))
    snapshot = state.current_completion_snapshot
    [choice] = snapshot.choices
    assert snapshot.usage is not None
    return {
        "content": choice.message.content or "",
        "thinking": (choice.message.model_extra or {}).get("reasoning_content", ""),
        "calls": [(c.id, c.type, c.function.name, c.function.arguments) for c in choice.message.tool_calls or []],
        "finish_reason": choice.finish_reason,
        "usage": snapshot.usage.model_dump(exclude_unset=True),
    }


def whole(body: bytes) -> dict[str, Any]:
    answer = valid(ChatCompletion, body)
    [choice] = answer.choices
    return {
        "content": choice.message.content or "",
        "thinking": (choice.message.model_extra or {}).get("reasoning_content", ""),
        "calls": [(c.id, c.type, c.function.name, c.function.arguments) for c in choice.message.tool_calls or []],
        "finish_reason": choice.finish_reason,
        "usage": answer.usage.model_dump(exclude_unset=True),
    }


@given(segments, st.data())
def test_stream_and_completion_tell_the_same_turn_however_it_is_cut(
    plan: list[tuple[str, str]], draw: st.DataObject
) -> None:
    one, other = told(plan, draw), told(plan, draw)
    stream = rendered(one, include_usage=True)
    assert in_order(data_of(stream)) == (
        "tool_calls" if any(k not in ("content", "thinking") for k, _ in plan) else "stop"
    )
    assert assembled(stream) == assembled(rendered(other, include_usage=True)) == whole(completion(other, HEAD).body)


@given(segments, st.data())
def test_a_stream_may_fail_anywhere(plan: list[tuple[str, str]], draw: st.DataObject) -> None:
    events = told(plan, draw)
    before = draw.draw(st.integers(0, len(events) - 1))
    stream = ChatStream(HEAD)
    sent = b"".join(stream.feed(event) for event in events[:before]) + stream.fail(Unavailable("gone"))
    assert in_order(data_of(sent)) == "error"
    assert stream.finished
    assert stream.feed(events[before]) + stream.fail(Bug("again")) == b""


def rejected(reason: Any, raw: str = "<tool_call>{") -> CallRejected:
    return CallRejected(0, BadCall(id="call_a", name="add", reason=reason, detail="the JSON ends too soon", raw=raw))


@pytest.mark.parametrize("reason", ["malformed", "unknown_tool", "invalid_arguments"])
def test_a_broken_call_fails_the_answer(reason: str) -> None:
    raw = "<tool_call>" + "x" * 10_000
    events = [PromptRead(1, 0), ContentDelta("Let me"), rejected(reason, raw), TurnFinished("stop", USAGE)]
    reply = completion(events, HEAD)
    error = json.loads(reply.body)["error"]
    assert reply.status == 502
    assert (error["type"], error["code"], error["param"]) == ("model_output_error", f"tool_call_{reason}", None)
    assert "the JSON ends too soon" in error["message"]
    assert "'<tool_call>xxx" in error["message"]
    assert len(error["message"]) < 1_200
    payloads = data_of(rendered(events))
    assert in_order(payloads) == "error"
    assert json.loads(payloads[-2])["error"] == error


MADE: list[ModelEvent] = [
    CallStarted(0, "call_a", "add"),
    ArgumentsDelta(0, "{}"),
    CallFinished(0, Call("call_a", "add", "{}")),
]


@pytest.mark.parametrize(
    "before", [[], [ContentDelta("Sure! ")], [ThinkingDelta("hm"), *MADE], [rejected("truncated")]]
)
def test_an_answer_that_breaks_the_demands_fails(before: list[ModelEvent]) -> None:
    fault = AnswerRejected("the answer is not JSON: expected `{` at character 0.", "Sure! " + "x" * 10_000)
    events = [PromptRead(1, 0), *before, fault, TurnFinished("stop", USAGE)]
    reply = completion(events, HEAD)
    error = json.loads(reply.body)["error"]
    assert reply.status == 502
    assert (error["type"], error["code"], error["param"]) == ("model_output_error", "answer_rejected", None)
    assert "expected `{` at character 0. It wrote 'Sure! xxx" in error["message"]
    assert len(error["message"]) < 1_200
    payloads = data_of(rendered(events))
    assert in_order(payloads) == "error"
    assert json.loads(payloads[-2])["error"] == error


def test_a_fault_that_is_long_is_told_in_short() -> None:
    events: list[ModelEvent] = [AnswerRejected("y" * 100_000, "x" * 100_000), TurnFinished("stop", USAGE)]
    assert len(completion(events, HEAD).body) < 2_000


def test_the_first_fault_is_told() -> None:
    events: list[ModelEvent] = [rejected("malformed"), AnswerRejected("no call", ""), TurnFinished("stop", USAGE)]
    told_whole = json.loads(completion(events, HEAD).body)["error"]
    assert told_whole["code"] == "tool_call_malformed"
    assert json.loads(data_of(rendered(events))[-2])["error"] == told_whole


def test_a_truncated_call_is_never_claimed() -> None:
    events: list[ModelEvent] = [
        ContentDelta("Let me"),
        CallStarted(0, "call_a", "add"),
        ArgumentsDelta(0, '{"a'),
        rejected("truncated"),
        TurnFinished("stop", USAGE),
    ]
    answer = whole(completion(events, HEAD).body)
    assert (answer["content"], answer["calls"], answer["finish_reason"]) == ("Let me", [], "length")
    assert "tool_calls" not in json.loads(completion(events, HEAD).body)["choices"][0]["message"]
    assert in_order(data_of(rendered(events))) == "length"


def test_a_truncated_call_keeps_those_before_it() -> None:
    cut_off = CallRejected(1, BadCall(id="b", name=None, reason="truncated", detail="cut", raw="<tool"))
    events: list[ModelEvent] = [
        CallStarted(0, "a", "add"),
        ArgumentsDelta(0, "{}"),
        CallFinished(0, Call("a", "add", "{}")),
        cut_off,
        TurnFinished("length", USAGE),
    ]
    answer = whole(completion(events, HEAD).body)
    assert (answer["calls"], answer["finish_reason"]) == ([("a", "function", "add", "{}")], "length")


def test_usage_comes_only_if_asked() -> None:
    events: list[ModelEvent] = [ContentDelta("hi"), TurnFinished("stop", USAGE)]
    assert b"usage" not in rendered(events)
    assert b"usage" in rendered(events, include_usage=True)


def test_a_turn_that_breaks_off_is_no_completion() -> None:
    with pytest.raises(ValueError, match="broke off"):
        completion([ContentDelta("hi")], HEAD)


def test_lists_of_models() -> None:
    listing = json.loads(models_reply(["org/a", "b"], created_s=5).body)
    assert listing["object"] == "list"
    assert [valid(Model, msgspec.json.encode(entry)).id for entry in listing["data"]] == ["org/a", "b"]
    assert valid(Model, model_reply("org/a", created_s=5).body).created == 5


def test_faults_as_answers() -> None:
    reply = fault_reply(Overloaded("too much waits", retry_after_s=7))
    assert (reply.status, reply.headers) == (429, (("Retry-After", "7"),))
    assert json.loads(reply.body)["error"] == {
        "message": "too much waits",
        "type": "rate_limit_error",
        "param": None,
        "code": "overloaded",
    }
    assert fault_reply(Unavailable("x")).status == 503
    assert fault_reply(Bug("x")).headers == ()


def test_an_event_is_one_line() -> None:
    assert sse.event(b"{}") == b"data: {}\n\n"
    with pytest.raises(ValueError, match="one line"):
        sse.event(b"a\nb")
