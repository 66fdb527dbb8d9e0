"""What calls of tools run with, and what stands around them."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from hilt.conversation import Outcome
from hilt.tools.approval import ApprovalRequest, Approver
from hilt.tools.policy import Policy
from hilt.tools.redaction import Redaction
from hilt.tools.registry import Registry
from hilt.tools.results import ResultStore
from hilt.tools.tool import Change, Effect, Rate
from hilt.traces import Record


class KillSwitch(Protocol):
    """What stops every tool at once."""

    def why_off(self) -> str | None: ...

    async def tripped(self) -> str: ...


class RateLimits(Protocol):
    """What counts calls against the rates of their tools."""

    def take(self, name: str, rate: Rate) -> float | None: ...


class Execution(Struct, frozen=True):
    """A call that is about to run or has run, as hooks see it; `arguments` are JSON values."""

    run_id: str
    call_id: str
    tool: str
    effect: Effect
    arguments: Mapping[str, Any]


class Hook(Protocol):
    """Code of the host around every execution."""

    def will_execute(self, execution: Execution) -> str | None:
        """A sentence refuses the call; None lets it run. An exception refuses it too."""
        ...

    def did_execute(self, execution: Execution, outcome: Outcome) -> None:
        """The call has ended. An exception is noted and changes nothing."""
        ...


class Waiting(Struct, frozen=True):
    """The call has not run: it needs an answer that will come later."""

    request: ApprovalRequest


class PlannedCall(Struct, frozen=True):
    """What a call would have done, had this not been a dry run."""

    tool: str
    effect: Effect
    arguments: Mapping[str, Any]
    changes: tuple[Change, ...]


def _unrecorded(record: Record) -> None:
    del record


class Runtime(Struct, frozen=True, kw_only=True):
    """What calls run with.

    `dry_run` plans every call that would change something. `results` keeps what was too long for the model, to be read
    on with `read_result`. Calls may bring `max_argument_chars` and return `max_result_chars` characters, at
    least 200. `record` takes note of every call, and of the runs and turns around them, and must not raise; hooks must
    not block. `now_s` gives seconds since 1970, `clock` seconds from any fixed point.
    """

    registry: Registry
    approver: Approver
    policy: Policy = Policy()
    dry_run: bool = False
    switch: KillSwitch | None = None
    rates: RateLimits | None = None
    results: ResultStore | None = None
    hooks: tuple[Hook, ...] = ()
    redaction: Redaction = Redaction()
    record: Callable[[Record], None] = _unrecorded
    max_argument_chars: int = 100_000
    max_result_chars: int = 16_000
    now_s: Callable[[], float] = time.time
    clock: Callable[[], float] = time.perf_counter
