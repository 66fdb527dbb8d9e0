"""A tool in the shapes of others: what each says, that it is read back as it was, and that nothing of it is markup."""

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace
from openai.types.chat import ChatCompletionToolParam
from openai.types.responses import FunctionToolParam
from pydantic import Field, TypeAdapter

from hilt.conversation import Example, ToolSpec
from hilt.dialects import CATALOG
from hilt.protocols.tool_lists import ListedTool, tool_specs
from hilt.tools import Change, Effect, Rate, Tool, shapes, tool


class Point(Struct, frozen=True):
    """A place."""

    x: int


def example_tool(effect: Effect = "write") -> Tool:
    """A tool that has something of everything."""

    @tool(
        effect=effect,
        timeout_s=3,
        aliases=("keep",),
        permission="lists:write",
        platforms=("linux", "darwin"),
        domain="lists",
        keywords=("save",),
        examples=[("Put milk on *my* list.", {"entry": "milk"})],
        plan=lambda **arguments: (Change("edit", str(arguments["entry"])),),
        rate=Rate(5, 60),
        untrusted=True,
    )
    def add_entry(
        entry: Annotated[str, Field(description="What to add | to `the` list.")],
        size: Literal["small", "large"] = "small",
        count: int | float = 1,
        marks: list[int] | None = None,
    ) -> Point:
        """Add an entry to a <list>."""
        del entry, size, count, marks
        return Point(1)

    return add_entry


PARAMETERS = example_tool().spec.parameters
WANTED: list[tuple[str, Any]] = [
    (
        "openai",
        {
            "type": "function",
            "function": {"name": "add_entry", "description": "Add an entry to a <list>.", "parameters": PARAMETERS},
        },
    ),
    (
        "openai_responses",
        {
            "type": "function",
            "name": "add_entry",
            "description": "Add an entry to a <list>.",
            "parameters": PARAMETERS,
            "strict": False,
        },
    ),
    (
        "anthropic",
        {"name": "add_entry", "description": "Add an entry to a <list>.", "input_schema": PARAMETERS},
    ),
    (
        "ollama",
        {
            "type": "function",
            "function": {"name": "add_entry", "description": "Add an entry to a <list>.", "parameters": PARAMETERS},
        },
    ),
]


@pytest.mark.parametrize(("shape", "wanted"), WANTED, ids=[name for name, _ in WANTED])
def test_each_api_gets_its_own_shape(shape: str, wanted: Any) -> None:
    assert getattr(shapes, shape)(example_tool().spec) == wanted


def test_strictness_is_told_where_there_is_a_word_for_it() -> None:
    spec = replace(example_tool().spec, strict=True)
    assert shapes.openai(spec)["function"]["strict"] is True
    assert shapes.openai_responses(spec)["strict"] is True
    assert shapes.anthropic(spec)["strict"] is True
    assert "strict" not in shapes.ollama(spec)["function"]


@pytest.mark.parametrize("strict", [False, True])
def test_the_openai_package_takes_them(strict: bool) -> None:
    spec = replace(example_tool().spec, strict=strict)
    TypeAdapter(ChatCompletionToolParam).validate_python(shapes.openai(spec), strict=True)
    TypeAdapter(FunctionToolParam).validate_python(shapes.openai_responses(spec), strict=True)


HINTS: list[tuple[Effect, tuple[bool, bool, bool, bool]]] = [
    ("read", (True, False, True, False)),
    ("write", (False, False, False, False)),
    ("destructive", (False, True, False, False)),
    ("external", (False, True, False, True)),
]


@pytest.mark.parametrize(("effect", "hints"), HINTS)
def test_mcp_hints_follow_the_effect(effect: Effect, hints: tuple[bool, bool, bool, bool]) -> None:
    shape = shapes.mcp(example_tool(effect))
    assert shape["name"] == "add_entry"
    assert shape["title"] == "Add entry"
    assert shape["inputSchema"] == PARAMETERS
    names = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
    assert shape["annotations"] == dict(zip(names, hints, strict=True))


names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{0,20}", fullmatch=True)
parameters = st.dictionaries(
    names, st.fixed_dictionaries({"type": st.sampled_from(["string", "integer"]), "description": st.text()}), max_size=4
).map(lambda properties: {"type": "object", "properties": properties, "required": sorted(properties)[:1]})
specs = st.builds(ToolSpec, names, st.text(), parameters)


@given(st.lists(specs, max_size=4, unique_by=lambda spec: spec.name))
def test_what_is_written_for_openai_and_anthropic_is_read_back(offered: list[ToolSpec]) -> None:
    for write in (shapes.openai, shapes.openai_responses, shapes.anthropic, shapes.ollama):
        written = msgspec.json.encode([write(spec) for spec in offered])
        assert tool_specs(msgspec.json.decode(written, type=list[ListedTool])) == tuple(offered)


@pytest.mark.parametrize("dialect", CATALOG.values(), ids=list(CATALOG))
def test_the_text_teaches_the_tool_in_every_dialect(dialect: Any) -> None:
    text = shapes.text(example_tool(), dialect)
    assert '"name":"add_entry"' in text
    assert json.dumps(PARAMETERS, ensure_ascii=False, separators=(",", ":")) in text


def test_a_page_tells_everything() -> None:
    assert shapes.page(example_tool()) == "\n".join(
        [
            "## add_entry",
            "",
            r"Add an entry to a \<list\>.",
            "",
            "| | |",
            "| --- | --- |",
            "| effect | write |",
            "| also called | keep |",
            "| permission | lists:write |",
            "| domain | lists |",
            "| keywords | save |",
            "| platforms | linux, darwin |",
            "| time | 3 s at most |",
            "| rate | 5 calls in 60 s at most |",
            "| results | may have been written by strangers |",
            "",
            "| parameter | type | needed | what it is |",
            "| --- | --- | --- | --- |",
            r"| `entry` | string | yes | What to add \| to \`the\` list. |",
            '| `size` | "small" or "large" | no: "small" |  |',
            "| `count` | integer or number | no: 1 |  |",
            "| `marks` | list of integer | no |  |",
            "",
            "For example:",
            "",
            r"""- Put milk on \*my\* list. → `{"entry": "milk"}`""",
            "",
            "A dry run, and the question before a call, list each change that the call would make.",
        ]
    )


PLANNED: list[tuple[Effect, bool, str]] = [
    ("read", True, "It changes nothing"),
    ("external", True, "list each change"),
    ("destructive", False, "the effect is destructive"),
]


@pytest.mark.parametrize(("effect", "plans", "wanted"), PLANNED)
def test_a_page_tells_what_a_dry_run_shows(effect: Effect, plans: bool, wanted: str) -> None:
    made = example_tool(effect)
    assert wanted in shapes.page(made if plans else replace(made, plan=None))


@given(st.text(), st.text(), st.text())
def test_nothing_that_a_tool_says_breaks_its_page(description: str, request: str, meaning: str) -> None:
    made = example_tool()
    properties = {"a`|b": {"type": "string", "description": meaning}}
    spec = ToolSpec("t", description, {"type": "object", "properties": properties}, False, (Example(request, "{}"),))
    lines = shapes.page(replace(made, spec=spec)).splitlines()
    plain = shapes.page(replace(made, spec=replace(spec, description="", examples=(Example("", "{}"),)))).splitlines()
    assert len(lines) == len(plain)
    (row,) = (line for line in lines if line.startswith("| ``a`"))
    assert len(_bars(row)) == 5
    assert not any(line.lstrip().startswith(("#", "<", "```", "- [", "![")) for line in lines[1:])


def _bars(row: str) -> list[int]:
    """The bars of a row that end a cell."""
    return [place for place, character in enumerate(row) if character == "|" and row[place - 1 : place] != "\\"]


KINDS: list[tuple[Any, str]] = [
    ({"type": "string", "format": "date"}, "string (date)"),
    ({"type": ["string", "null"]}, "string or null"),
    ({"type": "array"}, "list"),
    ({"type": "array", "items": {"$ref": "#/$defs/A"}}, "list of 1 or 2"),
    ({"anyOf": [{"type": "string"}, {"type": "string"}]}, "string"),
    ({"allOf": [{"type": "string"}, {"enum": ["a"]}]}, 'string and "a"'),
    ({"const": None}, "null"),
    ({"$ref": "#/$defs/loop"}, "anything"),
    ({"$ref": "#/elsewhere"}, "anything"),
    ({}, "anything"),
    (True, "anything"),
]


@pytest.mark.parametrize(("schema", "wanted"), KINDS)
def test_a_schema_in_words(schema: Any, wanted: str) -> None:
    assert shapes.kind(schema, {"$defs": {"A": {"enum": [1, 2]}, "loop": {"$ref": "#/$defs/loop"}}}) == wanted
