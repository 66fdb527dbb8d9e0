"""The tools for the user's calendar, reminders and contacts."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from hilt.conversation import Card
from hilt.settings import PersonalOptions
from hilt.tools.builtin.personal.agenda import Agenda
from hilt.tools.builtin.personal.contacts import ContactList, Contacts, find_contacts
from hilt.tools.builtin.personal.events import (
    Event,
    EventDeleted,
    EventList,
    fetch,
    planned_deletion,
    read_event,
    take_out,
    write_event,
)
from hilt.tools.builtin.personal.files import Shelf, is_empty
from hilt.tools.builtin.personal.matching import shortened
from hilt.tools.builtin.personal.moments import read_window, shown
from hilt.tools.builtin.personal.reminders import (
    Reminder,
    ReminderCompleted,
    ReminderList,
    complete,
    find_reminders,
    planned_completion,
    read_reminder,
    write_reminder,
)
from hilt.tools.normalising import renamed, replaced
from hilt.tools.tool import Change, Tool, tool

_DAYS = 7
_MAX_SHOWN_CHARS = 200
_MAX_ROWS = 40


def personal_tools(
    options: PersonalOptions, now: Callable[[], datetime], new_uid: Callable[[], str], passed_s: Callable[[], float]
) -> tuple[Tool, ...]:
    """All of them. `now` gives an aware datetime in the user's zone, `new_uid` a name that nothing else has, `passed_s`
    the seconds of a clock that never goes back."""
    agenda = Agenda(options.calendar, now, new_uid, passed_s)
    return (
        *_event_tools(agenda),
        *_reminder_tools(agenda),
        *_contact_tools(Contacts(options.contacts, passed_s)),
    )


def _event_tools(agenda: Agenda) -> tuple[Tool, ...]:
    @tool(
        effect="read",
        aliases=("petalCalendarFetchEventsTool", "calendar_fetch_events", "list_events", "get_events", "search_events"),
        permission="calendar:read",
        domain="calendar",
        keywords=("calendar", "events", "meetings", "appointments", "agenda", "free", "busy", "schedule"),
        examples=(
            ("What is in my calendar tomorrow?", {"start": "tomorrow"}),
            (
                "When do I see the dentist in December 2026?",
                {"start": "2026-12-01", "end": "2026-12-31", "query": "dentist"},
            ),
        ),
        normalisers=(
            renamed(
                start=("startDate", "start_date", "from", "date", "day"),
                end=("endDate", "end_date", "to", "until"),
                query=("searchQuery", "search_query", "search", "text", "keywords", "title"),
            ),
        ),
        missing=lambda: _missing(agenda.shelf, "calendar"),
        card=_events_card,
        untrusted=True,
    )
    def fetch_events(
        start: Annotated[
            str | None,
            Field(description="From when: 2026-12-31, today, tomorrow, monday, this week; today if left out."),
        ] = None,
        end: Annotated[
            str | None, Field(description="The last day or time; if left out, the day of start, or a week if both are.")
        ] = None,
        query: Annotated[str | None, Field(description="Words that the events must hold.")] = None,
    ) -> EventList:
        """List the events of the calendar in a span of time."""
        low, high = read_window(start, end, agenda.now(), _DAYS)
        return fetch(agenda, low, high, query or "")

    return (fetch_events, _adding_event(agenda), _deleting_event(agenda))


def _adding_event(agenda: Agenda) -> Tool:
    def plan(
        title: str, start: str, end: str = "", location: str = "", description: str = "", repeat: str = ""
    ) -> Sequence[Change]:
        new = read_event(title, start, end, location, description, repeat, agenda.now())
        said = f"{shown(new.start, agenda.home)} to {shown(new.end, agenda.home)}"
        more = [part for part in (new.rule, new.location, new.description) if part]
        return (Change("create", "calendar event", _short("; ".join([f"{said}: {new.title}", *more]))),)

    @tool(
        effect="write",
        aliases=("create_event", "calendar_create_event", "petalCalendarCreateEventTool"),
        permission="calendar:write",
        domain="calendar",
        keywords=("calendar", "appointment", "meeting", "new", "add", "plan"),
        examples=(
            (
                "Put lunch with Ana into my calendar, tomorrow from 12:30 to 14:00.",
                {"title": "Lunch with Ana", "start": "tomorrow 12:30", "end": "tomorrow 14:00"},
            ),
            ("I am on holiday on 24 December 2026.", {"title": "Holiday", "start": "2026-12-24"}),
        ),
        normalisers=(
            renamed(
                title=("summary", "name", "subject"),
                start=("startDate", "start_date", "when", "date"),
                end=("endDate", "end_date", "until"),
                description=("notes", "details", "body"),
                location=("place", "where"),
                repeat=("recurrence", "rrule", "repeats"),
            ),
        ),
        plan=plan,
        card=_event_card,
    )
    def add_event(
        title: Annotated[str, Field(description="What it is.")],
        start: Annotated[
            str, Field(description="When it begins: 2026-12-31T09:00, tomorrow 15:00; a day alone is the whole day.")
        ],
        end: Annotated[str, Field(description="When it ends; an hour later, or the same day, if left out.")] = "",
        location: Annotated[str, Field(description="Where it is.")] = "",
        description: Annotated[str, Field(description="More about it.")] = "",
        repeat: Annotated[
            str, Field(description="weekly, every 2 weeks, weekdays or an RRULE; once if left out.")
        ] = "",
    ) -> Event:
        """Add an event to the calendar."""
        return write_event(agenda, read_event(title, start, end, location, description, repeat, agenda.now()))

    return add_event


def _deleting_event(agenda: Agenda) -> Tool:
    def plan(id: str, only: str = "") -> Sequence[Change]:
        deleted = planned_deletion(agenda, id, only)
        which = f", only {deleted.only}" if deleted.only else ""
        return (Change("delete", f"calendar event {id}", f"{deleted.title}{which}"),)

    @tool(
        effect="destructive",
        aliases=("remove_event", "cancel_event", "calendar_delete_event"),
        permission="calendar:write",
        domain="calendar",
        keywords=("calendar", "cancel", "remove", "appointment", "meeting"),
        examples=(
            ("Delete event ab2cd3ef4g.", {"id": "ab2cd3ef4g"}),
            (
                "The course ab2cd3ef4g does not take place on 31 December 2026.",
                {"id": "ab2cd3ef4g", "only": "2026-12-31"},
            ),
        ),
        normalisers=(renamed(id=("event_id", "eventId", "uid"), only=("date", "occurrence", "start")),),
        missing=lambda: _missing(agenda.shelf, "calendar"),
        plan=plan,
        untrusted=True,
    )
    def delete_event(
        id: Annotated[str, Field(description="The event's id, as fetch_events tells it.")],
        only: Annotated[
            str, Field(description="The start of the one time to delete, if the event repeats; all if left out.")
        ] = "",
    ) -> EventDeleted:
        """Delete an event from the calendar, or one time of an event that repeats."""
        return take_out(agenda, id, only)

    return delete_event


def _reminder_tools(agenda: Agenda) -> tuple[Tool, ...]:
    def plan_new(title: str, due: str = "", notes: str = "") -> Sequence[Change]:
        new = read_reminder(title, due, notes, agenda.now())
        said = [
            new.title,
            *([f"due {shown(new.due, agenda.home)}"] if new.due else []),
            *([new.notes] * bool(new.notes)),
        ]
        return (Change("create", "reminder", _short("; ".join(said))),)

    def plan_done(id: str) -> Sequence[Change]:
        done = planned_completion(agenda, id)
        return (Change("edit", f"reminder {id}", f"{done.title}: " + (f"next {done.next}" if done.next else "done")),)

    @tool(
        effect="read",
        aliases=("petalRemindersTool", "petalFetchRemindersTool", "get_reminders", "list_todos", "search_reminders"),
        permission="reminders:read",
        domain="reminders",
        keywords=("reminders", "to-do", "todo", "tasks", "due", "open"),
        examples=(("What do I still have to do?", {}), ("Which reminders are about the tax?", {"query": "tax"})),
        normalisers=(
            renamed(
                query=("search", "text", "keywords", "searchQuery"),
                include_completed=("completed", "include_done", "show_completed"),
            ),
        ),
        missing=lambda: _missing(agenda.shelf, "calendar"),
        card=_reminders_card,
        untrusted=True,
    )
    def list_reminders(
        query: Annotated[str | None, Field(description="Words that the reminders must hold.")] = None,
        include_completed: Annotated[bool, Field(description="Whether to list those that are done as well.")] = False,
    ) -> ReminderList:
        """List the user's reminders, the first due first."""
        return find_reminders(agenda, query or "", include_done=include_completed)

    @tool(
        effect="write",
        aliases=("create_reminder", "set_reminder", "petalCreateReminderTool", "add_todo"),
        permission="reminders:write",
        domain="reminders",
        keywords=("remind me", "reminder", "to-do", "todo", "remember to"),
        examples=(
            ("Remind me to call Ana tomorrow at ten.", {"title": "Call Ana", "due": "tomorrow 10:00"}),
            ("Put milk on my to-do list.", {"title": "Buy milk"}),
        ),
        normalisers=(
            renamed(
                title=("text", "name", "summary", "task", "reminder"),
                due=("when", "due_date", "dueDate", "date", "time"),
                notes=("description", "note", "details"),
            ),
        ),
        plan=plan_new,
        card=_reminder_card,
    )
    def add_reminder(
        title: Annotated[str, Field(description="What to do.")],
        due: Annotated[
            str, Field(description="When: 2026-12-31T09:00, tomorrow 10:00, friday, in 2 hours; no date if left out.")
        ] = "",
        notes: Annotated[str, Field(description="More about it.")] = "",
    ) -> Reminder:
        """Add a reminder for the user."""
        return write_reminder(agenda, read_reminder(title, due, notes, agenda.now()))

    @tool(
        effect="write",
        aliases=("finish_reminder", "mark_reminder_done", "complete_todo"),
        permission="reminders:write",
        domain="reminders",
        keywords=("done", "finished", "tick off", "complete", "to-do"),
        examples=(("I have done ab2cd3ef4g.", {"id": "ab2cd3ef4g"}),),
        normalisers=(renamed(id=("reminder_id", "reminderId", "uid")),),
        missing=lambda: _missing(agenda.shelf, "calendar"),
        plan=plan_done,
        untrusted=True,
    )
    def complete_reminder(
        id: Annotated[str, Field(description="The reminder's id, as list_reminders tells it.")],
    ) -> ReminderCompleted:
        """Mark a reminder as done; one that repeats moves to its next time."""
        return complete(agenda, id)

    return list_reminders, add_reminder, complete_reminder


def _contact_tools(kept: Contacts) -> tuple[Tool, ...]:
    @tool(
        effect="read",
        aliases=("petalContactsTool", "search_contacts", "find_contact", "address_book"),
        permission="contacts:read",
        domain="contacts",
        keywords=("contacts", "phone number", "email address", "address book", "call", "birthday", "who is"),
        examples=(
            ("What is Ana's phone number?", {"action": "searchContacts", "query": "Ana", "include_emails": False}),
            ("List my contacts.", {"action": "listContacts"}),
        ),
        normalisers=(
            renamed(query=("name", "search", "text", "contact")),
            replaced("action", "listContacts", "searchContacts", when=_has_query),
            replaced("action", "searchContacts", "listContacts", when=lambda arguments: not _has_query(arguments)),
        ),
        missing=lambda: _missing(kept.shelf, "file of contacts"),
        card=_contacts_card,
        untrusted=True,
    )
    def contacts(
        action: Annotated[
            Literal["searchContacts", "listContacts"],
            Field(description="searchContacts with a query, or listContacts."),
        ],
        query: Annotated[
            str | None, Field(description="A name, an organization, an address or a number to look for.")
        ] = None,
        limit: Annotated[int, Field(description="The most contacts to return.")] = 10,
        include_phones: Annotated[bool, Field(description="Whether to tell phone numbers.")] = True,
        include_emails: Annotated[bool, Field(description="Whether to tell email addresses.")] = True,
    ) -> ContactList:
        """Search or list the user's contacts."""
        wanted = query or "" if action == "searchContacts" else ""
        return find_contacts(kept, wanted, limit, include_phones=include_phones, include_emails=include_emails)

    return (contacts,)


def _has_query(arguments: Mapping[str, Any]) -> bool:
    query = arguments.get("query")
    return query is not None and query != "" and not (isinstance(query, str) and query.strip() in ("", "*"))


def _missing(shelf: Shelf, what: str) -> str | None:
    if is_empty(shelf):
        return f"there is no {what} yet: nothing that ends with {shelf.ending} lies at {shelf.path}"
    return None


def _events_card(found: EventList) -> Card:
    rows = tuple((_when(event), _place(event)) for event in found.events[:_MAX_ROWS])
    more = len(found.events) - len(rows) + found.omitted
    text = "\n".join([*([f"and {more} more"] * bool(more)), *found.problems])
    return Card(f"Events from {found.start} to {found.end}", rows or (("", "none"),), text)


def _event_card(event: Event) -> Card:
    rows = [("when", _when(event)), ("where", event.location), ("about", event.description)]
    return Card(event.title, tuple(row for row in rows if row[1]))


def _reminders_card(found: ReminderList) -> Card:
    rows = tuple((_state(reminder), reminder.title) for reminder in found.reminders[:_MAX_ROWS])
    more = len(found.reminders) - len(rows) + found.omitted
    text = "\n".join([*([f"and {more} more"] * bool(more)), *found.problems])
    return Card("Reminders", rows or (("", "none"),), text)


def _reminder_card(reminder: Reminder) -> Card:
    rows = [("due", reminder.due), ("notes", reminder.notes)]
    return Card(reminder.title, tuple(row for row in rows if row[1]))


def _contacts_card(found: ContactList) -> Card:
    rows: list[tuple[str, str]] = []
    for contact in found.contacts[:_MAX_ROWS]:
        reached = [
            f"{each.value} ({each.label})" if each.label else each.value for each in (*contact.phones, *contact.emails)
        ]
        rows.append((contact.name, ", ".join([*([contact.organization] * bool(contact.organization)), *reached])))
    more = len(found.contacts) - len(rows) + found.omitted
    text = "\n".join([*([f"and {more} more"] * bool(more)), *found.problems])
    return Card("Contacts", tuple(rows) or (("", "none"),), text)


def _when(event: Event) -> str:
    return event.start if event.start == event.end else f"{event.start} to {event.end}"


def _place(event: Event) -> str:
    said = [event.title, *([f"at {event.location}"] * bool(event.location)), *([event.status] * bool(event.status))]
    return ", ".join(said)


def _state(reminder: Reminder) -> str:
    if reminder.done:
        return "done"
    return f"{reminder.due}{' (overdue)' if reminder.overdue else ''}" if reminder.due else "open"


def _short(text: str) -> str:
    return shortened(" ".join(text.split()), _MAX_SHOWN_CHARS)
