"""What users ask of a clock: the date, the weekday and the time, here and in other places."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from hilt.training.starter import phrases
from hilt.training.starter.tools import Ask, Offer

ZONES: dict[str, tuple[str, ...]] = {
    "Europe/Paris": ("Paris", "France"), "Europe/London": ("London", "England", "the UK"), "Europe/Berlin": ("Berlin", "Germany", "Munich", "Hamburg"),
    "Europe/Madrid": ("Madrid", "Spain", "Barcelona"), "Europe/Rome": ("Rome", "Italy", "Milan"), "Europe/Vienna": ("Vienna", "Austria"),
    "Europe/Prague": ("Prague", "Czechia"), "Europe/Lisbon": ("Lisbon", "Portugal"), "Europe/Oslo": ("Oslo", "Norway"),
    "Europe/Stockholm": ("Stockholm", "Sweden"), "Europe/Helsinki": ("Helsinki", "Finland"), "Europe/Copenhagen": ("Copenhagen", "Denmark"),
    "Europe/Dublin": ("Dublin", "Ireland"), "Europe/Amsterdam": ("Amsterdam", "the Netherlands"), "Europe/Brussels": ("Brussels", "Belgium"),
    "Europe/Zurich": ("Zurich", "Switzerland", "Geneva"), "Europe/Athens": ("Athens", "Greece"), "Europe/Istanbul": ("Istanbul", "Turkey"),
    "Europe/Moscow": ("Moscow",), "Europe/Warsaw": ("Warsaw", "Poland"), "Europe/Budapest": ("Budapest", "Hungary"), "Europe/Kyiv": ("Kyiv", "Ukraine"),
    "America/New_York": ("New York", "Boston", "Miami", "Washington", "NYC", "Atlanta"), "America/Chicago": ("Chicago", "Dallas", "Austin", "Texas"),
    "America/Denver": ("Denver", "Colorado"), "America/Los_Angeles": ("Los Angeles", "San Francisco", "Seattle", "California", "LA"),
    "America/Toronto": ("Toronto", "Montreal"), "America/Vancouver": ("Vancouver",), "America/Mexico_City": ("Mexico City",),
    "America/Sao_Paulo": ("São Paulo", "Rio de Janeiro"), "America/Bogota": ("Bogota", "Colombia"), "America/Lima": ("Lima", "Peru"),
    "America/Santiago": ("Santiago", "Chile"), "Asia/Tokyo": ("Tokyo", "Japan", "Osaka", "Kyoto"), "Asia/Seoul": ("Seoul", "South Korea"),
    "Asia/Shanghai": ("Shanghai", "Beijing", "China"), "Asia/Hong_Kong": ("Hong Kong",), "Asia/Singapore": ("Singapore",),
    "Asia/Bangkok": ("Bangkok", "Thailand"), "Asia/Kolkata": ("India", "Mumbai", "Delhi", "Bangalore", "Kolkata"), "Asia/Dubai": ("Dubai",),
    "Asia/Jerusalem": ("Jerusalem", "Tel Aviv", "Israel"), "Asia/Jakarta": ("Jakarta",), "Asia/Manila": ("Manila", "the Philippines"),
    "Asia/Karachi": ("Karachi", "Pakistan"), "Africa/Cairo": ("Cairo", "Egypt"), "Africa/Nairobi": ("Nairobi", "Kenya"), "Africa/Lagos": ("Lagos", "Nigeria"),
    "Africa/Johannesburg": ("Johannesburg", "Cape Town", "South Africa"), "Australia/Sydney": ("Sydney", "Canberra"),
    "Australia/Melbourne": ("Melbourne",), "Australia/Perth": ("Perth",), "Australia/Brisbane": ("Brisbane",), "Pacific/Auckland": ("Auckland", "New Zealand"),
    "Pacific/Honolulu": ("Honolulu", "Hawaii"), "Atlantic/Reykjavik": ("Reykjavik", "Iceland"), "UTC": ("UTC",),
}  # fmt: skip
_PLACES = tuple((place, zone) for zone, places in ZONES.items() for place in places)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")

_DAY = (
    "What day is it[ today|]?", "Which day is it[ today|]?", "What's the date[ today|]?", "What is today's date?", "What is the date?", "What date is it?",
    "Which date is it today?", "What day is today?", "tell me the date", "[give|show] me today's date", "What's today?", "Today's date?", "the date, please",
    "What weekday is it?", "Which day of the week is it?", "What day of the week is it[ today|]?", "What's the day today?", "Do you know what day it is?",
    "Do you know today's date?", "I forgot what day it is", "look up the date", "check the date", "What is the current date?", "tell me what day it is",
    "Is it [Monday|Friday|the weekend|Sunday|Wednesday] [today|yet|already]?", "Which month is it?", "What year is it?", "What's the date and the weekday?", "date?",
    "Can you tell me what day it is?", "I need today's date for a form",
)  # fmt: skip
_TIME = (
    "What time is it[ now| right now|]?", "What's the time[ now|]?", "What is the [current |]time?", "tell me the time", "[give|show] me the [current |]time",
    "How late is it[ now|]?", "Do you have the time?", "Do you know what time it is?", "the time, please", "time?", "check the clock", "What hour is it?",
    "Is it [late|lunchtime|noon|midnight|past five] [already|yet]?", "look at the clock", "How late are we?", "tell me what time it is", "Can you tell me the time?",
    "What does the clock say?", "I have no watch, what time is it?", "current time", "Am I late? What time is it?",
)  # fmt: skip
_THERE = (
    "What time is it in {place}[ now| right now| at the moment|]?", "What's the [local |]time in {place}[ now|]?", "What is the [current |]time in {place}?",
    "tell me the [current |local |]time in {place}", "How late is it in {place}?", "time in {place}", "time in {place}?", "current time in {place}",
    "[give|show] me the time in {place}", "Do you know what time it is in {place}?", "Is it [late|night|morning|still light|past midnight|too late to call] in {place}[ now| already|]?",
    "I want to call someone in {place}. What time is it there?", "Are people in {place} asleep[ now|]?", "check the time in {place}", "What's the clock say in {place}?",
    "{place} time?", "What hour is it in {place}?", "What does the clock show in {place}?", "local time {place}", "Is {place} awake already?",
)  # fmt: skip
_DAY_THERE = (
    "What day is it in {place}[ now|]?", "What's the date in {place}?", "Which day is it in {place}?", "Is it already [tomorrow|Monday|Sunday|the next day] in {place}?",
    "What is today's date in {place}?", "tell me the date in {place}", "Which date do they have in {place}?", "Is it still [yesterday|Friday|today] in {place}?",
)  # fmt: skip
_TOMORROW = ("What day is tomorrow?", "What's tomorrow's date?", "Which date is tomorrow?", "What day will it be tomorrow?", "Which day of the week is tomorrow?")
_BOTH = ("What's the date and time?", "tell me the date and the time", "What day and time is it?", "date and time, please", "What time and day is it?")


def written_date(moment: datetime) -> str:
    """Saturday, 21 November 2026."""
    return f"{_WEEKDAYS[moment.weekday()]}, {moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def ask(rng: Random) -> Ask:
    """One look at the clock."""
    kind = rng.choices((_DAY, _TIME, _THERE, _DAY_THERE, _TOMORROW, _BOTH), (30, 22, 34, 8, 4, 3))[0]
    place, zone = rng.choice(_PLACES) if kind in (_THERE, _DAY_THERE) else ("", "")
    return _asked(rng, phrases.say(rng, rng.choice(kind), {"place": place}), kind, place, zone)


def _asked(rng: Random, request: str, kind: tuple[str, ...], place: str, zone: str) -> Ask:
    moment = datetime(2024, 1, 1) + timedelta(seconds=rng.randrange(6 * 365 * 86400))
    result = {
        "date": f"{moment:%Y-%m-%d}",
        "weekday": _WEEKDAYS[moment.weekday()],
        "time": f"{moment:%H:%M:%S}",
        "timezone": zone or rng.choice(tuple(ZONES)),
    }
    match kind:
        case _ if kind is _DAY:
            answer = f"Today is {written_date(moment)}."
        case _ if kind is _TIME:
            answer = f"It is {moment:%H:%M}."
        case _ if kind is _THERE:
            answer = f"It is {moment:%H:%M} in {place}."
        case _ if kind is _DAY_THERE:
            answer = f"In {place} it is {written_date(moment)}."
        case _ if kind is _BOTH:
            answer = f"It is {moment:%H:%M} on {written_date(moment)}."
        case _:
            answer = f"Tomorrow is {written_date(moment + timedelta(days=1))}."
    return Ask(request, "current_time", {"timezone": zone} if zone else {}, result, answer)


def follow(rng: Random, before: Ask) -> Ask | None:
    """The same in another place."""
    if before.tool != "current_time":
        return None
    place, zone = rng.choice(_PLACES)
    request = phrases.say(rng, rng.choice(("And in {place}?", "What about {place}?", "And {place}?", "How about in {place}?", "and in {place}")), {"place": place})
    return _asked(rng, request, _DAY_THERE if before.answer.startswith(("Today", "In ")) else _THERE, place, zone)


def pair(rng: Random) -> tuple[str, list[Ask]] | None:
    """The time in two places at once."""
    (place, zone), (other, other_zone) = rng.sample(_PLACES, 2)
    text = rng.choice((
        "What time is it in {a} and [in |]{b}?", "time in {a} and [in |]{b}", "tell me the time in {a} and [in |]{b}", "What's the time in {a} and [in |]{b}[ now|]?",
        "How late is it in {a} and in {b}?", "current time in {a} and {b}", "compare the time in {a} and {b}", "What time is it in {a}, and what time is it in {b}?",
        "[give|show] me the time in {a} and [in |]{b}", "What time do they have in {a} and in {b}?", "{a} and {b}: what time is it there?",
    ))  # fmt: skip
    request = phrases.say(rng, text, {"a": place, "b": other})
    return request, [_asked(rng, "", _THERE, place, zone), _asked(rng, "", _THERE, other, other_zone)]


def offer(spec: dict[str, Any]) -> Offer:
    """The clock."""
    return Offer(spec, frozenset({"time"}), ask, follow=follow, pair=pair)
