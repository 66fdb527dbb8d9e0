"""Whether a call may run, decided from what it can do and who is there to be asked."""

from typing import TypeAlias

from msgspec import Struct

from hilt.tools.tool import Effect


class Allow(Struct, frozen=True, tag="allow"):
    """Run it at once."""


class Ask(Struct, frozen=True, tag="ask"):
    """Run it if somebody says so."""


class Deny(Struct, frozen=True, tag="deny"):
    """Do not run it; `text` is the sentence that the model reads."""

    text: str


NOBODY_HERE = "nobody is here to allow this call"

Verdict: TypeAlias = Allow | Ask | Deny


def decide(effect: Effect, *, attended: bool) -> Verdict:
    """The verdict on a call of a tool with this effect. `attended` says that somebody can answer a question now."""
    match effect:
        case "read":
            return Allow()
        case "write" | "destructive" | "external":
            return Ask() if attended else Deny(NOBODY_HERE)
