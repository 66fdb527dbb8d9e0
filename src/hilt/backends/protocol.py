"""The one method that every backend has."""

from collections.abc import AsyncGenerator
from typing import Protocol

from msgspec import Struct

from hilt.conversation import ModelEvent, Request


class ModelCard(Struct, frozen=True):
    """What a backend serves: the model's id, where it runs ("cpu", "cuda", "metal"), the name of the dialect that it
    speaks (None where it has no way to call tools), and the tokens that fit its context."""

    id: str
    device: str
    dialect: str | None
    context_length: int


class Backend(Protocol):
    """A model that answers requests."""

    @property
    def card(self) -> ModelCard:
        """What is served."""
        ...

    def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
        """Answer one request: the events of one turn, ending in `TurnFinished`.

        Closing the generator frees whatever the turn still holds. Raises InvalidRequest, Overloaded or Unavailable
        before the first event, or Unavailable and Bug in the middle of the turn.
        """
        ...
