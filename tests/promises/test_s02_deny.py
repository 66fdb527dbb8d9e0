"""S2: what is denied does not run, whatever allows it, however it is called, and wherever it runs."""

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hilt.agent import ServerTools
from hilt.assembly import load_settings
from hilt.backends import ScriptedBackend
from hilt.conversation import Assistant, Call, Request, ToolResult, User
from hilt.settings import AgentOptions, PolicyOptions, settings_from
from hilt.tools import Approved, Later, Nobody
from hilt.tools.builtin.schedule import Grant, narrowed
from tests.agent.scripts import calls, says
from tests.promises.worlds import HOSTILE, Deciding, World, agent, obeying

# Each forbids all calls of create_file, or those that would make new.txt.
DENYING = [
    "create_file",
    "write_file",
    "CREATE_FILE",
    "create_*",
    "effect:write",
    "*",
    "create_file(path=new*)",
    "create_file(path=NEW.TXT)",
    "file_create(text=new)",
]
ALLOWING = ("*", "create_file", "create_file(path=*)", "effect:write", "write_file")


NAMES = ["create_file", "createFile", "Create-File", "CREATE_FILE", "write_file", "new_file"]
SPELLINGS = [
    {"path": "new.txt", "text": "new"},
    {"PATH": "./new.txt", "Text": "new"},
    {"path": "deep/../new.txt", "text": "new"},
    {"path": "WORKSPACE/new.txt", "text": "new"},
    {"file": "new.txt", "content": "new"},
]


@pytest.mark.parametrize("rule", DENYING)
def test_no_spelling_gets_past_a_rule(rule: str, world: World) -> None:
    before = world.state()
    workspace = str(world.settings.tools.workspace)
    turn = [
        Call(f"c{number}", name, json.dumps(arguments).replace("WORKSPACE", workspace))
        for number, (name, arguments) in enumerate(itertools.product(NAMES, SPELLINGS))
    ]
    settings = world.changed(policy=PolicyOptions(deny=(rule,), allow=ALLOWING))
    with world.tools(Deciding(everything=True), settings) as make:
        result = agent(obeying(turn), make()).run_sync("q")
    told = [message.content for message in result.messages if isinstance(message, ToolResult)]
    assert len(told) == len(turn)
    assert all("the rules forbid this call" in content for content in told)
    assert world.state() == before


@pytest.mark.parametrize("path", ["alias/new.txt", "deep/letters.txt", "alias/../alias/letters.txt"])
def test_a_link_gets_past_no_rule_about_a_folder(path: str, world: World) -> None:
    (world.settings.tools.workspace / "alias").symlink_to("deep")
    settings = world.changed(policy=PolicyOptions(deny=("create_file(path=deep/*)",), allow=("*",)))
    before = world.state()
    with world.tools(Deciding(everything=True), settings) as make:
        call = Call("c", "create_file", json.dumps({"path": path, "text": "x"}))
        result = agent(obeying([call]), make()).run_sync("q")
    assert "the rules forbid this call" in result.messages[2].content
    assert world.state() == before


def test_what_is_denied_by_each_effect_does_not_run_although_all_is_allowed(world: World) -> None:
    before = world.state()
    deny = ("effect:write", "effect:destructive", "effect:external")
    settings = world.changed(policy=PolicyOptions(deny=deny, allow=("*", *HOSTILE)))
    with world.tools(Deciding(everything=True), settings) as make:
        agent(obeying(world.hostile()), make()).run_sync("q")
    assert world.state() == before


@pytest.mark.parametrize("inner", ['{"path": "new.txt", "text": "new"}', {"file": "./new.txt", "content": "new"}])
def test_a_call_within_a_call_is_denied(inner: Any, world: World) -> None:
    settings = world.changed(policy=PolicyOptions(deny=("create_file",), allow=("*",)))
    before = world.state()
    with world.tools(Deciding(everything=True), settings) as make:
        wrapped = Call("c", "call_tool", json.dumps({"name": "write-file", "arguments": inner}))
        backend = obeying([wrapped])
        # So few tokens that most tools are hidden behind call_tool.
        result = agent(backend, make(), catalogue_tokens=400).run_sync("q")
    assert "call_tool" in {spec.name for spec in backend.requests[0].tools}
    assert "the rules forbid this call" in result.messages[2].content
    assert world.state() == before


def test_an_approval_from_before_the_rule_does_not_count(world: World) -> None:
    call = world.hostile("create_file")[0]
    with world.tools(Later()) as make:
        stopped = agent(obeying([call]), make()).run_sync("q")
    assert stopped.state is not None
    approved = {call.id: Approved(stopped.pending[0].fingerprint)}
    before = world.state()
    for policy in (PolicyOptions(deny=("effect:write",)), PolicyOptions(dry_run=True)):
        with world.tools(Later(), world.changed(policy=policy)) as make:
            agent(obeying(), make()).resume_sync(stopped.state, approved)
        assert world.state() == before


def test_the_tools_of_a_server_are_denied(world: World) -> None:
    settings = world.changed(policy=PolicyOptions(deny=("create_file", "post_letter"), allow=("*",)))
    before = world.state()
    with world.tools(Deciding(everything=True), settings) as make:
        names = ("create_file", "post_letter")
        backend = ScriptedBackend([calls(*world.hostile(*names)), says("ok")])
        numbers = itertools.count()
        served = ServerTools(
            names, make, options=AgentOptions(), clock=lambda: 0.0, new_id=lambda: f"run{next(numbers)}"
        )

        async def asked() -> None:
            async for _ in served.around(backend, names).stream(Request("scripted", (User("q"),))):
                pass

        asyncio.run(asked())
    results = [message for message in backend.requests[1].messages if isinstance(message, ToolResult)]
    assert len(results) == len(world.hostile(*names))
    assert all("the rules forbid this call" in result.content for result in results)
    assert world.state() == before


@pytest.mark.parametrize(
    ("made", "now"),
    [
        (PolicyOptions(allow=("*",), deny=("effect:write",)), PolicyOptions(allow=("*",))),
        (PolicyOptions(allow=("*",)), PolicyOptions(allow=("*",), deny=("effect:write",))),
    ],
    ids=["when it was made", "when it runs"],
)
def test_a_scheduled_run_is_denied(made: PolicyOptions, now: PolicyOptions, world: World) -> None:
    policy = narrowed(Grant(("create_file",), made), now)
    before = world.state()
    with world.tools(Nobody(), world.changed(policy=policy)) as make:
        result = agent(obeying(world.hostile("create_file")), make()).run_sync("q")
    assert "the rules forbid this call" in result.messages[2].content
    assert world.state() == before


def test_a_dry_run_does_not_even_plan_what_is_denied(world: World) -> None:
    settings = world.changed(policy=PolicyOptions(deny=("*",), allow=("*",), dry_run=True))
    before = world.state()
    with world.tools(Deciding(everything=True), settings) as make:
        result = agent(obeying(world.hostile()), make()).run_sync("q")
    results = [message for message in result.messages if isinstance(message, ToolResult)]
    assert all("the rules forbid this call" in told.content for told in results)
    assert world.state() == before


def test_the_file_of_a_project_can_not_take_a_rule_away(world: World, home: Path, monkeypatch: Any) -> None:
    """Neither what it may say, nor what it is refused for saying."""
    user = ("mine", '[policy]\ndeny = ["create_file"]\nask = ["read_file"]')
    for project in ("[policy]\ndeny = []\nask = []\ndry_run = false", '[policy]\ndeny = ["delete_file"]'):
        settings = settings_from(world.settings, user=user, project=("theirs", project), environment={})
        assert "create_file" in settings.policy.deny
        assert "read_file" in settings.policy.ask
        before = world.state()
        with world.tools(Deciding(everything=True), settings) as make:
            agent(obeying(world.hostile("create_file")), make()).run_sync("q")
        assert world.state() == before
    workspace = world.settings.tools.workspace
    (workspace / "hilt.toml").write_text('[policy]\nallow = ["*"]\n')
    with pytest.raises(Exception, match="may stand only in your own configuration"):
        load_settings(workspace)


def test_a_refusal_outlives_the_turn(world: World) -> None:
    """A model that asks again and again, and in the words of an old result, is denied each time."""
    settings = world.changed(policy=PolicyOptions(deny=("create_file",), allow=("*",)))
    history = (User("q"), Assistant(calls=(Call("old", "create_file", "{}"),)), ToolResult("old", "create_file", "ok"))
    before = world.state()
    with world.tools(Nobody(), settings) as make:
        turns = [world.hostile("create_file") for _ in range(2)]
        agent(obeying(*turns), make()).run_sync((*history, User("go on")))
        asked = [replace(call, id="old") for call in world.hostile("create_file")]
        agent(obeying(asked), replace(make(), approver=Deciding("old"))).run_sync("q")
    assert world.state() == before
