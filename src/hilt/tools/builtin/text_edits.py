"""Replacing a piece of a text that is given word for word, and saying in a few lines what was or wasn't found."""

import bisect
import difflib
from collections.abc import Sequence

from msgspec import Struct

_MAX_DIFF_LINES = 600
_MAX_DIFF_CHARS = 2000
_MAX_COMPARED_LINES = 5000
_MAX_SHOWN_CHARS = 160
_MAX_SHOWN_PLACES = 5


class Edited(Struct, frozen=True):
    """A text after an edit, how often it was changed, and the first line, from 1, of the first change."""

    text: str
    replacements: int
    first_line: int


def replaced(text: str, old: str, new: str, *, everywhere: bool, path: str) -> Edited:
    """`text` with `old` replaced by `new`: its one occurrence, or with `everywhere` each.

    A line may end with "\\n" or "\\r\\n" in any of them; what is put in ends its lines as the text does. Raises
    ValueError, in words for the model, if `old` doesn't occur, occurs more than once, or is `new` already.
    """
    if not old:
        raise ValueError("old_text is empty; give the text that is to be replaced, as it stands in the file")
    flat, old, new = (each.replace("\r\n", "\n") for each in (text, old, new))
    if old == new:
        raise ValueError("old_text and new_text are the same, so nothing would change")
    starts = _occurrences(flat, old)
    if not starts:
        raise ValueError(_not_found(flat, old, path))
    if not everywhere and flat.find(old, starts[0] + 1) >= 0:
        raise ValueError(_ambiguous(flat, old, starts, path))
    marks = _carriage_returns(text)
    put = new.replace("\n", "\r\n") if len(marks) * 2 > flat.count("\n") else new
    pieces: list[str] = []
    done = 0
    for start in starts:
        pieces += [text[done : _place(marks, start)], put]
        done = _place(marks, start + len(old))
    return Edited("".join([*pieces, text[done:]]), len(starts), _line(flat, starts[0]))


def short_diff(before: str, after: str) -> str:
    """The difference as a unified diff of at most 2,000 characters; of large differences only where they are."""
    old, new = (text.replace("\r\n", "\n").split("\n") for text in (before, after))
    head = _shared(old, new)
    tail = _shared(old[head:][::-1], new[head:][::-1])
    start = max(head - 2, 0)
    old_end, new_end = min(len(old) - tail + 2, len(old)), min(len(new) - tail + 2, len(new))
    if max(old_end, new_end) - start > _MAX_DIFF_LINES:
        return f"lines {start + 1} to {old_end} of {len(old)} change"
    lines = list(difflib.unified_diff(old[start:old_end], new[start:new_end], n=2, lineterm=""))[2:]
    shown = "\n".join([f"from line {start + 1}:", *lines] if start else lines)
    return shown if len(shown) <= _MAX_DIFF_CHARS else f"{shown[:_MAX_DIFF_CHARS]}…"


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines at the beginning are the same."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _occurrences(text: str, piece: str) -> list[int]:
    starts: list[int] = []
    start = text.find(piece)
    while start >= 0:
        starts.append(start)
        start = text.find(piece, start + len(piece))
    return starts


def _carriage_returns(text: str) -> list[int]:
    """Where, in the text with "\\n" for each end of a line, the ends are that had been "\\r\\n"."""
    return [start - number for number, start in enumerate(_occurrences(text, "\r\n"))]


def _place(marks: list[int], flat: int) -> int:
    """The place in the text of a place in it with "\\n" for each end of a line."""
    return flat + bisect.bisect_left(marks, flat)


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _ambiguous(text: str, old: str, starts: list[int], path: str) -> str:
    lines = ", ".join(str(_line(text, start)) for start in starts[:_MAX_SHOWN_PLACES])
    more = ", …" if len(starts) > _MAX_SHOWN_PLACES else ""
    if len(starts) == 1:
        return f"old_text occurs more than once in {path!r}, overlapping itself in line {lines}; add the text around it"
    return (
        f"old_text occurs {len(starts)} times in {path!r}, in lines {lines}{more}; add the text around the one that is "
        "meant, or set replace_all"
    )


def _not_found(text: str, old: str, path: str) -> str:
    said = f"old_text doesn't occur in {path!r}"
    lines = text.split("\n")[:_MAX_COMPARED_LINES]
    wanted = max(old.split("\n"), key=lambda line: len(line.strip())).strip()[:_MAX_SHOWN_CHARS]
    spaced = [number for number, line in enumerate(lines, 1) if wanted and wanted in line]
    if spaced:
        quoted = _quoted(lines, spaced[0])
        return f"{said}; line {spaced[0]} holds a part of it, so compare its spaces and its neighbours: {quoted}"
    stripped = {line.strip()[:_MAX_SHOWN_CHARS]: number for number, line in reversed([*enumerate(lines, 1)])}
    near = difflib.get_close_matches(wanted, [line for line in stripped if line], n=3)
    if not near:
        return f"{said}, and no line is near it; read_file shows what there is"
    shown = "; ".join(f"line {stripped[line]}: {_quoted(lines, stripped[line])}" for line in near)
    return f"{said}; the nearest lines are {shown}"


def _quoted(lines: list[str], number: int) -> str:
    return repr(lines[number - 1][:_MAX_SHOWN_CHARS])
