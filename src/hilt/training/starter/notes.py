"""What users ask of a notebook: to write something down, and to find it again."""

from random import Random
from typing import Any

from hilt.training.starter import lexicon, phrases
from hilt.training.starter.phrasing_tables import texts
from hilt.training.starter.tools import Ask, Offer, Vague, shown_value

_ADD_TASK = texts("notes", "add_task")
_ADD_FACT = texts("notes", "add_fact")
_FIND = texts("notes", "find")
_FIND_FEW = texts("notes", "find_few")
_VAGUE_ADD = texts("notes", "vague_add")
_VAGUE_FIND = texts("notes", "vague_find")


def note(rng: Random, number: int, text: str) -> dict[str, Any]:
    """A saved note in the tool's result shape."""
    when = f"{lexicon.iso_day(rng)} {rng.randrange(24):02d}:{rng.randrange(60):02d}"
    return {"id": number, "text": text, "created": when}


def ask_add(rng: Random) -> Ask:
    """One thing to write down, in the user's own words."""
    if rng.random() < 0.5:
        text, request = _task_note(rng)
    else:
        text = lexicon.fact(rng)
        request = rng.choice(_ADD_FACT)
    if rng.random() < 0.22:
        text = lexicon.free_text(rng, 2, 16)
        if "saying" not in request and '{t}"' not in request and ": {t}" not in request:
            request = rng.choice(
                (
                    "note: {t}",
                    "make a note: {t}",
                    "add a note: {t}",
                    "save the following: {t}",
                    "please save the following: {t}",
                    "write down: {t}",
                    "note this: {t}",
                    "save this as a note: {t}",
                    "add the following note: {t}",
                    "keep this: {t}",
                )
            )
    elif rng.random() < 0.12:
        text = (
            f"{text} and {lexicon.task(rng)}"
            if "{" in request and request in _ADD_TASK
            else f"{text} and {lexicon.fact(rng)}"
        )
    said = {"t": text}
    prefix = ""
    if "{=x:1}" in request:
        flat = phrases.choose(rng, phrases.parse(request))
        request_text = phrases.speak(flat, said)
        prefix = request_text[request_text.index("that I ") + 5 : request_text.index(text)]
    else:
        request_text = phrases.say(rng, request, said)
    text = prefix + text
    saved = note(rng, rng.randrange(1, 300), text)
    answer = rng.choice((f"Noted: {text}.", f"Saved as note {saved['id']}: {text}.", f"Noted: {text}."))
    return Ask(request_text, "add_note", {"text": text}, saved, answer)


def _task_note(rng: Random) -> tuple[str, str]:
    return lexicon.task(rng), rng.choice(_ADD_TASK)


def vague_add(rng: Random) -> Vague | None:
    """A wish to write something down."""
    asked = ask_add(rng)
    return Vague(rng.choice(_VAGUE_ADD), "What should the note say?", str(asked.arguments["text"]), asked)


def found(notes: list[dict[str, Any]], query: str) -> str:
    """What a search found, as an answer."""
    if not notes:
        return f"I found no notes about {query}."
    if len(notes) == 1:
        return f"I found one note about {query}: {notes[0]['text']}."
    return f"I found {len(notes)} notes about {query}: {'; '.join(one['text'] for one in notes)}."


def ask_find(rng: Random) -> Ask:
    """One search."""
    query, said = _query(rng)
    limit = rng.randrange(1, 11) if rng.random() < 0.14 else None
    request = phrases.say(rng, rng.choice(_FIND_FEW if limit else _FIND), {"q": said, "n": str(limit)})
    return _found(rng, request, query, limit)


def _query(rng: Random) -> tuple[str, str]:
    """What to search for, and how the user says it: with or without an article, which the search leaves out."""
    query = lexicon.filled(rng, lexicon.pick(rng, "queries")) if rng.random() < 0.9 else lexicon.invented_word(rng)
    if query.startswith("the "):
        return query[4:], query
    if query[0].islower() and " " not in query and not query.endswith("s") and rng.random() < 0.45:
        return query, f"{rng.choice(('the', 'the', 'the', 'my', 'a', 'that'))} {query}"
    return query, query


def _found(rng: Random, request: str, query: str, limit: int | None) -> Ask:
    count = min(rng.choice((0, 1, 1, 1, 2, 2, 3)), limit or 5)
    notes = [note(rng, number, _about(rng, query)) for number in rng.sample(range(1, 300), count)]
    arguments: dict[str, Any] = {"query": query} if limit is None else {"query": query, "limit": limit}
    return Ask(request, "search_notes", arguments, {"query": query, "notes": notes}, found(notes, query))


def _about(rng: Random, query: str) -> str:
    match int(rng.random() * 6):
        case 0:
            return f"{query} {rng.choice(('on', 'before', 'after', 'until'))} {lexicon.pick(rng, 'weekdays')}"
        case 1:
            return f"ask {lexicon.person(rng)} about {query}"
        case 2:
            return f"{query}: {lexicon.task(rng)}"
        case 3:
            return f"{query}: {lexicon.code(rng)}"
        case 4:
            return lexicon.fact(rng)
        case _:
            return lexicon.task(rng)


def vague_find(rng: Random) -> Vague | None:
    """A wish to find some note."""
    asked = ask_find(rng)
    query = str(asked.arguments["query"])
    asked = _found(rng, "", query, None)
    return Vague(
        phrases.say(rng, rng.choice(_VAGUE_FIND)),
        "What should I search for?",
        rng.choice((query, query, f"for {query}", f"{query}, please")),
        asked,
    )


def follow_find(rng: Random, before: Ask) -> Ask | None:
    """The next search."""
    if before.tool != "search_notes":
        return None
    query, said = _query(rng)
    return _found(
        rng, rng.choice(("And about {q}?", "What about {q}?", "And {q}?", "And on {q}?")).format(q=said), query, None
    )


_KEEP = texts("notes", "keep")


def follow_add(rng: Random, before: Ask) -> Ask | None:
    """One more note, or a note of what was just worked out."""
    if before.tool in ("calculate", "convert_units"):
        value = before.result
        text = (
            f"{value['expression']} = {shown_value(value['value'])}"
            if "expression" in value
            else before.answer.rstrip(".")
        )
        return Ask(
            rng.choice(_KEEP), "add_note", {"text": text}, note(rng, rng.randrange(1, 300), text), f"Noted: {text}."
        )
    if before.tool != "add_note":
        return None
    asked = ask_add(rng)
    text = lexicon.task(rng)
    saved = note(rng, rng.randrange(1, 300), text)
    request = rng.choice(("And also: {t}", "Also {t}", "And {t}", "One more: {t}", "another one: {t}")).format(t=text)
    return Ask(
        request,
        "add_note",
        {"text": text},
        saved,
        asked.answer if asked.arguments["text"] == text else f"Noted: {text}.",
    )


def offer_add(spec: dict[str, Any]) -> Offer:
    """The tool that saves a note."""
    return Offer(spec, frozenset({"notes"}), ask_add, vague_add, follow_add)


def offer_find(spec: dict[str, Any]) -> Offer:
    """The tool that searches notes."""
    return Offer(spec, frozenset({"notes_search"}), ask_find, vague_find, follow_find)
