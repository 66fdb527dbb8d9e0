"""What a model reads of a call: errors as JSON, and long texts cut in the middle."""

import json

_MAX_ERROR_CHARS = 2000
_LEAST_CHARS = 150


def error_text(message: str, max_chars: int = 16_000) -> str:
    """The JSON that the model reads when a call did not succeed, of `max_chars` characters at most, which must be at
    least 200; the message is cut at 2,000."""
    message = cap(message.encode("utf-8", "replace").decode(), min(_MAX_ERROR_CHARS, max_chars))
    written = json.dumps({"error": message}, ensure_ascii=False)
    # What JSON escapes takes more room than it has characters.
    while len(written) > max_chars:
        room = max(_LEAST_CHARS, len(message) - (len(written) - max_chars))
        message = cap(message, room) if room < len(message) else message[: len(message) * 3 // 4]
        written = json.dumps({"error": message}, ensure_ascii=False)
    return written


def said(fault: BaseException) -> str:
    """The words of an exception, whatever its own code does when it is asked for them."""
    try:
        return str(fault)
    except Exception:  # noqa: BLE001 - a stranger's code
        return "it can't say why"


def cap(text: str, max_chars: int, kept: str | None = None) -> str:
    """`text`, or its head and tail with a note of how much is missing between them: never over `max_chars`, which must
    be at least 150. `kept` is the id under which the whole can be read on."""
    total = len(text)
    if total <= max_chars:
        return text
    room = max_chars - len(_gap(total, total, total, kept))
    tail = room // 3
    head = room - tail
    return text[:head] + _gap(total - room, total, head, kept) + text[total - tail :]


def _gap(left_out: int, total: int, head: int, kept: str | None) -> str:
    hint = "" if kept is None else f"; read_result reads on: id {kept}, offset {head}"
    return f"\n[... {left_out} of {total} characters left out{hint} ...]\n"
