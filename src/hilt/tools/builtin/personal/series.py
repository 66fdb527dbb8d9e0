"""From the blocks of one event in a calendar to each time that it takes place."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import TypeVar

from msgspec import Struct

from hilt.tools.builtin.personal.lines import Line, lines
from hilt.tools.builtin.personal.moments import Moment, Span, read_moment, read_span
from hilt.tools.builtin.personal.rules import Effort, Rule, read_rule
from hilt.tools.builtin.personal.zones import Zones

T = TypeVar("T")

TIME_NAMES = frozenset(
    {
        "UID",
        "DTSTART",
        "DTEND",
        "DUE",
        "DURATION",
        "RRULE",
        "EXRULE",
        "RDATE",
        "EXDATE",
        "RECURRENCE-ID",
        "SEQUENCE",
        "STATUS",
    }
)
_MAX_LISTED_DATES = 10_000
_MAX_IN_WINDOW = 1000
_DAY = timedelta(days=1)


class Occurrence(Struct, frozen=True):
    """One time that an event takes place. `of` is the number of the block that says what happens then; `original` is
    the local time, on the clock of the series, that the rule gave it."""

    start: Moment
    end: Moment
    of: int
    original: datetime


class Times(Struct, frozen=True):
    """What a block says of its time."""

    start: Moment
    span: Span
    rules: tuple[Rule, ...] = ()
    without: tuple[Rule, ...] = ()
    more: tuple[tuple[Moment, Span | None], ...] = ()
    except_: tuple[Moment, ...] = ()
    replaces: Moment | None = None
    and_future: bool = False
    problem: str = ""

    @property
    def repeats(self) -> bool:
        """Whether there can be more than one time."""
        return bool(self.rules or self.more)


def read_times(block: bytes, zones: Zones, anchor: str = "DTSTART") -> Times:
    """The times of a block, which begin at its `anchor`. What can't be read of a recurrence is told in `problem`, and
    the rest holds. Raises ValueError if there is no start that can be read."""
    said: dict[str, list[Line]] = {}
    for line in lines(block, TIME_NAMES):
        said.setdefault(line.name, []).append(line)
    if anchor not in said:
        raise ValueError(f"it has no {anchor}")
    start = read_moment(said[anchor][0], zones)
    problems: list[str] = []
    more: list[tuple[Moment, Span | None]] = []
    for line in said.get("RDATE", ()):
        for text in line.value.split(",")[:_MAX_LISTED_DATES]:
            _collect(more, problems, partial(_extra, line, text, zones))
    without: list[Moment] = []
    for line in said.get("EXDATE", ()):
        for text in line.value.split(",")[:_MAX_LISTED_DATES]:
            _collect(without, problems, partial(read_moment, line, zones, text))
    rules: dict[str, list[Rule]] = {"RRULE": [], "EXRULE": []}
    for name, found in rules.items():
        for line in said.get(name, ())[:20]:
            _collect(found, problems, partial(read_rule, line.value))
    replaces: Moment | None = None
    if "RECURRENCE-ID" in said:
        replaces = read_moment(said["RECURRENCE-ID"][0], zones)
    return Times(
        start=start,
        span=_span(start, said, zones, problems),
        rules=tuple(rules["RRULE"]),
        without=tuple(rules["EXRULE"]),
        more=tuple(more),
        except_=tuple(without),
        replaces=replaces,
        and_future=replaces is not None and said["RECURRENCE-ID"][0].parameter("RANGE").upper() == "THISANDFUTURE",
        problem="; ".join(problems[:3]),
    )


def occurrences(
    series: Sequence[Times], low: datetime, high: datetime, home: tzinfo, effort: Effort
) -> Iterator[Occurrence]:
    """Each time between the local times `low` and `high` of the reader's zone `home`, in no order.

    `series` are the blocks of one event: at most one that replaces nothing, and those that replace one of its times or,
    with THISANDFUTURE, that and all later ones. At most 1000 are given.
    """
    window = (low.replace(tzinfo=home).timestamp(), high.replace(tzinfo=home).timestamp())
    replaced: dict[float | datetime, int] = {}
    future: list[tuple[float, int, timedelta]] = []
    for number, times in enumerate(series):
        if times.replaces is None:
            continue
        replaced[_key(times.replaces, home)] = number
        if times.and_future:
            moved = times.start.wall - times.replaces.wall
            future.append((times.replaces.timestamp(home), number, moved))
        occurrence = Occurrence(times.start, ended(times.start, times.span, home), number, times.replaces.wall)
        if _meets(occurrence, window, home):
            yield occurrence
    future.sort(key=lambda one: one[0])
    given = 0
    for number, times in enumerate(series):
        if times.replaces is not None:
            continue
        slack = max((abs(moved) for _, _, moved in future), default=timedelta(0))
        for moment, span in _regular(
            times, low - slack if low - datetime.min > slack else low, high, slack, home, effort
        ):
            if _key(moment, home) in replaced:
                continue
            of, start = number, moment
            at_s = moment.timestamp(home) if future else 0.0
            for from_s, other, moved in future:
                if from_s <= at_s:
                    of, start, span = other, Moment(moment.wall + moved, moment.zone, moment.is_day), series[other].span
            occurrence = Occurrence(start, ended(start, span, home), of, moment.wall)
            if _meets(occurrence, window, home):
                yield occurrence
                given += 1
                if given >= _MAX_IN_WINDOW:
                    return


def ended(start: Moment, span: Span, home: tzinfo) -> Moment:
    """When something ends that begins at `start`: days on the calendar, and then the seconds that pass."""
    try:
        wall = start.wall + timedelta(days=span.days)
        if not span.seconds:
            return Moment(wall, start.zone, start.is_day)
        zone = start.zone or home
        passed = datetime.fromtimestamp(wall.replace(tzinfo=zone).timestamp() + span.seconds, zone)
        return Moment(passed.replace(tzinfo=None), start.zone, start.is_day)
    except (OverflowError, ValueError, OSError):
        return Moment(datetime.max.replace(microsecond=0) - 2 * _DAY, start.zone, start.is_day)


def _regular(
    times: Times, low: datetime, high: datetime, slack: timedelta, home: tzinfo, effort: Effort
) -> Iterator[tuple[Moment, Span]]:
    """The times that start, rules and dates give, without those that are taken out, near the window."""
    start, zone = times.start, times.start.zone or home
    margin = 2 * _DAY + slack
    length = timedelta(days=min(times.span.days, 40_000), seconds=min(times.span.seconds, 3e9))
    first = max(low, datetime.min + margin + length) - margin - length
    last = min(high, datetime.max - margin) + margin
    gone: set[float | datetime] = {_key(moment, home) for moment in times.except_}
    for rule in times.without:
        gone.update(
            _key(Moment(wall, start.zone, start.is_day), home)
            for wall in rule.walls(start.wall, first, last, zone, effort)
        )
    seen: set[float | datetime] = set()

    def new(moment: Moment) -> bool:
        effort.spend()
        key = _key(moment, home)
        # An EXDATE that is a day takes out whatever is on that day.
        if key in seen or key in gone or moment.wall.replace(hour=0, minute=0, second=0, fold=0) in gone:
            return False
        seen.add(key)
        return True

    if new(start):
        yield start, times.span
    for moment, span in times.more:
        if new(moment):
            yield moment, span or times.span
    for rule in times.rules:
        for wall in rule.walls(start.wall, first, last, zone, effort):
            moment = Moment(wall, start.zone, start.is_day)
            if new(moment):
                yield moment, times.span


def _key(moment: Moment, home: tzinfo) -> float | datetime:
    """What makes two moments the same: the day, or the time that passes."""
    return moment.wall if moment.is_day else moment.timestamp(home)


def _meets(occurrence: Occurrence, window: tuple[float, float], home: tzinfo) -> bool:
    low, high = window
    start, end = occurrence.start.timestamp(home), occurrence.end.timestamp(home)
    # What takes no time belongs to the moment at which it is.
    return start < high and (end > low or (end <= start and start >= low))


def _span(start: Moment, said: dict[str, list[Line]], zones: Zones, problems: list[str]) -> Span:
    usual = Span(days=1) if start.is_day else Span()
    try:
        if "DTEND" in said:
            end = read_moment(said["DTEND"][0], zones)
            if start.is_day and end.is_day:
                return Span(days=max((end.wall - start.wall).days, 1))
            zone = start.zone or end.zone
            if zone is None:
                return Span(seconds=max((end.wall - start.wall).total_seconds(), 0))
            return Span(seconds=max(end.timestamp(zone) - start.timestamp(zone), 0))
        if "DURATION" in said:
            return read_span(said["DURATION"][0].value)
    except ValueError as fault:
        problems.append(str(fault))
    return usual


def _extra(line: Line, text: str, zones: Zones) -> tuple[Moment, Span | None]:
    """A time of an RDATE, and its own length if it is a period."""
    first, _, rest = text.partition("/")
    start = read_moment(line, zones, first)
    if not rest:
        return start, None
    if rest.strip().upper().startswith("P"):
        return start, read_span(rest)
    end = read_moment(line, zones, rest)
    zone = start.zone or end.zone
    return start, Span(
        seconds=max(
            (end.timestamp(zone) - start.timestamp(zone)) if zone else (end.wall - start.wall).total_seconds(), 0
        )
    )


def _collect(found: list[T], problems: list[str], read: Callable[[], T]) -> None:
    try:
        found.append(read())
    except ValueError as fault:
        problems.append(str(fault))
