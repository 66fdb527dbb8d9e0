"""Ids that no other call of the conversation has, even if the model writes them itself."""

import asyncio
import re
from itertools import count

import pytest

from hilt.backends.local import LocalBackend
from hilt.conversation import Assistant, Call, CallStarted, Message, ModelEvent, Request, ToolResult, User, merge
from hilt.dialects import CATALOG
from hilt.engine.loading import LoadedModel
from hilt.prompting import Manner
from tests.backends.fake_engine import FakeEngine, constraining, saying
from tests.backends.test_local import ADD

KIMI = (
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.add:{}<|tool_call_argument_begin|>{{}}<|tool_call_end|>"
    "<|tool_call_begin|>functions.add:{}<|tool_call_argument_begin|>{{}}<|tool_call_end|><|tool_calls_section_end|>"
)
UNKNOWN = KIMI.replace("functions.add", "functions.nothing")
NO_IDS = '[TOOL_CALLS][{"name": "add", "arguments": {}}, {"name": "add", "arguments": {}}]'


def said_before(*ids: str) -> tuple[Message, ...]:
    calls = tuple(Call(id_, "add", "{}") for id_ in ids)
    return (User("go"), Assistant(calls=calls), *(ToolResult(id_, "add", "3") for id_ in ids), User("again"))


def told(loaded: LoadedModel, dialect: str, text: str, messages: tuple[Message, ...]) -> list[ModelEvent]:
    numbers = count()
    manner = Manner(CATALOG[dialect], "told so", "named", tools=True, calls=True, results=True)
    engine = FakeEngine(loaded, saying(loaded, text))
    backend = LocalBackend(
        engine, constraining(engine, manner), "tiny", "cpu", manner, lambda: f"call_made_{next(numbers)}"
    )

    async def collected() -> list[ModelEvent]:
        return [event async for event in backend.stream(Request("tiny", messages, (ADD,)))]

    return asyncio.run(collected())


@pytest.mark.parametrize(
    ("dialect", "text", "messages", "expected"),
    [
        ("kimi_k2", KIMI.format(0, 1), (User("go"),), ["functions.add:0", "functions.add:1"]),
        ("kimi_k2", KIMI.format(0, 1), said_before("functions.add:0"), ["call_made_0", "functions.add:1"]),
        ("kimi_k2", KIMI.format(0, 0), (User("go"),), ["functions.add:0", "call_made_0"]),
        ("kimi_k2", KIMI.format(0, 0), said_before("call_made_0"), ["functions.add:0", "call_made_1"]),
        ("mistral", NO_IDS, (User("go"),), ["callmade0", "callmade1"]),
        ("mistral", NO_IDS, said_before("callmade0"), ["callmade1", "callmade2"]),
    ],
    ids=["fresh", "used", "twice", "minted before", "nine", "nine used"],
)
def test_no_id_is_given_twice(
    tiny_model: LoadedModel, dialect: str, text: str, messages: tuple[Message, ...], expected: list[str]
) -> None:
    events = told(tiny_model, dialect, text, messages)
    assert [call.id for call in merge(events).message.calls] == expected
    assert [event.id for event in events if isinstance(event, CallStarted)] == expected


def test_a_rejected_call_has_an_id_of_its_own(tiny_model: LoadedModel) -> None:
    rejected = merge(told(tiny_model, "kimi_k2", UNKNOWN.format(0, 0), said_before("functions.nothing:0"))).rejected
    assert [bad.id for bad in rejected] == ["call_made_0", "call_made_1"]
    assert {bad.wire_id for bad in rejected} == {"functions.nothing:0"}


def test_made_ids_have_nine_letters_or_digits_where_the_dialect_wants_that(tiny_model: LoadedModel) -> None:
    for call in merge(told(tiny_model, "mistral", NO_IDS, (User("go"),))).message.calls:
        assert re.fullmatch("[a-zA-Z0-9]{9}", call.id)
