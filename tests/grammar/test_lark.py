"""Names of rules, and what a terminal may hold."""

import pytest

from hilt.grammar.lark import Rules, all_of, none_within, pattern
from tests.grammar.whole_calls import accepts, vocabulary


def test_a_rule_added_twice_is_written_once() -> None:
    rules = Rules()
    assert rules.rule("a", '"x"') == rules.rule("b", '"x"')
    assert rules.terminal("a", '"x"') != rules.rule("a", '"x"')


def test_names_that_are_reserved_differ_from_all_others() -> None:
    rules = Rules()
    names = [rules.reserve("a"), rules.reserve("a"), rules.rule("a", '"x"'), rules.reserve("a"), rules.rule("a", '"y"')]
    assert len(set(names)) == len(names)


def test_a_rule_may_hold_itself() -> None:
    rules = Rules()
    name = rules.reserve("Nested Lists")
    rules.define(name, f'"[" {name}? "]"')
    lark = rules.text(name)
    assert accepts(lark, "[[]]", vocabulary())
    assert not accepts(lark, "[[]", vocabulary())


@pytest.mark.parametrize(
    ("conditions", "good", "bad"),
    [
        ([], ["a", "</b>\n"], []),
        (none_within(["</b>", "|", ""]), ["a</b", "\n"], ["a</b>c", "|"]),
        ([*none_within(["b"]), pattern("[a-c]+")], ["ac"], ["abc", "d"]),
    ],
)
def test_all_conditions_hold(conditions: list[str], good: list[str], bad: list[str]) -> None:
    lark = f"%llguidance {{}}\nstart: T\nT: {all_of(conditions)}\n"
    for text in (*good, *bad):
        assert accepts(lark, text, vocabulary()) == (text in good), text
