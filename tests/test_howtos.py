"""The examples of the pages on tools and the agent run, and print what the pages say."""

import asyncio
import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from tests.backends.loopback import Answer, Loopback, delta, sse

DOCS = Path(__file__).parents[1] / "docs"


def ran(page: str) -> tuple[list[str], list[str], dict[str, Any]]:
    """What the examples of a page print, what the page says that they print, and the names that they define."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        for block in blocks:
            exec(compile(block, page, "exec"), names)
    said = [line.split("# → ", 1)[1] for block in blocks for line in block.splitlines() if "# → " in line]
    return told.getvalue().splitlines(), said, names


@pytest.mark.parametrize("page", ["agent.md", "tools-howto.md"])
def test_the_examples_print_what_the_page_says(page: str) -> None:
    printed, said, _ = ran(page)
    assert printed == said
    assert said


def test_the_tool_of_the_readme_is_one() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS.parent / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if "@tool" in block]
    names: dict[str, Any] = {"__name__": "example"}
    exec(block, names)
    assert names["word_count"].function("the quick fox") == 3
    assert len([line for line in block.splitlines() if line]) <= 6


def test_the_example_of_another_server_asks_it() -> None:
    _, _, names = ran("agent.md")

    async def asked() -> tuple[str, str]:
        loopback = Loopback([Answer((sse(delta("stop", content="Clear.")),))])
        async with loopback.running() as url:
            answer = await names["ask_there"](url, "far", "What is the weather?")
        return answer, loopback.asked[0].body["tools"][0]["function"]["name"]

    assert asyncio.run(asked()) == ("Clear.", "weather")


def test_the_example_of_our_own_engine_runs(tiny_folder: Path) -> None:
    _, _, names = ran("agent.md")
    assert names["ask_here"](str(tiny_folder), "What is the weather?") in (
        "final",
        "length",
        "max_iterations",
        "repeated_calls",
        "repair_exhausted",
    )
