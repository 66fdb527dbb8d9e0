"""What is remembered of a run: one record for it, one for each turn of the model, one for each call."""

from typing import TypeAlias

from msgspec import Struct

from hilt.conversation import Usage


class RunRecord(Struct, frozen=True, tag="run"):
    """A run as it ended. `started_s` is seconds since 1970; `question` is the last thing that the user said."""

    run_id: str
    started_s: float
    duration_s: float
    model: str
    question: str
    stop_reason: str
    usage: Usage


class TurnRecord(Struct, frozen=True, tag="turn"):
    """One turn of the model. `raw` is its output before it was parsed, `content` and `calls` what was read in it: each
    call as its name and the JSON text of its arguments; `rejected` says what was wrong with those that can't be run."""

    run_id: str
    number: int
    started_s: float
    duration_s: float
    first_token_s: float | None
    finish: str
    usage: Usage
    raw: str
    content: str
    calls: tuple[tuple[str, str], ...] = ()
    rejected: tuple[str, ...] = ()


class CallRecord(Struct, frozen=True, tag="call"):
    """One call of a tool. `asked` is the name that the model wrote, `tool` the one that it was taken for ("" if none);
    `arguments` is what it wrote, `normalised` the canonical JSON of what was validated.

    `outcome` is the tag of the outcome and `reason` its reason, "" where it has none; `text` is what the tool returned
    before it was cut. `phases_s` are the seconds spent in each phase by name.
    """

    run_id: str
    call_id: str
    asked: str
    tool: str
    effect: str
    arguments: str
    normalised: str
    warnings: tuple[str, ...]
    verdict: str
    outcome: str
    reason: str
    text: str
    started_s: float
    phases_s: dict[str, float]


Record: TypeAlias = RunRecord | TurnRecord | CallRecord
