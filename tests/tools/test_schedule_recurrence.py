"""The words for a recurrence, the rules they mean, and when a rule is due."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.tools.builtin.schedule.recurrence import Timing, next_after, read_rule, zone_name, zone_named
from hilt.tools.builtin.schedule.repeats import read_repeat
from hilt.tools.builtin.schedule.store import first_time

PARIS = ZoneInfo("Europe/Paris")
START = datetime(2026, 11, 21, 9, 0, tzinfo=PARIS)
WEEKDAYS = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"


def times(start: str, repeat: str, count: int, zone: ZoneInfo = PARIS) -> list[str]:
    """The first times of a recurrence, local with their offset; fewer if it ends."""
    moment = datetime.fromisoformat(start).astimezone(zone)
    timing = Timing(int(moment.timestamp()), zone.key, read_repeat(repeat, moment))
    found: list[str] = []
    after_s: float = timing.start_s - 1
    while len(found) < count and (next_s := next_after(timing, after_s)) is not None:
        found.append(datetime.fromtimestamp(next_s, zone).isoformat(timespec="minutes"))
        after_s = next_s
    return found


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (None, ""),
        ("", ""),
        ("none", ""),
        ("Once", ""),
        ("daily", "FREQ=DAILY"),
        ("every day", "FREQ=DAILY"),
        ("each day", "FREQ=DAILY"),
        ("weekly", "FREQ=WEEKLY"),
        ("every week", "FREQ=WEEKLY"),
        ("weekdays", WEEKDAYS),
        ("every weekday", WEEKDAYS),
        ("every working day", WEEKDAYS),
        ("mon-fri", WEEKDAYS),
        ("monday to friday", WEEKDAYS),
        ("weekends", "FREQ=WEEKLY;BYDAY=SA,SU"),
        ("hourly", "FREQ=HOURLY"),
        ("every 2 hours", "FREQ=HOURLY;INTERVAL=2"),
        ("every minute", "FREQ=MINUTELY"),
        ("every 15 min", "FREQ=MINUTELY;INTERVAL=15"),
        ("every thirty minutes", "FREQ=MINUTELY;INTERVAL=30"),
        ("every 90 seconds", "FREQ=SECONDLY;INTERVAL=90"),
        ("every other day", "FREQ=DAILY;INTERVAL=2"),
        ("every three weeks", "FREQ=WEEKLY;INTERVAL=3"),
        ("biweekly", "FREQ=WEEKLY;INTERVAL=2"),
        ("monthly", "FREQ=MONTHLY"),
        ("quarterly", "FREQ=MONTHLY;INTERVAL=3"),
        ("yearly", "FREQ=YEARLY"),
        ("every monday", "FREQ=WEEKLY;BYDAY=MO"),
        ("mondays", "FREQ=WEEKLY;BYDAY=MO"),
        ("mon,wed,fri", "FREQ=WEEKLY;BYDAY=MO,WE,FR"),
        ("every friday, monday and friday", "FREQ=WEEKLY;BYDAY=MO,FR"),
        ("weekly on tuesday", "FREQ=WEEKLY;BYDAY=TU"),
        ("every other friday", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR"),
        ("the first monday of the month", "FREQ=MONTHLY;BYDAY=1MO"),
        ("last friday of every month", "FREQ=MONTHLY;BYDAY=-1FR"),
        ("last day of the month", "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("monthly on the 15th", "FREQ=MONTHLY;BYMONTHDAY=15"),
        ("daily at 9:30", "FREQ=DAILY;BYHOUR=9;BYMINUTE=30;BYSECOND=0"),
        ("weekdays at noon", f"{WEEKDAYS};BYHOUR=12;BYMINUTE=0;BYSECOND=0"),
        ("daily until 2026-12-31", "FREQ=DAILY;UNTIL=20261231T225959Z"),
        ("daily 5 times", "FREQ=DAILY;COUNT=5"),
        ("every 2 hours for 3 times", "FREQ=HOURLY;INTERVAL=2;COUNT=3"),
        ("daily at 8 until 2027-01-01", "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0;UNTIL=20270101T225959Z"),
        ("FREQ=DAILY", "FREQ=DAILY"),
        ("rrule:freq=weekly;byday=mo,we;count=4;", "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4"),
        ("COUNT=3;FREQ=DAILY", "FREQ=DAILY;COUNT=3"),
        ("FREQ=DAILY;UNTIL=20261231T120000Z", "FREQ=DAILY;UNTIL=20261231T120000Z"),
        ("FREQ=DAILY;UNTIL=20261231T120000", "FREQ=DAILY;UNTIL=20261231T110000Z"),
        ("FREQ=DAILY;UNTIL=20261231", "FREQ=DAILY;UNTIL=20261231T225959Z"),
        ("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1"),
    ],
)
def test_words_for_a_recurrence(words: str | None, rule: str) -> None:
    assert read_repeat(words, START) == rule


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sometimes", "write daily, weekdays, weekly, every 2 hours"),
        ("every blue moon", "can't be read as a recurrence"),
        ("every", "can't be read as a recurrence"),
        ("twice a day", "can't be read as a recurrence"),
        ("0 9 * * *", "can't be read as a recurrence"),
        ("every second monday", "can't be read as a recurrence"),
        ("hourly at 9", "can't be read as a recurrence"),
        ("daily at 25", "can't be read as a recurrence"),
        ("every 0 days", "INTERVAL=0 is not between"),
        ("daily 0 times", "COUNT=0 is not between"),
        ("every second", "more often than once a minute"),
        ("every 59 seconds", "more often than once a minute"),
        ("FREQ=SECONDLY", "more often than once a minute"),
        ("FREQ=SECONDLY;INTERVAL=90;BYSECOND=1", "more often than once a minute"),
        ("FREQ=MINUTELY;BYSECOND=0,30", "more often than once a minute"),
        ("INTERVAL=2", "needs FREQ"),
        ("FREQ=FORTNIGHTLY", "needs FREQ"),
        ("FREQ=DAILY;FREQ=DAILY", "two parts FREQ"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "COUNT or UNTIL, not both"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL=-1"),
        ("FREQ=DAILY;COUNT=99999999", "COUNT=99999999"),
        ("FREQ=DAILY;COUNT=\u0663", "COUNT="),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL=TOMORROW is no date"),
        ("FREQ=DAILY;UNTIL=20261331", "no date that can be"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR=24 is not between 0 and 23"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY=0"),
        ("FREQ=DAILY;BYDAY=XX", "BYDAY=XX is no list of days"),
        ("FREQ=DAILY;BYDAY=1MO", "needs FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYDAY=6MO", "no weekday comes more than 5 times"),
        ("FREQ=YEARLY;BYMONTH=2;BYDAY=53MO", "no weekday comes more than 5 times"),
        ("FREQ=YEARLY;BYDAY=54MO", "no weekday comes more than 53 times"),
        ("FREQ=MONTHLY;BYWEEKNO=3", "BYWEEKNO needs FREQ=YEARLY"),
        ("FREQ=HOURLY;BYSETPOS=2", "BYSETPOS needs FREQ=DAILY"),
        ("FREQ=WEEKLY;WKST=XX", "WKST=XX"),
        ("FREQ=YEARLY;BYEASTER=1", "BYEASTER is no part"),
        ("FREQ=DAILY;X-NAME=1", "X-NAME is no part"),
        ("FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=" + ",".join(map(str, range(60))), "1440"),
        ("DTSTART:20260101T000000\nRRULE:FREQ=DAILY", "`when` says when it starts"),
        ("FREQ=DAILY;" * 100, "longer than 500"),
        ("=", "is no part of an RRULE"),
        ("FREQ=", "is no part of an RRULE"),
    ],
)
def test_what_is_no_recurrence_is_refused(words: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("`", ".")):
        read_repeat(words, START)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=5;BYMINUTE=3",
        "FREQ=DAILY;BYSETPOS=2",
        "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=20",
        "FREQ=MINUTELY;INTERVAL=1440;BYHOUR=5",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=3",
        "FREQ=YEARLY;BYYEARDAY=366;BYWEEKNO=20",
        "FREQ=DAILY;UNTIL=20200101",
        "FREQ=WEEKLY;BYDAY=MO;UNTIL=20261122",
        "FREQ=DAILY;UNTIL=00010101",
    ],
)
def test_a_rule_that_never_comes_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="never comes"):
        first_time(Timing(int(START.timestamp()), "Europe/Paris", read_rule(rule, PARIS)))


@pytest.mark.parametrize(
    ("start", "repeat", "due"),
    [
        # Over the change of the clocks 09:00 stays, a skipped 02:30 becomes 03:30, of two 02:30 the first counts.
        ("2026-03-28T09:00+01:00", "daily", ["2026-03-28T09:00+01:00", "2026-03-29T09:00+02:00"]),
        ("2026-10-24T09:00+02:00", "daily", ["2026-10-24T09:00+02:00", "2026-10-25T09:00+01:00"]),
        (
            "2026-03-28T02:30+01:00",
            "daily",
            ["2026-03-28T02:30+01:00", "2026-03-29T03:30+02:00", "2026-03-30T02:30+02:00"],
        ),
        (
            "2026-10-24T02:30+02:00",
            "daily",
            ["2026-10-24T02:30+02:00", "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
        ),
        # Started in the second of the two hours, it begins there.
        ("2026-10-25T02:30+01:00", "daily", ["2026-10-25T02:30+01:00", "2026-10-26T02:30+01:00"]),
        # Hours are those that pass.
        (
            "2026-03-28T23:00+01:00",
            "every 2 hours",
            ["2026-03-28T23:00+01:00", "2026-03-29T01:00+01:00", "2026-03-29T04:00+02:00"],
        ),
        (
            "2026-10-25T01:00+02:00",
            "hourly",
            ["2026-10-25T01:00+02:00", "2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T03:00+01:00"],
        ),
        # Hours that are named are those on the wall; the skipped one falls together with the next and comes once.
        (
            "2026-03-29T00:00+01:00",
            "FREQ=DAILY;BYHOUR=1,2,3,4",
            ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00", "2026-03-30T01:00+02:00"],
        ),
        # A skipped time that moves past a later one comes after it.
        (
            "2026-03-29T01:00+01:00",
            "FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30",
            ["2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00", "2026-03-30T02:00+02:00"],
        ),
        ("2026-11-21T09:00+01:00", "weekdays", ["2026-11-23T09:00+01:00", "2026-11-24T09:00+01:00"]),
        ("2026-11-21T14:00+01:00", "daily at 9", ["2026-11-22T09:00+01:00", "2026-11-23T09:00+01:00"]),
        (
            "2026-10-31T09:00+01:00",
            "monthly",
            ["2026-10-31T09:00+01:00", "2026-11-30T09:00+01:00", "2026-12-31T09:00+01:00"],
        ),
        ("2026-10-31T09:00+01:00", "FREQ=MONTHLY", ["2026-10-31T09:00+01:00", "2026-12-31T09:00+01:00"]),
        ("2028-02-29T09:00+01:00", "yearly", ["2028-02-29T09:00+01:00", "2029-02-28T09:00+01:00"]),
        ("2028-02-29T09:00+01:00", "FREQ=YEARLY", ["2028-02-29T09:00+01:00", "2032-02-29T09:00+01:00"]),
        (
            "2026-11-21T09:00+01:00",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
            ["2044-02-29T09:00+01:00", "2072-02-29T09:00+01:00", "2112-02-29T09:00+01:00"],
        ),
    ],
)
def test_times_of_a_recurrence(start: str, repeat: str, due: list[str]) -> None:
    assert times(start, repeat, len(due)) == due


@pytest.mark.parametrize(
    ("repeat", "count"),
    [
        ("", 1),
        ("daily 5 times", 5),
        ("FREQ=DAILY;COUNT=5", 5),
        ("every 2 hours for 3 times", 3),
        ("FREQ=DAILY;UNTIL=20261124", 4),
        ("FREQ=DAILY;UNTIL=20261124T080000Z", 4),
        ("FREQ=DAILY;UNTIL=20261124T075959Z", 3),
        ("FREQ=HOURLY;INTERVAL=12;UNTIL=20261122T200000Z", 4),
        ("weekdays 3 times", 3),
    ],
)
def test_count_and_until_are_kept(repeat: str, count: int) -> None:
    assert len(times(START.isoformat(), repeat, 20)) == count


def test_a_gap_of_a_whole_day() -> None:
    # Samoa had no 30 December 2011.
    apia = ZoneInfo("Pacific/Apia")
    assert times("2011-12-29T09:00-10:00", "daily", 3, apia) == [
        "2011-12-29T09:00-10:00",
        "2011-12-31T09:00+14:00",
        "2012-01-01T09:00+14:00",
    ]


@pytest.mark.parametrize(
    ("rule", "after", "next_time"),
    [
        ("FREQ=MINUTELY", "2026-01-01T12:00:30", "2026-01-01T12:01"),
        ("FREQ=MINUTELY;BYHOUR=9", "2026-01-01T12:00", "2026-01-02T09:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", "2026-01-01T12:00", "2026-01-11T09:00"),
        ("FREQ=DAILY;INTERVAL=3", "2026-01-01T12:00", "2026-01-03T09:00"),
        ("FREQ=DAILY;COUNT=10000", "2026-01-01T12:00", "2026-01-02T09:00"),
    ],
)
def test_the_next_time_comes_from_the_rule_after_a_long_past(rule: str, after: str, next_time: str) -> None:
    start = datetime(2010, 1, 3, 9, tzinfo=UTC)
    timing = Timing(int(start.timestamp()), "UTC", read_rule(rule, UTC))
    found = next_after(timing, datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp())
    assert found == datetime.fromisoformat(next_time).replace(tzinfo=UTC).timestamp()


RULES = st.builds(
    lambda freq, interval, extra: f"FREQ={freq};INTERVAL={interval}{extra}",
    st.sampled_from(["MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 40),
    st.sampled_from(["", ";COUNT=7", ";BYHOUR=2,3", ";BYDAY=SU", ";UNTIL=20270601", ";BYMONTH=3,10;BYHOUR=2"]),
)
MOMENTS = st.integers(int(datetime(2025, 1, 1).timestamp()), int(datetime(2028, 1, 1).timestamp()))


@settings(deadline=None)
@given(rule=RULES, start_s=MOMENTS, after_s=MOMENTS)
def test_the_next_time_is_that_of_the_whole_sequence(rule: str, start_s: int, after_s: int) -> None:
    timing = Timing(start_s, "Europe/Paris", read_rule(rule, PARIS))
    found = next_after(timing, after_s)
    if found is None:
        return
    assert found > after_s
    assert found >= start_s
    # Nothing comes between, from wherever one looks.
    for before_s in (after_s + 1, (after_s + found) // 2, found - 1):
        if before_s < found:
            assert next_after(timing, before_s) == found
    following = next_after(timing, found)
    assert following is None or following - found >= 60


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        (START, "Europe/Paris"),
        (datetime(2026, 1, 1, tzinfo=UTC), "UTC"),
        (datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")), "UTC"),
        (datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))), "UTC+05:30"),
        (datetime(2026, 1, 1, tzinfo=timezone(-timedelta(hours=3))), "UTC-03:00"),
    ],
)
def test_a_zone_is_found_by_the_name_it_is_stored_under(moment: datetime, name: str) -> None:
    assert zone_name(moment) == name
    assert moment.astimezone(zone_named(name)).utcoffset() == moment.utcoffset()


def test_a_zone_that_is_not_there_is_told() -> None:
    for name in ("Atlantis/Port", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="no time zone"):
            zone_named(name)
    with pytest.raises(ValueError, match="no time zone"):
        zone_name(datetime(2026, 1, 1))
