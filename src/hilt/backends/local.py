"""A model that runs here: renders the prompt, runs the engine, reads its text as events, and checks them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from hilt.backends.checked_turn import BrokenCall, CheckedTurn
from hilt.backends.constraining import Constraining, Held
from hilt.backends.mending import mending_request
from hilt.backends.protocol import ModelCard
from hilt.backends.reply import Reply
from hilt.conversation import InvalidRequest, ModelEvent, Overloaded, Request
from hilt.engine.detokenizing import Detokenizer
from hilt.engine.door import Output, TokenEngine
from hilt.prompting import Manner, Prompt, render_prompt


class LocalBackend:
    """The model on an engine of this process, called `name`, spoken to in the manner that was found for it.

    Its replies are held to what requests demand by `constraining`. A call or an answer that breaks its schema where no
    grammar could enforce it is asked for once more, within the same turn; the usage of the turn is then that of both.
    """

    def __init__(
        self,
        engine: TokenEngine,
        constraining: Constraining,
        name: str,
        device: str,
        manner: Manner,
        new_id: Callable[[], str],
    ) -> None:
        self._engine = engine
        self._constraining = constraining
        self._manner = manner
        self._new_id = new_id
        self._card = ModelCard(
            id=name,
            device=device,
            dialect=manner.dialect.name,
            context_length=engine.loaded.context_length,
        )

    @property
    def card(self) -> ModelCard:
        return self._card

    @property
    def why_dialect(self) -> str:
        """Why this dialect was taken."""
        return self._manner.reason

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
        attempt = await self._begin(request)
        turn = CheckedTurn(attempt.held.terms, constrained=attempt.held.constraint is not None)
        try:
            while not turn.over:
                for event in await attempt.events():
                    for admitted in turn.admit(event):
                        yield admitted
                    if turn.broken is None:
                        continue
                    again = await self._again(request, attempt, turn)
                    if again is not None:
                        attempt.close()
                        attempt = again
                        break
                    for told in turn.give_up():
                        yield told
        finally:
            attempt.close()

    async def _begin(self, request: Request, first_index: int = 0) -> "_Attempt":
        """Let the model write a reply. Raises InvalidRequest, Overloaded or Unavailable if it can't."""
        loaded = self._engine.loaded
        prompt = render_prompt(request, loaded.tokenizer, loaded.context_length, self._manner)
        room = loaded.context_length - len(prompt.tokens)
        most = request.sampling.max_tokens
        held = await self._constraining.hold(request, prompt.tail, room if most is None else min(most, room))
        detokenizer = Detokenizer(loaded.tokenizer)
        reply = Reply(request, prompt, self._manner.dialect, self._new_id, detokenizer, first_index)
        return _Attempt(self._engine, request, prompt, held, reply)

    async def _again(self, request: Request, attempt: "_Attempt", turn: CheckedTurn) -> "_Attempt | None":
        """Another attempt at what is broken; None if the model can't be asked once more."""
        broken, spent = turn.broken, attempt.reply.usage
        assert broken is not None
        mending = mending_request(request, broken, turn.calls, turn.content, turn.thinking, spent.completion_tokens)
        if mending is None:
            return None
        try:
            again = await self._begin(mending, broken.event.index if isinstance(broken, BrokenCall) else 0)
        except (InvalidRequest, Overloaded):
            return None
        turn.go_on(spent, constrained=again.held.constraint is not None)
        return again


class _Attempt:
    """A job of the engine, and the reply that it writes."""

    def __init__(self, engine: TokenEngine, request: Request, prompt: Prompt, held: Held, reply: Reply) -> None:
        self.held = held
        self.reply = reply
        self._engine = engine
        self._outputs: asyncio.Queue[Output] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        outputs = self._outputs

        def deliver(output: Output) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(outputs.put_nowait, output)

        self._job = engine.submit(prompt.tokens, request.sampling, deliver, held.constraint)

    async def events(self) -> list[ModelEvent]:
        """What the next output of the engine means; raises the error of a job that failed."""
        return self.reply.take_in(await self._outputs.get())

    def close(self) -> None:
        """Take the job back."""
        self._engine.cancel(self._job)
