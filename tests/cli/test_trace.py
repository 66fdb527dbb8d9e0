"""`hilt trace`: runs listed, shown and exported."""

import json
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pexpect
import pytest
from msgspec.structs import replace
from rich.console import Console

from hilt.assembly.tooling import open_traces
from hilt.cli.timeline import bar, duration, print_lines, timeline
from hilt.cli.trace import moment, write_file
from hilt.conversation import InvalidRequest, Unavailable
from hilt.settings import default_settings
from hilt.traces import find_run, iterate_runs
from tests.cli.conftest import HILT, Hilt
from tests.traces.made import STARTED_S, call, run, turn, write

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\r\b\x00"
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
NOW = datetime(2026, 11, 21, 15, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.fixture
def path(home: dict[str, str]) -> Path:
    """Two runs in the user's own file: an old one without its texts, a new one with them."""
    path = Path(home["XDG_DATA_HOME"]) / "hilt" / "traces.sqlite3"
    write(path, turn("old1"), call("old1"), run("old1", stop_reason="max_iterations"), full=False)
    second = STARTED_S + 100
    write(
        path,
        turn("new2", started_s=second),
        call("new2", started_s=second + 1),
        call(
            "new2",
            call_id="call_2",
            asked="erase",
            tool="",
            outcome="failed",
            reason="unknown_tool",
            started_s=second + 1.5,
            phases_s={},
        ),
        turn("new2", started_s=second + 1.6, number=2, rejected=("the arguments were cut off",), calls=()),
        run("new2", started_s=second, model="org/other"),
    )
    return path


def test_runs_are_listed_newest_first(hilt: Hilt, path: Path) -> None:
    done = hilt("trace", "list")
    assert done.returncode == 0, done.stderr
    heading, *runs = done.stdout.splitlines()
    assert heading.split() == ["run", "started", "ended", "took", "turns", "calls", "model", "tools", "question"]
    assert [line.split()[0] for line in runs] == ["new2", "old1"]
    assert "final" in runs[0]
    assert "calculate erase" in runs[0]
    assert runs[0].endswith("What is 12 * 12?")
    assert "max_iterations" in runs[1]
    assert "12 * 12" not in runs[1]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), ["new2", "old1"]),
        (("--model", "org/other"), ["new2"]),
        (("--tool", "calculate"), ["new2", "old1"]),
        (("--tool", "erase"), ["new2"]),
        (("--stop", "max_iterations"), ["old1"]),
        (("--stop", "unfinished"), []),
        (("--limit", "1"), ["new2"]),
        (("--since", "2000-01-01"), ["new2", "old1"]),
        (("--since", f"{datetime.fromtimestamp(STARTED_S + 50, UTC):%Y-%m-%dT%H:%M:%S+00:00}"), ["new2"]),
    ],
)
def test_runs_for_programs(hilt: Hilt, path: Path, options: tuple[str, ...], found: list[str]) -> None:
    done = hilt("trace", "list", "--json", *options)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["run_id"] for line in done.stdout.splitlines()] == found


def test_a_run_is_shown_as_a_timeline(hilt: Hilt, path: Path) -> None:
    done = hilt("trace", "show", "new")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    starts = [line for line in lines if line.startswith("+")]
    assert [line.split()[2:4] for line in starts] == [
        ["turn", "1"],
        ["calculate", "read,"],
        ["erase", "read,"],
        ["turn", "2"],
    ]
    for told in (
        "final in 2 s",
        "first token after 250 ms, whole in 800 ms, 412 → 22 tokens",
        '<tool_call>{"name": "calc"}</tool_call>',
        'calc {"expression": "12 * 12"}',
        "asked as   calc",
        "calc is called calculate",
        '{"value": 144}',
        "failed (unknown_tool)",
        "the arguments were cut off",
    ):
        assert told in done.stdout, told
    (decode,) = [line for line in lines if "decode" in line]
    (execute,) = [line for line in lines if "execute" in line]
    assert (decode.count("█"), execute.count("█")) == (6, 18)
    assert "1 ms" in decode
    assert "3 ms" in execute
    assert hilt("trace", "show").stdout == hilt("trace", "show", "last").stdout == done.stdout


def test_texts_that_were_not_kept_are_shown_by_their_lengths(hilt: Hilt, path: Path) -> None:
    shown = hilt("trace", "show", "old1").stdout
    assert "(39 characters, not kept)" in shown
    assert "calc (25 characters, not kept)" in shown
    assert "12 * 12" not in shown


def test_a_run_for_programs(hilt: Hilt, path: Path) -> None:
    told = json.loads(hilt("trace", "show", "new2", "--json").stdout)
    assert told["run"]["tools"] == ["calculate", "erase"]
    assert [record["type"] for record in told["records"]] == ["run", "turn", "call", "call", "turn"]


def test_exports_are_private_lines_of_json(hilt: Hilt, path: Path, tmp_path: Path) -> None:
    lines = hilt("trace", "export").stdout.splitlines()
    assert [json.loads(line)["type"] for line in lines] == [
        "run",
        "turn",
        "call",
        "run",
        "turn",
        "call",
        "call",
        "turn",
    ]
    assert hilt("trace", "export", "old").stdout.splitlines() == lines[:3]
    out = tmp_path / "spans.json"
    out.write_text("what was there before")
    assert hilt("trace", "export", "--format", "otlp", "--out", str(out)).returncode == 0
    assert [len(json.loads(line)["resourceSpans"]) for line in out.read_text().splitlines()] == [1, 1]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    def lines():
        yield b"{}"
        raise OSError(28, "No space left on device")

    out = tmp_path / "out.jsonl"
    out.write_text("before")
    with pytest.raises(Unavailable, match="No space left"):
        write_file(out, lines())
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("show", "zzz"), 2, "there is no run 'zzz'"),
        (("show", ""), 2, "several runs begin with '': new2, old1"),
        (("list", "--since", "tomorrowish"), 2, "--since doesn't understand 'tomorrowish'"),
        (("list", "--since", "999999w"), 2, "--since doesn't understand"),
        (("list", "--limit", str(2**64)), 2, "--limit"),
        (("show", "\udcff"), 2, "there is no run"),
        (("export", "--out", "nowhere/x"), 1, "nowhere/x can't be written"),
    ],
)
def test_mistakes_are_told_in_a_line(
    hilt: Hilt, path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = hilt("trace", *arguments)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_without_traces_nothing_is_listed_and_nothing_made(hilt: Hilt, home: dict[str, str]) -> None:
    done = hilt("trace", "list")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no runs are kept" in done.stderr
    assert hilt("trace", "export").stdout == ""
    assert "there are no traces" in hilt("trace", "show").stderr
    assert not (Path(home["XDG_DATA_HOME"]) / "hilt" / "traces.sqlite3").exists()


@pytest.mark.parametrize("arguments", [("list",), ("list", "--json"), ("show",), ("show", "--json"), ("export",)])
@pytest.mark.parametrize("columns", [80, 160])
def test_no_control_character_reaches_the_terminal(
    home: dict[str, str], arguments: tuple[str, ...], columns: int
) -> None:
    path = Path(home["XDG_DATA_HOME"]) / "hilt" / "traces.sqlite3"
    write(
        path,
        turn(HOSTILE, finish=HOSTILE, raw=HOSTILE, content=f"a{HOSTILE}", calls=((HOSTILE, HOSTILE),)),
        call(
            HOSTILE,
            call_id=HOSTILE,
            asked=f"a{HOSTILE}",
            tool=HOSTILE,
            effect=HOSTILE,
            arguments=HOSTILE,
            normalised=f"a{HOSTILE}",
            warnings=(HOSTILE,),
            verdict=HOSTILE,
            outcome=HOSTILE,
            reason=HOSTILE,
            text=HOSTILE,
            phases_s={HOSTILE: 1.0},
        ),
        run(HOSTILE, model=HOSTILE, question=HOSTILE, stop_reason=HOSTILE),
    )
    child = pexpect.spawn(
        HILT[0],
        [*HILT[1:], "trace", *arguments],
        env={name: value for name, value in home.items() if name != "COLUMNS"} | {"NO_COLOR": "1", "TERM": "dumb"},
        dimensions=(50, columns),
        encoding="utf-8",
        timeout=60,
    )
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, child.before
    shown = child.before.replace("\r\n", "\n")
    assert "gnp.exe" in shown
    assert not UNSAFE.findall(shown)


def test_assembly_opens_the_store_as_its_options_say(tmp_path: Path) -> None:
    complaints: list[str] = []
    settings = default_settings(tmp_path, tmp_path)
    settings = replace(settings, traces=replace(settings.traces, max_runs=1))
    with open_traces(settings, complaints.append) as write_record:
        write_record(turn("old", content="sk-canary1"))
        write_record(turn("new", content="sk-canary1"))
    (trace,) = iterate_runs(settings.traces.path)
    assert (trace.run_id, trace.steps[0].record.content, trace.steps[0].chars["content"]) == ("new", "", 10)
    assert complaints == []


def test_a_timeline_is_wrapped_beside_its_heads(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    write(path, turn(content="many words " * 40, raw="x" * 300), call(text="line\n" * 100), run())
    with (tmp_path / "out").open("w+", encoding="utf-8") as out:
        console = Console(file=out, width=80, force_terminal=True, no_color=True, highlight=False)
        print_lines(timeline(find_run(path, "run1"), UTC), console)
        out.seek(0)
        lines = re.sub("\x1b\\[[0-9;]*m", "", out.read()).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("many words" in line for line in lines) > 5
    assert all(line.startswith(" " * 11) for line in lines if "many words" in line or "xxx" in line)
    assert "--json tells all" in lines[-1]


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        (" 7 d ", NOW - timedelta(days=7)),
        ("1w", NOW - timedelta(weeks=1)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=NOW.tzinfo)),
        ("2026-11-20T08:00", datetime(2026, 11, 20, 8, tzinfo=NOW.tzinfo)),
        ("2026-11-20T08:00Z", datetime(2026, 11, 20, 8, tzinfo=UTC)),
    ],
)
def test_times_that_users_write(text: str, when: datetime) -> None:
    assert moment(text, NOW) == when


@pytest.mark.parametrize("text", ["", "h", "2 hours", "-1h", "1.5h", "2026-13-01", "999999w", "yesterday"])
def test_times_that_nobody_understands(text: str) -> None:
    with pytest.raises(InvalidRequest, match="--since"):
        moment(text, NOW)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (-1.0, "0 s"),
        (2e-6, "2 µs"),
        (0.0031, "3.1 ms"),
        (0.25, "250 ms"),
        (2.345, "2.35 s"),
        (321.4, "321 s"),
    ],
)
def test_durations_have_three_digits(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("share", "drawn"), [(1.0, "████"), (0.5, "██"), (0.0, "▏"), (0.55, "██▎"), (2.0, "████"), (-1.0, "▏")]
)
def test_bars_are_to_the_eighth(share: float, drawn: str) -> None:
    assert bar(share, 4) == drawn


def test_the_command_itself_imports_no_mlx() -> None:
    seen = "import sys, hilt.cli.trace, hilt.cli.timeline; print('mlx' in sys.modules or 'starlette' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True).stdout.strip() == "False"
