"""Framing of server-sent events (WHATWG HTML, section 9.2), as bytes."""

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


def event(payload: bytes) -> bytes:
    """One event whose `payload` is a single line, as JSON text always is; ValueError if it holds a line break."""
    if b"\n" in payload or b"\r" in payload:
        raise ValueError("the payload of an event must be one line")
    return b"data: " + payload + b"\n\n"
