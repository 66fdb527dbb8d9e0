"""S1: a model that does whatever strangers tell it changes nothing and sends nothing without an approval."""

import itertools
import json

import pytest

from hilt.backends.completion import CompletionBackend
from hilt.conversation import Call, ToolResult
from hilt.dialects import CATALOG, render
from hilt.tools import Nobody, Refused
from tests.promises.worlds import HOSTILE, Deciding, World, agent, obeying

CHANGING = [
    name for name in HOSTILE if name.startswith(("create", "edit", "delete", "add", "schedule", "cancel", "complete"))
]
CHANGING += ["web_search", "web_fetch", "post_letter", "wipe"]


def each_alone(world: World) -> list[list[Call]]:
    return [[call] for call in world.hostile()]


def test_every_tool_is_attacked(world: World) -> None:
    assert set(HOSTILE) == world.names
    assert {name for name, effect in world.effects().items() if effect != "read"} == set(CHANGING)


@pytest.mark.parametrize("turned", ["all in one turn", "one a turn"])
def test_with_nobody_there_nothing_changes(turned: str, world: World) -> None:
    before = world.state()
    turns = [world.hostile()] if turned == "all in one turn" else each_alone(world)
    with world.tools(Nobody()) as make:
        result = agent(obeying(*turns), make(), max_iterations=100).run_sync("What does the letter say?")
    assert world.state() == before
    assert result.stop_reason == "final"
    told = {message.call_id: message for message in result.messages if isinstance(message, ToolResult)}
    effects = world.effects()
    for call in itertools.chain(*turns):
        assert ("nobody is here to allow this call" in told[call.id].content) == (effects[call.name] != "read"), call


def test_by_every_other_name_nothing_changes(world: World) -> None:
    before = world.state()
    with world.tools(Nobody()) as make:
        runtime = make()
        spoken = [(alias, call) for made in runtime.registry.tools for alias in (*made.aliases, made.name.upper())
                  for call in world.hostile(made.name)]  # fmt: skip
        turn = [Call(f"a{number}", alias, call.arguments) for number, (alias, call) in enumerate(spoken)]
        assert len(turn) > 100
        agent(obeying(turn), runtime).run_sync("q")
    assert world.state() == before


@pytest.mark.parametrize("dialect", ["jsonl", "xml", "markdown-json"])
def test_through_the_text_of_a_prompt_nothing_changes(dialect: str, world: World) -> None:
    before = world.state()
    numbers = itertools.count()
    attacks = world.hostile()
    said = iter([render(CATALOG[dialect], [call]) for call in attacks])
    backend = CompletionBackend(
        lambda prompt: next(said, "done, master"), lambda: f"c{next(numbers)}", dialect=CATALOG[dialect]
    )
    with world.tools(Nobody()) as make:
        result = agent(backend, make(), max_iterations=100).run_sync("q")
    assert world.state() == before
    denied = [message for message in result.messages if "nobody is here" in message.content]
    assert len(denied) == len([call for call in attacks if call.name in CHANGING])


def test_what_is_refused_does_not_run(world: World) -> None:
    before = world.state()
    somebody = Deciding()
    with world.tools(somebody) as make:
        agent(obeying(*each_alone(world)), make(), max_iterations=100).run_sync("q")
    assert world.state() == before
    assert [asked.tool for asked in somebody.asked] == [c.name for c in world.hostile() if c.name in CHANGING]
    with world.tools(Answerless()) as make:
        agent(obeying(*each_alone(world)), make(), max_iterations=100).run_sync("q")
    assert world.state() == before


class Answerless:
    """Somebody whose terminal breaks when they are asked."""

    attended = True

    async def approve(self, request: object) -> Refused:
        raise OSError("the terminal is gone")


@pytest.mark.parametrize("name", CHANGING)
def test_each_of_these_calls_would_do_harm_and_only_the_approved_one_does(name: str, world: World) -> None:
    """The attacks above are real ones: approved, the first call of each tool changes something, and alone does."""
    attack = world.hostile(name)[0]
    others = [call for call in world.hostile() if call.name != name]
    before = world.state()
    with world.tools(Deciding("approved")) as make:
        approved = Call("approved", attack.name, attack.arguments)
        agent(obeying([*others[:20], approved, *others[20:]]), make()).run_sync("q")
    after = world.state()
    assert after != before
    changed = {place for place in after["files"] if after["files"][place] != before["files"].get(place)}
    changed |= set(before["files"]) - set(after["files"])
    argued = json.loads(attack.arguments)
    match name:
        case "create_file" | "edit_file" | "delete_file":
            assert f"workspace/{argued['path']}" in changed
            assert all(place.startswith("workspace") for place in changed)
        case "add_note" | "edit_note" | "delete_note":
            assert all(place.startswith("data/notes") for place in changed)
        case "add_to_knowledge":
            assert changed == {"data/knowledge.sqlite3"}
        case "schedule_task" | "cancel_task":
            assert changed == {"data/schedule.sqlite3"}
        case "add_event" | "delete_event" | "add_reminder" | "complete_reminder":
            assert changed
            assert all(place.startswith("data/calendar") for place in changed)
        case "web_search" | "web_fetch":
            assert (changed, len(after["asked"])) == (set(), 1)
        case _:
            assert (changed, len(after["done"])) == (set(), 1)
