"""The tokens of one reply on their way to events: detokenised, and read as text."""

from collections.abc import Callable

from hilt.backends.text_reply import TextReply
from hilt.conversation import ModelEvent, PromptRead, Request, TurnFinished, Usage
from hilt.dialects import Dialect
from hilt.engine.detokenizing import Detokenizer
from hilt.engine.door import JobDone, JobFailed, Output, PromptDone, TokenOut
from hilt.prompting import Prompt


class Reply:
    """Reads what the engine puts out for one prompt. Calls are counted from `first_index`."""

    def __init__(
        self,
        request: Request,
        prompt: Prompt,
        dialect: Dialect,
        new_id: Callable[[], str],
        detokenizer: Detokenizer,
        first_index: int = 0,
    ) -> None:
        self._prompt_tokens = len(prompt.tokens)
        self._cached_tokens = 0
        self._tokens = 0
        self._detokenizer = detokenizer
        self._text = TextReply(request, dialect, new_id, first_index, prompt.tail)

    @property
    def usage(self) -> Usage:
        """What has been read and written so far."""
        return Usage(self._prompt_tokens, self._cached_tokens, self._tokens)

    def take_in(self, output: Output) -> list[ModelEvent]:
        """What an output of the engine means; raises the error of a job that failed."""
        match output:
            case PromptDone(cached_tokens):
                self._cached_tokens = cached_tokens
                return [PromptRead(self._prompt_tokens, cached_tokens)]
            case TokenOut(token):
                self._tokens += 1
                return [*self._text.feed(self._detokenizer.add(token)), *self._end()]
            case JobDone(reason, tokens):
                self._tokens = tokens
                rest = self._text.feed(self._detokenizer.finish())
                return [*rest, *self._text.finish(reason), *self._end()]
            case JobFailed(error):
                raise error

    def _end(self) -> list[TurnFinished]:
        return [] if self._text.ended is None else [TurnFinished(self._text.ended, self.usage)]
