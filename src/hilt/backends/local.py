"""A model that runs here: renders the prompt, runs the engine, reads its text as events, and checks them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

from hilt.backends.attempts import Attempt, checked_events
from hilt.backends.constraining import Constraining, Held
from hilt.backends.protocol import ModelCard
from hilt.backends.reply import Reply
from hilt.backends.terms import Terms
from hilt.conversation import ModelEvent, Request, Usage
from hilt.engine.detokenizing import Detokenizer
from hilt.engine.door import Output, TokenEngine
from hilt.prompting import Manner, Prompt, render_prompt


class LocalBackend:
    """The model on an engine of this process, called `name`, spoken to in the manner that was found for it.

    Its replies are held to what requests demand by `constraining`, and checked behind that.
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
        async with aclosing(checked_events(request, self._begin)) as events:
            async for event in events:
                yield event

    async def _begin(self, request: Request, first_index: int) -> Attempt:
        """Let the model write a reply. Raises InvalidRequest, Overloaded or Unavailable if it can't."""
        loaded = self._engine.loaded
        prompt = render_prompt(request, loaded.tokenizer, loaded.context_length, self._manner)
        room = loaded.context_length - len(prompt.tokens)
        most = request.sampling.max_tokens
        held = await self._constraining.hold(request, prompt.tail, room if most is None else min(most, room))
        detokenizer = Detokenizer(loaded.tokenizer)
        reply = Reply(request, prompt, self._manner.dialect, self._new_id, detokenizer, first_index)
        return _Attempt(self._engine, request, prompt, held, reply)


class _Attempt:
    """A job of the engine, and the reply that it writes."""

    def __init__(self, engine: TokenEngine, request: Request, prompt: Prompt, held: Held, reply: Reply) -> None:
        self._held = held
        self._reply = reply
        self._engine = engine
        self._outputs: asyncio.Queue[Output] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        outputs = self._outputs

        def deliver(output: Output) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(outputs.put_nowait, output)

        self._job = engine.submit(prompt.tokens, request.sampling, deliver, held.constraint)

    @property
    def terms(self) -> Terms:
        return self._held.terms

    @property
    def constrained(self) -> bool:
        return self._held.constraint is not None

    @property
    def usage(self) -> Usage:
        return self._reply.usage

    async def events(self) -> list[ModelEvent]:
        return self._reply.take_in(await self._outputs.get())

    async def close(self) -> None:
        self._engine.cancel(self._job)
