"""The times of a recurrence rule (RFC 5545) in a window, with a bound on the work that any rule can make.

The steps of a rule are dateutil's. What is added is what a rule written by a stranger needs: a rule that began long ago
is entered near the window, a rule of seconds is counted and not walked, a rule that never comes ends its search after
the 400 years in which the calendar repeats itself, and all work is counted.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import cast

from dateutil.rrule import rrulestr
from msgspec import Struct

_UNIT_S = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600, "DAILY": 86_400, "WEEKLY": 7 * 86_400}
_FREQUENCIES = (*_UNIT_S, "MONTHLY", "YEARLY")
_SHORT = ("SECONDLY", "MINUTELY", "HOURLY")
_NUMBERS = {
    "BYMONTH": (1, 12),
    "BYWEEKNO": (-53, 53),
    "BYYEARDAY": (-366, 366),
    "BYMONTHDAY": (-31, 31),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 60),
    "BYSETPOS": (-366, 366),
}
# What a rule of hours or less may be narrowed by, so that it comes soon and is found soon.
_NARROWED: Mapping[str, frozenset[str]] = {
    "SECONDLY": frozenset(),
    "MINUTELY": frozenset({"BYDAY", "BYHOUR", "WKST"}),
    "HOURLY": frozenset({"BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND", "BYMONTH", "WKST"}),
}
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,6}", re.ASCII)
_UNTIL = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d):?(\d\d)?(Z?))?", re.ASCII)
_MAX_RULE_CHARS = 1000
_CALENDAR_YEARS = 400
_LAST_YEAR = 9998


class RuleError(ValueError):
    """A rule that can't be followed; the message says why."""


class Exhausted(Exception):
    """The work for one question has reached its bound."""


class Effort:
    """How much work is left for a question: `steps`, and the time until `is_late` says that it is up."""

    def __init__(self, steps: int, is_late: Callable[[], bool] = lambda: False) -> None:
        self._left = steps
        self._is_late = is_late

    def spend(self, steps: int = 1) -> None:
        """Count some steps. Raises Exhausted where there is none left."""
        self._left -= steps
        if self._left < 0 or (self._left % 64 == 0 and self._is_late()):
            self._left = -1
            raise Exhausted


class Rule(Struct, frozen=True):
    """A rule that can be followed. `until` is naive: in UTC with `until_utc`, else on the clock of the event."""

    frequency: str
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    until_utc: bool = False
    parts: tuple[tuple[str, str], ...] = ()

    def walls(self, start: datetime, low: datetime, high: datetime, zone: tzinfo, effort: Effort) -> Iterator[datetime]:
        """The local times, on the clock of `zone` and naive, from `low` to `high`, of the rule that begins at `start`,
        in order; the second of an hour that comes twice has the fold 1. Raises Exhausted when the effort is spent."""
        until = self.until
        if until is not None and self.until_utc:
            until = _wall_at(until, zone)
        end = high if until is None else min(high, until)
        if end < start or end < low:
            return
        found = (
            self._counted(start, low, zone)
            if self.frequency in _SHORT and not self.parts
            else self._walked(start, low, end)
        )
        for wall in found:
            effort.spend()
            if wall > end:
                return
            if wall >= low:
                yield wall

    def _counted(self, start: datetime, low: datetime, zone: tzinfo) -> Iterator[datetime]:
        """A plain rule of hours or less counts the time that passes, not what the clock shows."""
        step_s = _UNIT_S[self.frequency] * self.interval
        first_s = start.replace(tzinfo=zone).timestamp()
        number = max(0, int((low - start).total_seconds() - 86_400) // step_s)
        while self.count is None or number < self.count:
            try:
                yield datetime.fromtimestamp(first_s + number * step_s, zone).replace(tzinfo=None)
            except (ValueError, OverflowError, OSError):
                return
            number += 1

    def _walked(self, start: datetime, low: datetime, end: datetime) -> Iterator[datetime]:
        first = start if self.count is not None else self._later_start(start, low)
        shift = max((_LAST_YEAR - max(first.year, end.year)) // _CALENDAR_YEARS, 0) * _CALENDAR_YEARS
        text = f"FREQ={self.frequency};INTERVAL={self.interval}"
        text += "".join(f";{name}={value}" for name, value in self.parts)
        if self.count is not None:
            text += f";COUNT={self.count}"
        try:
            for wall in cast("Iterable[datetime]", rrulestr(text, dtstart=first.replace(year=first.year + shift))):
                yield wall.replace(year=wall.year - shift)
        except (ValueError, OverflowError):
            return  # the end of the calendar, or parts that exclude one another

    def _later_start(self, start: datetime, low: datetime) -> datetime:
        """A start near `low` from which an endless rule has the same times."""
        unit_s = _UNIT_S.get(self.frequency)
        if unit_s is None:
            return start
        periods = int((low - start).total_seconds() // (unit_s * self.interval)) - 2
        return start if periods <= 0 else start + timedelta(seconds=periods * unit_s * self.interval)


def read_rule(text: str) -> Rule:
    """The rule that an RRULE says. Raises RuleError for what is none."""
    if len(text) > _MAX_RULE_CHARS:
        raise RuleError("its rule is too long")
    said: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
        name, equals, value = part.strip().partition("=")
        if not equals or not value:
            raise RuleError(f"its rule has a part {part[:40]!r} that says nothing")
        if not name.startswith("X-"):
            said[name] = value.strip()
    frequency = said.pop("FREQ", "")
    if frequency not in _FREQUENCIES:
        raise RuleError(f"its rule repeats {frequency[:40] or 'at no known time'}")
    interval = _whole(said.pop("INTERVAL", "1"), "INTERVAL", 1, 999_999)
    count = _whole(said.pop("COUNT"), "COUNT", 1, 999_999) if "COUNT" in said else None
    until, is_utc = _until(said.pop("UNTIL")) if "UNTIL" in said else (None, False)
    parts = tuple((name, _checked(name, value, frequency)) for name, value in said.items())
    if frequency in _SHORT and not {name for name, _ in parts} <= _NARROWED[frequency]:
        raise RuleError(f"its rule {text[:60]} is narrower than {frequency.lower()} rules can be here")
    return Rule(frequency, interval, count, until, is_utc, parts)


def _checked(name: str, value: str, frequency: str) -> str:
    if name == "WKST":
        if value not in ("MO", "TU", "WE", "TH", "FR", "SA", "SU"):
            raise RuleError(f"its rule has the week begin on {value[:20]}")
        return value
    if name == "BYDAY":
        days = [found for each in value.split(",") if (found := _DAY.fullmatch(each.strip()))]
        if not days or len(days) != value.count(",") + 1:
            raise RuleError(f"its rule has the days {value[:40]}")
        # A number is for months and years only; elsewhere it means nothing.
        numbered = frequency in ("MONTHLY", "YEARLY")
        return ",".join(f"{day[1] if numbered and day[1] and int(day[1]) else ''}{day[2]}" for day in days)
    if name not in _NUMBERS:
        raise RuleError(f"its rule has a part {name[:40]} that nobody knows here")
    low, high = _NUMBERS[name]
    numbers = [_whole(each, name, low, high) for each in value.split(",")]
    if low < 0:
        numbers = [number for number in numbers if number]
    return ",".join(str(min(number, 59)) if name == "BYSECOND" else str(number) for number in numbers) or "1"


def _whole(text: str, name: str, low: int, high: int) -> int:
    number = int(text) if _NUMBER.fullmatch(text.strip()) else None
    if number is None or not low <= number <= high:
        raise RuleError(f"its rule has {name}={text[:20]}")
    return number


def _until(text: str) -> tuple[datetime, bool]:
    found = _UNTIL.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month, day, hour, minute, second, utc = found.groups()
        clock = (23, 59, 59) if hour is None else (int(hour), int(minute), min(int(second or 0), 59))
        return datetime(int(year), int(month), int(day), *clock), bool(utc)
    except ValueError:
        raise RuleError(f"its rule ends at {text[:30]}, which is no date") from None


def _wall_at(utc: datetime, zone: tzinfo) -> datetime:
    try:
        return utc.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None, fold=0)
    except (OverflowError, ValueError):
        return utc
