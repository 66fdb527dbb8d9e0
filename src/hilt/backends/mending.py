"""The conversation in which a model is asked once more for what it got wrong."""

from collections.abc import Sequence

from msgspec.structs import replace

from hilt.backends.checked_turn import Broken, BrokenAnswer, BrokenCall
from hilt.conversation import Assistant, CallFinished, Message, Request, ToolResult, User

_TAKEN = "This call is right and has been taken; don't make it again."


def mending_request(
    request: Request, broken: Broken, calls: Sequence[CallFinished], content: str, thinking: str, tokens: int
) -> Request | None:
    """The request with the model's own attempt behind it, and with what was wrong; None if no tokens are left for it.

    `calls`, `content` and `thinking` are what was right of the attempt, which took `tokens` of those that it may have.
    """
    most = request.sampling.max_tokens
    if most is not None and most <= tokens:
        return None
    left = None if most is None else most - tokens
    sampling = replace(request.sampling, max_tokens=left)
    messages = (*request.messages, *_attempt(broken, calls, content, thinking))
    return replace(request, messages=messages, sampling=sampling)


def _attempt(broken: Broken, calls: Sequence[CallFinished], content: str, thinking: str) -> list[Message]:
    match broken:
        case BrokenCall(event, faults):
            bad = event.call
            right = [finished.call for finished in calls]
            advice = f"This call was not run, because its arguments break the schema of `{bad.name}`:"
            return [
                Assistant(content, thinking, (*right, bad)),
                *(ToolResult(call.id, call.name, _TAKEN) for call in right),
                ToolResult(bad.id, bad.name, f"{advice}\n{_listed(faults)}\nCall it again with these faults mended."),
            ]
        case BrokenAnswer(content=answer, faults=faults):
            advice = "Your answer breaks the JSON Schema that it must fit:"
            return [
                Assistant(answer, thinking),
                User(f"{advice}\n{_listed(faults)}\nWrite the whole answer again with these faults mended."),
            ]


def _listed(faults: Sequence[str]) -> str:
    return "\n".join(f"- {fault}" for fault in faults)
