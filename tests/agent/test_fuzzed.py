"""Whatever a model writes in place of a call, the run ends, and only what it clearly wrote is carried out."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.agent import run_with_completion_sync
from hilt.conversation import Call
from hilt.dialects import CATALOG, render

SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "size": {"type": "integer"}, "force": {"type": "boolean"}},
    "required": ["path"],
}
ARGUMENTS = {"path": 'a "b"\n{c}', "size": 12, "force": False}
STYLES = ("jsonl", "xml", "markdown-json")
WRITTEN = {style: render(CATALOG[style], [Call("c", "erase", json.dumps(ARGUMENTS))]) for style in STYLES}
PIECES = st.text('{}[]",:\\ntf0129e.- \n<>/`_', max_size=4) | st.text(max_size=3)
DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 6), PIECES), min_size=1, max_size=3)


def damaged(text: str, damage: list[tuple[float, int, str]]) -> str:
    """The text with pieces of it replaced: at a place, so many characters, by these."""
    for where, length, piece in damage:
        place = int(where * len(text))
        text = text[:place] + piece + text[place + length :]
    return text


def strictly_written(text: str) -> list[Any]:
    """The arguments of every object in the text that strict JSON says is a call."""
    found: list[Any] = []
    decoder = json.JSONDecoder(object_pairs_hook=_distinct)
    for place, character in enumerate(text):
        if character == "{":
            try:
                value, _ = decoder.raw_decode(text, place)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict) and "arguments" in value:
                found.append(value["arguments"])
    return found


def spelled(arguments: Any) -> Any:
    """Arguments by the letters and digits of their names: a tool takes `Size` for its `size`."""
    if not isinstance(arguments, dict):
        return arguments
    return {"".join(c for c in name.casefold() if c.isalnum()): value for name, value in arguments.items()}


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def ran(text: str, style: str) -> tuple[list[Any], dict[str, Any]]:
    seen: list[Any] = []
    left = [text]
    erase = {"name": "erase", "description": "Erase a file.", "schema": SCHEMA, "handler": seen.append}
    result = run_with_completion_sync(
        {
            "messages": [{"role": "user", "content": "Erase it."}],
            "availableTools": [erase],
            "completion": lambda prompt: left.pop() if left else "Done.",
            "promptStyle": style,
        },
        clock=lambda: 0.0,
    )
    return seen, result


@pytest.mark.parametrize("style", STYLES)
def test_what_is_whole_runs(style: str) -> None:
    assert ran(WRITTEN[style], style)[0] == [ARGUMENTS]


@pytest.mark.parametrize("style", STYLES)
@given(damage=DAMAGE)
@settings(max_examples=150, deadline=None)
def test_only_what_was_strictly_written_is_carried_out(style: str, damage: list[tuple[float, int, str]]) -> None:
    text = damaged(WRITTEN[style], damage)
    seen, result = ran(text, style)
    json.dumps(result)
    assert result["trace"][-1]["type"] == "stop"
    assert result["trace"][-1]["reason"] == "final"
    clearly = [spelled(arguments) for arguments in strictly_written(text)]
    for arguments in seen:
        assert spelled(arguments) in clearly


@pytest.mark.parametrize("style", STYLES)
@given(text=st.text(max_size=200))
@settings(max_examples=50, deadline=None)
def test_any_text_ends_a_run(style: str, text: str) -> None:
    seen, result = ran(text, style)
    assert seen == []
    assert result["trace"][-1]["reason"] == "final"
