"""Tools as the model sees them, its calls, and how a call can end."""

from typing import Any, Literal, TypeAlias

from msgspec import Struct


class ToolSpec(Struct, frozen=True):
    """One tool that a model may call.

    `parameters` is a JSON Schema of type object (draft 2020-12). `strict` is as the client wrote it: whether it
    insists that arguments fit the schema in every part.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool = False


class Call(Struct, frozen=True):
    """A complete call. `arguments` is the JSON text of one object, as the model wrote it where that was valid."""

    id: str
    name: str
    arguments: str


BadCallReason: TypeAlias = Literal["truncated", "malformed", "unknown_tool", "invalid_arguments"]


class BadCall(Struct, frozen=True):
    """A call that must not be run: `raw` holds what the model wrote, `detail` what was wrong with it.

    `arguments` is JSON text where the call was readable (an unknown tool, or arguments that break the tool's schema),
    else None. `wire_id` is the id that the model itself wrote, if it wrote one.
    """

    id: str
    name: str | None
    reason: BadCallReason
    detail: str
    raw: str
    arguments: str | None = None
    wire_id: str | None = None


class Succeeded(Struct, frozen=True, tag="succeeded"):
    """The tool ran. `text` is what the model reads."""

    text: str


class Failed(Struct, frozen=True, tag="failed"):
    """The tool was given something it can't use, or broke; `text` tells the model what to do about it."""

    text: str


class Denied(Struct, frozen=True, tag="denied"):
    """Policy or the user said no; the tool did not run."""

    text: str


class TimedOut(Struct, frozen=True, tag="timed_out"):
    """The tool did not end within its time."""

    text: str


class Cancelled(Struct, frozen=True, tag="cancelled"):
    """The run was stopped before the tool ended."""

    text: str


Outcome: TypeAlias = Succeeded | Failed | Denied | TimedOut | Cancelled
