"""A turn of a model as its attempts make it: the first, and one more if what it wrote breaks a schema."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol, TypeAlias

from hilt.backends.checked_turn import BrokenCall, CheckedTurn
from hilt.backends.mending import mending_request
from hilt.backends.terms import Terms
from hilt.conversation import InvalidRequest, ModelEvent, NotFound, Overloaded, Request, Unavailable, Usage


class Attempt(Protocol):
    """A reply that is being written."""

    @property
    def terms(self) -> Terms:
        """What the reply is held to."""
        ...

    @property
    def constrained(self) -> bool:
        """Whether it is sampled under a grammar."""
        ...

    @property
    def usage(self) -> Usage:
        """What has been read and written so far."""
        ...

    async def events(self) -> list[ModelEvent]:
        """What came next; raises the error of a reply that failed. After `TurnFinished` it isn't asked any more."""
        ...

    async def close(self) -> None:
        """Let go of what the reply holds."""
        ...


Begin: TypeAlias = Callable[[Request, int], Awaitable[Attempt]]


async def checked_events(request: Request, begin: Begin) -> AsyncGenerator[ModelEvent]:
    """The events of one turn, held to the terms of the request.

    `begin` lets the model write a reply whose calls are counted from an index. A call or an answer that breaks its
    schema where no grammar could enforce it is asked for once more; the usage of the turn is then that of both.
    """
    attempt = await begin(request, 0)
    turn = CheckedTurn(attempt.terms, constrained=attempt.constrained)
    try:
        while not turn.over:
            for event in await attempt.events():
                for admitted in turn.admit(event):
                    yield admitted
                if turn.broken is None:
                    continue
                again = await _again(request, attempt, turn, begin)
                if again is not None:
                    ended, attempt = attempt, again
                    await ended.close()
                    break
                for told in turn.give_up():
                    yield told
    finally:
        await attempt.close()


async def _again(request: Request, attempt: Attempt, turn: CheckedTurn, begin: Begin) -> Attempt | None:
    """Another attempt at what is broken; None if the model can't be asked once more."""
    broken, spent = turn.broken, attempt.usage
    assert broken is not None
    mending = mending_request(request, broken, turn.calls, turn.content, turn.thinking, spent.completion_tokens)
    if mending is None:
        return None
    try:
        again = await begin(mending, broken.event.index if isinstance(broken, BrokenCall) else 0)
    except (InvalidRequest, NotFound, Overloaded, Unavailable):
        return None
    turn.go_on(spent, constrained=again.constrained)
    return again
