"""Tools as the model sees them, its calls, and how a call can end."""

from typing import Any, Literal, TypeAlias

from msgspec import Struct


class Example(Struct, frozen=True):
    """A request in a user's words, and the JSON text of the arguments that answer it."""

    request: str
    arguments: str


class ToolSpec(Struct, frozen=True):
    """One tool that a model may call.

    `parameters` is a JSON Schema of type object (draft 2020-12). `strict` is as the client wrote it: whether it
    insists that arguments fit the schema in every part. `examples` are told to models that have to be taught how to
    call.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool = False
    examples: tuple[Example, ...] = ()


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


class Source(Struct, frozen=True):
    """Where something that a tool returned comes from; `place` is an address or a path that a person can open."""

    title: str
    place: str


class Card(Struct, frozen=True, omit_defaults=True):
    """What a person is shown of a result: `rows` of a label and a value, and `text` below them."""

    title: str
    rows: tuple[tuple[str, str], ...] = ()
    text: str = ""


class Succeeded(Struct, frozen=True, tag="succeeded", omit_defaults=True):
    """The tool ran. `text` is what the model reads; `sources` is what it may cite; `card` is for people."""

    text: str
    sources: tuple[Source, ...] = ()
    card: Card | None = None


class Planned(Struct, frozen=True, tag="planned", omit_defaults=True):
    """A dry run: `text` holds the plan of what the tool would have done. Nothing was changed."""

    text: str


FailureReason: TypeAlias = Literal["unknown_tool", "unavailable", "decode", "validation", "runtime", "output"]


class Failed(Struct, frozen=True, tag="failed", omit_defaults=True):
    """The tool was given something it can't use, or broke; `text` tells the model what to do about it."""

    text: str
    reason: FailureReason = "runtime"


DenialReason: TypeAlias = Literal["policy", "approval", "rate", "switched_off"]


class Denied(Struct, frozen=True, tag="denied", omit_defaults=True):
    """Policy, the user, a rate limit or the kill switch said no; the tool did not run."""

    text: str
    reason: DenialReason = "policy"


class TimedOut(Struct, frozen=True, tag="timed_out"):
    """The tool did not end within its time."""

    text: str


class Cancelled(Struct, frozen=True, tag="cancelled"):
    """The run or the tools were stopped before the tool ended."""

    text: str


Outcome: TypeAlias = Succeeded | Planned | Failed | Denied | TimedOut | Cancelled
