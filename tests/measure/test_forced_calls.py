"""Calls that random models are made to write fit their schemas, and the measurement of that judges rightly."""

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from hilt.conversation import (
    AnswerRejected,
    BadCall,
    BadCallReason,
    Bug,
    Call,
    CallFinished,
    CallRejected,
    ContentDelta,
    FinishReason,
    ModelEvent,
    TurnFinished,
    Usage,
)
from hilt.grammar import prepare_arguments
from hilt.measure import forced_calls
from hilt.measure.random_speakers import SPEAKERS, open_speaker, speaker_named
from hilt.measure.varied_schemas import CHECKED_AT_THE_END, ENFORCED, VARIED
from hilt.measure.verdicts import Turn, Verdict, judge_of, verdict

SMALL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "cents": {"type": "number", "multipleOf": 0.01},
        "day": {"format": "date"},
    },
    "required": ["n"],
}
JUDGE = judge_of({"small": SMALL})


def finished(arguments: str, name: str = "small") -> CallFinished:
    return CallFinished(0, Call("call_1", name, arguments))


def refused(reason: BadCallReason, name: str = "small") -> CallRejected:
    return CallRejected(0, BadCall("call_1", name, reason, "because", "raw"))


def end(reason: FinishReason) -> TurnFinished:
    return TurnFinished(reason, Usage())


@pytest.mark.parametrize("some", [(10, 26), (90, 106)], ids=["required", "named"])
@pytest.mark.parametrize("dialect", ["hermes", "harmony", "qwen_xml"])
def test_forced_calls_fit_their_schemas(dialect: str, some: tuple[int, int]) -> None:
    judge, late = judge_of(VARIED), forced_calls.checked_at_the_end()
    speaker = speaker_named(dialect)
    with open_speaker(speaker, 16) as backend:
        turns = forced_calls.run_turns(backend, islice(forced_calls.forced_requests(128, 0), *some), 16)
    tally = forced_calls.tally(speaker, turns, 1.0, judge, late)
    assert tally.wrong == []
    assert tally.turns == 16
    assert tally.verdicts["valid"] > 8
    assert tally.schemas_called > 5


def test_the_same_seed_asks_the_same() -> None:
    requests = list(forced_calls.forced_requests(200, 3))
    assert requests == list(forced_calls.forced_requests(200, 3))
    assert requests != list(forced_calls.forced_requests(200, 4))
    assert {tool.name for request in requests for tool in request.tools} == set(VARIED)


def test_the_schemas_are_of_both_kinds() -> None:
    assert len(VARIED) == 64
    assert {name for name in ENFORCED if prepare_arguments(ENFORCED[name], name).unenforced} == set()
    assert forced_calls.checked_at_the_end() <= set(CHECKED_AT_THE_END)


@pytest.mark.parametrize("speaker", SPEAKERS, ids=[speaker.dialect for speaker in SPEAKERS])
def test_speakers_end_their_turns_with_tokens_of_theirs(speaker: forced_calls.Speaker) -> None:
    own = {*speaker.special, "<|im_end|>"}
    assert set(speaker.ends) <= own


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ('{"n": 1}', ""),
        ('{"n": 1, "cents": 0.29}', ""),
        ('{"n": 1, "cents": 0.295}', "multiple of"),
        ('{"n": 1, "day": "0000-02-29"}', ""),
        ('{"n": 1, "day": "2023-02-29"}', "is not a 'date'"),
        ('{"n": "1"}', "is not of type 'integer'"),
        ('{"n": 1, "n": 2}', "a name twice"),
        ('{"n": NaN}', "NaN is no JSON"),
        ("[1]", "no object"),
        ('{"n": 1', "delimiter"),
    ],
)
def test_the_judge(arguments: str, fault: str) -> None:
    found = JUDGE("small", arguments)
    assert fault in found
    assert bool(fault) == bool(found)


WORDS = ContentDelta("words")


@pytest.mark.parametrize(
    ("events", "changes", "expected"),
    [
        ([finished('{"n": 1}'), end("tool_calls")], {}, "valid"),
        ([finished('{"n": "1"}'), end("tool_calls")], {}, "wrong"),
        ([finished('{"n": 1}', "other"), end("tool_calls")], {}, "wrong"),
        ([finished('{"n": 1}'), finished('{"n": 1}'), end("tool_calls")], {}, "valid"),
        ([finished('{"n": 1}'), finished('{"n": 1}'), end("tool_calls")], {"several": False}, "wrong"),
        ([finished('{"n": 1}')], {}, "wrong"),
        ([], {"failure": Bug("broken")}, "wrong"),
        ([WORDS, finished('{"n": 1}'), end("tool_calls")], {}, "wrong"),
        ([end("stop")], {}, "wrong"),
        ([end("length")], {}, "truncated"),
        ([refused("truncated"), end("length")], {}, "truncated"),
        ([refused("truncated"), end("tool_calls")], {}, "wrong"),
        ([refused("malformed"), end("stop")], {}, "wrong"),
        ([refused("invalid_arguments"), end("stop")], {}, "wrong"),
        ([refused("invalid_arguments", "late"), end("stop")], {}, "rejected"),
        ([AnswerRejected("no call", ""), end("stop")], {}, "wrong"),
        ([WORDS, end("stop")], {"forced": False}, "no_call"),
        ([WORDS, finished('{"n": 1}'), end("tool_calls")], {"forced": False}, "valid"),
        ([ContentDelta("a <call> b"), end("stop")], {"forced": False}, "wrong"),
        ([ContentDelta("a </call> b"), end("stop")], {"forced": False}, "marked"),
    ],
)
def test_verdicts(events: list[ModelEvent], changes: dict[str, Any], expected: Verdict) -> None:
    turn = Turn(("small",), **{"forced": True, "several": True, "events": tuple(events), **changes})
    judged = verdict(turn, JUDGE, {"late"}, ["<call>"], ["<call>", "</call>"])
    assert judged.verdict == expected
    assert bool(judged.why) == (expected == "wrong")


def test_forced_calls_become_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "forced-calls.json"
    counts = ["--forced", "3", "--free", "2", "--rows", "2", "--processes", "1"]
    monkeypatch.setattr(sys, "argv", ["forced_calls", "--out", str(path), "--dialects", "hermes", *counts])
    forced_calls.main()
    results = json.loads(path.read_text())["results"]
    assert results["total"]["forced"] == {"turns": 3, **results["forced"][0]["verdicts"], "wrong": 0}
    assert results["free"][0]["turns"] == 2
