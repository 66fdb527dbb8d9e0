"""The tools for calendar, reminders and contacts: what they say, change and refuse, and what strangers' files can't."""

import os
import threading
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.tools import Capability
from hilt.tools.builtin.personal import agenda as agenda_module
from hilt.tools.builtin.personal import files
from hilt.tools.builtin.personal.contacts import Contacts, find_contacts
from hilt.tools.builtin.personal.events import fetch, read_event, write_event
from hilt.tools.builtin.personal.lines import blocks, folded, lines, parts, readable, text_line, unescaped
from hilt.tools.builtin.personal.moments import read_window
from hilt.tools.cards import as_html
from hilt.tools.tool import unavailable
from tests.tools.personal import NOW, Ask, agenda_at, asking, calendar_of, made_tools

CARDS = tomllib.loads((Path(__file__).parent / "cases" / "personal_cards.toml").read_text(encoding="utf-8"))["case"]
TEAM = """
BEGIN:VEVENT
UID:team
SUMMARY:Team
DTSTART;TZID=Europe/Paris:20261123T090000
DTEND;TZID=Europe/Paris:20261123T100000
RRULE:FREQ=DAILY;COUNT=3
END:VEVENT
BEGIN:VEVENT
UID:team
SUMMARY:Team later
RECURRENCE-ID;TZID=Europe/Paris:20261124T090000
DTSTART;TZID=Europe/Paris:20261124T150000
END:VEVENT"""


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    return asking(made_tools(tmp_path))


def test_what_the_tools_say_of_themselves(tmp_path: Path) -> None:
    tools = made_tools(tmp_path)
    told = {name: (each.effect, each.permission, each.plan is not None, each.untrusted) for name, each in tools.items()}
    assert told == {
        "fetch_events": ("read", "calendar:read", False, True),
        "add_event": ("write", "calendar:write", True, False),
        "delete_event": ("destructive", "calendar:write", True, True),
        "list_reminders": ("read", "reminders:read", False, True),
        "add_reminder": ("write", "reminders:write", True, False),
        "complete_reminder": ("write", "reminders:write", True, True),
        "contacts": ("read", "contacts:read", False, True),
    }
    assert "petalCalendarFetchEventsTool" in tools["fetch_events"].aliases
    assert "petalContactsTool" in tools["contacts"].aliases
    assert all(each.keywords and each.spec.examples for each in tools.values())
    names = [name for each in tools.values() for name in (each.name, *each.aliases)]
    assert len(names) == len(set(names))


def test_reading_is_offered_only_where_there_is_a_file(tmp_path: Path) -> None:
    tools = made_tools(tmp_path)
    here = Capability("linux")

    def offered() -> set[str]:
        return {name for name, each in tools.items() if unavailable(each, here) is None}

    assert offered() == {"add_event", "add_reminder"}
    (tmp_path / "contacts").mkdir()
    (tmp_path / "contacts" / "a.VCF").touch()
    asking(tools)("add_reminder", title="Milk")
    assert offered() == set(tools)


def test_an_event_is_added_listed_and_deleted(ask: Ask, tmp_path: Path) -> None:
    event = {
        "title": "Lunch; with, Ana\\",
        "start": "Sunday 2026-11-22 12:30",
        "end": "Sunday 2026-11-22 14:00",
        "location": "Café",
    }
    added = ask("add_event", title=event["title"], start="tomorrow 12:30", end="14:00", location="Café")
    assert added == {"id": added["id"], **event}
    found = ask("petalCalendarFetchEventsTool", startDate="tomorrow", query="cafe ANA")
    assert found == {
        "start": "2026-11-22 00:00",
        "end": "2026-11-23 00:00",
        "timezone": "Europe/Paris",
        "events": [added],
    }
    assert ask("fetch_events", query="dinner")["events"] == []
    assert ask("delete_event", id=added["id"]) == {"id": added["id"], "title": event["title"]}
    assert ask("fetch_events")["events"] == []
    assert "fetch_events tells the ids" in ask("delete_event", id=added["id"])["error"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"title": " ", "start": "tomorrow"}, "the title is empty"),
        ({"title": "x" * 501, "start": "tomorrow"}, "longer than 500"),
        ({"title": "x", "start": "some day"}, "can't be read as a day or a time"),
        ({"title": "x", "start": "tomorrow 9:00", "end": "tomorrow 8:00"}, "is not after the start"),
        ({"title": "x", "start": "tomorrow 9:00", "end": "tomorrow"}, "both be days"),
        ({"title": "x", "start": "9999-12-31T23:59"}, "too far away"),
        ({"title": "x", "start": "tomorrow", "repeat": "every blue moon"}, "every blue moon"),
    ],
)
def test_what_is_no_event_is_refused_and_leaves_nothing(
    arguments: dict[str, str], said: str, ask: Ask, tmp_path: Path
) -> None:
    assert said in ask("add_event", **arguments)["error"]
    assert not (tmp_path / "calendar").exists()


def test_one_time_of_an_event_is_deleted(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "calendar").mkdir()
    (tmp_path / "calendar" / "work.ics").write_bytes(calendar_of(TEAM, end="\n"))
    listed = ask("fetch_events", start="2026-11-23", end="2026-11-30")["events"]
    assert [(each["start"], each["title"]) for each in listed] == [
        ("Monday 2026-11-23 09:00", "Team"),
        ("Tuesday 2026-11-24 15:00", "Team later"),
        ("Wednesday 2026-11-25 09:00", "Team"),
    ]
    team = listed[0]["id"]
    assert {each["id"] for each in listed} == {team}
    assert "has no time" in ask("delete_event", id=team, only="2026-11-26")["error"]
    assert ask("delete_event", id=team, only="2026-11-24 15:00")["only"] == "Tuesday 2026-11-24 15:00"
    assert ask("delete_event", id=team, only="2026-11-25")["only"] == "Wednesday 2026-11-25 09:00"
    left = ask("fetch_events", start="2026-11-23", end="2026-11-30")["events"]
    assert [each["start"] for each in left] == ["Monday 2026-11-23 09:00"]
    assert b"\r" not in (tmp_path / "calendar" / "work.ics").read_bytes()
    ask("delete_event", id=team)
    assert not (tmp_path / "calendar" / "work.ics").exists()  # a file of one entry goes with it


def test_plans_tell_what_would_change_and_change_nothing(tmp_path: Path) -> None:
    tools = made_tools(tmp_path)

    def plan(name: str, **arguments: Any) -> tuple[str, str, str]:
        planned = tools[name].plan
        assert planned is not None
        (change,) = planned(**arguments)
        return (change.kind, change.target, change.detail)

    assert plan("add_event", title="Course", start="monday 18:00", repeat="weekly") == (
        "create",
        "calendar event",
        "Monday 2026-11-23 18:00 to Monday 2026-11-23 19:00: Course; FREQ=WEEKLY",
    )
    assert plan("add_reminder", title="Milk", due="tomorrow") == ("create", "reminder", "Milk; due Sunday 2026-11-22")
    assert list(tmp_path.iterdir()) == []
    ask = asking(tools)
    event = ask("add_event", title="Course", start="monday 18:00", repeat="weekly")["id"]
    reminder = ask("add_reminder", title="Milk")["id"]
    before = (tmp_path / "calendar" / "hilt.ics").read_bytes()
    assert plan("delete_event", id=event, only="2026-11-30")[2] == "Course, only Monday 2026-11-30 18:00"
    assert plan("complete_reminder", id=reminder) == ("edit", f"reminder {reminder}", "Milk: done")
    with pytest.raises(ValueError, match="there is no event"):
        plan("delete_event", id="x")
    assert (tmp_path / "calendar" / "hilt.ics").read_bytes() == before


def test_reminders_are_listed_by_their_time_and_done(ask: Ask, tmp_path: Path) -> None:
    ask("add_reminder", title="Some day")
    ask("add_reminder", title="Call", when="in 2 hours")
    ask("add_reminder", title="Tax", due="tomorrow", notes="form 3")
    path = tmp_path / "calendar" / "old.ics"
    path.write_bytes(calendar_of("BEGIN:VTODO\nUID:o\nSUMMARY:Old\nDUE:20261101T100000Z\nPRIORITY:1\nEND:VTODO"))
    listed = ask("list_reminders")["reminders"]
    assert [(each["title"], each.get("due"), each.get("overdue")) for each in listed] == [
        ("Old", "Sunday 2026-11-01 11:00", True),
        ("Call", "Saturday 2026-11-21 16:03", None),
        ("Tax", "Sunday 2026-11-22", None),
        ("Some day", None, None),
    ]
    assert ask("complete_reminder", id=listed[0]["id"]) == {"id": listed[0]["id"], "title": "Old"}
    assert b"STATUS:COMPLETED\r\nCOMPLETED:20261121T130327Z\r\n" in path.read_bytes()
    assert [each["title"] for each in ask("list_reminders", query="form")["reminders"]] == ["Tax"]
    assert len(ask("list_reminders", include_completed=True)["reminders"]) == 4
    assert "is in the past" in ask("add_reminder", title="x", due="2026-11-20")["error"]
    assert "list_reminders tells the ids" in ask("complete_reminder", id="nothing")["error"]


def test_a_reminder_that_repeats_moves_on_until_its_last_time(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "calendar").mkdir()
    todo = """BEGIN:VTODO
    UID:w
    SUMMARY:Water
    DTSTART;TZID=Europe/Paris:20261024T080000
    DUE;TZID=Europe/Paris:20261024T090000
    RRULE:FREQ=DAILY;COUNT=3
    EXDATE;TZID=Europe/Paris:20261025T080000
    END:VTODO"""
    path = tmp_path / "calendar" / "w.ics"
    path.write_bytes(calendar_of(todo))
    water = ask("list_reminders")["reminders"][0]["id"]
    assert ask("complete_reminder", id=water) == {"id": water, "title": "Water", "next": "Monday 2026-10-26 09:00"}
    (left,) = ask("list_reminders")["reminders"]
    assert (left["due"], left["repeats"]) == ("Monday 2026-10-26 09:00", True)
    assert b"COUNT=1" in path.read_bytes()
    assert "next" not in ask("complete_reminder", id=water)
    assert ask("list_reminders")["reminders"] == []


@pytest.mark.parametrize("row", CARDS, ids=lambda row: row["name"])
def test_a_card_is_read(row: dict[str, Any], tmp_path: Path) -> None:
    text = row["card"].replace("\n", "\r\n")
    (tmp_path / "a.vcf").write_bytes(text.encode(row.get("encoding", "utf-8")))
    found = find_contacts(Contacts(tmp_path, lambda: 0.0), "", 10)
    seen = [
        {
            "name": each.name,
            "phones": [f"{one.value} ({one.label})" if one.label else one.value for one in each.phones],
            "emails": [f"{one.value} ({one.label})" if one.label else one.value for one in each.emails],
            "more": [part for part in (each.organization, each.title, each.nickname, each.birthday) if part],
        }
        for each in found.contacts
    ]
    assert seen == [{"phones": [], "emails": [], "more": []} | wanted for wanted in row["contacts"]]


def test_contacts_are_searched_and_listed(ask: Ask, tmp_path: Path) -> None:
    cards = "".join(
        f"BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nTEL:{number}\nEMAIL:{name[0]}@x.org\nEND:VCARD\n"
        for name, number in (("Jörg Müller", "+33 6 12 34 56 78"), ("Ana Ruiz", "555"), ("Ruiz Ana", "556"))
    )
    (tmp_path / "contacts").mkdir()
    (tmp_path / "contacts" / "a.vcf").write_text(cards)

    def names(**arguments: Any) -> list[str]:
        return [each["name"] for each in ask("petalContactsTool", **arguments)["contacts"]]

    assert names(action="listContacts") == ["Ana Ruiz", "Jörg Müller", "Ruiz Ana"]
    assert names(action="listContacts", query="jorg") == ["Jörg Müller"]  # which can only mean a search
    assert names(action="searchContacts") == ["Ana Ruiz", "Jörg Müller", "Ruiz Ana"]
    assert names(action="searchContacts", query="06 12 34") == ["Jörg Müller"]
    assert names(action="searchContacts", query="nobody") == []
    only = ask("contacts", action="listContacts", limit=1, includePhones=False)
    assert only == {"contacts": [{"name": "Ana Ruiz", "emails": [{"value": "A@x.org"}]}], "omitted": 2}
    assert "limit must be at least 1" in ask("contacts", action="listContacts", limit=0)["error"]
    assert "action" in ask("contacts", action="deleteContacts")["error"]


def test_links_hidden_and_other_files_are_left_alone(ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "calendar"
    (folder / "inner").mkdir(parents=True)
    secret = calendar_of("BEGIN:VEVENT\nUID:s\nSUMMARY:secret\nDTSTART:20261122T100000Z\nEND:VEVENT")
    (tmp_path / "secret.ics").write_bytes(secret)
    (folder / "link.ics").symlink_to(tmp_path / "secret.ics")
    (folder / ".hidden.ics").write_bytes(secret)
    (folder / "other.txt").write_bytes(secret)
    (folder / "linked").symlink_to(tmp_path)
    (folder / "inner" / "one.ics").write_bytes(secret.replace(b"secret", b"found"))
    assert [each["title"] for each in ask("fetch_events")["events"]] == ["found"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff" * 500,
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n",
        b"BEGIN:VEVENT\r\n" * 3000,
        b"END:VEVENT\r\n" * 3000,
        b'BEGIN:VEVENT\r\nDTSTART;X="a;b:20261122T100000Z\r\nSUMMARY;' + b"a;" * 50_000 + b":x\r\nEND:VEVENT\r\n",
        b"BEGIN:VEVENT\r\nDTSTART" + b";a" * 100_000 + b":x\r\nEND:VEVENT\r\n",
        b"BEGIN:VCARD\r\nFN:\r\nTEL:\r\nN:;;;;\r\nEND:VCARD\r\nBEGIN:VCARD\r\nFN;ENCODING=QUOTED-PRINTABLE:a=\r\n",
        b"BEGIN:VCARD\r\nFN;CHARSET=nonsense:\xff\r\nEND:VCARD\r\n",
        "BEGIN:VCALENDAR\r\nEND:VCALENDAR".encode("utf-16"),
    ],
    ids=["empty", "binary", "cut", "begins", "ends", "quote", "parameters", "empty card", "charset", "utf-16"],
)
def test_a_broken_file_breaks_nothing(content: bytes, tmp_path: Path) -> None:
    for kind in ("calendar", "contacts"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / f"broken.{'ics' if kind == 'calendar' else 'vcf'}").write_bytes(content)
    good = calendar_of("BEGIN:VEVENT\nUID:s\nSUMMARY:good\nDTSTART:20261122T100000Z\nEND:VEVENT")
    (tmp_path / "calendar" / "good.ics").write_bytes(good)
    ask = asking(made_tools(tmp_path))
    assert "good" in {each["title"] for each in ask("fetch_events")["events"]}
    ask("list_reminders")
    ask("contacts", action="listContacts")
    ask("add_event", title="New", start="tomorrow")
    assert (tmp_path / "calendar" / "broken.ics").read_bytes() == content


@settings(deadline=None, max_examples=60)
@given(
    content=st.binary(max_size=200)
    | st.text(st.sampled_from('BEGIN:VEVENT\r\n D;="\\,=x'), max_size=200).map(str.encode)
)
def test_any_bytes_can_be_read(content: bytes) -> None:
    text = readable(b"BEGIN:VEVENT\r\nDTSTART:20261122T100000Z\r\n" + content + b"\r\nEND:VEVENT\r\n")
    spans = [(block.start, block.end) for block in blocks(text)]
    assert spans == sorted(spans)
    for start, end in spans:
        lines(text[start:end], {"DTSTART", "D", "X"})


@settings(deadline=None)
@given(text=st.text(max_size=200))
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    written = text_line("SUMMARY", text)
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    (line,) = lines(b"BEGIN:VEVENT\r\n" + written + b"END:VEVENT\r\n", {"SUMMARY"})
    kept = "".join(each for each in text.replace("\r\n", "\n").replace("\r", "\n") if each in "\n\t" or each >= " ")
    assert unescaped(line.value) == kept.encode("utf-8", "replace").decode()


@given(values=st.lists(st.text(st.sampled_from("a;,\\")), min_size=1, max_size=4))
def test_parts_are_cut_where_they_were_joined(values: list[str]) -> None:
    joined = ";".join(each.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,") for each in values)
    assert parts(joined, ";") == values
    assert folded(joined).replace(b"\r\n ", b"").decode() == joined + "\r\n"


@pytest.mark.parametrize("encoding", ["utf-16", "cr"])
def test_a_file_that_can_only_be_read_is_not_written(encoding: str, tmp_path: Path) -> None:
    text = calendar_of("BEGIN:VEVENT\nUID:s\nSUMMARY:Grüße\nDTSTART:20261122T100000Z\nEND:VEVENT").decode()
    content = text.replace("\r\n", "\r").encode() if encoding == "cr" else text.encode("utf-16")
    (tmp_path / "mine.ics").write_bytes(content)
    ask = asking(made_tools(tmp_path, calendar="mine.ics"))
    (event,) = ask("fetch_events")["events"]
    assert event["title"] == "Grüße"
    for refused in (ask("delete_event", id=event["id"]), ask("add_event", title="x", start="tomorrow")):
        assert "can only be read" in refused["error"]
    assert (tmp_path / "mine.ics").read_bytes() == content


def test_a_name_that_is_no_text_is_told_without_it(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "calendar").mkdir()
    (tmp_path / "calendar" / os.fsdecode(b"\xff.ics")).write_bytes(b"no calendar")
    (tmp_path / "contacts").mkdir()
    (tmp_path / "contacts" / os.fsdecode(b"\xff.vcf")).write_bytes(b"no card")
    assert ask("fetch_events")["problems"] == ["?.ics is no calendar"]
    assert ask("contacts", action="listContacts")["problems"] == ["?.vcf has no contact that can be read"]


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "punycode", "zlib", "idna", "nonsense", ""])
def test_a_character_set_is_nothing_else(charset: str, tmp_path: Path) -> None:
    (tmp_path / "a.vcf").write_bytes(f"BEGIN:VCARD\nFN;CHARSET={charset}:\\\\ud800 +AGE-\nEND:VCARD\n".encode())
    assert [each.name for each in find_contacts(Contacts(tmp_path, lambda: 0.0), "", 9).contacts] == ["\\ud800 +AGE-"]


def test_what_may_not_be_looked_at_is_not_offered(tmp_path: Path) -> None:
    tools = made_tools(tmp_path, calendar="x\0y", contacts="a" * 5000)
    for name in ("fetch_events", "contacts"):
        assert "yet" in str(unavailable(tools[name], Capability("linux")))


def test_a_byte_order_mark_and_a_damaged_entry_stay(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + calendar_of(
        "BEGIN:VEVENT\nUID:a\nSUMMARY:A\nDTSTART:20261122T100000Z\nBEGIN:VEVENT\nUID:b\nSUMMARY:B\n"
        "DTSTART:20261122T110000Z\nEND:VEVENT"
    )
    (tmp_path / "mine.ics").write_bytes(content)
    ask = asking(made_tools(tmp_path, calendar="mine.ics"))
    damaged, whole = ask("fetch_events")["events"]
    assert "damaged" in ask("delete_event", id=damaged["id"])["error"]
    ask("delete_event", id=whole["id"])
    assert (tmp_path / "mine.ics").read_bytes() == content.replace(
        b"BEGIN:VEVENT\r\nUID:b\r\nSUMMARY:B\r\nDTSTART:20261122T110000Z\r\nEND:VEVENT\r\n", b""
    )


def test_what_somebody_else_wrote_meanwhile_is_not_lost(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask("add_event", title="Mine", start="tomorrow")
    path = tmp_path / "calendar" / "hilt.ics"
    theirs = path.read_bytes().replace(b"Mine", b"Theirs, longer")

    def interrupted(*arguments: Any) -> None:
        path.write_bytes(theirs)
        files.put(*arguments)

    monkeypatch.setattr(agenda_module, "put", interrupted)
    assert "changed by somebody else" in ask("add_event", title="Another", start="tomorrow")["error"]
    assert path.read_bytes() == theirs
    assert [each.name for each in path.parent.iterdir()] == ["hilt.ics"]


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    def write(name: str) -> None:
        agenda = agenda_at(tmp_path)
        for number in range(8):
            write_event(agenda, read_event(f"{name}{number}", "tomorrow", "", "", "", "", NOW))

    writers = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    low, high = read_window("tomorrow", None, NOW, 7)
    titles = {event.title for event in fetch(agenda_at(tmp_path), low, high, "").events}
    assert titles == {f"{name}{number}" for name in "abc" for number in range(8)}


def test_an_endless_search_ends_and_says_so(tmp_path: Path) -> None:
    event = "BEGIN:VEVENT\nUID:{0}\nDTSTART:20200101T000000Z\nRRULE:FREQ=SECONDLY\nEND:VEVENT"
    (tmp_path / "a.ics").write_bytes(calendar_of(*(event.replace("{0}", str(number)) for number in range(40))))
    passed = iter(range(0, 1_000_000, 5))
    agenda = agenda_at(tmp_path)
    late = agenda_module.Agenda(agenda.path, agenda.now, agenda.new_uid, lambda: float(next(passed)))
    low, high = read_window("today", None, NOW, 7)
    (problem,) = fetch(late, low, high, "").problems
    assert "too large to be searched whole" in problem


def test_cards_show_what_was_found_and_no_markup(tmp_path: Path) -> None:
    tools = made_tools(tmp_path)
    ask = asking(tools)
    ask("add_event", title="<img src=x>", start="tomorrow 9:00", location="<b>")
    tool = tools["fetch_events"]
    assert tool.card is not None
    card = tool.card(tool.function())
    assert card.rows == (("Sunday 2026-11-22 09:00 to Sunday 2026-11-22 10:00", "<img src=x>, at <b>"),)
    assert "<img" not in as_html(card)


def test_text_of_a_model_can_not_add_lines(ask: Ask, tmp_path: Path) -> None:
    ask("add_event", title="x\r\nATTACH:file:///etc/passwd\nEND:VEVENT", start="tomorrow", location="\u2028\x0b\x00y")
    content = (tmp_path / "calendar" / "hilt.ics").read_bytes()
    assert content.count(b"\nEND:VEVENT") == 1
    assert b"\nATTACH" not in content
    assert ask("fetch_events")["events"][0]["title"] == "x ATTACH:file:///etc/passwd END:VEVENT"
