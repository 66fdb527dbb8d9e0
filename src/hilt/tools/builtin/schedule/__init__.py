"""Tasks for later: when they are due, what they may do, and the tools that schedule them."""

from hilt.tools.builtin.schedule.grant import Grant, granted, narrowed
from hilt.tools.builtin.schedule.recurrence import Timing, zone_named
from hilt.tools.builtin.schedule.store import Claim, Ended, Run, Schedule, Task
from hilt.tools.builtin.schedule.tools import ScheduledTask, read_timing, schedule_tools

__all__ = [
    "Claim",
    "Ended",
    "Grant",
    "Run",
    "Schedule",
    "ScheduledTask",
    "Task",
    "Timing",
    "granted",
    "narrowed",
    "read_timing",
    "schedule_tools",
    "zone_named",
]
