"""How somebody is asked whether a call may run, and what an answer is bound to."""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Protocol, TypeAlias

from msgspec import Struct

from hilt.conversation import NotFound
from hilt.tools.policy import NOBODY_HERE
from hilt.tools.tool import Change, Effect


class ApprovalRequest(Struct, frozen=True):
    """A call that waits for an answer. `arguments` is the canonical JSON of exactly what will run: normalised,
    validated, with defaults filled in; `changes` is what it would change, where the tool can tell; `why` says why this
    is asked, if not for its effect alone. `fingerprint` names this call of this run with these arguments and no
    other."""

    fingerprint: str
    run_id: str
    call_id: str
    tool: str
    effect: Effect
    arguments: str
    why: str
    changes: tuple[Change, ...] = ()


class Approved(Struct, frozen=True, tag="approved"):
    """The one call of this fingerprint may run."""

    fingerprint: str


class Refused(Struct, frozen=True, tag="refused"):
    """The call must not run; `text` tells the model why."""

    text: str = "the user did not allow this call"


class Deferred(Struct, frozen=True, tag="deferred"):
    """There is no answer yet: the run is to stop here and to be resumed with one."""


Decision: TypeAlias = Approved | Refused
Approval: TypeAlias = Decision | Deferred


def fingerprint(run_id: str, call_id: str, tool: str, arguments: str) -> str:
    """What an approval is bound to: the SHA-256 of these four, in hexadecimal digits."""
    digest = hashlib.sha256()
    for part in (run_id, call_id, tool, arguments):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8) + encoded)
    return digest.hexdigest()


class Approver(Protocol):
    """Somebody who can be asked, at a terminal or through an API."""

    @property
    def attended(self) -> bool:
        """Whether anybody can answer, now or later; if not, nothing is asked and what would have to be is refused."""
        ...

    async def approve(self, request: ApprovalRequest) -> Approval:
        """Ask about one call."""
        ...


class Nobody:
    """The approver where nobody can answer: everything that would have to be asked is refused."""

    @property
    def attended(self) -> bool:
        return False

    async def approve(self, request: ApprovalRequest) -> Approval:
        return Refused(NOBODY_HERE)


class Later:
    """The approver of runs that stop at a question and are resumed with its answer."""

    @property
    def attended(self) -> bool:
        return True

    async def approve(self, request: ApprovalRequest) -> Approval:
        return Deferred()


class Decided:
    """Answers that were given while a run was stopped, by the id of their call; `others` is asked about the rest.

    An answer counts once.
    """

    def __init__(self, decisions: Mapping[str, Decision], others: Approver) -> None:
        self._decisions = dict(decisions)
        self._others = others

    @property
    def attended(self) -> bool:
        return bool(self._decisions) or self._others.attended

    async def approve(self, request: ApprovalRequest) -> Approval:
        decision = self._decisions.pop(request.call_id, None)
        if decision is not None:
            return decision
        return await self._others.approve(request) if self._others.attended else Refused(NOBODY_HERE)


class Desk:
    """Where questions lie until somebody answers them through an API, `patience_s` seconds at most."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._open: dict[str, tuple[ApprovalRequest, asyncio.Future[Decision]]] = {}

    @property
    def attended(self) -> bool:
        return True

    @property
    def waiting(self) -> tuple[ApprovalRequest, ...]:
        """The questions without an answer, oldest first."""
        return tuple(request for request, _ in self._open.values())

    async def approve(self, request: ApprovalRequest) -> Approval:
        if request.fingerprint in self._open:
            return Refused("whether this very call may run is being asked already")
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        asked = self._open[request.fingerprint] = request, answer
        try:
            async with asyncio.timeout(self._patience_s):
                return await answer
        except TimeoutError:
            # An answer that came in the same moment has been acknowledged, so it holds.
            in_time = answer.done() and not answer.cancelled()
            return answer.result() if in_time else Refused("nobody answered in time whether this call may run")
        finally:
            if self._open.get(request.fingerprint) is asked:
                del self._open[request.fingerprint]

    def answer(self, fingerprint: str, decision: Decision) -> None:
        """Answer a question. Raises NotFound if none with this fingerprint is open."""
        _, answer = self._open.pop(fingerprint, (None, None))
        if answer is None or answer.done():
            raise NotFound(f"no call with the fingerprint {fingerprint[:80]!r} waits for an answer")
        answer.set_result(decision)
