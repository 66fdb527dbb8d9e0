"""What `hilt run` lets a model do: rules, dry runs, questions for later, local work, other servers, modes, settings."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hilt.backends import ScriptedBackend
from hilt.conversation import Call
from tests.agent.scripts import calls, says
from tests.cli.conftest import HILT, Hilt
from tests.server.fakes import app_of, running

NOTE = "Add a note: buy milk"


def notes(tmp_path: Path) -> list[str]:
    folder = tmp_path / "data" / "hilt" / "notes"
    return sorted(path.name for path in folder.glob("*.md"))


def events(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def outcomes(done: "subprocess.CompletedProcess[str]") -> list[str]:
    return [event["outcome"]["type"] for event in events(done) if event["type"] == "tool_finished"]


@pytest.mark.parametrize(
    ("options", "outcome", "written"),
    [
        ((), "denied", 0),
        (("--allow", "add_note"), "succeeded", 1),
        (("--allow", "add_note", "--deny", "notes_create"), "denied", 0),
        (("--allow", "add_note", "--dry-run"), "planned", 0),
    ],
)
def test_rules_on_the_command_line(
    options: tuple[str, ...], outcome: str, written: int, hilt: Hilt, tmp_path: Path
) -> None:
    done = hilt("run", "--json", *options, NOTE)
    assert outcomes(done)[:1] == [outcome], done.stderr
    assert len(notes(tmp_path)) == written


def test_a_question_waits_in_a_file_and_is_answered_later(hilt: Hilt, tmp_path: Path) -> None:
    waiting = hilt("run", "--later", "run.json", NOTE)
    assert waiting.returncode == 0, waiting.stderr
    assert "waiting for an answer:" in waiting.stderr
    assert '{"text": "buy milk"}' in waiting.stderr
    file = tmp_path / "run.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert notes(tmp_path) == []

    unknown = hilt("resume", "run.json", "--approve", "call_x")
    assert (unknown.returncode, "no call with the id 'call_x' waits" in unknown.stderr) == (2, True)
    # An answer for other arguments than were asked about is none.
    kept = file.read_text(encoding="utf-8")
    altered = json.loads(kept)
    altered["state"]["work"]["calls"][0]["arguments"] = '{"text": "buy gold"}'
    file.write_text(json.dumps(altered))
    changed = hilt("resume", "run.json", "--approve", "all")
    assert (changed.returncode, "was changed" in changed.stderr) == (2, True)
    assert notes(tmp_path) == []

    file.write_text(kept, encoding="utf-8")
    resumed = hilt("resume", "run.json", "--approve", "all")
    assert resumed.returncode == 0, resumed.stderr
    assert len(notes(tmp_path)) == 1
    assert not file.exists()
    gone = hilt("resume", "run.json", "--approve", "all")
    assert (gone.returncode, "there is no file run.json" in gone.stderr) == (2, True)


def test_settings_of_the_user_and_of_the_project(hilt: Hilt, tmp_path: Path) -> None:
    own = tmp_path / "config" / "hilt" / "hilt.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[policy]\nallow = ["add_note"]\n')
    assert outcomes(hilt("run", "--json", NOTE)) == ["succeeded"]
    project = tmp_path / "hilt.toml"
    project.write_text('[policy]\ndeny = ["add_note"]\n')
    assert outcomes(hilt("run", "--json", NOTE))[:1] == ["denied"]
    project.write_text('[policy]\nallow = ["*"]\n')
    refused = hilt("run", NOTE)
    assert (refused.returncode, "may stand only in your own configuration" in refused.stderr) == (2, True)


@contextmanager
def served(*turns: Any) -> Iterator[tuple[str, ScriptedBackend]]:
    backend = ScriptedBackend(turns)
    with running(app_of({"there": backend})) as url:
        yield f"{url}/v1", backend


def test_a_model_on_another_server_has_the_tools_of_this_one(hilt: Hilt) -> None:
    with served(calls(Call("c1", "calculate", '{"expression": "6*7"}')), says("It is 42.")) as (url, backend):
        done = hilt("run", "--remote", url, "there", "How much is 6 * 7?")
    assert (done.returncode, done.stdout) == (0, "It is 42.\n"), done.stderr
    assert {"calculate", "create_file", "web_fetch"} < {tool.name for tool in backend.requests[0].tools}
    assert '"value": 42' in backend.requests[1].messages[-1].content


def test_a_model_on_another_server_is_taught_tools(hilt: Hilt) -> None:
    line = '{"type": "tool_call", "name": "calculate", "arguments": {"expression": "6*7"}}'
    with served(says(line), says('{"type": "final_answer", "content": "It is 42."}')) as (url, backend):
        done = hilt("run", "--remote", url, "--way", "text", "there", "How much is 6 * 7?")
    assert (done.returncode, done.stdout) == (0, "It is 42.\n"), done.stderr
    assert backend.requests[0].tools == ()
    assert "calculate" in backend.requests[0].messages[0].content


def test_a_server_that_is_not_there_is_told_in_a_line(hilt: Hilt) -> None:
    done = hilt("run", "--remote", "http://127.0.0.1:9/v1", "there", "Hello")
    assert done.returncode == 1
    assert "the model failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_local_work_reaches_no_other_machine(hilt: Hilt) -> None:
    done = hilt("run", "--local-only", "--remote", "http://192.0.2.1/v1", "there", "Hello")
    assert done.returncode == 2
    assert "beyond this machine" in done.stderr
    with served(calls(Call("c1", "web_fetch", '{"url": "https://192.0.2.1/"}')), says("no")) as (url, backend):
        assert hilt("run", "--local-only", "--remote", url, "there", "Hello").stdout == "no\n"
    assert "can't be used here" in backend.requests[1].messages[-1].content


def test_the_knowledge_base_is_searched_first_and_cited(hilt: Hilt, tmp_path: Path) -> None:
    (tmp_path / "fruit.md").write_text("# Apples\n\nThe Boskoop apple ripens in October.\n")
    assert hilt("kb", "add", "fruit.md").returncode == 0
    with served(says("In October [S1], not in May [S9].")) as (url, backend):
        done = hilt("run", "--mode", "rag_first", "--remote", url, "there", "When does the Boskoop ripen?")
    assert done.stdout == "In October [S1], not in May.\n", done.stderr
    assert "[S1]" in done.stderr
    assert "Boskoop" in backend.requests[0].messages[-1].content


def test_tools_of_ones_own(hilt: Hilt, tmp_path: Path) -> None:
    (tmp_path / "dice.py").write_text(
        "from hilt.tools import tool\n\n"
        '@tool(effect="read")\n'
        "def roll(sides: int = 6) -> int:\n"
        '    """Roll a die."""\n'
        "    return sides\n"
    )
    with served(calls(Call("c1", "roll", "{}")), says("six")) as (url, backend):
        done = hilt("run", "--tools", "dice.py", "--offer", "roll", "--remote", url, "there", "Roll!")
    assert done.stdout == "six\n", done.stderr
    assert [tool.name for tool in backend.requests[0].tools] == ["read_result", "roll"]
    assert backend.requests[1].messages[-1].content == "6"


def test_tools_that_are_off_stay_off(hilt: Hilt, home: dict[str, str], tmp_path: Path) -> None:
    hilt("tools", "off", "maintenance")
    with served(calls(Call("c1", "calculate", '{"expression": "6*7"}'))) as (url, _):
        done = subprocess.run(
            [*HILT, "run", "--remote", url, "there", "How much?"],
            env=home,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert "tools were switched off: maintenance" in done.stderr
    assert sys.executable in HILT
    hilt("tools", "on")
    assert "4" in hilt("tools", "run", "calculate", "--expression", "2+2").stdout
