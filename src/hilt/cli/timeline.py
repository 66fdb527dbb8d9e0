"""A run as people read it: its turns and calls in order of time, what took how long, and what was said."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo

from msgspec import Struct
from rich.console import Console
from rich.text import Text

from hilt.cli.screen import safe
from hilt.traces import CallRecord, Kept, RunRecord, Summary, Trace, TurnRecord, summary

MAX_SHOWN_CHARS = 2000
MAX_SHOWN_LINES = 20

_INDENT = 11
_LABEL = 11
_BAR_CELLS = 24
_LEAST_SHARE = 0.01
_EIGHTHS = " ▏▎▍▌▋▊▉"

# Marks that change the direction of what follows could show a text as another.
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Line(Struct, frozen=True):
    """A line of a timeline: what does not fit beside `head` goes on below its `text`."""

    head: Text
    text: Text


def timeline(trace: Trace, zone: tzinfo | None) -> Iterator[Line]:
    """The lines of a run; times of day are those of `zone`, the machine's own without it."""
    told = summary(trace)
    yield from _head(told, zone)
    for kept in trace.steps:
        yield Line(Text(), Text())
        match kept.record:
            case TurnRecord() as turn:
                yield from _turn(turn, kept, told.started_s)
            case CallRecord() as call:
                yield from _call(call, kept, told.started_s)
            case RunRecord():
                pass  # it is the head


def print_lines(lines: Iterable[Line], console: Console) -> None:
    """Print the lines: wrapped beside their heads on a terminal, as they are elsewhere."""
    for line in lines:
        room = console.width - line.head.cell_len
        parts = list(line.text.wrap(console, room)) if console.is_terminal and room > 0 else [line.text]
        for place, part in enumerate(parts or [line.text]):
            head = line.head if place == 0 else Text(" " * line.head.cell_len)
            console.print(Text.assemble(head, part), soft_wrap=True)


def one_line(text: str) -> str:
    """`text` on one line, as a terminal may be given it."""
    return " ".join(_shown(text).split())


def time_of_day(started_s: float, zone: tzinfo | None) -> str:
    """A date and a time to the second."""
    try:
        return f"{datetime.fromtimestamp(started_s, zone):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "at no known time"


def duration(seconds: float) -> str:
    """A duration with three digits and its unit."""
    if seconds >= 100:
        return f"{seconds:.0f} s"
    if seconds >= 1:
        return f"{seconds:.3g} s"
    if seconds >= 0.001:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds * 1e6:.0f} µs" if seconds > 0 else "0 s"


def bar(share: float, cells: int) -> str:
    """A bar of `share` of so many cells, to the eighth; something of it is always seen."""
    eighths = max(1, round(min(1.0, max(0.0, share)) * cells * 8))
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def stop_style(stop_reason: str) -> str:
    """How the end of a run is coloured."""
    return "green" if stop_reason == "final" else "yellow"


def _head(told: Summary, zone: tzinfo | None) -> Iterator[Line]:
    took = "" if told.duration_s is None else f" in {duration(told.duration_s)}"
    yield Line(
        Text(f"{'run':{_INDENT}}", "bold"),
        Text.assemble(
            (one_line(told.run_id), "bold cyan"),
            f"  {time_of_day(told.started_s, zone)}  {one_line(told.model)}".rstrip(),
        ),
    )
    yield _field("ended", f"{one_line(told.stop_reason) or 'not, or not yet'}{took}", stop_style(told.stop_reason))
    usage = told.usage
    yield _field(
        "tokens", f"{usage.prompt_tokens} read, {usage.cached_tokens} of them cached; {usage.completion_tokens} written"
    )
    if told.question_chars:
        yield from _said("question", told.question, told.question_chars, "")


def _turn(turn: TurnRecord, kept: Kept, began_s: float) -> Iterator[Line]:
    first = "" if turn.first_token_s is None else f"first token after {duration(turn.first_token_s)}, "
    spent = f"{duration(turn.duration_s)}, {turn.usage.prompt_tokens} → {turn.usage.completion_tokens} tokens"
    yield Line(
        _clock(turn.started_s - began_s),
        Text.assemble(
            (f"turn {turn.number}", "bold"), f"  {one_line(turn.finish)}  ", (f"{first}whole in {spent}", "dim")
        ),
    )
    if not turn.raw or turn.raw != turn.content:
        yield from _said("raw", turn.raw, kept.chars.get("raw", 0), "dim")
    yield from _said("content", turn.content, kept.chars.get("content", 0), "")
    for place, (name, arguments) in enumerate(turn.calls):
        chars = kept.chars.get(f"calls[{place}]", 0)
        if chars and not arguments:
            yield _field("call", f"{one_line(name)} {_not_kept(chars)}", "dim")
        else:
            yield from _said("call", f"{name} {arguments}", chars, "cyan")
    for place, detail in enumerate(turn.rejected):
        yield from _said("rejected", detail, kept.chars.get(f"rejected[{place}]", 0), "red")


def _call(call: CallRecord, kept: Kept, began_s: float) -> Iterator[Line]:
    total_s = sum(call.phases_s.values())
    ended = " ".join(one_line(part) for part in (call.outcome, call.reason and f"({call.reason})") if part)
    judged = ", ".join(one_line(part) for part in (call.effect, call.verdict) if part)
    yield Line(
        _clock(call.started_s - began_s),
        Text("  ").join(
            part
            for part in (
                Text(one_line(call.tool or call.asked) or "a call without a name", "bold cyan"),
                Text(judged),
                Text(ended, "green" if call.outcome in ("succeeded", "planned") else "red"),
                Text(duration(total_s), "dim"),
            )
            if part
        ),
    )
    if call.tool and call.asked != call.tool:
        yield _field("asked as", one_line(call.asked), "yellow")
    yield _field("id", one_line(call.call_id), "dim")
    for warning in call.warnings:
        yield _field("warning", one_line(warning), "yellow")
    yield from _said("arguments", call.arguments, kept.chars.get("arguments", 0), "cyan")
    if call.normalised != call.arguments or not call.arguments:
        yield from _said("taken as", call.normalised, kept.chars.get("normalised", 0), "cyan")
    yield from _phases(call.phases_s, total_s)
    yield from _said("result", call.text, kept.chars.get("text", 0), "")


def _phases(phases_s: dict[str, float], total_s: float) -> Iterator[Line]:
    """A bar for each phase that took its share, and one for the rest together."""
    if total_s <= 0:
        return
    small = [name for name, seconds in phases_s.items() if seconds < total_s * _LEAST_SHARE]
    shown = [(name, seconds) for name, seconds in phases_s.items() if name not in small]
    if small:
        shown.append((f"{len(small)} others" if len(small) > 1 else small[0], sum(phases_s[name] for name in small)))
    for name, seconds in shown:
        drawn = Text.assemble((f"{bar(seconds / total_s, _BAR_CELLS):{_BAR_CELLS}}", "blue"), f" {duration(seconds)}")
        yield Line(Text(f"{'':{_INDENT}}{one_line(name):{_LABEL - 1}} ", "dim"), drawn)


def _not_kept(chars: int) -> str:
    return f"({chars} character{'' if chars == 1 else 's'}, not kept)"


def _said(label: str, text: str, chars: int, style: str) -> Iterator[Line]:
    """A text below its label, or how long it was if it wasn't kept; nothing if there was none."""
    if not text:
        if chars:
            yield _field(label, _not_kept(chars), "dim")
        return
    lines = _shown(text[:MAX_SHOWN_CHARS]).rstrip("\n").split("\n")
    for place, line in enumerate(lines[:MAX_SHOWN_LINES]):
        yield _field(label if place == 0 else "", line, style)
    left_out = len(text) - len("\n".join(text[:MAX_SHOWN_CHARS].split("\n")[:MAX_SHOWN_LINES]))
    if left_out > 0 and (len(text) > MAX_SHOWN_CHARS or len(lines) > MAX_SHOWN_LINES):
        yield _field("", f"… {left_out} more characters; --json tells all", "dim")


def _field(label: str, text: str, style: str = "") -> Line:
    return Line(Text.assemble(" " * _INDENT, (f"{label:{_LABEL}}", "dim")), Text(text, style))


def _clock(since_s: float) -> Text:
    return Text(f"{f'+{since_s:.2f} s':{_INDENT}}", "dim")


def _shown(text: str) -> str:
    return _DIRECTIONS.sub("", safe(text)).expandtabs(4)
