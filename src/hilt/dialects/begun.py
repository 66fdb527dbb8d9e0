"""What a prompt has already opened where the model goes on: a thought, a block of calls, or a message."""

from collections.abc import Sequence

from hilt.dialects.beginnings import openings
from hilt.dialects.channels import opened_message
from hilt.dialects.event_log import SPACE
from hilt.dialects.spec import Dialect


def begun_by(dialect: Dialect, prompt: str, *, calls: bool) -> str:
    """The mark or the header with which a prompt ends, so that the reply begins behind it; "" where there is none.

    White space behind it is no part of it. Marks of calls count only where `calls` are looked for.
    """
    prompt = prompt.rstrip(SPACE)
    opened = _longest_end(prompt, _marks(dialect, calls=calls)) or opened_message(dialect.channels, prompt)
    return opened or _longest_end(prompt, thought_marks(dialect))


def thought_marks(dialect: Dialect) -> tuple[str, ...]:
    """The marks that open a thought, without white space at their end."""
    spans = [span for span in (dialect.thought, *dialect.thoughts) if span is not None]
    return tuple(dict.fromkeys(span.open.rstrip(SPACE) for span in spans if span.open))


def _marks(dialect: Dialect, *, calls: bool) -> list[str]:
    found = openings(dialect) if calls else {}
    return [*found, *([dialect.channels.start] if dialect.channels is not None else [])]


def _longest_end(prompt: str, marks: Sequence[str]) -> str:
    return max((mark for mark in marks if prompt.endswith(mark)), key=len, default="")
