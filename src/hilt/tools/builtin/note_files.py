"""A note as a Markdown file that people can read and edit: a few lines of front matter, and the text.

---
id: 12
created: 2026-11-21 14:03
---

buy milk
"""

import re
import unicodedata

from msgspec import Struct

_MAX_SLUG_CHARS = 40
_MAX_HEADER_LINES = 100
_FENCE = "---"
_ID = re.compile(r"""id:\s*["']?([1-9][0-9]{0,14})["']?\s*""")
_CREATED = re.compile(r"""created:\s*["']?([^"']{1,40}?)["']?\s*""")


class NoteFile(Struct, frozen=True):
    """What a file holds. `id` and `created` are None where it doesn't say; `others` are further lines of its front
    matter, kept as they are."""

    text: str
    id: int | None = None
    created: str | None = None
    others: tuple[str, ...] = ()


def parsed(content: bytes) -> NoteFile:
    """The note in a file, whoever wrote it: without front matter all of it is the text."""
    whole = content.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = whole.split("\n", _MAX_HEADER_LINES)
    fences = [number for number, line in enumerate(lines[:-1]) if line.rstrip() == _FENCE]
    if len(fences) < 2 or fences[0] != 0:
        return NoteFile(whole.strip())
    header = [line.rstrip("\r") for line in lines[1 : fences[1]]]
    numbers = [found[1] for line in header if (found := _ID.fullmatch(line))]
    dates = [found[1] for line in header if (found := _CREATED.fullmatch(line))]
    return NoteFile(
        text="\n".join(lines[fences[1] + 1 :]).strip(),
        id=int(numbers[0]) if numbers else None,
        created=dates[0] if dates else None,
        others=tuple(line for line in header if not line.startswith(("id:", "created:"))),
    )


def rendered(note: NoteFile) -> bytes:
    """The file of a note; `parsed` reads it again. ValueError if the text is none."""
    header = [f"id: {note.id}", f"created: {note.created}", *note.others]
    try:
        return "\n".join([_FENCE, *header, _FENCE, "", note.text, ""]).encode()
    except UnicodeEncodeError:
        raise ValueError("the note holds half of a surrogate pair, which is no character") from None


def file_name(note_id: int, text: str, number: int = 1) -> str:
    """A name that says what the note is about: "0012-buy-milk.md"; from the second `number` on with the number."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text[: 4 * _MAX_SLUG_CHARS]).lower())
    slug = "-".join(words)[:_MAX_SLUG_CHARS].strip("-") or "note"
    return f"{note_id:04}-{slug}{f'-{number}' if number > 1 else ''}.md"
