"""Sorts of values that fill slots: each draws a value and the words in which a user says it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from hilt.training.starter import lexicon
from hilt.training.starter.lexicon import pick
from hilt.training.starter.phrases import listed
from hilt.training.starter.phrasing_tables import texts

COUNT_WORDS = (
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
)


@dataclass(frozen=True)
class Drawn:
    """A JSON value and how the user says it."""

    said: str
    value: Any


@dataclass(frozen=True)
class Sort:
    """A sort of values: its JSON Schema (without description), how to draw one, and words to describe it."""

    schema: dict[str, Any]
    draw: Callable[[Random], Drawn]
    about: tuple[str, ...] = ()


def spoken_number(rng: Random, value: float) -> str:
    """A number in digits, sometimes with separators, sometimes (small whole ones) in words."""
    if isinstance(value, int) and 0 < value <= 12 and rng.random() < 0.2:
        return COUNT_WORDS[value]
    if isinstance(value, int) and value >= 1000 and rng.random() < 0.25:
        return f"{value:,}"
    return str(value)


def some_number(rng: Random) -> int | float:
    """A number as people have them in mind: small ones often, large and broken ones too."""
    match int(rng.random() * 8):
        case 0 | 1:
            return rng.randrange(2, 13)
        case 2 | 3:
            return rng.randrange(10, 100)
        case 4:
            return rng.randrange(100, 1000)
        case 5:
            return rng.choice((rng.randrange(1000, 20000), rng.randrange(1, 90) * 50, rng.randrange(20000, 2000000)))
        case 6:
            return rng.randrange(1, 1000) + rng.randrange(1, 10) / 10
        case _:
            return round(rng.randrange(1, 1000) + rng.randrange(1, 100) / 100, 2)


def _same(draw: Callable[[Random], str], *about: str) -> Sort:
    def drawn(rng: Random) -> Drawn:
        text = draw(rng)
        return Drawn(text, text)

    return Sort({"type": "string"}, drawn, about)


def _listed_word(name: str, invented: float, *about: str) -> Sort:
    def draw(rng: Random) -> str:
        return lexicon.free_name(rng) if rng.random() < invented else pick(rng, name)

    return _same(draw, *about)


def _often_free(name: str, free: float, most: int, *about: str) -> Sort:
    def draw(rng: Random) -> str:
        return lexicon.free_text(rng, 1, most) if rng.random() < free else pick(rng, name)

    return _same(draw, *about)


def _hhmm(rng: Random) -> Drawn:
    hours, minutes = rng.randrange(24), rng.choice((0, 0, 0, 15, 30, 45, rng.randrange(60)))
    value = f"{hours:02d}:{minutes:02d}"
    match int(rng.random() * 4):
        case 0:
            return Drawn(value, value)
        case 1:
            return Drawn(f"{hours}:{minutes:02d}", value)
        case _:
            half = "am" if hours < 12 else "pm"
            past = "" if minutes == 0 and rng.random() < 0.8 else f":{minutes:02d}"
            return Drawn(f"{(hours + 11) % 12 + 1}{past}{rng.choice((' ', ' ', ''))}{half}", value)


def _email(rng: Random) -> str:
    name = pick(rng, "first_names").lower().replace(" ", "").replace(".", "")
    last = rng.choice(("", f".{pick(rng, 'last_names').lower().replace(' ', '')}", str(rng.randrange(99))))
    hosts = ("example.com", "mail.org", "acme.io", "gmail.com", f"{lexicon.invented_word(rng)}.net")
    return f"{name}{last}@{rng.choice(hosts)}"


def _path(rng: Random) -> str:
    name = pick(rng, "file_stems") if rng.random() < 0.8 else lexicon.invented_word(rng)
    name = f"{name}.{pick(rng, 'file_endings')}"
    return f"{pick(rng, 'folders')}/{name}" if rng.random() < 0.3 else name


def _url(rng: Random) -> str:
    scheme = rng.choice(("www.", "", "https://", "https://www.", "http://"))
    host = f"{scheme}{lexicon.invented_word(rng)}.{rng.choice(('com', 'org', 'net', 'io', 'de'))}"
    return f"{host}/{pick(rng, 'folders')}" if rng.random() < 0.4 else host


def _duration(rng: Random) -> str:
    return rng.choice(
        (
            f"{rng.randrange(2, 90)} minutes",
            f"{rng.randrange(2, 12)} hours",
            "half an hour",
            "an hour",
            f"{rng.randrange(10, 90)} seconds",
            f"{rng.randrange(2, 9)} days",
            "a week",
            "one hour",
        )
    )


def _message(rng: Random) -> str:
    match int(rng.random() * 9):
        case 0:
            return lexicon.fact(rng)
        case 7 | 8:
            return lexicon.free_text(rng, 2, 12)
        case 1:
            return f"I {rng.choice(('will', 'can', 'have to', 'want to', 'forgot to'))} {lexicon.task(rng)}"
        case 2:
            return f"{rng.choice(('please', 'can you', 'do not forget to', 'remember to'))} {lexicon.task(rng)}"
        case 3:
            return rng.choice(texts("values", "messages"))
        case _:
            return lexicon.task(rng)


_REGIONS = ("MA", "CA", "NY", "TX", "France", "UK", "Canada", "WA", "Spain", "FL", "Ontario", "USA")


def _city(rng: Random) -> str:
    name = lexicon.free_name(rng) if rng.random() < 0.22 else pick(rng, "cities")
    return f"{name}, {rng.choice(_REGIONS)}" if rng.random() < 0.06 else name


def _title(rng: Random) -> str:
    if rng.random() < 0.3:
        return lexicon.free_text(rng, 1, 5)
    return lexicon.filled(rng, rng.choice(texts("values", "titles")))


def _items(rng: Random) -> Drawn:
    chosen = rng.sample(lexicon.lexicon()["things"], rng.randrange(2, 5))
    return Drawn(listed(chosen), chosen)


def _people(rng: Random) -> Drawn:
    chosen = list(dict.fromkeys(lexicon.person(rng) for _ in range(rng.randrange(2, 4))))
    return Drawn(listed(chosen), chosen)


def _made(draw: Callable[[Random], str], *about: str) -> Sort:
    return _same(draw, *about)


_SORTS: dict[str, Sort] = {
    "city": _same(_city, "The city.", "Name of the city, e.g. Paris.", "City name."),
    "place": _same(
        lambda rng: _city(rng) if rng.random() < 0.7 else pick(rng, "countries"), "A place.", "City or country."
    ),
    "country": _listed_word("countries", 0.08, "The country.", "Name of the country."),
    "person": _same(lexicon.person, "Name of the person.", "The person's name.", "Who it is for."),
    "company": _listed_word("companies", 0.35, "Name of the company.", "The company."),
    "product": _often_free("products", 0.35, 3, "The product.", "What to look for."),
    "thing": _often_free("things", 0.25, 2, "The item.", "Name of the item."),
    "dish": _often_free("dishes", 0.25, 2, "Name of the dish.", "The dish."),
    "song": _listed_word("songs", 0.35, "Title of the song.", "The song."),
    "artist": _listed_word("artists", 0.35, "Name of the artist.", "The artist or band."),
    "book": _listed_word("books", 0.35, "Title of the book.", "The book."),
    "movie": _listed_word("movies", 0.35, "Title of the film.", "The movie."),
    "language": _listed_word("languages", 0.0, "The language.", "Target language, such as French."),
    "room": _often_free("rooms", 0.15, 2, "The room.", "Name of the room."),
    "topic": _often_free("topics", 0.45, 5, "The topic.", "What it is about."),
    "word": _often_free("words", 0.6, 1, "The word.", "The word to look up."),
    "team": _listed_word("teams", 0.35, "The team.", "Name of the team."),
    "animal": _listed_word("animals", 0.0, "The animal."),
    "plant": _listed_word("plants", 0.0, "The plant."),
    "symptom": _listed_word("symptoms", 0.0, "The symptom."),
    "color": _listed_word("colors", 0.0, "The colour.", "Color name."),
    "ticker": _listed_word("tickers", 0.0, "Ticker symbol, e.g. AAPL.", "The stock symbol."),
    "airport": _listed_word("airports", 0.0, "IATA code of the airport.", "Three-letter airport code."),
    "weekday": _listed_word("weekdays", 0.0, "Day of the week."),
    "month": _listed_word("months", 0.0, "The month."),
    "folder": _listed_word("folders", 0.1, "The folder.", "Folder name."),
    "query": _same(
        lambda rng: lexicon.free_text(rng, 1, 5) if rng.random() < 0.35 else lexicon.filled(rng, pick(rng, "queries")),
        "What to search for.",
        "Search words.",
    ),
    "task": _same(lexicon.task, "The task.", "What has to be done."),
    "fact": _same(lexicon.fact, "The text.", "What to keep in mind."),
    "message": _same(
        lambda rng: lexicon.filled(rng, _message(rng)), "The text of the message.", "Message body.", "What to say."
    ),
    "question": _same(lexicon.question, "What to find out.", "The question."),
    "text": _same(lambda rng: lexicon.free_text(rng, 2, 14), "The text.", "Text."),
    "title": _same(_title, "The title.", "Title of the event.", "A short title."),
    "code": _made(lexicon.code, "The reference.", "Identifier, e.g. ORD-1234.", "The id."),
    "email": _made(_email, "E-mail address.", "The recipient's address."),
    "phone": _made(lexicon.phone, "Phone number.", "The number to call."),
    "path": _made(_path, "Path of the file.", "The file, relative to the workspace."),
    "url": _made(_url, "The address of the page.", "URL."),
    "date": _made(lexicon.day, "The date, as the user says it.", "Day, e.g. tomorrow or 12 May.", "The date."),
    "isodate": _made(lexicon.iso_day, "Date as YYYY-MM-DD.", "The day (YYYY-MM-DD)."),
    "clock": _made(lexicon.hour, "Time of day.", "The time, e.g. 7 pm."),
    "duration": _made(_duration, "How long, e.g. 20 minutes.", "Duration."),
    "word_new": _made(lexicon.invented_word),
    "hhmm": Sort({"type": "string"}, _hhmm, ("Time as HH:MM, 24 hours.", "24-hour time, such as 07:30.")),
    "items": Sort({"type": "array", "items": {"type": "string"}}, _items, ("The items.", "List of items.")),
    "people": Sort(
        {"type": "array", "items": {"type": "string"}}, _people, ("The people.", "Names of the participants.")
    ),
}


@cache
def sort_of(spec: str) -> Sort:
    """The sort that `spec` names: a word such as "city", or one of

    "int LOW HIGH", "number LOW HIGH [DIGITS]", "list LOW HIGH SORT", "flag said if true,...|said if false,...",
    "pick value=said,said|value|..." (a closed choice) and "like value|value|..." (open: these are examples).
    ValueError if there is none.
    """
    word, _, rest = spec.partition(" ")
    if spec in _SORTS:
        return _SORTS[spec]
    match word:
        case "int":
            low, high = (int(part) for part in rest.split())

            def draw_whole(rng: Random) -> Drawn:
                value = rng.randrange(low, high + 1)
                return Drawn(spoken_number(rng, value), value)

            return Sort({"type": "integer"}, draw_whole)
        case "number":
            bounds = rest.split()
            least, most, digits = float(bounds[0]), float(bounds[1]), int(bounds[2]) if len(bounds) > 2 else 2

            def draw_number(rng: Random) -> Drawn:
                whole = rng.random() < 0.4
                value = rng.randrange(int(least), int(most) + 1) if whole else round(rng.uniform(least, most), digits)
                value = int(value) if value == int(value) else value
                return Drawn(spoken_number(rng, value), value)

            return Sort({"type": "number"}, draw_number)
        case "pick":
            return _pick_sort(rest)
        case "like":
            return _like_sort(rest)
        case "flag":
            yes, _, no = rest.partition("|")

            def draw_flag(rng: Random) -> Drawn:
                value = rng.random() < 0.6
                return Drawn(rng.choice((yes if value else no).split(",")), value)

            return Sort({"type": "boolean"}, draw_flag)
        case "list":
            few, many, inner = rest.split(" ", 2)
            of = sort_of(inner)

            def draw_list(rng: Random) -> Drawn:
                drawn = {
                    str(one.value): one for one in (of.draw(rng) for _ in range(rng.randrange(int(few), int(many) + 1)))
                }
                return Drawn(listed([one.said for one in drawn.values()]), [one.value for one in drawn.values()])

            return Sort({"type": "array", "items": of.schema}, draw_list)
        case _:
            raise ValueError(f"no sort of value is called {spec!r}")


def _pick_sort(rest: str) -> Sort:
    options: list[tuple[str, tuple[str, ...]]] = []
    for option in rest.split("|"):
        value, _, said = option.partition("=")
        options.append((value, tuple(said.split(",")) if said else (value,)))

    def draw(rng: Random) -> Drawn:
        value, said = options[int(rng.random() * len(options))]
        return Drawn(said[int(rng.random() * len(said))], value)

    return Sort({"type": "string", "enum": [value for value, _ in options]}, draw)


def _like_sort(rest: str) -> Sort:
    examples = rest.split("|")

    def draw(rng: Random) -> Drawn:
        if rng.random() < 0.55:
            text = rng.choice(examples)
        elif examples[0][:4] in ("the ", "my "):
            text = f"the {lexicon.free_text(rng, 1, 2)}" if rng.random() < 0.7 else lexicon.free_name(rng)
        elif any(character.isdigit() for character in examples[0]):
            text = lexicon.code(rng) if rng.random() < 0.6 else f"{lexicon.free_name(rng)} {rng.randrange(1, 99)}"
        elif examples[0][0].isupper():
            text = lexicon.free_name(rng)
        else:
            text = lexicon.free_text(rng, 1, max(2, len(examples[0].split())))
        return Drawn(text, text)

    return Sort({"type": "string"}, draw)
