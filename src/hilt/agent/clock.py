"""The time that a run takes, without the time in which somebody is being asked."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from hilt.tools import Approval, ApprovalRequest, Approver


class RunClock:
    """`clock` gives seconds from any fixed point; `spent_s` were gone before."""

    def __init__(self, clock: Callable[[], float], spent_s: float = 0.0) -> None:
        self.read = clock
        self._began_s = clock() - spent_s
        self._pauses = 0
        self._paused_s = 0.0

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
