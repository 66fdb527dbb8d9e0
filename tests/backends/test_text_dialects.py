"""A model without any template for tools, taught in the prompt: calls come out, results go in, an answer ends it."""

import asyncio
from itertools import count

import pytest
from msgspec.structs import replace

from hilt.backends.local import LocalBackend
from hilt.conversation import Assistant, Call, CallFinished, Message, ModelEvent, Request, ToolResult, User, merge
from hilt.dialects import CATALOG
from hilt.engine.loading import LoadedModel
from hilt.prompting import find_manner
from tests.backends.fake_engine import FakeEngine, constraining, saying
from tests.backends.test_local import ADD
from tests.prompting.templated import Templated
from tests.tiny import PLAIN

ASKED = User("What is 2 + 3?")
CALLS = (Call("call_0", "add", '{"a": 2}'), Call("call_1", "add", '{"a": 3}'))

WRITTEN = {
    "jsonl": '{"type": "tool_call", "name": "add", "arguments": {"a": 2}}\n'
    '{"type": "tool_call", "name": "add", "arguments": {"a": 3}}',
    "envelope": '{"tool_calls": [{"name": "add", "arguments": {"a": 2}}, {"name": "add", "arguments": {"a": 3}}]}',
    "xml": '<tool_call>\n{"name": "add", "arguments": {"a": 2}}\n</tool_call>\n'
    '<tool_call>\n{"name": "add", "arguments": {"a": 3}}\n</tool_call>',
    "markdown-json": '```tool_call\n{"type": "tool_call", "name": "add", "arguments": {"a": 2}}\n```\n'
    '```tool_call\n{"type": "tool_call", "name": "add", "arguments": {"a": 3}}\n```',
}
ANSWERS = {"jsonl": '{"type": "final_answer", "content": "It is \\"5\\"."}'}
RESULTS = {
    "jsonl": '{"type": "tool_observation", "name": "add", "content": "two"}',
    "envelope": '{"tool_results": [{"name": "add", "content": "two"}, ',
    "xml": '<tool_result name="add">\ntwo\n</tool_result>',
    "markdown-json": '```json\n{"type": "tool_result", "name": "add", "content": "two"}\n```',
}


def answered(
    loaded: LoadedModel, text: str, messages: tuple[Message, ...], dialect: str | None
) -> tuple[list[ModelEvent], str, LocalBackend]:
    """The events of a reply, the prompt, and the backend."""
    plain = replace(loaded, tokenizer=Templated(loaded, PLAIN))
    engine = FakeEngine(plain, saying(loaded, text))
    numbers = count()
    manner = find_manner(plain.tokenizer, "", None if dialect is None else CATALOG[dialect])
    backend = LocalBackend(engine, constraining(engine, manner), "tiny", "cpu", manner, lambda: f"call_{next(numbers)}")

    async def collected() -> list[ModelEvent]:
        return [event async for event in backend.stream(Request("tiny", messages, (ADD,)))]

    events = asyncio.run(collected())
    ((prompt, _),) = engine.submitted
    return events, loaded.tokenizer.decode(prompt), backend


@pytest.mark.parametrize("dialect", WRITTEN)
def test_a_model_without_a_tool_template_has_tools(tiny_model: LoadedModel, dialect: str) -> None:
    events, prompt, _ = answered(tiny_model, WRITTEN[dialect], (ASKED,), dialect)
    assert tuple(e.call for e in events if isinstance(e, CallFinished)) == CALLS
    assert all(not e.repairs for e in events if isinstance(e, CallFinished))
    first = merge(events)
    assert (first.reason, first.message.content.strip()) == ("tool_calls", "")
    assert "Add two numbers." in prompt
    results = (ToolResult("call_1", "add", "three"), ToolResult("call_0", "add", "two"))
    again = (ASKED, first.message, *results)
    events, prompt, _ = answered(tiny_model, ANSWERS.get(dialect, 'It is "5".'), again, dialect)
    assert WRITTEN[dialect] in prompt
    assert RESULTS[dialect] in prompt
    assert prompt.index("two") < prompt.index("three")
    assert merge(events).message == Assistant('It is "5".')


def test_jsonl_is_taken_when_nothing_is_found(tiny_model: LoadedModel) -> None:
    events, prompt, backend = answered(tiny_model, WRITTEN["jsonl"], (ASKED,), None)
    assert merge(events).message.calls == CALLS
    assert backend.card.dialect == "jsonl"
    assert "no place for tool calls" in backend.why_dialect
    assert "final_answer" in prompt
