"""The one stream that moves through every layer, from the parser to the wire and the terminal.

One turn of a model is `PromptRead`, then deltas and calls, then `TurnFinished`. A call is `CallStarted`, any
number of `ArgumentsDelta`s, and `CallFinished` or `CallRejected`; the deltas of a finished call concatenate to its
arguments. A call that was bad before it was announced is a lone `CallRejected`. An `AnswerRejected` right before
`TurnFinished` takes the whole turn back. The agent puts tool events between turns and `RunFinished` at the end.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from hilt.conversation.tools import BadCall, Call, Outcome, Source

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls"]
StopReason: TypeAlias = Literal[
    "final",
    "max_iterations",
    "total_timeout",
    "repeated_calls",
    "repair_exhausted",
    "length",
    "approval_pending",
    "handed_over",
    "killed",
    "cancelled",
    "model_error",
]


class Usage(Struct, frozen=True):
    """Tokens of one turn, or of a run when summed. `cached_tokens` of the prompt were not computed again."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
        )


class PromptRead(Struct, frozen=True, tag="prompt_read"):
    """The model has read the prompt and begins to write."""

    prompt_tokens: int
    cached_tokens: int


class ContentDelta(Struct, frozen=True, tag="content"):
    """Text for the user."""

    text: str


class ThinkingDelta(Struct, frozen=True, tag="thinking"):
    """Text that the model wrote to itself."""

    text: str


class CallStarted(Struct, frozen=True, tag="call_started"):
    """The model has named a tool. `index` counts the calls of this turn from 0."""

    index: int
    id: str
    name: str


class ArgumentsDelta(Struct, frozen=True, tag="arguments"):
    """A piece of the JSON text of the arguments of call `index`."""

    index: int
    text: str


class CallFinished(Struct, frozen=True, tag="call_finished"):
    """Call `index` is complete. `repairs` names each deviation from the dialect that was mended.

    `raw` is the text that the model wrote, and `wire_id` the id that stands in it, if one does.
    """

    index: int
    call: Call
    repairs: tuple[str, ...] = ()
    raw: str = ""
    wire_id: str | None = None


class CallRejected(Struct, frozen=True, tag="call_rejected", omit_defaults=True):
    """Call `index` can't be run. `repairs` are as in `CallFinished`, where the call was readable."""

    index: int
    bad: BadCall
    repairs: tuple[str, ...] = ()


class AnswerRejected(Struct, frozen=True, tag="answer_rejected"):
    """The whole answer breaks what the request demands, such as the schema of its response or a call that was required.

    `detail` says how, and `raw` holds what the model wrote. An answer that only ran out of tokens is none: its turn
    ends with `length`.
    """

    detail: str
    raw: str


class TurnFinished(Struct, frozen=True, tag="turn_finished"):
    """The model's turn is over; `tool_calls` only if at least one call finished and none was cut."""

    reason: FinishReason
    usage: Usage


class ToolStarted(Struct, frozen=True, tag="tool_started"):
    """A tool begins to run."""

    call: Call


class ToolFinished(Struct, frozen=True, tag="tool_finished"):
    """A tool has ended, one way or another."""

    call: Call
    outcome: Outcome
    duration_s: float


class Citation(Struct, frozen=True):
    """A source that the answer names by its `mark`, such as S1, written [S1]."""

    mark: str
    source: Source


class RunFinished(Struct, frozen=True, tag="run_finished", omit_defaults=True):
    """The agent's run is over, or waits for approvals. `detail` says more about a `model_error`; `citations` are the
    sources that the answer names, each of which a tool has returned."""

    reason: StopReason
    usage: Usage
    detail: str = ""
    citations: tuple[Citation, ...] = ()


ModelEvent: TypeAlias = (
    PromptRead
    | ContentDelta
    | ThinkingDelta
    | CallStarted
    | ArgumentsDelta
    | CallFinished
    | CallRejected
    | AnswerRejected
    | TurnFinished
)
Event: TypeAlias = ModelEvent | ToolStarted | ToolFinished | RunFinished
