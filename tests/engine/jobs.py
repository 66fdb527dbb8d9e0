"""Listening to an engine's jobs."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from msgspec import Struct

from hilt.conversation import HiltError, Sampling
from hilt.engine.door import JobDone, JobFailed, Output, PromptDone, TokenEngine, TokenOut

WAIT_S = 60.0


class Heard(Struct, frozen=True):
    """What one job delivered, from its beginning to its end."""

    cached_tokens: int
    tokens: list[int]
    done: JobDone


class Ear:
    """Receives the outputs of one job; `then` is called with each, on the engine's thread."""

    def __init__(self, then: "Callable[[Ear, Output], None]" = lambda ear, output: None) -> None:
        self.outputs: list[Output] = []
        self.submitted: Future[int] = Future()
        self._then = then
        self._ended = threading.Event()

    def __call__(self, output: Output) -> None:
        self.outputs.append(output)
        try:
            self._then(self, output)
        finally:
            if isinstance(output, JobDone | JobFailed):
                self._ended.set()

    @property
    def job(self) -> int:
        """Its number; outputs may come before `submit` has returned it."""
        return self.submitted.result(WAIT_S)

    @property
    def tokens(self) -> list[int]:
        return [output.token for output in self.outputs if isinstance(output, TokenOut)]

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def wait(self) -> None:
        assert self._ended.wait(WAIT_S), self.outputs

    def heard(self) -> Heard:
        """Everything, once it has ended well and in the right order."""
        self.wait()
        first, *tokens, last = self.outputs
        assert isinstance(first, PromptDone)
        assert isinstance(last, JobDone), last
        assert all(isinstance(output, TokenOut) for output in tokens)
        return Heard(first.cached_tokens, self.tokens, last)

    def error(self) -> HiltError:
        """What it failed with."""
        self.wait()
        last = self.outputs[-1]
        assert isinstance(last, JobFailed), last
        return last.error


def submit(engine: TokenEngine, prompt: Sequence[int], sampling: Sampling, ear: Ear | None = None) -> Ear:
    ear = ear or Ear()
    ear.submitted.set_result(engine.submit(list(prompt), sampling, ear))
    return ear


def run(engine: TokenEngine, prompt: Sequence[int], sampling: Sampling) -> Heard:
    return submit(engine, prompt, sampling).heard()


def prompt_of(length: int, step: int = 7) -> list[int]:
    """Some tokens, unlike those of any other `step` from the first on."""
    return [(step + i * step) % 251 for i in range(length)]


def at_token(
    number: int, action: Callable[[], object], later: int = 0, action_later: Callable[[], object] = int
) -> Ear:
    """An ear that acts when it hears its `number`th token, counted from 1, and perhaps once more at a later one."""

    def then(ear: Ear, output: Output) -> None:
        if isinstance(output, TokenOut) and len(ear.tokens) == number:
            action()
        if isinstance(output, TokenOut) and len(ear.tokens) == later:
            action_later()

    return Ear(then)
