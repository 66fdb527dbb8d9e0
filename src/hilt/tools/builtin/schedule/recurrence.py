"""When something is due: once, or again and again by a rule of RFC 5545.

A rule counts in one of two ways. One of days or longer, and one that names days, hours or minutes, follows the clock
on the wall: daily at 09:00 stays at 09:00 when the clocks change. A time that the change skips is read with the offset
before it, so 02:30 becomes 03:30; of a time that comes twice the first is meant. Both are as the RFC has it. A plain
rule of hours, minutes or seconds counts the time that really passes.

A rule may never come, such as 30 February, and the search for its next day ends at the year 9999 only. The calendar
repeats every 400 years to the weekday, so the search runs in those of its copies that lie near that end.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr
from msgspec import Struct

MAX_RULE_CHARS = 500
MAX_COUNT = 10_000
MAX_INTERVAL = 100_000
MAX_TIMES_A_DAY = 100
HORIZON_YEARS = 100

_UNIT_S = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600, "DAILY": 86_400, "WEEKLY": 7 * 86_400}
_LONG = ("MONTHLY", "YEARLY")
_RANGES = {
    "BYMONTH": (1, 12),
    "BYWEEKNO": (-53, 53),
    "BYYEARDAY": (-366, 366),
    "BYMONTHDAY": (-31, 31),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 59),
    "BYSETPOS": (-366, 366),
}
_DAY_PARTS = ("BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYDAY")
_DAY = re.compile(r"([+-]?[1-9]\d?)?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,6}", re.ASCII)
_UNTIL = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d):?(\d\d)?(Z?))?", re.ASCII)
_OFFSET = re.compile(r"UTC([+-])(\d\d):(\d\d)", re.ASCII)


class Timing(Struct, frozen=True):
    """When a task is due: at `start_s` (seconds since 1970), or from then on by `rule` on the clock of `zone`.

    `zone` is a name of the IANA database or a fixed "UTC+02:00". `rule` is one that `read_rule` returned, "" for once;
    its first time is at `start_s` or, where that doesn't fit it, later.
    """

    start_s: int
    zone: str
    rule: str = ""


def zone_name(moment: datetime) -> str:
    """How the zone of an aware datetime is stored. Raises ValueError if it is naive."""
    zone, offset = moment.tzinfo, moment.utcoffset()
    if zone is None or offset is None:
        raise ValueError("the moment has no time zone")
    if isinstance(zone, ZoneInfo) and zone.key:
        return zone.key
    minutes = round(offset.total_seconds() / 60)
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else "UTC"


def zone_named(name: str) -> tzinfo:
    """The zone that was stored under this name. Raises ValueError if there is none."""
    if fixed := _OFFSET.fullmatch(name):
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        return timezone(-offset if fixed[1] == "-" else offset)
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as fault:
        raise ValueError(f"this machine knows no time zone {name!r}") from fault


def on_the_clock(wall: datetime, zone: tzinfo) -> datetime:
    """A naive local time as the moment that it means: one that is skipped moves on, of two the first counts."""
    return datetime.fromtimestamp(wall.replace(tzinfo=zone, fold=0).timestamp(), zone)


def next_after(timing: Timing, after_s: float) -> int | None:
    """The first time that is due later than `after_s`, both in seconds since 1970; None if there is none."""
    if not timing.rule:
        return timing.start_s if timing.start_s > after_s else None
    parts = _parts(timing.rule)
    until = parts.pop("UNTIL", None)
    until_s = None if until is None else int(datetime.strptime(until, "%Y%m%dT%H%M%S%z").timestamp())
    found = _by_time_passed(timing, parts, after_s) if _counts_time(parts) else _by_clock(timing, parts, after_s)
    return None if found is None or (until_s is not None and found > until_s) else found


def read_rule(text: str, zone: tzinfo) -> str:
    """The canonical text of an RRULE that may be stored, its UNTIL in UTC (a date is the whole day in `zone`).

    Raises ValueError, which says what to write, for a rule that is no RRULE or comes more often than once a minute.
    Whether it ever comes is seen when `next_after` is asked.
    """
    parts = _split(text)
    frequency = parts.get("FREQ", "")
    if frequency not in _UNIT_S and frequency not in _LONG:
        raise ValueError("the rule needs FREQ=MINUTELY, HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY")
    canonical = {"FREQ": frequency}
    for key, value in parts.items():
        if key != "FREQ":
            canonical[key] = _value(key, value, zone)
    if "COUNT" in canonical and "UNTIL" in canonical:
        raise ValueError("a rule has COUNT or UNTIL, not both")
    _check_together(canonical)
    return ";".join(f"{key}={value}" for key, value in canonical.items())


def _split(text: str) -> dict[str, str]:
    if len(text) > MAX_RULE_CHARS:
        raise ValueError(f"the rule is longer than {MAX_RULE_CHARS} characters")
    written = text.strip().upper().removeprefix("RRULE:").rstrip(";")
    if "DTSTART" in written or len(written.split()) != 1:
        raise ValueError("give one RRULE alone, such as FREQ=WEEKLY;BYDAY=MO,WE; `when` says when it starts")
    parts: dict[str, str] = {}
    for part in written.split(";"):
        key, equals, value = part.partition("=")
        if not equals or not value:
            raise ValueError(f"{part[:50]!r} is no part of an RRULE; its parts are such as FREQ=DAILY or INTERVAL=2")
        if key in parts:
            raise ValueError(f"the rule has two parts {key[:50]}")
        parts[key] = value
    return parts


def _value(key: str, value: str, zone: tzinfo) -> str:
    match key:
        case "INTERVAL":
            return _whole(key, value, 1, MAX_INTERVAL)
        case "COUNT":
            return _whole(key, value, 1, MAX_COUNT)
        case "UNTIL":
            return _until(value, zone)
        case "WKST":
            if value not in ("MO", "TU", "WE", "TH", "FR", "SA", "SU"):
                raise ValueError(f"WKST={value[:20]} is no day of the week; they are MO, TU, WE, TH, FR, SA, SU")
            return value
        case "BYDAY":
            if not all(_DAY.fullmatch(day) for day in value.split(",")):
                raise ValueError(f"BYDAY={value[:50]} is no list of days; it is such as MO,WE or -1FR")
            return value
        case _ if key in _RANGES:
            low, high = _RANGES[key]
            return ",".join(_whole(key, number, low, high) for number in value.split(","))
        case _:
            raise ValueError(f"{key[:50]} is no part of an RRULE that can be kept")


def _whole(key: str, text: str, low: int, high: int) -> str:
    number = int(text) if _NUMBER.fullmatch(text) else None
    if number is None or not low <= number <= high or (low < 0 and number == 0):
        raise ValueError(f"{key}={text[:20]} is not between {low} and {high}")
    return str(number)


def _until(text: str, zone: tzinfo) -> str:
    found = _UNTIL.fullmatch(text)
    if found is None:
        raise ValueError(f"UNTIL={text[:30]} is no date; it is such as 20261231 or 20261231T180000Z")
    year, month, day, hour, minute, second, utc = found.groups()
    clock = (23, 59, 59) if hour is None else (int(hour), int(minute), int(second or 0))
    try:
        moment = datetime(int(year), int(month), int(day), *clock)
        return f"{_moment(moment, UTC if utc else zone).astimezone(UTC):%Y%m%dT%H%M%SZ}".rjust(16, "0")
    except (ValueError, OverflowError) as fault:
        raise ValueError(f"UNTIL={text[:30]} is no date that can be") from fault


def _moment(wall: datetime, zone: tzinfo) -> datetime:
    # The last second of an hour that comes twice is its second one, so that the whole of the last day counts.
    return wall.replace(tzinfo=zone, fold=1)


def _check_together(parts: dict[str, str]) -> None:
    frequency, interval = parts["FREQ"], int(parts.get("INTERVAL", "1"))
    if frequency == "SECONDLY" and (interval < 60 or not _counts_time(parts)):
        raise ValueError("nothing may come more often than once a minute")
    if "," in parts.get("BYSECOND", ""):
        raise ValueError("nothing may come more often than once a minute: BYSECOND may be one number only")
    most = 53 if frequency == "YEARLY" and "BYMONTH" not in parts else 5
    days = parts["BYDAY"].split(",") if "BYDAY" in parts else []
    if frequency not in _LONG and any(len(day) > 2 for day in days):
        raise ValueError("BYDAY with a number, such as 1MO, needs FREQ=MONTHLY or FREQ=YEARLY")
    if any(abs(int(day[:-2] or 1)) > most for day in days):
        raise ValueError(f"BYDAY={parts['BYDAY'][:50]}: no weekday comes more than {most} times there")
    if "BYSETPOS" in parts and frequency in ("HOURLY", "MINUTELY"):
        raise ValueError("BYSETPOS needs FREQ=DAILY or a longer one")
    if "BYWEEKNO" in parts and frequency != "YEARLY":
        raise ValueError("BYWEEKNO needs FREQ=YEARLY")
    times = len(set(parts.get("BYHOUR", "0").split(","))) * len(set(parts.get("BYMINUTE", "0").split(",")))
    if frequency not in ("HOURLY", "MINUTELY") and times > MAX_TIMES_A_DAY:
        raise ValueError(f"the rule names {times} times a day; use FREQ=MINUTELY for more than {MAX_TIMES_A_DAY}")
    if frequency in ("HOURLY", "MINUTELY"):
        _check_days({key: value for key, value in parts.items() if key in _DAY_PARTS})


def _check_days(parts: dict[str, str]) -> None:
    """Refuse days that never come before every hour and minute of them is searched."""
    start = datetime(9998 - HORIZON_YEARS, 1, 1)
    named = ";".join(f"{key}={value}" for key, value in parts.items())
    if parts and next(iter(cast("Iterable[datetime]", rrulestr(f"FREQ=DAILY;{named}", dtstart=start))), None) is None:
        raise ValueError(f"the recurrence never comes: no day has {named}")


def _parts(rule: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in rule.split(";"))


def _counts_time(parts: dict[str, str]) -> bool:
    """Whether the rule counts the time that passes; else it follows the clock on the wall."""
    short = parts["FREQ"] in ("SECONDLY", "MINUTELY", "HOURLY")
    return short and not any(key.startswith("BY") for key in parts)


def _by_time_passed(timing: Timing, parts: dict[str, str], after_s: float) -> int | None:
    step_s = _UNIT_S[parts["FREQ"]] * int(parts.get("INTERVAL", "1"))
    number = 0 if after_s < timing.start_s else int((after_s - timing.start_s) // step_s) + 1
    return None if number >= int(parts.get("COUNT", number + 1)) else timing.start_s + number * step_s


def _by_clock(timing: Timing, parts: dict[str, str], after_s: float) -> int | None:
    zone = zone_named(timing.zone)
    start = _wall(timing.start_s, zone)
    after = _wall(max(after_s, timing.start_s - 1), zone)
    found_s: int | None = None
    found = start
    for wall in _walls(start, parts, after - timedelta(days=2)):
        # A skipped time moves on past later ones, so the search goes on until nothing can come before what it has.
        if found_s is not None and wall >= found:
            break
        moment_s = timing.start_s if wall == start else int(wall.replace(tzinfo=zone).timestamp())
        if moment_s > after_s and (found_s is None or moment_s < found_s):
            found_s, found = moment_s, _wall(moment_s, zone)
    return found_s


def _wall(moment_s: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(moment_s, zone).replace(tzinfo=None, fold=0)


def _walls(start: datetime, parts: dict[str, str], after: datetime) -> Iterable[datetime]:
    """The local times of a rule in order, those later than `after` at least, found in a copy of our years."""
    first = start if "COUNT" in parts else _later_start(start, parts, after)
    shift = (9998 - HORIZON_YEARS - max(first.year, after.year)) // 400 * 400
    text = ";".join(f"{key}={value}" for key, value in parts.items())
    try:
        for time in cast("Iterable[datetime]", rrulestr(text, dtstart=first.replace(year=first.year + shift))):
            wall = time.replace(year=time.year - shift)
            if wall > after:
                yield wall
    except (ValueError, OverflowError):
        return  # the search has reached the end of the calendar, or the parts exclude one another


def _later_start(start: datetime, parts: dict[str, str], after: datetime) -> datetime:
    """A start from which the rule has the same times after `after`, so that a rule's long past costs nothing."""
    if parts["FREQ"] in _LONG:
        return start
    period_s = _UNIT_S[parts["FREQ"]] * int(parts.get("INTERVAL", "1"))
    periods = int((after - start).total_seconds() // period_s) - 2
    return start if periods <= 0 else start + timedelta(seconds=periods * period_s)
