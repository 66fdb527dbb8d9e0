"""What the door costs: `python -m hilt.measure.tool_runtime` measures, prints and records it.

The same tool is called through the runtime and directly, in turns, and the difference is what a call pays beside its
tool: names, decoding, validation, forty rules, the kill switch, redaction with ten known secrets, a hook and a record
in a trace. Results are of several sizes. The redaction is measured by itself too, of one long text and of a listing of
many short ones, with all that a trace takes out; none of them holds a secret.
"""

import argparse
import asyncio
import inspect
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from hilt.conversation import Call, Outcome
from hilt.measure.records import Spread, spread, write_record
from hilt.settings import PolicyOptions
from hilt.tools import (
    Execution,
    Nobody,
    Rate,
    Rates,
    Redaction,
    Registry,
    Runtime,
    Switch,
    Tool,
    policy_of,
    redact,
    run_tool,
    tool,
)
from hilt.traces import Record

SIZES = (100, 2_000, 16_000)
WORDS = "the quick brown fox jumps over the lazy dog near example.org at 10:30; "
SENTENCE = "Note: the key idea of 2026-11-21 is to consider a monkey's basic needs, see https://example.org/a/b?x=1#c. "
KNOWN = tuple(f"secret-number-{number}-of-the-user" for number in range(10))


class Overhead(Struct, frozen=True):
    """The seconds that a call takes beside its tool, whose result has so many characters."""

    result_chars: int
    kind: str
    direct: Spread
    overhead: Spread


class Redacting(Struct, frozen=True):
    """The seconds that it takes to redact a JSON text of so many characters."""

    chars: int
    kind: str
    cost: Spread


class _Counting:
    """A hook that does as little as a hook can."""

    def __init__(self) -> None:
        self.seen = 0

    def will_execute(self, execution: Execution) -> str | None:
        self.seen += 1
        return None

    def did_execute(self, execution: Execution, outcome: Outcome) -> None:
        self.seen += 1


def long_text(unit: str, chars: int) -> str:
    """So many characters of the unit, again and again."""
    return (unit * (chars // len(unit) + 1))[:chars]


def listing(chars: int) -> str:
    """A list of files as JSON, of about so many characters."""
    size = len(json.dumps(_file(0)))
    return json.dumps([_file(number) for number in range(max(1, chars // size))])


def _file(number: int) -> dict[str, Any]:
    return {
        "path": f"src/made/room_{number % 7}/part_{number}.py",
        "bytes": 41 * number,
        "changed": "2026-11-21T10:30:05Z",
    }


def redacting(calls: int) -> list[Redacting]:
    """The redaction alone, of texts of all sizes."""
    private = Redaction(personal=True, known=KNOWN)
    found: list[Redacting] = []
    for chars in SIZES:
        texts = {
            "words": json.dumps({"text": long_text(WORDS, chars)}),
            "sentences": json.dumps({"text": long_text(SENTENCE, chars)}),
            "listing": listing(chars),
        }
        for kind, text in texts.items():
            costs_s: list[float] = []
            for _ in range(calls + 5):
                began_s = time.perf_counter()
                redact(text, private)
                costs_s.append(time.perf_counter() - began_s)
            found.append(Redacting(len(text), kind, spread("s", costs_s[5:])))
    return found


def made_tools(text: str) -> tuple[Tool, Tool]:
    """A plain tool and an async one that return the text."""

    @tool(effect="write", rate=Rate(1_000_000, 1.0), aliases=["plain_tool"])
    def plain(query: str, limit: int = 5) -> dict[str, Any]:
        """Return a text."""
        return {"text": text, "limit": limit}

    @tool(effect="write", rate=Rate(1_000_000, 1.0))
    async def plain_async(query: str, limit: int = 5) -> dict[str, Any]:
        """Return a text."""
        return {"text": text, "limit": limit}

    return plain, plain_async


def guarded(tools: tuple[Tool, ...], folder: Path, record: Callable[[Record], None]) -> Runtime:
    """A runtime with everything switched on."""
    rules = tuple(f"tool{number}(path=a/*)" for number in range(20))
    return Runtime(
        registry=Registry(tools),
        approver=Nobody(),
        policy=policy_of(PolicyOptions(deny=rules, ask=rules, allow=("plain*",))),
        switch=Switch(folder / "off"),
        rates=Rates(time.monotonic),
        redaction=Redaction(known=KNOWN),
        hooks=(_Counting(),),
        record=record,
    )


async def measured(made: Tool, runtime: Runtime, chars: int, calls: int) -> Overhead:
    """Call it through the door and directly, in turns."""
    call = Call("c1", made.name, '{"query": "what is it", "limit": "3"}')
    direct: list[float] = []
    through: list[float] = []
    asynchronous = inspect.iscoroutinefunction(made.function)
    for number in range(calls + 5):
        began_s = time.perf_counter()
        value = made.function(query="what is it", limit=3)
        json.dumps(await value if asynchronous else value)
        between_s = time.perf_counter()
        await run_tool(call, runtime)
        ended_s = time.perf_counter()
        if number >= 5:
            direct.append(between_s - began_s)
            through.append(ended_s - between_s - (between_s - began_s))
    return Overhead(chars, "async" if asynchronous else "plain", spread("s", direct), spread("s", through))


def measure(calls: int) -> list[Overhead]:
    """All sizes, plain and async."""
    from hilt.traces.store import TraceStore

    found: list[Overhead] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        private = Redaction(personal=True)
        traces = TraceStore(
            folder / "traces.sqlite3",
            redact=lambda text: redact(text, private),
            full=False,
            max_runs=1000,
            complain=print,
        )
        for chars in SIZES:
            tools = made_tools(long_text(WORDS, chars))
            for made in tools:
                found.append(asyncio.run(measured(made, guarded(tools, folder, traces.write), chars, calls)))
    return found


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--folder", type=Path, default=Path("results"))
    given = parser.parse_args()
    found = measure(given.calls)
    for one in found:
        print(f"{one.kind:6} {one.result_chars:6} characters: {one.overhead.median * 1e3:.3f} ms beside the tool")
    alone = redacting(given.calls)
    for one in alone:
        print(f"{one.kind:9} {one.chars:6} characters: {one.cost.median * 1e3:.3f} ms to redact")
    print(write_record(given.folder, "tool-runtime", {"overheads": found, "redaction": alone}, now=datetime.now(UTC)))


if __name__ == "__main__":
    main()
