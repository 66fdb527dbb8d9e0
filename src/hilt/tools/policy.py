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


Verdict: TypeAlias = Allow | Ask | Deny


def decide(name: str, effect: Effect, *, attended: bool) -> Verdict:
    """The verdict on a call of the tool `name`. `attended` says that somebody can answer a question now."""
    match effect:
        case "read":
            return Allow()
        case "write":
            deed = "changes something"
        case "destructive":
            deed = "can destroy something"
        case "external":
            deed = "reaches beyond this machine"
    if attended:
        return Ask()
    return Deny(f"{name} {deed}, and nobody is here to allow this call, so it was not run")
