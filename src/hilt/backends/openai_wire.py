"""What is sent to an OpenAI-compatible server, and the shapes of what comes back.

Servers differ: arguments come as text or as an object, calls whole or in pieces, with or without ids and indices. So
every field may be missing, and what isn't listed is ignored. Source: OpenAI's API reference, "Create chat completion"
and "Create completion".
"""

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from hilt.conversation import (
    Assistant,
    Auto,
    Call,
    FreeText,
    InvalidRequest,
    JsonObject,
    JsonSchema,
    Message,
    Named,
    NoTools,
    Request,
    Required,
    ResponseFormat,
    Sampling,
    System,
    ToolResult,
    ToolSpec,
    Usage,
    User,
    callable_tools,
)

_MAX_STOPS = 4  # OpenAI takes no more; the others are looked for here


class WireFunction(Struct, frozen=True):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class WireCall(Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    function: WireFunction | None = None


class WireDelta(Struct, frozen=True):
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[WireCall] | None = None
    function_call: WireFunction | None = None


class WireChoice(Struct, frozen=True):
    index: int | None = None
    delta: WireDelta | None = None
    message: WireDelta | None = None
    text: str | None = None
    finish_reason: str | None = None


class WireDetails(Struct, frozen=True):
    cached_tokens: int | None = None


class WireUsage(Struct, frozen=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: WireDetails | None = None


class WireChunk(Struct, frozen=True):
    choices: list[WireChoice] | None = None
    usage: WireUsage | None = None
    error: Any = None


def native_body(request: Request, model: str) -> dict[str, Any]:
    """The body of a streamed chat in which the server has the tools, the choice and the form of the answer."""
    body = _body(model, request.sampling) | {"messages": [_message(m) for m in request.messages]}
    body |= _tools(request)
    match request.response_format:
        case FreeText():
            pass
        case JsonObject() | JsonSchema() as form:
            body["response_format"] = _response_format(form)
    return body


def taught_body(messages: Sequence[Message], sampling: Sampling, model: str) -> dict[str, Any]:
    """The body of a streamed chat that is nothing but text."""
    return _body(model, sampling) | {"messages": [_message(m) for m in messages]}


def completion_body(prompt: str, sampling: Sampling, model: str, most_tokens: int) -> dict[str, Any]:
    """The body of a streamed completion of a text, which is cut at `most_tokens` unless the request says how many: by
    themselves, servers cut it after a few words."""
    return {"max_tokens": most_tokens} | _body(model, sampling) | {"prompt": prompt}


def text_of(delta: WireDelta) -> str:
    """The text of a message or of a piece of it, which may come in parts; a refusal is text too."""
    content = delta.content
    if isinstance(content, list):
        parts = [cast("dict[str, Any]", part) for part in content if isinstance(part, dict)]
        content = "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    return (content or "") + (delta.refusal or "")


def usage_of(wire: WireUsage) -> Usage:
    """What the server counted."""
    details = wire.prompt_tokens_details
    cached = details.cached_tokens if details is not None else None
    return Usage(wire.prompt_tokens or 0, cached or 0, wire.completion_tokens or 0)


def _body(model: str, sampling: Sampling) -> dict[str, Any]:
    asked = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "seed": sampling.seed,
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop[:_MAX_STOPS]) or None,
    }
    told = {name: value for name, value in asked.items() if value is not None}
    return {"model": model, **told, "stream": True, "stream_options": {"include_usage": True}}


def _message(message: Message) -> dict[str, Any]:
    match message:
        case System(content):
            return {"role": "system", "content": content}
        case User(content):
            return {"role": "user", "content": content}
        case Assistant(content, _, calls):
            if not calls:
                return {"role": "assistant", "content": content}
            return {"role": "assistant", "content": content or None, "tool_calls": [_call(c) for c in calls]}
        case ToolResult(call_id, _, content):
            return {"role": "tool", "tool_call_id": call_id, "content": content}


def _call(call: Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _tools(request: Request) -> dict[str, Any]:
    """The tools that may be called, or all of them with the word that none may."""
    forbidden = isinstance(request.tool_choice, NoTools)
    tools = request.tools if forbidden else callable_tools(request)
    if not tools:
        return {}
    told: dict[str, Any] = {"tools": [_tool(tool) for tool in tools]}
    match request.tool_choice:
        case Auto():
            pass
        case NoTools():
            told["tool_choice"] = "none"
        case Required():
            told["tool_choice"] = "required"
        case Named(name):
            told["tool_choice"] = {"type": "function", "function": {"name": name}}
    if not request.parallel_calls:
        told["parallel_tool_calls"] = False
    return told


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _response_format(form: ResponseFormat) -> dict[str, Any]:
    match form:
        case FreeText():
            return {"type": "text"}
        case JsonObject():
            return {"type": "json_object"}
        case JsonSchema(name, schema, strict, description):
            described: dict[str, Any] = {"name": name, "schema": schema}
            if strict:
                described["strict"] = True
            if description:
                described["description"] = description
            return {"type": "json_schema", "json_schema": described}


def encoded(body: dict[str, Any]) -> bytes:
    """The body as JSON. Raises InvalidRequest for text that can't be sent."""
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError as problem:
        raise InvalidRequest(
            "The messages or tools hold half of a surrogate pair, which can't be sent as JSON; take it out.",
            param="messages",
        ) from problem
