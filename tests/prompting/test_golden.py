"""A whole conversation in each of our own dialects, as a model without a template for tools reads it.

`pytest tests/prompting --refresh-golden` writes the files anew; what changed is then read as a diff.
"""

from itertools import count
from pathlib import Path

import pytest

from hilt.conversation import (
    Assistant,
    Call,
    CallFinished,
    ContentDelta,
    Example,
    Message,
    Request,
    System,
    ToolResult,
    ToolSpec,
    User,
)
from hilt.dialects import CATALOG, Parser, render
from hilt.engine.loading import LoadedModel
from hilt.prompting import find_manner, render_prompt
from hilt.prompting.teaching import final_text, teach
from tests.prompting.templated import USER_AND_MODEL, Templated

GOLDEN = Path(__file__).parent / "golden"
OURS = ("jsonl", "envelope", "xml", "markdown-json")
SIMPLE = """{% for m in messages %}[{{ m.role }}]
{{ m.content }}

{% endfor %}{% if add_generation_prompt %}[assistant]
{% endif %}"""

WEATHER = ToolSpec(
    "get_weather",
    'The weather of a city, "now" or later.',
    {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]},
    examples=(
        Example("Is it raining\nin Oslo?", '{"city": "Oslo"}'),
        Example("And in Bodø, in 3 days?", '{"city": "Bodø", "days": 3}'),
        Example("A third one.", '{"city": "Nowhere"}'),
    ),
)
BOATS = ToolSpec("find_boat", "Boats in a harbour.", {"type": "object", "properties": {"harbour": {"type": "string"}}})
CALLS = (
    Call("call_a", "get_weather", '{"city": "Tromsø", "days": 2}'),
    Call("call_b", "find_boat", '{"harbour": "the \\"old\\" one"}'),
)
TALK: tuple[Message, ...] = (
    System("Be brief."),
    User("Can I sail from Tromsø?"),
    Assistant("I'll look.", calls=CALLS),
    ToolResult("call_b", "find_boat", "MS Havbris\nMS Nordlys"),
    ToolResult("call_a", "get_weather", '{"sky": "clear"}'),
    Assistant("Yes: the sky is clear."),
    User("And from Bodø?"),
)


@pytest.mark.parametrize("dialect", OURS)
@pytest.mark.parametrize(("form", "template"), [("simple", SIMPLE), ("user-and-model", USER_AND_MODEL)])
def test_a_conversation(
    tiny_model: LoadedModel, pytestconfig: pytest.Config, dialect: str, form: str, template: str
) -> None:
    tokenizer = Templated(tiny_model, template)
    manner = find_manner(tokenizer, "", CATALOG[dialect])
    render_prompt(Request("m", TALK, (WEATHER, BOATS)), tokenizer, 4096, manner)
    (text,) = tokenizer.encoded
    golden = GOLDEN / f"{dialect}.{form}.txt"
    if pytestconfig.getoption("--refresh-golden"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("dialect", CATALOG)
def test_the_lesson_shows_what_is_written(dialect: str) -> None:
    told = CATALOG[dialect]
    lesson = teach(told, (WEATHER, BOATS), several=True, results=True)
    id_ = "functions.name_of_tool:0" if told.ids == "header" else "call00000"
    assert render(told, [Call(id_, "name_of_tool", '{"argument": "value"}')]) in lesson
    assert lesson.index("get_weather") < lesson.index("find_boat")
    assert lesson == teach(told, (WEATHER, BOATS), several=True, results=True)
    assert "several tools" not in teach(told, (WEATHER,), several=False, results=True)


@pytest.mark.parametrize("dialect", CATALOG)
def test_examples_are_shown_as_they_are_read(dialect: str) -> None:
    told = CATALOG[dialect]
    lesson = teach(told, (WEATHER, BOATS), several=True, results=True)
    ids = ["functions.get_weather:0" if told.ids == "header" else "call00000"]
    for example in WEATHER.examples[:2]:
        call = render(told, [Call(ids[0], "get_weather", example.arguments)])
        assert f"Request: {' '.join(example.request.split())}\n{call}" in lesson
    assert "A third one" not in lesson
    many = (WEATHER, *(ToolSpec(f"tool_{n}", "", {"type": "object"}) for n in range(20)))
    assert "Oslo" in teach(told, many[:20], several=True, results=True)
    assert "Oslo" not in teach(told, many, several=True, results=True)


@pytest.mark.parametrize("dialect", OURS)
def test_what_is_taught_is_what_is_read(dialect: str) -> None:
    told = CATALOG[dialect]
    numbers = count()
    parser = Parser(told, tools=[WEATHER, BOATS], new_id=lambda: f"call_{'ab'[next(numbers)]}")
    events = parser.feed(render(told, CALLS)) + parser.finish(cut=False)
    assert tuple(e.call for e in events if isinstance(e, CallFinished)) == CALLS
    parser = Parser(told, tools=[WEATHER, BOATS], new_id=str)
    events = parser.feed(final_text(told, 'It is "fine".\nGo.')) + parser.finish(cut=False)
    assert "".join(e.text for e in events if isinstance(e, ContentDelta)) == 'It is "fine".\nGo.'
