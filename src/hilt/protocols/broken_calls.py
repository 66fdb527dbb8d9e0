"""Calls that no answer may claim, whichever protocol the answer is in.

A truncated call is no fault of the answer: the tokens ran out, and the finish reason says so. A malformed call, or a
call of a tool that was not offered, has no honest form in a chat protocol, so the whole answer fails and says why.
"""

from hilt.conversation import (
    ArgumentsDelta,
    BadCall,
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


def broken_call(event: ModelEvent) -> BadCall | None:
    """The call that makes an honest answer impossible, if `event` tells of one."""
    match event:
        case CallRejected(_, bad):
            return None if bad.reason == "truncated" else bad
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


def explained(bad: BadCall) -> str:
    """What was wrong with the call, what the model wrote (cut to `MAX_RAW_CHARS`), and what the client can do."""
    fault = "called a tool that was not offered" if bad.reason == "unknown_tool" else "wrote a malformed tool call"
    return (
        f"The model {fault}: {bad.detail.rstrip('.')}. It wrote {quoted(bad.raw, MAX_RAW_CHARS)}. "
        "No tool should run; send the request again, or change the prompt, the tools or the model."
    )
