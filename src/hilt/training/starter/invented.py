"""Tools that no family describes: verbs put together with nouns, or with words that mean nothing.

They teach the model to choose by what a catalogue says and to copy what a user says, whatever the domain.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from hilt.training.starter import lexicon, phrases
from hilt.training.starter.lexicon import invented_word
from hilt.training.starter.phrasing_tables import texts
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
class Words:
    """The contents of invented.toml."""

    nouns: tuple[str, ...]
    acts: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]]
    parameters: dict[str, tuple[str, tuple[str, ...]]]
    fields: dict[str, tuple[str, tuple[str, ...]]]


@cache
def words() -> Words:
    """Verbs, nouns, parameters and result fields."""
    with Path(__file__).with_name("invented.toml").open("rb") as file:
        read = tomllib.load(file)
    return Words(
        nouns=tuple(read["nouns"]),
        acts={sense: (tuple(verbs), tuple(said), past) for sense, (verbs, said, past) in read["acts"].items()},
        parameters={name: (sort, tuple(said)) for name, (sort, *said) in read["parameters"].items()},
        fields={name: (sort, tuple(said)) for name, (sort, *said) in read["fields"].items()},
    )


_PLAIN_SORTS = texts("invented", "plain_sorts")
_PLAIN_CLAUSES = texts("invented", "plain_clauses")


@dataclass(frozen=True)
class _Parameter:
    name: str
    label: str
    sort: str
    clauses: tuple[str, ...]
    optional: bool


@dataclass(frozen=True)
class _Thing:
    """One kind of thing that a drawn tool works on."""

    noun: str
    label: str
    plural: str


def _thing(rng: Random, noun: str | None = None) -> _Thing:
    if noun is None:
        noun = invented_word(rng) if rng.random() < 0.3 else rng.choice(words().nouns)
    label = noun.replace("_", " ")
    plural = (
        f"{label[:-1]}ies"
        if label.endswith("y") and label[-2] not in "aeou"
        else f"{label}es"
        if label.endswith(("s", "x", "ch", "sh"))
        else f"{label}s"
    )
    return _Thing(noun, label, plural)


def _parameters(rng: Random, count: int) -> list[_Parameter]:
    known = words().parameters
    drawn: list[_Parameter] = []
    for name in rng.sample(sorted(known), count):
        if rng.random() < 0.25:
            label = invented_word(rng) if rng.random() < 0.6 else f"{invented_word(rng, 1)} {name.split('_')[0]}"
            drawn.append(
                _Parameter(label.replace(" ", "_"), label, rng.choice(_PLAIN_SORTS), _PLAIN_CLAUSES, rng.random() < 0.4)
            )
        else:
            sort, clauses = known[name]
            label = name.removesuffix("_kg").removesuffix("_minutes").replace("_", " ")
            drawn.append(
                _Parameter(
                    name,
                    label,
                    sort,
                    clauses if rng.random() < 0.75 or sort.startswith("flag") else _PLAIN_CLAUSES,
                    rng.random() < 0.5,
                )
            )
    return drawn


def draw_offers(rng: Random, count: int, style: Style) -> list[Offer]:
    """`count` tools, some on the same thing or with the same verb, so that a name alone does not decide."""
    offers: dict[str, Offer] = {}
    senses = sorted(words().acts)
    thing, sense = _thing(rng), rng.choice(senses)
    while len(offers) < count:
        close = rng.random()
        if close > 0.4:
            thing = _thing(rng)
        if close < 0.25 or close > 0.5:
            sense = rng.choice((*senses, "get", "get", "get", "list", "list", "create", "create", "pseudo", "pseudo"))
        offer = _offer(rng, sense, thing, style)
        if not any(offer.topics & other.topics for other in offers.values()):
            offers.setdefault(offer.name, offer)
    return list(offers.values())


def _offer(rng: Random, sense: str, thing: _Thing, style: Style) -> Offer:
    if sense == "pseudo":
        verb = invented_word(rng)
        said, past = (verb,), "done"
    else:
        verbs, said, past = words().acts[sense]
        verb = rng.choice(verbs)
    noun_first = rng.random() < 0.1
    target = f"{thing.noun}s" if sense == "list" and thing.noun[-1] not in "sxhy" and rng.random() < 0.7 else thing.noun
    name = modified_name(rng, f"{target}_{verb}" if noun_first else f"{verb}_{target}")
    parameters = _parameters(
        rng, rng.choice((0, 0, 1, 1, 2, 3) if sense not in ("create", "list") else (0, 1, 1, 2, 3))
    )
    if sense == "update" and not parameters:
        parameters = _parameters(rng, 1)
    key = _key(rng, sense, thing)
    every = ([key] if key else []) + [one for one in parameters if key is None or one.name != key.name]
    named = {one.name: style.naming(one.name) for one in every}
    properties: dict[str, dict[str, Any]] = {}
    for one in every:
        schema = dict(sort_of(one.sort).schema)
        schema["description"] = rng.choice(
            (
                f"The {one.label}.",
                f"The {one.label} of the {thing.label}.",
                f"{one.label.capitalize()}.",
                one.label.capitalize(),
            )
        )
        properties[named[one.name]] = schema
    required = [named[one.name] for one in every if not one.optional]
    about = rng.choice(
        (
            f"{said[0].capitalize()} a {thing.label}.",
            f"{verb.capitalize()} a {thing.label}.",
            f"{rng.choice(said).capitalize()} {thing.plural}.",
            f"{said[0].capitalize()} the {thing.label} with the given {every[0].label if every else 'name'}.",
        )
    )
    if sense == "list":
        about = rng.choice(
            (f"List {thing.plural}.", f"Find {thing.plural}.", f"Search the {thing.plural}.", f"All {thing.plural}.")
        )
    elif sense == "get":
        about = rng.choice(
            (
                f"Get a {thing.label}.",
                f"Details of a {thing.label}.",
                f"Look up a {thing.label}.",
                f"Returns the {thing.label}.",
            )
        )
    spec = function_spec(style.naming(name), about, parameters_schema(properties, required, style), style)
    tool = _Tool(str(spec["name"]), sense, thing, said, past, key, tuple(every), named)
    return Offer(spec, frozenset({f"{sense if sense != 'pseudo' else verb}:{thing.noun}"}), tool.ask, tool.vague)


def _key(rng: Random, sense: str, thing: _Thing) -> _Parameter | None:
    if sense == "list":
        return None
    if sense == "create":
        return _Parameter(
            rng.choice(("name", "title", "name")), "name", "title" if rng.random() < 0.6 else "word_new", (), False
        )
    name = rng.choice(
        (f"{thing.noun}_id", "id", f"{thing.noun}", "name", f"{thing.noun}_name", "number", f"{thing.noun}_number")
    )
    sort = (
        rng.choice(("code", "code", "int 1 9999"))
        if name.endswith(("id", "number"))
        else rng.choice(("word_new", "code", "title", "song"))
    )
    return _Parameter(
        name,
        "name"
        if name.endswith("name")
        else "id"
        if name.endswith("id")
        else "number"
        if name.endswith("number")
        else "name",
        sort,
        (),
        False,
    )


@dataclass(frozen=True)
class _Tool:
    name: str
    sense: str
    thing: _Thing
    said: tuple[str, ...]
    past: str
    key: _Parameter | None
    every: tuple[_Parameter, ...]
    named: dict[str, str]

    def ask(self, rng: Random) -> Ask:
        drawn: dict[str, Drawn] = {}
        clauses: list[str] = []
        for one in self.every:
            if one is self.key or not one.optional or rng.random() < 0.5:
                drawn[one.name] = sort_of(one.sort).draw(rng)
        for one in self.every:
            if one is not self.key and one.name in drawn:
                clauses.append(rng.choice(one.clauses).format(v=drawn[one.name].said, l=one.label))
        if rng.random() < 0.4:
            rng.shuffle(clauses)
        return self._complete(rng, drawn, clauses)

    def _head(self, rng: Random, drawn: dict[str, Drawn]) -> str:
        verb = rng.choice(self.said)
        label = self.thing.label
        if self.key is None:
            return f"{verb} {rng.choice(('the ', 'all ', 'our ', 'my ', '', 'all the '))}{self.thing.plural}"
        key = drawn[self.key.name].said
        if self.sense == "create":
            head = rng.choice(
                (
                    f"{verb} a {label} called {key}",
                    f"{verb} a new {label} named {key}",
                    f"{verb} the {label} {key}",
                    f"{verb} a {label} with the name {key}",
                    f"I need a {label} called {key}",
                )
            )
        else:
            article = rng.choice(("the ", "the ", "", "our "))
            named = {"name": " called ", "number": " number "}.get(self.key.label, " ")
            link = rng.choice((" ", " ", " ", f" with the {self.key.label} ", named))
            head = f"{verb} {article}{label}{link}{key}"
        return head

    def _complete(self, rng: Random, drawn: dict[str, Drawn], clauses: Sequence[str]) -> Ask:
        arguments = {self.named[one.name]: drawn[one.name].value for one in self.every if one.name in drawn}
        head = self._head(rng, drawn)
        tail = rng.choice((" ", " ", ", ")).join(clauses)
        if len(clauses) == 2 and rng.random() < 0.4:
            tail = " and ".join(clauses)
        request = f"{head}{', ' if tail.startswith('and ') else ' '}{tail}" if tail else head
        if self.sense == "get":
            return self._ask_get(rng, drawn, arguments, request)
        if self.sense == "list":
            return self._ask_list(rng, arguments, request)
        key = shown_value(drawn[self.key.name].value) if self.key else ""
        result: dict[str, Any] = {"status": rng.choice(("ok", "success", self.past, self.past))}
        answer = f"The {self.thing.label} {key} is {self.past}."
        if self.sense == "create" or rng.random() < 0.2:
            result["id"] = rng.choice((lexicon.code(rng), rng.randrange(1, 9999)))
            answer = f"The {self.thing.label} {key} is {self.past}, with the id {result['id']}."
        elif rng.random() < 0.3:
            field, (sort, _) = rng.choice(sorted(words().fields.items()))
            result[field] = sort_of(sort).draw(rng).value
            answer = (
                f"The {self.thing.label} {key} is {self.past}; its {_label(field)} is {shown_value(result[field])}."
            )
        if rng.random() < 0.3 and self.key is not None:
            result = {self.named[self.key.name]: drawn[self.key.name].value, **result}
        return Ask(request, self.name, arguments, result, answer)

    def _ask_get(self, rng: Random, drawn: dict[str, Drawn], arguments: dict[str, Any], request: str) -> Ask:
        fields = rng.sample(sorted(words().fields), rng.randrange(1, 5))
        result = {field: sort_of(words().fields[field][0]).draw(rng).value for field in fields}
        result |= any_fields(rng, rng.choice((0, 0, 1, 2, 3)))
        key = drawn[self.key.name] if self.key else Drawn("", "")
        if rng.random() < 0.5:
            field = rng.choice(list(result))
            if field in words().fields and rng.random() < 0.6:
                request = f"{rng.choice(words().fields[field][1])} the {self.thing.label} {key.said}"
            else:
                request = rng.choice(_FIELD_QUESTIONS).format(
                    l=_label(field), t=f"{rng.choice(('the ', ''))}{self.thing.label} {key.said}"
                )
            clauses = [
                rng.choice(one.clauses).format(v=drawn[one.name].said, l=one.label)
                for one in self.every
                if one is not self.key and one.name in drawn
            ]
            request = f"{' '.join([request, *clauses])}?"
            thing = f"{self.thing.label} {shown_value(key.value)}"
            answer = f"The {_label(field)} of the {thing} is {shown_value(result[field])}."
        else:
            told = [f"the {_label(field)} is {shown_value(value)}" for field, value in result.items()]
            answer = f"For the {self.thing.label} {shown_value(key.value)}, {phrases.listed(told)}."
        if rng.random() < 0.3 and self.key is not None:
            result = {self.named[self.key.name]: key.value, **result}
        return Ask(request, self.name, arguments, result, answer)

    def _ask_list(self, rng: Random, arguments: dict[str, Any], request: str) -> Ask:
        names = list(
            dict.fromkeys(
                str(sort_of(rng.choice(("word_new", "code", "title"))).draw(rng).value)
                for _ in range(rng.choice((0, 1, 2, 3, 4)))
            )
        )
        shape = rng.random()
        entries: list[Any] = list(names)
        if shape < 0.5:
            entries = [{"id": rng.randrange(1, 9999), "name": name} for name in names]
        result: Any = {rng.choice(("results", "items", self.thing.noun, "entries")): entries}
        if rng.random() < 0.3:
            result = {"count": len(names), **result}
        if shape > 0.85:
            result = entries
        if not names:
            answer = f"There are no {self.thing.plural}."
        elif len(names) == 1:
            answer = f"There is one {self.thing.label}: {names[0]}."
        else:
            answer = f"There are {len(names)} {self.thing.plural}: {phrases.listed(names)}."
        return Ask(request, self.name, arguments, result, answer)

    def vague(self, rng: Random) -> Vague | None:
        needed = [one for one in self.every if not one.optional]
        if not needed or self.sense == "list":
            return None
        missing = needed if rng.random() < 0.5 else [rng.choice(needed)]
        drawn = {one.name: sort_of(one.sort).draw(rng) for one in needed}
        verb, label = rng.choice(self.said), self.thing.label
        if self.key in missing:
            request = f"{verb} {rng.choice(('the', 'a', 'that', 'my'))} {label}"
        else:
            request = self._head(rng, drawn)
        clauses = [
            rng.choice(one.clauses).format(v=drawn[one.name].said, l=one.label)
            for one in needed
            if one is not self.key and one not in missing
        ]
        request = " ".join([request, *clauses])
        question = (
            f"What is the {missing[0].label}?"
            if len(missing) == 1
            else f"I still need the {phrases.listed([one.label for one in missing])}."
        )
        reply = ", ".join(drawn[one.name].said for one in missing)
        return Vague(request, question, reply, self._complete(rng, drawn, []))


_FIELD_QUESTIONS = texts("invented", "field_questions")


def any_fields(rng: Random, count: int) -> dict[str, Any]:
    """Result fields that could be called anything."""
    found: dict[str, Any] = {}
    for _ in range(count):
        label = lexicon.pick(rng, "common") if rng.random() < 0.7 else invented_word(rng)
        if rng.random() < 0.3:
            label = f"{label}_{lexicon.pick(rng, 'common')}"
        sort = rng.choice((*_PLAIN_SORTS, "text", "number 1 5000 2", "email", "title", "int 0 100000", "company"))
        found[label] = sort_of(sort).draw(rng).value
    return found


def _label(field: str) -> str:
    return field.removesuffix("_kg").removesuffix("_percent").replace("_", " ")
