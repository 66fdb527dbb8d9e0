"""What a client asks of a model, whichever protocol brought it."""

from typing import TypeAlias

from msgspec import Struct

from hilt.conversation.messages import Message
from hilt.conversation.tools import ToolSpec


class Auto(Struct, frozen=True, tag="auto"):
    """The model decides whether to call a tool."""


class NoTools(Struct, frozen=True, tag="none"):
    """The model must not call a tool in this turn."""


class Required(Struct, frozen=True, tag="required"):
    """The model must call at least one tool."""


class Named(Struct, frozen=True, tag="named"):
    """The model must call this tool."""

    name: str


ToolChoice: TypeAlias = Auto | NoTools | Required | Named


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
    """One turn asked of a model."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = Auto()
    parallel_calls: bool = True
    sampling: Sampling = Sampling()
