"""S10: an approval shows what will run, is good for that alone and once, and can't be altered on its way."""

import asyncio
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from hilt.agent import RunState
from hilt.cli.waiting import WaitingRun, keep, read, take
from hilt.conversation import Call, InvalidRequest, NotFound, Outcome
from hilt.tools import ApprovalRequest, Approved, Desk, Execution, Later, Refused, Situation, run_tool
from hilt.tools.builtin.schedule import Grant
from tests.promises.worlds import Deciding, World, agent, hilt, obeying

# Ways of writing the arguments of one tool that differ in what the model wrote and not in what is done.
WRITTEN = [
    ("create_file", '{"path": "new.txt", "text": "new"}'),
    ("write_file", '{"PATH": "./deep/../new.txt", "text": "new"}'),
    ("CreateFile", '{ "text" : "n\\u0065w",   "path": "new.txt" }'),
    ("schedule_task", '{"task": " x ", "when": "in 2 minutes", "repeat": null}'),
    ("cancelTask", '{"id": "1"}'),
    ("edit_note", '{"id": "1", "text": "over"}'),
    ("post_letter", '{"to": "m\\u202e", "text": "\\u001b[2Kx"}'),
    ("web_fetch", '{"url": "HTTP://127.0.0.1:9/a/../b"}'),
]


class Watching:
    """A hook that keeps what ran."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, str]] = []

    def will_execute(self, execution: Execution) -> str | None:
        self.ran.append((execution.tool, json.dumps(dict(execution.arguments), sort_keys=True, ensure_ascii=False)))
        return None

    def did_execute(self, execution: Execution, outcome: Outcome) -> None:
        pass


def test_what_is_shown_is_what_runs(world: World) -> None:
    somebody, watching = Deciding(everything=True), Watching()
    with world.tools(somebody) as make:
        runtime = replace(make(), hooks=(watching,))
        for number, (name, arguments) in enumerate(WRITTEN):
            asyncio.run(run_tool(Call(f"c{number}", name, arguments), runtime, Situation(run_id="run")))
    assert [(asked.tool, asked.arguments) for asked in somebody.asked] == watching.ran
    assert len(watching.ran) == len(WRITTEN)
    assert {asked.arguments for asked in somebody.asked[:3]} == {'{"path": "new.txt", "text": "new"}'}


def test_no_two_calls_have_one_fingerprint(world: World) -> None:
    somebody = Deciding()
    with world.tools(somebody) as make:
        runtime = make()
        for run_id, call in itertools.product(("run_1", "run_2"), world.hostile()):
            asyncio.run(run_tool(call, runtime, Situation(run_id=run_id)))
    assert len(somebody.asked) > 30
    assert len({asked.fingerprint for asked in somebody.asked}) == len(somebody.asked)


class Replaying:
    """Somebody whose every answer is an approval that was given before."""

    attended = True

    def __init__(self, old: str) -> None:
        self.old = old

    async def approve(self, request: ApprovalRequest) -> Approved:
        return Approved(self.old)


def test_an_old_approval_lets_nothing_else_run(world: World) -> None:
    somebody = Deciding()
    with world.tools(somebody) as make:
        asyncio.run(run_tool(Call("c", "create_file", '{"path": "a"}'), make(), Situation(run_id="run_1")))
        first = world.hostile("create_file")[0]
        asyncio.run(run_tool(first, make(), Situation(run_id="run_1")))
    before = world.state()
    with world.tools(Replaying(somebody.asked[-1].fingerprint)) as make:
        runtime = make()
        for call in world.hostile():
            asyncio.run(run_tool(call, runtime, Situation(run_id="run_2")))
        altered = [call for call in world.hostile() if call.arguments != first.arguments]
        for call in altered:
            asyncio.run(run_tool(replace(call, id=first.id), runtime, Situation(run_id="run_1")))
    assert world.state() == before


def test_an_answer_at_the_desk_counts_once_and_for_its_question(world: World) -> None:
    desk = Desk(60)

    async def two_runs() -> None:
        with world.tools(desk) as make:
            runtime = make()
            call = world.hostile("post_letter")[0]
            first = asyncio.create_task(run_tool(call, runtime, Situation(run_id="run_1")))
            second = asyncio.create_task(run_tool(call, runtime, Situation(run_id="run_2")))
            while len(desk.waiting) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0)
            [one] = [asked for asked in desk.waiting if asked.run_id == "run_1"]
            [other] = [asked for asked in desk.waiting if asked.run_id == "run_2"]
            desk.answer(one.fingerprint, Approved(one.fingerprint))
            await first
            with pytest.raises(NotFound):
                desk.answer(one.fingerprint, Approved(one.fingerprint))
            # An approval of the one put in place of the other's answer.
            desk.answer(other.fingerprint, Approved(one.fingerprint))
            outcome = await second
            assert "the approval was given to another call" in outcome.text  # type: ignore[union-attr]

    asyncio.run(two_runs())
    assert len(world.done) == 1


@pytest.fixture
def stopped(world: World) -> RunState:
    """A run that waits for the answer about a letter, and one about a deletion behind it."""
    with world.tools(Later()) as make:
        result = agent(obeying(world.hostile("post_letter", "delete_file")), make()).run_sync("q")
    assert result.state is not None
    return result.state


def other_letter(state: RunState) -> RunState:
    worse = replace(state.work.calls[0], arguments='{"to": "mallory", "text": "the keys"}')
    return replace(state, work=replace(state.work, calls=(worse, *state.work.calls[1:])))


def other_call(state: RunState) -> RunState:
    return replace(state, work=replace(state.work, calls=(replace(state.work.calls[1], id="h0"),)))


def other_run(state: RunState) -> RunState:
    return replace(state, run_id="run_of_another")


ALTERATIONS = [other_letter, other_call, other_run]


@pytest.mark.parametrize("alter", ALTERATIONS)
def test_an_approval_is_not_good_for_a_state_that_was_altered(
    alter: Callable[[RunState], RunState], stopped: RunState, world: World
) -> None:
    approved = {stopped.waiting[0].call_id: Approved(stopped.waiting[0].fingerprint)}
    before = world.state()
    with world.tools(Later()) as make:
        agent(obeying(), make()).resume_sync(alter(stopped), approved)
    assert world.state() == before


def with_its_fingerprint(text: str) -> str:
    """Everything altered that is needed for another letter to be approved, its fingerprint too."""
    from hilt.tools.approval import fingerprint

    run = msgspec.json.decode(text, type=WaitingRun)
    state = other_letter(run.state)
    call = state.work.calls[0]
    bound = fingerprint(state.run_id, call.id, call.name, call.arguments)
    asked = replace(state.waiting[0], fingerprint=bound, arguments=call.arguments)
    return msgspec.json.encode(replace(run, state=replace(state, waiting=(asked,)))).decode()


def trusting(text: str) -> str:
    return text.replace('"untrusted":true', '"untrusted":false')


def with_more_rights(text: str) -> str:
    return text.replace('"allow":[]', '"allow":["*"]')


def with_a_space(text: str) -> str:
    return f"{text} "


@pytest.mark.parametrize("alter", [with_its_fingerprint, trusting, with_more_rights, with_a_space])
def test_a_file_that_was_edited_is_not_gone_on_with(
    alter: Callable[[str], str], stopped: RunState, tmp_path: Path, capsys: Any
) -> None:
    file = tmp_path / "run.json"
    untrusting = replace(stopped, state=replace(stopped.state, untrusted=True))
    keep(file, WaitingRun(untrusting, Grant(("post_letter",))))
    assert stopped.waiting[0].arguments.replace('"', "") in capsys.readouterr().err.replace('"', "")
    assert file.stat().st_mode & 0o777 == 0o600
    written = file.read_text()
    file.write_text(alter(written))
    assert file.read_text() != written
    with pytest.raises(InvalidRequest, match="was changed since"):
        read(file)
    file.write_text(written)
    assert read(file)[0].state == untrusting


def test_a_copy_of_a_file_is_not_gone_on_with_again(stopped: RunState, tmp_path: Path, capsys: Any) -> None:
    first, copy = tmp_path / "run.json", tmp_path / "copy.json"
    keep(first, WaitingRun(stopped, Grant()))
    copy.write_bytes(first.read_bytes())
    _, mark = read(first)
    _, same = read(copy)
    take(mark)
    with pytest.raises(InvalidRequest, match="gone on already"):
        take(same)
    for file in (first, copy):
        with pytest.raises(InvalidRequest, match="gone on already"):
            read(file)


def test_the_command_goes_on_once_with_what_was_shown(home: Path) -> None:
    asked = hilt(home, "run", "--later", "run.json", "Save a note: the spare key is under the green pot")
    assert "the spare key is under the green pot" in asked.stderr
    kept = (home / "run.json").read_bytes()

    def notes() -> list[str]:
        return [path.read_text() for path in (home / "share/hilt/notes").glob("*.md")]

    (home / "run.json").write_bytes(kept.replace(b"green pot", b"red stone"))
    altered = hilt(home, "resume", "run.json", "--approve", "all")
    assert (altered.returncode, notes()) == (2, [])
    (home / "run.json").write_bytes(kept)
    assert hilt(home, "resume", "run.json", "--approve", "all").returncode == 0
    [note] = notes()
    assert "green pot" in note
    (home / "run.json").write_bytes(kept)
    again = hilt(home, "resume", "run.json", "--approve", "all")
    assert (again.returncode, len(notes())) == (2, 1)


def test_a_run_goes_on_under_the_rules_that_it_stopped_with(home: Path) -> None:
    """The rules of its own command line hold, too."""
    options = ["--later", "run.json", "--offer", "add_note", "Save a note: the spare key is under the green pot"]
    hilt(home, "run", *options)
    kept = msgspec.json.decode((home / "run.json").read_bytes(), type=WaitingRun)
    assert kept.grant.tools[0] == "add_note"
    assert "delete_file" not in kept.grant.tools
    denied = hilt(home, "resume", "run.json", "--approve", "all", HILT_POLICY_DENY="add_note")
    assert "the rules forbid this call" in denied.stderr
    assert list((home / "share/hilt/notes").glob("*.md")) == []


def test_a_refusal_is_no_approval(stopped: RunState, world: World) -> None:
    before = world.state()
    with world.tools(Later()) as make:
        result = agent(obeying(), make()).resume_sync(stopped, {stopped.waiting[0].call_id: Refused("no")})
    assert world.state() == before
    assert result.pending
