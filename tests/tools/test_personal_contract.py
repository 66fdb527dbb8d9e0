"""The calendar behaves as a dictionary does, in one file or in a folder, and keeps every byte that isn't its own."""

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hilt.tools.builtin.personal.events import fetch, read_event, take_out, write_event
from hilt.tools.builtin.personal.reminders import complete, find_reminders, read_reminder, write_reminder
from tests.tools.personal import NOW, agenda_at

TITLES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=90).filter(
    lambda text: text == " ".join(text.split())
)
DAYS = st.integers(0, 27)
# What another program has written, with what nobody here understands.
FOREIGN = (
    'BEGIN:VEVENT\r\nUID:theirs-{0}\r\nDTSTART:20300101T100000Z\r\nX-ODD;X-P="a:b":\\q\xff\r\n \r\n\tfolded\r\n'
    "BEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\n"
).encode("latin-1")


class Calendar(RuleBasedStateMachine):
    """Against dictionaries from ids to titles and starts."""

    one_file = False

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.path = self.home / ("mine.ics" if self.one_file else "calendar")
        self.agenda = agenda_at(self.path)
        self.events: dict[str, tuple[str, datetime]] = {}
        self.series: dict[str, tuple[str, set[datetime]]] = {}
        self.open: dict[str, str] = {}
        self.done: dict[str, str] = {}
        self.foreign: list[bytes] = []

    def teardown(self) -> None:
        shutil.rmtree(self.home)

    def own_file(self) -> Path:
        return self.path if self.one_file else self.path / "hilt.ics"

    @rule(title=TITLES, day=DAYS, hour=st.integers(0, 23))
    def add_event(self, title: str, day: int, hour: int) -> None:
        start = datetime(2027, 1, 1, hour) + timedelta(days=day)
        event = write_event(self.agenda, read_event(title, start.isoformat(), "", "", "", "", NOW))
        assert event.id not in {*self.events, *self.series}
        self.events[event.id] = (title, start)

    @rule(title=TITLES, day=DAYS, count=st.integers(1, 5))
    def add_series(self, title: str, day: int, count: int) -> None:
        start = datetime(2027, 3, 25, 9) + timedelta(days=day)  # the clock changes on the 28th
        new = read_event(title, start.isoformat(), "", "", "", f"FREQ=DAILY;COUNT={count}", NOW)
        event = write_event(self.agenda, new)
        self.series[event.id] = (title, {start + timedelta(days=number) for number in range(count)})

    @precondition(lambda self: self.events)
    @rule(choice=st.integers(0, 99))
    def delete_event(self, choice: int) -> None:
        event_id = sorted(self.events)[choice % len(self.events)]
        assert take_out(self.agenda, event_id, "").title == self.events.pop(event_id)[0]

    @precondition(lambda self: any(starts for _, starts in self.series.values()))
    @rule(choice=st.integers(0, 99))
    def delete_one_time(self, choice: int) -> None:
        times = sorted((event_id, start) for event_id, (_, starts) in self.series.items() for start in starts)
        event_id, start = times[choice % len(times)]
        take_out(self.agenda, event_id, start.isoformat())
        self.series[event_id][1].remove(start)
        with pytest.raises(ValueError, match="has no time that begin"):
            take_out(self.agenda, event_id, start.isoformat())

    @precondition(lambda self: self.series)
    @rule(choice=st.integers(0, 99))
    def delete_series(self, choice: int) -> None:
        event_id = sorted(self.series)[choice % len(self.series)]
        take_out(self.agenda, event_id, "")
        del self.series[event_id]

    @rule(title=TITLES)
    def add_reminder(self, title: str) -> None:
        reminder = write_reminder(self.agenda, read_reminder(title, "", "", NOW))
        self.open[reminder.id] = title

    @precondition(lambda self: self.open)
    @rule(choice=st.integers(0, 99))
    def complete_reminder(self, choice: int) -> None:
        reminder_id = sorted(self.open)[choice % len(self.open)]
        complete(self.agenda, reminder_id)
        self.done[reminder_id] = self.open.pop(reminder_id)
        with pytest.raises(ValueError, match="is done already"):
            complete(self.agenda, reminder_id)

    @rule()
    def what_is_not_there(self) -> None:
        with pytest.raises(ValueError, match="there is no event 'nothing'"):
            take_out(self.agenda, "nothing", "")
        for reminder_id in [*self.events, *self.series][:1]:
            with pytest.raises(ValueError, match="there is no reminder"):
                complete(self.agenda, reminder_id)

    @precondition(lambda self: self.own_file().exists())
    @rule()
    def another_program_adds(self) -> None:
        block = FOREIGN.replace(b"{0}", str(len(self.foreign)).encode())
        content = self.own_file().read_bytes()
        self.own_file().write_bytes(content.replace(b"END:VCALENDAR", block + b"END:VCALENDAR"))
        self.foreign.append(block)

    @precondition(lambda self: self.own_file().exists())
    @rule()
    def another_program_writes_all_lines_anew(self) -> None:
        content = self.own_file().read_bytes()
        self.own_file().unlink()
        self.own_file().write_bytes(content)

    @invariant()
    def all_are_there(self) -> None:
        found = fetch(self.agenda, datetime(2027, 1, 1), datetime(2027, 6, 1), "")
        assert found.problems == ()
        wanted = {(each, title, start) for each, (title, start) in self.events.items()}
        wanted |= {(each, title, start) for each, (title, starts) in self.series.items() for start in starts}
        listed = [(each.id, each.title, datetime.fromisoformat(each.start.partition(" ")[2])) for each in found.events]
        assert len(listed) == len(set(listed)) == min(len(wanted), 50)
        assert set(listed) <= wanted
        assert [start for _, _, start in listed] == sorted(start for _, _, start in wanted)[:50]
        reminders = find_reminders(self.agenda, "", include_done=True).reminders
        assert {each.id: each.title for each in reminders if not each.done} == self.open
        assert {each.id: each.title for each in reminders if each.done} == self.done

    @invariant()
    def what_is_not_ours_is_untouched(self) -> None:
        content = self.own_file().read_bytes() if self.own_file().exists() else b""
        assert all(block in content for block in self.foreign)
        assert [each.name for each in self.home.rglob(".hilt*")] == []


class InOneFile(Calendar):
    one_file = True


Calendar.TestCase.settings = settings(max_examples=10, stateful_step_count=14, deadline=None)
InOneFile.TestCase.settings = settings(max_examples=8, stateful_step_count=14, deadline=None)
TestInAFolder = Calendar.TestCase
TestInOneFile = InOneFile.TestCase
