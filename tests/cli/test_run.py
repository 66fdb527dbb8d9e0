"""`hilt run` on the starter model: the main job, for people, for pipes and for programs."""

import json
from datetime import datetime
from pathlib import Path

import msgspec
import pexpect
import pytest

from hilt.conversation import CallFinished, Event, RunFinished, Succeeded, ToolFinished
from tests.cli.conftest import HILT, Hilt
from tests.tiny import write_tiny_model

QUESTION = "How much is 17 % of 2340, and what day is it?"
ESCAPE = "\x1b"


def test_first_command_calls_both_tools_and_answers_from_their_results(hilt: Hilt) -> None:
    days = {f"{datetime.now():%A}"}
    done = hilt("run", QUESTION)
    days.add(f"{datetime.now():%A}")
    assert done.returncode == 0, done.stderr
    assert "● calculate" in done.stderr
    assert "● current_time" in done.stderr
    assert "397.8" in done.stdout
    assert any(day in done.stdout for day in days), done.stdout


def test_a_pipe_gets_the_answer_alone_and_no_escapes(hilt: Hilt) -> None:
    done = hilt("run", "What is 12 * 12?")
    assert "144" in done.stdout
    assert "calculate" not in done.stdout
    assert "<tool_call>" not in done.stdout + done.stderr
    assert ESCAPE not in done.stdout + done.stderr


def test_json_gives_every_event_as_a_line(hilt: Hilt) -> None:
    done = hilt("run", "--json", "What is 12 * 12?")
    events: list[Event] = [msgspec.json.decode(line, type=Event) for line in done.stdout.splitlines()]
    assert isinstance(events[-1], RunFinished)
    assert events[-1].reason == "final"
    (call,) = [e.call for e in events if isinstance(e, CallFinished)]
    assert call.name == "calculate"
    (finished,) = [e for e in events if isinstance(e, ToolFinished)]
    assert isinstance(finished.outcome, Succeeded)
    assert json.loads(finished.outcome.text)["value"] == 144
    assert events[-1].usage.cached_tokens > 0  # the second turn did not read the first one's prompt again


def test_arguments_are_shown_while_they_arrive(hilt: Hilt) -> None:
    done = hilt("run", "--json", "What is 123456 * 654321?")
    kinds = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    start = kinds.index("call_started")
    assert kinds[start : kinds.index("call_finished")].count("arguments") >= 5


def test_the_prompt_may_come_from_a_pipe(hilt: Hilt) -> None:
    assert "144" in hilt("run", stdin="What is 12 * 12?").stdout


def test_verbose_tells_speed_device_and_tips(hilt: Hilt) -> None:
    told = hilt("run", "-v", "What is 12 * 12?").stderr
    for part in ("tokens/s", "first token after", "cached", "· cpu", "float32"):
        assert part in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "no-such-model", "hi"), "there is no model 'no-such-model'"),
        (("run", "nobody/no-such-model", "hi"), "can't be fetched"),
        (("run", ""), "the prompt is empty"),
        (("run", ".", "hi"), "no readable config.json"),
        (("serve", "."), "no readable config.json"),
        (("serve", "--host", "0.0.0.0"), "API key"),
    ],
)
def test_mistakes_are_told_in_a_line(hilt: Hilt, arguments: tuple[str, ...], said: str) -> None:
    done = hilt(*arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_writing_is_refused_when_nobody_can_answer(hilt: Hilt, tmp_path: Path) -> None:
    done = hilt("run", "Save a note: the spare key is under the green pot")
    assert "● add_note" in done.stderr
    assert "nobody is here to allow this call" in done.stderr
    assert _notes(tmp_path) == []


def _notes(home: Path) -> list[Path]:
    return list(home.glob("data/hilt/notes/*.md"))


def _chat(home: dict[str, str], folder: Path, *arguments: str) -> "pexpect.spawn[str]":
    child = pexpect.spawn(
        HILT[0], [*HILT[1:], "run", *arguments], env=home, cwd=str(folder), encoding="utf-8", timeout=60
    )
    child.expect_exact(">>>")
    return child


def test_chat_remembers_lists_tools_and_leaves(home: dict[str, str], tmp_path: Path) -> None:
    child = _chat(home, tmp_path)
    child.sendline("/tools")
    child.expect_exact("convert_units")
    child.sendline("What is 12 * 12?")
    child.expect_exact("calculate")
    child.expect("144.*>>>")
    child.sendline("/nonsense")
    child.expect_exact("There is no command /nonsense")
    child.sendline("/exit")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "12 * 12" in (tmp_path / "data/hilt/history").read_text()


@pytest.mark.parametrize(("answer", "kept"), [("y", True), ("n", False), ("", False)])
def test_writing_asks_first(home: dict[str, str], tmp_path: Path, answer: str, kept: bool) -> None:
    child = _chat(home, tmp_path)
    child.sendline("Save a note: the spare key is under the green pot")
    child.expect_exact("Allow it? [y/N]")
    assert _notes(tmp_path) == []
    child.sendline(answer)
    child.expect_exact("add_note →")
    child.expect_exact(">>>")
    child.sendeof()
    child.expect(pexpect.EOF)
    assert len(_notes(tmp_path)) == kept


def test_interrupt_stops_the_reply_and_not_the_program(home: dict[str, str], tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "endless", max_position_embeddings=200_000)
    child = _chat(home, tmp_path, str(tmp_path / "endless"))
    child.sendline("go on for ever")
    child.expect(r"\S{300}")  # the reply, long after the prompt has been read
    child.sendintr()
    child.expect_exact("(stopped)")
    child.expect_exact(">>>")
    child.sendline("/exit")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
