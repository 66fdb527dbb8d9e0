"""Realistic tools, read from families/*.toml: each family is data, and becomes a differently named tool each time."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from hilt.training.starter import phrases
from hilt.training.starter.phrases import Fixed, FlatPhrase, Slot
from hilt.training.starter.tools import (
    Ask,
    Offer,
    Style,
    Vague,
    function_spec,
    modified_name,
    parameters_schema,
    shown_value,
)
from hilt.training.starter.values import Drawn, sort_of


@dataclass(frozen=True)
class SlotPlan:
    """One parameter of a family: its sort, the names that it may have, its descriptions and how to ask for it."""

    sort: str
    names: tuple[str, ...]
    about: tuple[str, ...]
    optional: bool
    question: str
    label: str


@dataclass(frozen=True)
class Family:
    """One kind of tool as its data file gives it; families/README.md explains the fields."""

    id: str
    topics: frozenset[str]
    names: tuple[str, ...]
    about: tuple[str, ...]
    slots: dict[str, SlotPlan]
    ask: tuple[str, ...]
    vague: tuple[str, ...]
    follow: tuple[str, ...]
    result: dict[str, str]
    answer: dict[str, tuple[str, ...]]
    held_out: bool


def _slot_plan(name: str, entry: str | dict[str, Any]) -> SlotPlan:
    fields: dict[str, Any] = {"sort": entry} if isinstance(entry, str) else entry
    sort = str(fields["sort"])
    label = str(fields.get("label", name.replace("_", " ")))
    return SlotPlan(
        sort=sort,
        names=tuple(fields.get("names", (name,))),
        about=tuple(fields.get("about", sort_of(sort).about)),
        optional=bool(fields.get("optional", False)),
        question=str(fields.get("question", f"Which {label}?")),
        label=label,
    )


def _answers(given: dict[str, list[str]] | list[str]) -> dict[str, tuple[str, ...]]:
    if isinstance(given, list):
        return {"": tuple(given)}
    return {condition: tuple(sentences) for condition, sentences in given.items()}


def _family(entry: dict[str, Any]) -> Family:
    return Family(
        id=entry["id"],
        topics=frozenset(entry.get("topics", (entry["id"],))),
        names=tuple(entry["names"]),
        about=tuple(entry["about"]),
        slots={name: _slot_plan(name, slot) for name, slot in entry.get("slots", {}).items()},
        ask=tuple(entry["ask"]),
        vague=tuple(entry.get("vague", ())),
        follow=tuple(entry.get("follow", ())),
        result=dict(entry["result"]),
        answer=_answers(entry["answer"]),
        held_out=bool(entry.get("held_out", False)),
    )


@cache
def families() -> tuple[Family, ...]:
    """All families, in the order of their files."""
    found: list[Family] = []
    for path in sorted(Path(__file__).with_name("families").glob("*.toml")):
        with path.open("rb") as file:
            found.extend(_family(entry) for entry in tomllib.load(file)["family"])
    return tuple(found)


def draw_offer(rng: Random, family: Family, style: Style) -> Offer:
    """The family as one tool: a name, a description, parameter names, and some optional parameters left out."""
    kept = {slot: plan for slot, plan in family.slots.items() if not plan.optional or rng.random() < 0.7}
    named = {slot: style.naming(rng.choice(plan.names)) for slot, plan in kept.items()}
    if len(set(named.values())) < len(named):
        named = {slot: style.naming(plan.names[0]) for slot, plan in kept.items()}
    properties: dict[str, dict[str, Any]] = {}
    order = list(kept)
    if rng.random() < 0.15:
        rng.shuffle(order)
    for slot in order:
        plan = kept[slot]
        schema = dict(sort_of(plan.sort).schema)
        if "enum" in schema and rng.random() < 0.15:
            del schema["enum"]
            about = f"One of {', '.join(sort_of(plan.sort).schema['enum'])}."
        else:
            about = rng.choice(plan.about) if plan.about else f"The {plan.label}."
        schema["description"] = about
        properties[named[slot]] = schema
    required = [named[slot] for slot in order if not kept[slot].optional]
    about = phrases.say(rng, rng.choice(family.about))
    spec = function_spec(
        style.naming(modified_name(rng, rng.choice(family.names))),
        about,
        parameters_schema(properties, required, style),
        style,
    )
    tool = _FamilyTool(family, str(spec["name"]), named, order)
    return Offer(spec, family.topics, tool.ask, tool.vague, tool.follow)


@dataclass(frozen=True)
class _FamilyTool:
    family: Family
    name: str
    named: dict[str, str]
    order: list[str]

    def _chosen(self, rng: Random, texts: tuple[str, ...]) -> FlatPhrase:
        """A phrasing that mentions offered slots only."""
        for _ in range(40):
            flat = phrases.choose(rng, phrases.parse(texts[int(rng.random() * len(texts))]))
            if all(isinstance(part, str) or part.name in self.named for part in flat):
                return flat
        raise ValueError(f"family {self.family.id} has no phrasing that does without its optional slots")

    def _drawn(self, rng: Random, flat: FlatPhrase) -> dict[str, Drawn]:
        drawn: dict[str, Drawn] = {}
        for part in flat:
            if isinstance(part, Slot) and part.name not in drawn:
                value = sort_of(self.family.slots[part.name].sort).draw(rng)
                drawn[part.name] = value
            elif isinstance(part, Fixed):
                drawn[part.name] = Drawn(part.value, _typed(part.value, self.family.slots[part.name].sort))
        return drawn

    def _complete(self, rng: Random, request: str, drawn: dict[str, Drawn]) -> Ask:
        missing = [slot for slot in self.order if not self.family.slots[slot].optional and slot not in drawn]
        if missing:
            raise ValueError(f"family {self.family.id}: {request!r} leaves out {missing}")
        arguments = {self.named[slot]: drawn[slot].value for slot in self.order if slot in drawn}
        result = self._result(rng, drawn)
        return Ask(request, self.name, arguments, result, self._answer(rng, drawn, result))

    def _result(self, rng: Random, drawn: dict[str, Drawn]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name, field in self.family.result.items():
            spec = field.removesuffix(" ?")
            if spec != field and rng.random() < 0.4:
                continue
            if spec.startswith("="):
                if spec[1:] in drawn:
                    result[name] = drawn[spec[1:]].value
            elif spec == "flag":
                result[name] = rng.random() < 0.6
            elif spec in {"true", "false"}:
                result[name] = spec == "true"
            else:
                result[name] = sort_of(spec).draw(rng).value
        return result

    def _answer(self, rng: Random, drawn: dict[str, Drawn], result: dict[str, Any]) -> str:
        for key, texts in self.family.answer.items():
            name, _, wanted = key.partition("=")
            if key and str(result.get(name)).lower() != wanted:
                continue
            values = {slot: shown_value(one.value) for slot, one in drawn.items()}
            values |= {field: shown_value(value) for field, value in result.items()}
            able = [text for text in texts if _slots_of(text) <= values.keys()]
            if able:
                told = [len(_slots_of(text) & result.keys()) for text in able]
                fullest = [text for text, count in zip(able, told, strict=True) if count == max(told)]
                return _sentence(phrases.choose(rng, phrases.parse(rng.choice(fullest))), values)
        raise ValueError(f"family {self.family.id} has no answer for {result}")

    def ask(self, rng: Random) -> Ask:
        flat = self._chosen(rng, self.family.ask)
        drawn = self._drawn(rng, flat)
        return self._complete(rng, phrases.speak(flat, {slot: one.said for slot, one in drawn.items()}), drawn)

    def vague(self, rng: Random) -> Vague | None:
        if not self.family.vague:
            return None
        flat = self._chosen(rng, self.family.vague)
        drawn = self._drawn(rng, flat)
        request = phrases.speak(flat, {slot: one.said for slot, one in drawn.items()})
        missing = [slot for slot in self.order if not self.family.slots[slot].optional and slot not in drawn]
        if not missing:
            return None
        plans = [self.family.slots[slot] for slot in missing]
        if len(plans) == 1:
            question = plans[0].question
        else:
            question = f"I still need the {phrases.listed([plan.label for plan in plans])}."
        for slot in missing:
            drawn[slot] = sort_of(self.family.slots[slot].sort).draw(rng)
        reply = ", ".join(drawn[slot].said for slot in missing)
        return Vague(request, question, reply, self._complete(rng, request, drawn))

    def follow(self, rng: Random, ask: Ask) -> Ask | None:
        if not self.family.follow or ask.tool != self.name:
            return None
        flat = self._chosen(rng, self.family.follow)
        drawn = {
            slot: Drawn(shown_value(ask.arguments[name]), ask.arguments[name])
            for slot, name in self.named.items()
            if name in ask.arguments
        }
        changed = self._drawn(rng, flat)
        request = phrases.speak(flat, {slot: one.said for slot, one in changed.items()})
        return self._complete(rng, request, drawn | changed)


def _sentence(flat: FlatPhrase, values: dict[str, str]) -> str:
    """An answer with a capital, except where it begins with a name that has digits or signs in it."""
    text = phrases.speak(flat, values)
    first = flat[0]
    named = isinstance(first, Slot) and not values[first.name].replace(" ", "").isalpha()
    return text if named else phrases.upper_start(text)


@cache
def _slots_of(text: str) -> frozenset[str]:
    names: set[str] = set()

    def walk(phrase: phrases.Phrase) -> None:
        for part in phrase:
            if isinstance(part, Slot):
                names.add(part.name)
            elif isinstance(part, phrases.Choice):
                for option in part.options:
                    walk(option)

    walk(phrases.parse(text))
    return frozenset(names)


def _typed(text: str, sort: str) -> Any:
    match sort_of(sort).schema["type"]:
        case "integer":
            return int(text)
        case "number":
            return float(text) if "." in text else int(text)
        case "boolean":
            return text == "true"
        case _:
            return text
