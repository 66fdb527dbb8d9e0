"""What a request demands is kept: by the grammar of its reply, by the check behind it, and by asking once more."""

import asyncio
import json
import threading
from itertools import count
from typing import Any

import pytest
from msgspec import structs

from hilt.backends.checked_turn import CheckedTurn
from hilt.backends.constraining import STACK_BYTES, Constraining
from hilt.backends.local import LocalBackend
from hilt.conversation import (
    AnswerRejected,
    ArgumentsDelta,
    Auto,
    Bug,
    CallFinished,
    CallRejected,
    CallStarted,
    InvalidRequest,
    JsonObject,
    JsonSchema,
    ModelEvent,
    Named,
    NoTools,
    PromptRead,
    Request,
    Required,
    Sampling,
    ToolSpec,
    TurnFinished,
    Usage,
    User,
    merge,
)
from hilt.dialects import CATALOG
from hilt.engine.door import JobDone
from hilt.engine.loading import LoadedModel
from hilt.grammar.budget import Steering
from hilt.prompting import Manner
from tests.backends.fake_engine import FakeEngine, constraining, saying
from tests.backends.test_local import asking, backend_of, events_of
from tests.tiny import CHATML

CITY: dict[str, Any] = {"type": "string", "minLength": 1}
WEATHER = ToolSpec("weather", "Weather.", {"type": "object", "properties": {"city": CITY}, "required": ["city"]})
ADD = ToolSpec("add", "Add two numbers.", {"type": "object", "properties": {"a": {"type": "number"}}})
NUMBERS: dict[str, Any] = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
PICK = ToolSpec("pick", "Pick numbers.", {"type": "object", "properties": {"n": NUMBERS}, "required": ["n"]})
BOTH = [WEATHER, ADD]
HERMES = Manner(CATALOG["hermes"], "told so", "named")
COUNT: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
UNIQUE: dict[str, Any] = {"type": "object", "properties": {"n": NUMBERS}, "required": ["n"]}


def call(name: str, arguments: str) -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


OSLO = call("weather", '{"city": "Oslo"}')
TWO = call("add", '{"a": 2}')
WRONG, RIGHT = call("pick", '{"n": [1, 1]}'), call("pick", '{"n": [1, 2]}')


# What the grammar lets through


@pytest.mark.parametrize(
    ("request_", "text", "allowed"),
    [
        (asking(tools=BOTH), "Just words.", True),
        (asking(tools=BOTH), f"Words. {OSLO}", True),
        (asking(tools=BOTH), call("weather", '{"city": 3}'), False),
        (asking(tools=BOTH), call("sub", "{}"), False),
        (asking(tools=BOTH), OSLO + TWO, True),
        (asking(tools=BOTH, choice=Required()), OSLO, True),
        (asking(tools=BOTH, choice=Required()), f"{OSLO}\n{TWO}", True),
        (asking(tools=BOTH, choice=Required()), "Just words.", False),
        (asking(tools=BOTH, choice=Required(("add",))), TWO, True),
        (asking(tools=BOTH, choice=Required(("add",))), OSLO, False),
        (asking(tools=BOTH, choice=Named("add")), TWO, True),
        (asking(tools=BOTH, choice=Named("add")), OSLO, False),
        (asking(tools=BOTH, choice=Named("add")), TWO + TWO, False),
        (asking(tools=BOTH, choice=Auto(("add",))), f"Well. {TWO}", True),
        (asking(tools=BOTH, choice=Auto(("add",))), "Just words.", True),
        (asking(tools=BOTH, choice=Auto(("add",))), OSLO, False),
        (asking(tools=BOTH, choice=NoTools()), "Just words.", True),
        (asking(tools=BOTH, choice=NoTools()), OSLO, False),
        (asking(form=JsonObject()), '{"a": [1]}', True),
        (asking(form=JsonObject()), "[1]", False),
        (asking(form=JsonObject()), "Here: {}", False),
        (asking(form=JsonSchema("x", COUNT)), '{"n": 3}', True),
        (asking(form=JsonSchema("x", COUNT)), '{"n": "3"}', False),
        (asking(form=JsonSchema("x", COUNT)), OSLO, False),
        (asking(tools=BOTH, form=JsonSchema("x", COUNT)), '{"n": 3}', True),
        (asking(tools=BOTH, form=JsonSchema("x", COUNT)), OSLO, True),
        (asking(tools=BOTH, choice=NoTools(), form=JsonSchema("x", COUNT)), '{"n": 3}', True),
        (asking(tools=BOTH, choice=NoTools(), form=JsonSchema("x", COUNT)), OSLO, False),
        (asking(tools=BOTH, choice=Required(), form=JsonSchema("x", COUNT)), OSLO, True),
        (asking(tools=BOTH, choice=Required(), form=JsonSchema("x", COUNT)), '{"n": 3}', False),
    ],
)
def test_a_reply_can_be_nothing_but_what_is_demanded(
    tiny_model: LoadedModel, request_: Request, text: str, allowed: bool
) -> None:
    request = structs.replace(request_, sampling=Sampling(max_tokens=900))
    backend = backend_of(FakeEngine(tiny_model, saying(tiny_model, text), obeys=True))
    if not allowed:
        with pytest.raises(Bug, match="against the grammar"):
            events_of(backend, request)
        return
    turn = merge(events_of(backend, request))
    assert (turn.rejected, turn.fault) == ((), None)
    assert turn.reason == ("tool_calls" if "<tool_call>" in text else "stop")


def test_one_call_is_one_call(tiny_model: LoadedModel) -> None:
    request = structs.replace(asking(tools=BOTH, choice=Required()), parallel_calls=False)
    turn = merge(events_of(backend_of(FakeEngine(tiny_model, saying(tiny_model, OSLO), obeys=True)), request))
    assert (len(turn.message.calls), turn.reason) == (1, "tool_calls")


@pytest.mark.parametrize("request_", [asking(), asking(choice=NoTools())])
def test_plain_talk_is_not_constrained(tiny_model: LoadedModel, request_: Request) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, "hi"))
    events_of(backend_of(engine), request_)
    assert engine.constraints == [None]


def test_the_prompt_may_have_begun_the_reply(tiny_model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    template = CHATML.replace("assistant\n{% endif", "assistant\n<think>\n{% endif")
    monkeypatch.setattr(tiny_model.tokenizer._tokenizer, "chat_template", template)
    engine = FakeEngine(tiny_model, saying(tiny_model, f"hm, Oslo\n</think>\n\n{OSLO}"), obeys=True)
    request = structs.replace(asking(tools=BOTH, choice=Named("weather")), sampling=Sampling(max_tokens=900))
    turn = merge(events_of(backend_of(engine), request))
    assert (turn.message.thinking, [c.name for c in turn.message.calls]) == ("hm, Oslo", ["weather"])


# What is refused


@pytest.mark.parametrize(
    ("request_", "param", "said"),
    [
        (asking(tools=[ADD, ToolSpec("x", "", {"properties": {"a": {"type": "strin"}}})]),
         "tools[1].parameters/properties/a/type", "strin"),
        (asking(tools=[ToolSpec("x", "", {"$ref": "#/$defs/no"})]), "tools[0].parameters/$ref", "#/$defs/no"),
        (asking(tools=[structs.replace(PICK, strict=True)]), "tools[0].parameters/properties/n/uniqueItems",
         "leave `strict` out"),
        (asking(form=JsonSchema("x", UNIQUE, strict=True)), "response_format.schema/properties/n/uniqueItems",
         "leave `strict` out"),
        (asking(form=JsonSchema("x", {"type": "thing"})), "response_format.schema/type", "thing"),
    ],
)  # fmt: skip
def test_schemas_that_cannot_be_kept_are_refused(
    tiny_model: LoadedModel, request_: Request, param: str, said: str
) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, "never"))
    with pytest.raises(InvalidRequest) as refused:
        events_of(backend_of(engine), request_)
    assert refused.value.param == param
    assert said in refused.value.message
    assert engine.submitted == []


def test_what_is_too_complex_is_refused_and_never_let_go(tiny_model: LoadedModel) -> None:
    enums = [{"properties": {"a": {"enum": [f"{i} {n}" * 90 for n in range(900)]}}} for i in range(20)]
    crowd = [ToolSpec(f"t{i}", "", parameters) for i, parameters in enumerate(enums)]
    made = constraining(FakeEngine(tiny_model, []), HERMES)
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="Offer fewer tools") as refused:
            asyncio.run(made.hold(asking(tools=crowd), "", 100))
        assert (refused.value.param, refused.value.code) == ("tools", "schema_too_complex")
    made.close()


class Slow:
    """A tokenizer without a fast form, which no grammar can be made of."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name == "backend_tokenizer":
            raise AttributeError(name)
        return getattr(self._inner, name)


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (asking(tools=BOTH, choice=Required()), "tool_choice"),
        (asking(tools=BOTH, choice=Named("add")), "tool_choice"),
        (asking(form=JsonObject()), "response_format"),
    ],
)
def test_without_a_grammar_nothing_is_promised(tiny_model: LoadedModel, request_: Request, param: str) -> None:
    slow = structs.replace(tiny_model, tokenizer=Slow(tiny_model.tokenizer))
    with pytest.raises(InvalidRequest, match="can't be kept with the model") as refused:
        events_of(backend_of(FakeEngine(slow, saying(tiny_model, "never"))), request_)
    assert refused.value.param == param


def test_without_a_grammar_free_replies_are_checked(tiny_model: LoadedModel) -> None:
    slow = structs.replace(tiny_model, tokenizer=Slow(tiny_model.tokenizer))
    wrong = call("weather", '{"city": 3}')
    engine = FakeEngine(slow, saying(tiny_model, wrong), later=[saying(tiny_model, OSLO)])
    turn = merge(events_of(backend_of(engine), asking(tools=BOTH)))
    assert engine.constraints == [None, None]
    assert [c.arguments for c in turn.message.calls] == ['{"city": "Oslo"}']


# What is checked behind the grammar


def test_what_a_grammar_enforces_streams_and_the_rest_is_held_back(
    tiny_model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = events_of(backend_of(FakeEngine(tiny_model, saying(tiny_model, OSLO))), asking(tools=[WEATHER]))
    assert sum(isinstance(e, ArgumentsDelta) for e in live) > 5
    script = saying(tiny_model, RIGHT + OSLO)
    held = FakeEngine(tiny_model, script)
    backend = backend_of(held)
    attempts: list[str] = []
    admit = CheckedTurn.admit

    def counted(turn: CheckedTurn, event: ModelEvent) -> list[ModelEvent]:
        told = admit(turn, event)
        attempts.append(f"{type(event).__name__} {len(told)}")
        return told

    monkeypatch.setattr(CheckedTurn, "admit", counted)
    events = events_of(backend, asking(tools=[PICK, WEATHER]))
    assert [c.name for c in merge(events).message.calls] == ["pick", "weather"]
    assert "".join(e.text for e in events if isinstance(e, ArgumentsDelta) and e.index == 0) == '{"n": [1, 2]}'
    first, last = attempts.index("CallStarted 0"), next(n for n, a in enumerate(attempts) if a.startswith("CallFin"))
    assert set(attempts[first + 1 : last]) == {"ArgumentsDelta 0"}
    assert attempts[last] == f"CallFinished {last - first + 1}"
    assert "ArgumentsDelta 1" in attempts[last:]


def test_a_format_that_nobody_checks_holds_nothing_back(tiny_model: LoadedModel) -> None:
    parameters: dict[str, Any] = {"properties": {"city": {"type": "string", "format": "city"}}}
    tools = [ToolSpec("weather", "", parameters)]
    events = events_of(backend_of(FakeEngine(tiny_model, saying(tiny_model, OSLO))), asking(tools=tools))
    assert sum(isinstance(e, ArgumentsDelta) for e in events) > 5


@pytest.mark.parametrize("choice", [Auto(), Required(), Named("pick")])
def test_a_call_that_breaks_its_schema_is_asked_for_once_more(
    tiny_model: LoadedModel, choice: Auto | Required | Named
) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, WRONG), later=[saying(tiny_model, RIGHT, cached=5)], obeys=True)
    request = structs.replace(asking(tools=[PICK], choice=choice), sampling=Sampling(max_tokens=900))
    events = events_of(backend_of(engine), request)
    turn = merge(events)
    assert [c.arguments for c in turn.message.calls] == ['{"n": [1, 2]}']
    assert (turn.rejected, turn.fault, turn.reason) == ((), None, "tool_calls")
    assert [e.index for e in events if isinstance(e, CallStarted | CallFinished)] == [0, 0]
    assert sum(isinstance(e, PromptRead) for e in events) == 1
    (first, _), (second, sampling) = engine.submitted
    asked = tiny_model.tokenizer.decode(second)
    assert '"n": [1, 1]' in asked.replace("[1,1]", "[1, 1]")
    assert "at /n" in asked
    spent = len(tiny_model.tokenizer.encode(WRONG, add_special_tokens=False))
    # the call is whole before its closing mark, so some tokens of the first attempt may never have been read
    assert sampling.max_tokens is not None
    assert 900 - spent <= sampling.max_tokens < 900
    again = len(tiny_model.tokenizer.encode(RIGHT, add_special_tokens=False))
    first_cost = 900 - sampling.max_tokens
    assert turn.usage == Usage(len(first) + len(second), 7, first_cost + again + 1)
    assert engine.cancelled == [0, 1]


def test_calls_that_were_right_stay(tiny_model: LoadedModel) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, f"Well. {OSLO}{WRONG}{OSLO}"), later=[saying(tiny_model, RIGHT)])
    request = structs.replace(asking(tools=[PICK, WEATHER]), sampling=Sampling(max_tokens=900))
    events = events_of(backend_of(engine), request)
    finished = [e for e in events if isinstance(e, CallFinished)]
    assert [(e.index, e.call.name) for e in finished] == [(0, "weather"), (1, "pick")]
    assert len({e.call.id for e in finished}) == 2
    assert merge(events).reason == "tool_calls"
    asked = tiny_model.tokenizer.decode(engine.submitted[1][0])
    assert "has been taken" in asked


def test_a_call_that_stays_wrong_is_rejected_and_never_seen(tiny_model: LoadedModel) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, WRONG))
    events = events_of(backend_of(engine), asking(tools=[PICK], choice=Required()))
    assert [type(e) for e in events] == [PromptRead, CallRejected, TurnFinished]
    turn = merge(events)
    (bad,) = turn.rejected
    assert (bad.reason, bad.name, bad.arguments) == ("invalid_arguments", "pick", '{"n": [1, 1]}')
    assert "at /n" in bad.detail
    assert "tool_call" in bad.raw
    assert turn.reason == "stop"
    assert len(engine.submitted) == 2


def test_a_call_that_breaks_what_its_grammar_enforces_is_rejected_at_once(tiny_model: LoadedModel) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, call("weather", '{"city": 3}')))
    turn = merge(events_of(backend_of(engine), asking(tools=[WEATHER])))
    assert [bad.reason for bad in turn.rejected] == ["invalid_arguments"]
    assert (turn.reason, turn.message.calls, len(engine.submitted)) == ("stop", (), 1)


@pytest.mark.parametrize(
    ("max_tokens", "context_length"), [(len(WRONG) // 4, 4096), (300, 190)], ids=["no tokens left", "no room left"]
)
def test_without_room_for_another_attempt_the_call_is_rejected(
    tiny_model: LoadedModel, max_tokens: int, context_length: int
) -> None:
    request = structs.replace(asking(User("x"), tools=[PICK]), sampling=Sampling(max_tokens=max_tokens))
    engine = FakeEngine(tiny_model, saying(tiny_model, WRONG), context_length=context_length + 160)
    turn = merge(events_of(backend_of(engine), request))
    assert ([bad.reason for bad in turn.rejected], len(engine.submitted)) == (["invalid_arguments"], 1)


def test_an_answer_that_breaks_its_schema_is_asked_for_once_more(tiny_model: LoadedModel) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, '{"n": [1, 1]}'), later=[saying(tiny_model, '{"n": [1]}')])
    events = events_of(backend_of(engine), asking(form=JsonSchema("x", UNIQUE)))
    turn = merge(events)
    assert (turn.message.content, turn.reason, turn.fault) == ('{"n": [1]}', "stop", None)
    assert "at /n" in tiny_model.tokenizer.decode(engine.submitted[1][0])
    assert sum(isinstance(e, PromptRead) for e in events) == 1


def test_an_answer_that_stays_wrong_is_rejected_and_never_seen(tiny_model: LoadedModel) -> None:
    engine = FakeEngine(tiny_model, saying(tiny_model, '{"n": [1, 1]}'))
    events = events_of(backend_of(engine), asking(form=JsonSchema("x", UNIQUE)))
    assert [type(e) for e in events] == [PromptRead, AnswerRejected, TurnFinished]
    fault = merge(events).fault
    assert fault is not None
    assert (fault.raw, "at /n" in fault.detail) == ('{"n": [1, 1]}', True)
    assert len(engine.submitted) == 2


@pytest.mark.parametrize(
    ("request_", "text", "end", "fault", "reason"),
    [
        (asking(form=JsonSchema("x", COUNT)), '{"n": "x"}', None, "at /n", "stop"),
        (asking(form=JsonObject()), "Sure!", None, "the answer can't be read as JSON", "stop"),
        (asking(form=JsonObject()), '{"n": ', JobDone("length", 9), None, "length"),
        (asking(form=JsonSchema("x", UNIQUE)), '{"n": ', JobDone("length", 9), None, "length"),
        (asking(tools=BOTH, choice=Required()), "Sure!", None, "demands a call", "stop"),
        (asking(tools=BOTH, choice=Named("add")), "Sure!", None, "demands a call", "stop"),
        (asking(tools=BOTH, choice=Required()), "Su", JobDone("length", 2), None, "length"),
        (asking(tools=BOTH, choice=Required(), stop=("city",)), OSLO, None, None, "length"),
    ],
)
def test_an_answer_is_checked_whatever_the_grammar_did(
    tiny_model: LoadedModel, request_: Request, text: str, end: JobDone | None, fault: str | None, reason: str
) -> None:
    turn = merge(events_of(backend_of(FakeEngine(tiny_model, saying(tiny_model, text, end))), request_))
    assert turn.reason == reason
    assert (turn.fault is None) == (fault is None)
    if turn.fault is not None:
        assert fault is not None
        assert fault in turn.fault.detail
        assert turn.fault.raw == text
    elif not request_.tools:
        assert turn.message.content.strip() == text.strip()


# What it costs


def held(model: LoadedModel, *requests: Request) -> Constraining:
    made = constraining(FakeEngine(model, []), HERMES)

    async def hold() -> None:
        for request in requests:
            kept = await made.hold(request, "", 100)
            assert isinstance(kept.constraint, Steering) == bool(request.tools)

    asyncio.run(hold())
    return made


def test_nothing_is_read_before_it_is_needed(tiny_model: LoadedModel) -> None:
    before = set(threading.enumerate())
    made = held(tiny_model, asking())
    assert set(threading.enumerate()) <= before
    made.close()


def test_tools_that_came_before_need_no_thread(tiny_model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    made = held(tiny_model, asking(tools=BOTH), asking(tools=[PICK]))

    def refuse(*given: Any) -> Any:
        raise AssertionError("asked for again")

    monkeypatch.setattr(made, "_prepare", refuse)
    asyncio.run(made.hold(asking(User("other words"), tools=BOTH), "", 100))
    with pytest.raises(AssertionError, match="asked for again"):
        asyncio.run(made.hold(asking(tools=BOTH, choice=Required()), "", 100))
    made.close()


def test_a_grammar_that_was_let_go_is_made_again(tiny_model: LoadedModel) -> None:
    made = Constraining(tiny_model, CATALOG["hermes"], 1)
    for _ in range(2):
        kept = asyncio.run(made.hold(asking(tools=BOTH), "", 100))
        assert kept.constraint is not None
    made.close()


def test_deep_schemas_have_a_deep_stack_and_others_keep_theirs(tiny_model: LoadedModel) -> None:
    before = threading.stack_size()
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(60):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    held(tiny_model, asking(tools=[ToolSpec("deep", "", schema)])).close()
    assert threading.stack_size() == before
    assert STACK_BYTES >= 16 << 20


def test_another_dialect(tiny_model: LoadedModel) -> None:
    text = "<function=weather>\n<parameter=city>\nOslo\n</parameter>\n</function>"
    manner = Manner(CATALOG["qwen_xml"], "told so", "named", tools=True, calls=True, results=True)
    engine = FakeEngine(tiny_model, saying(tiny_model, f"<tool_call>\n{text}\n</tool_call>"), obeys=True)
    numbers = count()
    backend = LocalBackend(engine, constraining(engine, manner), "tiny", "cpu", manner, lambda: f"call_{next(numbers)}")
    request = structs.replace(asking(tools=BOTH, choice=Required()), sampling=Sampling(max_tokens=900))
    turn = merge(events_of(backend, request))
    assert [json.loads(c.arguments) for c in turn.message.calls] == [{"city": "Oslo"}]
