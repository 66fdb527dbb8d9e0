"""What a model reads of a call: errors as JSON, and long texts cut in the middle."""

import json

_MAX_ERROR_CHARS = 2000


def error_text(message: str) -> str:
    """The JSON that the model reads when a call did not succeed."""
    return json.dumps({"error": cap(message, _MAX_ERROR_CHARS)}, ensure_ascii=False)


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
