"""Traces for other programs: JSON lines of records, and OpenTelemetry spans in OTLP's JSON.

The names of spans and attributes are those of OpenTelemetry's semantic conventions for generative AI; what they have no
word for begins with "hilt.". All names stand in this file. A run is the span `invoke_agent`, below it lie a `chat` for
each turn and an `execute_tool` for each call. Ids are made from the ids of the run and of its parts, so a run exported
twice is the same trace.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from hilt.conversation import Usage
from hilt.traces.keeping import Kept
from hilt.traces.reading import Summary, Trace, summary
from hilt.traces.records import CallRecord, RunRecord, TurnRecord
from hilt.traces.store import encoded

AGENT_NAME = "hilt"

_INTERNAL, _CLIENT = 1, 3  # kinds of spans
_ERROR = 2  # a status; 0 is unset
_MAX_NANOSECONDS = (1 << 64) - 1
_FINISHES = {"tool_calls": "tool_call"}  # in messages; the attribute has the word of the model's server
_SOUND_OUTCOMES = ("succeeded", "planned")
_SOUND_STOPS = ("final", "approval_pending")

_Value: TypeAlias = str | bool | int | float | tuple[str, ...]


def json_lines(trace: Trace) -> Iterator[bytes]:
    """Each record of a run as one line of JSON without its line break: the run, then the rest in order of time."""
    for kept in (*trace.runs, *trace.steps):
        yield encoded(kept)


def otlp(trace: Trace, version: str) -> bytes:
    """A run as one OTLP/JSON object (an ExportTraceServiceRequest), on one line; `version` is Hilt's."""
    scope = {"name": "hilt.traces", "version": version}
    resource = {"attributes": _attributes({"service.name": "hilt", "service.version": version})}
    spans = _spans(trace)
    return msgspec.json.encode(
        {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans}]}]}
    )


def trace_id(run_id: str) -> str:
    """OpenTelemetry's id of a run: 32 hexadecimal digits."""
    return _digits(32, "trace", run_id)


def _spans(trace: Trace) -> list[dict[str, Any]]:
    told = summary(trace)
    root = _digits(16, "run", trace.run_id)
    seen: Counter[str] = Counter()
    spans = [_run_span(trace, told, root)]
    for kept in trace.steps:
        part = _part(kept)
        seen[part] += 1
        span_id = _digits(16, "part", trace.run_id, part, str(seen[part]))
        match kept.record:
            case TurnRecord() as turn:
                spans.append(_turn_span(turn, told.model, span_id, root))
            case CallRecord() as call:
                spans.append(_call_span(call, span_id, root))
            case RunRecord():
                pass  # it is the root
    for span in spans:
        span["traceId"] = trace_id(trace.run_id)
    return spans


def _part(kept: Kept) -> str:
    match kept.record:
        case RunRecord():
            return "run"
        case TurnRecord(number=number):
            return f"turn {number}"
        case CallRecord(call_id=call_id):
            return f"call {call_id}"


def _run_span(trace: Trace, told: Summary, span_id: str) -> dict[str, Any]:
    ends_s = [_end_s(kept) for kept in (*trace.runs, *trace.steps)]
    attributes: dict[str, _Value] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": AGENT_NAME,
        "gen_ai.agent.name": AGENT_NAME,
        **_model(told.model),
        **_usage(told.usage),
        "hilt.run.id": trace.run_id,
        "hilt.run.stop_reason": told.stop_reason or "unfinished",
    }
    if told.question:
        attributes["gen_ai.input.messages"] = _messages("user", [{"type": "text", "content": told.question}])
    sound = told.stop_reason in _SOUND_STOPS or not told.stop_reason
    return _span(
        span_id=span_id,
        name=f"invoke_agent {AGENT_NAME}",
        kind=_INTERNAL,
        start_s=told.started_s,
        end_s=max(ends_s, default=told.started_s),
        attributes=attributes,
        error="" if sound else told.stop_reason,
    )


def _turn_span(turn: TurnRecord, model: str, span_id: str, parent: str) -> dict[str, Any]:
    attributes: dict[str, _Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": AGENT_NAME,
        **_model(model),
        "gen_ai.response.finish_reasons": (turn.finish,),
        **_usage(turn.usage),
        "hilt.turn.number": turn.number,
        "hilt.turn.rejected_calls": len(turn.rejected),
    }
    if turn.first_token_s is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = float(turn.first_token_s)
    parts: list[dict[str, Any]] = [{"type": "text", "content": turn.content}] if turn.content else []
    parts += [
        {"type": "tool_call", "name": name, "arguments": _parsed(arguments)}
        for name, arguments in turn.calls
        if arguments
    ]
    if parts:
        attributes["gen_ai.output.messages"] = _messages(
            "assistant", parts, finish_reason=_FINISHES.get(turn.finish, turn.finish)
        )
    return _span(
        span_id=span_id,
        parent=parent,
        name=f"chat {model}".strip(),
        kind=_CLIENT,
        start_s=turn.started_s,
        end_s=turn.started_s + turn.duration_s,
        attributes=attributes,
    )


def _call_span(call: CallRecord, span_id: str, parent: str) -> dict[str, Any]:
    name = call.tool or call.asked
    attributes: dict[str, _Value] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": call.call_id,
        "gen_ai.tool.type": "function",
        "hilt.tool.asked": call.asked,
        "hilt.tool.effect": call.effect,
        "hilt.tool.verdict": call.verdict,
        "hilt.tool.outcome": call.outcome,
        **{f"hilt.tool.phase.{phase}_s": float(seconds) for phase, seconds in call.phases_s.items()},
    }
    if call.reason:
        attributes["hilt.tool.reason"] = call.reason
    if call.warnings:
        attributes["hilt.tool.warnings"] = call.warnings
    if call.normalised or call.arguments:
        attributes["gen_ai.tool.call.arguments"] = call.normalised or call.arguments
    if call.text:
        attributes["gen_ai.tool.call.result"] = call.text
    return _span(
        span_id=span_id,
        parent=parent,
        name=f"execute_tool {name}".strip(),
        kind=_INTERNAL,
        start_s=call.started_s,
        end_s=call.started_s + sum(call.phases_s.values()),
        attributes=attributes,
        error="" if call.outcome in _SOUND_OUTCOMES else call.reason or call.outcome or "unknown",
    )


def _span(
    *,
    span_id: str,
    name: str,
    kind: int,
    start_s: float,
    end_s: float,
    attributes: Mapping[str, _Value],
    parent: str = "",
    error: str = "",
) -> dict[str, Any]:
    start = _nanoseconds(start_s)
    failed: dict[str, _Value] = {"error.type": error} if error else {}
    return {
        "spanId": span_id,
        **({"parentSpanId": parent} if parent else {}),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(max(start, _nanoseconds(end_s))),
        "attributes": _attributes({**attributes, **failed}),
        "status": {"code": _ERROR, "message": error} if error else {},
    }


def _end_s(kept: Kept) -> float:
    match kept.record:
        case RunRecord(started_s=started_s, duration_s=duration_s):
            return started_s + duration_s
        case TurnRecord(started_s=started_s, duration_s=duration_s):
            return started_s + duration_s
        case CallRecord(started_s=started_s, phases_s=phases_s):
            return started_s + sum(phases_s.values())


def _model(name: str) -> dict[str, _Value]:
    return {"gen_ai.request.model": name} if name else {}


def _usage(usage: Usage) -> dict[str, _Value]:
    return {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
    }


def _messages(role: str, parts: list[dict[str, Any]], **more: str) -> str:
    """Messages as the conventions write them where an attribute can't have structure: as JSON text."""
    return json.dumps([{"role": role, "parts": parts, **more}], ensure_ascii=False)


def _parsed(arguments: str) -> Any:
    """What the JSON text of arguments says; the text itself where redaction has made it something else."""
    try:
        return msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return arguments


def _attributes(values: Mapping[str, _Value]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _wrapped(value)} for key, value in values.items()]


def _wrapped(value: _Value) -> dict[str, Any]:
    match value:
        case str():
            return {"stringValue": value}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}  # 64 bits don't fit into the numbers of every JSON reader
        case float():
            return {"doubleValue": value}
        case tuple():
            return {"arrayValue": {"values": [{"stringValue": part} for part in value]}}


def _nanoseconds(seconds: float) -> int:
    """Since 1970, within what OTLP can hold; to the microsecond, which is what a float of today's date holds."""
    microseconds = seconds * 1e6
    if not math.isfinite(microseconds):
        return 0 if microseconds < 0 else _MAX_NANOSECONDS
    return min(max(0, round(microseconds) * 1000), _MAX_NANOSECONDS)


def _digits(count: int, *parts: str) -> str:
    written = json.dumps(parts).encode()
    return hashlib.sha256(written).hexdigest()[:count]
