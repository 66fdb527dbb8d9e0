"""Which tools a request lets the model call."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.conversation import (
    Auto,
    FreeText,
    JsonObject,
    JsonSchema,
    Named,
    NoTools,
    Request,
    Required,
    ResponseFormat,
    ToolChoice,
    ToolSpec,
    User,
    callable_tools,
)


def asking(tools: str, choice: ToolChoice) -> Request:
    return Request("m", (User("hi"),), tuple(ToolSpec(name, "", {}) for name in tools), choice)


@pytest.mark.parametrize(
    ("tools", "choice", "names"),
    [
        ("", Auto(), ""),
        ("", Required(), ""),
        ("ab", Auto(), "ab"),
        ("ab", NoTools(), ""),
        ("ab", Required(), "ab"),
        ("ab", Named("b"), "b"),
        ("ab", Named("c"), ""),
        ("abc", Auto(("c", "a")), "ac"),
        ("abc", Required(("c", "a")), "ac"),
        ("abc", Required(("b", "d")), "b"),
        ("abc", Auto(("d",)), ""),
    ],
)
def test_the_tools_that_may_be_called(tools: str, choice: ToolChoice, names: str) -> None:
    assert "".join(tool.name for tool in callable_tools(asking(tools, choice))) == names


names = st.sampled_from("abcde")
only = st.lists(names, max_size=4).map(tuple)
choices = st.one_of(st.builds(Auto, only), st.just(NoTools()), st.builds(Required, only), st.builds(Named, names))


@given(tools=st.lists(names, unique=True, max_size=5).map("".join), choice=choices)
def test_no_choice_adds_a_tool_or_moves_one(tools: str, choice: ToolChoice) -> None:
    request = asking(tools, choice)
    allowed = callable_tools(request)
    assert list(allowed) == [tool for tool in request.tools if tool in allowed]


@given(st.one_of(st.just(FreeText()), st.just(JsonObject()), st.builds(JsonSchema, st.text(), st.just({"a": [1]}))))
def test_forms_and_choices_can_be_stored(form: ResponseFormat) -> None:
    request = Request("m", (User("hi"),), tool_choice=Required(("a",)), response_format=form)
    assert msgspec.json.decode(msgspec.json.encode(request), type=Request) == request
