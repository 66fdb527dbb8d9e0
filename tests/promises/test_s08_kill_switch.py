"""S8: the kill switch, turned by another process, stops what is new and what runs, everywhere, and lasts."""

import asyncio
import inspect
import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from hilt.agent import Agent, ServerTools
from hilt.agent.scheduled import Performed, run_due
from hilt.assembly.tooling import schedule_terms, tool_switch
from hilt.backends import ScriptedBackend
from hilt.conversation import Call, Request, ToolResult, Unavailable, User
from hilt.settings import AgentOptions, PolicyOptions
from hilt.tools import Desk, Nobody, Registry, Runtime, Switch, Tool, tool
from hilt.tools.builtin.schedule import Grant, Schedule, Task, Timing
from hilt.tools.builtin.schedule.store import add, runs
from tests.agent.scripts import calls, says
from tests.promises.process_tools import process_mark
from tests.promises.worlds import NOW, Deciding, World, agent, hilt, obeying

OFF = "from hilt.assembly.tooling import tool_switch; tool_switch().turn_off('mad')"
ON = "from hilt.assembly.tooling import tool_switch; tool_switch().turn_on()"


def elsewhere(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_switch_is_looked_at_twice_a_second_at_least() -> None:
    assert inspect.signature(Switch.tripped).parameters["poll_s"].default <= 0.5


def test_nothing_new_runs_in_any_process_until_it_is_on_again(world: World) -> None:
    elsewhere(OFF)
    before = world.state()
    settings = world.changed(policy=PolicyOptions(allow=("*",)))
    for _ in range(2):  # as after a restart
        with world.tools(Deciding(everything=True), settings) as make:
            for call in world.hostile():
                result = agent(obeying([call]), make()).run_sync("q")
                assert (result.stop_reason, result.detail) == ("killed", "mad")
                [told] = [message for message in result.messages if isinstance(message, ToolResult)]
                assert "tools are switched off: mad" in told.content
    assert world.state() == before
    elsewhere(ON)
    with world.tools(Deciding(everything=True), settings) as make:
        agent(obeying(world.hostile("create_file")), make()).run_sync("q")
    assert world.state() != before


def test_a_dry_run_and_a_resumed_run_stop_as_well(world: World) -> None:
    from hilt.tools import Approved, Later

    call = world.hostile("create_file")[0]
    with world.tools(Later()) as make:
        stopped = agent(obeying([call]), make()).run_sync("q")
    assert stopped.state is not None
    elsewhere(OFF)
    before = world.state()
    with world.tools(Later()) as make:
        decisions = {call.id: Approved(stopped.pending[0].fingerprint)}
        assert agent(obeying(), make()).resume_sync(stopped.state, decisions).stop_reason == "killed"
        planning = replace(make(), dry_run=True)
        assert agent(obeying([call]), planning).run_sync("q").stop_reason == "killed"
    assert world.state() == before


class Begun:
    """Tools that hang, and what is known of their beginning and their end."""

    def __init__(self, folder: Path) -> None:
        self.mark = folder / "mark"
        self.ended: list[str] = []
        self.event = asyncio.Event()

    def tools(self) -> tuple[Tool, ...]:
        @tool(effect="read", timeout_s=1000)
        async def hang() -> str:
            """Hang."""
            self.event.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.append("hang")
            return ""

        return hang, process_mark


async def marked(path: Path) -> int:
    while not path.exists() or not path.read_text():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.01)
    return int(path.read_text())  # noqa: ASYNC240


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split(")")[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the test looks into /proc")
def test_what_runs_is_cancelled(tmp_path: Path) -> None:
    """A function and a process, and a question that nobody has answered yet, in one turn and from one word."""
    begun = Begun(tmp_path)
    desk = Desk(1000)

    @tool(effect="write")
    def change() -> str:
        """Change."""
        begun.ended.append("changed")
        return ""

    async def run() -> None:
        path = f'{{"path": "{begun.mark}"}}'
        turn = [Call("h", "hang", "{}"), Call("p", "process_mark", path)]
        runtime = Runtime(registry=Registry((*begun.tools(), change)), approver=desk, switch=tool_switch())
        options = AgentOptions(total_timeout_s=1000)
        backends = [ScriptedBackend([calls(*turn)]), ScriptedBackend([calls(Call("w", "change", "{}"))])]
        working = [asyncio.create_task(Agent(each, runtime, options=options).run("q")) for each in backends]
        await begun.event.wait()
        process = await marked(begun.mark)
        while not desk.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert is_running(process)
        await asyncio.to_thread(elsewhere, OFF)
        async with asyncio.timeout(60):
            results = await asyncio.gather(*working)
        assert [result.stop_reason for result in results] == ["killed", "killed"]
        told = [m.content for result in results for m in result.messages if isinstance(m, ToolResult)]
        assert len(told) == 3
        assert all("tools were switched off while this call ran: mad" in content for content in told)
        assert not is_running(process)

    asyncio.run(run())
    assert begun.ended == ["hang"]
    assert desk.waiting == ()


def test_the_tools_of_a_server_stop(world: World) -> None:
    elsewhere(OFF)
    before = world.state()
    numbers = itertools.count()
    with world.tools(Nobody(), world.changed(policy=PolicyOptions(allow=("*",)))) as make:
        backend = ScriptedBackend([calls(*world.hostile("create_file", "post_letter")), says("ok")])
        names = ("create_file", "post_letter")
        served = ServerTools(
            names, make, options=AgentOptions(), clock=lambda: 0.0, new_id=lambda: f"run{next(numbers)}"
        )

        async def asked() -> None:
            async for _ in served.around(backend, names).stream(Request("scripted", (User("q"),))):
                pass

        with pytest.raises(Unavailable, match="switched off on this server: mad"):
            asyncio.run(asked())
    assert world.state() == before


def due(world: World, text: str = "Go on.") -> tuple[Schedule, Task]:
    kept = Schedule(world.settings.schedule.path)
    return kept, add(kept, text, Timing(int(NOW.timestamp()), "UTC"), Grant(("calculate",)), NOW)


def test_no_scheduled_task_begins(world: World) -> None:
    kept, task = due(world)
    elsewhere(OFF)
    begun: list[int] = []

    async def perform(task: Task) -> Performed:
        begun.append(task.id)
        return Performed("final", "")

    assert asyncio.run(run_due(kept, lambda: NOW, perform, schedule_terms(10))) == []
    assert (begun, runs(kept, task.id)) == ([], ())
    elsewhere(ON)
    assert len(asyncio.run(run_due(kept, lambda: NOW, perform, schedule_terms(10)))) == 1


def test_a_scheduled_task_that_runs_is_stopped(world: World) -> None:
    kept, task = due(world)
    stopped: list[str] = []

    async def work() -> None:
        begun = asyncio.Event()

        async def perform(task: Task) -> Performed:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append(task.text)
            return Performed("final", "")

        working = asyncio.create_task(run_due(kept, lambda: NOW, perform, schedule_terms(1000)))
        await begun.wait()
        await asyncio.to_thread(elsewhere, OFF)
        async with asyncio.timeout(60):
            await working

    asyncio.run(work())
    assert stopped == ["Go on."]
    assert [(run.stop_reason, run.error) for run in runs(kept, task.id)] == [("killed", "mad")]


def test_the_command_line_stops(home: Path) -> None:
    elsewhere(OFF)  # the home is the one of this process
    told = hilt(home, "run", "What is 12 * 12?", XDG_DATA_HOME=str(home / "share"))
    assert "tools are switched off: mad" in told.stderr
    assert "144" not in told.stderr
