"""The user's own calendar, reminders and contacts, in files of iCalendar and vCard."""

from hilt.tools.builtin.personal.tools import personal_tools

__all__ = ["personal_tools"]
