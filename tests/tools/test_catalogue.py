"""More tools than a prompt has room for."""

import asyncio
import json
from typing import Any

import pytest

from hilt.agent import Agent
from hilt.assembly import describe_model
from hilt.backends import ScriptedBackend
from hilt.conversation import Call, Denied, Request, Succeeded, User
from hilt.engine.loading import load_only_tokenizer
from hilt.prompting import render_prompt
from hilt.settings import AgentOptions, PolicyOptions
from hilt.store import STARTER, find_model
from hilt.tools import (
    Nobody,
    Registry,
    Runtime,
    Situation,
    Tool,
    catalogue_tokens,
    policy_of,
    run_tool,
    tool,
    within,
)
from tests.agent.scripts import calls, clock, says

THINGS = ["lamp", "door", "oven", "radio", "window", "garden", "fridge", "heater", "garage", "alarm"]
VERBS = [f"{verb}{number}" for verb in ("open", "close", "check", "tune", "clean") for number in range(4)]


def many(effect: Any = "read") -> tuple[Tool, ...]:
    """200 tools, each with a few parameters."""

    def made(verb: str, thing: str) -> Tool:
        def act(place: str, amount: int = 1, careful: bool = False) -> str:
            return f"{verb} {thing} {place}"

        act.__name__ = f"{verb}_{thing}"
        act.__doc__ = f"Do {verb} with the {thing} at a place of the house, as often as needed."
        return tool(effect=effect, keywords=[thing])(act)

    return tuple(made(verb, thing) for thing in THINGS for verb in VERBS)


def test_few_tools_are_all_told() -> None:
    registry = Registry(many()[:5])
    assert within(registry, 8000, "anything") is registry


@pytest.mark.parametrize("budget", [800, 2000, 8000])
def test_the_catalogue_of_200_tools_stays_within_its_budget(budget: int) -> None:
    registry = within(Registry(many()), budget, "is the oven clean?")
    assert sum(map(catalogue_tokens, registry.specs)) <= budget
    assert {"call_tool", "find_tools"} < {spec.name for spec in registry.specs}
    assert [spec.name for spec in registry.specs] == sorted(spec.name for spec in registry.specs)
    assert len(registry.tools) - 1 + len(registry.hidden) == 200
    assert any("oven" in spec.name for spec in registry.specs)


def test_the_budget_holds_in_the_tokens_of_a_real_prompt() -> None:
    folder = find_model(STARTER)
    tokenizer = load_only_tokenizer(folder)
    manner = describe_model(STARTER).manner
    specs = within(Registry(many()), 2000, "is the oven clean?").specs

    def tokens(tools: Any) -> int:
        request = Request("starter", (User("is the oven clean?"),), tools)
        return len(render_prompt(request, tokenizer, 10**6, manner).tokens)

    assert tokens(specs) - tokens(()) <= 2000


def test_the_choice_is_the_same_for_the_whole_conversation() -> None:
    backend = ScriptedBackend([calls(Call("f", "find_tools", '{"query": "radio"}')), says("ok"), says("again")])
    runtime = Runtime(registry=Registry(many()), approver=Nobody())
    agent = Agent(backend, runtime, options=AgentOptions(catalogue_tokens=2000), clock=clock())
    first = agent.run_sync("is the oven clean?")
    agent.run_sync((*first.messages, User("and now the garden, the garage and the alarm")))
    told = [request.tools for request in backend.requests]
    assert told[0] == told[1] == told[2]


def test_a_hidden_tool_is_found_and_called_like_any_other() -> None:
    registry = within(Registry(many()), 800, "hello")
    runtime = Runtime(registry=registry, approver=Nobody())

    def asked(called: str, **arguments: Any) -> Any:
        return asyncio.run(run_tool(Call("c", called, json.dumps(arguments)), runtime))

    found = json.loads(asked("find_tools", query="radio").text)
    assert all("radio" in one["name"] for one in found)
    name = found[0]["name"]
    assert name not in registry.names
    expected = Succeeded(json.dumps(f"{name.replace('_', ' ')} hall"))
    assert asked("call_tool", name=name, arguments={"place": "hall"}) == expected
    assert asked("call_tool", name=name, arguments='{"place": "hall"}') == expected
    assert asked(name, place="hall") == expected
    for broken in ({}, {"name": 3}, {"name": name, "arguments": [1]}, {"name": "no_such"}, {"name": name}):
        assert "error" in json.loads(asked("call_tool", **broken).text)
    assert "no tool has to do with" in asked("find_tools", query="zebra").text


def test_the_rules_reach_what_is_called_through_another() -> None:
    registry = within(Registry(many("write")), 800, "hello")
    hidden = registry.hidden[0].name
    call = Call("c", "call_tool", json.dumps({"name": hidden, "arguments": {"place": "hall"}}))
    for policy, ran in [
        (PolicyOptions(), False),
        (PolicyOptions(allow=("call_tool",)), False),
        (PolicyOptions(allow=(hidden,)), True),
        (PolicyOptions(allow=("*",), deny=(hidden,)), False),
        (PolicyOptions(allow=("*",), deny=(f"{hidden}(place=hall)",)), False),
    ]:
        runtime = Runtime(registry=registry, approver=Nobody(), policy=policy_of(policy))
        outcome = asyncio.run(run_tool(call, runtime, Situation()))
        assert isinstance(outcome, Succeeded if ran else Denied)
