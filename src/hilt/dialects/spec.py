"""What a dialect is: framing (the marks around thoughts and calls) times payload (how one call is written)."""

from typing import TypeAlias

from msgspec import Struct


class Span(Struct, frozen=True):
    """Text between two literal marks. An empty `close` means that the payload's own end is the end."""

    open: str
    close: str


class JsonCall(Struct, frozen=True, tag="json"):
    """A JSON object that names the tool and holds its arguments; the first key of each tuple is the one we write."""

    name_keys: tuple[str, ...] = ("name", "function")
    argument_keys: tuple[str, ...] = ("arguments", "parameters")


class TaggedCall(Struct, frozen=True, tag="tagged"):
    """A header that names the tool, then one tagged element a parameter, its value as plain text or JSON.

    `function.open` and `parameter.open` are followed by a name and `header_end`.
    """

    function: Span
    parameter: Span
    header_end: str = ">"


Payload: TypeAlias = JsonCall | TaggedCall


class Dialect(Struct, frozen=True):
    """One way of writing tool calls.

    `gap` stands between a mark and the payload when we write; a reader takes any white space. `separator` parts two
    calls that share one opening mark. `bare` says that models also write the payload without its opening mark: JSON
    only at the very start of a reply or behind another call, tagged payloads anywhere.
    """

    name: str
    call: Span
    payload: Payload
    thought: Span | None = Span("<think>", "</think>")
    gap: str = "\n"
    separator: str | None = None
    bare: bool = False
