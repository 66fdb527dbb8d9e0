"""Requests that take two calls one after the other, because the second needs what the first found."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from hilt.training.starter import arithmetic, clock, lexicon, notes, phrases, units, workspace
from hilt.training.starter.phrasing_tables import rows, texts
from hilt.training.starter.tools import Ask, Offer, shown_value


@dataclass(frozen=True)
class Chain:
    """A request, the calls that follow on each other with their results, and the last answer."""

    request: str
    steps: tuple[Ask, ...]
    answer: str


def _list_then_read(rng: Random) -> Chain:
    folder = workspace.folder_name(rng) if rng.random() < 0.4 else ""
    name = workspace.file_name(rng)
    stem = name.rsplit(".", 1)[0]
    entries = [entry for entry in workspace.entries_of(rng, 1) if stem not in entry["name"]]
    entry = {"name": name, "kind": "file", "size_bytes": rng.randrange(1, 5000)}
    where = f" in {folder}" if folder else ""
    if rng.random() < 0.45:
        entries = [entry, *[one for one in entries if one["kind"] == "file"]]
        request = phrases.say(
            rng,
            rng.choice(
                (
                    "read the first file{w}",
                    "list the files{w} and [read|open] the first [one|file]",
                    "open the first file you find{w}",
                    "look{w} and show me the first file",
                    "see what files there are{w} and read the first one",
                    "What does the first file{w} say?",
                )
            ),
            {"w": where},
        )
        if where == "" and request.startswith("look and"):
            request = request.replace("look and", "look around and")
    else:
        entries.insert(rng.randrange(len(entries) + 1), entry)
        request = phrases.say(
            rng,
            rng.choice(
                (
                    "find the {s} file{w} and [read|open] it",
                    "look for the {s} file{w} and tell me what it says",
                    "[look at|list] the files{w} and [open|read] the one called {s}",
                    "There should be a {s} file{w}. What does it say?",
                    "list the files{w}, then read the {s} file",
                    "which files are there{w}? Read me the one named {s}",
                )
            ),
            {"w": where, "s": stem},
        )
    path = f"{folder}/{name}" if folder else name
    text = workspace.text_of(rng)
    first = Ask("", "list_files", {"path": folder} if folder else {}, {"path": folder or ".", "entries": entries}, "")
    second = Ask(
        "", "read_file", {"path": path}, {"path": path, "text": text, "truncated": False}, workspace.told(path, text)
    )
    return Chain(request, (first, second), second.answer)


def _missing_file(rng: Random) -> Chain:
    """A folder without the file that was asked for."""
    stem = lexicon.pick(rng, "file_stems")
    entries = [entry for entry in workspace.entries_of(rng) if stem not in entry["name"]]
    request = phrases.say(
        rng,
        rng.choice(
            (
                "find the {s} file and read it",
                "look for the {s} file and tell me what it says",
                "list the files, then read the {s} file",
            )
        ),
        {"s": stem},
    )
    first = Ask("", "list_files", {}, {"path": ".", "entries": entries}, "")
    return Chain(request, (first,), f"I found no {stem} file. {workspace.described(entries, 'in the workspace')}")


_SUMS = rows("chains", "sums")
_AMOUNTS = texts("chains", "amounts")


def _sum_of(rng: Random, value: str) -> tuple[str, Ask]:
    text, pattern = rng.choice(_SUMS)
    words = {
        "n": str(rng.choice((2, 3, 4, 5, 6, 10, 12, rng.randrange(2, 60)))),
        "p": str(rng.choice((5, 10, 15, 20, 25, 50, rng.randrange(1, 90)))),
        "v": value,
    }
    expression = pattern.format(**words)
    result = {"expression": expression, "value": arithmetic.worked_out(expression)}
    return phrases.say(rng, text, words), Ask(
        "", "calculate", {"expression": expression}, result, f"{expression} is {shown_value(result['value'])}."
    )


def _search_then_sum(rng: Random) -> Chain:
    what, value = rng.choice(_AMOUNTS), str(rng.choice((rng.randrange(10, 5000), rng.randrange(100, 90000) / 100)))
    tail, second = _sum_of(rng, value)
    request = (
        phrases.say(
            rng,
            rng.choice(
                (
                    "look up the {w} in my notes and ",
                    "find the {w} in my notes and ",
                    "search my notes for the {w}, then ",
                    "get the {w} from my notes and ",
                    "check my notes for the {w} and ",
                )
            ),
            {"w": what},
        )
        + tail
    )
    text = rng.choice(
        (
            f"{what}: {value}",
            f"the {what} is {value}",
            f"{what} {value} euros",
            f"the {what} went up to {value}",
            f"{what} = {value}",
        )
    )
    saved = [notes.note(rng, rng.randrange(1, 300), text)]
    first = Ask("", "search_notes", {"query": what}, {"query": what, "notes": saved}, "")
    return Chain(request, (first, second), f"The {what} is {value}. {phrases.upper_start(second.answer)}")


def _search_finds_nothing(rng: Random) -> Chain:
    what = rng.choice(_AMOUNTS)
    tail, _ = _sum_of(rng, "1")
    first = Ask("", "search_notes", {"query": what}, {"query": what, "notes": []}, "")
    return Chain(f"look up the {what} in my notes and {tail}", (first,), f"I found no notes about {what}.")


def _read_then_sum(rng: Random) -> Chain:
    what, value, path = (
        rng.choice(_AMOUNTS),
        str(rng.choice((rng.randrange(10, 5000), rng.randrange(100, 90000) / 100))),
        workspace.file_path(rng),
    )
    tail, second = _sum_of(rng, value)
    request = (
        phrases.say(
            rng,
            rng.choice(
                (
                    "read {p}, take the {w} and ",
                    "take the {w} from {p} and ",
                    "look up the {w} in {p} and ",
                    "open {p}, find the {w} and ",
                )
            ),
            {"w": what, "p": path},
        )
        + tail
    )
    sign = rng.choice((": ", " = ", " is "))
    others = [
        f"{key}{sign}{workspace.key_value(rng)}"
        for key in rng.sample(("name", "owner", "city", "author", "title", "date"), rng.randrange(0, 3))
    ]
    others.insert(rng.randrange(len(others) + 1), f"{what}{sign}{value}")
    first = Ask("", "read_file", {"path": path}, {"path": path, "text": "\n".join(others), "truncated": False}, "")
    return Chain(request, (first, second), f"The {what} is {value}. {phrases.upper_start(second.answer)}")


_KEEP = texts("chains", "keep")


def _then_note(rng: Random, first: Ask, text: str, request: str) -> Chain:
    saved = notes.note(rng, rng.randrange(1, 300), text)
    second = Ask("", "add_note", {"text": text}, saved, f"Noted: {text}.")
    return Chain(request, (first, second), second.answer)


def _sum_then_note(rng: Random) -> Chain:
    while True:
        first = arithmetic.ask(rng)
        if first.request[0].islower() and not first.request.endswith("?"):
            break
    text = f"{first.arguments['expression']} = {shown_value(first.result['value'])}"
    return _then_note(rng, first, text, first.request + phrases.say(rng, rng.choice(_KEEP)))


def _conversion_then_note(rng: Random) -> Chain:
    while True:
        first = units.ask(rng)
        if first.request.startswith(("convert", "turn", "change", "work out", "tell")) and not first.request.endswith(
            "?"
        ):
            break
    return _then_note(rng, first, first.answer.rstrip("."), first.request + phrases.say(rng, rng.choice(_KEEP)))


def _date_note(rng: Random) -> Chain:
    base = clock.ask(rng)
    result = base.result
    first = Ask("", "current_time", {}, result, "")
    if rng.random() < 0.6:
        request = phrases.say(
            rng,
            rng.choice(
                (
                    "[note|save|write down] today's date",
                    "make a note of today's date",
                    "add today's date to my notes",
                    "save the [current |]date as a note",
                )
            ),
        )
        return _then_note(rng, first, f"{result['weekday']}, {result['date']}", request)
    request = phrases.say(
        rng,
        rng.choice(
            (
                "[note|save|write down] the [current |]time",
                "make a note of the [current |]time",
                "add the time to my notes",
                "save what time it is",
            )
        ),
    )
    return _then_note(rng, first, result["time"][:5], request)


def _copy_to_note(rng: Random) -> Chain:
    path, text = workspace.file_path(rng), rng.choice((lexicon.task(rng), lexicon.fact(rng), lexicon.code(rng)))
    request = phrases.say(
        rng,
        rng.choice(
            (
                "read {p} and save [it|what it says] as a note",
                "copy {p} into my notes",
                "save the text of {p} as a note",
                "put what {p} says into my notes",
                "open {p} and note what it says",
            )
        ),
        {"p": path},
    )
    first = Ask("", "read_file", {"path": path}, {"path": path, "text": text, "truncated": False}, "")
    return _then_note(rng, first, text, request)


def _search_then_convert(rng: Random) -> Chain:
    kind = rng.choice(("length", "mass", "volume", "time"))
    source, target = rng.sample(units.KINDS[kind], 2)
    what, value = (
        rng.choice(
            (
                "rope",
                "table",
                "parcel",
                "dog",
                "tank",
                "trip",
                "suitcase",
                "carpet",
                "pool",
                "shelf",
                "fence",
                "film",
                "bottle",
            )
        ),
        rng.randrange(2, 400),
    )
    text = rng.choice(
        (
            f"{what}: {value} {source.said[0]}",
            f"the {what} has {value} {source.said[0]}",
            f"{what} = {value} {source.said[0]}",
        )
    )
    request = phrases.say(
        rng,
        rng.choice(
            (
                "look up the {w} in my notes and convert it to {t}",
                "search my notes for the {w} and tell me the value in {t}",
                "find the {w} in my notes, then convert it to {t}",
                "What do my notes say about the {w}, in {t}?",
            )
        ),
        {"w": what, "t": target.said[0]},
    )
    first = Ask(
        "",
        "search_notes",
        {"query": what},
        {"query": what, "notes": [notes.note(rng, rng.randrange(1, 300), text)]},
        "",
    )
    result = units.converted(value, source, target, kind)
    second = Ask(
        "",
        "convert_units",
        {"value": value, "from_unit": source.name, "to_unit": target.name},
        {"value": float(value), "from_unit": source.name, "to_unit": target.name, "result": result},
        "",
    )
    return Chain(request, (first, second), f"{value} {source.said[0]} is {shown_value(result)} {target.said[0]}.")


_BUILTIN: tuple[tuple[frozenset[str], int, Callable[[Random], Chain]], ...] = (
    (frozenset(("list_files", "read_file")), 6, _list_then_read),
    (frozenset(("list_files", "read_file")), 1, _missing_file),
    (frozenset(("search_notes", "calculate")), 3, _search_then_sum),
    (frozenset(("search_notes", "calculate")), 1, _search_finds_nothing),
    (frozenset(("read_file", "calculate")), 3, _read_then_sum),
    (frozenset(("calculate", "add_note")), 3, _sum_then_note),
    (frozenset(("convert_units", "add_note")), 2, _conversion_then_note),
    (frozenset(("current_time", "add_note")), 2, _date_note),
    (frozenset(("read_file", "add_note")), 2, _copy_to_note),
    (frozenset(("search_notes", "convert_units")), 3, _search_then_convert),
)


def draw_chain(rng: Random, offers: list[Offer]) -> Chain | None:
    """A chain that the offered tools allow, or None."""
    names = {offer.name for offer in offers}
    able = [(weight, make) for needed, weight, make in _BUILTIN if needed <= names]
    plain = [offer for offer in offers if offer.name not in ("calculate", "add_note", "current_time")]
    if "calculate" in names and plain and rng.random() < (0.25 if able else 1.0):
        chain = _result_then_sum(rng, rng.choice(plain))
        if chain is not None:
            return chain
    if not able:
        return None
    return rng.choices([make for _, make in able], [weight for weight, _ in able])[0](rng)


def _result_then_sum(rng: Random, offer: Offer) -> Chain | None:
    """Any tool whose result holds one number, then a sum on that number."""
    for _ in range(5):
        first = offer.ask(rng)
        if not first.fields:
            continue
        numbers = [
            value
            for key, value in first.fields.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool) and first.arguments.get(key) != value
        ]
        if len(numbers) == 1 and "e" not in str(numbers[0]) and numbers[0] >= 0 and "?" not in first.request[:-1]:
            tail, second = _sum_of(rng, shown_value(numbers[0]))
            head = first.request.rstrip("?")
            return Chain(
                f"{head}{rng.choice((', and then ', ' and then ', '? Then ', ', then '))}{tail}",
                (first, second),
                f"{first.answer} {phrases.upper_start(second.answer)}",
            )
    return None
