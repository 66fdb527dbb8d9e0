"""How often each tool may be called: counting the calls of a sliding window."""

import math
from collections import deque
from collections.abc import Callable

from hilt.tools.tool import Rate


class Rates:
    """The calls of late by name, for the event loop's thread. `clock` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._taken: dict[str, deque[float]] = {}

    def take(self, name: str, rate: Rate) -> float | None:
        """None if the call may run now, and then it is counted; else the seconds until one may, which are infinite
        where the rate allows no call at all. Refused calls don't count."""
        if rate.calls < 1:
            return math.inf
        now = self._clock()
        taken = self._taken.setdefault(name, deque())
        while taken and taken[0] + rate.per_s <= now:
            taken.popleft()
        if len(taken) < rate.calls:
            taken.append(now)
            return None
        # More may be there than the rate allows, if the rate was another before.
        return taken[len(taken) - rate.calls] + rate.per_s - now
