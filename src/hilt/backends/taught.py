"""A request for a model that reads nothing but text: the tools and every demand are told in words.

A server that only continues text gets a transcript: each message behind a line that says whose it is. A line of a
message that looks like one of these is quoted, so that nobody speaks with another's voice.
"""

import json
import re
from collections.abc import Sequence

from msgspec.structs import replace

from hilt.conversation import (
    Assistant,
    Auto,
    FreeText,
    JsonObject,
    JsonSchema,
    Message,
    Named,
    NoTools,
    Request,
    Required,
    System,
    ToolResult,
    User,
    callable_tools,
)
from hilt.dialects import Dialect
from hilt.prompting import Manner
from hilt.prompting.adapting import adapt

TRANSCRIPT_STOPS = ("\n\nUser:", "\nUser:", "\n\nSystem:", "\nSystem:")
_CLOSING_TAG = re.compile(r"</([\w:-]+)>")
_LABEL = re.compile(r"(?im)(^|[\r\v\f\x1c-\x1e\x85\u2028\u2029])(?=[^\S\r\n]*(?:system|user|assistant)[^\S\r\n]*:)")


def taught_messages(request: Request, dialect: Dialect) -> list[Message]:
    """The conversation in which calls and results are text of this dialect: messages of the system, the user and the
    assistant, the system's first, then turns that alternate."""
    manner = Manner(dialect, "a prompt teaches it", "named", late_system=False, alternates=True)
    tools = () if isinstance(request.tool_choice, NoTools) else callable_tools(request)
    messages = [_kept_inside(message, dialect) for message in request.messages]
    demand = _demanded(request, told=bool(tools))
    if demand:
        messages = _with_demand(messages, demand)
    adapted, _ = adapt(messages, tools, manner, parallel=request.parallel_calls)
    return adapted


def transcript(messages: Sequence[Message]) -> str:
    """The text of a conversation up to the place where the assistant goes on."""
    return "".join(f"{_label(m)}:\n{_LABEL.sub(_quoted, _content(m))}\n\n" for m in messages) + "Assistant:\n"


def transcript_request(request: Request) -> Request:
    """The request whose reply ends where somebody else would speak in the transcript."""
    stops = dict.fromkeys((*request.sampling.stop, *TRANSCRIPT_STOPS))
    return replace(request, sampling=replace(request.sampling, stop=tuple(stops)))


def _kept_inside(message: Message, dialect: Dialect) -> Message:
    """A result that can't end its own frame, where the dialect writes results as they are between two tags."""
    before, raw, after = dialect.results.each.partition("{content}")
    close = _CLOSING_TAG.match(after.strip())
    if not isinstance(message, ToolResult) or not raw or not before or close is None:
        return message
    return replace(message, content=re.sub(f"(?i)<(?=\\s*/\\s*{re.escape(close[1])})", "<\\\\", message.content))


def _with_demand(messages: list[Message], demand: str) -> list[Message]:
    match messages:
        case [System(content), *rest]:
            return [System(f"{content}\n\n{demand}" if content else demand), *rest]
        case _:
            return [System(demand), *messages]


def _demanded(request: Request, *, told: bool) -> str:
    """What the request demands of the reply, in words."""
    parts: list[str] = []
    match request.tool_choice:
        case Required() if told:
            parts.append("You must use a tool now, before you answer.")
        case Named(name) if told:
            parts.append(f"You must use the tool `{name}` now, before you answer.")
        case Required() | Named() | Auto() | NoTools():
            pass
    match request.response_format:
        case FreeText():
            pass
        case JsonObject():
            parts.append("The text of your answer must be one JSON object and nothing else.")
        case JsonSchema(schema=schema):
            shown = json.dumps(schema, ensure_ascii=False)
            parts.append(f"The text of your answer must be JSON that fits this schema, and nothing else:\n{shown}")
    return "\n".join(parts)


def _label(message: Message) -> str:
    match message:
        case System():
            return "System"
        case User() | ToolResult():
            return "User"
        case Assistant():
            return "Assistant"


def _content(message: Message) -> str:
    return message.content


def _quoted(found: re.Match[str]) -> str:
    return f"{found[0]}> "
