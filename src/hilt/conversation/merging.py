"""The one fold: a stream of model events becomes the turn that it tells of."""

from collections.abc import Iterable

from msgspec import Struct

from hilt.conversation.events import (
    AnswerRejected,
    ArgumentsDelta,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    FinishReason,
    ModelEvent,
    PromptRead,
    ThinkingDelta,
    TurnFinished,
    Usage,
)
from hilt.conversation.messages import Assistant
from hilt.conversation.tools import BadCall


class Turn(Struct, frozen=True):
    """A whole turn: the message, the calls that can't be run, why it ended and what it cost.

    `repaired` holds the ids of calls whose text had to be mended to be read. `fault` says why nothing of the turn may
    be used, where that is so.
    """

    message: Assistant
    rejected: tuple[BadCall, ...]
    reason: FinishReason
    usage: Usage
    repaired: frozenset[str] = frozenset()
    fault: AnswerRejected | None = None


def merge(events: Iterable[ModelEvent]) -> Turn:
    """Fold the events of one turn. The last event must be `TurnFinished`; ValueError if the stream broke off."""
    content: list[str] = []
    thinking: list[str] = []
    calls: list[CallFinished] = []
    rejected: list[BadCall] = []
    fault: AnswerRejected | None = None
    finished: TurnFinished | None = None
    for event in events:
        match event:
            case ContentDelta(text):
                content.append(text)
            case ThinkingDelta(text):
                thinking.append(text)
            case CallFinished():
                calls.append(event)
            case CallRejected(_, bad):
                rejected.append(bad)
            case AnswerRejected():
                fault = fault or event
            case TurnFinished():
                finished = event
            case PromptRead() | CallStarted() | ArgumentsDelta():
                pass
    if finished is None:
        raise ValueError("the stream of events broke off before its turn was finished")
    return Turn(
        message=Assistant(content="".join(content), thinking="".join(thinking), calls=tuple(c.call for c in calls)),
        rejected=tuple(rejected),
        reason=finished.reason,
        usage=finished.usage,
        repaired=frozenset(c.call.id for c in calls if c.repairs),
        fault=fault,
    )
