"""The agent around a function that completes text: plain values in, the answer and a plain trace out."""

import asyncio
import inspect
import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias

import msgspec

from hilt.agent.agent import new_run_id
from hilt.agent.completion_params import Approve, Asked, asked_of
from hilt.agent.loop import AgentRun
from hilt.backends.completion import CompletionBackend
from hilt.conversation import (
    AnswerRejected,
    ArgumentsDelta,
    Assistant,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    Event,
    PromptRead,
    Request,
    RunFinished,
    ThinkingDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from hilt.dialects import CATALOG
from hilt.threads import run_in_thread
from hilt.tools import (
    ApprovalRequest,
    Approved,
    Approver,
    Decision,
    Nobody,
    Policy,
    Redaction,
    Refused,
    Registry,
    Rule,
    Runtime,
    redact,
)
from hilt.traces import CallRecord, Record

Entry: TypeAlias = dict[str, Any]


def new_call_id() -> str:
    """A fresh id for a call."""
    return f"call_{secrets.token_hex(8)}"


async def run_with_completion(
    params: Mapping[str, Any],
    *,
    clock: Callable[[], float] = time.monotonic,
    new_id: Callable[[], str] = new_call_id,
) -> dict[str, Any]:
    """Answer the messages with the help of the tools: `{"finalAnswer": str, "trace": [...]}`.

    `params` holds, in camelCase or snake_case,

    - `messages`, each `{"role", "content"}`; the roles are system, user, assistant and observation, what a tool said;
    - `completion`, a function from a prompt to the text that goes on behind it, sync or async;
    - `systemPrompt`;
    - `availableTools`: tools made with `@tool`, or `{"name", "description", "schema", "handler"}`, where the handler
      takes the arguments as one dict; `effect` (external where nothing is said) and `untrusted` may be added;
    - `limits`: `maxIterations`, `totalMs`, `turnMs`, `toolMs`, `maxArgumentChars`, `maxObservationChars`;
    - `approve`: a function from `{"tool", "arguments", "effect", "why", "changes"}` to True, sync or async; anything
      else is a no, and a text is what the model is told;
    - `promptStyle`: jsonl, xml or markdown-json; `dryRun`: plan what would change something, and change nothing.

    With `approve`, every call that doesn't just read asks. Without, who gives a handler has allowed it, unless its
    effect is destructive; made tools go by their effects, and calls that would ask are refused.

    Every entry of the trace is JSON: `tool_call`, `tool_observation` with its outcome, `warning`, `final_answer`, and
    last `stop` with the reason. What a model, a tool or the completion function does wrong ends up there. Raises
    InvalidRequest, its `param` naming the place, for params that can't be used.
    """
    asked = asked_of(params, new_id)
    trace = _Trace(Registry(asked.tools))
    run = _begun(asked, trace.note, clock, new_id)
    async with aclosing(run.stream()) as events:
        await _told(events, trace)
    last = run.messages[-1] if run.messages else None
    answer = last.content if isinstance(last, Assistant) else ""
    return {"finalAnswer": answer, "trace": trace.ended(answer, run.finished)}


def run_with_completion_sync(
    params: Mapping[str, Any],
    *,
    clock: Callable[[], float] = time.monotonic,
    new_id: Callable[[], str] = new_call_id,
) -> dict[str, Any]:
    """`run_with_completion` where no event loop runs."""
    return asyncio.run(run_with_completion(params, clock=clock, new_id=new_id))


class _Trace:
    """What matters of a run, as plain JSON values, in its order."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._entries: list[Entry] = []
        self._warnings: dict[str, tuple[str, ...]] = {}

    def note(self, record: Record) -> None:
        """Keep what is remembered of a call until its end is told."""
        if isinstance(record, CallRecord):
            self._warnings[record.call_id] = record.warnings

    def tell(self, event: Event) -> None:
        match event:
            case ToolStarted(call):
                self._entries.append(
                    {"type": "tool_call", "id": call.id, "name": call.name, "arguments": _plain(_clean(call.arguments))}
                )
            case ToolFinished(call, outcome, duration_s):
                self._entries += [_warning(text, call.name) for text in self._warnings.pop(call.id, ())]
                self._entries.append(
                    {
                        "type": "tool_observation",
                        "id": call.id,
                        "name": call.name,
                        "outcome": str(outcome.__struct_config__.tag),
                        "content": _plain(outcome.text),
                        "durationMs": round(duration_s * 1000),
                    }
                )
            case CallFinished(call=call, repairs=repairs):
                self._entries += [_warning(f"the call was mended: {repair}", call.name) for repair in repairs]
            case CallRejected(bad=bad, repairs=repairs):
                self._entries += [_warning(f"the call was mended: {repair}", bad.name) for repair in repairs]
                if bad.reason != "unknown_tool" or self._registry.get(bad.name or "") is None:
                    self._entries.append(_warning(f"the call was not run: {bad.detail}", bad.name))
            case AnswerRejected(detail=detail):
                self._entries.append(_warning(f"the answer was rejected: {detail}", None))
            case PromptRead() | ContentDelta() | ThinkingDelta() | CallStarted() | ArgumentsDelta():
                pass
            case TurnFinished() | RunFinished():
                pass

    def ended(self, answer: str, finished: RunFinished | None) -> list[Entry]:
        """All entries, the answer and the reason of the end behind them."""
        if answer:
            self._entries.append({"type": "final_answer", "content": answer})
        reason = "cancelled" if finished is None else finished.reason
        detail = finished.detail if finished is not None else ""
        return [*self._entries, {"type": "stop", "reason": reason, **({"detail": _clean(detail)} if detail else {})}]


async def _told(events: AsyncGenerator[Event], trace: _Trace) -> None:
    async for event in events:
        trace.tell(event)


def _begun(
    asked: Asked, record: Callable[[Record], None], clock: Callable[[], float], new_id: Callable[[], str]
) -> AgentRun:
    backend = CompletionBackend(asked.completion, new_id, dialect=CATALOG[asked.prompt_style])
    approver: Approver = Nobody() if asked.approve is None else _Asking(asked.approve)
    allowed = () if asked.approve is not None else asked.trusted
    runtime = Runtime(
        registry=Registry(asked.tools),
        approver=approver,
        policy=Policy(allow=tuple(Rule(name) for name in allowed)),
        dry_run=asked.dry_run,
        record=record,
        max_argument_chars=asked.max_argument_chars,
        max_result_chars=asked.max_observation_chars,
    )
    request = Request(backend.card.id, asked.messages)
    return AgentRun(backend, runtime, request, clock=clock, run_id=new_run_id(), options=asked.options)


class _Asking:
    """Asks a function of the host, which may block. Only True is a yes."""

    def __init__(self, approve: Approve) -> None:
        self._approve = approve

    @property
    def attended(self) -> bool:
        return True

    async def approve(self, request: ApprovalRequest) -> Decision:
        question = {
            "tool": request.tool,
            "arguments": json.loads(request.arguments),
            "effect": request.effect,
            "why": request.why,
            "changes": msgspec.to_builtins(request.changes),
        }
        if inspect.iscoroutinefunction(self._approve):
            answer = await self._approve(question)
        else:
            answer = await run_in_thread(partial(_attempted, self._approve, question), name="approval")
            if isinstance(answer, BaseException):
                raise answer
            if inspect.isawaitable(answer):
                answer = await answer
        if answer is True:
            return Approved(request.fingerprint)
        return Refused(answer) if isinstance(answer, str) and answer else Refused()


def _attempted(function: Callable[[Any], Any], argument: Any) -> Any:
    try:
        return function(argument)
    except (Exception, SystemExit) as fault:  # noqa: BLE001 - raised again where it is waited for
        return fault


def _warning(text: str, about: str | None) -> Entry:
    return {"type": "warning", "text": _clean(text), **({"name": about} if about else {})}


def _clean(text: str) -> str:
    """The text without secrets; those of results are taken out before they get here."""
    return redact(text, Redaction())


def _plain(text: str) -> Any:
    """The value that a JSON text stands for; the text itself if it is none."""
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
