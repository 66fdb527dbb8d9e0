"""A small language for phrasings: `[one|another|]` chooses, `{slot}` speaks a value, `{=slot:value}` sets one silently.

A phrasing that begins with a small letter is a request in the imperative ("show me ...") and may be dressed with
"please" or "can you"; one that begins with a capital stands as it is.
"""

from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TypeAlias

from hilt.training.starter.phrasing_tables import texts


@dataclass(frozen=True)
class Slot:
    """A place for the spoken form of a value."""

    name: str


@dataclass(frozen=True)
class Fixed:
    """A value that the phrasing implies without naming it; `value` is its text."""

    name: str
    value: str


@dataclass(frozen=True)
class Choice:
    """One of several phrasings."""

    options: tuple["Phrase", ...]


Part: TypeAlias = str | Slot | Fixed | Choice
Phrase: TypeAlias = tuple[Part, ...]
FlatPhrase: TypeAlias = tuple[str | Slot | Fixed, ...]


@cache
def parse(text: str) -> Phrase:
    """The parts of a phrasing. ValueError if a bracket is left open."""
    phrase, end = _parse_until(text, 0, "")
    if end != len(text):
        raise ValueError(f"stray bracket at {end} in phrasing {text!r}")
    return phrase


def _parse_until(text: str, start: int, stops: str) -> tuple[Phrase, int]:
    parts: list[Part] = []
    plain: list[str] = []
    at = start

    def flush() -> None:
        if plain:
            parts.append("".join(plain))
            plain.clear()

    while at < len(text) and text[at] not in stops:
        if text[at] == "[":
            flush()
            options: list[Phrase] = []
            while True:
                option, at = _parse_until(text, at + 1, "|]")
                options.append(option)
                if at >= len(text):
                    raise ValueError(f"open bracket in phrasing {text!r}")
                if text[at] == "]":
                    break
            parts.append(Choice(tuple(options)))
        elif text[at] == "{":
            flush()
            end = text.index("}", at)
            name = text[at + 1 : end]
            if name.startswith("="):
                slot, _, value = name[1:].partition(":")
                parts.append(Fixed(slot, value))
            else:
                parts.append(Slot(name))
            at = end
        else:
            plain.append(text[at])
        at += 1
    flush()
    return tuple(parts), at


def choose(rng: Random, phrase: Phrase) -> FlatPhrase:
    """The phrase with every choice made."""
    flat: list[str | Slot | Fixed] = []
    for part in phrase:
        if isinstance(part, Choice):
            flat.extend(choose(rng, part.options[int(rng.random() * len(part.options))]))
        else:
            flat.append(part)
    return tuple(flat)


def speak(flat: FlatPhrase, said: dict[str, str]) -> str:
    """The text of a phrase whose choices are made; `said` gives the spoken form of each slot. KeyError if one lacks."""
    return "".join(
        part if isinstance(part, str) else said[part.name] if isinstance(part, Slot) else "" for part in flat
    )


def say(rng: Random, text: str, said: dict[str, str] | None = None) -> str:
    """One way to say `text`."""
    return speak(choose(rng, parse(text)), said or {})


_ASKING = texts("phrases", "asking")
_QUESTIONS = frozenset(("can you ", "could you ", "would you ", "can you please ", "could you please "))
_AFTER = texts("phrases", "after")


def dress(rng: Random, clause: str) -> str:
    """A clause as a user might put it, with or without politeness. Only a question has a mark at its end."""
    if not clause or not clause[0].islower() or clause.endswith("?"):
        return clause
    if rng.random() < 0.38:
        before = rng.choice(_ASKING)
        clause = before + clause
        if before in _QUESTIONS:
            clause += "?"
    if rng.random() < 0.1 and not clause.endswith("?"):
        clause += rng.choice(_AFTER)
    return clause


def lower_start(text: str) -> str:
    """`text` as the middle of a sentence, except where it begins with I, an abbreviation, a name or a quotation."""
    first = text.split(" ", 1)[0]
    if first in {"I", "I'm", "I'd", "I've", "I'll"} or not text[:1].isupper() or not text[1:2].islower():
        return text
    return text[0].lower() + text[1:]


def upper_start(text: str) -> str:
    """`text` as the start of a sentence."""
    return text[:1].upper() + text[1:]


def ended(text: str, mark: str = ".") -> str:
    """`text` with a mark at its end, unless it has one."""
    return text if text.endswith((".", "?", "!", ":", ")")) else text + mark


def listed(items: list[str], word: str = "and") -> str:
    """a, b and c."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"


def joined_requests(rng: Random, clauses: list[str]) -> str:
    """Several clauses as one request; they are dressed and without their final stop."""
    bare = [clause.rstrip("?") for clause in clauses]
    questions = [clause.endswith("?") for clause in clauses]
    style = int(rng.random() * 7)
    if style == 0 or (style == 1 and len(clauses) > 2):
        return " ".join(upper_start(ended(clause)) for clause in clauses)
    if style == 1:
        link = rng.choice(("And ", "Also, ", "Also ", "and "))
        return f"{upper_start(ended(clauses[0]))} {link}{lower_start(clauses[1])}"
    rest = [lower_start(clause) for clause in bare[1:]]
    mark = "?" if questions[-1] else ""
    if len(clauses) == 2:
        link = rng.choice(
            (", and ", " and ", ", and ", " and ", ", and also ", "; ", ", also ", " and also ", ", plus ", ", ")
        )
        return f"{bare[0]}{link}{rest[0]}{mark}"
    middle = ", ".join([bare[0], *rest[:-1]])
    return f"{middle}{rng.choice((', and ', ' and ', ', and also '))}{rest[-1]}{mark}"


def written(rng: Random, request: str) -> str:
    """A request as it is typed: with or without capital and final mark."""
    style = rng.random()
    if rng.random() < 0.05:
        for short, bare in (
            ("What's", "Whats"),
            ("what's", "whats"),
            ("I'm", "Im"),
            ("don't", "dont"),
            ("Don't", "Dont"),
            ("How's", "Hows"),
        ):
            request = request.replace(short, bare)
    if style < 0.3:
        return request.rstrip("?.") if rng.random() < 0.6 else request
    if style < 0.36:
        return lower_start(request) + ("" if request.endswith(("?", ".", "!")) else ".")
    return upper_start(ended(request) if rng.random() < 0.8 else request)


def joined_sentences(answers: list[str]) -> str:
    """Several answers one after the other; texts of several lines are kept apart by an empty line."""
    return ("\n\n" if any("\n" in answer for answer in answers) else " ").join(answers)


def joined_answers(rng: Random, answers: list[str]) -> str:
    """Several full sentences as one answer; two short ones become one sentence."""
    if len(answers) == 1:
        return answers[0]
    if (
        len(answers) == 2
        and len(answers[0]) + len(answers[1]) < 160
        and "\n" not in answers[0] + answers[1]
        and ". " not in answers[0]
    ):
        return f"{answers[0].rstrip('.')}, and {lower_start(answers[1])}"
    return joined_sentences(answers)
