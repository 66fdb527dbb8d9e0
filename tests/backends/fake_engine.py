"""An engine without a model: it delivers what it is told to."""

from collections.abc import Sequence

from msgspec.structs import replace

from hilt.conversation import HiltError, Sampling
from hilt.engine.door import Deliver, JobDone, JobFailed, Output, PromptDone, TokenOut
from hilt.engine.loading import LoadedModel


class FakeEngine:
    """Delivers `script` for each job at once; `submitted` and `cancelled` keep what came."""

    def __init__(self, loaded: LoadedModel, script: Sequence[Output], context_length: int = 4096) -> None:
        self.loaded = replace(loaded, context_length=context_length)
        self.script = script
        self.submitted: list[tuple[list[int], Sampling]] = []
        self.cancelled: list[int] = []

    def submit(self, prompt: list[int], sampling: Sampling, deliver: Deliver) -> int:
        self.submitted.append((prompt, sampling))
        for output in self.script:
            deliver(output)
        return len(self.submitted) - 1

    def cancel(self, job: int) -> None:
        self.cancelled.append(job)


def saying(loaded: LoadedModel, text: str, end: JobDone | HiltError | None = None, cached: int = 2) -> list[Output]:
    """A script in which the model writes `text`, a token at a time, and ends its turn or as `end` says."""
    tokens = loaded.tokenizer.encode(text, add_special_tokens=False)
    last = JobFailed(end) if isinstance(end, HiltError) else end or JobDone("stop", len(tokens) + 1)
    return [PromptDone(cached), *map(TokenOut, tokens), last]
