"""Runs as a table: a line for each, or two where the terminal is narrow."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from hilt.cli.timeline import duration, one_line, stop_style, time_of_day
from hilt.traces import Summary

_HEADINGS = ("run", "started", "ended", "took", "turns", "calls", "model", "tools", "question")
_HEADING_STYLES = ("bold",) * len(_HEADINGS)
_STYLES = ("cyan", "")  # up to what depends on how the run ended
_LATER_STYLES = ("", "", "", "", "cyan", "")
_NUMBERS = ("took", "turns", "calls")
_FIRST_OF_LINE_TWO = _HEADINGS.index("tools")
_WIDE = 120
_MAX_TOOLS_CHARS = 30
_MAX_QUESTION_CHARS = 200
_TO_THE_MINUTE = len("2026-01-31 12:00")
_LEAST_ID_LENGTH = 8


def print_runs(runs: Sequence[Summary], console: Console, zone: tzinfo | None) -> None:
    """Print the runs with their times of day in `zone`; what a terminal is too narrow for is cut, in a pipe all is
    printed."""
    length = _id_length([run.run_id for run in runs])
    rows = [_HEADINGS, *(_cells(run, length, zone) for run in runs)]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*rows, strict=True)]
    narrow = console.is_terminal and console.width < _WIDE
    for place, cells in enumerate(rows):
        padded = [_padded(column, cell, widths[column]) for column, cell in enumerate(cells)]
        styles = _HEADING_STYLES if place == 0 else (*_STYLES, stop_style(runs[place - 1].stop_reason), *_LATER_STYLES)
        texts = [Text(cell, style) for cell, style in zip(padded, styles, strict=True)]
        for line in _lines(texts, narrow):
            if console.is_terminal:
                line.truncate(console.width, overflow="ellipsis")
            console.print(line, soft_wrap=True)


def _lines(cells: list[Text], narrow: bool) -> Iterator[Text]:
    parts = [cells[:_FIRST_OF_LINE_TWO], [Text(), *cells[_FIRST_OF_LINE_TWO:]]] if narrow else [cells]
    for part in parts:
        line = Text("  ").join(part)
        line.rstrip()
        if line:
            yield line


def _cells(run: Summary, id_length: int, zone: tzinfo | None) -> tuple[str, ...]:
    return (
        one_line(run.run_id)[:id_length],
        time_of_day(run.started_s, zone)[:_TO_THE_MINUTE],
        one_line(run.stop_reason) or "unfinished",
        "" if run.duration_s is None else duration(run.duration_s),
        str(run.turns),
        str(run.calls),
        one_line(run.model.rpartition("/")[2]),
        one_line(" ".join(run.tools)[:_MAX_TOOLS_CHARS]),
        one_line(run.question[:_MAX_QUESTION_CHARS]),
    )


def _padded(column: int, cell: str, width: int) -> str:
    gap = " " * (width - cell_len(cell))
    return gap + cell if _HEADINGS[column] in _NUMBERS else cell + gap


def _id_length(ids: list[str]) -> int:
    """How much of the ids tells these runs apart, and not less than eight characters."""
    length = _LEAST_ID_LENGTH
    while len({run_id[:length] for run_id in ids}) < len(ids):
        length += 1
    return length
