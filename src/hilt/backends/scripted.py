"""A backend that says what it is told to say, so that everything around a model can be shown and tested."""

from collections.abc import AsyncGenerator, Iterable, Sequence

from hilt.backends.protocol import ModelCard
from hilt.conversation import HiltError, ModelEvent, Request, Unavailable

Turn = Sequence[ModelEvent | HiltError]


class ScriptedBackend:
    """Plays one scripted turn a request; an error in the script is raised at its place.

    `requests` keeps every request that came, `abandoned` counts the turns that were closed before their end.
    """

    def __init__(self, turns: Iterable[Turn], card: ModelCard | None = None) -> None:
        self._turns = iter(turns)
        self._card = card or ModelCard(id="scripted", device="none", dialect="hermes", context_length=4096)
        self.requests: list[Request] = []
        self.abandoned = 0

    @property
    def card(self) -> ModelCard:
        return self._card

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
        self.requests.append(request)
        turn = next(self._turns, None)
        if turn is None:
            raise Unavailable("the script has no turn left for this request")
        try:
            for step in turn:
                if isinstance(step, HiltError):
                    raise step
                yield step
        except GeneratorExit:
            self.abandoned += 1
            raise
