"""A model behind a function that is given a prompt and returns text: tools reach it by a protocol in the prompt.

The prompt is a transcript that teaches the protocol: the model writes a line of JSON to call a tool, and reads the
observation in a line of JSON.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeAlias, cast

from hilt.backends.attempts import Attempt, checked_events
from hilt.backends.demanding import Demanding
from hilt.backends.protocol import ModelCard
from hilt.backends.taught import taught_messages, transcript, transcript_request
from hilt.backends.terms import Terms
from hilt.backends.text_reply import TextReply
from hilt.conversation import HiltError, ModelEvent, PromptRead, Request, TurnFinished, Unavailable, Usage
from hilt.dialects import CATALOG, Dialect
from hilt.threads import run_in_thread

Complete: TypeAlias = Callable[[str], Awaitable[str]] | Callable[[str], str]


class CompletionBackend:
    """Asks `complete` for each turn: an async function, or a plain one, which runs on a thread of its own.

    How long it may take is its caller's to say: a turn that is closed waits for it no longer. What `complete` raises
    becomes Unavailable, unless it is one of our own errors. `new_id` mints the ids of calls.
    """

    def __init__(
        self,
        complete: Complete,
        new_id: Callable[[], str],
        *,
        dialect: Dialect = CATALOG["jsonl"],
        name: str = "completion",
        context_length: int = 8192,
    ) -> None:
        self._complete = complete
        self._new_id = new_id
        self._dialect = dialect
        self._demanding = Demanding(dialect)
        self._card = ModelCard(id=name, device="remote", dialect=dialect.name, context_length=context_length)

    @property
    def card(self) -> ModelCard:
        return self._card

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
        async with aclosing(checked_events(request, self._begin)) as events:
            async for event in events:
                yield event

    async def _begin(self, request: Request, first_index: int) -> Attempt:
        terms = await self._demanding.terms(request)
        prompt = transcript(taught_messages(request, self._dialect))
        text = await _completed(self._complete, prompt)
        reply = TextReply(transcript_request(request), self._dialect, self._new_id, first_index)
        return _Written(terms, text, reply)


class _Written:
    """A reply that is there already."""

    def __init__(self, terms: Terms, text: str, reply: TextReply) -> None:
        self.terms = terms
        self.constrained = False
        self.usage = Usage()
        self._text = text
        self._reply = reply

    async def events(self) -> list[ModelEvent]:
        read = self._reply.feed(self._text.lstrip())
        rest = self._reply.finish("stop")
        assert self._reply.ended is not None
        return [PromptRead(0, 0), *read, *rest, TurnFinished(self._reply.ended, self.usage)]

    async def close(self) -> None:
        pass


async def _completed(complete: Complete, prompt: str) -> str:
    try:
        if inspect.iscoroutinefunction(complete):
            text = await complete(prompt)
        else:
            text = await run_in_thread(lambda: complete(prompt), name="completion")
            if inspect.isawaitable(text):
                text = await text
    except HiltError:
        raise
    except asyncio.CancelledError as problem:
        if _is_cancelled():
            raise
        raise Unavailable("the completion function was cancelled") from problem
    except Exception as problem:  # the function is a stranger's: it may raise anything
        raise Unavailable(f"the completion function failed: {type(problem).__name__}: {problem}") from problem
    if not isinstance(cast("object", text), str):
        raise Unavailable(f"the completion function must return text, and it returned {type(text).__name__}")
    return cast("str", text)


def _is_cancelled() -> bool:
    """Whether it is us who are cancelled, not something that we wait for."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
