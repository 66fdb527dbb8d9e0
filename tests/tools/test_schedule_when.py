"""The words for a moment: what is meant, and what is refused."""

import contextlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.tools.builtin.schedule.when import read_when

PARIS = ZoneInfo("Europe/Paris")
# A Saturday.
NOW = datetime(2026, 11, 21, 14, 3, 27, 400_000, tzinfo=PARIS)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("now", "2026-11-21 14:03:27"),
        ("in 20 minutes", "2026-11-21 14:23:28"),
        ("In 20 Minutes.", "2026-11-21 14:23:28"),
        ("20 minutes from now", "2026-11-21 14:23:28"),
        ("in five minutes", "2026-11-21 14:08:28"),
        ("in an hour", "2026-11-21 15:03:28"),
        ("in half an hour", "2026-11-21 14:33:28"),
        ("in 1.5 hours", "2026-11-21 15:33:28"),
        ("in 2 hours and 30 minutes", "2026-11-21 16:33:28"),
        ("in 2h30m", "2026-11-21 16:33:28"),
        ("in 90s", "2026-11-21 14:04:58"),
        ("in 0 minutes", "2026-11-21 14:03:28"),
        ("in 3 days", "2026-11-24 14:03:28"),
        ("in 2 weeks", "2026-12-05 14:03:28"),
        ("in 3 months", "2027-02-21 14:03:28"),
        ("in a year", "2027-11-21 14:03:28"),
        ("PT20M", "2026-11-21 14:23:28"),
        ("P1DT2H", "2026-11-22 16:03:28"),
        ("2026-11-22T09:00", "2026-11-22 09:00:00"),
        ("2026-11-22T09:00:30", "2026-11-22 09:00:30"),
        ("2026-11-22T09:00:30.9", "2026-11-22 09:00:30"),
        ("2026-11-22 09:00", "2026-11-22 09:00:00"),
        ("2026-11-22 9:00", "2026-11-22 09:00:00"),
        ("2026-11-22 at 9am", "2026-11-22 09:00:00"),
        ("2026-11-22", "2026-11-22 09:00:00"),
        ("20261122T090000", "2026-11-22 09:00:00"),
        ("2026-W48-1", "2026-11-23 09:00:00"),
        ("2026-11-22T09:00Z", "2026-11-22 10:00:00"),
        ("2026-11-22 09:00 UTC", "2026-11-22 10:00:00"),
        ("2026-11-22T09:00+05:30", "2026-11-22 04:30:00"),
        ("2026-11-21 14:03", "2026-11-21 14:03:00"),
        ("tomorrow", "2026-11-22 09:00:00"),
        ("tomorrow 09:00", "2026-11-22 09:00:00"),
        ("tomorrow, 9:00", "2026-11-22 09:00:00"),
        ("tomorrow at 9am", "2026-11-22 09:00:00"),
        ("tomorrow at 9 p.m.", "2026-11-22 21:00:00"),
        ("9am tomorrow", "2026-11-22 09:00:00"),
        ("at 9 tomorrow", "2026-11-22 09:00:00"),
        ("tomorrow morning at 8", "2026-11-22 08:00:00"),
        ("tomorrow evening at 8", "2026-11-22 20:00:00"),
        ("12am tomorrow", "2026-11-22 00:00:00"),
        ("tomorrow 12:30 pm", "2026-11-22 12:30:00"),
        ("the day after tomorrow at noon", "2026-11-23 12:00:00"),
        ("today 18:00", "2026-11-21 18:00:00"),
        ("tonight", "2026-11-21 20:00:00"),
        ("tonight at 8", "2026-11-21 20:00:00"),
        ("this evening", "2026-11-21 19:00:00"),
        ("monday 8:30", "2026-11-23 08:30:00"),
        ("on friday at 5 pm", "2026-11-27 17:00:00"),
        ("5pm on friday", "2026-11-27 17:00:00"),
        ("Fri", "2026-11-27 09:00:00"),
        ("saturday 15:00", "2026-11-21 15:00:00"),
        ("saturday 13:00", "2026-11-28 13:00:00"),
        ("next saturday 15:00", "2026-11-28 15:00:00"),
        ("next monday 8:30", "2026-11-23 08:30:00"),
        ("15:00", "2026-11-21 15:00:00"),
        ("9:00", "2026-11-22 09:00:00"),
        ("at 9", "2026-11-22 09:00:00"),
        ("noon", "2026-11-22 12:00:00"),
        ("midnight", "2026-11-22 00:00:00"),
        ("24 December 18:00", "2026-12-24 18:00:00"),
        ("the 24th of december at 18:00", "2026-12-24 18:00:00"),
        ("Dec 24", "2026-12-24 09:00:00"),
        ("December 24, 2027 at 6pm", "2027-12-24 18:00:00"),
        ("may 5", "2027-05-05 09:00:00"),
        ("feb 29 10:00", "2028-02-29 10:00:00"),
        ("\uff41\uff54 9:00", "2026-11-22 09:00:00"),
    ],
)
def test_words_for_a_moment(words: str, meant: str) -> None:
    moment = read_when(words, NOW)
    assert f"{moment:%Y-%m-%d %H:%M:%S}" == meant
    assert moment.tzinfo is PARIS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "can't be read"),
        ("   ", "can't be read"),
        ("soon", "write 2026-12-31T09:00, tomorrow 09:00"),
        ("9", "can't be read"),
        ("2026", "can't be read"),
        ("2026-13-01", "can't be read"),
        ("2026-11-31 10:00", "can't be read"),
        ("31 june", "can't be read"),
        ("25:00", "can't be read"),
        ("tomorrow 25:00", "can't be read"),
        ("tomorrow 9:75", "can't be read"),
        ("13pm", "can't be read"),
        ("in 1.5 days", "can't be read"),
        ("in -5 minutes", "can't be read"),
        ("in an hour and", "can't be read"),
        ("in 5 minutes and 5 minutes", "can't be read"),
        ("11/12/2026", "can't be read"),
        ("0 9 * * *", "can't be read"),
        ("tomorrow\x00", "can't be read"),
        ("every day at 9", "what repeats belongs into `repeat`"),
        ("2026-11-21 14:02", "is in the past: it is 2026-11-21 14:03 now"),
        ("2026-11-21 14:03:26", "is in the past"),
        ("2026-11-20T23:59Z", "is in the past"),
        ("today 09:00", "give a later time"),
        ("1999-01-01", "is in the past"),
        ("in 1000 years", "too far away"),
        ("in 9999999 years", "too far away"),
        ("in 9999999 days", "too far away"),
        ("9999-12-31", "too far away"),
        ("tomorrow " * 50, "longer than 100 characters"),
    ],
)
def test_what_is_no_moment_to_come_is_refused(words: str, said: str) -> None:
    with pytest.raises(ValueError, match="(?s)" + said.replace(".", r"\.")):
        read_when(words, NOW)


@pytest.mark.parametrize(
    ("now", "words", "meant"),
    [
        # The clocks go forward from 02:00 to 03:00 on 2026-03-29, and back from 03:00 to 02:00 on 2026-10-25.
        ("2026-03-28T12:00+01:00", "tomorrow 02:30", "2026-03-29T03:30+02:00"),
        ("2026-03-28T23:30+01:00", "in 4 hours", "2026-03-29T04:30+02:00"),
        ("2026-03-28T12:00+01:00", "in 1 day", "2026-03-29T12:00+02:00"),
        ("2026-03-28T02:30+01:00", "in 1 day", "2026-03-29T03:30+02:00"),
        ("2026-10-24T12:00+02:00", "tomorrow 02:30", "2026-10-25T02:30+02:00"),
        ("2026-10-25T02:30+02:00", "in 1 hour", "2026-10-25T02:30+01:00"),
        ("2026-10-25T02:40+02:00", "in 10 minutes", "2026-10-25T02:50+02:00"),
        ("2026-10-25T02:40+01:00", "in 10 minutes", "2026-10-25T02:50+01:00"),
        ("2026-01-31T12:00+01:00", "in 1 month", "2026-02-28T12:00+01:00"),
    ],
)
def test_when_the_clocks_change(now: str, words: str, meant: str) -> None:
    moment = read_when(words, datetime.fromisoformat(now).astimezone(PARIS))
    assert moment.isoformat(timespec="minutes") == meant


PIECES = (
    "in",
    "at",
    "9",
    ":",
    "30",
    "monday",
    "tomorrow",
    "may",
    "2026-11-22",
    "T",
    "Z",
    "pm",
    "an",
    "hour",
    "P1",
    " ",
)


@given(words=st.text(max_size=120) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_words_are_a_moment_to_come_or_refused(words: str) -> None:
    with contextlib.suppress(ValueError):
        moment = read_when(words, NOW)
        assert moment.timestamp() >= NOW.replace(second=0, microsecond=0).timestamp()
        assert moment.microsecond == 0


@given(moment=st.datetimes(datetime(2027, 1, 1), datetime(2120, 1, 1), timezones=st.just(UTC)))
def test_a_moment_in_iso_is_itself(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    assert read_when(moment.isoformat(), NOW) == moment
    assert read_when(moment.astimezone(PARIS).isoformat(" "), NOW) == moment
