"""From the words for a recurrence, such as "weekdays" or "every 2 hours until 2026-12-31", to the rule they mean."""

import re
from datetime import datetime, time

from hilt.tools.builtin.schedule.recurrence import MAX_RULE_CHARS, read_rule
from hilt.tools.builtin.schedule.when import NUMBERS, plain, read_time, weekday_number

_EXAMPLES = "daily, weekdays, weekly, every 2 hours, every monday and friday, or an RRULE such as FREQ=DAILY;COUNT=5"
_CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES = {
    "second": "SECONDLY",
    "minute": "MINUTELY",
    "min": "MINUTELY",
    "hour": "HOURLY",
    "day": "DAILY",
    "week": "WEEKLY",
    "month": "MONTHLY",
    "year": "YEARLY",
}
_NAMED = {
    "hourly": "FREQ=HOURLY",
    "daily": "FREQ=DAILY",
    "weekly": "FREQ=WEEKLY",
    "biweekly": "FREQ=WEEKLY;INTERVAL=2",
    "fortnightly": "FREQ=WEEKLY;INTERVAL=2",
    "monthly": "FREQ=MONTHLY",
    "quarterly": "FREQ=MONTHLY;INTERVAL=3",
    "yearly": "FREQ=YEARLY",
    "annually": "FREQ=YEARLY",
    "weekdays": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    "weekends": "FREQ=WEEKLY;BYDAY=SA,SU",
}
_SAME = {
    "weekday": "weekdays",
    "workday": "weekdays",
    "workdays": "weekdays",
    "working day": "weekdays",
    "working days": "weekdays",
    "business day": "weekdays",
    "business days": "weekdays",
    "mon-fri": "weekdays",
    "monday-friday": "weekdays",
    "monday to friday": "weekdays",
    "monday through friday": "weekdays",
    "weekend": "weekends",
    "morning": "daily",
}
_ONCE = ("", "none", "no", "never", "once", "null", "false", "one-off", "one time", "1 time")
_COUNTS = {"once": "1", "twice": "2"}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}

_TIMES = re.compile(r"(?:^|[ ,]+)(?:for )?(\d{1,6}|once|twice) ?(?:times|time|x|occurrences)$", re.ASCII)
_UNTIL = re.compile(r"[ ,]+(?:until|till) (\d{4}-\d\d-\d\d)(?:[t ](\d\d:\d\d(?::\d\d)?))?$", re.ASCII)
_AT = re.compile(r"[ ,]+(?:at|@) ?([^@]+)$")
_EVERY = re.compile(rf"(?:every|each) (?:(\d{{1,6}}|other|{'|'.join(NUMBERS)}) )?([a-z]+)", re.ASCII)
_NTH_WEEKDAY = re.compile(
    rf"(?:on )?(?:every |the )?({'|'.join(_ORDINALS)}) ([a-z]+) (?:of|in) (?:the|every|each) month"
)
_MONTH_DAY = re.compile(r"(?:monthly|every month|each month) on (?:the |day )?(\d{1,2})(?:st|nd|rd|th)?", re.ASCII)


def read_repeat(text: str | None, start: datetime) -> str:
    """The canonical rule that is meant, "" for none; `start` is the first moment, aware, in the user's zone.

    Besides words it may be an RRULE. The words may end in a time of day ("daily at 9:00"), a count ("5 times") and an
    end ("until 2026-12-31", that day included). A monthly task that starts on a day which some months lack is done on
    their last day. Raises ValueError, which says what to write.
    """
    if text is None:
        return ""
    zone = start.tzinfo
    if zone is None:
        raise ValueError("the start has no time zone")
    if "=" in text:
        return read_rule(text, zone)
    words = plain(text, MAX_RULE_CHARS)
    if words in _ONCE:
        return ""
    rule = _rule(words, start)
    if rule is None:
        raise ValueError(f"{text[:100]!r} can't be read as a recurrence; write {_EXAMPLES}")
    return read_rule(rule, zone)


def _rule(words: str, start: datetime) -> str | None:
    ends: list[str] = []
    if found := _UNTIL.search(words):
        ends.append(f"UNTIL={found[1]}" + (f"T{found[2]}" if found[2] else ""))
        words = words[: found.start()]
    if found := _TIMES.search(words):
        ends.append(f"COUNT={_COUNTS.get(found[1], found[1])}")
        words = words[: found.start()]
    at: time | None = None
    if found := _AT.search(words):
        at = read_time(f"at {found[1]}") or read_time(found[1])
        if at is None:
            return None
        words = words[: found.start()]
    words = words.removeprefix("repeat ").removeprefix("repeats ").removeprefix("run ")
    rule = _months_end(words, start) or _named(words) or _every(words) or _of_a_month(words) or _of_a_week(words)
    if rule is None:
        return None
    if at is not None:
        if rule.startswith(("FREQ=HOURLY", "FREQ=MINUTELY", "FREQ=SECONDLY")):
            return None
        ends.insert(0, f"BYHOUR={at.hour};BYMINUTE={at.minute};BYSECOND={at.second}")
    return ";".join([rule, *ends])


def _named(words: str) -> str | None:
    bare = words.removeprefix("every ").removeprefix("each ").removeprefix("on ")
    name = _SAME.get(bare, bare)
    return _NAMED.get(name)


def _every(words: str) -> str | None:
    found = _EVERY.fullmatch(words)
    if found is None:
        return None
    unit = found[2] if found[2] in _FREQUENCIES else found[2].removesuffix("s")
    frequency = _FREQUENCIES.get(unit)
    if frequency is None:
        day = weekday_number(found[2])
        return f"FREQ=WEEKLY;INTERVAL=2;BYDAY={_CODES[day]}" if day is not None and found[1] == "other" else None
    interval = {"other": 2, None: 1}.get(found[1]) or NUMBERS.get(found[1]) or int(found[1])
    return f"FREQ={frequency};INTERVAL={interval}" if interval > 1 or found[1] else f"FREQ={frequency}"


def _of_a_month(words: str) -> str | None:
    if found := _MONTH_DAY.fullmatch(words):
        return f"FREQ=MONTHLY;BYMONTHDAY={found[1]}"
    found = _NTH_WEEKDAY.fullmatch(words)
    if found is None:
        return None
    place, day = _ORDINALS[found[1]], weekday_number(found[2])
    if day is not None:
        return f"FREQ=MONTHLY;BYDAY={place}{_CODES[day]}"
    return f"FREQ=MONTHLY;BYMONTHDAY={place}" if found[2] == "day" and place in (1, -1) else None


def _of_a_week(words: str) -> str | None:
    bare = re.sub(r"^(?:every|each|weekly on|every week on|on) ", "", words)
    days = [weekday_number(word) for word in re.split(r",? and |, ?| ?& ?|/| ", bare)]
    if None in days:
        return None
    codes = [_CODES[day] for day in sorted({day for day in days if day is not None})]
    return f"FREQ=WEEKLY;BYDAY={','.join(codes)}"


def _months_end(words: str, start: datetime) -> str | None:
    """The rule of what is done monthly or yearly from a day on that not every month has."""
    if start.day < 29:
        return None
    days = ",".join(str(day) for day in range(28, start.day + 1))
    rule = _named(words) or _every(words) or ""
    if rule.startswith("FREQ=MONTHLY"):
        return f"{rule};BYMONTHDAY={days};BYSETPOS=-1"
    if rule.startswith("FREQ=YEARLY") and (start.month, start.day) == (2, 29):
        return f"{rule};BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1"
    return None
