"""Reading a request's body without ever holding more of it than the limit."""

from typing import TypeAlias

from msgspec import Struct
from starlette.datastructures import Headers
from starlette.types import Receive


class TooLarge(Struct, frozen=True):
    """The body is, or says that it is, longer than the limit; what was not read stays unread."""


class SenderGone(Struct, frozen=True):
    """The client left before its body was complete."""


Body: TypeAlias = bytes | TooLarge | SenderGone


async def read_body(headers: Headers, receive: Receive, max_bytes: int) -> Body:
    """The whole body. A Content-Length over the limit is refused before anything is read."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        return TooLarge()
    pieces: list[bytes] = []
    size_bytes = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return SenderGone()
        piece: bytes = message.get("body", b"")
        size_bytes += len(piece)
        if size_bytes > max_bytes:
            return TooLarge()
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)
