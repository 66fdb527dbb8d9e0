"""A calendar and contacts in a folder of a test, at a fixed time in Paris, and a short way to call their tools."""

import asyncio
import itertools
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hilt.conversation import Call, Failed, Succeeded
from hilt.settings import PersonalOptions
from hilt.tools import Registry, Runtime, Tool, run_tool
from hilt.tools.builtin.personal import personal_tools
from hilt.tools.builtin.personal.agenda import Agenda
from tests.tools.conftest import Yes

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 21, 14, 3, 27, tzinfo=PARIS)  # a Saturday

Ask = Callable[..., dict[str, Any]]


def agenda_at(path: Path) -> Agenda:
    numbers = itertools.count(1)
    return Agenda(path, lambda: NOW, lambda: f"uid-{next(numbers)}", lambda: 0.0)


def made_tools(folder: Path, calendar: str = "calendar", contacts: str = "contacts") -> dict[str, Tool]:
    numbers = itertools.count(1)
    options = PersonalOptions(folder / calendar, folder / contacts)
    tools = personal_tools(options, lambda: NOW, lambda: f"uid-{next(numbers)}", lambda: 0.0)
    return {each.name: each for each in tools}


def asking(tools: dict[str, Tool]) -> Ask:
    """Call a tool through the whole runtime; the JSON of its result, checked to be an error only if it failed."""
    runtime = Runtime(registry=Registry(tuple(tools.values())), approver=Yes())

    def asked(name: str, **values: Any) -> dict[str, Any]:
        outcome = asyncio.run(run_tool(Call("c1", name, json.dumps(values)), runtime))
        result: dict[str, Any] = json.loads(outcome.text)
        assert isinstance(outcome, Failed if set(result) == {"error"} else Succeeded), outcome
        return result

    return asked


def calendar_of(*components: str, end: str = "\r\n") -> bytes:
    """A calendar with these components, each given as its lines with spaces before them."""
    body = "\n".join(line.strip() for each in components for line in each.strip().splitlines())
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{body}\nEND:VCALENDAR\n".replace("\n", end).encode()
