"""What a run looks like: words on standard output, tool calls as they form on standard error, or JSON lines."""

import re
import sys
from typing import Protocol, TextIO

import msgspec
from rich.console import Console
from rich.text import Text

from hilt.conversation import (
    AnswerRejected,
    ArgumentsDelta,
    CallFinished,
    CallRejected,
    CallStarted,
    Cancelled,
    ContentDelta,
    Denied,
    Event,
    Failed,
    Outcome,
    Planned,
    PromptRead,
    RunFinished,
    StopReason,
    Succeeded,
    ThinkingDelta,
    TimedOut,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)

MAX_RESULT_CHARACTERS = 400

# Control characters could rewrite what stands on a terminal; line breaks and tabs can't.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def safe(text: str) -> str:
    """`text` as a terminal may be given it."""
    return _CONTROL.sub("", text)


class View(Protocol):
    """Something that shows a run."""

    def show(self, event: Event) -> None:
        """Show the next event."""
        ...

    def close(self) -> None:
        """The run is over or was stopped; leave the cursor at the beginning of a line."""
        ...


class JsonLines:
    """Every event as one line of JSON."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, event: Event) -> None:
        self._out.write(msgspec.json.encode(event).decode() + "\n")
        self._out.flush()

    def close(self) -> None:
        self._out.flush()


class Screen:
    """For people. The reply goes to `out`, so that a pipe gets nothing else; calls and results go to `activity`."""

    def __init__(self, out: TextIO, activity: Console) -> None:
        self._out = out
        self._activity = activity
        self._clean = out.isatty()
        self._open_line: TextIO | Console | None = None
        self._calls = 0

    def show(self, event: Event) -> None:
        match event:
            case ContentDelta(text):
                self._say(text)
            case ThinkingDelta(text):
                self._tell(text, "dim italic", self._open_line is not self._activity)
            case CallStarted(_, _, name):
                self._tell(f"● {name} ", "bold cyan", True)
            case ArgumentsDelta(_, text):
                self._tell(text, "cyan", False)
            case CallFinished(_, _, repairs):
                if repairs:
                    self._tell(f"  (mended: {', '.join(repairs)})", "yellow", False)
                self._end_line()
            case CallRejected(_, bad):
                self._tell(f"✗ {bad.detail}", "red", True)
                self._end_line()
            case AnswerRejected(detail, _):
                self._tell(f"✗ {detail}", "red", True)
                self._end_line()
            case ToolFinished(call, outcome, _):
                style = "green" if isinstance(outcome, Succeeded | Planned) else "red"
                self._tell(f"  {call.name} → {_shortened(_told(outcome))}", style, True)
                self._end_line()
            case RunFinished(reason, _, detail, citations):
                self._end_line()
                for citation in citations:
                    source = citation.source
                    self._tell(f"[{citation.mark}] {source.title} {source.place}", "dim", True)
                if (why := _why(reason)) is not None:
                    self._tell(f"({why}: {detail})" if detail else f"({why})", "yellow", True)
                self._end_line()
            case TurnFinished():
                self._end_line()
            case PromptRead() | ToolStarted():
                pass

    def close(self) -> None:
        self._end_line()

    def _say(self, text: str) -> None:
        if self._open_line is self._activity:
            self._end_line()
        self._out.write(safe(text) if self._clean else text)
        self._out.flush()
        self._open_line = None if text.endswith("\n") else self._out

    def _tell(self, text: str, style: str, new_line: bool) -> None:
        if new_line or self._open_line is self._out:
            self._end_line()
        self._activity.print(Text(safe(text), style), end="", soft_wrap=True)
        self._open_line = self._activity

    def _end_line(self) -> None:
        if self._open_line is self._out:
            self._out.write("\n")
            self._out.flush()
        elif self._open_line is self._activity:
            self._activity.print()
        self._open_line = None


def open_view(as_json: bool) -> View:
    """The view for this process: JSON lines if asked for, else for people."""
    if as_json:
        return JsonLines(sys.stdout)
    return Screen(sys.stdout, Console(stderr=True, highlight=False))


def _told(outcome: Outcome) -> str:
    match outcome:
        case Succeeded(text) | Planned(text) | Failed(text) | Denied(text) | TimedOut(text) | Cancelled(text):
            return text


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_RESULT_CHARACTERS else line[: MAX_RESULT_CHARACTERS - 1] + "…"


def _why(reason: StopReason) -> str | None:
    """What the user should know about the end of a run; None when it ended as it should."""
    match reason:
        case "final":
            return None
        case "max_iterations":
            return "stopped: the model went on calling tools, so it was asked for its answer"
        case "total_timeout":
            return "stopped: the time for this answer was up"
        case "repeated_calls":
            return "stopped: the model made the same call again and again"
        case "repair_exhausted":
            return "stopped: the model's calls or its answer could not be used"
        case "length":
            return "the reply was cut off at its length limit"
        case "approval_pending":
            return "stopped: a call waits for an approval"
        case "handed_over":
            return "stopped: the model called a tool that is run elsewhere"
        case "killed":
            return "stopped: tools were switched off"
        case "cancelled":
            return "stopped"
        case "model_error":
            return "the model failed"
