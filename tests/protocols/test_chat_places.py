"""Places that other rooms name, told as paths into the body that the client sent."""

import json
import re
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.conversation import InvalidRequest, NotFound, Overloaded
from hilt.protocols.openai_chat.parsing import parse
from hilt.protocols.openai_chat.places import in_wire_terms, wire_param


@pytest.mark.parametrize(
    ("param", "wire"),
    [
        ("tools[3].parameters", "tools[3].function.parameters"),
        ("tools[3].name", "tools[3].function.name"),
        ("tools[3].parameters/properties/a", "tools[3].function.parameters.properties.a"),
        ("tools[10].parameters/properties/a/items/0", "tools[10].function.parameters.properties.a.items[0]"),
        ("tools[0].parameters/$defs/a/anyOf/1/type", "tools[0].function.parameters.$defs.a.anyOf[1].type"),
        ("tools[0].parameters/properties/0", 'tools[0].function.parameters.properties["0"]'),
        ("tools[0].parameters/properties/a.b", 'tools[0].function.parameters.properties["a.b"]'),
        ("tools[0].parameters/properties/", 'tools[0].function.parameters.properties[""]'),
        ("tools[0].parameters/properties/a~1b~01", 'tools[0].function.parameters.properties["a/b~1"]'),
        ("tools[0].parameters/properties/é\n", 'tools[0].function.parameters.properties["é\\n"]'),
        (
            "tools[0].parameters/properties/properties/properties/0",
            'tools[0].function.parameters.properties.properties.properties["0"]',
        ),
        ("tools[0].parameters/properties/enum/enum/2", "tools[0].function.parameters.properties.enum.enum[2]"),
        ("tools[0].parameters/dependentRequired/1/0", 'tools[0].function.parameters.dependentRequired["1"][0]'),
        ("tools[0].parameters/required/²", 'tools[0].function.parameters.required["²"]'),
        ("response_format.schema", "response_format.json_schema.schema"),
        ("response_format.schema/items/minLength", "response_format.json_schema.schema.items.minLength"),
        ("response_format.name", "response_format.json_schema.name"),
    ],
)
def test_a_place_and_its_path(param: str, wire: str) -> None:
    assert wire_param(param) == wire
    assert wire_param(wire) == wire


@pytest.mark.parametrize(
    "param", ["messages", "tool_choice", "response_format", "tools", "tools[0]", "messages[0].content[1].type", "a/b"]
)
def test_a_path_stays_as_it_is(param: str) -> None:
    assert wire_param(param) == param


def test_the_message_names_the_same_place() -> None:
    error = InvalidRequest("`response_format.schema/type` is 3.", param="response_format.schema/type", code="odd")
    told = in_wire_terms(error)
    assert isinstance(told, InvalidRequest)
    assert told.message == "`response_format.json_schema.schema.type` is 3."
    assert (told.param, told.code) == ("response_format.json_schema.schema.type", "odd")


@pytest.mark.parametrize(
    "error",
    [InvalidRequest("no"), InvalidRequest("no", param="messages"), NotFound("no", param="model"), Overloaded("no")],
)
def test_other_errors_stay_the_same(error: Any) -> None:
    assert in_wire_terms(error) is error


names = st.text(st.sampled_from('ab01~/."[]é\n '), max_size=4) | st.sampled_from(["properties", "enum", "items", "0"])
schemas = st.recursive(
    st.just({"type": "string"}) | st.builds(lambda values: {"enum": values}, st.lists(st.text(max_size=2), min_size=1)),
    lambda inner: st.one_of(
        st.builds(lambda named: {"properties": named}, st.dictionaries(names, inner, min_size=1, max_size=3)),
        st.builds(lambda named: {"$defs": named, "type": "object"}, st.dictionaries(names, inner, max_size=3)),
        st.builds(lambda schema: {"items": schema}, inner),
        st.builds(lambda listed: {"anyOf": listed}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda lists: {"dependentRequired": lists}, st.dictionaries(names, st.lists(names), max_size=2)),
    ),
    max_leaves=8,
)


def places(value: Any, pointer: str = "") -> list[tuple[str, Any]]:
    """Every place in a schema by its pointer, and what stands there."""
    found = [(pointer, value)]
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(cast("dict[str, Any]", value).items())
    elif isinstance(value, list):
        inner = list(enumerate(cast("list[Any]", value)))
    for step, below in inner:
        found += places(below, f"{pointer}/{str(step).replace('~', '~0').replace('/', '~1')}")
    return found


STEP = re.compile(r'\.?(?P<plain>[\w$-]+)|\[(?P<index>\d+)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]')


def at(body: Any, path: str) -> Any:
    """What stands in a body at a path."""
    end = 0
    while end < len(path):
        step = STEP.match(path, end)
        assert step is not None, path[end:]
        end = step.end()
        if step["index"] is not None:
            body = body[int(step["index"])]
        else:
            body = body[step["plain"] if step["plain"] is not None else json.loads(step["quoted"])]
    return body


@given(schemas, st.data())
def test_the_path_leads_to_what_the_pointer_led_to(schema: dict[str, Any], draw: st.DataObject) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": schema}}}}]
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body = {"model": "m", "messages": [{"role": "user"}], "tools": tools, "response_format": form}
    parse(json.dumps(body).encode())
    pointer, value = draw.draw(st.sampled_from(places(schema)))
    assert at(body, wire_param(f"response_format.schema{pointer}")) is value
    assert at(body, wire_param(f"tools[0].parameters/properties/a{pointer}")) is value
