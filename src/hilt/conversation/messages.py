"""What has been said so far, whoever said it and whichever protocol brought it."""

from typing import TypeAlias

from msgspec import Struct

from hilt.conversation.tools import Call


class System(Struct, frozen=True, tag="system"):
    """Instructions of the operator (`system` and `developer` on the wire)."""

    content: str


class User(Struct, frozen=True, tag="user"):
    """Words of the user."""

    content: str


class Assistant(Struct, frozen=True, tag="assistant"):
    """One turn of the model: what it said, what it thought, and the tools it called, in order."""

    content: str = ""
    thinking: str = ""
    calls: tuple[Call, ...] = ()


class ToolResult(Struct, frozen=True, tag="tool"):
    """What a tool answered to the call `call_id`."""

    call_id: str
    name: str
    content: str


Message: TypeAlias = System | User | Assistant | ToolResult
