"""The time that a run takes, without the time in which somebody is being asked."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from hilt.tools import Approval, ApprovalRequest, Approver


class RunClock:
    """`clock` gives seconds from any fixed point; where it goes back, time stands still. `spent_s` were gone before."""

    def __init__(self, clock: Callable[[], float], spent_s: float = 0.0) -> None:
        self._clock = clock
        self._latest_s = clock()
        self._began_s = self._latest_s - max(0.0, spent_s)
        self._pauses = 0
        self._paused_s = 0.0

    def read(self) -> float:
        """Seconds from a fixed point, never fewer than before."""
        self._latest_s = max(self._latest_s, self._clock())
        return self._latest_s

    @property
    def elapsed_s(self) -> float:
        """The seconds that count."""
        return (self._paused_s if self._pauses else self.read()) - self._began_s

    @contextmanager
    def paused(self) -> Generator[None]:
        """Time within the block does not count; blocks may overlap."""
        if not self._pauses:
            self._paused_s = self.read()
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                self._began_s += self.read() - self._paused_s


class PausingApprover:
    """Asks `approver` while the clock of the run is stopped."""

    def __init__(self, approver: Approver, clock: RunClock) -> None:
        self._approver = approver
        self._clock = clock

    @property
    def attended(self) -> bool:
        return self._approver.attended

    async def approve(self, request: ApprovalRequest) -> Approval:
        with self._clock.paused():
            return await self._approver.approve(request)
