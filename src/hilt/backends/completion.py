"""A model behind a function that is given a prompt and returns text: tools reach it by a protocol in the prompt.

The prompt is a transcript that teaches the protocol: the model writes a line of JSON to call a tool, and reads the
observation in a line of JSON.
"""

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeAlias, TypeVar, cast

from hilt.backends.attempts import Attempt, checked_events
from hilt.backends.demanding import Demanding
from hilt.backends.protocol import ModelCard
from hilt.backends.taught import taught_messages, transcript, transcript_request
from hilt.backends.terms import Terms
from hilt.backends.text_reply import TextReply
from hilt.conversation import HiltError, ModelEvent, PromptRead, Request, TurnFinished, Unavailable, Usage
from hilt.dialects import CATALOG, Dialect

T = TypeVar("T")
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


async def _beside(function: Callable[[], T]) -> T:
    """What `function` returns or raises, from a thread of its own.

    The threads of `asyncio.to_thread` are waited for at the end of the program; one that hangs must not keep it.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, fault: Exception | None) -> None:
        if future.done():
            return
        if fault is not None:
            future.set_exception(fault)
        else:
            future.set_result(cast("T", value))

    def work() -> None:
        value, fault = None, None
        try:
            value = function()
        except StopIteration as problem:  # a future can't hold it
            fault = RuntimeError(f"StopIteration: {problem}")
        except Exception as problem:  # noqa: BLE001 - the function is a stranger's, and its caller takes the fault
            fault = problem
        with contextlib.suppress(RuntimeError):  # the loop may have closed meanwhile
            loop.call_soon_threadsafe(settle, value, fault)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name="completion", daemon=True).start()
    return await future


async def _completed(complete: Complete, prompt: str) -> str:
    try:
        if inspect.iscoroutinefunction(complete):
            text = await complete(prompt)
        else:
            text = await _beside(lambda: complete(prompt))
            if inspect.isawaitable(text):
                text = await text
    except HiltError:
        raise
    except Exception as problem:  # the function is a stranger's: it may raise anything
        raise Unavailable(f"the completion function failed: {type(problem).__name__}: {problem}") from problem
    if not isinstance(cast("object", text), str):
        raise Unavailable(f"the completion function must return text, and it returned {type(text).__name__}")
    return cast("str", text)
