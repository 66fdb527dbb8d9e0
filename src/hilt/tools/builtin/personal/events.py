"""Events of the user's calendar: those of some days, a new one, and one that is taken out."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from msgspec import Struct

from hilt.tools.builtin.personal.agenda import (
    Agenda,
    Calendar,
    Entry,
    add,
    by_start,
    calendars,
    change,
    entries,
    find,
    no_entry,
    texts,
)
from hilt.tools.builtin.personal.lines import Block, Line, folded, lines, text_line, unescaped
from hilt.tools.builtin.personal.matching import matches, read_query, shortened, told
from hilt.tools.builtin.personal.moments import Moment, read_words, shown
from hilt.tools.builtin.personal.rules import Effort, Exhausted
from hilt.tools.builtin.personal.series import Occurrence, Times, occurrences, read_times
from hilt.tools.builtin.personal.written import component, declared, like, moment_line, utc, with_lines
from hilt.tools.builtin.schedule.recurrence import on_the_clock
from hilt.tools.builtin.schedule.repeats import read_repeat

MAX_LISTED = 50
MAX_TEXT_CHARS = 4000
MAX_TITLE_CHARS = 500
_MAX_DESCRIPTION_CHARS = 300
_MAX_YEARS = 100
_MAX_STEPS = 3_000_000
_MAX_SEARCH_S = 8.0
_FIRST, _LAST = datetime(2, 1, 1), datetime(9990, 1, 1)
_NAMES = ("SUMMARY", "LOCATION", "DESCRIPTION", "STATUS", "ORGANIZER")


class Event(Struct, frozen=True, omit_defaults=True):
    """One time that an event takes place. `start` and `end` are local time to the minute with the weekday; of an event
    of whole days they are its first and last day. What the calendar doesn't say is left out."""

    id: str
    title: str
    start: str
    end: str
    location: str = ""
    description: str = ""
    organizer: str = ""
    status: str = ""
    repeats: bool = False


class EventList(Struct, frozen=True, omit_defaults=True):
    """Events of the time from `start` to `end` on the clock of `timezone`, by their start. `omitted` are left out after
    the 50 that are listed; `problems` says in sentences what couldn't be read."""

    start: str
    end: str
    timezone: str
    events: tuple[Event, ...]
    omitted: int = 0
    problems: tuple[str, ...] = ()


class EventDeleted(Struct, frozen=True, omit_defaults=True):
    """An event that is no more; `only` is the one time of it that was taken out, if it wasn't all."""

    id: str
    title: str
    only: str = ""


class NewEvent(Struct, frozen=True):
    """An event to be written."""

    title: str
    start: Moment
    end: Moment
    location: str = ""
    description: str = ""
    rule: str = ""


def fetch(agenda: Agenda, low: datetime, high: datetime, query: str) -> EventList:
    """The events between two local times whose title, place, text or organizer hold all words of the query.

    At most 50 are listed. Raises OSError if the calendar can't be read at all.
    """
    home = agenda.home
    low, high = min(max(low, _FIRST), _LAST), min(max(high, _FIRST), _LAST)
    words = read_query(query)
    problems: list[str] = []
    effort = _effort(agenda)
    found: list[tuple[float, str, int, Entry, Occurrence]] = []
    days = (_day(low - timedelta(days=2)), _day(high + timedelta(days=2)))
    try:
        read = calendars(agenda, problems.append)
        for entry in by_start(entry for calendar in read for entry in entries(calendar, "VEVENT", days)):
            effort.spend()
            for occurrence in _times_of(entry, low, high, home, effort, problems):
                if words and not matches(_searched(entry.calendar.of(entry.blocks[occurrence.of])), words):
                    continue
                found.append((occurrence.start.timestamp(home), entry.id, len(found), entry, occurrence))
    except Exhausted:
        problems.append("the calendar is too large to be searched whole in good time, so events may be missing here")
    found.sort(key=lambda each: each[:3])
    listed = tuple(_event(entry, occurrence, home) for _, _, _, entry, occurrence in found[:MAX_LISTED])
    return EventList(
        start=_minute(low),
        end=_minute(high),
        timezone=str(home),
        events=listed,
        omitted=max(len(found) - MAX_LISTED, 0),
        problems=told(problems),
    )


def read_event(
    title: str, start: str, end: str, location: str, description: str, repeat: str, now: datetime
) -> NewEvent:
    """The event that is meant. Without an end it takes an hour, or the whole day. Raises ValueError, which says what to
    write."""
    title = checked(title, "title", MAX_TITLE_CHARS)
    first = read_words(start, now)
    if abs(first.wall.year - now.year) > _MAX_YEARS:
        raise ValueError(f"{start[:40]!r} is too far away; give a time within {_MAX_YEARS} years")
    if not first.is_day:
        first = Moment(on_the_clock(first.wall, now.tzinfo or UTC).replace(tzinfo=None))
    last = _end_of(first, end, now)
    rule = ""
    if repeat.strip():
        at = on_the_clock(first.wall, now.tzinfo or UTC)
        rule = read_repeat(repeat, at)
        if first.is_day:
            rule = re.sub(r"UNTIL=(\d{8})T\w+", r"UNTIL=\1", rule)
    return NewEvent(
        title,
        first,
        last,
        checked(location, "location", MAX_TITLE_CHARS) if location.strip() else "",
        checked(description, "description", MAX_TEXT_CHARS) if description.strip() else "",
        rule,
    )


def write_event(agenda: Agenda, new: NewEvent) -> Event:
    """Write an event into the calendar. Raises ValueError as `agenda.add` does."""
    now, home = agenda.now(), agenda.home
    uid = agenda.new_uid()
    repeats = bool(new.rule)
    end = Moment(new.end.wall + timedelta(days=1), None, is_day=True) if new.end.is_day else new.end
    body = [
        text_line("UID", uid),
        folded(f"DTSTAMP:{utc(now)}"),
        moment_line("DTSTART", new.start, home, keep_zone=repeats),
        moment_line("DTEND", end, home, keep_zone=repeats),
        text_line("SUMMARY", new.title),
        *([text_line("LOCATION", new.location)] if new.location else ()),
        *([text_line("DESCRIPTION", new.description)] if new.description else ()),
        *([folded(f"RRULE:{new.rule}")] if repeats else ()),
    ]
    zone = declared(home, new.start.wall) if repeats and not new.start.is_day else b""
    entry_id = add(agenda, uid, component("VEVENT", body), zone)
    return Event(
        entry_id,
        new.title,
        shown(new.start, home),
        shown(new.end, home),
        new.location,
        shortened(new.description, _MAX_DESCRIPTION_CHARS),
        repeats=repeats,
    )


def planned_deletion(agenda: Agenda, entry_id: str, only: str) -> EventDeleted:
    """What `take_out` would take out. Raises ValueError as it does."""
    entry = find(agenda, "VEVENT", entry_id)
    if entry is None:
        raise ValueError(no_entry("VEVENT", entry_id))
    return _deletion(agenda, entry, only)[0]


def take_out(agenda: Agenda, entry_id: str, only: str) -> EventDeleted:
    """Take an event out of its file, all its times or `only` the one that begins at the words given.

    Raises ValueError if there is no such event or time, or if its file can't be changed.
    """
    said: list[EventDeleted] = []

    def edit(entry: Entry) -> dict[Block, bytes]:
        deleted, changes = _deletion(agenda, entry, only)
        said.append(deleted)
        return changes

    change(agenda, "VEVENT", entry_id, edit)
    return said[0]


def checked(text: str, what: str, most: int) -> str:
    """A text that may be written. Raises ValueError if it is empty or too long."""
    text = text.strip()
    if not text:
        raise ValueError(f"the {what} is empty")
    if len(text) > most:
        raise ValueError(f"the {what} is longer than {most} characters; make it shorter")
    return text


def _deletion(agenda: Agenda, entry: Entry, only: str) -> tuple[EventDeleted, dict[Block, bytes]]:
    calendar = entry.calendar
    title = _title(calendar.of(entry.blocks[0]))
    if not only.strip():
        return EventDeleted(entry.id, title), dict.fromkeys(entry.blocks, b"")
    home = agenda.home
    moment = read_words(only, agenda.now())
    low = min(max(moment.wall.replace(hour=0, minute=0, second=0), _FIRST), _LAST)
    found = [
        each
        for each in _times_of(entry, low, low + timedelta(days=1), home, _effort(agenda), [])
        if _begins(each, moment, home)
    ]
    if len(found) != 1:
        which = "no time" if not found else f"{len(found)} times"
        raise ValueError(
            f"the event {title[:60]!r} has {which} that begin at {only[:40]!r}; give `only` as the start that"
            " fetch_events tells, such as 2026-12-31T09:00"
        )
    one = found[0]
    series = [read_times(calendar.of(block), calendar.zones) for block in entry.blocks]
    changes = {
        block: b""
        for block, times in zip(entry.blocks, series, strict=True)
        if times.replaces is not None and times.replaces.wall == one.original and not times.and_future
    }
    regular = next((number for number, times in enumerate(series) if times.replaces is None), None)
    if regular is not None:
        block = entry.blocks[regular]
        raw = calendar.file.content[block.start : block.end]
        line = lines(raw, {"DTSTART"})[0]
        times = series[regular]
        gone = like("EXDATE", one.original, line, is_utc=times.start.zone is UTC, is_day=times.start.is_day)
        changes[block] = with_lines(raw, (), [gone])
    return EventDeleted(entry.id, title, shown(one.start, home)), changes


def _begins(occurrence: Occurrence, moment: Moment, home: tzinfo) -> bool:
    start = occurrence.start
    if start.is_day or moment.is_day:
        local = start.wall if start.is_day else datetime.fromtimestamp(start.timestamp(home), home)
        return local.date() == moment.wall.date()
    return abs(start.timestamp(home) - moment.timestamp(home)) < 60


def _times_of(
    entry: Entry, low: datetime, high: datetime, home: tzinfo, effort: Effort, problems: list[str]
) -> Sequence[Occurrence]:
    """The times of an entry in the window; what of it can't be read is told in `problems`."""
    calendar = entry.calendar
    series: list[Times] = []
    try:
        for block in entry.blocks:
            series.append(read_times(calendar.of(block), calendar.zones))
            if series[-1].problem:
                problems.append(_trouble(calendar, block, series[-1].problem))
        return list(occurrences(series, low, high, home, effort))
    except (ValueError, OverflowError, OSError) as fault:
        problems.append(_trouble(calendar, entry.blocks[min(len(series), len(entry.blocks) - 1)], str(fault)))
        return ()


def _trouble(calendar: Calendar, block: Block, fault: str) -> str:
    return f"{calendar.file.name}: {shortened(_title(calendar.of(block)), 60)!r} can't be read fully: {fault}"


def _event(entry: Entry, occurrence: Occurrence, home: tzinfo) -> Event:
    block = entry.calendar.of(entry.blocks[occurrence.of])
    said = texts(block, _NAMES)
    organizer = next(iter(lines(block, {"ORGANIZER"})), None)
    end = occurrence.end
    if occurrence.start.is_day:
        end = Moment(max(end.wall - timedelta(days=1), occurrence.start.wall), None, is_day=True)
    status = said.get("STATUS", "").strip().lower()
    return Event(
        entry.id,
        _title(block),
        shown(occurrence.start, home),
        shown(end, home),
        shortened(unescaped(said.get("LOCATION", "")).strip(), _MAX_DESCRIPTION_CHARS),
        shortened(unescaped(said.get("DESCRIPTION", "")).strip(), _MAX_DESCRIPTION_CHARS),
        "" if organizer is None else shortened(_person(organizer), 200),
        status if status in ("cancelled", "tentative") else "",
        len(entry.blocks) > 1 or b"RRULE" in block.upper() or b"RDATE" in block.upper(),
    )


def _title(block: bytes) -> str:
    return shortened(" ".join(unescaped(texts(block, ("SUMMARY",)).get("SUMMARY", "")).split()), 200) or "(no title)"


def _person(line: Line) -> str:
    address = re.sub(r"(?i)^mailto:", "", line.value.strip())
    name = line.parameter("CN").strip()
    return f"{name} <{address}>" if name and name != address else address


def _searched(block: bytes) -> str:
    return "\n".join(unescaped(line.value) + " " + line.parameter("CN") for line in lines(block, frozenset(_NAMES)))


def _end_of(start: Moment, end: str, now: datetime) -> Moment:
    if not end.strip():
        return start if start.is_day else Moment(start.wall + timedelta(hours=1))
    if not start.is_day and re.fullmatch(r"\s*\d{1,2}(:\d\d)? ?([ap]\.?m\.?)?\s*", end, re.IGNORECASE):
        # A time alone is the next such after the start.
        last = read_words(
            end if ":" in end or not end.strip().isdigit() else f"{end.strip()}:00",
            start.wall.replace(tzinfo=now.tzinfo),
        )
    elif re.match(r"\s*(\+|in |for |PT?\d)|\s*\d[\d.]* ?(h|m|d)", end, re.IGNORECASE) and not start.is_day:
        length = re.sub(r"^\s*(for|in)\s+", "", end, flags=re.IGNORECASE)
        last = read_words(length, start.wall.replace(tzinfo=now.tzinfo))
    else:
        last = read_words(end, now)
    if last.is_day != start.is_day:
        raise ValueError("start and end must both be days, or both have a time of day")
    if last.wall < start.wall or (last.wall == start.wall and not start.is_day):
        raise ValueError(f"the end {_minute(last.wall)} is not after the start {_minute(start.wall)}")
    return last


def _effort(agenda: Agenda) -> Effort:
    until_s = agenda.passed_s() + _MAX_SEARCH_S
    return Effort(_MAX_STEPS, lambda: agenda.passed_s() > until_s)


def _day(wall: datetime) -> bytes:
    return f"{wall.year:04}{wall:%m%d}".encode()


def _minute(wall: datetime) -> str:
    return f"{wall.year:04}{wall:-%m-%d %H:%M}"
