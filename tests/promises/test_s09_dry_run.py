"""S9: a dry run changes nothing, and tells of every call what it would have done."""

import json

import msgspec
import pytest

from hilt.conversation import Planned, ToolFinished
from hilt.settings import PolicyOptions
from hilt.tools import Approver, Nobody, PlannedCall
from tests.agent.scripts import read
from tests.promises.worlds import Deciding, World, agent, obeying


@pytest.mark.parametrize("approver", [Nobody(), Deciding(everything=True)], ids=["nobody", "yes to all"])
@pytest.mark.parametrize("allow", [(), ("*",)], ids=["asking", "all allowed"])
def test_every_change_is_planned_and_none_is_made(approver: Approver, allow: tuple[str, ...], world: World) -> None:
    before = world.state()
    settings = world.changed(policy=PolicyOptions(dry_run=True, allow=allow))
    with world.tools(approver, settings) as make:
        events = read(agent(obeying(world.hostile()), make()).begin("q"))
    assert world.state() == before
    effects = world.effects()
    finished = [event for event in events if isinstance(event, ToolFinished)]
    assert len(finished) == len(world.hostile())
    for event in finished:
        assert isinstance(event.outcome, Planned) == (effects[event.call.name] != "read"), event
        if not isinstance(event.outcome, Planned):
            continue
        told = json.loads(event.outcome.text)
        plan = msgspec.convert(told["plan"], PlannedCall)
        assert told["dry_run"] is True
        assert (plan.tool, plan.effect) == (event.call.name, effects[event.call.name])
        assert json.loads(event.call.arguments).items() <= dict(plan.arguments).items()
        assert plan.changes or plan.tool == "wipe"  # whose plan is empty
        assert "can't be told" not in event.outcome.text
