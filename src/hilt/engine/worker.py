"""The one thread that owns MLX: jobs go in, tokens come out, and nothing of one job reaches another.

Behind the door, a generator runs the jobs together, one step at a time.
"""

import atexit
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeAlias, cast

import mlx.core as mx
from msgspec import Struct

from hilt.conversation import Bug, HiltError, InvalidRequest, Overloaded, Sampling, Unavailable
from hilt.engine.decoding import Generator
from hilt.engine.door import Constraint, Deliver, JobDone, JobFailed, Output, PromptDone, TokenOut
from hilt.engine.loading import LoadedModel
from hilt.engine.masking import Guarded
from hilt.engine.prefix_cache import LayerCaches, PrefixCache
from hilt.engine.sampling import sampler_for
from hilt.settings import EngineOptions

PREFILL_TOGETHER = 8

logger = logging.getLogger(__name__)


class _Submit(Struct, frozen=True):
    job: int
    prompt: list[int]
    sampling: Sampling
    max_tokens: int
    deliver: Deliver
    constraint: Constraint | None


class _Cancel(Struct, frozen=True):
    job: int


class _Close(Struct, frozen=True):
    pass


_Command: TypeAlias = _Submit | _Cancel | _Close


class Engine:
    """A running model. `load` runs on the engine's own thread; the constructor waits and raises what it raises."""

    def __init__(self, load: Callable[[], LoadedModel], options: EngineOptions) -> None:
        self._options = options
        self._inbox: queue.SimpleQueue[_Command] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._next_job = 0
        self._open_jobs: set[int] = set()
        self._closed = False
        loaded: Future[LoadedModel] = Future()
        self._thread = threading.Thread(target=self._run, args=(load, loaded), name="hilt-engine", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # MLX aborts the process if its thread is still at work when Python ends
        try:
            self.loaded = loaded.result()
        except BaseException:
            self.close()
            raise

    def submit(
        self, prompt: list[int], sampling: Sampling, deliver: Deliver, constraint: Constraint | None = None
    ) -> int:
        """Queue a prompt; its outputs reach `deliver` on the engine's thread, ending in JobDone or JobFailed.

        The reply says only what its `constraint` allows, which is used on the engine's thread and for nothing else.
        Returns the job's number. Raises InvalidRequest for a prompt that is empty, holds unknown tokens or leaves no
        room in the context, Overloaded when too many jobs wait, Unavailable when the engine is closed. A `deliver` that
        raises has its job cancelled.
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
        max_tokens = room if sampling.max_tokens is None else min(sampling.max_tokens, room)
        if max_tokens < 1:
            raise InvalidRequest("a reply has at least one token", param="max_tokens")
        with self._lock:
            if self._closed:
                raise Unavailable("the engine has been closed")
            if len(self._open_jobs) >= self._options.max_batch + self._options.max_waiting:
                raise Overloaded(f"{len(self._open_jobs)} requests are running or waiting; try again later")
            job = self._next_job
            self._next_job += 1
            self._open_jobs.add(job)
            self._inbox.put(_Submit(job, list(prompt), sampling, max_tokens, deliver, constraint))
        return job

    def cancel(self, job: int) -> None:
        """Stop a job; nothing is delivered for it once the engine has seen this. Finished jobs are ignored."""
        self._inbox.put(_Cancel(job))

    def close(self) -> None:
        """Stop everything and wait for the thread to end; open jobs get JobFailed."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._inbox.put(_Close())
        self._thread.join()
        atexit.unregister(self.close)

    def _run(self, load: Callable[[], LoadedModel], loaded: "Future[LoadedModel]") -> None:
        try:
            model = load()
            jobs = _Jobs(model, self._options, self._forget, self.cancel)
        except BaseException as problem:  # noqa: BLE001 - handed to whoever waits for the model
            loaded.set_exception(problem)
        else:
            loaded.set_result(model)
            self._serve(jobs)
        mx.synchronize()
        mx.clear_streams()

    def _serve(self, jobs: "_Jobs") -> None:
        while True:
            try:
                if not self._obey_all(jobs):
                    return
                jobs.step()
            except Exception as problem:
                logger.exception("a step of the engine failed")
                jobs.restart(Bug(f"the engine failed while it served this request: {problem}"))

    def _obey_all(self, jobs: "_Jobs") -> bool:
        """Obey every command that waits, and wait for one if there is nothing else to do; False at the close."""
        while not jobs.busy or not self._inbox.empty():
            match self._inbox.get():
                case _Submit() as submit:
                    jobs.add(submit)
                case _Cancel(job):
                    self._forget(job)
                    jobs.remove(job)
                case _Close():
                    jobs.close(Unavailable("the engine was closed"))
                    return False
        return True

    def _forget(self, job: int) -> None:
        with self._lock:
            self._open_jobs.discard(job)


class _Running(Struct):
    """A job inside the generator."""

    submit: _Submit
    cached_tokens: int
    guard: Guarded | None
    tokens: int = 0


class _Jobs:
    """The jobs that wait, the jobs that run, and the generator that runs them together.

    `forget` is called with each job just before its end is delivered, `cancel` with a job that nobody listens to.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        options: EngineOptions,
        forget: Callable[[int], None],
        cancel: Callable[[int], None],
    ) -> None:
        self._loaded = loaded
        self._options = options
        self._forget = forget
        self._cancel = cancel
        self._waiting: deque[_Submit] = deque()
        self._running: dict[int, _Running] = {}  # by the generator's number
        self._prefixes = PrefixCache(options.prefix_cache_bytes)
        self._generator = self._new_generator()

    def _new_generator(self) -> Any:
        return Generator(
            self._loaded.model,
            stop_tokens=frozenset(self._loaded.tokenizer.eos_token_ids),
            completion_batch_size=self._options.max_batch,
            prefill_batch_size=min(PREFILL_TOGETHER, self._options.max_batch),
            prefill_step_size=self._options.prefill_chunk,
        )

    @property
    def busy(self) -> bool:
        return bool(self._running or self._waiting)

    def add(self, submit: _Submit) -> None:
        self._waiting.append(submit)

    def remove(self, job: int) -> None:
        """Drop a job, and keep what the model has read for it: a reply that a stop text ended is one of these."""
        self._waiting = deque(s for s in self._waiting if s.job != job)
        for number in [n for n, running in self._running.items() if running.submit.job == job]:
            read = cast(
                "dict[int, tuple[LayerCaches, list[int]]]",
                self._generator.remove([number], return_prompt_caches=True),
            )
            cached_tokens = self._running.pop(number).cached_tokens
            for layers, tokens in read.values():
                if len(tokens) > cached_tokens:
                    self._prefixes.keep(tokens, layers)

    def restart(self, error: HiltError) -> None:
        """Fail the jobs that run, and begin again with those that wait."""
        running = list(self._running.values())
        self._running.clear()
        for job in running:
            self._end(job.submit, JobFailed(error))
        self._generator.close()
        self._generator = self._new_generator()

    def close(self, error: HiltError) -> None:
        """Fail every job."""
        open_jobs = [*(r.submit for r in self._running.values()), *self._waiting]
        self._running.clear()
        self._waiting.clear()
        for submit in open_jobs:
            self._end(submit, JobFailed(error))
        self._generator.close()

    def step(self) -> None:
        """Let waiting jobs in where there is room, and run the model once for every job."""
        while self._waiting and len(self._running) < self._options.max_batch:
            self._start(self._waiting.popleft())
        if not self._running:
            return
        prompts, replies = self._generator.next()
        self._fail_those_at_fault()
        for prompt in prompts:
            running = self._running.get(prompt.uid)
            if prompt.end_of_prompt and running is not None:
                self._tell(running.submit, PromptDone(running.cached_tokens))
        for reply in replies:
            running = self._running.get(reply.uid)
            if running is None:
                continue
            running.tokens += 1
            if reply.finish_reason != "stop":
                self._tell(running.submit, TokenOut(reply.token))
            if reply.finish_reason is not None:
                del self._running[reply.uid]
                self._end(running.submit, JobDone(reply.finish_reason, running.tokens))
                self._prefixes.keep(reply.all_tokens, reply.prompt_cache)

    def _fail_those_at_fault(self) -> None:
        """Fail each job whose constraint has raised in this step; the others go on."""
        for number, running in list(self._running.items()):
            problem = running.guard and running.guard.fault
            if problem:
                logger.error("the constraint of a job failed", exc_info=problem)
                self._generator.remove([number])
                del self._running[number]
                self._end(running.submit, JobFailed(Bug(f"what the reply may say could not be worked out: {problem}")))

    def _start(self, submit: _Submit) -> None:
        guard = None if submit.constraint is None else Guarded(submit.constraint)
        try:
            layers, cached = self._prefixes.find(submit.prompt)
            (number,) = cast(
                "list[int]",
                self._generator.insert(
                    [submit.prompt[cached:]],
                    max_tokens=[submit.max_tokens],
                    caches=[layers],
                    all_tokens=[submit.prompt[:cached]],
                    samplers=[sampler_for(self._sampling(submit.sampling))],
                    logits_processors=[[guard] if guard is not None else []],
                ),
            )
        except Exception as problem:
            logger.exception("a job could not be started")
            self._end(submit, JobFailed(Bug(f"the request could not be started: {problem}")))
        else:
            self._running[number] = _Running(submit, cached, guard)

    def _sampling(self, asked: Sampling) -> Sampling:
        """What was asked, and the model's own defaults where nothing was."""
        default = self._loaded.sampling
        return Sampling(
            temperature=default.temperature if asked.temperature is None else asked.temperature,
            top_p=default.top_p if asked.top_p is None else asked.top_p,
            top_k=default.top_k if asked.top_k is None else asked.top_k,
            seed=asked.seed,
        )

    def _end(self, submit: _Submit, output: Output) -> None:
        self._forget(submit.job)  # first, so that whoever hears of the end finds the place free
        self._tell(submit, output)

    def _tell(self, submit: _Submit, output: Output) -> None:
        try:
            submit.deliver(output)
        except Exception:
            logger.exception("job %d is cancelled, because its output could not be delivered", submit.job)
            self._cancel(submit.job)
