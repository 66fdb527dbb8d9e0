"""A whole HTTP answer as a value, before anything is sent."""

from msgspec import Struct


class Reply(Struct, frozen=True):
    """`body` is JSON text; `headers` are those beyond its type and length."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
