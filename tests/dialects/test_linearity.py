"""The work per character stays the same however long the text is; steps are counted, never seconds.

A step is one call of a Python or C function, and every character that is copied or looked at again counts as one too,
so that neither a loop over feeds nor a slice of all that is left can hide.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from hilt.conversation import ArgumentsDelta, CallFinished, ContentDelta
from hilt.dialects import Parser, dialect_named, parser, payloads
from hilt.dialects.cursor import Cursor, Literals, find
from tests.dialects.rows import TOOLS, ids

SHORT, LONG = 1_000, 5_000
MOST_STEPS = 50


class CountedText(str):
    """Text that counts the characters that are sliced out of it."""

    copied = 0

    def __getitem__(self, key: Any) -> str:
        piece = super().__getitem__(key)
        CountedText.copied += len(piece)
        return piece


class Steps:
    """The steps that were taken inside of a `with counting()`."""

    calls = 0
    scanned = 0

    @property
    def all(self) -> int:
        return self.calls + self.scanned + CountedText.copied


@contextmanager
def counting(patch: pytest.MonkeyPatch) -> Iterator[Steps]:
    steps = Steps()
    extend = Cursor.extend

    def counted_extend(cursor: Cursor, text: str) -> None:
        extend(cursor, text)
        cursor.buffer = CountedText(cursor.buffer)
        steps.scanned += len(cursor.buffer)

    def counted_find(cursor: Cursor, marks: Literals) -> tuple[int, str | None]:
        free, mark = find(cursor, marks)
        steps.scanned += cursor.available if mark is None else free
        return free, mark

    def on_call(frame: FrameType, event: str, argument: Any) -> None:
        steps.calls += event in ("call", "c_call")

    patch.setattr(Cursor, "extend", counted_extend)
    patch.setattr(parser, "find", counted_find)
    patch.setattr(payloads, "find", counted_find)
    CountedText.copied = 0
    before = sys.getprofile()
    sys.setprofile(on_call)
    try:
        yield steps
    finally:
        sys.setprofile(before)


def steps_per_character(patch: pytest.MonkeyPatch, dialect: str, text: str, piece_length: int) -> float:
    reader = Parser(dialect_named(dialect), tools=tuple(TOOLS.values()), new_id=ids())
    with patch.context() as scope, counting(scope) as steps:
        for start in range(0, len(text), piece_length):
            reader.feed(text[start : start + piece_length])
        reader.finish(cut=True)
    return steps.all / len(text)


def repeated(unit: str, before: str = "", after: str = "") -> Callable[[int], str]:
    return lambda length: before + unit * (length // len(unit)) + after


STRING_ARGUMENT = {
    "hermes": ('<tool_call>\n{"name": "write", "arguments": {"text": "', '"}}\n</tool_call>'),
    "llama3": ('{"name": "write", "parameters": {"text": "', '"}}'),
    "qwen_xml": ("<tool_call>\n<function=write>\n<parameter=text>\n", "\n</parameter>\n</function>\n</tool_call>"),
}
ARRAY_ARGUMENT = {
    "hermes": ('<tool_call>{"name": "write", "arguments": {"tags": ', "}}</tool_call>"),
    "llama3": ('{"name": "write", "parameters": {"tags": ', "}}"),
    "qwen_xml": ("<tool_call><function=write><parameter=tags>", "</parameter></function></tool_call>"),
}
SHAPES: dict[str, dict[str, Callable[[int], str]]] = {
    dialect: {
        "text": repeated("some words "),
        "spaces": repeated(" "),
        "line breaks": repeated("\n"),
        "less-than signs": repeated("<"),
        "opening braces": repeated("{"),
        "quotation marks": repeated('"'),
        "marks begun": repeated(dialect_named(dialect).call.open[:-1]),
        "openers": repeated(dialect_named(dialect).call.open),
        "openers far apart": repeated(dialect_named(dialect).call.open + " " * 70),
        "openers and braces": repeated(dialect_named(dialect).call.open + "{"),
        "functions": repeated("<function=a>"),
        "functions begun": repeated("<function="),
        "thoughts": repeated("<think>a</think>"),
        "thoughts opened": repeated("<think>"),
        "closers": repeated(dialect_named(dialect).call.close or ";"),
        "a string argument": repeated("some words ", open_string, close_string),
        "a string of quotes": repeated('\\"', open_string, close_string),
        "a string of backslashes": repeated("\\\\", open_string, close_string),
        "a string of line breaks": repeated("\n", open_string, close_string),
        "a string of closers": repeated("</parameter></tool_call></function> ", open_string, close_string),
        "a string of openers": repeated("<parameter=text><parameter=other>", open_string, close_string),
        "a string that never ends": repeated("a", open_string),
        "a string of less-than signs": repeated("<", open_string),
        "an array": repeated('{"a": [1, "b", null]},', open_array + "[", "1]" + close_array),
        "space inside JSON": repeated(" ", open_array + "[", "]" + close_array),
        "deep nesting": repeated("[", open_array),
        "a long number": repeated("1", open_array),
        "space behind a call": repeated(" ", open_array + "[]" + close_array),
        "brackets behind a call": repeated("}", open_array + "[]" + close_array),
        "calls in calls": repeated('{"name":', open_string[: open_string.find("{")]),
        "many calls": repeated(open_array + "[]" + close_array),
        "many parameters": lambda length, o=open_array, c=close_array: many_parameters(length, o, c),
        "a long name": repeated("a", open_string[: open_string.index("write")]),
    }
    for dialect, (open_string, close_string) in STRING_ARGUMENT.items()
    for open_array, close_array in [ARRAY_ARGUMENT[dialect]]
}


def many_parameters(length: int, before: str, after: str) -> str:
    if "<parameter=" in before:
        parameters = "".join(f"<parameter=p{n}>{n}</parameter>" for n in range(length // 31))
        return before.replace("<parameter=tags>", parameters + "<parameter=tags>") + "[]" + after
    return before + "{" + ", ".join(f'"p{n}": {n}' for n in range(length // 14)) + "}" + after


@pytest.mark.parametrize(
    ("dialect", "shape"),
    [pytest.param(d, s, id=f"{d}: {s}") for d, shapes in SHAPES.items() for s in shapes],
)
@pytest.mark.parametrize("piece_length", [4, 1_000_000], ids=["in pieces", "whole"])
def test_steps_per_character_do_not_grow(
    monkeypatch: pytest.MonkeyPatch, dialect: str, shape: str, piece_length: int
) -> None:
    short, long = (
        steps_per_character(monkeypatch, dialect, SHAPES[dialect][shape](n), piece_length) for n in (SHORT, LONG)
    )
    assert long <= 1.1 * short + 1
    assert long < MOST_STEPS


@pytest.mark.parametrize("dialect", STRING_ARGUMENT)
def test_steps_per_character_of_a_long_argument(monkeypatch: pytest.MonkeyPatch, dialect: str) -> None:
    text = SHAPES[dialect]["a string argument"]
    short, long = (steps_per_character(monkeypatch, dialect, text(n), 4) for n in (10_000, 100_000))
    assert long <= 1.01 * short


@pytest.mark.parametrize("dialect", STRING_ARGUMENT)
def test_a_string_argument_leaves_as_it_arrives(dialect: str) -> None:
    before, after = STRING_ARGUMENT[dialect]
    reader = Parser(dialect_named(dialect), tools=tuple(TOOLS.values()), new_id=ids())
    reader.feed(before)
    for piece in ["some", " wor", "ds a", "nd m"] * 10:
        assert reader.feed(piece) == [ArgumentsDelta(0, piece)]
    assert isinstance((reader.feed(after) + reader.finish(cut=False))[-1], CallFinished)


@pytest.mark.parametrize("dialect", STRING_ARGUMENT)
def test_prose_leaves_as_it_arrives(dialect: str) -> None:
    reader = Parser(dialect_named(dialect), tools=tuple(TOOLS.values()), new_id=ids())
    assert _told(reader, ["some", " words", " <", " and", " more"]) == ["some", " words", "", " < and", " more"]


@pytest.mark.parametrize("dialect", STRING_ARGUMENT)
def test_no_mark_withholds_more_than_a_little(dialect: str) -> None:
    """Behind a mark that turns out to be prose, the text goes on to leave as it arrives."""
    reader = Parser(dialect_named(dialect), tools=tuple(TOOLS.values()), new_id=ids())
    reader.feed("The " + dialect_named(dialect).call.open)
    told = _told(reader, [" tag", " is", " one"])
    assert told[0].endswith(" tag")
    assert told[1:] == [" is", " one"]


def _told(reader: Parser, pieces: Sequence[str]) -> list[str]:
    return ["".join(e.text for e in reader.feed(p) if isinstance(e, ContentDelta)) for p in pieces]


@pytest.mark.parametrize("dialect", STRING_ARGUMENT)
def test_two_megabytes_of_adversity_come_to_an_end(dialect: str) -> None:
    mark = dialect_named(dialect).call.open
    text = (mark + "{" + mark + "<function=a><function=" + "<" * 50 + "{" * 50 + " " * 100 + '"\\' * 20) * 7_100
    assert len(text) > 2_000_000
    reader = Parser(dialect_named(dialect), tools=tuple(TOOLS.values()), new_id=ids())
    half = len(text) // 2
    reader.feed(text[:half])
    for start in range(half, len(text), 997):
        reader.feed(text[start : start + 997])
    reader.finish(cut=True)
