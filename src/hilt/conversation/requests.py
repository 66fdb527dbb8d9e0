"""What a client asks of a model, whichever protocol brought it."""

from typing import Any, TypeAlias

from msgspec import Struct

from hilt.conversation.messages import Message
from hilt.conversation.tools import ToolSpec


class Auto(Struct, frozen=True, tag="auto"):
    """The model decides whether to call a tool; one of those named in `only`, or any where it is empty."""

    only: tuple[str, ...] = ()


class NoTools(Struct, frozen=True, tag="none"):
    """The model must not call a tool in this turn."""


class Required(Struct, frozen=True, tag="required"):
    """The model must call at least one tool; of those named in `only`, or of all where it is empty."""

    only: tuple[str, ...] = ()


class Named(Struct, frozen=True, tag="named"):
    """The model must call this tool."""

    name: str


ToolChoice: TypeAlias = Auto | NoTools | Required | Named


class FreeText(Struct, frozen=True, tag="text"):
    """The answer may have any form."""


class JsonObject(Struct, frozen=True, tag="json_object"):
    """The answer must be the JSON text of one object."""


class JsonSchema(Struct, frozen=True, tag="json_schema"):
    """The answer must be JSON text that fits `schema` (draft 2020-12; an empty one fits any JSON).

    `name` and `description` say what the answer is, for the model. `strict` is as the client wrote it: whether it
    insists on the schema in every part.
    """

    name: str
    schema: dict[str, Any]
    strict: bool = False
    description: str = ""


ResponseFormat: TypeAlias = FreeText | JsonObject | JsonSchema


class Sampling(Struct, frozen=True):
    """How to pick tokens and when to stop.

    None takes the model's own default (its generation_config.json, else greedy). `temperature` 0 is greedy; `top_p`
    in (0, 1]; `top_k` 0 means all; `seed` makes the reply reproducible whatever else is in the batch; `max_tokens`
    None means as many as the model's context leaves; the reply ends before any text of `stop`.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()


class Request(Struct, frozen=True):
    """One turn asked of a model. `response_format` binds what it says; a turn that calls tools may say nothing."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = Auto()
    parallel_calls: bool = True
    sampling: Sampling = Sampling()
    response_format: ResponseFormat = FreeText()


def callable_tools(request: Request) -> tuple[ToolSpec, ...]:
    """The tools that may be called in this turn, in the order offered; a name that isn't offered adds none."""
    match request.tool_choice:
        case NoTools():
            return ()
        case Named(name):
            return tuple(tool for tool in request.tools if tool.name == name)
        case Auto(only) | Required(only):
            return tuple(tool for tool in request.tools if not only or tool.name in only)
