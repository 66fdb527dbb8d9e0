"""`hilt trace`: which runs there were, what happened in one, and all of it for other programs."""

import os
import re
import secrets
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import msgspec
import typer

from hilt.conversation import InvalidRequest, Unavailable

if TYPE_CHECKING:
    from hilt.traces import Trace

trace = typer.Typer(
    help="What happened in earlier runs: turns, calls, times and outcomes.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_AGE = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_NO_TRACES = "no runs are kept here"
_NONE_FOUND = "no run is like that"

# JSON allows these to stand as they are, and a terminal would obey some.
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@trace.command(name="list")
def list_(
    model: Annotated[str | None, typer.Option(help="Only runs of this model.")] = None,
    tool: Annotated[str | None, typer.Option(help="Only runs that called this tool.")] = None,
    stop: Annotated[
        str | None, typer.Option(metavar="REASON", help="Only runs that ended so, 'unfinished' for those that did not.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only runs since then: 30m, 2h, 7d, or a date such as 2026-01-31."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="The most runs.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print each run as a line of JSON.")] = False,
) -> None:
    """List the runs, the newest first."""
    from hilt.assembly import clock, load_settings
    from hilt.traces import Wanted, list_runs

    now = clock()()
    wanted = Wanted(
        model=model,
        stop_reason="" if stop == "unfinished" else stop,
        tool=tool,
        since_s=None if since is None else moment(since, now).timestamp(),
    )
    path = load_settings().traces.path
    runs = list_runs(path, wanted, limit)
    if as_json:
        _write(msgspec.json.encode(run) for run in runs)
    elif runs:
        from rich.console import Console

        from hilt.cli.run_table import print_runs

        print_runs(runs, Console(file=_utf8_output(), highlight=False), now.tzinfo)
    else:
        print(f"{_NO_TRACES} ({path})" if wanted == Wanted() else _NONE_FOUND, file=sys.stderr)


@trace.command()
def show(
    run_id: Annotated[str, typer.Argument(help="A run's id or its beginning; 'last' is the newest run.")] = "last",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with all that is kept.")] = False,
) -> None:
    """Show what happened in a run: its turns and calls, what took how long, and what was said if that was kept."""
    from hilt.assembly import clock, load_settings
    from hilt.traces import find_run, summary

    found = find_run(load_settings().traces.path, run_id)
    if as_json:
        records = [msgspec.Raw(line) for line in _records(found)]
        _write([msgspec.json.encode({"run": summary(found), "records": records})])
        return
    from rich.console import Console

    from hilt.cli.timeline import print_lines, timeline

    print_lines(timeline(found, clock()().tzinfo), Console(file=_utf8_output(), highlight=False))


@trace.command()
def export(
    run_id: Annotated[
        str | None,
        typer.Argument(help="A run's id or its beginning, or 'last'; without it all runs, the oldest first."),
    ] = None,
    form: Annotated[
        Literal["jsonl", "otlp"],
        typer.Option(
            "--format", help="Records as lines of JSON, or spans for OpenTelemetry: a line of JSON for each run."
        ),
    ] = "jsonl",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="The file to write; without it, standard output."),
    ] = None,
) -> None:
    """Write traces for other programs."""
    from hilt.assembly import load_settings, version
    from hilt.traces import find_run, iterate_runs, otlp

    path = load_settings().traces.path
    traces = iterate_runs(path) if run_id is None else iter([find_run(path, run_id)])
    if form == "otlp":
        written = version()
        lines = (otlp(found, written) for found in traces)
    else:
        lines = (line for found in traces for line in _records(found))
    if out is None or str(out) == "-":
        _write(lines)
    else:
        write_file(out, lines)


def moment(text: str, now: datetime) -> datetime:
    """What a user calls a time, at `now`: an age such as 2h, or a date, with a time or without, in the zone of `now`.

    Raises InvalidRequest if it is neither.
    """
    text = text.strip()
    try:
        age = _AGE.fullmatch(text)
        if age is not None:
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        named = datetime.fromisoformat(text)
        return named.replace(tzinfo=now.tzinfo) if named.tzinfo is None else named
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            f"--since doesn't understand {text[:100]!r}: write an age such as 30m, 2h or 7d, or a date such as "
            f"{now:%Y-%m-%d} or {now:%Y-%m-%dT%H:%M}",
            param="since",
        ) from error


def write_file(out: Path, lines: Iterable[bytes]) -> None:
    """Write the lines to `out`, for its owner's eyes only; what stood there is replaced at the end, or not at all.

    Raises Unavailable if it can't be written.
    """
    unfinished = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
            for line in lines:
                file.write(_harmless(line) + b"\n")
        unfinished.replace(out)
    except OSError as fault:
        raise Unavailable(f"{out} can't be written: {fault.strerror or fault}") from fault
    finally:
        unfinished.unlink(missing_ok=True)


def _records(found: "Trace") -> Iterator[bytes]:
    from hilt.traces import json_lines

    return json_lines(found)


def _write(lines: Iterable[bytes]) -> None:
    out = _utf8_output()
    for line in lines:
        out.write(_harmless(line).decode() + "\n")
    out.flush()


def _harmless(line: bytes) -> bytes:
    """A line of JSON that says the same, without what a terminal could obey."""
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode()).encode()


def _utf8_output() -> TextIOWrapper:
    """Standard output, in UTF-8 even where the locale is another."""
    out = cast("TextIOWrapper", sys.stdout)
    out.reconfigure(encoding="utf-8")
    return out
