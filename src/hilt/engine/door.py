"""The engine's door: token ids go in, outputs come out, and a job can be taken back."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from msgspec import Struct

from hilt.conversation import FinishReason, HiltError, Sampling
from hilt.engine.loading import LoadedModel
from hilt.grammar.matching import Allowed


class PromptDone(Struct, frozen=True):
    """The prompt has been read; `cached_tokens` of it did not have to be computed."""

    cached_tokens: int


class TokenOut(Struct, frozen=True):
    """The next token of the reply."""

    token: int


class JobDone(Struct, frozen=True):
    """The reply is over. `tokens` counts what was generated, an end-of-turn token included."""

    reason: FinishReason
    tokens: int


class JobFailed(Struct, frozen=True):
    """The reply broke off through a fault of ours."""

    error: HiltError


Output: TypeAlias = PromptDone | TokenOut | JobDone | JobFailed
Deliver: TypeAlias = Callable[[Output], None]


class Constraint(Protocol):
    """What a reply may say, token by token; `Matcher` and `Steering` are such. The engine uses it on its own thread."""

    def allowed(self) -> Allowed:
        """What may come next. Called once before each token that the model picks."""
        ...

    def forced(self) -> list[int]:
        """The tokens that have to come next whatever the model says; may be empty."""
        ...

    def take(self, token: int) -> None:
        """Move past a token of the reply: every one, in their order, the one that ends the turn too."""
        ...

    def verify(self) -> None:
        """Raise if the last mask of the matcher that `allowed` gave can't be trusted."""
        ...


class TokenEngine(Protocol):
    """What a backend needs of an engine; `Engine` is the one that runs models."""

    @property
    def loaded(self) -> LoadedModel: ...

    def submit(
        self, prompt: list[int], sampling: Sampling, deliver: Deliver, constraint: Constraint | None = None
    ) -> int:
        """Queue a prompt; its outputs reach `deliver` on the engine's thread: PromptDone, tokens, then JobDone or
        JobFailed. The reply says only what its `constraint` allows. Returns the job's number.

        Raises InvalidRequest for a prompt that can't be run, Overloaded when too many jobs wait, Unavailable when the
        engine is closed.
        """
        ...

    def cancel(self, job: int) -> None:
        """Stop a job; nothing is delivered for it once the engine has seen this. Finished jobs are ignored."""
        ...
