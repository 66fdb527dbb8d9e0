"""A request through the local backend: exact texts from a fake engine, whole turns from a tiny model."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from hilt.backends.local import LocalBackend
from hilt.conversation import (
    ArgumentsDelta,
    Assistant,
    Auto,
    Bug,
    Call,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    FreeText,
    HiltError,
    InvalidRequest,
    ModelEvent,
    Named,
    NoTools,
    PromptRead,
    Request,
    Required,
    ResponseFormat,
    Sampling,
    ThinkingDelta,
    ToolChoice,
    ToolSpec,
    Turn,
    TurnFinished,
    Unavailable,
    Usage,
    User,
    merge,
)
from hilt.dialects import CATALOG
from hilt.engine.door import JobDone, Output, TokenEngine
from hilt.engine.loading import LoadedModel
from hilt.engine.worker import Engine
from hilt.prompting import Manner
from tests.backends.fake_engine import FakeEngine, constraining, saying
from tests.conftest import OpenEngine
from tests.engine.jobs import prompt_of, run
from tests.tiny import CHATML

ADD = ToolSpec("add", "Add two numbers.", {"type": "object", "properties": {"a": {"type": "number"}}})
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b": "é"}}\n</tool_call>'
HELLO = (User("hello"),)


def backend_of(engine: TokenEngine) -> LocalBackend:
    numbers = count()
    manner = Manner(CATALOG["hermes"], "told so", "named", tools=True, calls=True, results=True)
    return LocalBackend(engine, constraining(engine, manner), "tiny", "cpu", manner, lambda: f"call_{next(numbers)}")


async def collected(backend: LocalBackend, request: Request) -> list[ModelEvent]:
    return [event async for event in backend.stream(request)]


def events_of(backend: LocalBackend, request: Request) -> list[ModelEvent]:
    return asyncio.run(collected(backend, request))


def asking(
    *messages: Any,
    tools: Sequence[ToolSpec] = (),
    choice: ToolChoice = Auto(),
    stop: tuple[str, ...] = (),
    form: ResponseFormat = FreeText(),
) -> Request:
    sampling = Sampling(stop=stop, max_tokens=50)
    return Request("tiny", messages or HELLO, tuple(tools), choice, sampling=sampling, response_format=form)


def turn(loaded: LoadedModel, script: Sequence[Output], request: Request) -> Turn:
    return merge(events_of(backend_of(FakeEngine(loaded, script)), request))


def test_plain_text(tiny_model: LoadedModel) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, "Grüße 👋!"))
    events = events_of(backend_of(engine), asking())
    ((prompt, sampling),) = engine.submitted
    assert events[0] == PromptRead(len(prompt), 2)
    assert all(isinstance(event, ContentDelta) for event in events[1:-1])
    tokens = len(tiny_model.tokenizer.encode("Grüße 👋!", add_special_tokens=False))
    assert events[-1] == TurnFinished("stop", Usage(len(prompt), 2, tokens + 1))
    assert merge(events).message == Assistant("Grüße 👋!")
    assert [e.text for e in events if isinstance(e, ContentDelta)] == ["G", "r", "ü", "ß", "e", " 👋", "!"]
    assert sampling.max_tokens == 50


def test_a_call_comes_as_it_is_written(tiny_model: LoadedModel) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, f"Let me see.\n{CALL}"))
    events = events_of(backend_of(engine), asking(tools=[ADD]))
    calls = [e for e in events if isinstance(e, CallStarted | ArgumentsDelta | CallFinished)]
    arguments = '{"a": 2, "b": "é"}'
    assert calls[0] == CallStarted(0, "call_0", "add")
    assert "".join(e.text for e in calls if isinstance(e, ArgumentsDelta)) == arguments
    assert len(calls) > 10
    assert calls[-1] == CallFinished(0, Call("call_0", "add", arguments), raw=CALL)
    assert events.index(calls[0]) > 5
    merged = merge(events)
    assert (merged.message.content.strip(), merged.reason) == ("Let me see.", "tool_calls")


@pytest.mark.parametrize(
    ("text", "end", "tools", "reason", "calls", "rejected"),
    [
        ("just words", None, [ADD], "stop", 0, []),
        (CALL + CALL, None, [ADD], "tool_calls", 2, []),
        (CALL, JobDone("length", 99), [ADD], "length", 1, []),
        (CALL[:40], JobDone("length", 99), [ADD], "length", 0, ["truncated"]),
        (CALL[:40], None, [ADD], "length", 0, ["truncated"]),
        (CALL + CALL[:40], JobDone("length", 99), [ADD], "length", 1, ["truncated"]),
        (CALL.replace("add", "sub"), None, [ADD], "stop", 0, ["unknown_tool"]),
        (CALL.replace("2,", "2 2,"), None, [ADD], "stop", 0, ["malformed"]),
        (CALL, None, [], "stop", 0, []),
    ],
    ids=[
        "none",
        "two",
        "whole at the limit",
        "cut by the limit",
        "cut by the model",
        "one cut",
        "unknown",
        "bad",
        "no tools",
    ],
)
def test_why_a_turn_ended(
    tiny_model: LoadedModel,
    text: str,
    end: JobDone | None,
    tools: list[ToolSpec],
    reason: str,
    calls: int,
    rejected: list[str],
) -> None:
    merged = turn(tiny_model, saying(tiny_model, text, end), asking(tools=tools))
    assert (merged.reason, len(merged.message.calls)) == (reason, calls)
    assert [bad.reason for bad in merged.rejected] == rejected
    if not tools:
        assert merged.message.content == text


@pytest.mark.parametrize("text", [CALL + CALL, f"{CALL}\n{CALL[:40]}", CALL[: -len("</tool_call>")] + CALL, CALL])
def test_a_turn_that_may_make_one_call_ends_with_it(tiny_model: LoadedModel, text: str) -> None:
    request = structs.replace(asking(tools=[ADD]), parallel_calls=False)
    events = events_of(backend_of(FakeEngine(tiny_model, saying(tiny_model, text))), request)
    assert [type(event) for event in events[-2:]] == [CallFinished, TurnFinished]
    merged = merge(events)
    assert (merged.reason, len(merged.message.calls), merged.rejected) == ("tool_calls", 1, ())
    assert sum(isinstance(event, CallStarted) for event in events) == 1


def test_a_call_that_was_ruled_out_is_rejected(tiny_model: LoadedModel) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, CALL))
    events = events_of(backend_of(engine), asking(tools=[ADD], choice=NoTools()))
    assert [type(event) for event in events] == [PromptRead, CallRejected, TurnFinished]
    assert merge(events).reason == "stop"
    ((prompt, _),) = engine.submitted
    assert "Add two numbers" not in tiny_model.tokenizer.decode(prompt)


def test_thinking_is_kept_apart(tiny_model: LoadedModel) -> None:
    merged = turn(tiny_model, saying(tiny_model, "<think>\nhm, 2\n</think>\n\nIt is 2."), asking())
    assert (merged.message.thinking.strip(), merged.message.content) == ("hm, 2", "It is 2.")


def test_a_thought_that_the_template_opened(tiny_model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    template = CHATML.replace("assistant\n{% endif", "assistant\n<think>\n{% endif")
    monkeypatch.setattr(tiny_model.tokenizer._tokenizer, "chat_template", template)
    events = events_of(backend_of(FakeEngine(tiny_model, saying(tiny_model, "hm</think>Yes."))), asking())
    assert any(isinstance(event, ThinkingDelta) for event in events)
    assert merge(events).message == Assistant("Yes.", "hm")


@pytest.mark.parametrize(
    ("text", "stop", "content", "taken"),
    [
        ("one END two", ("END",), "one ", 7),
        ("one\n\ntwo", ("\n\n", "w"), "one", 5),
        ("café, grüß", ("é, g",), "caf", 8),
        ("never", ("END",), "never", 6),
        ("almost EN", ("END",), "almost EN", 10),
        ("END", ("END",), "", 3),
    ],
)
def test_a_stop_text_ends_the_reply_and_never_shows(
    tiny_model: LoadedModel, text: str, stop: tuple[str, ...], content: str, taken: int
) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, text))
    merged = merge(events_of(backend_of(engine), asking(stop=stop)))
    assert (merged.message.content, merged.reason) == (content, "stop")
    assert merged.usage.completion_tokens == taken
    assert engine.cancelled == [0]


def test_a_stop_text_at_the_limit_still_means_stop(tiny_model: LoadedModel) -> None:
    script = saying(tiny_model, "one END", JobDone("length", 7))
    merged = turn(tiny_model, script, asking(stop=("END",)))
    assert (merged.message.content, merged.reason) == ("one ", "stop")


def test_text_held_back_for_a_stop_comes_at_the_limit(tiny_model: LoadedModel) -> None:
    merged = turn(tiny_model, saying(tiny_model, "one EN", JobDone("length", 6)), asking(stop=("END",)))
    assert (merged.message.content, merged.reason) == ("one EN", "length")


def test_a_character_that_never_ends(tiny_model: LoadedModel) -> None:
    script = saying(tiny_model, "a😀", JobDone("length", 4))
    del script[-2]
    assert turn(tiny_model, script, asking()).message.content == "a\ufffd"


@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=3), max_size=3))
def test_any_text_comes_through_up_to_its_stop(tiny_model: LoadedModel, text: str, stop: list[str]) -> None:
    merged = turn(tiny_model, saying(tiny_model, text), asking(stop=tuple(stop)))
    ends = {text.index(s) + len(s) for s in stop if s in text}
    before = text[: min(ends, default=len(text))]
    expected = before[: min(len(before) - len(s) for s in stop if before.endswith(s))] if ends else text
    assert merged.message.thinking + merged.message.content == expected.removeprefix("<think>") or "<" in text
    if not any(mark in text for mark in "< \n\r\t"):
        assert merged.message.content == expected


@pytest.mark.parametrize("error", [Bug("the engine failed"), Unavailable("the engine was closed")])
def test_an_error_in_the_middle_of_a_turn_is_raised_there(tiny_model: LoadedModel, error: HiltError) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, "one two", error))
    heard: list[ModelEvent] = []

    async def listen() -> None:
        async for event in backend_of(engine).stream(asking()):
            heard.append(event)

    with pytest.raises(type(error)) as raised:
        asyncio.run(listen())
    assert raised.value is error
    assert "".join(e.text for e in heard if isinstance(e, ContentDelta)) == "one two"
    assert engine.cancelled == [0]


def test_closing_the_stream_takes_the_job_back(tiny_model: LoadedModel) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, "one two three")[:-1])

    async def leave() -> None:
        async with aclosing(backend_of(engine).stream(asking())) as events:
            assert isinstance(await anext(events), PromptRead)
            assert isinstance(await anext(events), ContentDelta)
            assert engine.cancelled == []

    asyncio.run(leave())
    assert engine.cancelled == [0]


def test_a_listener_that_is_cancelled_takes_the_job_back(tiny_model: LoadedModel) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, "one")[:-1])

    async def interrupted() -> None:
        got = asyncio.Event()

        async def listen() -> None:
            async for _ in backend_of(engine).stream(asking()):
                got.set()

        task = asyncio.create_task(listen())
        await got.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    assert engine.cancelled == [0]


def test_what_comes_after_the_loop_has_closed_is_dropped(tiny_model: LoadedModel) -> None:
    late: list[Any] = []

    class LateEngine(FakeEngine):
        def submit(self, prompt: list[int], sampling: Sampling, deliver: Any, constraint: Any = None) -> int:
            late.append(deliver)
            return super().submit(prompt, sampling, deliver, constraint)

    script = saying(tiny_model, "one")
    events_of(backend_of(LateEngine(tiny_model, script)), asking())
    (deliver,) = late
    for output in script:
        deliver(output)


@pytest.mark.parametrize(
    ("request_", "param", "code", "said"),
    [
        (asking(choice=Required()), "tool_choice", "invalid_request", "none of the tools"),
        (asking(tools=[ADD], choice=Required(("sub",))), "tool_choice", "invalid_request", "none of the tools"),
        (asking(tools=[ADD], choice=Named("sub")), "tool_choice", "invalid_request", "not offered"),
        (asking(tools=[ADD, ADD]), "tools[1].name", "invalid_request", "tools[0]"),
        (asking(tools=[ToolSpec("", "", {})]), "tools[0].name", "invalid_request", "needs a name"),
        (asking(User("x" * 5000)), "messages", "context_length_exceeded", "too long"),
    ],
    ids=["required", "allowed", "named", "twice", "nameless", "too long"],
)
def test_what_cannot_be_done_is_refused_before_anything_runs(
    tiny_model: LoadedModel, request_: Request, param: str, code: str, said: str
) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, "never"))
    with pytest.raises(InvalidRequest) as refused:
        events_of(backend_of(engine), request_)
    assert (refused.value.param, refused.value.code) == (param, code)
    assert said in refused.value.message
    assert (engine.submitted, engine.cancelled) == ([], [])


def test_the_card(tiny_model: LoadedModel) -> None:
    card = backend_of(FakeEngine(tiny_model, [], context_length=77)).card
    assert (card.id, card.device, card.dialect, card.context_length) == ("tiny", "cpu", "hermes", 77)
    assert backend_of(FakeEngine(tiny_model, [])).why_dialect == "told so"


def test_requests_at_once_on_a_real_engine_give_what_each_gives_alone(open_engine: OpenEngine) -> None:
    requests = [asking(User("hello " * n)) for n in (1, 9, 30)]
    engine = open_engine(prefix_cache_bytes=0)
    backend = backend_of(engine)
    alone = [merge(events_of(backend, request)) for request in requests]

    async def together() -> list[Turn]:
        return [merge(e) for e in await asyncio.gather(*(collected(backend, request) for request in requests))]

    assert asyncio.run(together()) == alone
    assert [t.usage.completion_tokens for t in alone] == [50, 50, 50]


def test_a_second_turn_counts_what_was_cached(open_engine: OpenEngine) -> None:
    backend = backend_of(open_engine())
    first = merge(events_of(backend, asking(User("hello"))))
    assert first.usage.cached_tokens == 0
    again = merge(events_of(backend, asking(User("hello"))))
    assert again.usage.cached_tokens == first.usage.prompt_tokens - 1
    assert again.message == first.message


def test_a_stop_text_frees_the_engine_and_keeps_what_was_read(open_engine: OpenEngine) -> None:
    engine = open_engine(max_batch=1, max_waiting=1)
    backend = backend_of(engine)
    whole = merge(events_of(backend, asking(User("hello"))))
    stop = whole.message.content[4:7]
    stopped = merge(events_of(backend, asking(User("hello again, and longer"), stop=(stop,))))
    cut = merge(events_of(backend, asking(User("hello"), stop=(stop,))))
    assert cut.message.content == whole.message.content.split(stop)[0]
    assert cut.usage.completion_tokens < whole.usage.completion_tokens
    again = merge(events_of(backend, asking(User("hello again, and longer"))))
    assert again.usage.cached_tokens == stopped.usage.prompt_tokens - 1


def test_a_client_that_leaves_frees_the_engine(open_engine: OpenEngine) -> None:
    engine = open_engine(max_batch=1, max_waiting=1)
    backend = backend_of(engine)
    endless = Request("tiny", HELLO, sampling=Sampling())

    async def leave() -> None:
        async with aclosing(backend.stream(endless)) as events:
            await anext(events)

    for _ in range(4):
        asyncio.run(leave())
    assert run(engine, prompt_of(5), Sampling(max_tokens=3)).done.tokens == 3


def test_the_loop_may_be_gone_while_the_engine_still_writes(
    plain_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    backend = backend_of(plain_engine)
    streams: list[Any] = []

    async def abandon() -> None:
        streams.append(backend.stream(Request("tiny", HELLO, sampling=Sampling(max_tokens=40))))
        await anext(streams[0])
        asyncio.get_running_loop()._asyncgens.clear()  # as if the loop had been stopped without closing anything

    asyncio.run(abandon())
    assert run(plain_engine, prompt_of(5), Sampling(max_tokens=60)).done.tokens == 60
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("dialect", "call"),
    [
        ("harmony", '<|channel|>commentary to=functions.add<|message|>{"a": 2}<|call|>'),
        ("apertus", '<|tools_prefix|>[{"add": {"a": 2}}]<|tools_suffix|>'),
        ("gemma4", "<|tool_call>call:add{a:2}<tool_call|><|tool_response>"),
        ("llama3", '<|python_tag|>{"name": "add", "parameters": {"a": 2}}<|eom_id|>'),
    ],
)
def test_what_a_model_makes_up_behind_its_call_is_not_read(tiny_model: LoadedModel, dialect: str, call: str) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, f"{call} and so the answer is 2."))
    manner = Manner(CATALOG[dialect], "told so", "named")
    events = events_of(
        LocalBackend(engine, constraining(engine, manner), "tiny", "cpu", manner, lambda: "call_0"), asking(tools=[ADD])
    )
    merged = merge(events)
    assert (merged.message.content, merged.reason) == ("", "tool_calls")
    assert [c.name for c in merged.message.calls] == ["add"]
    assert len(engine.cancelled) == 1
