"""How somebody is asked whether a call may run."""

from typing import Protocol, TypeAlias

from msgspec import Struct

from hilt.conversation import Call
from hilt.tools.policy import NOBODY_HERE
from hilt.tools.tool import Effect


class Approved(Struct, frozen=True, tag="approved"):
    """This one call may run."""


class Refused(Struct, frozen=True, tag="refused"):
    """This call must not run; `text` tells the model why."""

    text: str = "the user did not allow this call"


Approval: TypeAlias = Approved | Refused


class Approver(Protocol):
    """Somebody who can be asked, at a terminal or through an API."""

    @property
    def attended(self) -> bool:
        """Whether anybody can answer now; if not, nothing is asked and nothing but reading runs."""
        ...

    async def approve(self, call: Call, effect: Effect) -> Approval:
        """Ask about one call. Its `arguments` are exactly what will run: validated, with defaults filled in."""
        ...


class Nobody:
    """The approver where nobody can answer: everything that would have to be asked is refused."""

    @property
    def attended(self) -> bool:
        return False

    async def approve(self, call: Call, effect: Effect) -> Approval:
        return Refused(NOBODY_HERE)
