"""A model behind an OpenAI-compatible server: with tools of its own, or taught them in text.

Nothing holds a remote model to a grammar, so whatever it writes is checked when it is whole; both ways end in the same
events.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Literal, TypeAlias

import httpx2
from msgspec import Struct

from hilt.backends.attempts import Attempt, checked_events
from hilt.backends.demanding import AS_JSON, Demanding
from hilt.backends.native_reply import NativeReply
from hilt.backends.openai_http import Address, Sleep, streamed
from hilt.backends.openai_wire import (
    WireChoice,
    WireChunk,
    WireDelta,
    completion_body,
    native_body,
    taught_body,
    text_of,
    usage_of,
)
from hilt.backends.protocol import ModelCard
from hilt.backends.taught import taught_messages, transcript, transcript_request
from hilt.backends.terms import Terms
from hilt.backends.text_reply import TextReply
from hilt.conversation import (
    FinishReason,
    ModelEvent,
    PromptRead,
    Request,
    ThinkingDelta,
    TurnFinished,
    Unavailable,
    Usage,
)
from hilt.dialects import CATALOG, Dialect

RemoteWay: TypeAlias = Literal["native", "text", "completion"]


class RemoteModel(Struct, frozen=True):
    """A model of a server, and how it is spoken to.

    "native" gives the server the tools and reads the calls that it makes; "text" teaches the model a `dialect` in the
    prompt; "completion" does so for a server that only continues a text. The context holds `context_length` tokens.
    """

    address: Address
    model: str
    way: RemoteWay = "native"
    dialect: Dialect = CATALOG["jsonl"]
    context_length: int = 8192


class RemoteBackend:
    """Asks the server for each turn, through `client`, whose owner closes it. `new_id` mints the ids of calls, and
    `sleep` waits where a server asks for patience.

    The usage is what the server counted, nothing where it doesn't say; how long the prompt is isn't known before.
    """

    def __init__(
        self, remote: RemoteModel, client: httpx2.AsyncClient, new_id: Callable[[], str], sleep: Sleep = asyncio.sleep
    ) -> None:
        self._remote = remote
        self._client = client
        self._new_id = new_id
        self._sleep = sleep
        native = remote.way == "native"
        self._demanding = Demanding(AS_JSON if native else remote.dialect)
        self._card = ModelCard(
            id=remote.model,
            device="remote",
            dialect="native" if native else remote.dialect.name,
            context_length=remote.context_length,
        )

    @property
    def card(self) -> ModelCard:
        return self._card

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
        async with aclosing(checked_events(request, self._begin)) as events:
            async for event in events:
                yield event

    async def _begin(self, request: Request, first_index: int) -> Attempt:
        terms = await self._demanding.terms(request)
        remote = self._remote
        match remote.way:
            case "native":
                reply: NativeReply | TextReply = NativeReply(request, self._new_id, first_index)
                path, body = "chat/completions", native_body(request, remote.model)
            case "text":
                messages = taught_messages(request, remote.dialect)
                reply = TextReply(request, remote.dialect, self._new_id, first_index)
                path, body = "chat/completions", taught_body(messages, request.sampling, remote.model)
            case "completion":
                prompt = transcript(taught_messages(request, remote.dialect))
                ended = transcript_request(request)
                reply = TextReply(ended, remote.dialect, self._new_id, first_index)
                most = max(1, remote.context_length // 4)
                path, body = "completions", completion_body(prompt, ended.sampling, remote.model, most)
        attempt = _Streamed(terms, reply, self._chunks(path, body), remote.address.shown)
        await attempt.begin()
        return attempt

    def _chunks(self, path: str, body: dict[str, Any]) -> AsyncGenerator[WireChunk]:
        return streamed(self._client, self._remote.address, path, body, self._sleep)


class _Streamed:
    """A reply that a server streams. `begin` waits for its first chunk, so that a refusal comes before any event."""

    def __init__(
        self, terms: Terms, reply: NativeReply | TextReply, chunks: AsyncGenerator[WireChunk], shown: str
    ) -> None:
        self.terms = terms
        self.constrained = False
        self.usage = Usage()
        self._reply = reply
        self._chunks = chunks
        self._shown = shown
        self._first: WireChunk | None = None
        self._is_told = False
        self._has_text = False
        self._finish: FinishReason | None = None
        self._is_done = False

    async def begin(self) -> None:
        try:
            self._first = await anext(self._chunks, None)
        except BaseException:
            await self.close()
            raise
        if self._first is None:
            raise Unavailable(f"The server {self._shown} sent an empty reply.")

    async def events(self) -> list[ModelEvent]:
        chunk = self._first
        self._first = None
        if chunk is None:
            chunk = await anext(self._chunks, None)
        if chunk is None:
            return self._end()
        opening: list[ModelEvent] = [] if self._is_told else [PromptRead(0, 0)]
        self._is_told = True
        if chunk.usage is not None:
            self.usage = usage_of(chunk.usage)
        if chunk == WireChunk():  # the mark of the end
            self._is_done = True
        events: list[ModelEvent] = []
        for choice in chunk.choices or []:
            if not choice.index:
                events += self._read(choice)
        if self._reply.ended is not None:  # the text is over for us, whatever the server goes on to write
            return [*opening, *events, TurnFinished(self._reply.ended, self.usage)]
        return [*opening, *events]

    async def close(self) -> None:
        await self._chunks.aclose()

    def _read(self, choice: WireChoice) -> list[ModelEvent]:
        if choice.finish_reason == "error":
            raise Unavailable(f"The server {self._shown} ended its reply with an error.")
        if choice.finish_reason:
            self._finish = "length" if choice.finish_reason in ("length", "max_tokens") else "stop"
        delta = choice.delta or choice.message or WireDelta(content=choice.text)
        reply = self._reply
        if isinstance(reply, NativeReply):
            return [*reply.feed(delta)]
        thinking = delta.reasoning_content or delta.reasoning
        text = text_of(delta)
        if not self._has_text:  # the space behind the prompt's last mark
            text = text.lstrip()
        self._has_text = self._has_text or bool(text)
        return [*([ThinkingDelta(thinking)] if thinking else []), *(reply.feed(text) if text else [])]

    def _end(self) -> list[ModelEvent]:
        """The end of the stream. One that ends without saying why has broken off."""
        if self._finish is None and not self._is_done:
            raise Unavailable(f"The reply of the server {self._shown} broke off before its end.")
        events = self._reply.finish(self._finish or "stop")
        assert self._reply.ended is not None
        return [*events, TurnFinished(self._reply.ended, self.usage)]
