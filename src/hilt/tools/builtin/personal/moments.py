"""When something is: a day, a time on whatever clock the reader has, or a time in a zone."""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from msgspec import Struct

from hilt.tools.builtin.personal.lines import Line
from hilt.tools.builtin.personal.zones import Zones, zone_by_name
from hilt.tools.builtin.schedule.when import WEEKDAYS, plain, read_when

_DATE = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_DURATION = re.compile(
    r"([+-])?P(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?", re.ASCII
)
_HAS_TIME = re.compile(
    r"\d:\d\d|\dt\d\d|\b\d{1,2} ?[ap]\.?m\b|o'clock|\b(?:hours?|hrs?|minutes?|mins?|seconds?|now|noon|midday|midnight"
    r"|morning|afternoon|evening|night|tonight)\b|\bat \d"
)
_MAX_WORDS_CHARS = 100
_EDGES = "2026-12-31, 2026-12-31T09:00, today, tomorrow, monday, this week, next month or in 3 days"


class Moment(Struct, frozen=True):
    """A local time, naive. `zone` None means the clock of whoever reads it; of a `is_day` only the date counts."""

    wall: datetime
    zone: tzinfo | None = None
    is_day: bool = False

    def timestamp(self, home: tzinfo) -> float:
        """Seconds since 1970, for a reader in the zone `home`. Raises ValueError for what no clock can show."""
        try:
            return self.wall.replace(tzinfo=self.zone or home).timestamp()
        except OverflowError:
            raise ValueError("it lies beyond all calendars") from None


class Span(Struct, frozen=True):
    """A length of time: whole days of the calendar, and seconds."""

    days: int = 0
    seconds: float = 0.0


def read_moment(line: Line, zones: Zones, text: str | None = None) -> Moment:
    """The moment that a property such as DTSTART says, or `text` in its place. Raises ValueError for what is none."""
    written = (line.value if text is None else text).strip()
    found = _DATE.fullmatch(written)
    if found is None:
        raise ValueError(f"{line.name} {written[:40]!r} is no date")
    year, month, day, hour, minute, second, offset = found.groups()
    if hour is None:
        return Moment(datetime(int(year), int(month), int(day)), None, is_day=True)
    wall = datetime(int(year), int(month), int(day), int(hour) % 24, int(minute), min(int(second or 0), 59))
    wall += timedelta(days=int(hour) // 24)
    if offset == "Z":
        return Moment(wall, UTC)
    if offset:
        return Moment(datetime.fromisoformat(f"{wall.isoformat()}{offset}").astimezone(UTC).replace(tzinfo=None), UTC)
    name = line.parameter("TZID")
    return Moment(wall, zone_by_name(name, zones) if name else None)


def read_span(text: str) -> Span:
    """The length that a DURATION says. Raises ValueError for what is none."""
    found = _DURATION.fullmatch(text.strip().upper())
    if found is None or not any(found.groups()[1:]):
        raise ValueError(f"DURATION {text[:40]!r} is no length of time")
    sign, weeks, days, hours, minutes, seconds = found.groups()
    if sign == "-":
        return Span()
    return Span(
        7 * int(weeks or 0) + int(days or 0), 3600 * int(hours or 0) + 60 * int(minutes or 0) + int(seconds or 0)
    )


def shown(moment: Moment, home: tzinfo) -> str:
    """A moment on the clock of `home`, to the minute, with its weekday; a day without a time."""
    wall = moment.wall
    if not moment.is_day and moment.zone is not None:
        wall = datetime.fromtimestamp(moment.timestamp(home), home)
    written = f"{WEEKDAYS[wall.weekday()].capitalize()} {wall:%Y-%m-%d}".replace(f"{wall:%Y}-", f"{wall.year:04}-", 1)
    return written if moment.is_day else f"{written} {wall:%H:%M}"


def read_words(text: str, now: datetime) -> Moment:
    """The moment that a user's words mean, past or to come, in the zone of `now`; without a time of day it is a day.

    Raises ValueError, which says what to write.
    """
    words = plain(text, _MAX_WORDS_CHARS)
    if found := _DATE.fullmatch(words.upper()):
        try:
            moment = datetime.fromisoformat(re.sub(r" (?=\d)", "T", found[0], count=1))
        except ValueError:
            raise ValueError(f"{text[:40]!r} is no date that can be; write {_EDGES}") from None
        if found[4] is None:
            return Moment(moment, None, is_day=True)
        return Moment((moment.astimezone(now.tzinfo) if moment.tzinfo else moment).replace(tzinfo=None, microsecond=0))
    today = datetime.combine(now.date(), time())
    if words in ("today", "yesterday"):
        return Moment(today - timedelta(days=words == "yesterday"), None, is_day=True)
    if words == "now":
        return Moment(now.replace(tzinfo=None, microsecond=0))
    try:
        moment = read_when(words, now)
    except ValueError as fault:
        if " is in the past" in str(fault) and words.startswith("today"):
            return Moment(
                read_when(words.replace("today", "tomorrow", 1), now).replace(tzinfo=None) - timedelta(days=1)
            )
        raise ValueError(f"{text[:40]!r} can't be read as a day or a time; write {_EDGES}") from None
    if _HAS_TIME.search(words):
        return Moment(moment.replace(tzinfo=None))
    return Moment(datetime.combine(moment.date(), time()), None, is_day=True)


def read_window(start: str | None, end: str | None, now: datetime, days: int) -> tuple[datetime, datetime]:
    """The times between which something is looked for, naive on the clock of `now`: from `start`, today where it is
    left out, until the end of the day `end`, or `days` days on. Words for a week, a month or a year are all of it."""
    low, high = _period(start, now) if start else (datetime.combine(now.date(), time()), None)
    if end:
        _, last = _period(end, now)
        high = last
    elif high is None or (high - low) <= timedelta(days=1):
        # One day alone is what was asked for only if it was named.
        high = high if start and high is not None and high > low else _plus_days(low, days)
    if high < low:
        raise ValueError(f"the end {high:%Y-%m-%d %H:%M} lies before the start {low:%Y-%m-%d %H:%M}; exchange them")
    return low, high


def _period(text: str, now: datetime) -> tuple[datetime, datetime]:
    """First and last moment of what the words mean: a day, a week, a month, a year, or twice the same time."""
    words = plain(text, _MAX_WORDS_CHARS)
    which, _, unit = words.rpartition(" ")
    number = {"this": 0, "the": 0, "next": 1, "last": -1, "previous": -1, "the next": 1}.get(which)
    first = now.date()
    if number is not None and unit in ("week", "weekend", "month", "year"):
        begin, end = _calendar_period(first, unit, number)
        return datetime.combine(begin, time()), datetime.combine(end, time())
    if re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", words):
        begin = date.fromisoformat(f"{words}-01")
        return datetime.combine(begin, time()), datetime.combine(_month_later(begin, 1), time())
    moment = read_words(text, now)
    return moment.wall, _plus_days(moment.wall, 1) if moment.is_day else moment.wall


def _calendar_period(today: date, unit: str, number: int) -> tuple[date, date]:
    if unit in ("week", "weekend"):
        monday = today - timedelta(days=today.weekday()) + timedelta(weeks=number)
        return monday + timedelta(days=5 if unit == "weekend" else 0), monday + timedelta(days=7)
    if unit == "month":
        first = _month_later(today.replace(day=1), number)
        return first, _month_later(first, 1)
    return date(today.year + number, 1, 1), date(today.year + number + 1, 1, 1)


def _month_later(first: date, number: int) -> date:
    years, month = divmod(first.month - 1 + number, 12)
    if not 1 <= first.year + years <= 9999:
        raise ValueError("that lies beyond all calendars")
    return first.replace(year=first.year + years, month=month + 1)


def _plus_days(wall: datetime, days: int) -> datetime:
    try:
        return wall + timedelta(days=days)
    except OverflowError:
        return datetime.max.replace(microsecond=0)
