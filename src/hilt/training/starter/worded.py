"""Tools about anything: their names and descriptions share words with the requests for them, and nothing else helps.

The words are drawn from a long list, so no combination is seen often enough to be known: the model has to find the
words of a request in the catalogue. Four sorts: an attribute of a thing, an action on a thing, something between two
ends, and a choice among kinds that only the schema names.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from hilt.training.starter import phrases
from hilt.training.starter.lexicon import invented_word, pick
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

_THINGS = ("word_new", "person", "code", "city", "title", "book", "company", "product", "color", "word", "int 1 9999")
_ENDS = ("isodate", "city", "int 1 900", "hhmm", "date", "word_new", "person")
_VALUES = (
    "int 0 99999",
    "number 0 900 2",
    "word_new",
    "person",
    "code",
    "color",
    "isodate",
    "text",
    "city",
    "number 0 9 1",
)


@dataclass(frozen=True)
class _Slot:
    """One parameter: the letter that stands for it in the phrasings, its name, label and sort."""

    letter: str
    name: str
    label: str
    sort: str
    schema: dict[str, Any]
    about: str


def _noun(rng: Random) -> str:
    if rng.random() < 0.12:
        return invented_word(rng)
    word = pick(rng, "common")
    return f"{word} {pick(rng, 'common')}" if rng.random() < 0.3 else word


_SPAN_NAMES = (
    ("start", "end"),
    ("from", "to"),
    ("origin", "destination"),
    ("start_date", "end_date"),
    ("a", "b"),
    ("from_point", "to_point"),
    ("begin", "until"),
)


def draw_offer(rng: Random, style: Style) -> Offer:
    """One tool of one of the four sorts."""
    return rng.choice((_attribute, _attribute, _action, _action, _span, _kind))(rng, style)


def _attribute(rng: Random, style: Style) -> Offer:
    attribute, thing = _noun(rng), _noun(rng)
    sort = rng.choice(_THINGS)
    name = rng.choice((thing, "name", f"{thing} name", "query", "item", "id", thing, "value", "input"))
    slot = _Slot("v", name.replace(" ", "_"), thing, sort, sort_of(sort).schema, f"The {name}.")
    words = {"a": attribute, "t": thing, "A": attribute.capitalize(), "T": thing.capitalize()}
    result = attribute.replace(" ", "_") if rng.random() < 0.7 else rng.choice(("result", "value", "answer"))
    return _offer(rng, style, "attribute", words, (slot,), result, rng.choice(_VALUES))


def _action(rng: Random, style: Style) -> Offer:
    verb, noun = rng.choice(texts("worded", "verbs")), _noun(rng)
    sort = rng.choice(_THINGS)
    name = rng.choice((noun, "what", "name", "target", f"{noun} id", "object"))
    words = {"v": verb, "n": noun, "V": verb.capitalize(), "N": noun.capitalize()}
    slot = _Slot("x", name.replace(" ", "_"), noun, sort, sort_of(sort).schema, f"The {noun}.")
    return _offer(rng, style, "action", words, (slot,), "status", "")


def _span(rng: Random, style: Style) -> Offer:
    noun, kind, sort = _noun(rng), _noun(rng), rng.choice(_ENDS)
    first, second = rng.choice(_SPAN_NAMES)
    words = {"n": noun, "k": kind, "N": noun.capitalize()}
    slots = (
        _Slot("a", first, "start", sort, sort_of(sort).schema, f"Where the {noun} starts."),
        _Slot("b", second, "end", sort, sort_of(sort).schema, f"Where the {noun} ends."),
    )
    return _offer(rng, style, "span", words, slots, rng.choice(("status", "result", noun.replace(" ", "_"))), "")


def _kind(rng: Random, style: Style) -> Offer:
    noun = _noun(rng)
    kinds = list(dict.fromkeys(_noun(rng) for _ in range(rng.randrange(3, 8))))
    sort = f"pick {'|'.join(kinds)}"
    listed = rng.random() < 0.35
    schema = {"type": "string"} if listed else {"type": "string", "enum": kinds}
    about = f"One of {', '.join(kinds)}." if listed else f"The kind of {noun}."
    slot = _Slot("x", rng.choice(("kind", "type", noun.replace(" ", "_"), "choice")), noun, sort, schema, about)
    words = {"n": noun, "N": noun.capitalize()}
    offer = _offer(rng, style, "kind", words, (slot,), "status", "", keeps_about=listed)
    return Offer(
        offer.spec, offer.topics | {f"word:{part}" for kind in kinds for part in kind.split()}, offer.ask, offer.vague
    )


def _offer(
    rng: Random,
    style: Style,
    sort: str,
    words: dict[str, str],
    slots: tuple[_Slot, ...],
    result: str,
    value: str,
    keeps_about: bool = False,
) -> Offer:
    snake = {key: word.replace(" ", "_").lower() for key, word in words.items()}
    name = style.naming(modified_name(rng, rng.choice(texts("worded", f"{sort}_names")).format(**snake)))
    named = {slot.letter: style.naming(slot.name) for slot in slots}
    properties = {named[slot.letter]: {**slot.schema, "description": slot.about} for slot in slots}
    about = rng.choice(texts("worded", f"{sort}_abouts")).format(**words)
    shown = parameters_schema(properties, list(properties), None if keeps_about else style)
    spec = function_spec(name, about, shown, style)
    topics = frozenset(f"word:{part}" for word in words.values() for part in word.lower().split())
    tool = _Tool(name, sort, words, slots, named, result, value)
    return Offer(spec, topics, tool.ask, tool.vague)


@dataclass(frozen=True)
class _Tool:
    name: str
    sort: str
    words: dict[str, str]
    slots: tuple[_Slot, ...]
    named: dict[str, str]
    field: str
    value: str

    def _drawn(self, rng: Random) -> dict[str, Drawn]:
        return {slot.letter: sort_of(slot.sort).draw(rng) for slot in self.slots}

    def _said(self, drawn: dict[str, Drawn]) -> dict[str, str]:
        return self.words | {letter: one.said for letter, one in drawn.items()}

    def _complete(self, rng: Random, request: str, drawn: dict[str, Drawn]) -> Ask:
        value = sort_of(self.value).draw(rng).value if self.value else rng.choice(texts("worded", "states"))
        shown = (
            self.words | {letter: shown_value(one.value) for letter, one in drawn.items()} | {"r": shown_value(value)}
        )
        answer = phrases.upper_start(rng.choice(texts("worded", f"{self.sort}_answers")).format(**shown))
        arguments = {self.named[slot.letter]: drawn[slot.letter].value for slot in self.slots}
        return Ask(request, self.name, arguments, {self.field: value}, answer)

    def ask(self, rng: Random) -> Ask:
        drawn = self._drawn(rng)
        text = rng.choice(texts("worded", f"{self.sort}_asks"))
        return self._complete(rng, text.format(**self._said(drawn)), drawn)

    def vague(self, rng: Random) -> Vague | None:
        drawn = self._drawn(rng)
        text = rng.choice(texts("worded", f"{self.sort}_vagues"))
        missing = [slot for slot in self.slots if f"{{{slot.letter}}}" not in text]
        if not missing:
            return None
        labels = [slot.label for slot in missing]
        question = f"Which {labels[0]}?" if len(labels) == 1 else f"I still need the {phrases.listed(labels)}."
        request = text.format(**self._said(drawn))
        reply = ", ".join(drawn[slot.letter].said for slot in missing)
        return Vague(request, question, reply, self._complete(rng, request, drawn))
