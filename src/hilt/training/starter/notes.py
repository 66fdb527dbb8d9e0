"""What users ask of a notebook: to write something down, and to find it again."""

from random import Random
from typing import Any

from hilt.training.starter import lexicon, phrases
from hilt.training.starter.tools import Ask, Offer, Vague, shown_value

_ADD_TASK = (
    "[make|take|write|add|save|create|leave] a note[:| to] {t}", "note: {t}", "note to self: {t}", "save a note: {t}", "add a note: {t}", "write down: {t}", "write this down: {t}", "note down: {t}", "jot down: {t}", "remember: {t}", "remember to {t}",
    "remind me to {t}", "Don't let me forget to {t}", "I have to {t}, note that", "I must {t}, write that down", "I need to {t}. Please note that.", "save '{t}' as a note", "save \"{t}\" as a note", "add \"{t}\" to my notes", "add '{t}' to the notes", "put \"{t}\" in my notes",
    "make a note saying {t}", "save a note [saying|that says] {t}", "store this: {t}", "keep in mind: {t}", "new note: {t}", "add to my notes: {t}", "take a note to {t}", "make a note that I [have to|need to|should|must] {=x:1}{t}", "put a note that says {t}", "write a note: {t}", "record: {t}",
)  # fmt: skip
_ADD_FACT = (
    "note that {t}", "remember that {t}", "write down that {t}", "make a note that {t}", "save a note that {t}", "take a note that {t}", "keep in mind that {t}", "jot down that {t}", "note down that {t}", "add a note that {t}", "Don't forget that {t}", "save [the fact |]that {t}",
    "note: {t}", "write down: {t}", "make a note: {t}", "save this: {t}", "remember this: {t}", "add a note saying {t}", "{t}, please note that", "{t}. Write that down.", "{t}. Make a note of it.", "put in my notes that {t}", "record that {t}", "save a note: {t}", "add to my notes that {t}",
    "{t}, remember that", "I want you to remember that {t}", "leave a note that {t}", "add \"{t}\" to my notes", "store that {t}", "write: {t}",
)  # fmt: skip
_FIND = (
    "search my notes for {q}", "search [the|my|all] notes for {q}", "find my notes [about|on] {q}", "find [the|my] note about {q}", "What did I [note|write|write down|save|jot down] about {q}?", "Do I have [any |]notes [about|on] {q}?", "Do I have a note about {q}?", "What do my notes say about {q}?",
    "Is there [a note|anything] about {q} in my notes?", "look [in|through] my notes for {q}", "look up {q} in my notes", "Did I [note|write down|save] anything about {q}?", "show me [my |the |]notes [about|on] {q}", "What was that note about {q}?", "Which notes mention {q}?", "Do my notes mention {q}?",
    "Have I written anything [down |]about {q}?", "check my notes for {q}", "any notes on {q}?", "Any notes about {q}?", "notes about {q}", "What have I got on {q} in my notes?", "search for {q} in my notes", "find {q} in my notes", "Where did I write about {q}?", "What did I want to remember about {q}?",
    "I wrote something about {q}, find it", "I made a note about {q}. What was it?", "pull up my notes on {q}", "What's in my notes about {q}?", "see if I noted anything about {q}", "Did I make a note about {q}?", "search notes: {q}", "go through my notes and find {q}",
)  # fmt: skip
_FIND_FEW = (
    "search my notes for {q}, {n} at most", "find [at most|up to|no more than] {n} notes about {q}", "show me the [first|top|last] {n} notes about {q}", "find my notes on {q}, at most {n}", "search my notes for {q} and show {n}[ of them| results|]", "give me {n} notes about {q}",
    "look for {q} in my notes, limit {n}", "find my notes about {q}, max {n}", "{n} notes about {q}, please",
)  # fmt: skip
_VAGUE_ADD = (
    "save a note", "make a note", "add a note", "take a note", "write something down", "I want to save a note", "Can you take a note for me?", "I need to write something down", "remember something for me", "note something", "new note", "add something to my notes", "write a note",
)  # fmt: skip
_VAGUE_FIND = ("search my notes", "find a note", "look through my notes", "find something in my notes", "I'm looking for a note", "Can you find my note?", "I want to search my notes", "look up a note", "what notes do I have?", "show [me |][all |]my notes", "Which notes are there?", "list my notes", "read me my notes")


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
        if "saying" not in request and "{t}\"" not in request and ": {t}" not in request:
            request = rng.choice(("note: {t}", "make a note: {t}", "add a note: {t}", "save the following: {t}", "please save the following: {t}", "write down: {t}", "note this: {t}", "save this as a note: {t}", "add the following note: {t}", "keep this: {t}"))
    elif rng.random() < 0.12:
        text = f"{text} and {lexicon.task(rng)}" if "{" in request and request in _ADD_TASK else f"{text} and {lexicon.fact(rng)}"
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
    return Vague(phrases.say(rng, rng.choice(_VAGUE_FIND)), "What should I search for?", rng.choice((query, query, f"for {query}", f"{query}, please")), asked)


def follow_find(rng: Random, before: Ask) -> Ask | None:
    """The next search."""
    if before.tool != "search_notes":
        return None
    query, said = _query(rng)
    return _found(rng, rng.choice(("And about {q}?", "What about {q}?", "And {q}?", "And on {q}?")).format(q=said), query, None)


_KEEP = ("note that", "save that as a note", "write that down", "make a note of that", "note that result", "remember that", "add that to my notes", "keep that in my notes", "save the result", "note it down", "put that in a note", "write down the result")


def follow_add(rng: Random, before: Ask) -> Ask | None:
    """One more note, or a note of what was just worked out."""
    if before.tool in ("calculate", "convert_units"):
        value = before.result
        text = f"{value['expression']} = {shown_value(value['value'])}" if "expression" in value else before.answer.rstrip(".")
        return Ask(rng.choice(_KEEP), "add_note", {"text": text}, note(rng, rng.randrange(1, 300), text), f"Noted: {text}.")
    if before.tool != "add_note":
        return None
    asked = ask_add(rng)
    text = lexicon.task(rng)
    saved = note(rng, rng.randrange(1, 300), text)
    request = rng.choice(("And also: {t}", "Also {t}", "And {t}", "One more: {t}", "another one: {t}")).format(t=text)
    return Ask(request, "add_note", {"text": text}, saved, asked.answer if asked.arguments["text"] == text else f"Noted: {text}.")


def offer_add(spec: dict[str, Any]) -> Offer:
    """The tool that saves a note."""
    return Offer(spec, frozenset({"notes"}), ask_add, vague_add, follow_add)


def offer_find(spec: dict[str, Any]) -> Offer:
    """The tool that searches notes."""
    return Offer(spec, frozenset({"notes_search"}), ask_find, vague_find, follow_find)
