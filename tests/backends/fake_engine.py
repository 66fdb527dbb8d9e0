"""An engine without a model: it delivers what it is told to."""

from collections.abc import Sequence

from msgspec.structs import replace

from hilt.backends.constraining import Constraining
from hilt.conversation import Bug, HiltError, Sampling
from hilt.engine.door import Constraint, Deliver, JobDone, JobFailed, Output, PromptDone, TokenEngine, TokenOut
from hilt.engine.loading import LoadedModel
from hilt.prompting import Manner


class FakeEngine:
    """Delivers `script` for each job at once, and behind its end those in `later`, one a job; what came is kept.

    The constraint of a job is asked only with `obeys`: then a token that it doesn't allow fails the job.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        script: Sequence[Output],
        context_length: int = 4096,
        later: Sequence[Sequence[Output]] = (),
        *,
        obeys: bool = False,
    ) -> None:
        self.loaded = replace(loaded, context_length=context_length)
        self.script = script
        self.obeys = obeys
        self._later = list(later)
        self.submitted: list[tuple[list[int], Sampling]] = []
        self.constraints: list[Constraint | None] = []
        self.cancelled: list[int] = []

    def submit(
        self, prompt: list[int], sampling: Sampling, deliver: Deliver, constraint: Constraint | None = None
    ) -> int:
        script = self._later.pop(0) if self.submitted and self._later else self.script
        self.submitted.append((prompt, sampling))
        self.constraints.append(constraint)
        for output in script:
            if self.obeys and constraint is not None and isinstance(output, TokenOut):
                try:
                    constraint.allowed()
                    constraint.take(output.token)
                except Bug as problem:
                    deliver(JobFailed(problem))
                    break
            deliver(output)
        return len(self.submitted) - 1

    def cancel(self, job: int) -> None:
        self.cancelled.append(job)


def constraining(engine: TokenEngine, manner: Manner) -> Constraining:
    """What holds the replies of an engine's model to what requests demand."""
    return Constraining(engine.loaded, manner.dialect, 64 << 20)


def saying(loaded: LoadedModel, text: str, end: JobDone | HiltError | None = None, cached: int = 2) -> list[Output]:
    """A script in which the model writes `text`, a token at a time, and ends its turn or as `end` says."""
    tokens = loaded.tokenizer.encode(text, add_special_tokens=False)
    last = JobFailed(end) if isinstance(end, HiltError) else end or JobDone("stop", len(tokens) + 1)
    return [PromptDone(cached), *map(TokenOut, tokens), last]
