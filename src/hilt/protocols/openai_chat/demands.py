"""What a Chat Completions body demands of the answer: which tools it may or must call, and the form of its text."""

import re
from collections.abc import Sequence

from hilt.conversation import (
    Auto,
    FreeText,
    InvalidRequest,
    JsonObject,
    JsonSchema,
    Named,
    NoTools,
    Required,
    ResponseFormat,
    ToolChoice,
    ToolSpec,
)
from hilt.protocols.openai_chat.wire import (
    WireAllowedTools,
    WireChoice,
    WireFormat,
    WireJsonSchema,
    WireNamedFunction,
    WireNamedTool,
)
from hilt.protocols.untrusted_json import quoted

_FORMAT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_LISTED = 8


def tool_choice(choice: str | WireChoice | None, tools: Sequence[ToolSpec]) -> ToolChoice:
    """The choice that a body makes among `tools`. InvalidRequest names the part that can't be kept."""
    match choice:
        case None | "auto":
            return Auto()
        case "none":
            return NoTools()
        case "required":
            _need_tools(tools, "required")
            return Required()
        case str():
            raise InvalidRequest(
                f'`tool_choice` is {quoted(choice)}; it must be "auto", "none", "required", or an object that names'
                " tools.",
                param="tool_choice",
                code="unsupported_tool_choice",
            )
        case WireChoice():
            return _chosen(choice, tools)


def response_format(form: WireFormat | None) -> ResponseFormat:
    """The form that a body wants its answer in. InvalidRequest names the part that can't be read."""
    if form is None:
        return FreeText()
    match form.type:
        case "text":
            return FreeText()
        case "json_object":
            if form.schema is not None:
                raise InvalidRequest(
                    '`response_format.schema` has no place beside "json_object"; send {"type": "json_schema",'
                    ' "json_schema": {"name", "schema"}}.',
                    param="response_format.schema",
                )
            return JsonObject()
        case "json_schema":
            return _json_schema(form.json_schema)
        case _:
            raise InvalidRequest(
                f'`response_format.type` is {quoted(form.type)}; it must be "text", "json_object" or "json_schema".',
                param="response_format.type",
                code="unsupported_value",
            )


def _chosen(choice: WireChoice, tools: Sequence[ToolSpec]) -> ToolChoice:
    match choice.type:
        case "function":
            _need_tools(tools, "a named function")
            return Named(_offered(choice.function, tools, "tool_choice.function"))
        case "allowed_tools":
            _need_tools(tools, "allowed_tools")
            return _allowed(choice.allowed_tools, tools)
        case _:
            raise InvalidRequest(
                f'`tool_choice.type` is {quoted(choice.type)}; it must be "function" or "allowed_tools".',
                param="tool_choice.type",
                code="unsupported_tool_choice",
            )


def _allowed(allowed: WireAllowedTools | None, tools: Sequence[ToolSpec]) -> ToolChoice:
    param = "tool_choice.allowed_tools"
    if allowed is None:
        raise _missing(param)
    if not allowed.tools:
        raise InvalidRequest(
            f'`{param}.tools` is empty; list the tools that may be called, or send "none" as `tool_choice`.',
            param=f"{param}.tools",
        )
    listed = (_listed(tool, tools, f"{param}.tools[{position}]") for position, tool in enumerate(allowed.tools))
    only = tuple(dict.fromkeys(listed))
    match allowed.mode:
        case "auto":
            return Auto(only)
        case "required":
            return Required(only)
        case _:
            raise InvalidRequest(
                f'`{param}.mode` is {quoted(allowed.mode)}; it must be "auto" or "required".', param=f"{param}.mode"
            )


def _listed(tool: WireNamedTool, tools: Sequence[ToolSpec], param: str) -> str:
    if tool.type not in (None, "function"):
        raise InvalidRequest(
            f'`{param}.type` is {quoted(tool.type)}; this server knows tools of type "function" only.',
            param=f"{param}.type",
            code="unsupported_value",
        )
    return _offered(tool.function, tools, f"{param}.function")


def _offered(function: WireNamedFunction | None, tools: Sequence[ToolSpec], param: str) -> str:
    """The name of a function that must be among `tools`."""
    if function is None:
        raise _missing(param)
    names = [tool.name for tool in tools]
    if function.name not in names:
        more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
        offered = ", ".join(quoted(name) for name in names[:_MAX_LISTED]) + more
        raise InvalidRequest(
            f"`{param}.name` is {quoted(function.name)}, which is not offered; `tools` has {offered}.",
            param=f"{param}.name",
        )
    return function.name


def _need_tools(tools: Sequence[ToolSpec], asked: str) -> None:
    if not tools:
        raise InvalidRequest(
            f"`tool_choice` asks for {asked}, but no tool is offered; send `tools`, or leave `tool_choice` out.",
            param="tool_choice",
        )


def _json_schema(form: WireJsonSchema | None) -> JsonSchema:
    param = "response_format.json_schema"
    if form is None:
        raise _missing(param)
    if _FORMAT_NAME.fullmatch(form.name) is None:
        raise InvalidRequest(
            f"`{param}.name` is {quoted(form.name)}; use 1 to 64 of the characters A-Z a-z 0-9 _ and -.",
            param=f"{param}.name",
        )
    return JsonSchema(
        name=form.name, schema=form.schema or {}, strict=form.strict is True, description=form.description or ""
    )


def _missing(param: str) -> InvalidRequest:
    return InvalidRequest(f"`{param}` is missing.", param=param)
