"""The pieces that scripted turns are made of, and ways to read a run to its end."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from hilt.agent import AgentRun
from hilt.backends import ScriptedBackend
from hilt.conversation import (
    ArgumentsDelta,
    Assistant,
    BadCall,
    Call,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    Event,
    FinishReason,
    Message,
    ModelEvent,
    Request,
    System,
    ToolFinished,
    ToolResult,
    ToolStarted,
    TurnFinished,
    Usage,
    User,
)
from hilt.settings import AgentOptions
from hilt.tools import ApprovalRequest, Approved, Refused, Registry, Runtime, Tool, tool

QUESTION = User("question")
USAGE = Usage(10, 4, 3)


def says(text: str, reason: FinishReason = "stop") -> list[ModelEvent]:
    return [ContentDelta(text), TurnFinished(reason, USAGE)]


def calls(*made: Call | BadCall, said: str = "", reason: FinishReason = "tool_calls") -> list[ModelEvent]:
    """A turn that makes these calls, the bad ones rejected."""
    events: list[ModelEvent] = [ContentDelta(said)] if said else []
    for index, call in enumerate(made):
        match call:
            case Call(id, name, arguments):
                events += [CallStarted(index, id, name), ArgumentsDelta(index, arguments), CallFinished(index, call)]
            case BadCall():
                events.append(CallRejected(index, call))
    return [*events, TurnFinished(reason, USAGE)]


def clock() -> Any:
    """A clock that is half a second further each time it is read."""
    reads = iter(range(1_000_000))
    return lambda: next(reads) / 2


def agent(
    backend: ScriptedBackend,
    tools: Sequence[Tool] = (),
    *,
    approver: Any,
    messages: Sequence[Message] = (QUESTION,),
    options: AgentOptions = AgentOptions(),
) -> AgentRun:
    runtime = Runtime(registry=Registry(tuple(tools)), approver=approver)
    return AgentRun(backend, runtime, Request("scripted", tuple(messages)), clock=clock(), options=options)


def read(run: AgentRun) -> list[Event]:
    async def all_events() -> list[Event]:
        return [event async for event in run.stream()]

    return asyncio.run(all_events())


def tool_events(events: Sequence[Event]) -> list[str]:
    """The tool events in short: +id for a start, -id for an end."""
    short: list[str] = []
    for event in events:
        match event:
            case ToolStarted(call):
                short.append(f"+{call.id}")
            case ToolFinished(call):
                short.append(f"-{call.id}")
            case _:
                pass
    return short


class Answering:
    attended = True

    """Says yes to everything, or gives one refusal to everything."""

    def __init__(self, refusal: Refused | None = None) -> None:
        self.refusal = refusal
        self.asked: list[ApprovalRequest] = []

    async def approve(self, request: ApprovalRequest) -> Approved | Refused:
        self.asked.append(request)
        return self.refusal or Approved(request.fingerprint)


def counting(effect: Any = "read") -> tuple[Tool, list[int]]:
    """A tool and the list of what it was called with."""
    seen: list[int] = []

    @tool(effect=effect)
    def count(number: int) -> dict[str, int]:
        """Count."""
        seen.append(number)
        return {"count": number}

    return count, seen


def counts(*numbers: int) -> list[Call]:
    return [Call(f"c{number}", "count", json.dumps({"number": number})) for number in numbers]


def contents(messages: tuple[Message, ...]) -> list[str]:
    return [message.content for message in messages]


def one_result_a_call(messages: tuple[Message, ...]) -> bool:
    """Whether each call is answered once, right after its turn and in the order of the calls."""
    owed: list[str] = []
    for message in messages:
        match message:
            case ToolResult(call_id):
                if not owed or owed.pop(0) != call_id:
                    return False
            case Assistant(_, _, made):
                if owed:
                    return False
                owed = [call.id for call in made]
            case System() | User():
                if owed:
                    return False
    return not owed
