"""Tools made of a JSON Schema and a function of the host."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.conversation import Call, Failed, InvalidRequest, Succeeded, TimedOut
from hilt.tools import Nobody, Policy, Registry, Rule, Runtime, Tool, run_tool
from hilt.tools.tool import from_schema

SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "minimum": 1},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
        "from": {"type": "string"},
        "_x-y": {"type": ["string", "null"]},
    },
    "required": ["n"],
    "additionalProperties": False,
    "$defs": {"tag": {"type": "string", "maxLength": 3}},
}


def made(handler: Any, schema: Any = SCHEMA, **more: Any) -> Tool:
    return from_schema("do", "Do it.", schema, handler, **more)


def called(tool: Tool, arguments: str) -> Any:
    runtime = Runtime(registry=Registry((tool,)), approver=Nobody(), policy=Policy(allow=(Rule("do"),)))
    return asyncio.run(run_tool(Call("c", "do", arguments), runtime))


@pytest.mark.parametrize(
    ("written", "given"),
    [
        ('{"n": 1}', {"n": 1}),
        (
            '{"n": 1, "tags": ["a", "é"], "from": "x", "_x-y": "z"}',
            {"n": 1, "tags": ["a", "é"], "from": "x", "_x-y": "z"},
        ),
        ('{"n": 1, "_x-y": null}', {"n": 1, "_x-y": None}),
        ('{"n": 1, "from": null}', {"n": 1}),
        ('{"n": 1, "tags": "[\\"a\\"]"}', {"n": 1, "tags": ["a"]}),
        ('{"N": 1}', {"n": 1}),
        ('{"n": 123456789012345678901234567890}', {"n": 123456789012345678901234567890}),
    ],
)
def test_what_the_function_gets(written: str, given: dict[str, Any]) -> None:
    seen: list[Any] = []
    assert called(made(seen.append), written) == Succeeded("null")
    assert seen == [given]


@pytest.mark.parametrize(
    ("written", "reason", "told"),
    [
        ("{}", "validation", '\\"n\\" is a required property'),
        ('{"n": 0}', "validation", "at /n: 0 is less than the minimum of 1"),
        ('{"n": "1"}', "validation", "at /n"),
        ('{"n": null}', "validation", "at /n"),
        ('{"n": 1, "m": 2}', "validation", "m"),
        ('{"n": 1, "tags": ["long"]}', "validation", "at /tags/0"),
        ('{"n": 1, "n": 2}', "decode", "twice"),
        ('{"n": NaN}', "decode", "NaN"),
        ("[]", "decode", "object"),
    ],
)
def test_what_never_reaches_the_function(written: str, reason: str, told: str) -> None:
    seen: list[Any] = []
    outcome = called(made(seen.append), written)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, seen) == (reason, [])
    assert told in outcome.text


def test_schemas_that_say_little() -> None:
    schema = {"properties": {"any": True, "either": {"type": ["array", "string"]}}}
    seen: list[Any] = []
    assert called(made(seen.append, schema), '{"any": "[1]", "either": "[1]"}') == Succeeded("null")
    assert seen == [{"any": "[1]", "either": "[1]"}]


class Asynchronous:
    async def __call__(self, arguments: dict[str, Any]) -> str:
        return "awaited"


async def plain(arguments: dict[str, Any]) -> str:
    return "awaited"


@pytest.mark.parametrize("handler", [Asynchronous(), plain, lambda arguments: plain(arguments)])
def test_functions_that_are_awaited(handler: Any) -> None:
    assert called(made(handler), '{"n": 1}') == Succeeded('"awaited"')


def raising(fault: BaseException) -> Any:
    def handler(arguments: dict[str, Any]) -> None:
        raise fault

    return handler


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (raising(ValueError("use another")), '{"error": "use another"}'),
        (raising(KeyError("k")), "KeyError"),
        (raising(SystemExit(3)), "SystemExit"),
        (raising(StopIteration()), "StopIteration"),
        (lambda arguments: object(), "no JSON form"),
        (lambda: None, "TypeError"),
    ],
)
def test_functions_that_fail(handler: Any, told: str) -> None:
    outcome = called(made(handler), '{"n": 1}')
    assert isinstance(outcome, Failed)
    assert told in outcome.text


def test_its_time_is_bounded() -> None:
    async def never(arguments: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    assert isinstance(called(made(never, timeout_s=0.01), '{"n": 1}'), TimedOut)


def test_nothing_is_known_of_it_so_it_is_external() -> None:
    tool = made(print)
    assert (tool.effect, tool.untrusted) == ("external", False)
    runtime = Runtime(registry=Registry((tool,)), approver=Nobody())
    assert "nobody is here" in asyncio.run(run_tool(Call("c", "do", '{"n": 1}'), runtime)).text  # pyright: ignore


def test_what_the_caller_does_to_the_schema_later_changes_nothing() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    tool = made(lambda arguments: 1, schema)
    schema["properties"]["n"]["type"] = "string"
    assert called(tool, '{"n": 1}') == Succeeded("1")
    assert tool.spec.parameters["properties"]["n"] == {"type": "integer"}


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "a*"}, "name"),
        ({"name": "a" * 65}, "name"),
        ({"name": "é"}, "name"),
        ({"name": "a\n"}, "name"),
        ({"description": " \n"}, "description"),
        ({"schema": {"type": "string"}}, "schema/type"),
        ({"schema": {"type": ["object", "null"]}}, "schema/type"),
        ({"schema": {"default": float("nan")}}, "schema"),
        ({"schema": {"enum": {1, 2}}}, "schema"),
        ({"schema": {"properties": {"a": {"type": "strin"}}}}, "schema/properties/a/type"),
        ({"schema": {"$ref": "https://example.org/schema"}}, "schema/$ref"),
        ({"schema": {"properties": {"a": {"pattern": "("}}}}, "schema"),
    ],
)
def test_what_makes_no_tool(more: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        from_schema(**{"name": "do", "description": "Do.", "schema": SCHEMA, "handler": print, **more})
    assert told.value.param == param


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ANYTHING = made(lambda arguments: arguments, None)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_without_a_schema_any_object_comes_through(arguments: dict[str, Any]) -> None:
    outcome = called(ANYTHING, json.dumps(arguments))
    try:
        json.dumps(arguments, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        assert isinstance(outcome, Failed)
        return
    assert json.loads(outcome.text) == arguments
