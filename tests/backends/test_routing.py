"""Which way a model is given tools, by every combination of what it has and what the options say."""

import pytest

from hilt.backends.routing import Refusal, route, taught_dialect
from hilt.settings import RoutingOptions


@pytest.mark.parametrize(
    ("tools", "has_native", "local", "way"),
    [
        ("auto", True, True, "native"),
        ("auto", False, True, "text"),
        ("auto", True, False, "native"),
        ("auto", False, False, None),
        ("native", True, True, "native"),
        ("native", False, True, None),
        ("native", True, False, "native"),
        ("native", False, False, None),
        ("text", True, True, "text"),
        ("text", False, True, "text"),
        ("text", True, False, None),
        ("text", False, False, None),
    ],
)
def test_the_way(tools: str, has_native: bool, local: bool, way: str | None) -> None:
    for options in (
        RoutingOptions(tools=tools, local=local),  # type: ignore[arg-type]
        RoutingOptions(tools="auto", models={"m": tools}, local=local),  # type: ignore[dict-item]
    ):
        taken = route("m", has_native, options)
        if way is None:
            assert isinstance(taken, Refusal)
            assert "'m'" in taken.reason
        else:
            assert taken == way


def test_single_models_go_their_own_way() -> None:
    options = RoutingOptions(tools="native", models={"old": "text"})
    assert route("new", True, options) == "native"
    assert route("old", True, options) == "text"


@pytest.mark.parametrize("style", ["jsonl", "xml", "markdown-json"])
def test_the_prompt_style(style: str) -> None:
    assert taught_dialect(RoutingOptions(prompt_style=style)).name == style  # type: ignore[arg-type]
