"""New calendar entries as bytes, and changes of single lines in those that are there."""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from hilt.tools.builtin.personal.lines import Line, folded, text_line
from hilt.tools.builtin.personal.moments import Moment

_PRODUCT = "-//Hilt//Personal tools//EN"
_HEAD = re.compile(rb"(?:[A-Za-z0-9_-]+\.)?([A-Za-z0-9_-]+)[ \t]*[;:]")
_ZONE_YEARS_BACK = 1
_ZONE_YEARS_ON = 20
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_END = re.compile(rb"^END[ \t]*:[ \t]*VCALENDAR[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


def moment_line(name: str, moment: Moment, home: tzinfo, *, keep_zone: bool) -> bytes:
    """A property that says a moment: a date, a time in the zone of `home` by its name where that is to be kept, or the
    same in UTC."""
    if moment.is_day:
        return folded(f"{name};VALUE=DATE:{_date(moment.wall)}")
    zone = moment.zone or home
    if keep_zone and isinstance(zone, ZoneInfo) and zone.key not in ("", "UTC"):
        return folded(f"{name};TZID={zone.key}:{_clock(moment.wall)}")
    return folded(f"{name}:{utc(datetime.fromtimestamp(moment.timestamp(home), UTC))}")


def like(name: str, wall: datetime, model: Line, *, is_utc: bool, is_day: bool) -> bytes:
    """A property that says a local time in the manner of another: as a day, in UTC, in the same zone, or floating."""
    if is_day:
        return folded(f"{name};VALUE=DATE:{_date(wall)}")
    if is_utc:
        return folded(f"{name}:{_clock(wall)}Z")
    zone = model.parameter("TZID").replace('"', "")
    if not zone:
        return folded(f"{name}:{_clock(wall)}")
    quoted = f'"{zone}"' if re.search(r"[:;,]", zone) else zone
    return folded(f"{name};TZID={quoted}:{_clock(wall)}")


def utc(moment: datetime) -> str:
    """An aware moment as calendars write it in UTC."""
    return f"{_clock(moment.astimezone(UTC))}Z"


def component(kind: str, body: Sequence[bytes]) -> bytes:
    """A component of whole lines."""
    return b"BEGIN:%b\r\n%bEND:%b\r\n" % (kind.encode(), b"".join(body), kind.encode())


def with_component(content: bytes, added: bytes, zone: bytes = b"") -> bytes:
    """A calendar with one more component at its end; `content` may be empty. A zone that it declares already is left
    out. Raises ValueError if the file is no calendar."""
    if not content.strip():
        head = (text_line("VERSION", "2.0"), folded(f"PRODID:{_PRODUCT}"))
        return component("VCALENDAR", (*head, zone, added))
    ends = list(_END.finditer(content))
    if not ends:
        raise ValueError("the file is no calendar that something can be added to: its END:VCALENDAR is missing")
    name = re.search(rb"^TZID:.*$", zone, re.MULTILINE)
    if name is not None and name[0].strip() in content:
        zone = b""
    place = ends[-1].start()
    new = zone + added
    return content[:place] + (new if b"\r\n" in content else new.replace(b"\r\n", b"\n")) + content[place:]


def with_lines(block: bytes, drop: Collection[str], add: Sequence[bytes]) -> bytes:
    """A component without its own lines of some names, in capitals, and with new lines at its beginning; everything
    else stays byte for byte."""
    kept: list[bytes] = []
    depth, dropping = 0, False
    for line in block.splitlines(keepends=True) if b"\n" in block else [block]:
        if line[:1] in b" \t" and kept and line.strip():
            if not dropping:
                kept.append(line)
            continue
        head = _HEAD.match(line)
        name = head[1].upper().decode() if head else ""
        depth += (name == "BEGIN") - (name == "END")
        dropping = depth == 1 and name in drop
        if not dropping:
            kept.append(line)
    end = b"\r\n" if kept[0].endswith(b"\r\n") else b"\n"
    return b"".join([kept[0], *(line.replace(b"\r\n", end) for line in add), *kept[1:]])


def declared(zone: tzinfo, start: datetime) -> bytes:
    """A VTIMEZONE with the changes of an IANA zone around and 20 years after `start`, a naive time; nothing for
    others."""
    if not isinstance(zone, ZoneInfo) or zone.key in ("", "UTC"):
        return b""
    changes = _changes(zone, start.year - _ZONE_YEARS_BACK, min(start.year + _ZONE_YEARS_ON, 9990))
    first = datetime(max(start.year - _ZONE_YEARS_BACK, 2), 1, 1)
    offset = _offset(zone, first)
    kinds: dict[tuple[timedelta, timedelta, str, bool], list[datetime]] = {
        (offset, offset, _name(zone, first), False): [first]
    }
    for moment in changes:
        before, after = _offset(zone, moment - timedelta(seconds=1)), _offset(zone, moment)
        kinds.setdefault((before, after, _name(zone, moment), after > before), []).append(moment + before)
    body = [folded(f"TZID:{zone.key}")]
    for (before, after, name, is_summer), walls in kinds.items():
        further = [folded(_rule_of(walls) or f"RDATE:{','.join(map(_clock, walls[1:]))}")] if walls[1:] else []
        said = (
            folded(f"DTSTART:{_clock(walls[0])}"),
            *further,
            folded(f"TZOFFSETFROM:{_signed(before)}"),
            folded(f"TZOFFSETTO:{_signed(after)}"),
            text_line("TZNAME", name),
        )
        body.append(component("DAYLIGHT" if is_summer else "STANDARD", said))
    return component("VTIMEZONE", body)


def _rule_of(walls: Sequence[datetime]) -> str | None:
    """The rule of changes that come each year on the same Sunday or so of the same month, so that they go on for
    ever; None if there is none."""
    first = walls[0]
    years = [wall.year - first.year for wall in walls]
    same = {(wall.month, wall.weekday(), wall.time()) for wall in walls}
    places = {(wall.day - 1) // 7 + 1 for wall in walls}
    is_last = all((wall + timedelta(days=7)).month != wall.month for wall in walls)
    if len(walls) < 5 or years != list(range(len(walls))) or len(same) > 1 or (len(places) > 1 and not is_last):
        return None
    place = -1 if is_last else places.pop()
    return f"RRULE:FREQ=YEARLY;BYMONTH={first.month};BYDAY={place}{_WEEKDAYS[first.weekday()]}"


def _changes(zone: ZoneInfo, first_year: int, last_year: int) -> list[datetime]:
    """The moments, naive in UTC, at which the offset changes."""
    found: list[datetime] = []
    at, end = datetime(max(first_year, 2), 1, 1), datetime(last_year, 1, 1)
    while at < end:
        after = at + timedelta(days=7)
        if _offset(zone, at) != _offset(zone, after):
            low, high = at, after
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (low, middle) if _offset(zone, middle) != _offset(zone, at) else (middle, high)
            found.append(high)
        at = after
    return found


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta(0)


def _name(zone: ZoneInfo, moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).astimezone(zone).tzname() or zone.key


def _signed(offset: timedelta) -> str:
    seconds = int(offset.total_seconds())
    sign, seconds = "-" if seconds < 0 else "+", abs(seconds)
    tail = f"{seconds % 60:02}" if seconds % 60 else ""
    return f"{sign}{seconds // 3600:02}{seconds % 3600 // 60:02}{tail}"


def _date(wall: datetime) -> str:
    return f"{wall.year:04}{wall:%m%d}"


def _clock(wall: datetime) -> str:
    return f"{_date(wall)}T{wall:%H%M%S}"
