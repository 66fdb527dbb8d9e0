"""Traces for other programs: lines that read back as records, and spans as OpenTelemetry defines them."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.conversation import Usage
from hilt.traces import Record, RunRecord, Trace, find_run, iterate_runs, json_lines, otlp
from hilt.traces.keeping import keep
from tests.traces.made import RECORDS, STARTED_S, call, redact, run, turn, write

START = int(STARTED_S) * 10**9


def spans_of(line: bytes) -> list[dict[str, Any]]:
    (resource,) = json.loads(line)["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    return scope["spans"]


def values(span: dict[str, Any]) -> dict[str, Any]:
    """The attributes as plain values; every one is of exactly one of OTLP's types."""
    found: dict[str, Any] = {}
    for attribute in span["attributes"]:
        ((kind, value),) = attribute["value"].items()
        match kind:
            case "intValue":
                assert isinstance(value, str)
                found[attribute["key"]] = int(value)
            case "arrayValue":
                found[attribute["key"]] = [part["stringValue"] for part in value["values"]]
            case _:
                assert kind in ("stringValue", "doubleValue", "boolValue")
                found[attribute["key"]] = value
    assert len(found) == len(span["attributes"])
    return found


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    path = tmp_path / "t.sqlite3"
    failed = call(call_id="call_2", outcome="failed", reason="validation", warnings=(), started_s=STARTED_S + 1.5)
    write(path, turn(), call(), failed, run())
    return find_run(path, "run1")


def test_a_run_is_a_tree_of_spans(trace: Trace) -> None:
    spans = spans_of(otlp(trace, "1.2"))
    assert [span["name"] for span in spans] == [
        "invoke_agent hilt",
        "chat starter",
        "execute_tool calculate",
        "execute_tool calculate",
    ]
    root, *others = spans
    assert "parentSpanId" not in root
    assert {span["parentSpanId"] for span in others} == {root["spanId"]}
    assert len({span["traceId"] for span in spans}) == 1
    assert len({span["spanId"] for span in spans}) == 4
    assert [(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])) for span in spans] == [
        (START, START + 2_000_000_000),
        (START, START + 800_000_000),
        (START + 1_000_000_000, START + 1_004_000_000),
        (START + 1_500_000_000, START + 1_504_000_000),
    ]
    assert [span["status"].get("code") for span in spans] == [None, None, None, 2]


def test_spans_speak_the_words_of_the_conventions(trace: Trace) -> None:
    root, chat, tool, failed = map(values, spans_of(otlp(trace, "1.2")))
    assert root["gen_ai.operation.name"] == "invoke_agent"
    assert root["gen_ai.agent.name"] == "hilt"
    assert root["hilt.run.stop_reason"] == "final"
    assert (root["gen_ai.usage.input_tokens"], root["gen_ai.usage.output_tokens"]) == (862, 34)
    assert root["gen_ai.usage.cache_read.input_tokens"] == 412
    assert json.loads(root["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "What is 12 * 12?"}]}
    ]
    assert chat["gen_ai.operation.name"] == "chat"
    assert chat["gen_ai.request.model"] == "starter"
    assert chat["gen_ai.response.finish_reasons"] == ["tool_calls"]
    assert chat["gen_ai.response.time_to_first_chunk"] == 0.25
    (message,) = json.loads(chat["gen_ai.output.messages"])
    assert message["finish_reason"] == "tool_call"
    assert message["parts"][1] == {"type": "tool_call", "name": "calc", "arguments": {"expression": "12 * 12"}}
    assert tool["gen_ai.operation.name"] == "execute_tool"
    assert (tool["gen_ai.tool.name"], tool["gen_ai.tool.call.id"]) == ("calculate", "call_1")
    assert tool["gen_ai.tool.type"] == "function"
    assert tool["gen_ai.tool.call.arguments"] == '{"expression":"12 * 12"}'
    assert tool["gen_ai.tool.call.result"] == '{"value": 144}'
    assert tool["hilt.tool.warnings"] == ["calc is called calculate"]
    assert tool["hilt.tool.phase.execute_s"] == 0.003
    assert "error.type" not in tool
    assert failed["error.type"] == "validation"


def test_texts_that_were_not_kept_are_not_exported(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    write(path, turn(), call(), run(), full=False)
    told = otlp(find_run(path, "run1"), "1").decode()
    assert not any(key in told for key in ("messages", "tool.call.arguments", "tool.call.result", "12 * 12"))


def test_the_same_run_is_the_same_trace_even_before_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    write(path, turn(), call())
    early = spans_of(otlp(find_run(path, "run1"), "1"))
    assert values(early[0])["hilt.run.stop_reason"] == "unfinished"
    write(path, run(), turn(number=2, started_s=STARTED_S + 1.2), call(call_id="call_0"), turn("run2"))
    late, other = (spans_of(otlp(trace, "1")) for trace in iterate_runs(path))
    assert {span["spanId"] for span in early} < {span["spanId"] for span in late}
    assert {span["traceId"] for span in early} == {span["traceId"] for span in late}
    assert not {span["spanId"] for span in late} & {span["spanId"] for span in other}


def test_lines_read_back_as_records(trace: Trace) -> None:
    lines = list(json_lines(trace))
    assert [msgspec.json.decode(line, type=Record) for line in lines] == [
        kept.record for kept in (*trace.runs, *trace.steps)
    ]
    assert json.loads(lines[0])["chars"] == {"question": 16}


@settings(deadline=None)
@given(records=st.lists(RECORDS, min_size=1, max_size=6))
def test_any_records_become_sound_spans(records: list[Record]) -> None:
    kept = [keep(record, redact, full=True) for record in records]
    runs = tuple(one for one in kept if isinstance(one.record, RunRecord))
    steps = tuple(one for one in kept if not isinstance(one.record, RunRecord))
    spans = spans_of(otlp(Trace("any", runs, steps), "1"))
    assert len(spans) == 1 + len(steps)
    assert len({span["spanId"] for span in spans}) == len(spans)
    for span in spans:
        values(span)
        assert 0 <= int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) < 2**64


@pytest.mark.parametrize("started_s", [-1.0, 1e300, 1.8e10])
def test_times_that_otlp_can_not_hold_are_bent(started_s: float) -> None:
    record = run(started_s=started_s, duration_s=1e300, usage=Usage(2**62))
    (span,) = spans_of(otlp(Trace("any", (keep(record, redact, full=True),), ()), "1"))
    assert 0 <= int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) < 2**64
