"""A model that runs here: renders the prompt, runs the engine, reads its text as events."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from hilt.backends.fresh_ids import FreshIds
from hilt.backends.protocol import ModelCard
from hilt.backends.stops import StopSearch
from hilt.conversation import (
    Auto,
    CallFinished,
    FinishReason,
    FreeText,
    InvalidRequest,
    JsonObject,
    JsonSchema,
    ModelEvent,
    Named,
    NoTools,
    PromptRead,
    Request,
    Required,
    TurnFinished,
    Usage,
)
from hilt.dialects import Dialect, Parser
from hilt.engine.detokenizing import Detokenizer
from hilt.engine.door import JobDone, JobFailed, Output, PromptDone, TokenEngine, TokenOut
from hilt.prompting import Manner, Prompt, render_prompt


class LocalBackend:
    """The model on an engine of this process, called `name`, spoken to in the manner that was found for it."""

    def __init__(self, engine: TokenEngine, name: str, device: str, manner: Manner, new_id: Callable[[], str]) -> None:
        self._engine = engine
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
        _check(request)
        loaded = self._engine.loaded
        prompt = render_prompt(request, loaded.tokenizer, loaded.context_length, self._manner)
        reply = _Reply(request, prompt, self._manner.dialect, self._new_id, Detokenizer(loaded.tokenizer))
        loop = asyncio.get_running_loop()
        outputs: asyncio.Queue[Output] = asyncio.Queue()

        def deliver(output: Output) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(outputs.put_nowait, output)

        job = self._engine.submit(prompt.tokens, request.sampling, deliver)
        try:
            while not reply.finished:
                for event in reply.take_in(await outputs.get()):
                    yield event
        finally:
            self._engine.cancel(job)


def _check(request: Request) -> None:
    match request.tool_choice:
        case Auto(()) | NoTools():
            pass
        case Auto() | Required() | Named():
            raise InvalidRequest(
                "a call can't be forced yet, nor kept to some of the tools: tool_choice may be auto or none",
                param="tool_choice",
                code="unsupported_tool_choice",
            )
    match request.response_format:
        case FreeText():
            pass
        case JsonObject() | JsonSchema():
            raise InvalidRequest(
                "the form of an answer can't be kept yet: ask for it in the prompt and leave response_format out",
                param="response_format",
                code="unsupported_value",
            )


class _Reply:
    """The text of one reply on its way to events: detokenised, searched for stop texts, parsed."""

    def __init__(
        self,
        request: Request,
        prompt: Prompt,
        dialect: Dialect,
        new_id: Callable[[], str],
        detokenizer: Detokenizer,
    ) -> None:
        self._prompt_tokens = len(prompt.tokens)
        self._cached_tokens = 0
        self._tokens = 0
        self._detokenizer = detokenizer
        self._stops = StopSearch(request.sampling.stop)
        self._parallel_calls = request.parallel_calls
        self._ids = FreshIds(request.messages, new_id, nine=dialect.ids == "nine")
        self._parser = Parser(
            dialect,
            tools=request.tools,
            new_id=self._ids.mint,
            prompt=prompt.tail,
            calls_allowed=not isinstance(request.tool_choice, NoTools),
        )
        self.finished = False

    def take_in(self, output: Output) -> list[ModelEvent]:
        """What an output of the engine means; raises the error of a job that failed."""
        match output:
            case PromptDone(cached_tokens):
                self._cached_tokens = cached_tokens
                return [PromptRead(self._prompt_tokens, cached_tokens)]
            case TokenOut(token):
                self._tokens += 1
                events = self._feed(self._stops.feed(self._detokenizer.add(token)))
                if self._stops.found or self._parser.turn_over:
                    return [*events, *self._finish("stop")]
                if not self._parallel_calls and self._parser.finished_calls:
                    return [*_up_to_first_call(events), self._end("tool_calls")]
                return events
            case JobDone(reason, tokens):
                self._tokens = tokens
                rest = self._stops.feed(self._detokenizer.finish()) + self._stops.finish()
                events = [*self._feed(rest), *self._finish("stop" if self._stops.found else reason)]
                return events if self._parallel_calls else _up_to_first_call(events[:-1]) + events[-1:]
            case JobFailed(error):
                raise error

    def _feed(self, text: str) -> list[ModelEvent]:
        return [*map(self._ids.renamed, self._parser.feed(text))] if text else []

    def _finish(self, reason: FinishReason) -> list[ModelEvent]:
        events = map(self._ids.renamed, self._parser.finish(cut=reason == "length"))
        return [*events, self._end(self._parser.finish_reason)]

    def _end(self, reason: FinishReason) -> TurnFinished:
        self.finished = True
        return TurnFinished(reason, Usage(self._prompt_tokens, self._cached_tokens, self._tokens))


def _up_to_first_call(events: list[ModelEvent]) -> list[ModelEvent]:
    """The events up to the end of the first call that is whole, for a turn that may make only one."""
    first = next((i for i, e in enumerate(events) if isinstance(e, CallFinished)), len(events))
    return events[: first + 1]
