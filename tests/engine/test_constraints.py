"""Replies under a grammar say what it allows and nothing else, and nobody beside them notices."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from tokenizers import Tokenizer

from hilt.conversation import Bug, Sampling
from hilt.engine.door import Constraint
from hilt.engine.loading import LoadedModel
from hilt.engine.masking import Guarded, Masks, masked
from hilt.engine.sampling import sampler_for
from hilt.engine.worker import Engine
from hilt.grammar.budget import Steering
from hilt.grammar.ending import Closers, read_closers
from hilt.grammar.matching import Allowed, Grammar, Only, compile_grammar
from hilt.grammar.vocabulary import Vocabulary, read_vocabulary
from tests.conftest import OpenEngine
from tests.engine.jobs import Ear, at_token, prompt_of, run, submit
from tests.tiny import HYBRID, SLIDING_WINDOW, TURN_END, write_tiny_model

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "mood": {"enum": ["quite cheerful today", "rather gloomy today"]},
        "tags": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 99}, "maxItems": 2},
    },
    "required": ["name", "mood", "tags"],
    "additionalProperties": False,
}
COMPACT = {"x-guidance": {"whitespace_flexible": False}}
WORDS = r"start: /(red|green|blue)( (red|green|blue)){3}/"


def grammar_text(schema: dict[str, Any]) -> str:
    return f"start: %json {json.dumps(schema | COMPACT)}"


@pytest.fixture(scope="module")
def vocabulary(tiny_folder: Path) -> Vocabulary:
    tokenizer = Tokenizer.from_file(str(tiny_folder / "tokenizer.json"))
    return read_vocabulary(tokenizer, tokenizer.get_vocab_size(), [tokenizer.token_to_id(TURN_END)])


@pytest.fixture(scope="module")
def person(vocabulary: Vocabulary) -> Grammar:
    return compile_grammar(grammar_text(PERSON), vocabulary)


@pytest.fixture(scope="module")
def words(vocabulary: Vocabulary) -> Grammar:
    return compile_grammar(WORDS, vocabulary)


@pytest.fixture(scope="module")
def closers(vocabulary: Vocabulary) -> Closers:
    return read_closers(vocabulary, [])


def constrained(
    engine: Engine, prompt: Sequence[int], sampling: Sampling, constraint: Constraint, ear: Ear | None = None
) -> Ear:
    ear = ear or Ear()
    ear.submitted.set_result(engine.submit(list(prompt), sampling, ear, constraint))
    return ear


def text_of(vocabulary: Vocabulary, ear: Ear) -> str:
    return vocabulary.tokens.decode_bytes(ear.tokens).decode()


def is_person(text: str) -> bool:
    value = json.loads(text)
    assert list(value) == ["name", "mood", "tags"], value
    return value["mood"] in PERSON["properties"]["mood"]["enum"] and all(0 <= tag <= 99 for tag in value["tags"])


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_constrained_replies_match_and_others_are_as_if_alone(
    open_engine: OpenEngine,
    plain_engine: Engine,
    vocabulary: Vocabulary,
    person: Grammar,
    words: Grammar,
    temperature: float,
) -> None:
    engine = open_engine(prefill_chunk=16)
    sampling = Sampling(temperature=temperature, seed=3, max_tokens=300)
    free = Sampling(temperature=temperature, seed=5, max_tokens=60)
    ears: list[tuple[str, Ear]] = []
    for number in range(3):
        ears.append(("person", constrained(engine, prompt_of(9 + number), sampling, person.matcher())))
        ears.append(("free", submit(engine, prompt_of(30 * number + 1, 11), free)))
        ears.append(("words", constrained(engine, prompt_of(5 + number, 13), sampling, words.matcher())))
    for number, (kind, ear) in enumerate(ears):
        heard = ear.heard()
        if kind == "free":
            assert heard == run(plain_engine, prompt_of(30 * (number // 3) + 1, 11), free)
            continue
        assert heard.done.reason == "stop"
        assert heard.done.tokens == len(heard.tokens) + 1
        text = text_of(vocabulary, ear)
        assert is_person(text) if kind == "person" else set(text.split()) <= {"red", "green", "blue"}


def test_a_matcher_and_the_prefix_cache_hold_over_turns(
    open_engine: OpenEngine, vocabulary: Vocabulary, person: Grammar
) -> None:
    engine = open_engine(prefill_chunk=16)
    sampling = Sampling(temperature=0.0, max_tokens=300)
    first = constrained(engine, prompt_of(40), sampling, person.matcher())
    whole = [*prompt_of(40), *first.heard().tokens]
    second = constrained(engine, [*whole, 1, 2, 3], sampling, person.matcher())
    assert second.heard().cached_tokens == len(whole)
    fresh = constrained(open_engine(prefix_cache_bytes=0), [*whole, 1, 2, 3], sampling, person.matcher())
    assert second.tokens == fresh.heard().tokens


@pytest.mark.parametrize("config", [{}, SLIDING_WINDOW, HYBRID], ids=["full", "sliding window", "hybrid"])
def test_forced_tokens_are_read_together_and_change_nothing(
    open_engine: OpenEngine, tmp_path: Path, vocabulary: Vocabulary, person: Grammar, config: dict[str, Any]
) -> None:
    folder = write_tiny_model(tmp_path / "model", **config)
    widths: list[int] = []

    def adapt(loaded: LoadedModel) -> LoadedModel:
        real = type(loaded.model).__call__

        class Counting(type(loaded.model)):  # type: ignore[misc]
            def __call__(self, tokens: mx.array, *arguments: Any, **named: Any) -> Any:
                widths.append(tokens.shape[1])
                return real(self, tokens, *arguments, **named)

        loaded.model.__class__ = Counting
        return loaded

    engine = open_engine(folder, adapt=adapt)
    sampling = Sampling(temperature=0.0, max_tokens=300)
    for prompt in (prompt_of(40), prompt_of(3)):
        widths.clear()
        alone = constrained(engine, prompt, sampling, person.matcher())
        heard = alone.heard()
        assert is_person(text_of(vocabulary, alone))
        assert any(width > 1 for width in widths[2:])
        assert len(widths) < heard.done.tokens
        whole = [*prompt, *heard.tokens, *vocabulary.ends]
        going_on = submit(engine, [*whole, 7], Sampling(max_tokens=8))
        assert going_on.heard().cached_tokens == len(whole)
        beside = open_engine(folder, prefix_cache_bytes=0)
        assert going_on.tokens == run(beside, [*whole, 7], Sampling(max_tokens=8)).tokens
        long = submit(beside, prompt_of(2, 17), Sampling(max_tokens=2000))
        in_company = constrained(beside, prompt, sampling, person.matcher())
        assert in_company.heard().tokens == heard.tokens
        beside.cancel(long.job)


@pytest.mark.parametrize("limit", [1, 5, 20, 60])
def test_a_limit_cuts_what_is_forced(open_engine: OpenEngine, person: Grammar, limit: int) -> None:
    engine = open_engine()
    whole = constrained(engine, prompt_of(9), Sampling(temperature=0.0, max_tokens=300), person.matcher())
    cut = constrained(engine, prompt_of(9), Sampling(temperature=0.0, max_tokens=limit), person.matcher())
    heard = cut.heard()
    assert heard.tokens == whole.heard().tokens[:limit]
    assert (heard.done.reason, heard.done.tokens) == ("length", limit)


@pytest.mark.parametrize("limit", [75, 80, 100, 150])
@pytest.mark.parametrize("beside", [0, 2])
def test_steering_makes_replies_whole_within_small_limits(
    open_engine: OpenEngine, vocabulary: Vocabulary, closers: Closers, limit: int, beside: int
) -> None:
    people = compile_grammar(grammar_text({"type": "array", "items": PERSON, "minItems": 1}), vocabulary)
    engine = open_engine()
    others = [submit(engine, prompt_of(3 + n, 11), Sampling(max_tokens=200)) for n in range(beside)]
    for seed in range(4):
        steering = Steering(people.matcher(), limit, closers)
        sampling = Sampling(temperature=1.0, seed=seed, max_tokens=limit)
        ear = constrained(engine, prompt_of(9), sampling, steering)
        heard = ear.heard()
        assert heard.done.reason == "stop"
        assert heard.done.tokens <= limit
        assert all(is_person(json.dumps(each)) for each in json.loads(text_of(vocabulary, ear)))
    for other in others:
        assert len(other.heard().tokens) == 200


def test_cancelled_in_the_middle(open_engine: OpenEngine, vocabulary: Vocabulary, person: Grammar) -> None:
    engine = open_engine()
    sampling = Sampling(temperature=0.0, max_tokens=300)
    witness = constrained(engine, prompt_of(8), sampling, person.matcher())
    witness.wait()
    victim = at_token(12, lambda: engine.cancel(victim.job))
    survivor = constrained(engine, prompt_of(8), sampling, person.matcher())
    constrained(engine, prompt_of(9), sampling, person.matcher(), victim)
    assert survivor.heard().tokens == witness.tokens
    assert not victim.ended
    again = constrained(engine, prompt_of(9), sampling, person.matcher())
    again.wait()
    assert is_person(text_of(vocabulary, again))


class Exploding:
    """A matcher until its number of calls is used up."""

    def __init__(self, grammar: Grammar, method: str, calls: int) -> None:
        self._matcher = grammar.matcher()
        self._method = method
        self._calls = calls

    def _count(self, method: str) -> None:
        if method == self._method:
            self._calls -= 1
            if self._calls < 0:
                raise ZeroDivisionError("broken on purpose")

    def allowed(self) -> Allowed:
        self._count("allowed")
        return self._matcher.allowed()

    def forced(self) -> list[int]:
        self._count("forced")
        return []

    def take(self, token: int) -> None:
        self._count("take")
        self._matcher.take(token)

    def verify(self) -> None:
        self._count("verify")
        self._matcher.verify()


@pytest.mark.parametrize("method", ["allowed", "take", "verify", "forced"])
@pytest.mark.parametrize("calls", [0, 7])
def test_a_constraint_that_explodes_fails_its_own_job(
    open_engine: OpenEngine,
    plain_engine: Engine,
    vocabulary: Vocabulary,
    person: Grammar,
    caplog: pytest.LogCaptureFixture,
    method: str,
    calls: int,
) -> None:
    engine = open_engine(max_batch=3)
    alone = method == "forced"
    others: list[Ear] = []
    if not alone:
        others = [
            submit(engine, prompt_of(7), Sampling(max_tokens=90)),
            constrained(engine, prompt_of(8), Sampling(temperature=0.0, max_tokens=300), person.matcher()),
        ]
    doomed = constrained(
        engine, prompt_of(9), Sampling(temperature=0.0, max_tokens=300), Exploding(person, method, calls)
    )
    error = doomed.error()
    assert isinstance(error, Bug)
    assert "broken on purpose" in error.message
    assert len(doomed.tokens) <= calls
    assert "broken on purpose" in caplog.text
    if not alone:
        assert others[0].heard() == run(plain_engine, prompt_of(7), Sampling(max_tokens=90))
        others[1].wait()
        assert is_person(text_of(vocabulary, others[1]))
    assert run(engine, prompt_of(5), Sampling(max_tokens=4)).done.tokens == 4


class Fixed:
    """Allows the same few tokens for ever."""

    def __init__(self, *tokens: int) -> None:
        self._tokens = tokens

    def allowed(self) -> Allowed:
        return Only(self._tokens)

    def forced(self) -> list[int]:
        return []

    def take(self, token: int) -> None:
        assert token in self._tokens

    def verify(self) -> None:
        pass


def test_a_row_of_which_the_model_has_no_token_is_at_fault(open_engine: OpenEngine) -> None:
    engine = open_engine()
    error = constrained(engine, prompt_of(9), Sampling(max_tokens=5), Fixed(100_000)).error()
    assert "no token" in error.message
    assert constrained(engine, prompt_of(9), Sampling(max_tokens=5), Fixed(65)).heard().tokens == [65] * 5


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0),
        Sampling(temperature=1e-4),
        Sampling(temperature=2.0, top_p=0.01),
        Sampling(temperature=1.0, top_p=0.99999),
        Sampling(temperature=1.0, top_k=1),
        Sampling(temperature=1.0, top_k=40, top_p=0.5, seed=1),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16, mx.float16])
def test_every_sampler_picks_the_only_token(sampling: Sampling, dtype: mx.Dtype) -> None:
    scores = mx.full((2, 300), 20.0).astype(dtype)
    words = np.zeros((2, 10), np.uint32)
    words[0, 7] = 1 << 5
    words[1, 0] = 1
    sampler = sampler_for(sampling)
    assert sampler is not None
    for _ in range(5):
        assert sampler(masked(scores, words)).tolist() == [7 * 32 + 5, 0]


@pytest.mark.parametrize("surplus", [-40, -1, 0, 1, 31, 32, 500])
def test_masks_are_as_wide_as_the_scores(vocabulary: Vocabulary, words: Grammar, surplus: int) -> None:
    size = vocabulary.size + surplus
    masks = Masks()
    guards = [Guarded(words.matcher()), None, Guarded(words.matcher()), Guarded(Fixed(1, 64))]
    found = masks.of(guards, size)
    assert found is not None
    kept = (mx.isfinite(masked(mx.zeros((4, size)), found))).tolist()
    letters = sorted(vocabulary.tokens.tokenize_str(letter)[0] for letter in "rgb")
    allowed: list[Callable[[int], bool]] = [
        lambda t: t in letters,
        lambda t: True,
        lambda t: t in letters,
        lambda t: t in (1, 64),
    ]
    assert kept == [[may(token) for token in range(size)] for may in allowed]


def test_no_mask_where_everything_may_follow(vocabulary: Vocabulary) -> None:
    masks = Masks()
    assert masks.of([None, None], 300) is None
    assert masks.of([Guarded(Fixed(*range(320))), None], 320) is None
