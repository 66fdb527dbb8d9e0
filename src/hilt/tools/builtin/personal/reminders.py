"""Reminders, the to-dos of the user's calendar: those that are open, a new one, and one that is done."""

import re
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from hilt.tools.builtin.personal.agenda import Agenda, Entry, add, calendars, change, entries, find, no_entry, texts
from hilt.tools.builtin.personal.events import MAX_LISTED, MAX_TEXT_CHARS, MAX_TITLE_CHARS, checked
from hilt.tools.builtin.personal.lines import Block, folded, lines, text_line, unescaped
from hilt.tools.builtin.personal.matching import matches, read_query, shortened, told
from hilt.tools.builtin.personal.moments import Moment, read_moment, read_words, shown
from hilt.tools.builtin.personal.rules import Effort, Exhausted
from hilt.tools.builtin.personal.series import occurrences, read_times
from hilt.tools.builtin.personal.written import component, like, moment_line, utc, with_lines

_MAX_NOTES_CHARS = 300
_DONE = ("COMPLETED", "CANCELLED")
_NAMES = ("SUMMARY", "DESCRIPTION", "STATUS", "COMPLETED", "PRIORITY", "DUE", "DTSTART", "RRULE")
_YEARS_AHEAD = 30
_MAX_STEPS = 200_000


class Reminder(Struct, frozen=True, omit_defaults=True):
    """A reminder. `due` is local time to the minute with its weekday, or a day; "" is left out. `priority` is 1 (high)
    to 9."""

    id: str
    title: str
    due: str = ""
    notes: str = ""
    priority: int = 0
    overdue: bool = False
    done: bool = False
    repeats: bool = False


class ReminderList(Struct, frozen=True, omit_defaults=True):
    """Reminders, the first due first, those without a date last. `omitted` are left out after the 50 that are listed;
    `problems` says what couldn't be read."""

    reminders: tuple[Reminder, ...]
    omitted: int = 0
    problems: tuple[str, ...] = ()


class ReminderCompleted(Struct, frozen=True, omit_defaults=True):
    """A reminder that is done; one that repeats is due again at `next`."""

    id: str
    title: str
    next: str = ""


def find_reminders(agenda: Agenda, query: str, *, include_done: bool) -> ReminderList:
    """The reminders whose title or notes hold all words of the query, at most 50."""
    words = read_query(query)
    home, now_s = agenda.home, agenda.now().timestamp()
    problems: list[str] = []
    found: list[tuple[float, int, Reminder]] = []
    for calendar in calendars(agenda, problems.append):
        for entry in entries(calendar, "VTODO"):
            text = calendar.of(entry.blocks[0])
            said = texts(text, _NAMES)
            is_done = _is_done(said)
            if is_done and not include_done:
                continue
            searched = unescaped(said.get("SUMMARY", "") + "\n" + said.get("DESCRIPTION", ""))
            if words and not matches(searched, words):
                continue
            due_s, written = float("inf"), ""
            try:
                due = _due(entry)
                if due is not None:
                    ends = Moment(due.wall + timedelta(days=1), None) if due.is_day else due
                    due_s, written = ends.timestamp(home), shown(due, home)
            except (ValueError, OverflowError, OSError) as fault:
                problems.append(f"{calendar.file.name}: {_title(said)[:60]!r} can't be read fully: {fault}")
            priority = said.get("PRIORITY", "").strip()
            rank = int(priority) if re.fullmatch(r"[1-9]", priority, re.ASCII) else 0
            reminder = Reminder(
                entry.id,
                _title(said),
                written,
                shortened(unescaped(said.get("DESCRIPTION", "")).strip(), _MAX_NOTES_CHARS),
                rank,
                not is_done and due_s < now_s,
                is_done,
                "RRULE" in said,
            )
            found.append((due_s, rank or 10, reminder))
    found.sort(key=lambda each: (each[2].done, *each[:2], each[2].id))
    listed = tuple(reminder for _, _, reminder in found[:MAX_LISTED])
    return ReminderList(listed, max(len(found) - MAX_LISTED, 0), told(problems))


class NewReminder(Struct, frozen=True):
    """A reminder to be written; `due` None is without a date."""

    title: str
    due: Moment | None
    notes: str


def read_reminder(title: str, due: str, notes: str, now: datetime) -> NewReminder:
    """The reminder that is meant. Raises ValueError, which says what to write, also for what is past."""
    return NewReminder(
        checked(title, "title", MAX_TITLE_CHARS),
        _read_due(due, now) if due.strip() else None,
        checked(notes, "text of the notes", MAX_TEXT_CHARS) if notes.strip() else "",
    )


def write_reminder(agenda: Agenda, new: NewReminder) -> Reminder:
    """Write a reminder into the calendar, with an alarm where it has a time. Raises ValueError or OSError where the
    file can't be written."""
    now, home = agenda.now(), agenda.home
    uid = agenda.new_uid()
    body = [
        text_line("UID", uid),
        folded(f"DTSTAMP:{utc(now)}"),
        text_line("SUMMARY", new.title),
        *([text_line("DESCRIPTION", new.notes)] if new.notes else ()),
        *([moment_line("DUE", new.due, home, keep_zone=False)] if new.due else ()),
        folded("STATUS:NEEDS-ACTION"),
    ]
    if new.due is not None and not new.due.is_day:
        trigger = folded(f"TRIGGER;VALUE=DATE-TIME:{utc(datetime.fromtimestamp(new.due.timestamp(home), UTC))}")
        body.append(component("VALARM", (folded("ACTION:DISPLAY"), trigger, text_line("DESCRIPTION", new.title))))
    entry_id = add(agenda, uid, component("VTODO", body))
    due = shown(new.due, home) if new.due else ""
    return Reminder(entry_id, new.title, due, shortened(new.notes, _MAX_NOTES_CHARS))


def planned_completion(agenda: Agenda, entry_id: str) -> ReminderCompleted:
    """What `complete` would do. Raises ValueError as it does."""
    entry = find(agenda, "VTODO", entry_id)
    if entry is None:
        raise ValueError(no_entry("VTODO", entry_id))
    return _completion(agenda, entry)[0]


def complete(agenda: Agenda, entry_id: str) -> ReminderCompleted:
    """Mark a reminder as done, or move one that repeats to its next time.

    Raises ValueError if there is no such reminder, if it is done already, or if its file can't be changed.
    """
    said: list[ReminderCompleted] = []

    def edit(entry: Entry) -> dict[Block, bytes]:
        completed, changes = _completion(agenda, entry)
        said.append(completed)
        return changes

    change(agenda, "VTODO", entry_id, edit)
    return said[0]


def _read_due(text: str, now: datetime) -> Moment:
    due = read_words(text, now)
    if due.wall.year > now.year + _YEARS_AHEAD:
        raise ValueError(f"{text[:40]!r} is too far away; give a time within {_YEARS_AHEAD} years")
    end = due.wall + (timedelta(days=1) if due.is_day else timedelta(minutes=1))
    if end <= now.replace(tzinfo=None):
        raise ValueError(f"{text[:40]!r} is in the past: it is {now:%Y-%m-%d %H:%M} now; give a later time")
    return due


def _completion(agenda: Agenda, entry: Entry) -> tuple[ReminderCompleted, dict[Block, bytes]]:
    block = entry.blocks[0]
    raw = entry.calendar.file.content[block.start : block.end]
    said = texts(raw, _NAMES)
    title = _title(said)
    if _is_done(said):
        raise ValueError(f"the reminder {title[:60]!r} is done already")
    if len(entry.blocks) > 1:
        raise ValueError(
            f"single times of the reminder {title[:60]!r} were changed; mark it in the program that made it"
        )
    stamp = utc(agenda.now())
    if "RRULE" in said and (moved := _moved(agenda, entry, raw)) is not None:
        after, next_due = moved
        return ReminderCompleted(entry.id, title, next_due), {block: after}
    done = [folded("STATUS:COMPLETED"), folded(f"COMPLETED:{stamp}"), folded("PERCENT-COMPLETE:100")]
    after = with_lines(
        raw, ("STATUS", "COMPLETED", "PERCENT-COMPLETE", "LAST-MODIFIED"), [*done, folded(f"LAST-MODIFIED:{stamp}")]
    )
    return ReminderCompleted(entry.id, title), {block: after}


def _moved(agenda: Agenda, entry: Entry, raw: bytes) -> tuple[bytes, str] | None:
    """A repeating reminder at its next time, and when that is; None if it was the last."""
    home, zones = agenda.home, entry.calendar.zones
    found = {line.name: line for line in lines(raw, {"DTSTART", "DUE", "RRULE"})}
    anchor = "DTSTART" if "DTSTART" in found else "DUE"
    if anchor not in found:
        return None
    times = read_times(raw, zones, anchor)
    if times.problem:
        raise ValueError(f"the reminder can't be moved to its next time: {times.problem}")
    start = times.start
    local = start.wall if start.is_day else datetime.fromtimestamp(start.timestamp(home), home).replace(tzinfo=None)
    try:
        coming = sorted(
            (each.start.timestamp(home), each.original)
            for each in occurrences(
                [times], local, local + timedelta(days=366 * _YEARS_AHEAD), home, Effort(_MAX_STEPS)
            )
            if each.original > start.wall
        )
    except Exhausted:
        coming = []
    if not coming:
        return None
    new = coming[0][1]
    shift = new - start.wall
    names = [name for name in ("DTSTART", "DUE") if name in found]
    moments = {name: read_moment(found[name], zones) for name in names}
    written = [
        like(name, each.wall + shift, found[name], is_utc=each.zone is UTC, is_day=each.is_day)
        for name, each in moments.items()
    ]
    zone = start.zone or home
    # What was taken out by an EXDATE has been counted as well.
    passed = sum(
        wall < new
        for rule in times.rules[:1]
        for wall in rule.walls(start.wall, start.wall, new, zone, Effort(_MAX_STEPS))
    )
    rule = re.sub(r"COUNT=(\d{1,6})", lambda count: f"COUNT={max(int(count[1]) - passed, 1)}", found["RRULE"].value)
    after = with_lines(raw, (*names, "RRULE"), [*written, folded(f"RRULE:{rule}")])
    due = moments.get("DUE", start)
    return after, shown(Moment(due.wall + shift, due.zone, due.is_day), home)


def _due(entry: Entry) -> Moment | None:
    for name in ("DUE", "DTSTART"):
        for line in lines(entry.calendar.of(entry.blocks[0]), {name}):
            return read_moment(line, entry.calendar.zones)
    return None


def _is_done(said: dict[str, str]) -> bool:
    return said.get("STATUS", "").strip().upper() in _DONE or ("COMPLETED" in said and "STATUS" not in said)


def _title(said: dict[str, str]) -> str:
    return shortened(" ".join(unescaped(said.get("SUMMARY", "")).split()), 200) or "(no title)"
