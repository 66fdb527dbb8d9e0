"""What the starter model learns from: the same for the same seed, valid, and derivable from what was said."""

import json
import os
import re
import subprocess
import sys
from itertools import islice
from random import Random
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hilt.training.starter.arithmetic import worked_out
from hilt.training.starter.clock import ZONES
from hilt.training.starter.conversations import conversations
from hilt.training.starter.families import draw_offer, families
from hilt.training.starter.rendering import Conversation, rendered
from hilt.training.starter.tools import draw_style
from hilt.training.starter.units import KINDS, converted

DRAWN = tuple(islice(conversations(4), 400))
COUNT_WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]


def calls_of(conversation: Conversation) -> list[tuple[int, str, dict[str, Any]]]:
    """Every call with the place of its message."""
    return [
        (at, call["function"]["name"], call["function"]["arguments"])
        for at, message in enumerate(conversation.messages)
        for call in message.get("tool_calls", ())
    ]


def test_the_same_seed_gives_the_same_conversations() -> None:
    again = [rendered(conversation) for conversation in islice(conversations(4), 60)]
    assert again == [rendered(conversation) for conversation in DRAWN[:60]]
    assert again[:20] != [rendered(conversation) for conversation in islice(conversations(5), 20)]


def test_the_same_seed_gives_the_same_conversations_in_every_process() -> None:
    program = (
        "from itertools import islice; from hilt.training.starter.conversations import conversations as c;"
        "from hilt.training.starter.rendering import rendered as r; print([r(x) for x in islice(c(4), 150)])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_every_call_is_valid_by_its_schema() -> None:
    for conversation in DRAWN:
        schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in conversation.tools}
        assert len(schemas) == len(conversation.tools)
        for _, name, arguments in calls_of(conversation):
            Draft202012Validator(schemas[name]).validate(arguments)


def test_every_call_has_one_result_and_every_request_an_answer() -> None:
    for conversation in DRAWN:
        roles = [message["role"] for message in conversation.messages]
        assert roles[-1] == "assistant"
        for at, message in enumerate(conversation.messages):
            wanted = len(message.get("tool_calls", ()))
            assert roles[at + 1 : at + 1 + wanted] == ["tool"] * wanted
            if wanted:
                assert roles[at + 1 + wanted] == "assistant"


def plain(text: str) -> str:
    """Text in which only letters, digits and single spaces count."""
    return " ".join(re.findall(r"\w+", text.casefold().replace("_", " ")))


def leaves(value: Any) -> list[Any]:
    """The single values in an argument."""
    match value:
        case list():
            return [leaf for item in value for leaf in leaves(item)]
        case _:
            return [value]


def derivable(value: Any, seen: str, schema: dict[str, Any]) -> bool:
    """Whether a value was said: word for word, as a number in any form, or as a choice that stands for words."""
    if isinstance(value, bool) or "enum" in schema or "One of" in schema.get("description", "") or value in ZONES:
        return True
    if isinstance(value, (int, float)):
        spoken = {
            str(value),
            f"{value:,}",
            f"{value:.2f}",
            *(COUNT_WORDS[value : value + 1] if isinstance(value, int) and 0 <= value <= 12 else ()),
        }
        return any(form in seen for form in spoken) or value == 1 or value == 6
    if plain(str(value)) in plain(seen):
        return True
    if "/" in str(value) and all(plain(part) in plain(seen) for part in str(value).split("/")):
        return True
    if re.fullmatch(r"\d\d:\d\d", str(value)):
        hours, minutes = (int(part) for part in str(value).split(":"))
        return str((hours + 11) % 12 + 1) in seen or f"{hours}:{minutes:02d}" in seen
    if str(value) in {unit.name for units in KINDS.values() for unit in units}:
        return True
    numbers = re.findall(r"\d+(?:\.\d+)?", str(value))
    return bool(numbers) and all(
        number in seen.replace(",", "")
        or number.rstrip("0").rstrip(".") in seen
        or number in ("1", "2", "3", "4", "5", "10", "12", "100")
        or (len(number) < 3 and COUNT_WORDS[int(float(number)) % 13] in seen)
        for number in numbers
    )


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_every_argument_can_be_known_from_what_came_before(start: int) -> None:
    for conversation in DRAWN[start : start + 100]:
        schemas = {
            tool["function"]["name"]: tool["function"]["parameters"]["properties"] for tool in conversation.tools
        }
        for at, name, arguments in calls_of(conversation):
            seen = " ".join(str(message["content"]) for message in conversation.messages[:at]).casefold()
            seen += json.dumps(
                [message.get("tool_calls") for message in conversation.messages[:at]], ensure_ascii=False
            ).casefold()
            for key, value in arguments.items():
                for leaf in leaves(value):
                    assert derivable(
                        leaf if not isinstance(leaf, str) else leaf.casefold() if leaf not in ZONES else leaf,
                        seen,
                        schemas[name][key],
                    ), (name, key, leaf, seen[-600:])


def test_results_of_the_built_in_tools_are_right() -> None:
    checked = 0
    for conversation in DRAWN:
        for message in conversation.messages:
            if message["role"] != "tool" or not message["content"].startswith('{"'):
                continue
            result = json.loads(message["content"])
            if result.keys() == {"expression", "value"}:
                assert worked_out(result["expression"]) == result["value"]
                checked += 1
            elif result.keys() == {"value", "from_unit", "to_unit", "result"}:
                for kind, units in KINDS.items():
                    named = {unit.name: unit for unit in units}
                    if result["from_unit"] in named:
                        expected = converted(
                            result["value"], named[result["from_unit"]], named[result["to_unit"]], kind
                        )
                        assert expected == pytest.approx(result["result"], rel=1e-9)
                        checked += 1
    assert checked > 100


def test_conversions_agree_with_pint() -> None:
    import pint

    registry = pint.UnitRegistry()
    for kind, units in KINDS.items():
        for source in units:
            for target in units:
                theirs = registry.Quantity(7.5, source.name).to(target.name).magnitude
                assert converted(7.5, source, target, kind) == pytest.approx(theirs, rel=1e-6, abs=1e-9), (
                    source,
                    target,
                )


@pytest.mark.parametrize("family", families(), ids=lambda family: family.id)
def test_every_family_can_be_asked_answered_and_followed(family: Any) -> None:
    rng = Random(family.id)
    for _ in range(25):
        offer = draw_offer(rng, family, draw_style(rng))
        ask = offer.ask(rng)
        assert "{" not in ask.request
        assert "[" not in ask.request
        assert ask.answer
        Draft202012Validator(offer.spec["parameters"]).validate(ask.arguments)
        vague = offer.vague(rng)
        assert (vague is None) == (not family.vague) or vague is None
        follow = offer.follow(rng, ask)
        if follow is not None:
            Draft202012Validator(offer.spec["parameters"]).validate(follow.arguments)


def test_there_are_enough_families_and_some_are_kept_from_training() -> None:
    known = families()
    assert len({family.id for family in known}) == len(known) >= 80
    assert sum(family.held_out for family in known) >= 5
    names = {name for family in known if family.held_out for name in family.names}
    offered = {tool["function"]["name"] for conversation in DRAWN for tool in conversation.tools}
    assert not names & offered
