"""From the words for a moment, such as "tomorrow 09:00" or "in 20 minutes", to the moment."""

import calendar
import re
import unicodedata
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo

from hilt.tools.builtin.schedule.recurrence import HORIZON_YEARS, on_the_clock

MORNING = time(9)
_MAX_CHARS = 100
_EXAMPLES = "2026-12-31T09:00, tomorrow 09:00, monday 8:30 or in 20 minutes"

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "sixty": 60, "ninety": 90,
}  # fmt: skip
_DAY_PARTS = {
    "morning": MORNING,
    "noon": time(12),
    "midday": time(12),
    "afternoon": time(15),
    "evening": time(19),
    "night": time(21),
    "midnight": time(0),
}
_UNITS = {
    "s": "second", "sec": "second", "second": "second",
    "m": "minute", "min": "minute", "minute": "minute",
    "h": "hour", "hr": "hour", "hour": "hour",
    "d": "day", "day": "day",
    "w": "week", "wk": "week", "week": "week",
    "month": "month", "y": "year", "yr": "year", "year": "year",
}  # fmt: skip
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}

_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = re.compile(
    rf"(?P<named>today|tonight|(?:the )?day after tomorrow|tomorrow)"
    rf"|(?P<which>next |this |on |coming )?(?P<weekday>{_WEEKDAY})"
    rf"|(?P<date>\d{{4}}-\d\d-\d\d)"
    rf"|(?:on )?(?:the )?(?P<day1>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month1>{_MONTH})(?:,? (?P<year1>\d{{4}}))?"
    rf"|(?:on )?(?P<month2>{_MONTH}) (?:the )?(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<year2>\d{{4}}))?",
    re.ASCII,
)
_TIME = re.compile(
    r"(?:(?P<part>(?:in the |this |at )?(?:morning|afternoon|evening|night|noon|midday|midnight)))?[ ,]*"
    r"(?:(?P<at>at |@ ?)?(?P<hour>\d{1,2})(?::(?P<minute>\d\d)(?::(?P<second>\d\d))?)?"
    r" ?(?P<half>[ap]\.?m\.?)?(?: o'clock)?)?[ ,]*"
    r"(?:(?P<later>(?:in the |at )(?:morning|afternoon|evening|night)))?",
    re.ASCII,
)
_AMOUNT = re.compile(
    rf"(?:(?P<digits>\d{{1,7}}(?:\.\d{{1,4}})?) ?|(?P<word>an?|half an?|{'|'.join(NUMBERS)}) )"
    r"(?P<unit>[a-z]+)(?:,? and |, ?| |$|(?=\d))",
    re.ASCII,
)
_ISO_DURATION = re.compile(
    r"p(?:(\d{1,4})y)?(?:(\d{1,5})m)?(?:(\d{1,5})w)?(?:(\d{1,6})d)?(?:t(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s)?)?",
    re.ASCII,
)


def read_when(text: str, now: datetime) -> datetime:
    """The moment that is meant, to the second, in the zone of `now`, an aware datetime.

    A day without a time means 09:00, a weekday or a time alone the next such. Days, weeks, months and years from now
    keep the time of day. Raises ValueError, which says what to write, if the words can't be read, or mean what is past
    or lies more than a hundred years ahead; a time without seconds is past when its minute is.
    """
    words = plain(text, _MAX_CHARS)
    try:
        moment = _read(words, now)
    except OverflowError as fault:
        raise ValueError(_too_far(text)) from fault
    if moment is None:
        hint = "; what repeats belongs into `repeat`" if re.search(r"\b(every|each|daily|weekly)\b", words) else ""
        raise ValueError(f"{text[:_MAX_CHARS]!r} can't be read as a moment; write {_EXAMPLES}{hint}")
    whole_minute = moment.second == 0 and not re.search(r":\d\d:\d\d", words)
    earliest = now.replace(second=0, microsecond=0) if whole_minute else now.replace(microsecond=0)
    if moment.timestamp() < earliest.timestamp():
        raise ValueError(f"{text[:_MAX_CHARS]!r} is in the past: it is {now:%Y-%m-%d %H:%M} now; give a later time")
    if moment.year > now.year + HORIZON_YEARS:
        raise ValueError(_too_far(text))
    return moment


def plain(text: str, max_chars: int) -> str:
    """The words in small letters, one space between them. Raises ValueError if they are too many."""
    if len(text) > max_chars:
        raise ValueError(f"{text[:40]!r}... is longer than {max_chars} characters")
    return " ".join(unicodedata.normalize("NFKC", text).casefold().replace("’", "'").split()).strip(" .,;")


def read_time(words: str) -> time | None:
    """A time of day in plain words: "9:30", "at 9", "9 pm", "noon"; None if it is none."""
    found = _TIME.fullmatch(words)
    if found is None or not words:
        return None
    named = (found["part"] or found["later"] or "").rpartition(" ")[2]
    if found["hour"] is None:
        return _DAY_PARTS.get(named)
    hour, half = int(found["hour"]), (found["half"] or "").replace(".", "")
    if half and not 1 <= hour <= 12:
        return None
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    elif named in ("afternoon", "evening", "night") and 1 <= hour < 12:
        hour += 12
    try:
        return time(hour, int(found["minute"] or 0), int(found["second"] or 0))
    except ValueError:
        return None


def weekday_number(word: str) -> int | None:
    """0 for "monday", "mon", "mondays" and so on; None for what is no weekday."""
    word = word.removesuffix("s") if word.endswith("days") else word
    if not re.fullmatch(_WEEKDAY, word):
        return None
    return next(number for number, name in enumerate(WEEKDAYS) if word[:3] == name[:3])


def _too_far(text: str) -> str:
    return f"{text[:_MAX_CHARS]!r} is too far away; give a time within the next {HORIZON_YEARS} years"


def _read(words: str, now: datetime) -> datetime | None:
    zone = now.tzinfo
    if zone is None:
        raise ValueError("the present time has no zone")
    if words in ("now", "right now", "immediately", "at once", "asap"):
        return now.replace(microsecond=0)
    return _iso(words, zone) or _from_now(words, now, zone) or _on_a_day(words, now, zone)


def _iso(words: str, zone: tzinfo) -> datetime | None:
    if not re.match(r"\d{4}-?[\dw]", words, re.ASCII):
        return None
    written = re.sub(r"(?<=\d) ?(?:utc|gmt)$", "z", words).upper()
    written = re.sub(r" (?=Z$|[+-]\d\d)", "", written)
    if re.fullmatch(r"\d{4}|\d{6}", written):
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    if re.fullmatch(r"[\dW-]+", written):
        moment = datetime.combine(moment, MORNING)
    moment = moment.replace(microsecond=0)
    return on_the_clock(moment, zone) if moment.tzinfo is None else moment.astimezone(zone)


def _from_now(words: str, now: datetime, zone: tzinfo) -> datetime | None:
    words = words.removeprefix("in ").removesuffix(" from now").removesuffix(" later").removeprefix("+").strip()
    amounts: dict[str, float] = {}
    for unit, amount in _amounts(words):
        if unit in amounts:
            return None
        amounts[unit] = amount
    if not amounts:
        return None
    days, months = amounts.get("day", 0) + 7 * amounts.get("week", 0), amounts.get("month", 0)
    months += 12 * amounts.get("year", 0)
    if days % 1 or months % 1:
        return None
    moment = now
    if days or months:
        moment = on_the_clock(_months_later(now.replace(tzinfo=None), int(months)) + timedelta(days=days), zone)
    passed_s = sum(amounts.get(unit, 0) * seconds for unit, seconds in _SECONDS.items())
    try:
        # Rounded up, so that what is due in no time is not already past.
        whole_s = -int(-(moment.timestamp() + passed_s) // 1)
        return datetime.fromtimestamp(whole_s, zone)
    except (ValueError, OSError) as fault:
        raise OverflowError from fault


def _amounts(words: str) -> Iterator[tuple[str, float]]:
    """The amounts that make up all of the words, each with its unit; none if something else is among them."""
    if iso := _ISO_DURATION.fullmatch(words):
        units = ("year", "month", "week", "day", "hour", "minute", "second")
        yield from ((unit, float(number)) for unit, number in zip(units, iso.groups(), strict=True) if number)
        return
    found: list[tuple[str, float]] = []
    place = 0
    while place < len(words):
        amount = _AMOUNT.match(words, place)
        if amount is None:
            return
        name = amount["unit"]
        unit = _UNITS.get(name) or _UNITS.get(name.removesuffix("s"))
        if unit is None:
            return
        found.append((unit, _number(amount["digits"] or amount["word"])))
        place = amount.end()
    yield from found


def _number(word: str) -> float:
    if word in NUMBERS:
        return NUMBERS[word]
    if word.startswith("half"):
        return 0.5
    return 1 if word in ("a", "an") else float(word)


def _months_later(wall: datetime, months: int) -> datetime:
    """The same day of a later month, or its last day where it is shorter."""
    years, month = divmod(wall.month - 1 + months, 12)
    year = wall.year + years
    if year > 9998:
        raise OverflowError
    return wall.replace(year=year, month=month + 1, day=min(wall.day, calendar.monthrange(year, month + 1)[1]))


def _on_a_day(words: str, now: datetime, zone: tzinfo) -> datetime | None:
    """A day and a time of it, in either order; one of them may be left out."""
    for found, rest in _days(words):
        at = _usual_time(found) if not rest else read_time(f"night {rest}" if found["named"] == "tonight" else rest)
        if at is None:
            continue
        try:
            days = list(_candidates(found, now.date()))
        except ValueError:
            return None  # such as 31 June
        return _next(days, at, now, zone)
    at = read_time(words)
    # A bare number may be anything.
    if at is None or re.fullmatch(r"\d+", words):
        return None
    first = now.date()
    return _next([first, first + timedelta(days=1)], at, now, zone)


def _days(words: str) -> Iterator[tuple[re.Match[str], str]]:
    """The day that the words begin or end with, and the rest."""
    begins = _DAY.match(words)
    if begins is not None and not words[begins.end() : begins.end() + 1].isalnum():
        yield begins, words[begins.end() :].strip(" ,")
    for found in _DAY.finditer(words):
        if found.end() == len(words) and found.start() > 0 and words[found.start() - 1] == " ":
            yield found, words[: found.start()].strip(" ,").removesuffix(" on")


def _usual_time(found: re.Match[str]) -> time:
    return time(20) if found["named"] == "tonight" else MORNING


def _candidates(found: re.Match[str], today: date) -> Iterator[date]:
    """The days that may be meant, in order. Raises ValueError if there is no such day."""
    if named := found["named"]:
        yield today + timedelta(days={"today": 0, "tonight": 0, "tomorrow": 1}.get(named, 2))
    elif weekday := found["weekday"]:
        ahead = ((weekday_number(weekday) or 0) - today.weekday()) % 7
        if not (found["which"] == "next " and ahead == 0):
            yield today + timedelta(days=ahead)
        yield today + timedelta(days=ahead + 7)
    elif written := found["date"]:
        yield date.fromisoformat(written)
    else:
        month = _MONTHS.index((found["month1"] or found["month2"])[:3]) + 1
        day, year = int(found["day1"] or found["day2"]), found["year1"] or found["year2"]
        years = (int(year),) if year else range(today.year, today.year + 9)
        possible = [date(each, month, day) for each in years if 1 <= day <= calendar.monthrange(each, month)[1]]
        if not possible:
            raise ValueError("there is no such day")
        yield from possible


def _next(days: list[date], at: time, now: datetime, zone: tzinfo) -> datetime:
    """The first of the moments that is still to come, else the last of them."""
    moments = [on_the_clock(datetime.combine(day, at), zone) for day in days]
    return next((moment for moment in moments if moment.timestamp() > now.timestamp()), moments[-1])
