"""Messages of plain roles and texts as a conversation, what tools said joined to the calls that asked for it."""

import json
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, Literal, TypeAlias, cast

from hilt.conversation import Assistant, Call, Message, System, ToolResult, TurnFinished, Usage, User, merge
from hilt.dialects import Dialect, Parser

Role: TypeAlias = Literal["system", "user", "assistant", "observation"]
UNKNOWN = "observation"


def conversation(said: Sequence[tuple[Role, str]], dialect: Dialect, new_id: Callable[[], str]) -> list[Message]:
    """The messages, in which every call has one result. Observations answer the calls that the assistant wrote before
    them in this dialect, in their order; one without a call answers a call of the tool that it names, or of a tool
    named observation. `new_id` mints the ids of the calls."""
    messages: list[Message] = []
    place = 0
    while place < len(said):
        role, content = said[place]
        begins = place if role == "observation" else place + 1
        observed = [text for _, text in takewhile(lambda entry: entry[0] == "observation", said[begins:])]
        match role:
            case "system":
                messages.append(System(content))
            case "user":
                messages.append(User(content))
            case "assistant" if observed:
                messages += _answered(_read(content, dialect, new_id), observed, new_id)
            case "assistant":
                messages.append(Assistant(content))
            case "observation":
                messages += _answered(Assistant(), observed, new_id)
        takes_observations = role in ("assistant", "observation")
        place = begins + len(observed) if takes_observations else place + 1
    return messages


def _read(content: str, dialect: Dialect, new_id: Callable[[], str]) -> Assistant:
    parser = Parser(dialect, tools=None, new_id=new_id)
    events = [*parser.feed(content), *parser.finish(cut=False)]
    return merge([*events, TurnFinished("stop", Usage())]).message


def _answered(turn: Assistant, observed: Sequence[str], new_id: Callable[[], str]) -> list[Message]:
    told = [_named(text) for text in observed]
    calls = [*turn.calls[: len(told)]]
    calls += [Call(new_id(), name or UNKNOWN, "{}") for name, _ in told[len(calls) :]]
    results = [ToolResult(call.id, call.name, text) for call, (_, text) in zip(calls, told, strict=True)]
    return [Assistant(turn.content, calls=tuple(calls)), *results]


def _named(text: str) -> tuple[str, str]:
    """The name of the tool, "" if it isn't told, and what it said."""
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return "", text
    if not isinstance(value, dict):
        return "", text
    observation = cast("dict[str, Any]", value)
    name, content = observation.get("name"), observation.get("content")
    if observation.get("type") not in ("tool_observation", "tool_result") or not isinstance(name, str):
        return "", text
    return name, content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
