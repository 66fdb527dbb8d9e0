"""A Chat Completions body becomes a request: lenient in form, strict wherever leaving something out changes meaning."""

import re
from collections.abc import Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from hilt.conversation import (
    Assistant,
    Call,
    InvalidRequest,
    Message,
    Request,
    Sampling,
    System,
    ToolResult,
    ToolSpec,
    User,
)
from hilt.protocols.openai_chat.demands import response_format, tool_choice
from hilt.protocols.openai_chat.wire import (
    WireCall,
    WireChat,
    WireFunctionCall,
    WireMessage,
    WirePart,
    WireTool,
)
from hilt.protocols.untrusted_json import MAX_DEPTH, decode, deeper_than, quoted

# OpenAI allows 64 characters and no dots; names of MCP tools have both more and dots.
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_SEEDS = range(-(2**63), 2**64)


class ChatRequest(Struct, frozen=True):
    """What was asked, and how the answer is to be sent. `request.model` is as the client wrote it; `server_tools` are
    those that the server is to run itself."""

    request: Request
    stream: bool = False
    include_usage: bool = False
    server_tools: tuple[str, ...] = ()


def parse(body: bytes) -> ChatRequest:
    """Read the body of a `POST /v1/chat/completions`.

    Raises InvalidRequest with `param` naming the faulty field (`messages[2].content[0].type`), and `code`
    `invalid_json`, `too_deep`, `unsupported_value`, `unsupported_content`, `unsupported_tool_choice` or
    `invalid_request`.
    """
    wire = decode(body, WireChat)
    _refuse_unsupported(wire)
    tools = _tools(wire.tools or [])
    return ChatRequest(
        request=Request(
            model=wire.model,
            messages=_messages(wire.messages),
            tools=tools,
            tool_choice=tool_choice(wire.tool_choice, tools),
            parallel_calls=wire.parallel_tool_calls is not False,
            sampling=_sampling(wire),
            response_format=response_format(wire.response_format),
        ),
        stream=bool(wire.stream),
        include_usage=bool(wire.stream_options and wire.stream_options.include_usage),
        server_tools=tuple(dict.fromkeys(wire.server_tools or ())),
    )


def _refuse_unsupported(wire: WireChat) -> None:
    """Fields that would change the answer if they were left out."""
    if wire.n is not None and wire.n != 1:
        raise _unsupported("n", f"this server writes one choice a request, not {wire.n}; leave `n` out")
    if wire.logprobs:
        raise _unsupported("logprobs", "this server gives no log probabilities; leave `logprobs` out")
    if wire.top_logprobs:
        raise _unsupported("top_logprobs", "this server gives no log probabilities; leave `top_logprobs` out")
    if wire.logit_bias:
        raise _unsupported("logit_bias", "this server can't bias tokens; leave `logit_bias` out")
    if wire.presence_penalty:
        raise _unsupported("presence_penalty", "this server has no presence penalty; send 0 or leave it out")
    if wire.frequency_penalty:
        raise _unsupported("frequency_penalty", "this server has no frequency penalty; send 0 or leave it out")
    if wire.modalities is not None and wire.modalities != ["text"]:
        raise _unsupported("modalities", 'this server writes text only; send ["text"] or leave `modalities` out')
    if wire.functions is not None:
        raise _unsupported("functions", "the old form of tools is not read; send `tools`")
    if wire.function_call is not None:
        raise _unsupported("function_call", "the old form of tools is not read; send `tool_choice`")


def _unsupported(param: str, advice: str) -> InvalidRequest:
    return InvalidRequest(f"`{param}`: {advice}.", param=param, code="unsupported_value")


def _sampling(wire: WireChat) -> Sampling:
    if wire.seed is not None and wire.seed not in _SEEDS:
        raise InvalidRequest("`seed` must be an integer of at most 64 bits.", param="seed")
    match wire.stop:
        case None:
            stop = ()
        case str():
            stop = (wire.stop,)
        case list():
            stop = tuple(wire.stop)
    max_tokens = wire.max_tokens if wire.max_completion_tokens is None else wire.max_completion_tokens
    return Sampling(
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        seed=wire.seed,
        max_tokens=max_tokens,
        stop=stop,
    )


def _tools(wire_tools: Sequence[WireTool]) -> tuple[ToolSpec, ...]:
    specs: list[ToolSpec] = []
    names: set[str] = set()
    for position, wire in enumerate(wire_tools):
        spec = _tool(wire, f"tools[{position}]")
        if spec.name in names:
            raise InvalidRequest(
                f"Two tools are named {quoted(spec.name)}; give each its own name.",
                param=f"tools[{position}].function.name",
            )
        names.add(spec.name)
        specs.append(spec)
    return tuple(specs)


def _tool(wire: WireTool, param: str) -> ToolSpec:
    if wire.type not in (None, "function"):
        raise InvalidRequest(
            f'`{param}.type` is {quoted(wire.type)}; this server knows tools of type "function" only.',
            param=f"{param}.type",
            code="unsupported_value",
        )
    if wire.function is None:
        raise InvalidRequest(f"`{param}.function` is missing.", param=f"{param}.function")
    name = wire.function.name
    if _TOOL_NAME.fullmatch(name) is None:
        raise InvalidRequest(
            f"{quoted(name)} can't name a tool; use 1 to 128 of the characters A-Z a-z 0-9 _ - and the dot.",
            param=f"{param}.function.name",
        )
    return ToolSpec(
        name=name,
        description=wire.function.description or "",
        parameters=_object_schema(wire.function.parameters, f"{param}.function.parameters"),
        strict=wire.function.strict is True,
    )


def _object_schema(schema: dict[str, Any] | None, param: str) -> dict[str, Any]:
    """`schema` if it describes an object; an absent or empty one describes a tool without arguments."""
    if not schema:
        return {"type": "object", "properties": {}}
    kind = schema.get("type", "object")
    if kind != "object":
        raise InvalidRequest(
            f'`{param}.type` is {quoted(str(kind))}; the arguments of a tool must be of type "object".',
            param=f"{param}.type",
        )
    if not isinstance(schema.get("properties", {}), dict):
        raise InvalidRequest(
            f"`{param}.properties` must be an object that maps each argument to its schema.",
            param=f"{param}.properties",
        )
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in cast("list[object]", required)):
        raise InvalidRequest(f"`{param}.required` must be a list of names.", param=f"{param}.required")
    return {"type": "object", **schema}


def _messages(wire_messages: Sequence[WireMessage]) -> tuple[Message, ...]:
    names: dict[str, str] = {}
    messages: list[Message] = []
    for position, wire in enumerate(wire_messages):
        message = _message(wire, f"messages[{position}]", names)
        if isinstance(message, Assistant):
            names.update((call.id, call.name) for call in message.calls)
        messages.append(message)
    return tuple(messages)


def _message(wire: WireMessage, param: str, names: dict[str, str]) -> Message:
    """One message; `names` maps the ids of the calls made before it to the names of their tools."""
    text = _text(wire.content, f"{param}.content")
    match wire.role:
        case "system" | "developer":
            return System(text)
        case "user":
            return User(text)
        case "assistant":
            if wire.function_call is not None:
                raise _unsupported(f"{param}.function_call", "the old form of calls is not read; send `tool_calls`")
            calls = enumerate(wire.tool_calls or [])
            return Assistant(
                content=text,
                thinking=wire.reasoning_content or "",
                calls=tuple(_call(call, f"{param}.tool_calls[{position}]") for position, call in calls),
            )
        case "tool":
            call_id = wire.tool_call_id
            if call_id is None:
                raise InvalidRequest(
                    f"`{param}.tool_call_id` is missing; it must name the call that this is the result of.",
                    param=f"{param}.tool_call_id",
                )
            if call_id not in names:
                raise InvalidRequest(
                    f"`{param}.tool_call_id` is {quoted(call_id)}, but no assistant message before it made that call.",
                    param=f"{param}.tool_call_id",
                )
            return ToolResult(call_id=call_id, name=names[call_id], content=text)
        case _:
            raise InvalidRequest(
                f"`{param}.role` is {quoted(wire.role)}; it must be system, developer, user, assistant or tool.",
                param=f"{param}.role",
            )


def _text(content: str | list[WirePart] | None, param: str) -> str:
    """The text of a message. Parts are joined by line breaks, as vLLM and llama.cpp join them."""
    match content:
        case None:
            return ""
        case str():
            return content
        case list():
            return "\n".join(_part(part, f"{param}[{position}]") for position, part in enumerate(content))


def _part(part: WirePart, param: str) -> str:
    match part.type:
        case "text" if part.text is not None:
            return part.text
        case "refusal" if part.refusal is not None:
            return part.refusal
        case "text" | "refusal":
            raise InvalidRequest(f"`{param}.{part.type}` is missing.", param=f"{param}.{part.type}")
        case _:
            raise InvalidRequest(
                f"`{param}.type` is {quoted(part.type)}; this server reads text only. Leave the part out or describe"
                " it in words.",
                param=f"{param}.type",
                code="unsupported_content",
            )


def _call(wire: WireCall, param: str) -> Call:
    if wire.type not in (None, "function") or wire.function is None:
        raise InvalidRequest(
            f'`{param}` must be a call of type "function", with `function.name` and `function.arguments`.', param=param
        )
    return Call(id=wire.id, name=wire.function.name, arguments=_arguments(wire.function, f"{param}.function.arguments"))


def _arguments(function: WireFunctionCall, param: str) -> str:
    """The arguments as JSON text of one object; an absent or blank text stands for no arguments."""
    match function.arguments:
        case None:
            return "{}"
        case dict():
            return msgspec.json.encode(function.arguments).decode()
        case str() if not function.arguments.strip():
            return "{}"
        case str():
            text = function.arguments.encode()
            try:
                if deeper_than(text, MAX_DEPTH):
                    raise InvalidRequest(f"`{param}` is nested more than {MAX_DEPTH} levels deep.", param=param)
                msgspec.json.decode(text, type=dict[str, Any])
            except (msgspec.DecodeError, RecursionError) as error:
                raise InvalidRequest(
                    f"`{param}` must be the JSON text of one object ({error}); it is {quoted(function.arguments)}.",
                    param=param,
                ) from error
            return function.arguments
