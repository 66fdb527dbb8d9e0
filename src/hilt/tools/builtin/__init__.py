"""The tools that come with Hilt; all of them work offline."""

from collections.abc import Callable
from datetime import datetime

from msgspec import structs

from hilt.settings import ToolOptions
from hilt.tools.builtin.arithmetic import arithmetic_tools
from hilt.tools.builtin.clock import time_tools
from hilt.tools.builtin.files import file_tools
from hilt.tools.builtin.notes import Notes, note_tools
from hilt.tools.builtin.units import unit_tools
from hilt.tools.tool import Tool


def builtin_tools(options: ToolOptions, now: Callable[[], datetime]) -> tuple[Tool, ...]:
    """All of them. `now` gives the present time as an aware datetime in the user's zone, best a `ZoneInfo` one."""
    tools = (
        *arithmetic_tools(),
        *time_tools(now),
        *unit_tools(),
        *file_tools(options.workspace),
        *note_tools(Notes(options.notes, now)),
    )
    return tuple(structs.replace(tool, timeout_s=options.timeout_s) for tool in tools)


__all__ = ["Notes", "arithmetic_tools", "builtin_tools", "file_tools", "note_tools", "time_tools", "unit_tools"]
