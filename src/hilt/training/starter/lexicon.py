"""The words that fill requests, read once from lexicon.toml, and invented words for names that no list holds."""

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

ONSETS = (
    "b",
    "br",
    "c",
    "ch",
    "cl",
    "d",
    "dr",
    "f",
    "fl",
    "g",
    "gl",
    "gr",
    "h",
    "j",
    "k",
    "kl",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "pr",
    "qu",
    "r",
    "s",
    "sh",
    "sk",
    "sl",
    "sn",
    "st",
    "t",
    "th",
    "tr",
    "v",
    "w",
    "y",
    "z",
)
VOWELS = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "ea", "ee", "ou", "oa")
CODAS = ("", "", "", "n", "r", "l", "s", "t", "k", "m", "nd", "sk", "x", "p", "rn", "lt")

_SINGLE = {"thing": "things", "topic": "topics", "document": "documents", "bill": "bills", "room": "rooms",
           "animal": "animals", "city": "cities", "weekday": "weekdays", "book": "books", "movie": "movies",
           "language": "languages", "dish": "dishes", "company": "companies", "song": "songs",
           "last": "last_names"}  # fmt: skip


@cache
def lexicon() -> dict[str, tuple[str, ...]]:
    """Every word list by its name."""
    with Path(__file__).with_name("lexicon.toml").open("rb") as file:
        return {name: tuple(words) for name, words in tomllib.load(file).items()}


def pick(rng: Random, name: str) -> str:
    """One word of the list `name`."""
    words = lexicon()[name]
    return words[int(rng.random() * len(words))]


def invented_word(rng: Random, syllables: int | None = None) -> str:
    """A lower-case word of 1 to 3 syllables that (nearly always) means nothing."""
    count = syllables or (1, 2, 2, 2, 3)[int(rng.random() * 5)]
    return "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(count))


def code(rng: Random) -> str:
    """A password or reference of letters and digits."""
    match int(rng.random() * 4):
        case 0:
            return f"{invented_word(rng)}{rng.randrange(10, 9999)}"
        case 1:
            return f"{rng.choice('ABCDEFGHKLMNPRSTX')}{rng.choice('ABCDEFGHKLMNPRSTX')}-{rng.randrange(100, 99999)}"
        case 2:
            return str(rng.randrange(1000, 999999))
        case _:
            return f"{rng.choice(('INV', 'ORD', 'T', 'REF', 'PO', 'CASE', 'BK'))}-{rng.randrange(10, 99999)}"


def hour(rng: Random) -> str:
    """A time of day as people write it."""
    match int(rng.random() * 4):
        case 0:
            return f"{rng.randrange(1, 13)} {rng.choice(('am', 'pm'))}"
        case 1:
            return f"{rng.randrange(1, 13)}:{rng.choice(('00', '15', '30', '45'))} {rng.choice(('am', 'pm'))}"
        case 2:
            return f"{rng.randrange(0, 24)}:{rng.randrange(0, 60):02d}"
        case _:
            return f"{rng.randrange(1, 13)}:{rng.choice(('05', '10', '15', '20', '30', '40', '45', '50'))}"


def day(rng: Random) -> str:
    """A date as people write it."""
    match int(rng.random() * 6):
        case 0:
            return rng.choice(("today", "tomorrow", "tonight", "the day after tomorrow", "next week"))
        case 1:
            return rng.choice(("", "", "next ", "this ")) + pick(rng, "weekdays")
        case 2:
            return f"{rng.randrange(1, 31)} {pick(rng, 'months')}"
        case 3:
            return f"{pick(rng, 'months')} {rng.randrange(1, 31)}"
        case 4:
            return iso_day(rng)
        case _:
            return f"{pick(rng, 'months')} {rng.randrange(1, 29)}, {rng.randrange(2024, 2029)}"


def iso_day(rng: Random) -> str:
    """A date as YYYY-MM-DD."""
    return f"{rng.randrange(2023, 2030)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"


def person(rng: Random) -> str:
    """A first name, or first and last, or a title and last."""
    first = pick(rng, "first_names") if rng.random() < 0.72 else invented_word(rng).capitalize()
    if rng.random() < 0.68 or not first[0].isupper():
        return first
    last = (
        pick(rng, "last_names")
        if rng.random() < 0.5
        else pick(rng, "common").capitalize()
        if rng.random() < 0.6
        else invented_word(rng).capitalize()
    )
    return (
        f"{rng.choice(('Dr. ', 'Mr. ', 'Mrs. ', 'Ms. ', 'Prof. '))}{last}" if rng.random() < 0.2 else f"{first} {last}"
    )


def free_text(rng: Random, least: int, most: int) -> str:
    """Words in an order that no list holds, with commas, numbers and names among them: text to copy, not to know."""
    words: list[str] = []
    count = rng.randrange(least, most + 1)
    while len(words) < count:
        kind = rng.random()
        if kind < 0.62:
            words.append(pick(rng, "common"))
        elif kind < 0.8:
            words.append(pick(rng, "small_words"))
        elif kind < 0.87:
            words.append(str(rng.randrange(1, rng.choice((12, 100, 3000)))))
        elif kind < 0.93:
            words.append(
                rng.choice(
                    (pick(rng, "common").capitalize(), invented_word(rng).capitalize(), pick(rng, "first_names"))
                )
            )
        else:
            words.append(
                rng.choice(
                    (
                        hour(rng),
                        invented_word(rng),
                        code(rng),
                        pick(rng, "weekdays"),
                        f"{pick(rng, 'common')}-{pick(rng, 'common')}",
                        pick(rng, "cities"),
                    )
                )
            )
    while len(words) > 1 and words[-1] in lexicon()["small_words"]:
        words[-1] = pick(rng, "common")
    text = words[0]
    for word in words[1:]:
        text += rng.choice((" ", " ", " ", " ", " ", " ", " ", " ", ", ", ", " if count > 3 else " ")) + word
    return text


def free_name(rng: Random) -> str:
    """A proper name of one to three words that no list holds."""
    words = [
        invented_word(rng) if rng.random() < 0.5 else pick(rng, "common") for _ in range(rng.choice((1, 1, 2, 2, 3)))
    ]
    return " ".join(word.capitalize() for word in words)


def question(rng: Random) -> str:
    """A question about the world, without its mark."""
    if rng.random() < 0.15:
        word = rng.choice(("who", "what", "when", "where", "why", "how"))
        return f"{word} {rng.choice(('is', 'was', 'did', 'does'))} {free_text(rng, 2, 6)}"
    return filled(rng, pick(rng, "questions"))


def phone(rng: Random) -> str:
    """A telephone number."""
    if rng.random() < 0.5:
        return (
            f"+{rng.randrange(1, 99)} {rng.randrange(100, 999)} {rng.randrange(100, 999)} {rng.randrange(1000, 9999)}"
        )
    return f"{rng.randrange(100, 999)}-{rng.randrange(1000, 9999)}"


_MADE: dict[str, Callable[[Random], str]] = {
    "person": person,
    "hour": hour,
    "date": lambda rng: f"{rng.randrange(1, 31)} {pick(rng, 'months')}",
    "code": code,
    "number": lambda rng: str(rng.randrange(2, 400)),
    "small": lambda rng: str(rng.randrange(2, 12)),
    "amount": lambda rng: f"{rng.randrange(5, 900)} {rng.choice(('euros', 'dollars', 'pounds'))}",
    "phone": phone,
    "word": lambda rng: pick(rng, "common"),
    "year": lambda rng: str(rng.randrange(1900, 2027)),
}


def filled(rng: Random, pattern: str) -> str:
    """`pattern` with every {word} replaced by a word of that sort."""
    while (start := pattern.find("{")) >= 0:
        end = pattern.index("}", start)
        name = pattern[start + 1 : end]
        made = _MADE.get(name)
        pattern = pattern[:start] + (made(rng) if made else pick(rng, _SINGLE[name])) + pattern[end + 1 :]
    return pattern


_VERBS = ("get", "buy", "find", "bring", "see", "make", "ask about", "check", "move", "paint", "tell", "meet")


def task(rng: Random) -> str:
    """Something to do, as a clause that begins with a verb."""
    if rng.random() < 0.2:
        return f"{rng.choice(_VERBS)} {free_text(rng, 1, 6)}"
    return filled(rng, pick(rng, "tasks"))


def fact(rng: Random) -> str:
    """Something to remember, as a sentence without its stop."""
    if rng.random() < 0.25:
        subject = rng.choice(
            (
                f"the {pick(rng, 'common')}",
                person(rng),
                f"my {pick(rng, 'common')}",
                "I",
                "we",
                f"the {pick(rng, 'common')} {pick(rng, 'common')}",
            )
        )
        verb = (
            rng.choice(("need", "have", "saw", "left", "moved"))
            if subject in ("I", "we")
            else rng.choice(("is", "was", "needs", "has", "comes", "costs", "wants", "likes"))
        )
        return f"{subject} {verb} {free_text(rng, 1, 7)}"
    return filled(rng, pick(rng, "facts"))
