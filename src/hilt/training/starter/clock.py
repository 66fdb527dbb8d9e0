"""What users ask of a clock: the date, the weekday and the time, here and in other places."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from hilt.training.starter import phrases
from hilt.training.starter.phrasing_tables import named, texts
from hilt.training.starter.tools import Ask, Offer

ZONES = named("clock", "zones")
_PLACES = tuple((place, zone) for zone, places in ZONES.items() for place in places)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

_DAY = texts("clock", "day")
_TIME = texts("clock", "time")
_THERE = texts("clock", "there")
_DAY_THERE = texts("clock", "day_there")
_TOMORROW = texts("clock", "tomorrow")
_BOTH = texts("clock", "both")
_PAIRS = texts("clock", "pairs")


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
    request = phrases.say(
        rng,
        rng.choice(
            ("And in {place}?", "What about {place}?", "And {place}?", "How about in {place}?", "and in {place}")
        ),
        {"place": place},
    )
    return _asked(rng, request, _DAY_THERE if before.answer.startswith(("Today", "In ")) else _THERE, place, zone)


def pair(rng: Random) -> tuple[str, list[Ask]] | None:
    """The time in two places at once."""
    (place, zone), (other, other_zone) = rng.sample(_PLACES, 2)
    text = rng.choice(_PAIRS)
    request = phrases.say(rng, text, {"a": place, "b": other})
    return request, [_asked(rng, "", _THERE, place, zone), _asked(rng, "", _THERE, other, other_zone)]


def offer(spec: dict[str, Any]) -> Offer:
    """The clock."""
    return Offer(spec, frozenset({"time"}), ask, follow=follow, pair=pair)
