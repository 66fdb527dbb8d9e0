"""When events take place: every row of the table, the rules against a plain walk, and zones that a file declares."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.tools.builtin.personal.events import fetch
from hilt.tools.builtin.personal.lines import blocks
from hilt.tools.builtin.personal.moments import read_window, read_words
from hilt.tools.builtin.personal.rules import Effort, Exhausted, read_rule
from hilt.tools.builtin.personal.written import declared
from hilt.tools.builtin.personal.zones import declared_zones
from tests.tools.personal import NOW, agenda_at, calendar_of

ROWS = tomllib.loads((Path(__file__).parent / "cases" / "personal_times.toml").read_text(encoding="utf-8"))["case"]

# Summer time from April to October, an hour ahead of London.
OURS = """
BEGIN:VTIMEZONE
TZID:Ours
BEGIN:STANDARD
DTSTART:16010101T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0300
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0300
END:DAYLIGHT
END:VTIMEZONE"""


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"], ids=["crlf", "lf", "cr"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_an_event_takes_place_when_its_calendar_says(row: dict[str, Any], end: str, tmp_path: Path) -> None:
    events = [f"BEGIN:VEVENT\n{lines}\nEND:VEVENT" for lines in row["lines"].split("---")]
    (tmp_path / "a.ics").write_bytes(calendar_of(OURS, *events, end=end))
    low, high = read_window(row["start"], row["end"], NOW, 7)
    found = fetch(agenda_at(tmp_path), low, high, "")
    assert [event.start.partition("-")[2] for event in found.events] == row["starts"]
    assert all(row.get("problem", "no problem") in sentence for sentence in found.problems)
    assert bool(found.problems) == ("problem" in row)


FREQUENCIES = st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
DAYS = st.lists(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, max_size=3, unique=True)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "BYDAY": DAYS.map(",".join),
        "BYMONTH": st.sampled_from(["1", "2,7", "12"]),
        "BYMONTHDAY": st.sampled_from(["1", "-1", "13", "29,30,31"]),
        "BYHOUR": st.sampled_from(["0", "9,17"]),
        "COUNT": st.integers(1, 50).map(str),
    },
)


@settings(deadline=None, max_examples=60)
@given(
    frequency=FREQUENCIES,
    interval=st.integers(1, 9),
    parts=PARTS,
    start=st.datetimes(datetime(1990, 1, 1), datetime(2026, 1, 1)).map(lambda each: each.replace(microsecond=0)),
    ahead_days=st.integers(0, 9000),
    long_days=st.integers(1, 900),
)
def test_a_window_of_a_rule_is_what_a_walk_from_its_start_passes_there(
    frequency: str, interval: int, parts: dict[str, str], start: datetime, ahead_days: int, long_days: int
) -> None:
    text = f"FREQ={frequency};INTERVAL={interval}" + "".join(f";{name}={value}" for name, value in parts.items())
    low = start + timedelta(days=ahead_days)
    high = low + timedelta(days=long_days)
    walked = rrulestr(text + ("" if "COUNT" in parts else ";UNTIL=20600101"), dtstart=start)
    assert list(read_rule(text).walls(start, low, high, UTC, Effort(10**6))) == [
        each for each in walked if low <= each <= high
    ]


def test_work_without_end_is_ended() -> None:
    rule = read_rule("FREQ=SECONDLY")
    start = datetime(2026, 1, 1)
    with pytest.raises(Exhausted):
        list(rule.walls(start, start, datetime(2027, 1, 1), UTC, Effort(1000)))
    with pytest.raises(Exhausted):
        list(rule.walls(start, start, datetime(2027, 1, 1), UTC, Effort(10**9, lambda: True)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FREQ=",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=DAILY;UNTIL=soon",
        "FREQ=DAILY;COUNT=" + "9" * 5000,
        "FREQ=SECONDLY;BYHOUR=1;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;NEW=1",
    ],
)
def test_a_rule_that_can_not_be_followed_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="its rule"):
        read_rule(text)


@settings(deadline=None, max_examples=30)
@given(
    name=st.sampled_from(["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo"]),
    moment=st.datetimes(datetime(2026, 1, 1), datetime(2045, 1, 1)),
)
def test_a_zone_that_we_declare_is_read_as_it_is(name: str, moment: datetime) -> None:
    zone = ZoneInfo(name)
    text = declared(zone, datetime(2026, 6, 1)).replace(name.encode(), b"Ours")
    ours = declared_zones(text, list(blocks(text)))["Ours"]
    aware = moment.replace(microsecond=0, tzinfo=UTC)
    there, here = aware.astimezone(zone), aware.astimezone(ours)
    assert (here.replace(tzinfo=None), here.fold, here.utcoffset()) == (
        there.replace(tzinfo=None),
        there.fold,
        there.utcoffset(),
    )
    assert here.astimezone(UTC) == aware


@pytest.mark.parametrize(
    ("words", "wall", "is_day"),
    [
        ("today", "2026-11-21T00:00", True),
        ("Yesterday", "2026-11-20T00:00", True),
        ("2020-02-29", "2020-02-29T00:00", True),
        ("20200229", "2020-02-29T00:00", True),
        ("2026-11-21 9:30", None, False),
        ("2026-11-21 09:30", "2026-11-21T09:30", False),
        ("2026-11-21T09:30:15Z", "2026-11-21T10:30:15", False),
        ("today 09:00", "2026-11-21T09:00", False),
        ("tomorrow at 9", "2026-11-22T09:00", False),
        ("monday", "2026-11-23T00:00", True),
        ("in 3 days", "2026-11-24T00:00", True),
        ("in 2 hours", "2026-11-21T16:03:27", False),
        ("2026-02-30", None, True),
        ("", None, True),
        ("when pigs fly", None, True),
        ("9" * 99, None, True),
    ],
)
def test_words_for_a_day_or_a_time(words: str, wall: str | None, is_day: bool) -> None:
    if wall is None:
        with pytest.raises(ValueError, match="write 2026-12-31"):
            read_words(words, NOW)
    else:
        moment = read_words(words, NOW)
        assert (moment.wall, moment.is_day) == (datetime.fromisoformat(wall), is_day)


@pytest.mark.parametrize(
    ("start", "end", "low", "high"),
    [
        (None, None, "2026-11-21", "2026-11-28"),
        ("tomorrow", None, "2026-11-22", "2026-11-23"),
        ("tomorrow", "tomorrow", "2026-11-22", "2026-11-23"),
        ("this week", None, "2026-11-16", "2026-11-23"),
        ("next weekend", None, "2026-11-28", "2026-11-30"),
        ("last month", None, "2026-10-01", "2026-11-01"),
        ("2026-12", None, "2026-12-01", "2027-01-01"),
        ("next year", None, "2027-01-01", "2028-01-01"),
        ("2026-11-21T09:00", "2026-11-21T10:00", "2026-11-21T09:00", "2026-11-21T10:00"),
        (None, "2026-12-31", "2026-11-21", "2027-01-01"),
        ("9999-12-31", None, "9999-12-31", "9999-12-31T23:59:59"),
    ],
)
def test_a_span_of_time(start: str | None, end: str | None, low: str, high: str) -> None:
    assert read_window(start, end, NOW, 7) == (datetime.fromisoformat(low), datetime.fromisoformat(high))
