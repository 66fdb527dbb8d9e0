"""What holds for marks of sources and for the clock of a run, whatever comes."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from hilt.agent.citing import MarkFilter, with_marks
from hilt.agent.clock import RunClock
from hilt.conversation import Source

PIECES = st.lists(st.sampled_from(["[", "S", "]", " ", "1", "2", "9", "0", "[S1]", "[S9]", "x", "\u0661"]), max_size=24)


def filtered(pieces: Sequence[str], sources: int) -> str:
    marks = MarkFilter(sources)
    return "".join([*map(marks.feed, pieces), marks.finish()])


@given(pieces=PIECES, sources=st.integers(0, 2), cuts=st.lists(st.integers(0, 60), max_size=6))
@example(pieces=["[S", "[S9]", "7]"], sources=0, cuts=[])
def test_no_mark_without_a_source_leaves_and_chunking_does_not_matter(
    pieces: list[str], sources: int, cuts: list[int]
) -> None:
    text = "".join(pieces)
    said = filtered([text], sources)
    assert filtered(list(text), sources) == filtered(pieces, sources) == said
    assert not [n for n in range(10_000) if f"[S{n}]" in said and not 1 <= n <= sources]
    if all(f"[S{n}" not in text for n in range(10)):
        assert said == text


@given(pieces=PIECES, between=st.sets(st.integers(0, 24)), sources=st.integers(0, 2))
def test_no_mark_without_a_source_leaves_around_thoughts(pieces: list[str], between: set[int], sources: int) -> None:
    marks = MarkFilter(sources)
    said = ""
    for place, piece in enumerate(pieces):
        said += marks.feed(piece) + (marks.finish() if place in between else "")
    said += marks.finish()
    assert not [n for n in range(10_000) if f"[S{n}]" in said and not 1 <= n <= sources]


@given(
    result=st.dictionaries(st.sampled_from(["sources", "how_to_cite", "a"]), st.integers()) | st.lists(st.integers()),
    found=st.lists(st.builds(Source, st.text(max_size=3000), st.text(max_size=3000)), max_size=60),
)
def test_marks_lose_nothing_of_a_result_and_are_few(result: Any, found: list[Source]) -> None:
    sources, text = with_marks(json.dumps(result), found, ())
    told = json.loads(text)
    assert len(told["sources"]) == len(sources) <= 40
    assert told.get("result", told) == result or {**result, **told} == told
    assert all(len(title) < 1300 for title in told["sources"].values())


@given(
    times=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20),
    spent=st.floats(0, 1e3),
    paused=st.sets(st.integers(0, 20)),
)
def test_the_clock_of_a_run_never_goes_back(times: list[float], spent: float, paused: set[int]) -> None:
    reads = iter(times)
    run = RunClock(lambda: next(reads, times[-1]), spent)
    elapsed = [run.elapsed_s]
    for place in range(len(times)):
        if place in paused:
            with run.paused():
                elapsed.append(run.elapsed_s)
        elapsed.append(run.elapsed_s)
    assert elapsed[0] >= spent - 1e-3
    assert all(later >= earlier - 1e-3 for earlier, later in itertools.pairwise(elapsed))
