"""One step of a batch of replies under grammars, which keeps the device busy.

mlx-lm's batches keep the caches, the rows and their order; here is how a step is done. The grammars of the rows take
the tokens that the step before has picked and say what may come next, on the CPU; then the scores are masked and the
next tokens picked. Where the device is the slower one, the forward pass is sent to it before anybody looks at those
tokens. Where it waits for the CPU to send it work, the tokens are there already, and to send all at once costs least.
Which of the two it is shows in how long we wait for the tokens. A row's constraint travels with it as its only logits
processor.

Where a row is alone and its grammar forces several tokens, those are read in one more forward pass instead of one each.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# mlx-lm's batches have no types of their own.

import time
from typing import Any, cast

import mlx.core as mx
from mlx_lm.generate import BatchGenerator, GenerationBatch, PromptProcessingBatch
from mlx_lm.models.cache import ArraysCache, BatchKVCache, BatchRotatingKVCache

from hilt.engine.masking import Guarded, Masks, masked

FEWEST_FORCED = 2  # one token more is read at the same price by the next step
LONG_WAIT_S = 300e-6  # a device that lets us wait longer for the last tokens is the slower one
_WEIGHT_OF_LAST_WAIT = 0.2
_TAKE_SEVERAL = (BatchKVCache, BatchRotatingKVCache, ArraysCache)


class ReplyBatch(GenerationBatch):
    """Replies that are being written: one token each a step, or several where they are forced."""

    def __init__(self, masks: Masks, stops: frozenset[int], *arguments: Any, **named: Any) -> None:
        self.masks = masks
        self.stops = stops
        self._opened = False
        self._wait_s = 2 * LONG_WAIT_S
        super().__init__(*arguments, **named)
        self._opened = True

    def _step(self) -> list[list[int]]:  # pyright: ignore[reportIncompatibleMethodOverride] - called only in here
        """Read the tokens that were picked last and pick the next ones.

        Returns the tokens of each row that the model has read now. The first step reads the end of the prompt, which no
        constraint takes. Nobody asks for log-probabilities, so they aren't computed.
        """
        inputs = self._next_tokens
        guards = [_guard(processors) for processors in self.logits_processors or ()] or [None] * len(self.uids)
        if not any(guards):
            logits = self._forward(inputs[:, None])
            self._launch(logits)
            return self._note(_rows(inputs))
        logits = self._forward(inputs[:, None])
        if self._wait_s > LONG_WAIT_S:
            mx.async_eval(logits)
        read = self._read(inputs)
        forced = self._taken(guards, read)
        if forced:
            logits = self._forward(mx.array([forced]))
        words = self.masks.of(guards, logits.shape[-1])
        self._launch(logits if words is None else masked(logits, words))
        return self._note(read)

    def _read(self, tokens: mx.array) -> list[list[int]]:
        """The tokens of each row; how long the device lets us wait for them is kept as a mean of the last steps."""
        start = time.perf_counter()
        read = _rows(tokens)
        self._wait_s += _WEIGHT_OF_LAST_WAIT * (min(time.perf_counter() - start, 10 * LONG_WAIT_S) - self._wait_s)
        return read

    def _launch(self, logits: mx.array) -> None:
        """Pick the next tokens, and have the device compute them."""
        self._current_tokens = self._next_tokens
        self._next_tokens = self._pick(logits)
        self._next_logprobs = self._current_logprobs = [None] * len(self.uids)
        mx.async_eval(self._next_tokens)

    def _note(self, read: list[list[int]]) -> list[list[int]]:
        for known, tokens in zip(self.tokens, read, strict=True):
            known.extend(tokens)
        return read

    def _taken(self, guards: list[Guarded | None], read: list[list[int]]) -> list[int]:
        """Let the constraints take what has been read; what is forced behind it is added to `read` and returned."""
        if not self._opened:
            return []
        for guard, tokens in zip(guards, read, strict=True):
            if guard is not None:
                guard.take(tokens)
        forced = self._forced(guards, read)
        read[0].extend(forced)
        return forced

    def _forward(self, tokens: mx.array) -> mx.array:
        """The scores behind the last of some tokens [rows, tokens], which the caches take in."""
        return self.model(tokens, cache=self.prompt_cache)[:, -1, :]

    def _forced(self, guards: list[Guarded | None], read: list[list[int]]) -> list[int]:
        """What is forced behind the tokens that were read, if there is one row alone; the constraint has taken it."""
        guard = guards[0]
        if len(guards) != 1 or guard is None or read[0][-1] in self.stops:
            return []
        if not all(type(cache) in _TAKE_SEVERAL for cache in self.prompt_cache):
            return []
        forced = guard.forced(self.max_tokens[0] - self._num_tokens[0] - 1)
        until_end = next((place + 1 for place, token in enumerate(forced) if token in self.stops), len(forced))
        forced = forced[:until_end]
        if len(forced) < FEWEST_FORCED:
            return []
        guard.take(forced)
        return forced

    def _pick(self, logits: mx.array) -> mx.array:
        """The next token of each row."""
        samplers = self.samplers or [self.fallback_sampler] * len(self.uids)
        if all(sampler is samplers[0] for sampler in samplers):
            return samplers[0](logits)
        return mx.concatenate([sampler(logits[row : row + 1]) for row, sampler in enumerate(samplers)])

    def next(self) -> list[GenerationBatch.Response]:
        """Do a step. The answers hold every token that was read, in order; the last of a reply that is over has the
        reason and the caches."""
        if not self.uids:
            return []
        read = self._step()
        kept: list[int] = []
        responses: list[GenerationBatch.Response] = []
        for row, tokens in enumerate(read):
            reason: str | None = None
            for token in tokens:
                self._num_tokens[row] += 1
                if self._num_tokens[row] >= self.max_tokens[row]:
                    reason = "length"
                if self._matchers[row].advance(token):
                    reason = "stop"
                over = reason is not None
                responses.append(
                    self.Response(
                        uid=self.uids[row],
                        token=token,
                        logprobs=cast(Any, None),
                        finish_reason=reason,
                        prompt_cache=self.extract_cache(row) if over else None,
                        all_tokens=self.tokens[row] if over else None,
                    )
                )
            if reason is None:
                kept.append(row)
        if len(kept) < len(self.uids):
            self.filter(kept)
        return responses


def _rows(tokens: mx.array) -> list[list[int]]:
    return [[token] for token in cast("list[int]", tokens.tolist())]


def _guard(processors: Any) -> Guarded | None:
    return cast("Guarded | None", processors[0] if processors else None)


class PromptBatch(PromptProcessingBatch):
    """Prompts that are being read."""

    masks: Masks
    stops: frozenset[int]

    def _copy(self) -> "PromptBatch":
        twin = cast(PromptBatch, super()._copy())
        twin.masks = self.masks
        twin.stops = self.stops
        return twin

    def generate(self, tokens: list[list[int]]) -> ReplyBatch:
        """The replies to prompts of which nothing but `tokens` is left to read."""
        if any(len(rest) > 1 for rest in tokens):
            self.prompt([rest[:-1] for rest in tokens])
        replies = ReplyBatch(
            self.masks,
            self.stops,
            model=self.model,
            uids=self.uids,
            inputs=mx.array([rest[-1] for rest in tokens]),
            prompt_cache=self.prompt_cache,
            tokens=self.tokens,
            samplers=self.samplers,
            fallback_sampler=self.fallback_sampler,
            logits_processors=self.logits_processors,
            stop_sequences=self.stop_sequences,
            max_tokens=self.max_tokens,
        )
        self.uids, self.prompt_cache, self.tokens, self.samplers = [], [], [], []
        self.logits_processors, self.max_tokens, self.stop_sequences = [], [], []
        return replies


class Generator(BatchGenerator):
    """mlx-lm's generator with these batches. A sequence's logits processors are its `Guarded` constraint, or none."""

    def __init__(self, model: Any, *, stop_tokens: frozenset[int], prefill_step_size: int, **named: Any) -> None:
        super().__init__(
            model,
            stop_tokens=[[token] for token in sorted(stop_tokens)],
            prefill_step_size=prefill_step_size,
            **named,
        )
        masks = Masks()
        self._prompt_batch = PromptBatch.empty(model, self.sampler, prefill_step_size=prefill_step_size)
        self._prompt_batch.masks = masks
        self._prompt_batch.stops = stop_tokens
        self._generation_batch = ReplyBatch(
            masks,
            stop_tokens,
            model=model,
            uids=[],
            inputs=mx.array([], dtype=mx.uint32),
            prompt_cache=[],
            tokens=[],
            samplers=[],
            fallback_sampler=self.sampler,
            logits_processors=[],
            stop_sequences=[],
            max_tokens=[],
        )
