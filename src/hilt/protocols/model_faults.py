"""Faults of a model that leave no honest answer, whichever protocol the answer is in.

A truncated call is no fault of the answer: the tokens ran out, and the finish reason says so. A call that can't be run
in another way, or an answer that breaks what the request demands, has no honest form in a chat protocol, so the whole
answer fails and says why.
"""

from typing import TypeAlias

from hilt.conversation import (
    AnswerRejected,
    ArgumentsDelta,
    BadCall,
    BadCallReason,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    ModelEvent,
    PromptRead,
    ThinkingDelta,
    TurnFinished,
)
from hilt.protocols.untrusted_json import quoted

MAX_RAW_CHARS = 600
MAX_DETAIL_CHARS = 400

ModelFault: TypeAlias = BadCall | AnswerRejected


def model_fault(event: ModelEvent) -> ModelFault | None:
    """The fault that makes an honest answer impossible, if `event` tells of one."""
    match event:
        case CallRejected(_, bad):
            return None if bad.reason == "truncated" else bad
        case AnswerRejected():
            return event
        case (
            PromptRead()
            | ContentDelta()
            | ThinkingDelta()
            | CallStarted()
            | ArgumentsDelta()
            | CallFinished()
            | TurnFinished()
        ):
            return None


def fault_code(fault: ModelFault) -> str:
    """The stable word for programs: `tool_call_` and the reason of a bad call, or `answer_rejected`."""
    match fault:
        case BadCall():
            return f"tool_call_{fault.reason}"
        case AnswerRejected():
            return "answer_rejected"


def explained(fault: ModelFault) -> str:
    """What was wrong, what the model wrote (cut to `MAX_RAW_CHARS`), and what the client can do."""
    match fault:
        case BadCall():
            wrong = f"The model {_misdeed(fault.reason)}"
            advice = "No tool should run; send the request again, or change the prompt, the tools or the model."
        case AnswerRejected():
            wrong = "The model's answer is not what the request demands"
            advice = (
                "Nothing of it should be used; send the request again, or change the prompt, the demand or the model."
            )
    detail = fault.detail.rstrip(".")
    if len(detail) > MAX_DETAIL_CHARS:
        detail = f"{detail[:MAX_DETAIL_CHARS]} …"
    return f"{wrong}: {detail}. It wrote {quoted(fault.raw, MAX_RAW_CHARS)}. {advice}"


def _misdeed(reason: BadCallReason) -> str:
    match reason:
        case "malformed" | "truncated":
            return "wrote a malformed tool call"
        case "unknown_tool":
            return "called a tool that was not offered"
        case "invalid_arguments":
            return "called a tool with arguments that break its schema"
