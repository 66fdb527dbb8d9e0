"""Which time zone a calendar means by the name that it gives: one of the IANA database, one of Windows, or its own."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from msgspec import Struct
from tzlocal.windows_tz import win_tz

from hilt.tools.builtin.personal.lines import Block, Line, inner_blocks, lines
from hilt.tools.builtin.personal.rules import Effort, Exhausted, Rule, RuleError, read_rule
from hilt.tools.builtin.schedule.recurrence import zone_named

Zones = Mapping[str, tzinfo]

_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)(?::?(\d\d))?", re.ASCII)
_UTC_OFFSET = re.compile(r"\(?(?:UTC|GMT)([+-])(\d\d):?(\d\d)", re.ASCII | re.IGNORECASE)
_LOCAL = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)", re.ASCII)
_WANTED = frozenset({"TZID", "DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE"})
_ONSETS_KEPT = 4000
_FIRST_YEAR = 1960
_LAST_YEAR = 2100
_MAX_STEPS = 100_000


class _Onset(Struct, frozen=True):
    """From the local time `wall` (as the clock before it showed) on the clock is `after` ahead of UTC."""

    wall: datetime
    before: timedelta
    after: timedelta


class DeclaredZone(tzinfo):
    """A zone by the changes that a calendar declares, in order. What a change skips is read with the offset before it;
    of what comes twice the first is meant, and the second with the fold 1."""

    def __init__(self, name: str, onsets: Sequence[_Onset]) -> None:
        nothing = timedelta(0)
        self._name = name
        self._offsets = [onsets[0].before, *(onset.after for onset in onsets)]
        self._first = [onset.wall + max(onset.after - onset.before, nothing) for onset in onsets]
        self._second = [onset.wall + min(onset.after - onset.before, nothing) for onset in onsets]
        self._utc = [onset.wall - onset.before for onset in onsets]

    def utcoffset(self, dt: datetime | None) -> timedelta:
        if dt is None:
            return self._offsets[0]
        wall = dt.replace(tzinfo=None, fold=0)
        early = bisect_right(self._first, wall)
        if not dt.fold:
            return self._offsets[early]
        late = bisect_right(self._second, wall)
        return self._offsets[late if self._offsets[late] < self._offsets[early] else early]

    def fromutc(self, dt: datetime) -> datetime:
        moment = dt.replace(tzinfo=None)
        place = bisect_right(self._utc, moment)
        wall = moment + self._offsets[place]
        is_second = place > 0 and bisect_right(self._first, wall) < place
        return wall.replace(tzinfo=self, fold=int(is_second))

    def dst(self, dt: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, dt: datetime | None) -> str:
        return self._name


def zone_by_name(name: str, declared: Zones) -> tzinfo | None:
    """The zone of a TZID, or None if nobody knows it. What the IANA database has goes before what a file declares,
    since old files declare old rules."""
    if name in declared and not _is_known(name):
        return declared[name]
    return _known(name)


def declared_zones(content: bytes, found: Sequence[Block]) -> Zones:
    """The zones that the VTIMEZONE blocks of a file declare and that the IANA database doesn't have."""
    zones: dict[str, tzinfo] = {}
    effort = Effort(_MAX_STEPS)
    for block in found:
        if block.kind != "VTIMEZONE" or len(zones) >= 100:
            continue
        text = content[block.start : block.end]
        name = next((line.value.strip() for line in lines(text, {"TZID"})), "")
        if name and not _is_known(name):
            onsets = _onsets(text, effort)
            if onsets:
                zones[name] = DeclaredZone(name, onsets)
    return zones


def _is_known(name: str) -> bool:
    return _known(name) is not None


def _known(name: str) -> tzinfo | None:
    name = name.strip().strip('"')
    pieces = name.strip("/").split("/")
    tried = [name, win_tz.get(name, "")]
    # Some programs put their own address before the name: /freeassociation.sourceforge.net/Europe/Paris
    tried += ["/".join(pieces[-count:]) for count in (3, 2) if len(pieces) > count]
    for each in tried:
        if each.upper() in ("UTC", "GMT", "Z", "ETC/UTC"):
            return UTC
        if each and len(each) < 100:
            try:
                return zone_named(each)
            except ValueError:
                continue
    if fixed := _UTC_OFFSET.match(name):
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        if offset < timedelta(hours=24):
            return timezone(-offset if fixed[1] == "-" else offset)
    return None


def _onsets(block: bytes, effort: Effort) -> list[_Onset]:
    found: list[_Onset] = []
    for _, text in inner_blocks(block, ("STANDARD", "DAYLIGHT")):
        said: dict[str, list[Line]] = {}
        for line in lines(text, _WANTED):
            said.setdefault(line.name, []).append(line)
        before, after = (_offset(said.get(name)) for name in ("TZOFFSETFROM", "TZOFFSETTO"))
        start = _wall(said["DTSTART"][0].value) if "DTSTART" in said else None
        if before is None or after is None or start is None:
            continue
        walls = [
            start,
            *(wall for line in said.get("RDATE", ()) for each in line.value.split(",") if (wall := _wall(each))),
        ]
        for line in said.get("RRULE", ()):
            try:
                walls += _yearly(start, read_rule(line.value), before, effort)
            except (RuleError, Exhausted):
                continue
        found += [_Onset(wall, before, after) for wall in walls]
    return sorted(found, key=lambda onset: onset.wall)[-_ONSETS_KEPT:]


def _yearly(start: datetime, rule: Rule, before: timedelta, effort: Effort) -> list[datetime]:
    """The changes of a rule; a zone has a few a year, so no other rule is followed."""
    if rule.frequency not in ("YEARLY", "MONTHLY"):
        return []
    if start.year < _FIRST_YEAR and rule.interval == 1 and rule.count is None:
        start = start.replace(year=_FIRST_YEAR)  # a leap year, and long before any event
    end = datetime(_LAST_YEAR, 1, 1)
    return list(rule.walls(start, start, end, timezone(before), effort))


def _offset(said: Sequence[Line] | None) -> timedelta | None:
    found = _OFFSET.fullmatch(said[0].value.strip()) if said else None
    if found is None:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]), seconds=int(found[4] or 0))
    if offset >= timedelta(hours=24):
        return None
    return -offset if found[1] == "-" else offset


def _wall(text: str) -> datetime | None:
    found = _LOCAL.match(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
