"""Golden transcripts: each case goes the same way whichever way the model is given its tools."""

import asyncio
import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from hilt.agent import run_with_completion
from hilt.engine.loading import LoadedModel
from tests.agent.golden import Case, Ran, Way, case, in_order, names, outcomes, played, tools, written

TRANSCRIPTS = Path(__file__).parent / "transcripts"
STYLES = ("jsonl", "xml", "markdown-json")
NATIVE: dict[str, Ran] = {}


def native(name: str) -> Ran:
    return asyncio.run(played(case(name), "native"))


def transcript(name: str) -> str:
    """What is kept of a case: what comes of it in every way, what it looks like to a model that makes calls itself,
    and what another writes in each style."""
    ran = native(name)
    turns = {style: [written(said, style) for said in case(name).turns] for style in STYLES}
    kept = {"about": case(name).about, "told": ran.told, "events": ran.events, "asked": ran.asked[-1], "written": turns}
    return json.dumps(kept, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", names())
def test_the_transcripts_are_as_written_down(name: str, request: pytest.FixtureRequest) -> None:
    """`pytest tests/agent/test_golden.py --refresh-golden` writes them anew, to be read as a diff."""
    path = TRANSCRIPTS / f"{name}.json"
    made = transcript(name)
    if request.config.getoption("--refresh-golden"):
        path.write_text(made, encoding="utf-8")
    assert made == path.read_text(encoding="utf-8")


def test_every_transcript_has_its_case() -> None:
    assert sorted(path.stem for path in TRANSCRIPTS.glob("*.json")) == names()


@pytest.mark.parametrize("name", names())
def test_what_comes_of_a_case_is_what_is_expected(name: str) -> None:
    ran, expected = native(name), case(name).expected
    assert tuple(reason for reason, _, _ in ran.told["ends"]) == expected.stop
    assert ran.told["messages"][-1]["content"] == expected.answer
    assert sorted(ran.ran) == sorted(expected.ran)
    assert tuple(outcomes(ran)) == expected.outcomes
    assert in_order(ran.results, expected.told)
    assert tuple(citation["mark"] for citation in ran.told["ends"][-1][2]) == expected.citations


WAYS: list[tuple[Way, str]] = [*product(("chat", "completion", "function"), STYLES), ("local", "hermes")]


@pytest.mark.parametrize(("way", "style"), WAYS)
@pytest.mark.parametrize("name", names())
def test_every_way_comes_to_the_same(name: str, way: Way, style: str, request: pytest.FixtureRequest) -> None:
    if way in case(name).skips:
        pytest.skip(case(name).skips[way])
    loaded: LoadedModel | None = request.getfixturevalue("tiny_model") if way == "local" else None
    assert asyncio.run(played(case(name), way, style, loaded)).told == native(name).told


COMPLETING = [name for name in names() if not (case(name).answers == "later" or "function" in case(name).skips)]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", COMPLETING)
def test_the_plain_way_in_comes_to_the_same(name: str, style: str) -> None:
    told, ran = completed(case(name), style)
    golden = native(name)
    answers, observed = golden.told["messages"], [work for work in golden.told["work"] if "outcome" in work]
    assert sorted(ran) == sorted(golden.ran)
    assert told["finalAnswer"] == answers[-1]["content"]
    assert told["trace"][-1] == {"type": "stop", "reason": golden.told["ends"][-1][0]}
    assert [
        (entry["name"], entry["outcome"], entry["content"])
        for entry in told["trace"]
        if entry["type"] == "tool_observation"
    ] == [(one["call"]["name"], one["outcome"]["type"], json.loads(one["outcome"]["text"])) for one in observed]


def completed(played_case: Case, style: str) -> tuple[dict[str, Any], list[str]]:
    ran: list[str] = []
    left = [written(said, style) for said in played_case.turns]
    params: dict[str, Any] = {
        "systemPrompt": "Be brief.",
        "messages": [{"role": "user", "content": played_case.asked}],
        "availableTools": tools(ran),
        "completion": lambda prompt: left.pop(0),
        "limits": {"maxIterations": played_case.max_iterations},
        "promptStyle": style,
        "dryRun": played_case.dry_run,
    }
    if played_case.answers != "nobody":
        params["approve"] = lambda question: played_case.answers == "yes" or "not that one"
    return asyncio.run(run_with_completion(params, clock=lambda: 0.0)), ran
