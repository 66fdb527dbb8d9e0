"""Records for tests: one of each kind with sensible values, any at all, and a redactor that knows its canaries."""

import re
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from hilt.conversation import Usage
from hilt.traces import CallRecord, Record, RunRecord, TraceStore, TurnRecord

CANARY = "sk-canary"
STARTED_S = 1_795_000_000.0

_CANARY = re.compile(r"sk-canary[0-9\n]*")

_texts = st.text(max_size=30)
_ids = st.text(st.sampled_from("abc0123é-"), max_size=12)
_seconds = st.floats(0, 1e10)
_counts = st.integers(0, 10**9)
_usages = st.builds(Usage, _counts, _counts, _counts)
_runs = st.builds(RunRecord, _ids, _seconds, _seconds, _texts, _texts, _texts, _usages)
_turns = st.builds(
    TurnRecord,
    run_id=_ids,
    number=_counts,
    started_s=_seconds,
    duration_s=_seconds,
    first_token_s=st.none() | _seconds,
    finish=_texts,
    usage=_usages,
    raw=_texts,
    content=_texts,
    calls=st.lists(st.tuples(_texts, _texts), max_size=3).map(tuple),
    rejected=st.lists(_texts, max_size=3).map(tuple),
)
_calls = st.builds(
    CallRecord,
    run_id=_ids,
    call_id=_ids,
    asked=_texts,
    tool=_texts,
    effect=_texts,
    arguments=_texts,
    normalised=_texts,
    warnings=st.lists(_texts, max_size=3).map(tuple),
    verdict=_texts,
    outcome=_texts,
    reason=_texts,
    text=_texts,
    started_s=_seconds,
    phases_s=st.dictionaries(_texts, _seconds, max_size=4),
)
RECORDS: st.SearchStrategy[Record] = st.one_of(_runs, _turns, _calls)


def redact(text: str) -> str:
    """Hides canaries."""
    return _CANARY.sub("[hidden]", text)


def run(run_id: str = "run1", **changes: Any) -> RunRecord:
    """A run of two seconds that ended well."""
    fields = {
        "run_id": run_id,
        "started_s": STARTED_S,
        "duration_s": 2.0,
        "model": "starter",
        "question": "What is 12 * 12?",
        "stop_reason": "final",
        "usage": Usage(862, 412, 34),
    }
    return RunRecord(**{**fields, **changes})


def turn(run_id: str = "run1", **changes: Any) -> TurnRecord:
    """A turn that called a tool."""
    fields = {
        "run_id": run_id,
        "number": 1,
        "started_s": STARTED_S,
        "duration_s": 0.8,
        "first_token_s": 0.25,
        "finish": "tool_calls",
        "usage": Usage(412, 0, 22),
        "raw": '<tool_call>{"name": "calc"}</tool_call>',
        "content": "I will work it out.",
        "calls": (("calc", '{"expression": "12 * 12"}'),),
        "rejected": (),
    }
    return TurnRecord(**{**fields, **changes})


def call(run_id: str = "run1", **changes: Any) -> CallRecord:
    """A call that succeeded, in four milliseconds."""
    fields = {
        "run_id": run_id,
        "call_id": "call_1",
        "asked": "calc",
        "tool": "calculate",
        "effect": "read",
        "arguments": '{"expression": "12 * 12"}',
        "normalised": '{"expression":"12 * 12"}',
        "warnings": ("calc is called calculate",),
        "verdict": "allow",
        "outcome": "succeeded",
        "reason": "",
        "text": '{"value": 144}',
        "started_s": STARTED_S + 1,
        "phases_s": {"decode": 0.001, "execute": 0.003},
    }
    return CallRecord(**{**fields, **changes})


def store(path: Path, complaints: list[str] | None = None, **changes: Any) -> TraceStore:
    """A store with texts, which a test may tell to be otherwise."""
    heard: list[str] = [] if complaints is None else complaints
    options: dict[str, Any] = {"redact": redact, "full": True, "max_runs": 1000}
    return TraceStore(path, complain=heard.append, **{**options, **changes})


def write(path: Path, *records: Record, **changes: Any) -> None:
    """Write records, which must all be kept."""
    complaints: list[str] = []
    traces = store(path, complaints, **changes)
    for record in records:
        traces.write(record)
    traces.close()
    assert complaints == []
