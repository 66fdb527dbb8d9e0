"""The entries of the user's calendar files: found, added, changed and taken out, without touching any other byte."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from pathlib import Path

from msgspec import Struct

from hilt.tools.builtin.personal.files import Content, Shelf, contents, is_empty, put, remove, writing
from hilt.tools.builtin.personal.lines import Block, blocks, is_editable, lines, readable
from hilt.tools.builtin.personal.written import with_component
from hilt.tools.builtin.personal.zones import Zones, declared_zones

_ENDING = ".ics"
_OWN_NAME = "hilt.ics"
_ID_CHARS = 10
_REPEATS = re.compile(rb"^(?:RRULE|RDATE|RECURRENCE-ID)[;:]", re.IGNORECASE | re.MULTILINE)
_DAYS = re.compile(rb"^(DTSTART|DTEND)(?:;[^:\r\n]*)?:(\d{8})", re.IGNORECASE | re.MULTILINE)
_UID = re.compile(rb"^UID(?:;[^:\r\n]*)?:([^\r\n]*)\r?\n(?![ \t])", re.MULTILINE)
_MAX_BLOCKS = 1_000_000


class Agenda(Struct, frozen=True):
    """Where the calendar lies, a file or a folder of files; the clock, an aware datetime in the user's zone; what gives
    a new unique name; and the seconds that pass, by which long searches end."""

    path: Path
    now: Callable[[], datetime]
    new_uid: Callable[[], str]
    passed_s: Callable[[], float]

    @property
    def shelf(self) -> Shelf:
        """The files."""
        return Shelf(self.path, _ENDING, _OWN_NAME)

    @property
    def home(self) -> tzinfo:
        """The user's time zone. Raises ValueError if the clock has none."""
        zone = self.now().tzinfo
        if zone is None:
            raise ValueError("the present time has no zone")
        return zone


class Calendar(Struct, frozen=True):
    """One file that was read: as it lies there, as text that can be read, its blocks and the zones that it declares."""

    file: Content
    text: bytes
    blocks: tuple[Block, ...]
    zones: Zones

    def of(self, block: Block) -> bytes:
        """The bytes of a block."""
        return self.text[block.start : block.end]


class Entry(Struct, frozen=True):
    """An event or a reminder: the blocks that say it, which is one unless some of its times were changed. `id` is the
    same each time that the file is read."""

    id: str
    calendar: Calendar
    blocks: tuple[Block, ...]


def calendars(agenda: Agenda, complain: Callable[[str], None]) -> Iterator[Calendar]:
    """All files; `complain` is told in a sentence of what can't be read."""
    for file in contents(agenda.shelf, complain):
        text = readable(file.content)
        found: list[Block] = []
        for block in blocks(text):
            found.append(block)
            if len(found) >= _MAX_BLOCKS:
                complain(f"{file.name} has more than {_MAX_BLOCKS:,} entries; the rest was left out")
                break
        if not found and text.strip() and b"BEGIN:VCALENDAR" not in text.upper():
            complain(f"{file.name} is no calendar")
        yield Calendar(file, text, tuple(found), declared_zones(text, found))


def entries(calendar: Calendar, kind: str, days: tuple[bytes, bytes] | None = None) -> Iterator[Entry]:
    """The events (VEVENT) or reminders (VTODO) of a file. With `days`, two dates such as 20261121, those that are
    certainly over before the first or begin after the second may be left out."""
    grouped: dict[str, list[tuple[Block, bool]]] = {}
    for block in calendar.blocks:
        if block.kind != kind:
            continue
        text = calendar.of(block)
        repeats = _REPEATS.search(text) is not None
        if days is not None and not repeats and _is_outside(text, days):
            continue
        uid, replaces = _uid(text, repeats)
        grouped.setdefault(uid, []).append((block, replaces))
    for uid, found in grouped.items():
        changed = [block for block, replaces in found if replaces]
        plain = [block for block, replaces in found if not replaces]
        for number, block in enumerate(plain or [None]):
            own = () if block is None else (block,)
            more = changed if number == 0 else ()
            yield Entry(_id(calendar.file.name, uid, number), calendar, (*own, *more))


def by_start(found: Iterable[Entry]) -> list[Entry]:
    """Entries that repeat, and then the others by the day on which they begin, as far as it is seen at once."""

    def start(entry: Entry) -> bytes:
        text = entry.calendar.of(entry.blocks[0])
        day = None if len(entry.blocks) > 1 or _REPEATS.search(text) else _DAYS.search(text)
        return b"" if day is None else day[2]

    return sorted(found, key=start)


def find(agenda: Agenda, kind: str, entry_id: str) -> Entry | None:
    """The entry with this id, None if there is none."""
    for calendar in calendars(agenda, lambda sentence: None):
        for entry in entries(calendar, kind):
            if entry.id == entry_id:
                return entry
    return None


def add(agenda: Agenda, uid: str, block: bytes, zone: bytes = b"") -> str:
    """Put a new component, and the zone it needs, into the calendar; its id. Raises ValueError if the file can't take
    it, OSError where it can't be written."""
    shelf = agenda.shelf
    name = shelf.own_name if shelf.is_folder else shelf.path.name
    with writing(shelf):
        sentences: list[str] = []
        old = next((each for each in contents(shelf, sentences.append) if each.name == name), None)
        if old is None and sentences:
            raise ValueError(sentences[0])
        if old is not None and not is_editable(old.content):
            raise ValueError(_not_editable(name))
        put(shelf, name, with_component(old.content if old else b"", block, zone), old)
    return _id(name, uid, 0)


def change(agenda: Agenda, kind: str, entry_id: str, edit: Callable[[Entry], dict[Block, bytes]]) -> Entry:
    """Replace blocks of an entry, each by other bytes or by none, all at once; the entry as it was.

    Raises ValueError if there is no such entry, if its file can't be changed or was changed by somebody else meanwhile.
    """
    if is_empty(agenda.shelf):
        raise ValueError(no_entry(kind, entry_id))
    with writing(agenda.shelf):
        entry = find(agenda, kind, entry_id)
        if entry is None:
            raise ValueError(no_entry(kind, entry_id))
        file = entry.calendar.file
        if not is_editable(file.content):
            raise ValueError(_not_editable(file.name))
        if not all(block.whole for block in entry.blocks):
            raise ValueError(f"the entry has no end in {file.name}, which is damaged; mend the file first")
        changes = edit(entry)
        after = file.content
        for block in sorted(changes, key=lambda each: each.start, reverse=True):
            after = after[: block.start] + changes[block] + after[block.end :]
        gone = {block for block, text in changes.items() if not text}
        left = any(block not in gone and block.kind != "VTIMEZONE" for block in entry.calendar.blocks)
        if left or not agenda.shelf.is_folder or file.name == agenda.shelf.own_name:
            put(agenda.shelf, file.name, after, file)
        else:
            remove(agenda.shelf, file)  # in such folders a file is one entry, and may not be empty
    return entry


def no_entry(kind: str, entry_id: str) -> str:
    """What to tell of an id that nothing has."""
    if kind == "VTODO":
        return f"there is no reminder {entry_id[:40]!r}; list_reminders tells the ids"
    return f"there is no event {entry_id[:40]!r}; fetch_events tells the ids"


def _not_editable(name: str) -> str:
    return f"{name} is UTF-16 or has lines that end in CR alone, so it can only be read; save it as UTF-8 first"


def texts(block: bytes, names: Sequence[str]) -> dict[str, str]:
    """The first value of each of these properties, still escaped; a missing one is left out."""
    found: dict[str, str] = {}
    for line in lines(block, frozenset(names)):
        found.setdefault(line.name, line.value)
    return found


def _uid(text: bytes, repeats: bool) -> tuple[str, bool]:
    """What an entry is known by, and whether it replaces one time of another."""
    if not repeats and (plain := _UID.search(text)):
        return plain[1].decode("utf-8", "replace").strip() or hashlib.sha256(text).hexdigest(), False
    found = texts(text, ("UID", "RECURRENCE-ID"))
    uid = found.get("UID", "").strip()
    return uid or hashlib.sha256(text).hexdigest(), "RECURRENCE-ID" in found


def _id(file: str, uid: str, number: int) -> str:
    # Where the file lies is part of it, since a copy of a calendar has the same names.
    digest = hashlib.sha256(f"{file}\0{uid}\0{number}".encode("utf-8", "surrogatepass")).digest()
    return base64.b32encode(digest).decode()[:_ID_CHARS].lower()


def _is_outside(text: bytes, days: tuple[bytes, bytes]) -> bool:
    """Whether an event that doesn't repeat is certainly not within the days, seen without reading it whole."""
    said: dict[bytes, bytes] = {}
    for found in _DAYS.finditer(text):
        said.setdefault(found[1].upper(), found[2])
    start, end = said.get(b"DTSTART"), said.get(b"DTEND")
    if start is None:
        return False
    if start > days[1]:
        return True
    if end is None and (b"DTEND" in (capitals := text.upper()) or b"DURATION" in capitals):
        return False
    return max(start, end or start) < days[0]
