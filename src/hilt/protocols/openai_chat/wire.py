"""The shapes of a Chat Completions body, as far as they are read, with their bounds.

Source: OpenAI's API reference, "Create chat completion", and bodies recorded from its clients. Every optional field
may also be null, because clients send null for "not set". Fields that aren't listed are ignored. `server_tools` is our
own: the names of tools that the server is to run itself.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

MAX_TOOLS = 512
MAX_STOPS = 16
MAX_STOP_CHARS = 256

StopText = Annotated[str, Meta(min_length=1, max_length=MAX_STOP_CHARS)]


class WirePart(Struct, frozen=True):
    type: str
    text: str | None = None
    refusal: str | None = None


class WireFunctionCall(Struct, frozen=True):
    name: Annotated[str, Meta(min_length=1)]
    arguments: str | dict[str, Any] | None = None


class WireCall(Struct, frozen=True):
    id: Annotated[str, Meta(min_length=1)]
    type: str | None = None
    function: WireFunctionCall | None = None


class WireMessage(Struct, frozen=True):
    role: str
    content: str | list[WirePart] | None = None
    reasoning_content: str | None = None
    tool_calls: list[WireCall] | None = None
    tool_call_id: str | None = None
    function_call: Any = None


class WireFunction(Struct, frozen=True):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class WireTool(Struct, frozen=True):
    type: str | None = None
    function: WireFunction | None = None


class WireNamedFunction(Struct, frozen=True):
    name: str


class WireNamedTool(Struct, frozen=True):
    type: str | None = None
    function: WireNamedFunction | None = None


class WireAllowedTools(Struct, frozen=True):
    mode: str
    tools: Annotated[list[WireNamedTool], Meta(max_length=MAX_TOOLS)]


class WireChoice(Struct, frozen=True):
    type: str
    function: WireNamedFunction | None = None
    allowed_tools: WireAllowedTools | None = None


class WireJsonSchema(Struct, frozen=True):
    name: str
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class WireFormat(Struct, frozen=True):
    type: str
    json_schema: WireJsonSchema | None = None
    schema: Any = None


class WireStreamOptions(Struct, frozen=True):
    include_usage: bool | None = None


class WireChat(Struct, frozen=True):
    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[WireMessage], Meta(min_length=1)]
    tools: Annotated[list[WireTool], Meta(max_length=MAX_TOOLS)] | None = None
    tool_choice: str | WireChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    seed: int | None = None
    stop: StopText | Annotated[list[StopText], Meta(max_length=MAX_STOPS)] | None = None
    stream: bool | None = None
    stream_options: WireStreamOptions | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, float] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_format: WireFormat | None = None
    modalities: list[str] | None = None
    server_tools: Annotated[list[str], Meta(max_length=MAX_TOOLS)] | None = None
    functions: Any = None
    function_call: Any = None
