"""Today's date and the time, here or in any zone of the IANA database."""

import difflib
import zoneinfo
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from msgspec import Struct
from pydantic import Field

from hilt.tools.tool import Tool, tool

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Moment(Struct, frozen=True):
    """A moment as the clocks of `timezone` show it: ISO date, English weekday, 24-hour time."""

    date: str
    weekday: str
    time: str
    timezone: str


def time_tools(now: Callable[[], datetime]) -> tuple[Tool, ...]:
    """The clock. `now` gives an aware datetime in the user's zone."""

    @tool(effect="read")
    def current_time(
        timezone: Annotated[
            str | None, Field(description="IANA time zone such as Europe/Paris; the local one if left out.")
        ] = None,
    ) -> Moment:
        """Tell the current date, weekday and time."""
        moment = now()
        if timezone is not None and timezone.strip():
            moment = moment.astimezone(_zone(timezone.strip()))
        return Moment(
            date=f"{moment:%Y-%m-%d}",
            weekday=_WEEKDAYS[moment.weekday()],
            time=f"{moment:%H:%M:%S}",
            timezone=str(moment.tzinfo),
        )

    return (current_time,)


def _zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone of this name, in any case and with spaces for underscores. ValueError names the closest ones."""
    zones = {zone.lower(): zone for zone in zoneinfo.available_timezones()}
    asked = name.lower().replace(" ", "_")
    if asked in zones:
        return zoneinfo.ZoneInfo(zones[asked])
    near = [zones[key] for key in sorted(zones) if key.rsplit("/", 1)[-1] == asked.rsplit("/", 1)[-1]]
    near += [zones[key] for key in difflib.get_close_matches(asked[:100], zones, n=3)]
    hint = f"did you mean {' or '.join(dict.fromkeys(near[:3]))}?" if near else "use one such as Europe/Paris"
    raise ValueError(f"there is no time zone named {name[:100]!r}; {hint}")
