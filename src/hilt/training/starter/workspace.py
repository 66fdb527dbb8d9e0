"""What users ask about the files of a workspace: what is there, and what a file says."""

from random import Random
from typing import Any

from hilt.training.starter import lexicon, phrases
from hilt.training.starter.lexicon import invented_word, pick
from hilt.training.starter.phrasing_tables import texts
from hilt.training.starter.tools import Ask, Offer, Vague

_HERE = texts("workspace", "here")
_COUNTED = texts("workspace", "counted")
_THERE = texts("workspace", "there")
_COUNTED_THERE = texts("workspace", "counted_there")
_READ = texts("workspace", "read")
_LINES = texts("workspace", "lines")
_TITLES = texts("workspace", "titles")
_KEYS = texts("workspace", "keys")
_MISSING = texts("workspace", "missing")


def file_name(rng: Random) -> str:
    """A file name."""
    stem = (
        pick(rng, "file_stems") if rng.random() < 0.6 else invented_word(rng) if rng.random() < 0.5 else free_stem(rng)
    )
    if rng.random() < 0.1:
        stem = f"{stem}_{rng.randrange(1, 2030)}"
    return f"{stem}.{rng.choice(('txt', 'md', 'txt', pick(rng, 'file_endings')))}"


def free_stem(rng: Random) -> str:
    """A name of one to three plain words."""
    words = [pick(rng, "common") for _ in range(rng.choice((1, 1, 2, 2, 3)))]
    return rng.choice(("-", "_", "_", "")).join(words)


def folder_name(rng: Random) -> str:
    """A folder name, perhaps two levels deep."""
    first = (
        pick(rng, "folders") if rng.random() < 0.65 else invented_word(rng) if rng.random() < 0.4 else free_stem(rng)
    )
    return f"{first}/{pick(rng, 'folders')}" if rng.random() < 0.15 else first


def file_path(rng: Random) -> str:
    """The path of a file."""
    return f"{folder_name(rng)}/{file_name(rng)}" if rng.random() < 0.3 else file_name(rng)


def entries_of(rng: Random, least: int = 0) -> list[dict[str, Any]]:
    """What a folder holds, in the tool's result shape."""
    count = rng.choice((0, 1, 2, 3, 3, 4, 5, 6, 7)) if least == 0 else rng.randrange(least, 7)
    names: dict[str, dict[str, Any]] = {}
    for _ in range(count):
        if rng.random() < 0.25:
            name = folder_name(rng).split("/")[0]
            names[name] = {"name": name, "kind": "folder", "size_bytes": None}
        else:
            name = file_name(rng)
            names[name] = {
                "name": name,
                "kind": "file",
                "size_bytes": rng.choice((0, rng.randrange(1, 999), rng.randrange(1000, 99999))),
            }
    entries = list(names.values())
    return sorted(entries, key=lambda entry: entry["name"]) if rng.random() < 0.7 else entries


def described(entries: list[dict[str, Any]], where: str) -> str:
    """The entries in a sentence."""
    if not entries:
        return f"There is nothing {where}."
    named = [f"the folder {entry['name']}" if entry["kind"] == "folder" else entry["name"] for entry in entries]
    verb = "is" if len(entries) == 1 else "are"
    return f"There {verb} {phrases.listed(named)} {where}."


def ask_list(rng: Random) -> Ask:
    """One look into a folder."""
    entries = entries_of(rng)
    kind = rng.choices((_HERE, _THERE, _COUNTED, _COUNTED_THERE), (40, 46, 7, 7))[0]
    path = folder_name(rng) if kind in (_THERE, _COUNTED_THERE) else ""
    request = phrases.say(rng, rng.choice(kind), {"p": path})
    where = f"in {path}" if path else "in the workspace"
    if kind in (_COUNTED, _COUNTED_THERE):
        files = [entry["name"] for entry in entries if entry["kind"] == "file"]
        count = "no files" if not files else "1 file" if len(files) == 1 else f"{len(files)} files"
        names = f": {phrases.listed(files)}" if files else ""
        answer = f"There {'is' if len(files) == 1 else 'are'} {count} {where}{names}."
    else:
        answer = described(entries, where)
    return Ask(request, "list_files", {"path": path} if path else {}, {"path": path or ".", "entries": entries}, answer)


def text_of(rng: Random) -> str:
    """What a small text file says."""
    lines: list[str] = []
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4, 5))):
        words = {
            "word": invented_word(rng),
            "word2": pick(rng, "words"),
            "word3": invented_word(rng),
            "task": lexicon.task(rng),
            "fact": lexicon.fact(rng),
        }
        words |= {
            "title": rng.choice(_TITLES),
            "key": rng.choice(_KEYS),
            "value": key_value(rng),
            "thing": pick(rng, "things"),
            "n": str(rng.randrange(1, 300)),
            "person": lexicon.person(rng),
            "text": lexicon.free_text(rng, 2, 14),
        }
        lines.append(phrases.speak(phrases.parse(rng.choice(_LINES).replace("[ ]", "( )")), words))  # pyright: ignore[reportArgumentType]
    return "\n".join(lines)


def key_value(rng: Random) -> str:
    """The value of a setting."""
    return rng.choice(
        (
            lexicon.free_text(rng, 1, 3),
            str(rng.randrange(1, 9999)),
            invented_word(rng),
            pick(rng, "words"),
            f"{rng.randrange(0, 9)}.{rng.randrange(0, 20)}.{rng.randrange(0, 9)}",
            lexicon.code(rng),
            pick(rng, "cities"),
            lexicon.person(rng),
            "true",
            "localhost",
        )
    )


def ask_read(rng: Random) -> Ask:
    """One look into a file, sometimes for one of its lines."""
    path = file_path(rng)
    if rng.random() < 0.18:
        return _ask_key(rng, path)
    text = text_of(rng) if rng.random() < 0.97 else ""
    cut = len(text) > 40 and rng.random() < 0.04
    read = f"{text}\n" if text and not cut and rng.random() < 0.5 else text
    request = phrases.say(rng, rng.choice(_READ), {"p": path})
    if rng.random() < 0.05:
        error = rng.choice(_MISSING).format(p=path)
        return Ask(request, "read_file", {"path": path}, {"error": error}, f"That didn't work: {error}.")
    return Ask(
        request, "read_file", {"path": path}, {"path": path, "text": read, "truncated": cut}, told(path, text, cut)
    )


def told(path: str, text: str, cut: bool = False) -> str:
    """What a file says, as an answer."""
    if not text:
        return f"{path} is empty."
    answer = f"{path} says:\n\n{text}" if "\n" in text else f"{path} says: {phrases.ended(text)}"
    return f"{answer}\n\nThat is only its beginning." if cut else answer


def _ask_key(rng: Random, path: str) -> Ask:
    sign = rng.choice((": ", " = ", "="))
    keys = rng.sample(_KEYS, rng.randrange(2, 6))
    values = [key_value(rng) for _ in keys]
    at = rng.randrange(len(keys))
    asks = (
        "What is the {k} in {p}?",
        "Which {k} does {p} [say|give|have]?",
        "What {k} is set in {p}?",
        "look up the {k} in {p}",
        "find the {k} in {p}",
        "What's the {k} according to {p}?",
        "read {p} and tell me the {k}",
        "check the {k} in {p}",
    )
    request = phrases.say(rng, rng.choice(asks), {"k": keys[at], "p": path})
    text = "\n".join(f"{key}{sign}{value}" for key, value in zip(keys, values, strict=True))
    return Ask(
        request,
        "read_file",
        {"path": path},
        {"path": path, "text": text, "truncated": False},
        f"The {keys[at]} in {path} is {values[at]}.",
    )


def vague_read(rng: Random) -> Vague | None:
    """A wish to read some file."""
    request = phrases.say(
        rng,
        rng.choice(
            (
                "read [a|the|my|that] file",
                "open [a|the|that] file",
                "show me the file",
                "What does the file say?",
                "What's in the file?",
                "read it to me",
                "I want to read a file",
                "What is written in [that|the] file?",
                "open the document",
                "print the file",
            )
        ),
    )
    asked = ask_read(rng)
    path = str(asked.arguments["path"])
    return Vague(
        request, "Which file?", rng.choice((path, path, f"{path}, please", f"the file {path}", f"it's {path}")), asked
    )


def follow_read(rng: Random, before: Ask) -> Ask | None:
    """The next file."""
    if before.tool != "read_file":
        return None
    path, text = file_path(rng), text_of(rng)
    request = rng.choice(("And {p}?", "What about {p}?", "Now {p}", "and {p}", "And what does {p} say?")).format(p=path)
    return Ask(request, "read_file", {"path": path}, {"path": path, "text": text, "truncated": False}, told(path, text))


def follow_list(rng: Random, before: Ask) -> Ask | None:
    """The next folder."""
    if before.tool != "list_files":
        return None
    path, entries = folder_name(rng), entries_of(rng)
    request = rng.choice(("And in {p}?", "What about {p}?", "And {p}?", "And what's in {p}?", "Now {p}")).format(p=path)
    return Ask(
        request, "list_files", {"path": path}, {"path": path, "entries": entries}, described(entries, f"in {path}")
    )


def offer_list(spec: dict[str, Any]) -> Offer:
    """The tool that lists a folder."""
    return Offer(spec, frozenset({"files"}), ask_list, follow=follow_list)


def offer_read(spec: dict[str, Any]) -> Offer:
    """The tool that reads a file."""
    return Offer(spec, frozenset({"files_read"}), ask_read, vague_read, follow_read)
