"""What came of a turn that had to call tools, or might: judged by another validator of JSON Schema than the one that
Hilt runs."""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from hilt.conversation import (
    AnswerRejected,
    CallFinished,
    CallRejected,
    ContentDelta,
    HiltError,
    ModelEvent,
    TurnFinished,
)

Verdict: TypeAlias = Literal["valid", "no_call", "truncated", "rejected", "marked", "wrong"]
"""`valid`: every call is whole and fits its schema; `no_call`: none was made, and none had to be; `truncated`: the
tokens ran out, and the turn says so; `rejected`: a call broke a keyword that only the final check holds, twice, and
the turn says so; `marked`: none of these faults, but a mark that opens nothing stands in content; `wrong`: anything
else."""

_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")

Judge: TypeAlias = Callable[[str, str], str]
"""From the name of a tool and the JSON text of arguments to what is wrong with them; "" if nothing is."""


class Turn(Struct, frozen=True):
    """A turn as it came. `forced` says that it had to call one of `allowed`, `several` that it might do so more than
    once; `failure` is the error that broke it off, if one did."""

    allowed: tuple[str, ...]
    forced: bool
    several: bool
    events: tuple[ModelEvent, ...]
    failure: HiltError | None = None

    @property
    def calls(self) -> list[CallFinished]:
        """The calls that can be run."""
        return [event for event in self.events if isinstance(event, CallFinished)]

    @property
    def content(self) -> str:
        """The text for the user."""
        return "".join(event.text for event in self.events if isinstance(event, ContentDelta))


class Judged(Struct, frozen=True):
    """A verdict, and why where it is `wrong`."""

    verdict: Verdict
    why: str = ""


def judge_of(schemas: Mapping[str, Any]) -> Judge:
    """A judge by the jsonschema package, for tools with these parameters; ImportError without the package.

    Numbers are decimals, so that a hundredth is one. A name that an object holds twice is a fault.
    """
    try:
        import jsonschema
    except ImportError as problem:
        raise ImportError("the judge of this measurement is the package jsonschema: install `hilt[dev]`") from problem
    kind: Any = jsonschema.Draft202012Validator
    formats = jsonschema.FormatChecker()
    formats.checkers = dict(kind.FORMAT_CHECKER.checkers)
    formats.checks("date", ValueError)(_is_date)
    validators = {name: kind(_exact(json.dumps(s)), format_checker=formats) for name, s in schemas.items()}

    def judge(name: str, arguments: str) -> str:
        if name not in validators:
            return f"there is no tool {name!r}"
        try:
            value = _exact(arguments)
        except ValueError as problem:
            return str(problem)
        if not isinstance(value, dict):
            return "the arguments are no object"
        fault: Any = next(validators[name].iter_errors(value), None)
        return "" if fault is None else f"at {fault.json_path}: {fault.message[:200]}"

    return judge


def _is_date(value: object) -> bool:
    """Whether a text is a date; Python's begin with the year 1, so the year 0, as long as 2000, is judged as that."""
    return not isinstance(value, str) or bool(
        _DATE.fullmatch(value) and date.fromisoformat(f"2{value[1:]}" if value.startswith("0000") else value)
    )


def _exact(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, object_pairs_hook=_members, parse_constant=_no_constant)


def _members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("an object holds a name twice")
    return members


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def verdict(
    turn: Turn, judge: Judge, checked_at_the_end: Collection[str], openers: Sequence[str], marks: Sequence[str]
) -> Judged:
    """The verdict of a turn.

    Only the calls of tools in `checked_at_the_end` may be rejected. None of `openers` may stand in content, nor should
    any other of `marks`.
    """
    if turn.failure is not None:
        return Judged("wrong", f"{type(turn.failure).__name__}: {turn.failure.message}")
    for call in turn.calls:
        fault = judge(call.call.name, call.call.arguments)
        if call.call.name not in turn.allowed:
            fault = "this tool must not be called"
        if fault:
            return Judged("wrong", f"{call.call.name}({call.call.arguments}): {fault}")
    if len(turn.calls) > 1 and not turn.several:
        return Judged("wrong", "more calls than one")
    if any(opener in turn.content for opener in openers) or (turn.forced and turn.content.strip()):
        return Judged("wrong", f"content: {turn.content[:300]!r}")
    judged = _of_the_end(turn, checked_at_the_end)
    marked = judged.verdict != "wrong" and any(mark in turn.content for mark in marks)
    return Judged("marked") if marked else judged


def _of_the_end(turn: Turn, checked_at_the_end: Collection[str]) -> Judged:
    end = turn.events[-1] if turn.events else None
    if not isinstance(end, TurnFinished):
        return Judged("wrong", "the turn has no end")
    refused = False
    for event in turn.events:
        match event:
            case AnswerRejected(detail, raw):
                return Judged("wrong", f"{detail}: {raw[:300]!r}")
            case CallRejected(bad=bad) if bad.reason == "truncated" and end.reason == "length":
                continue
            case CallRejected(bad=bad) if bad.reason == "invalid_arguments" and bad.name in checked_at_the_end:
                refused = True
            case CallRejected(bad=bad):
                return Judged("wrong", f"{bad.reason}: {bad.detail}: {bad.raw[:300]!r}")
            case _:
                continue
    if refused:
        return Judged("rejected")
    if end.reason == "length":
        return Judged("truncated")
    if turn.calls:
        return Judged("valid")
    return Judged("wrong", "no call, and no error") if turn.forced else Judged("no_call")
