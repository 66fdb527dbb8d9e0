"""Deny before ask before allow, and what a rule names."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.conversation import InvalidRequest
from hilt.settings import PolicyOptions
from hilt.tools import Allow, Ask, Deny, Policy, Registry, Rule, Situation, Tool, decide, policy_of, rule_of, tool

CASES = tomllib.loads((Path(__file__).parent / "cases" / "policy.toml").read_text(encoding="utf-8"))["case"]


@tool(effect="read")
def look(at: str = "", all: tuple[str, ...] = ()) -> str:
    """Look."""
    return at


@tool(effect="write", aliases=["draw"])
def paint(at: str = "", all: tuple[str, ...] = ()) -> str:
    """Paint."""
    return at


@tool(effect="destructive", aliases=["erase"])
def wipe(at: str = "", all: tuple[str, ...] = ()) -> str:
    """Wipe."""
    return at


@tool(effect="external")
def send(at: str = "", all: tuple[str, ...] = ()) -> str:
    """Send."""
    return at


TOOLS = {made.name: made for made in (look, paint, wipe, send)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case)[:90])
def test_verdicts(case: dict[str, Any]) -> None:
    options = PolicyOptions(
        deny=tuple(case.get("deny", ())),
        ask=tuple(case.get("ask", ())),
        allow=tuple(case.get("allow", ())),
        local_only=case.get("local_only", False),
    )
    situation = Situation(untrusted=case.get("untrusted", False), repaired=case.get("repaired", False))
    verdict = decide(
        policy_of(options),
        TOOLS[case["call"]],
        case.get("arguments", {}),
        situation,
        attended=case.get("attended", True),
    )
    assert verdict.__struct_config__.tag == case["verdict"]
    assert not isinstance(verdict, Deny) or verdict.text


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("create_file", Rule("create_file")),
        (" notes_* ", Rule("notes_*")),
        ("effect:write", Rule("*", "write")),
        ("effect:external(url=http://*)", Rule("*", "external", (("url", "http://*"),))),
        (
            "web_fetch(url=https://a.example/(x), limit=3)",
            Rule("web_fetch", None, (("url", "https://a.example/(x)"), ("limit", "3"))),
        ),
        ("f()", Rule("f")),
    ],
)
def test_rules_are_read(text: str, rule: Rule) -> None:
    assert rule_of(text) == rule


@pytest.mark.parametrize("text", ["", "  ", "a b", "effect:everything", "f(x)", "f(=x)", "f(a=b", "(a=b)", "effect:"])
def test_rules_that_cannot_be_read(text: str) -> None:
    with pytest.raises(InvalidRequest, match="the rule"):
        rule_of(text)


RULES: Any = st.builds(
    Rule,
    st.sampled_from(["*", "look", "paint", "draw", "wipe", "send", "p*"]),
    st.sampled_from([None, "read", "write", "destructive", "external"]),
    st.lists(st.tuples(st.sampled_from(["at", "all"]), st.sampled_from(["*", "a", "A", "b*"])), max_size=2).map(tuple),
)
POLICIES: Any = st.builds(Policy, *(st.lists(RULES, max_size=3).map(tuple) for _ in range(3)), st.booleans())
SITUATIONS = st.builds(Situation, st.just("run"), st.booleans(), st.booleans())
ARGUMENTS: Any = st.fixed_dictionaries(
    {},
    optional={"at": st.sampled_from(["a", "A", "b", "bc"]), "all": st.lists(st.sampled_from(["a", "b"]), max_size=2)},
)


@given(POLICIES, st.sampled_from(list(TOOLS.values())), ARGUMENTS, SITUATIONS, st.booleans(), RULES)
def test_a_deny_rule_wins_over_everything(
    policy: Policy, made: Tool, arguments: dict[str, Any], situation: Situation, attended: bool, rule: Rule
) -> None:
    """Whatever else the policy says, one more deny rule that names the call forbids it; and no rule that is added to
    `allow` makes a denied call run."""
    before = decide(policy, made, arguments, situation, attended=attended)
    named = isinstance(decide(Policy(deny=(rule,)), made, arguments, Situation(), attended=True), Deny)
    denying = Policy((*policy.deny, rule), policy.ask, policy.allow, policy.local_only)
    if named:
        assert isinstance(decide(denying, made, arguments, situation, attended=attended), Deny)
    allowing = Policy(policy.deny, policy.ask, (*policy.allow, rule, Rule()), policy.local_only)
    if isinstance(before, Deny) and attended:
        assert isinstance(decide(allowing, made, arguments, situation, attended=attended), Deny)


@given(POLICIES, st.sampled_from(list(TOOLS.values())), ARGUMENTS, SITUATIONS)
def test_nobody_never_asks_and_somebody_is_never_refused_for_being_absent(
    policy: Policy, made: Tool, arguments: dict[str, Any], situation: Situation
) -> None:
    alone = decide(policy, made, arguments, situation, attended=False)
    attended = decide(policy, made, arguments, situation, attended=True)
    match attended:
        case Allow():
            assert alone == Allow()
        case Ask() | Deny():
            assert isinstance(alone, Deny)


def test_a_rule_about_a_name_reaches_the_tool_however_it_is_called() -> None:
    registry = Registry(tuple(TOOLS.values()))
    for name in ("wipe", "erase", "Erase", "WIPE", "wi-pe"):
        found = registry.get(name)
        assert found is wipe
        assert isinstance(decide(Policy(deny=(Rule("erase"),)), found, {}, Situation(), attended=True), Deny)
