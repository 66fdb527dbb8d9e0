"""Whether a model's turn is what was expected: calls compared by meaning, answers by the facts in them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from hilt.training.starter.arithmetic import worked_out
from hilt.training.starter.units import KINDS

_BLOCK = re.compile(r"<tool_call>\n(.*?)\n</tool_call>", re.DOTALL)
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass(frozen=True)
class WrittenCall:
    """One call as the model wrote it."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What is true of one turn; None where the question does not arise.

    Calls are `well_formed` if every one can be read, and they `fit` if every one also names an offered tool, gives what
    it requires and nothing that it does not know.
    """

    well_formed: bool | None = None
    fit: bool | None = None
    right_tool: bool | None = None
    exact: bool | None = None
    faithful: bool | None = None


def calls_in(text: str) -> list[WrittenCall] | None:
    """The calls of a turn, or None if any of its markup is not exactly Hermes."""
    calls: list[WrittenCall] = []
    for block in _BLOCK.findall(text):
        try:
            read: Any = json.loads(block)
        except ValueError:
            return None
        match read:
            case {"name": str(name), "arguments": dict()} if len(cast("dict[str, Any]", read)) == 2:
                calls.append(WrittenCall(name, read["arguments"]))
            case _:
                return None
    if "<tool_call>" in _BLOCK.sub("", text) or "</tool_call>" in _BLOCK.sub("", text):
        return None
    return calls


def fits_schema(call: WrittenCall, tools: Sequence[dict[str, Any]]) -> bool:
    """Whether the call names an offered tool, gives what it requires, and nothing that it does not know."""
    for tool in tools:
        spec = tool["function"]
        if spec["name"] == call.name:
            known, required = spec["parameters"]["properties"], spec["parameters"].get("required", [])
            return set(required) <= call.arguments.keys() <= known.keys()
    return False


_UNIT_NAMES = {
    word.lower().rstrip("s"): unit.name
    for units in KINDS.values()
    for unit in units
    for word in (unit.name, *unit.said)
} | {"degc": "celsius", "degf": "fahrenheit", "degree_celsius": "celsius", "degree_fahrenheit": "fahrenheit"}


def _unit(name: str) -> str:
    return _UNIT_NAMES.get(name.lower().rstrip("s"), name.lower())


def _meaning(key: str, value: Any) -> Any:
    match value:
        case str() if "expression" in key or key in ("expr", "formula"):
            try:
                return round(worked_out(value), 9)
            except (ValueError, SyntaxError, KeyError, ZeroDivisionError, OverflowError):
                return value
        case str() if "unit" in key:
            return _unit(value)
        case str():
            return re.sub(r"^(the|my|a) ", "", value.strip().strip(".!?\"'").casefold())
        case float() | int():
            return float(value)
        case list():
            return [_meaning(key, item) for item in cast("list[Any]", value)]
        case _:
            return value


def _plain(call: WrittenCall) -> tuple[str, str]:
    meant = {key: _meaning(key, value) for key, value in call.arguments.items()}
    if call.name == "list_files" and meant.get("path") in (".", "./"):
        del meant["path"]
    return call.name, json.dumps(meant, sort_keys=True, ensure_ascii=False)


def judged_calls(text: str, wanted: Sequence[WrittenCall], tools: Sequence[dict[str, Any]]) -> Verdict:
    """Compare the calls of a turn with the wanted ones, in any order. No calls may be wanted."""
    calls = calls_in(text)
    if calls is None:
        return Verdict(well_formed=False, fit=False, right_tool=False, exact=False)
    fit = all(fits_schema(call, tools) for call in calls) if calls else None
    right = sorted(call.name for call in calls) == sorted(call.name for call in wanted)
    exact = sorted(map(_plain, calls)) == sorted(map(_plain, wanted))
    return Verdict(well_formed=True if calls else None, fit=fit, right_tool=right, exact=exact)


def judged_answer(text: str, reference: str, seen: str) -> Verdict:
    """Whether an answer gives every number and name of the reference, and no number that was not in what was seen."""
    if calls_in(text) != []:
        return Verdict(faithful=False)
    numbers = set(_NUMBER.findall(text))
    told = set(_NUMBER.findall(reference)) <= numbers
    names = {
        word for word in re.findall(r"(?<=[a-z,:] )[A-Z][\w'-]+|\w+\.\w{2,4}\b", reference) if not word[0].isdigit()
    }
    invented = {number for number in numbers if number not in seen and number.lstrip("0") not in seen}
    return Verdict(
        faithful=told
        and all(name.lower() in text.lower() for name in names)
        and not invented - set(_NUMBER.findall(reference))
    )
