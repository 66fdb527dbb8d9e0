"""S12: a call that was cut, is damaged or says two things never runs, in the words of each family of models.

Everything is allowed here, so that only the reading of the reply stands between the model and the tool.
"""

import itertools
import json
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.backends import ModelCard
from hilt.backends.text_reply import TextReply
from hilt.conversation import Call, FinishReason, ModelEvent, Request, TurnFinished, Usage
from hilt.dialects import CATALOG, render
from hilt.settings import PolicyOptions
from hilt.tools import Nobody, Registry, Runtime, policy_of, tool
from tests.promises.worlds import agent

GIVEN = {"path": "new.txt", "text": 'a "new", {text}\nof lines', "size": 1.5}
DIALECTS = (
    "hermes",
    "llama3",
    "qwen_xml",
    "pythonic",
    "jsonl",
    "xml",
    "markdown-json",
    "deepseek_v31",
    "glm",
    "mistral",
)


class Writing:
    """A model that writes this text, read as the backends read it, and then has nothing more to say."""

    def __init__(self, dialect: str, text: str, reason: FinishReason) -> None:
        self.card = ModelCard("writing", "none", dialect, 4096)
        self._dialect = CATALOG[dialect]
        self._replies = iter([(text, reason)])
        self._ids = itertools.count()

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
        text, reason = next(self._replies, ("That is all.", "stop"))
        reply = TextReply(request, self._dialect, lambda: f"c{next(self._ids)}")
        for event in [*reply.feed(text), *reply.finish(reason)]:
            yield event
        yield TurnFinished(reply.ended or reason, Usage())


def ran(dialect: str, text: str, reason: FinishReason = "stop") -> list[dict[str, object]]:
    """What a tool that writes was run with."""
    seen: list[dict[str, object]] = []

    @tool(effect="write", aliases=["write_file"])
    def create_file(path: str, text: str = "", size: float = 0) -> str:
        """Create a file."""
        seen.append({"path": path, "text": text, "size": size})
        return "done"

    policy = policy_of(PolicyOptions(allow=("*",)))
    runtime = Runtime(registry=Registry((create_file,)), approver=Nobody(), policy=policy)
    agent(Writing(dialect, text, reason), runtime).run_sync("q")
    return seen


def written(dialect: str, name: str = "create_file") -> str:
    return render(CATALOG[dialect], [Call("c", name, json.dumps(GIVEN))])


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        *itertools.product(DIALECTS, ["create_file"]),
        *itertools.product(sorted({*DIALECTS} - {"pythonic"}), ["CreateFile"]),
    ],
)
def test_the_whole_call_runs(dialect: str, name: str) -> None:
    assert ran(dialect, written(dialect, name)) == [GIVEN]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", ["create_file", "CreateFile"])
def test_no_beginning_of_a_call_runs(dialect: str, name: str) -> None:
    whole = written(dialect, name)
    for end in range(len(whole) + 1):
        assert ran(dialect, whole[:end], "length") == [], whole[:end]
        told = ran(dialect, whole[:end])
        # What is missing behind the whole call is at most its closing mark, and says nothing.
        assert told in ([], [GIVEN]), whole[:end]
        if told:
            assert not any(letter.isalnum() or letter in "\"'})" for letter in _unclosed(dialect, whole[end:]))


def _unclosed(dialect: str, rest: str) -> str:
    """What is missing, without the marks that close a block of the dialect."""
    entry = CATALOG[dialect]
    for close in (entry.call.close if entry.call else "", *(block.close for block in entry.blocks)):
        rest = rest.replace(close, "") if close else rest
    return rest


JSON_CALLS = {
    "hermes": "<tool_call>\n%s\n</tool_call>",
    "llama3": "%s",
    "jsonl": "%s",
    "markdown-json": "```tool_call\n%s\n```",
    "mistral": "[TOOL_CALLS][%s]",
}
DAMAGED = {
    "a key twice": '{"path": "new.txt", "path": "other.txt"}',
    "a key twice below another spelling of it": '{"path": "new.txt", "p\\u0061th": "other.txt"}',
    "NaN": '{"path": "new.txt", "size": NaN}',
    "Infinity": '{"path": "new.txt", "size": -Infinity}',
    "a number beyond all numbers": '{"path": "new.txt", "size": 1e999}',
    "a comma too many": '{"path": "new.txt",}',
    "single quotes": "{'path': 'new.txt'}",
    "no quotes": "{path: new.txt}",
    "a quote too few": '{"path": "new.txt}',
    "a brace too few": '{"path": "new.txt"',
    "a brace too many": '{"path": "new.txt"}}',
    "a comment": '{"path": "new.txt" /* this one */}',
    "text for an object": '"{\\"path\\": \\"new.txt\\", \\"path\\": \\"other.txt\\"}"',
    "a list": '[{"path": "new.txt"}]',
    "Python": '{"path": "new.txt", "text": None}',
    "a line break in a string": '{"path": "new\n.txt"}',
    "half a character": '{"path": "new\\ud800.txt"}',
}


def json_call(dialect: str, name: str, arguments: str) -> str:
    key = "parameters" if dialect == "llama3" else "arguments"
    kind = '"type": "tool_call", ' if dialect in ("jsonl", "markdown-json") else ""
    return JSON_CALLS[dialect] % f'{{{kind}"name": "{name}", "{key}": {arguments}}}'


@pytest.mark.parametrize("dialect", JSON_CALLS)
@pytest.mark.parametrize("name", ["create_file", "write_file", "CreateFile"])
def test_no_damaged_call_runs(dialect: str, name: str) -> None:
    assert ran(dialect, json_call(dialect, name, '{"path": "new.txt"}')) == [{"path": "new.txt", "text": "", "size": 0}]
    for damage, arguments in DAMAGED.items():
        assert ran(dialect, json_call(dialect, name, arguments)) == [], damage


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("pythonic", "[create_file(path='new.txt', path='other.txt')]"),
        ("pythonic", "[create_file(path='new.txt', size=float('nan'))]"),
        ("pythonic", "[create_file(path='new.txt', size=nan)]"),
        ("pythonic", "[create_file(path='new.txt'"),
        ("pythonic", "[create_file(path='new.txt)]"),
        ("pythonic", "[create_file(path='new.txt', **{'path': 'other.txt'})]"),
        ("pythonic", "[CreateFile(path='new.txt', size=1e999)]"),
        (
            "qwen_xml",
            "<tool_call>\n<function=create_file>\n<parameter=path>\nnew.txt\n</parameter>\n<parameter=path>\n"
            "other.txt\n</parameter>\n</function>\n</tool_call>",
        ),
        (
            "qwen_xml",
            "<tool_call>\n<function=create_file>\n<parameter=path>\nnew.txt\n</parameter>\n<parameter=size>\nNaN\n"
            "</parameter>\n</function>\n</tool_call>",
        ),
        (
            "qwen_xml",
            "<tool_call>\n<function=create_file>\n<parameter=path>\nnew.txt\n</parameter>\n<parameter=size>\n1e999\n"
            "</parameter>\n</function>\n</tool_call>",
        ),
        ("qwen_xml", "<tool_call>\n<function=create_file>\n<parameter=path>\nnew.txt\n</tool_call>"),
        ("hermes", '<tool_call>{"name": "create_file", "name": "b", "arguments": {"path": "new.txt"}}</tool_call>'),
        ("hermes", '<tool_call>{"name": "x", "arguments": {"path": "a"}, "arguments": {"path": "b"}}</tool_call>'),
    ],
)
def test_no_damaged_call_of_other_forms_runs(dialect: str, text: str) -> None:
    assert ran(dialect, text) == []


@pytest.mark.parametrize("value", ["nan", "NaN", "inf", "-Infinity", "1e999", "null"])
def test_no_text_becomes_a_number_that_is_none(value: str) -> None:
    arguments = json.dumps({"path": "new.txt", "size": value})
    assert ran("hermes", render(CATALOG["hermes"], [Call("c", "create_file", arguments)])) == []


@settings(max_examples=150, deadline=None)
@given(
    dialect=st.sampled_from(DIALECTS),
    at=st.integers(0, 200),
    length=st.integers(1, 6),
    junk=st.text(alphabet="{}[]()\"'\\,:=<>/ \nae0", max_size=4),
)
def test_a_damaged_call_runs_as_it_was_meant_or_not_at_all(dialect: str, at: int, length: int, junk: str) -> None:
    """Whatever is struck out of a call or written into it: no call runs with a key or a value that nobody wrote."""
    whole = written(dialect)
    at %= len(whole)
    damaged = whole[:at] + junk + whole[at + length :]
    for call in ran(dialect, damaged):
        for value in call.values():
            plain = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
            pieces = plain.replace("\\", "").split()
            assert all(piece.replace('"', "") in damaged.replace("\\", "").replace('"', "") or piece in ("0", "0.0")
                       for piece in pieces), (damaged, call)  # fmt: skip
