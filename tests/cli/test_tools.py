"""`hilt tools`: the tools listed, shown, run by hand, made anew and switched off, as a user does it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.cli.conftest import HILT, Hilt

SPECS = json.loads((Path(__file__).parents[1] / "tools" / "specs.json").read_text(encoding="utf-8"))
SPEC = {spec["name"]: spec for spec in SPECS}
ESCAPE = "\x1b"
SENDS = '''
from hilt.conversation import Card, Source
from hilt.tools import Change, Tool, tool

def plan(to: str, json: str = "") -> tuple[Change, ...]:
    return (Change("send", to, "a letter"),)

def card(sent: str) -> Card:
    return Card("<Sent>", (("to", sent),))

@tool(effect="external", domain="mail", permission="mail:send", aliases=("mail",), plan=plan, card=card,
      sources=lambda sent: (Source("Outbox", f"file:///{sent}"),))
def send_letter(to: str, json: str = "") -> str:
    """Send a letter."""
    return f"{to}{json}"

@tool(effect="read", platforms=("nowhere",))
def far_away() -> str:
    """Be far away."""
    return ""
'''


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A file with a tool of the user's own that sends, and one that can't be used here."""
    file = tmp_path / "own.py"
    file.write_text(SENDS, encoding="utf-8")
    return file


def _told(hilt: Hilt, *arguments: str, exit_status: int = 0) -> Any:
    done = hilt("tools", *arguments, "--json")
    assert (done.returncode, done.stderr) == (exit_status, "")
    return json.loads(done.stdout)


# List and show


def test_the_list_tells_effect_domain_and_what_they_do(hilt: Hilt, own: Path) -> None:
    done = hilt("tools", "list", "--tools", str(own))
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    assert [*lines] == sorted(lines)
    assert ["send_letter", "external", "mail", "Send a letter."] in lines
    assert {line[0] for line in lines} >= {*SPEC, "send_letter"}
    assert "far_away" not in done.stdout
    everything = hilt("tools", "list", "--all", "--tools", str(own)).stdout
    assert everything.startswith(done.stdout)
    assert ["far_away", "it works on nowhere only"] in [line.split(maxsplit=1) for line in everything.splitlines()]


@pytest.mark.parametrize("wanted", [("--effect", "external"), ("--domain", "mail"), ("--permission", "mail:send")])
def test_the_list_can_be_narrowed(wanted: tuple[str, str], hilt: Hilt, own: Path) -> None:
    listed = _told(hilt, "list", "--tools", str(own), *wanted)
    assert "send_letter" in [tool["name"] for tool in listed["tools"]]
    assert not {tool["name"] for tool in listed["tools"]} & {*SPEC}
    assert listed["withheld"]["far_away"] == "it works on nowhere only"


FORMS: list[tuple[str, Callable[[Any], Any]]] = [
    ("openai", lambda shown: shown["function"]),
    ("ollama", lambda shown: shown["function"]),
    ("responses", lambda shown: {key: shown[key] for key in ("name", "description", "parameters")}),
    ("anthropic", lambda shown: {**_without(shown, "input_schema"), "parameters": shown["input_schema"]}),
    (
        "mcp",
        lambda shown: {
            **_without(shown, "inputSchema", "annotations", "title"),
            "parameters": shown["inputSchema"],
        },
    ),
]


def _without(shown: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in names}


@pytest.mark.parametrize(("form", "spec"), FORMS, ids=[form for form, _ in FORMS])
def test_a_tool_is_shown_in_every_shape(form: str, spec: Callable[[Any], Any], hilt: Hilt) -> None:
    done = hilt("tools", "show", "convert_units", "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    assert spec(json.loads(done.stdout)) == SPEC["convert_units"]


def test_a_tool_is_shown_to_people_and_as_it_is_taught(hilt: Hilt, own: Path) -> None:
    shown = hilt("tools", "show", "mail", "--tools", str(own)).stdout
    assert "name          send_letter\n" in shown
    assert "permission    mail:send\n" in shown
    assert "  to    string, required\n" in shown
    assert '  json  string, "" if left out\n' in shown
    assert "<tool_call>" in hilt("tools", "show", "add_note", "--format", "text", "--dialect", "hermes").stdout
    assert hilt("tools", "show", "add_note", "--format", "markdown").stdout.startswith("## add_note\n\nSave a note.\n")


# Run


def test_a_call_with_options_made_from_its_parameters(hilt: Hilt) -> None:
    done = hilt("tools", "run", "calculate", "--expression", "-2+3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "calculate\n  expression: -2+3\n  value: 1\n"
    told = _told(hilt, "run", "convert_units", "--value", "2", "--from_unit", "km", "--to-unit=m")
    assert told["outcome"] == "succeeded"
    assert told["result"]["result"] == 2000


def test_the_help_of_a_tool_is_made_from_its_parameters(hilt: Hilt) -> None:
    done = hilt("tools", "run", "search_notes", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for said in ("Search the saved notes.", "--query", "Words to look for. [required]", "INTEGER", "[default: 5]"):
        assert said in done.stdout


def test_arguments_as_json_from_the_line_and_from_a_pipe(hilt: Hilt) -> None:
    assert "value: 4" in hilt("tools", "run", "calculate", "--arguments", '{"expression": "2+2"}').stdout
    assert "value: 4" in hilt("tools", "run", "calculate", "--arguments", "-", stdin='{"expression": "2+2"}').stdout


BAD: list[tuple[list[str], int, str]] = [
    (["calculate"], 1, "expression: this parameter is required"),
    (["calculate", "--expression", "2 apples"], 1, "expression"),
    (["calculate", "--arguments", '{"expression": "2", "expression": "3"}'], 1, "expression"),
    (["calculate", "--arguments", "[1]"], 1, "object"),
    (["search_notes", "--query", "x", "--limit", "many"], 1, "limit: Input should be a valid integer"),
    (["read_file", "--path", "../../etc/passwd"], 1, "outside"),
    (["calculate", "--nothing", "x"], 2, "No such option: --nothing"),
    (["calculate", "extra"], 2, "unexpected extra argument"),
    (["calculate", "--json", "--html", "--expression", "1"], 2, "--json and --html don't go together"),
    (["nothing"], 2, "there is no tool named 'nothing'; the tools are: add_event, add_note"),
    (["calculate", "--tools", "nowhere.py"], 2, "nowhere.py: there is no such file"),
]


@pytest.mark.parametrize(("words", "exit_status", "said"), BAD)
def test_a_mistake_is_told_and_fails(words: list[str], exit_status: int, said: str, hilt: Hilt) -> None:
    done = hilt("tools", "run", *words)
    assert done.returncode == exit_status
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_call_that_changes_something_runs_only_with_a_yes(hilt: Hilt, own: Path) -> None:
    call = ("run", "--tools", str(own), "send_letter", "--to", "Ann & Bo")
    refused = _told(hilt, *call, exit_status=1)
    assert (refused["outcome"], refused["reason"]) == ("denied", "policy")
    planned = _told(hilt, *call, "--dry-run")
    assert planned["outcome"] == "planned"
    assert planned["plan"]["plan"]["changes"] == [{"kind": "send", "target": "Ann & Bo", "detail": "a letter"}]
    assert hilt("tools", *call, "--dry-run").stdout == (
        "send_letter: a dry run; nothing was changed\n  send: Ann & Bo · a letter\n"
    )
    allowed = _told(hilt, *call, "--yes")
    assert (allowed["outcome"], allowed["result"]) == ("succeeded", "Ann & Bo")
    assert allowed["sources"] == [{"title": "Outbox", "place": "file:///Ann & Bo"}]
    html = hilt("tools", *call, "--yes", "--html").stdout
    assert "&lt;Sent&gt;" in html
    assert "Ann &amp; Bo" in html


def test_a_tool_of_ones_own_cant_take_the_name_of_another(hilt: Hilt, own: Path) -> None:
    for name in ("calculate", "read_result", "call_tool"):
        own.write_text(SENDS.replace("send_letter", name), encoding="utf-8")
        done = hilt("tools", "list", "--tools", str(own))
        assert (done.returncode, done.stdout) == (2, "")
        assert f"own.py: Hilt has a tool named {name!r} already" in done.stderr


def test_a_call_by_hand_is_remembered(hilt: Hilt) -> None:
    assert hilt("tools", "run", "calculate", "--expression", "2+2").returncode == 0
    done = hilt("trace", "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "final" in done.stdout
    assert "calculate" in hilt("trace", "show", "last", "--json").stdout


def test_text_that_is_no_utf8_is_a_mistake_and_no_crash(home: dict[str, str], tmp_path: Path) -> None:
    for words, stdin in (([b"--expression", b"\xff"], b""), ([b"--arguments", b"-"], b'{"expression": "\xff"}')):
        done = subprocess.run(
            [*map(os.fsencode, HILT), b"tools", b"run", b"calculate", *words],
            env=home,
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode in (1, 2)
        assert done.stderr.startswith(b"hilt: ")
        assert b"Traceback" not in done.stderr


def test_a_name_that_is_taken_on_the_line_is_given_as_json(hilt: Hilt, own: Path) -> None:
    words = ("run", "mail", "--tools", str(own), "--yes", "--to", "x", "--arguments", '{"json": "y", "to": "z"}')
    assert _told(hilt, *words)["result"] == "xy"


def test_at_a_terminal_the_user_is_asked(home: dict[str, str], tmp_path: Path) -> None:
    for answer, wanted in (("y", "  text: milk"), ("n", "the user did not allow this call")):
        child = pexpect.spawn(
            HILT[0], [*HILT[1:], "tools", "run", "add_note", "--text", f"milk{ESCAPE}[2J"], env=home, cwd=str(tmp_path)
        )
        child.expect("Allow it", timeout=60)
        child.sendline(answer)
        child.expect_exact(wanted, timeout=60)
        child.expect(pexpect.EOF, timeout=60)
        child.close()
        assert child.exitstatus == (0 if answer == "y" else 1)


# New


@pytest.mark.parametrize("effect", ["read", "write", "destructive", "external"])
def test_a_new_tool_passes_its_tests_and_runs(effect: str, hilt: Hilt, home: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "made here"
    done = hilt("tools", "new", "word_count", "--folder", str(folder), "--effect", effect)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == ["test_word_count.py", "word_count.py"]
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", str(folder)],
        env=home,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert tested.returncode == 0, tested.stdout
    told = _told(hilt, "run", "word_count", "--tools", str(folder), "--text", "one", "--yes")
    assert told["outcome"] == "succeeded"


def test_nothing_is_overwritten(hilt: Hilt, tmp_path: Path) -> None:
    (tmp_path / "test_word_count.py").write_text("mine", encoding="utf-8")
    done = hilt("tools", "new", "word_count")
    assert done.returncode == 2
    assert "test_word_count.py is there already" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".py"] == ["test_word_count.py"]
    assert (tmp_path / "test_word_count.py").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    "name", ["WordCount", "a-b", "a__b", "../a", "class", "match", "json", "msgspec", "calculate", "test_a", "tool", ""]
)
def test_a_name_that_could_be_no_tool_is_refused(name: str, hilt: Hilt, tmp_path: Path) -> None:
    done = hilt("tools", "new", name)
    assert done.returncode == 2
    assert done.stderr.startswith("hilt: ")
    assert repr(name) in done.stderr
    assert not list(tmp_path.glob("**/*.py"))


# Off and on


def test_off_holds_in_other_processes_until_on(hilt: Hilt, tmp_path: Path) -> None:
    assert hilt("tools", "off", "too", "many", "mails").stdout == "Tools are off: too many mails\n"
    call = ("run", "calculate", "--expression", "2")
    refused = _told(hilt, *call, exit_status=1)
    assert (refused["outcome"], refused["reason"]) == ("denied", "switched_off")
    assert "too many mails" in refused["error"]
    listed = hilt("tools", "list").stdout
    assert listed.startswith("Tools are switched off: too many mails\n'hilt tools on' lets them run again.\n")
    assert _told(hilt, "list")["switched_off"] == "too many mails"
    assert hilt("tools", "on").stdout == "Tools are on.\n"
    assert _told(hilt, *call)["outcome"] == "succeeded"
    assert _told(hilt, "list")["switched_off"] is None


def test_off_stops_a_call_that_runs(hilt: Hilt, home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import asyncio\nfrom hilt.tools import tool\n\n"
        '@tool(effect="read", timeout_s=100)\nasync def wait() -> str:\n    """Wait."""\n'
        '    print("waiting", flush=True)\n    await asyncio.sleep(90)\n    return ""\n',
        encoding="utf-8",
    )
    call = [*HILT, "tools", "run", "wait", "--tools", "slow.py"]
    with subprocess.Popen(call, env=home, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"waiting\n"
        assert hilt("tools", "off", "stop").returncode == 0
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"tools were switched off while this call ran: stop" in said


def test_off_works_where_nothing_else_does(home: dict[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    for module in ("mlx", "mlx_lm", "transformers", "numpy", "httpx2", "trafilatura", "pint"):
        (broken / module).mkdir(parents=True)
        (broken / module / "__init__.py").write_text("raise RuntimeError('broken')", encoding="utf-8")
    (tmp_path / "config" / "hilt").mkdir(parents=True)
    (tmp_path / "config" / "hilt" / "hilt.toml").write_text("broken = [", encoding="utf-8")
    environment = home | {
        "PYTHONPATH": os.pathsep.join([str(broken), home.get("PYTHONPATH", "")]),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    for words, said in ((["off"], "Tools are off: no reason was given\n"), (["on"], "Tools are on.\n")):
        done = subprocess.run(
            [*HILT, "tools", *words], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert (done.stdout, done.stderr) == (said, "")


def test_a_switch_that_cant_be_turned_says_so(hilt: Hilt, tmp_path: Path) -> None:
    (tmp_path / "data" / "hilt" / "tools.off" / "inner").mkdir(parents=True)
    done = hilt("tools", "on")
    assert done.returncode == 1
    assert done.stderr.startswith("hilt: tools can't be switched on: ")
    assert _told(hilt, "list")["switched_off"] is not None
