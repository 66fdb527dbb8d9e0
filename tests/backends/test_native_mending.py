"""Arguments that a server passes on as its model wrote them: small faults are mended and told of."""

import json

import pytest

from hilt.conversation import CallFinished, Request, ToolSpec, User
from tests.backends.loopback import Answer, delta, speak, sse

ADD = ToolSpec("add", "Add.", {"type": "object", "properties": {"a": {"type": "integer"}}})
ASKED = Request("far", (User("Add."),), (ADD,))


@pytest.mark.parametrize(
    ("arguments", "meant", "repairs"),
    [
        ('{"a" : 1}', '{"a" : 1}', ()),
        ("", "{}", ()),
        (" \n", "{}", ()),
        ('{"a": 1,}', '{"a": 1}', ("trailing_comma",)),
        ("{'a': 1}", '{"a": 1}', ("single_quotes",)),
        ('"{\\"a\\": 1}"', '{"a": 1}', ("string_arguments",)),
        ('""', "{}", ("string_arguments",)),
        ("null", "{}", ("null_arguments",)),
    ],
)
def test_what_is_meant(arguments: str, meant: str, repairs: tuple[str, ...]) -> None:
    chunk = delta("tool_calls", tool_calls=[{"index": 0, "function": {"name": "add", "arguments": arguments}}])
    (finished,) = [e for e in speak(ASKED, Answer((sse(chunk),))).events if isinstance(e, CallFinished)]
    assert json.loads(finished.call.arguments) == json.loads(meant)
    assert finished.repairs == repairs
