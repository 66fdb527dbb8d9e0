"""The one thread that owns MLX: jobs go in, tokens come out, and nothing of one job reaches another.

The door is narrow: `submit` takes token ids and a function to deliver to, `cancel` takes the job back. Behind it,
mlx-lm's BatchGenerator runs all jobs together, one step at a time.
"""

import atexit
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeAlias, cast

import mlx.core as mx
from mlx_lm.generate import BatchGenerator
from msgspec import Struct

from hilt.conversation import Bug, FinishReason, HiltError, InvalidRequest, Overloaded, Sampling, Unavailable
from hilt.engine.loading import LoadedModel
from hilt.engine.prefix_cache import PrefixCache
from hilt.engine.sampling import sampler_for
from hilt.settings import EngineOptions

logger = logging.getLogger(__name__)


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


class _Submit(Struct, frozen=True):
    job: int
    prompt: list[int]
    sampling: Sampling
    max_tokens: int
    deliver: Deliver


class _Cancel(Struct, frozen=True):
    job: int


class _Close(Struct, frozen=True):
    pass


class _Running(Struct):
    """A job inside the generator."""

    job: int
    prompt_length: int
    cached_tokens: int
    deliver: Deliver
    tokens: int = 0


class Engine:
    """A running model. `load` runs on the engine's own thread; the constructor waits and raises what it raises."""

    def __init__(self, load: Callable[[], LoadedModel], options: EngineOptions) -> None:
        self._options = options
        self._inbox: queue.SimpleQueue[_Submit | _Cancel | _Close] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._next_job = 0
        self._open_jobs: set[int] = set()
        self._closed = False
        loaded: Future[LoadedModel] = Future()
        self._thread = threading.Thread(target=self._run, args=(load, loaded), name="hilt-engine", daemon=True)
        self._thread.start()
        self.loaded = loaded.result()
        atexit.register(self.close)

    def submit(self, prompt: list[int], sampling: Sampling, deliver: Deliver) -> int:
        """Queue a prompt; its outputs reach `deliver` on the engine's thread, ending in JobDone or JobFailed.

        Returns the job's number. Raises InvalidRequest for a prompt that is empty, holds unknown tokens or leaves no
        room in the context, Overloaded when too many jobs wait, Unavailable when the engine is closed.
        """
        loaded = self.loaded
        if not prompt:
            raise InvalidRequest("the prompt is empty")
        if min(prompt) < 0 or max(prompt) >= loaded.vocabulary_size:
            raise InvalidRequest("the prompt holds tokens that are not in the model's vocabulary")
        room = loaded.context_length - len(prompt)
        if room < 1:
            raise InvalidRequest(
                f"the prompt has {len(prompt)} tokens, and the model's context holds {loaded.context_length}",
                param="messages",
                code="context_length_exceeded",
            )
        with self._lock:
            if self._closed:
                raise Unavailable("the engine has been closed")
            if len(self._open_jobs) >= self._options.max_batch + self._options.max_waiting:
                raise Overloaded(f"{len(self._open_jobs)} requests are running or waiting; try again later")
            job = self._next_job
            self._next_job += 1
            self._open_jobs.add(job)
        max_tokens = room if sampling.max_tokens is None else min(sampling.max_tokens, room)
        self._inbox.put(_Submit(job, list(prompt), sampling, max_tokens, deliver))
        return job

    def cancel(self, job: int) -> None:
        """Stop a job; nothing is delivered for it once the engine has seen this. Finished jobs are ignored."""
        self._inbox.put(_Cancel(job))

    def close(self) -> None:
        """Stop everything and wait for the thread to end; open jobs get JobFailed."""
        with self._lock:
            closed, self._closed = self._closed, True
        if not closed:
            atexit.unregister(self.close)
            self._inbox.put(_Close())
        self._thread.join()

    def _run(self, load: Callable[[], LoadedModel], loaded: "Future[LoadedModel]") -> None:
        try:
            model = load()
        except BaseException as problem:  # noqa: BLE001 - handed to whoever waits for the model
            loaded.set_exception(problem)
            return
        batch = _Batch(model, self._options)
        loaded.set_result(model)
        open_ = True
        while open_:
            try:
                open_ = self._obey_all(batch)
                self._close_jobs(batch.step())
            except Exception as problem:
                logger.exception("a step of the engine failed")
                self._close_jobs(batch.fail(Bug(f"the engine failed while it served this request: {problem}")))
                batch = _Batch(model, self._options)
        mx.synchronize()
        mx.clear_streams()

    def _obey_all(self, batch: "_Batch") -> bool:
        """Obey every command that waits, and wait for one if there is nothing else to do; False at the close."""
        while not batch.busy or not self._inbox.empty():
            match self._inbox.get():
                case _Submit() as submit:
                    try:
                        batch.add(submit)
                    except Exception as problem:
                        logger.exception("a job could not be started")
                        self._close_jobs([submit.job])
                        submit.deliver(JobFailed(Bug(f"the request could not be started: {problem}")))
                case _Cancel(job):
                    batch.remove(job)
                    self._close_jobs([job])
                case _Close():
                    self._close_jobs(batch.fail(Unavailable("the engine was closed")))
                    return False
        return True

    def _close_jobs(self, jobs: list[int]) -> None:
        with self._lock:
            self._open_jobs.difference_update(jobs)


class _Batch:
    """The jobs that run together, and the generator that runs them."""

    def __init__(self, loaded: LoadedModel, options: EngineOptions) -> None:
        self._loaded = loaded
        self._running: dict[int, _Running] = {}  # by the generator's number
        self._prefixes = PrefixCache(options.prefix_cache_bytes)
        self._generator: Any = BatchGenerator(
            loaded.model,
            stop_tokens=[[token] for token in loaded.tokenizer.eos_token_ids],
            completion_batch_size=options.max_batch,
            prefill_step_size=options.prefill_chunk,
        )

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def add(self, submit: _Submit) -> None:
        layers, cached = self._prefixes.find(submit.prompt)
        (number,) = cast(
            "list[int]",
            self._generator.insert(
                [submit.prompt[cached:]],
                max_tokens=[submit.max_tokens],
                caches=[layers],
                all_tokens=[submit.prompt[:cached]],
                samplers=[sampler_for(self._sampling(submit.sampling))],
            ),
        )
        self._running[number] = _Running(submit.job, len(submit.prompt), cached, submit.deliver)

    def _sampling(self, asked: Sampling) -> Sampling:
        """What was asked, and the model's own defaults where nothing was."""
        default = self._loaded.sampling
        return Sampling(
            temperature=default.temperature if asked.temperature is None else asked.temperature,
            top_p=default.top_p if asked.top_p is None else asked.top_p,
            top_k=default.top_k if asked.top_k is None else asked.top_k,
            seed=asked.seed,
        )

    def remove(self, job: int) -> None:
        numbers = [number for number, running in self._running.items() if running.job == job]
        if numbers:
            self._generator.remove(numbers)
        for number in numbers:
            del self._running[number]

    def fail(self, error: HiltError) -> list[int]:
        """Tell every job that it has failed; returns the jobs."""
        jobs = [running.job for running in self._running.values()]
        for running in self._running.values():
            running.deliver(JobFailed(error))
        self._running.clear()
        return jobs

    def step(self) -> list[int]:
        """Run the model once for every job; returns the jobs that have ended."""
        if not self._running:
            return []
        prompts, replies = self._generator.next()
        for prompt in prompts:
            if prompt.end_of_prompt:
                running = self._running[prompt.uid]
                running.deliver(PromptDone(running.cached_tokens))
        ended: list[int] = []
        for reply in replies:
            running = self._running[reply.uid]
            running.tokens += 1
            if reply.finish_reason != "stop":
                running.deliver(TokenOut(reply.token))
            if reply.finish_reason is not None:
                del self._running[reply.uid]
                ended.append(running.job)
                running.deliver(JobDone(reply.finish_reason, running.tokens))
                self._prefixes.keep(reply.all_tokens, reply.prompt_cache)
        return ended
