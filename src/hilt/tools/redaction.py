"""stub"""

from msgspec import Struct


class Redaction(Struct, frozen=True):
    secrets: bool = True
    personal: bool = False
    paths: bool = False
    known: tuple[str, ...] = ()


def redact(text: str, what: Redaction) -> str:
    return text
