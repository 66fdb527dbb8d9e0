"""Options derived from a tool's parameters: what is written on the command line becomes the JSON that was meant."""

import json
from typing import Annotated, Any, Literal

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from hilt.cli.derived import Given, read_words, value_of, values_of
from hilt.tools import tool

ROOT = {"$defs": {"Size": {"enum": ["small", 2]}}}
LIST_OF_NUMBERS = {"type": "array", "items": {"type": "number"}}

VALUES: list[tuple[Any, Any, Any]] = [
    ("3", {"type": "integer"}, 3),
    ("3", {"type": "number"}, 3),
    ("3.5", {"type": "number"}, 3.5),
    ("3", {"type": "string"}, "3"),
    ("null", {"type": "string"}, "null"),
    ("NaN", {"type": "number"}, "NaN"),
    ("-1e400", {"type": "integer"}, "-1e400"),
    ("three", {"type": "integer"}, "three"),
    ("true", {"type": "integer"}, "true"),
    (True, {"type": "boolean"}, True),
    ("true", {"anyOf": [{"type": "boolean"}, {"type": "integer"}]}, True),
    ("null", {"type": ["integer", "null"]}, None),
    ("3", {"type": ["string", "integer"]}, 3),
    ("small", {"$ref": "#/$defs/Size"}, "small"),
    ("2", {"$ref": "#/$defs/Size"}, 2),
    (["1", "2.5", "x"], LIST_OF_NUMBERS, [1, 2.5, "x"]),
    (["[1, 2]"], LIST_OF_NUMBERS, [1, 2]),
    (["[1, 2]", "3"], {"type": "array", "items": {"type": "string"}}, ["[1, 2]", "3"]),
    ('{"a": [1]}', {"type": "object"}, {"a": [1]}),
    ("{a}", {"type": "object"}, "{a}"),
    ('{"a": 1}', {}, {"a": 1}),
    ("plain", {}, "plain"),
]


@pytest.mark.parametrize(("written", "schema", "meant"), VALUES, ids=repr)
def test_a_word_is_read_as_its_schema_wants(written: Any, schema: Any, meant: Any) -> None:
    value = value_of(written, schema, ROOT)
    assert value == meant
    assert type(value) is type(meant)


@given(st.text())
def test_a_text_stays_what_it_is(text: str) -> None:
    assert value_of(text, {"type": "string"}, {}) == text


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_stays_what_it_is(number: float) -> None:
    assert value_of(json.dumps(number), {"type": "number"}, {}) == number


@tool(effect="write")
def everything(
    text: Annotated[str, Field(description="Some [bold]text[/bold].")],
    from_place: Annotated[str | None, Field(description="From where.")] = None,
    sure: bool = False,
    tags: list[str] | None = None,
    size: Literal["small", "large"] = "small",
    json: str = "",
    dry_run: str = "",
) -> str:
    """Take everything."""
    return f"{text}{from_place}{sure}{tags}{size}{json}{dry_run}"


WORDS: list[tuple[list[str], Given]] = [
    ([], Given()),
    (["--text", "a b"], Given(values={"text": "a b"})),
    (["--text", "-1+x"], Given(values={"text": "-1+x"})),
    (["--text", "--sure"], Given(values={"text": "--sure"})),
    (["--text="], Given(values={"text": ""})),
    (["--from_place", "x"], Given(values={"from_place": "x"})),
    (["--from-place=x"], Given(values={"from_place": "x"})),
    (["--sure"], Given(values={"sure": True})),
    (["--no-sure"], Given(values={"sure": False})),
    (["--tags", "a", "--tags", "b"], Given(values={"tags": ["a", "b"]})),
    (["--size", "huge"], Given(values={"size": "huge"})),
    (["--json", "--dry-run", "--yes", "--html"], Given(as_json=True, dry_run=True, yes=True, as_html=True)),
    (["--arguments", '{"json": "x"}', "--text", "a"], Given(arguments='{"json": "x"}', values={"text": "a"})),
    (["--tools", "a.py", "--workspace", ".", "--text", "a"], Given(values={"text": "a"})),
]


@pytest.mark.parametrize(("words", "wanted"), WORDS, ids=repr)
def test_the_words_behind_the_name(words: list[str], wanted: Given) -> None:
    assert read_words(everything, words, Given()) == wanted


def test_what_stands_before_the_name_counts_too() -> None:
    outer = Given(arguments="{}", dry_run=True, yes=True, as_json=True)
    assert read_words(everything, ["--text", "a"], outer) == Given(
        arguments="{}", values={"text": "a"}, dry_run=True, yes=True, as_json=True
    )


@pytest.mark.parametrize("words", [["--nothing", "x"], ["extra"], ["--text"]])
def test_words_that_mean_nothing_are_refused(words: list[str]) -> None:
    with pytest.raises(typer.TyperException):
        read_words(everything, words, Given())


def test_help_is_derived_from_the_parameters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert read_words(everything, ["--help"], Given()) is None
    told = " ".join(capsys.readouterr().out.split())
    for said in (
        "Take everything.",
        "Some [bold]text[/bold]. [required]",
        "--from-place",
        '[default: "small"]',
        "--no-sure",
        "small|large",
        "Give these in --arguments: json, dry_run.",
    ):
        assert said in told, said


ASKED: list[tuple[list[str], tuple[str, ...]]] = [
    (["--tools", "a", "--text", "x", "--tools=b"], ("a", "b")),
    (["--tools"], ()),
    (["--", "--tools", "a"], ()),
    ([], ()),
]


@pytest.mark.parametrize(("words", "found"), ASKED)
def test_what_must_be_known_first_is_found_among_the_words(words: list[str], found: tuple[str, ...]) -> None:
    assert values_of("--tools", words) == found
