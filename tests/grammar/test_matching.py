"""A grammar's masks allow what it allows, its ends end it, and from anywhere in it there is a way out."""

import random
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from llguidance import LLExecutor

from hilt.conversation import Bug
from hilt.grammar import cache as cache_module
from hilt.grammar.cache import CacheCounts, GrammarCache
from hilt.grammar.ending import bits_of, ending, read_closers
from hilt.grammar.lark import WITHOUT_FORCING
from hilt.grammar.matching import (
    LONGEST_REASON,
    Grammar,
    GrammarTooComplex,
    Matched,
    Matcher,
    Only,
    compile_grammar,
    width_words,
    write_masks,
)
from hilt.grammar.vocabulary import Vocabulary
from tests.grammar.grammars import CLOSING_MARKS, SCHEMAS, grammars, json_grammar
from tests.grammar.vocabularies import small_vocabulary

SURPLUS = 37
VOCABULARY = small_vocabulary(SURPLUS)
CLOSERS = read_closers(VOCABULARY, CLOSING_MARKS)
GRAMMARS = grammars(VOCABULARY)


def allowed(matcher: Matcher) -> list[int]:
    return np.flatnonzero(bits_of(matcher.mask(), VOCABULARY.size)).tolist()


def walk(matcher: Matcher, choice: random.Random, steps: int) -> list[int]:
    """Take random tokens, none of which ends the turn, as far as there are any."""
    taken: list[int] = []
    for _ in range(steps):
        tokens = [token for token in allowed(matcher) if token not in VOCABULARY.ends]
        if not tokens:
            break
        taken.append(choice.choice(tokens))
        matcher.take(taken[-1])
    return taken


def tokens_of(text: str) -> list[int]:
    return VOCABULARY.tokens.tokenize_str(text)


@pytest.mark.parametrize("name", GRAMMARS)
def test_what_a_mask_allows_can_be_taken_and_nothing_else(name: str) -> None:
    """Where a text is forced, its mask is one way of cutting it into tokens, and others may be taken as well."""
    matcher = compile_grammar(GRAMMARS[name], VOCABULARY).matcher()
    choice = random.Random(name)
    for _ in range(12):
        may = set(allowed(matcher))
        assert may
        assert max(may) < VOCABULARY.size - SURPLUS
        assert matcher.accepting == bool(may & VOCABULARY.ends)
        for token in choice.sample(range(VOCABULARY.size), 60):
            copy = matcher.copy()
            if token in may:
                copy.take(token)
            elif not matcher.forced_bytes().startswith(VOCABULARY.tokens.decode_bytes([token])):
                with pytest.raises(Bug, match=f"token {token} is against the grammar"):
                    copy.take(token)
        if not walk(matcher, choice, 1):
            break


@pytest.mark.parametrize("name", GRAMMARS)
def test_behind_its_end_a_grammar_allows_the_ends_of_a_turn_and_nothing_else(name: str) -> None:
    matcher = compile_grammar(GRAMMARS[name], VOCABULARY).matcher()
    for token in ending(matcher, 120, CLOSERS) or []:
        matcher.take(token)
    assert matcher.accepting
    assert set(allowed(matcher)) >= VOCABULARY.ends
    for end in VOCABULARY.ends:
        ended = matcher.copy()
        for _ in range(3):
            ended.take(end)
            assert ended.over
            assert ended.allowed() == Only(tuple(sorted(VOCABULARY.ends)))
            assert set(allowed(ended)) == VOCABULARY.ends
            assert ended.forced() == []
            ended.verify()


def test_a_finite_grammar_is_over_by_itself() -> None:
    matcher = compile_grammar('start: "hello" | "help"', VOCABULARY).matcher()
    assert isinstance(matcher.allowed(), Matched)
    for token in tokens_of("hello"):
        assert not matcher.over
        matcher.take(token)
    assert matcher.over
    assert matcher.accepting
    with pytest.raises(Bug, match="against the grammar"):
        matcher.take(tokens_of("x")[0])


def test_forced_tokens_stop_where_the_text_could_be_cut_otherwise() -> None:
    matcher = compile_grammar('start: "the street name is " /[a-z]+/ "!"', VOCABULARY).matcher()
    forced = matcher.forced()
    assert VOCABULARY.tokens.decode_str(forced).startswith("the street")
    for token in forced:
        assert token in allowed(matcher)
        matcher.take(token)
    assert matcher.forced() == []


@pytest.mark.parametrize("value", ["a</tool_call>b", "<|im_end|>", "</think>"])
@pytest.mark.parametrize("values", [1, 2])
def test_a_text_that_spells_a_mark_is_written_without_the_mark(value: str, values: int) -> None:
    lark = json_grammar({"enum": [value, 5][:values]})
    matcher = compile_grammar(f"{WITHOUT_FORCING}\n{lark}", VOCABULARY).matcher()
    for _ in range(60):
        may = allowed(matcher)
        for token in may:
            matcher.copy().take(token)
        assert not set(may) & (set(VOCABULARY.special.values()) - VOCABULARY.ends)
        if matcher.accepting:
            break
        assert not set(may) & VOCABULARY.ends
        matcher.take(max(may, key=lambda token: VOCABULARY.tokens.decode_bytes([token]) != b"5"))
    assert matcher.accepting


def test_a_copy_goes_its_own_way() -> None:
    first = compile_grammar(json_grammar(SCHEMAS["nested"]), VOCABULARY).matcher()
    first.take(tokens_of("{")[0])
    before = allowed(first)
    walk(first.copy(), random.Random(1), 30)
    assert allowed(first) == before


@pytest.mark.parametrize("executor", [None, LLExecutor(2)], ids=["one by one", "together"])
def test_masks_of_several_are_those_of_each(executor: LLExecutor | None) -> None:
    matchers = [compile_grammar(GRAMMARS[name], VOCABULARY).matcher() for name in ("nested", "anything", "calls")]
    words = np.zeros((5, width_words(VOCABULARY)), np.uint32)
    write_masks([(matcher, row) for row, matcher in zip((4, 0, 2), matchers, strict=True)], words, executor)
    for row, matcher in zip((4, 0, 2), matchers, strict=True):
        assert (words[row] == matcher.mask()).all()
    assert not words[[1, 3]].any()


@pytest.mark.parametrize(
    ("lark", "reason"),
    [
        pytest.param("", "Empty", id="nothing"),
        pytest.param("start: missing", "missing", id="an unknown rule"),
        pytest.param('start: "a', "", id="no grammar"),
        pytest.param('start: %json {"type": "mistake"}', "mistake", id="no schema"),
        pytest.param('start: %json {"$ref": "http://elsewhere/schema"}', "", id="a remote reference"),
        pytest.param("start: /(a+)\\1/", "", id="a back-reference"),
        pytest.param(f"start: {'x' * 9_000_000}", "9000007 characters", id="too long"),
        pytest.param("start: " + " ".join('"x"?' for _ in range(3_000_000 // 5)), "", id="too many symbols"),
    ],
)
def test_a_grammar_that_cannot_be_compiled_says_why(lark: str, reason: str) -> None:
    with pytest.raises(GrammarTooComplex) as caught:
        compile_grammar(lark, VOCABULARY)
    message = str(caught.value)
    assert reason in message
    assert 0 < len(message) <= LONGEST_REASON + 1


def test_a_matcher_whose_limits_are_hit_says_so() -> None:
    matcher = compile_grammar('start: "a" (/[a-z]{3}/ | /[a-f]+/)', VOCABULARY).matcher()
    matcher.verify()
    with pytest.raises(Bug):
        matcher.take(tokens_of("x")[0])
    with pytest.raises(Bug, match="can't go on"):
        matcher.verify()


FOUND_AT_LEAST = 0.95


def test_endings_are_found_from_almost_everywhere_and_are_right() -> None:
    missed: list[str] = []
    tried = 0
    for name, lark in GRAMMARS.items():
        grammar = compile_grammar(lark, VOCABULARY)
        for seed in range(12):
            choice = random.Random(seed)
            matcher = grammar.matcher()
            walk(matcher, choice, choice.randrange(60))
            tried += 1
            found = ending(matcher, 96, CLOSERS)
            if found is None:
                missed.append(name)
                continue
            assert len(found) <= 96
            for token in found:
                assert token in allowed(matcher)
                matcher.take(token)
            assert matcher.accepting
    assert len(missed) <= (1 - FOUND_AT_LEAST) * tried, missed


@pytest.mark.parametrize(
    ("name", "begun", "expected"),
    [
        ("optional", "{", "}"),
        ("optional", '{"a":"so it', '"}'),
        ("nested", '{"a":{"b":{"c":"hel', '","d":0}},"e":false}'),
        ("anything", '[{"a":[[', "]]}]"),
        ("any object", '{"a"', ':""}'),
        ("recursive", '{"v":1,"kids":[{"v":2,"kids":[', "]}]}"),
        ("bounds", '{"m":12', ',"n":-1.3,"o":0}'),
        ("pattern", '{"m":"some@where', '.com"}'),
    ],
)
def test_endings_are_short_and_plain(name: str, begun: str, expected: str) -> None:
    matcher = compile_grammar(GRAMMARS[name], VOCABULARY).matcher()
    for token in tokens_of(begun):
        matcher.take(token)
    found = ending(matcher, 96, CLOSERS)
    assert found is not None
    assert VOCABULARY.tokens.decode_str(found) == expected


@pytest.mark.parametrize(
    ("limit", "effort", "found"), [(96, 400, True), (22, 400, True), (10, 400, False), (0, 400, False), (96, 2, False)]
)
def test_a_search_keeps_to_its_limits(limit: int, effort: int, found: bool) -> None:
    matcher = compile_grammar(GRAMMARS["nested"], VOCABULARY).matcher()
    for token in tokens_of('{"a":{"b":'):
        matcher.take(token)
    assert (ending(matcher, limit, CLOSERS, effort=effort) is not None) == found


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The grammars that a cache has compiled, in order."""
    texts: list[str] = []

    def counting(lark: str, vocabulary: Vocabulary) -> Grammar:
        texts.append(lark)
        return compile_grammar(lark, vocabulary)

    monkeypatch.setattr(cache_module, "compile_grammar", counting)
    return texts


def test_a_cache_compiles_each_grammar_once_and_drops_the_oldest(compiled: list[str]) -> None:
    texts = [f'start: "{word}"' for word in ("aa", "bb", "cc")]
    size = compile_grammar(texts[0], VOCABULARY).size_bytes
    cache = GrammarCache(VOCABULARY, 2 * size)
    first = cache.get(texts[0])
    cache.get(texts[1])
    assert cache.get(texts[0]) is first
    cache.get(texts[2])
    assert cache.get(texts[0]) is first
    cache.get(texts[1])
    assert compiled == [*texts, texts[1]]
    assert cache.counts == CacheCounts(hits=2, misses=4, grammars=2, size_bytes=2 * size)


def test_a_cache_keeps_nothing_that_is_larger_than_itself(compiled: list[str]) -> None:
    cache = GrammarCache(VOCABULARY, 1)
    for _ in range(2):
        cache.get('start: "aa"')
    assert len(compiled) == 2
    assert cache.counts.size_bytes == 0


def test_a_refusal_reaches_everybody_and_is_not_kept(compiled: list[str]) -> None:
    cache = GrammarCache(VOCABULARY, 1 << 30)
    for _ in range(2):
        with pytest.raises(GrammarTooComplex, match="missing"):
            cache.get("start: missing")
    assert len(compiled) == 2
    assert cache.counts.grammars == 0


def test_threads_that_ask_at_once_wait_for_one_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 4
    may_compile = threading.Event()
    compilations: list[str] = []

    def waiting(lark: str, vocabulary: Vocabulary) -> Grammar:
        compilations.append(lark)
        assert may_compile.wait(60)
        return compile_grammar(lark, vocabulary)

    monkeypatch.setattr(cache_module, "compile_grammar", waiting)
    cache = GrammarCache(VOCABULARY, 1 << 30)
    grammars: list[Grammar] = []
    threads = [threading.Thread(target=lambda: grammars.append(cache.get('start: "aa"'))) for _ in range(asked)]
    for thread in threads:
        thread.start()
    while cache.counts.hits < asked - 1:
        assert any(thread.is_alive() for thread in threads)
    may_compile.set()
    for thread in threads:
        thread.join()
    assert len(compilations) == 1
    assert len(set(map(id, grammars))) == 1
    assert cache.counts.misses == 1
    assert [walk(grammar.matcher(), random.Random(1), 9) for grammar in grammars] == [tokens_of("a") * 2] * asked


def test_closers_know_every_token() -> None:
    assert len(CLOSERS.kinds) == len(CLOSERS.ranks) == len(CLOSERS.lengths) == VOCABULARY.size
    assert (VOCABULARY.special["</think>"],) in CLOSERS.marks
