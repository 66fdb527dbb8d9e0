"""A steered reply comes to its end within its budget, and is let alone while there is room."""

import random

import numpy as np
import pytest

from hilt.grammar import budget
from hilt.grammar.budget import Steering
from hilt.grammar.ending import bits_of, ending
from hilt.grammar.matching import Allowed, Matched, Matcher, Only, compile_grammar
from tests.grammar.grammars import SCHEMAS, json_grammar, strict_object
from tests.grammar.test_matching import CLOSERS, GRAMMARS, VOCABULARY

LISTS = json_grammar({"type": "array", "items": SCHEMAS["nested"]})
MANY = json_grammar({"type": "array", "items": SCHEMAS["nested"], "minItems": 20})


def tokens_in(allowed: Allowed) -> list[int]:
    match allowed:
        case Only(tokens):
            return list(tokens)
        case Matched(matcher, but):
            may = np.flatnonzero(bits_of(matcher.mask(), VOCABULARY.size)).tolist()
            assert set(but) <= set(range(VOCABULARY.size))
            return [token for token in may if token not in but]


def write(steering: Steering | Matcher, limit: int, choice: random.Random, end_chance: float = 0.0) -> list[int]:
    """A random reply of at most `limit` tokens; it ends where it may by chance, and else where it has to."""
    tokens: list[int] = []
    while len(tokens) < limit:
        may = tokens_in(steering.allowed())
        assert may
        going_on = [token for token in may if token not in VOCABULARY.ends]
        ends = not going_on or (len(going_on) < len(may) and choice.random() < end_chance)
        token = min(VOCABULARY.ends) if ends else choice.choice(going_on)
        steering.take(token)
        tokens.append(token)
        if ends:
            break
    return tokens


ACCEPTED_AT_LEAST = 0.95


def test_replies_are_whole_within_any_budget_that_allows_it() -> None:
    broken: list[str] = []
    tried = 0
    for name, lark in {**GRAMMARS, "lists": LISTS}.items():
        grammar = compile_grammar(lark, VOCABULARY)
        shortest = ending(grammar.matcher(), 200, CLOSERS)
        assert shortest is not None
        for surplus in (1, 5, 40, 150):
            limit = len(shortest) + 1 + surplus
            for seed in range(3):
                steering = Steering(grammar.matcher(), limit, CLOSERS)
                tokens = write(steering, limit, random.Random(f"{seed}{surplus}"))
                tried += 1
                if not steering.accepting:
                    broken.append(f"{name} {surplus}")
                elif steering.cut:
                    assert tokens[-1] in VOCABULARY.ends
    assert len(broken) <= (1 - ACCEPTED_AT_LEAST) * tried, broken


def test_without_steering_most_replies_to_these_are_cut() -> None:
    grammar = compile_grammar(MANY, VOCABULARY)
    matchers = [grammar.matcher() for _ in range(10)]
    for seed, matcher in enumerate(matchers):
        write(matcher, 150, random.Random(seed))
    assert not any(matcher.accepting for matcher in matchers)


def test_nothing_is_forced_while_there_is_room() -> None:
    grammar = compile_grammar(MANY, VOCABULARY)
    steering, matcher = Steering(grammar.matcher(), 5000, CLOSERS), grammar.matcher()
    choice = random.Random(2)
    for _ in range(300):
        may = tokens_in(steering.allowed())
        assert may == tokens_in(matcher.allowed())
        token = choice.choice([t for t in may if t not in VOCABULARY.ends])
        steering.take(token)
        matcher.take(token)
    assert not steering.cut


@pytest.mark.parametrize("limit", [100, 1000, 4000])
def test_long_replies_are_looked_at_rarely(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    looks: list[int] = []

    def counting(*arguments: object) -> list[int] | None:
        looks.append(1)
        return ending(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(budget, "ending", counting)
    grammar = compile_grammar(json_grammar(strict_object({"a": {"type": "string"}})), VOCABULARY)
    steering = Steering(grammar.matcher(), limit, CLOSERS)
    letter = VOCABULARY.tokens.tokenize_str("x")[0]
    taken = 0
    for token in VOCABULARY.tokens.tokenize_str('{"a":"'):
        steering.allowed()
        steering.take(token)
        taken += 1
    while taken < limit - 40:
        assert letter in tokens_in(steering.allowed())
        steering.take(letter)
        taken += 1
    assert len(looks) <= 12


def test_a_reply_that_may_end_anywhere_is_let_alone() -> None:
    grammar = compile_grammar("start: /(?s:.*)/", VOCABULARY)
    steering = Steering(grammar.matcher(), 30, CLOSERS)
    for _ in range(30):
        allowed = steering.allowed()
        assert isinstance(allowed, Matched)
        assert allowed.but == ()
        steering.take(VOCABULARY.tokens.tokenize_str("x")[0])
    assert not steering.cut
    assert steering.accepting


@pytest.mark.parametrize("limit", [1, 5, 20])
def test_a_budget_that_no_ending_fits_leaves_the_reply_as_it_is(limit: int) -> None:
    grammar = compile_grammar(json_grammar(SCHEMAS["nested"]), VOCABULARY)
    steering, matcher = Steering(grammar.matcher(), limit, CLOSERS), grammar.matcher()
    for _ in range(limit):
        may = tokens_in(steering.allowed())
        assert may == tokens_in(matcher.allowed())
        steering.take(may[0])
        matcher.take(may[0])
    assert not steering.cut


def test_a_planned_ending_is_forced_whole() -> None:
    grammar = compile_grammar(json_grammar(SCHEMAS["nested"]), VOCABULARY)
    shortest = ending(grammar.matcher(), 200, CLOSERS)
    assert shortest is not None
    steering = Steering(grammar.matcher(), len(shortest) + 1, CLOSERS)
    assert steering.allowed() == Only((shortest[0],))
    assert steering.forced() == [*shortest, min(VOCABULARY.ends)]
    for token in steering.forced():
        steering.take(token)
    assert steering.over
    steering.verify()
