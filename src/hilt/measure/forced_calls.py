"""The guarantee, measured: what becomes of calls that random models are made to write.

`python -m hilt.measure.forced_calls` lets a model with random weights answer in each of fifteen dialects, through the
engine, the grammars and the checks that serve users, with tools of 64 different schemas: most turns have to call one,
and some may, where the model leans to begin a call. Another validator of JSON Schema judges every call. Nothing may be
wrong: no call that breaks its schema, and no turn without a call that doesn't say why.
"""

import argparse
import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random

from msgspec import Struct

from hilt.backends import Backend
from hilt.conversation import (
    Auto,
    HiltError,
    ModelEvent,
    Named,
    Request,
    Required,
    Sampling,
    ToolSpec,
    TurnFinished,
    User,
    callable_tools,
)
from hilt.dialects import dialect_named
from hilt.dialects.beginnings import openings
from hilt.grammar import prepare_arguments
from hilt.measure.random_speakers import SPEAKERS, Speaker, open_speaker, speaker_named
from hilt.measure.records import write_record
from hilt.measure.varied_schemas import VARIED
from hilt.measure.verdicts import Judge, Turn, judge_of, verdict

OPENING = 8.0  # of a score: what makes a call likely where none is due
FEW_TOKENS = (24, 32, 48, 64)
AMPLE_TOKENS = (96, 200)
OFFERED = (0, 7, 23)  # the places of the tools that are offered together
MOST_TOLD = 20


class Tally(Struct, frozen=True):
    """What came of the turns in one dialect. `schemas_called` counts the tools of which a call was valid, `repairs`
    what the parser had to mend in calls, `marks` the turns with each mark in their content, and `wrong` tells of the
    first wrong turns."""

    dialect: str
    turns: int
    verdicts: dict[str, int]
    calls: int
    schemas_called: int
    repairs: dict[str, int]
    marks: dict[str, int]
    tokens: int
    seconds: float
    wrong: list[str]


def tools() -> list[ToolSpec]:
    """One tool for each schema."""
    return [ToolSpec(name, "", schema) for name, schema in VARIED.items()]


def checked_at_the_end() -> frozenset[str]:
    """The tools whose schemas hold more than a grammar can enforce."""
    return frozenset(name for name, schema in VARIED.items() if prepare_arguments(schema, name).unenforced)


def forced_requests(count: int, seed: int) -> Iterator[Request]:
    """Requests that name a tool, and ones that require any of three, with one call or several; the same for a seed."""
    random = Random(seed)
    offered = tools()
    for number in range(count):
        place, turn = number % len(offered), number // len(offered)
        several = tuple(offered[(place + step) % len(offered)] for step in OFFERED)
        tokens = random.choice(FEW_TOKENS) if random.random() < 0.2 else random.randint(*AMPLE_TOKENS)
        yield Request(
            "random",
            (User("Go."),),
            several,
            Named(offered[place].name) if turn % 2 else Required(),
            parallel_calls=turn % 4 < 2,
            sampling=Sampling(temperature=1.0, seed=seed + number, max_tokens=tokens),
        )


def free_requests(count: int, seed: int) -> Iterator[Request]:
    """Requests that leave it to the model whether it calls one of three tools; the same for a seed."""
    random = Random(seed)
    offered = tools()
    for number in range(count):
        several = tuple(offered[(number + step) % len(offered)] for step in OFFERED)
        sampling = Sampling(temperature=1.0, seed=seed + number, max_tokens=random.randint(*AMPLE_TOKENS))
        yield Request("random", (User("Go."),), several, Auto(), sampling=sampling)


def run_turns(backend: Backend, requests: Iterator[Request], rows: int) -> list[Turn]:
    """The turns that answer these requests, `rows` of them at once."""

    async def answer() -> list[Turn]:
        turns: list[Turn] = []

        async def work() -> None:
            for request in requests:
                turns.append(await _turn(backend, request))

        await asyncio.gather(*(work() for _ in range(rows)))
        return turns

    return asyncio.run(answer())


async def _turn(backend: Backend, request: Request) -> Turn:
    events: list[ModelEvent] = []
    failure: HiltError | None = None
    try:
        async for event in backend.stream(request):
            events.append(event)
    except HiltError as problem:
        failure = problem
    allowed = tuple(tool.name for tool in callable_tools(request))
    forced = not isinstance(request.tool_choice, Auto)
    several = request.parallel_calls and not isinstance(request.tool_choice, Named)
    return Turn(allowed, forced, several, tuple(events), failure)


def tally(speaker: Speaker, turns: Sequence[Turn], seconds: float, judge: Judge, late: frozenset[str]) -> Tally:
    """Judge the turns of a speaker, which took so many seconds."""
    openers = list(openings(dialect_named(speaker.dialect)))
    judged = [verdict(turn, judge, late, openers, speaker.special) for turn in turns]
    whole = [call for turn, its in zip(turns, judged, strict=True) if its.verdict != "wrong" for call in turn.calls]
    ends = [event for turn in turns for event in turn.events if isinstance(event, TurnFinished)]
    wrong = [f"{'/'.join(turn.allowed)}: {its.why}" for turn, its in zip(turns, judged, strict=True) if its.why]
    return Tally(
        speaker.dialect,
        len(turns),
        dict(Counter(its.verdict for its in judged)),
        len(whole),
        len({call.call.name for call in whole}),
        dict(Counter(repair for call in whole for repair in call.repairs)),
        dict(Counter(mark for turn in turns for mark in speaker.special if mark in turn.content)),
        sum(end.usage.completion_tokens for end in ends),
        round(seconds, 1),
        wrong[:MOST_TOLD],
    )


def measure(dialect: str, forced: int, free: int, rows: int, seed: int) -> tuple[Tally, Tally]:
    """So many turns in one dialect that had to call a tool, and so many that might."""
    speaker, judge, late = speaker_named(dialect), judge_of(VARIED), checked_at_the_end()
    tallies: list[Tally] = []
    for opening, requests in ((0.0, forced_requests(forced, seed)), (OPENING, free_requests(free, seed))):
        with open_speaker(speaker, rows, opening) as backend:
            start = time.perf_counter()
            turns = run_turns(backend, requests, rows)
            tallies.append(tally(speaker, turns, time.perf_counter() - start, judge, late))
    return tallies[0], tallies[1]


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/forced-calls.json"))
    parser.add_argument("--dialects", nargs="+", default=[speaker.dialect for speaker in SPEAKERS])
    parser.add_argument("--forced", type=int, default=1000, help="turns in each dialect that have to call a tool")
    parser.add_argument("--free", type=int, default=200, help="turns in each dialect that may call one")
    parser.add_argument("--rows", type=int, default=32, help="replies at once")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    one = partial(measure, forced=options.forced, free=options.free, rows=options.rows, seed=options.seed)
    forced: list[Tally] = []
    free: list[Tally] = []
    with ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn")) as processes:
        for both in processes.map(one, options.dialects):
            forced.append(both[0])
            free.append(both[1])
            for kind, tallied in zip(("forced", "free"), both, strict=True):
                _tell(kind, tallied)
    results = {
        "schemas": len(VARIED),
        "seed": options.seed,
        "rows": options.rows,
        "total": {kind: _total(tallies) for kind, tallies in (("forced", forced), ("free", free))},
        "forced": forced,
        "free": free,
    }
    print(write_record(options.out.parent, options.out.stem, results, now=datetime.now(UTC)))


def _tell(kind: str, tallied: Tally) -> None:
    counts = "  ".join(f"{name} {count}" for name, count in sorted(tallied.verdicts.items()))
    print(f"{tallied.dialect:13} {kind:6} {tallied.turns:5} turns {tallied.seconds:7.1f} s  {counts}", flush=True)
    for line in tallied.wrong:
        print(f"    {line}")


def _total(tallies: Sequence[Tally]) -> dict[str, int]:
    verdicts: Counter[str] = Counter()
    for tallied in tallies:
        verdicts.update(tallied.verdicts)
    return {"turns": sum(tallied.turns for tallied in tallies), **verdicts, "wrong": verdicts["wrong"]}


if __name__ == "__main__":
    main()
