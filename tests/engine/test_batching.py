"""What a job gives depends on nothing but the job: not on the batch, the cache, or when it came."""

from pathlib import Path

import pytest

from hilt.conversation import Sampling
from hilt.engine.worker import Engine
from tests.conftest import OpenEngine
from tests.engine.jobs import Ear, at_token, prompt_of, run, submit
from tests.tiny import HYBRID, SLIDING_WINDOW, write_tiny_model

PROMPTS = [prompt_of(1, 3), prompt_of(5, 5), prompt_of(60, 7), prompt_of(33, 11), prompt_of(200, 13), prompt_of(16, 17)]
LENGTHS = [9, 14, 3, 12, 6, 1]
JOBS = [(prompt, Sampling(max_tokens=length)) for prompt, length in zip(PROMPTS, LENGTHS, strict=True)]


@pytest.fixture(scope="module")
def alone(plain_engine: Engine) -> list[list[int]]:
    return [run(plain_engine, prompt, sampling).tokens for prompt, sampling in JOBS]


@pytest.mark.parametrize("max_batch", [1, 3, 32])
def test_jobs_that_come_together_give_what_each_gives_alone(
    open_engine: OpenEngine, alone: list[list[int]], max_batch: int
) -> None:
    engine = open_engine(max_batch=max_batch, prefill_chunk=16)
    ears = [submit(engine, *job) for job in JOBS]
    assert [ear.heard().tokens for ear in ears] == alone


def test_jobs_that_come_one_after_the_other_give_what_each_gives_alone(
    open_engine: OpenEngine, alone: list[list[int]]
) -> None:
    engine = open_engine(prefill_chunk=16)
    order = [0, 2, 4, 3, 1, 5]
    ears: dict[int, Ear] = {}

    def begin(place: int) -> None:
        if place < len(order):
            job = order[place]
            ears[job] = submit(engine, *JOBS[job], at_token(1, lambda: begin(place + 1)))

    begin(0)
    heard: dict[int, list[int]] = {}
    for job in order:
        heard[job] = ears[job].heard().tokens
    assert [heard[job] for job in range(len(JOBS))] == alone


def test_a_turn_that_goes_on_reuses_every_token_of_the_turn_before(
    open_engine: OpenEngine, plain_engine: Engine
) -> None:
    engine = open_engine(prefill_chunk=16)
    prompt = prompt_of(70)
    sampling = Sampling(max_tokens=10)
    for _ in range(3):
        heard = run(engine, prompt, sampling)
        assert heard.tokens == run(plain_engine, prompt, sampling).tokens
        longer = [*prompt, *heard.tokens, *prompt_of(4, 19)]
        again = run(engine, longer, sampling)
        assert again.cached_tokens == len(prompt) + len(heard.tokens)
        assert again.tokens == run(plain_engine, longer, sampling).tokens
        prompt = longer


@pytest.mark.parametrize("shared", [1, 2, 30, 49])
def test_a_prompt_that_parts_ways_reuses_what_is_shared(
    open_engine: OpenEngine, plain_engine: Engine, shared: int
) -> None:
    engine = open_engine()
    sampling = Sampling(max_tokens=5)
    run(engine, prompt_of(50), sampling)
    other = [*prompt_of(50)[:shared], 255, *prompt_of(20, 23)]
    heard = run(engine, other, sampling)
    assert heard.cached_tokens == shared
    assert heard.tokens == run(plain_engine, other, sampling).tokens


@pytest.mark.parametrize("length", [1, 2, 70])
def test_a_prompt_that_has_been_read_whole_is_answered_again(open_engine: OpenEngine, length: int) -> None:
    engine = open_engine()
    prompt, sampling = prompt_of(length), Sampling(max_tokens=6)
    first = run(engine, prompt, sampling)
    second = run(engine, prompt, sampling)
    assert (first.cached_tokens, second.cached_tokens) == (0, length - 1)
    assert second.tokens == first.tokens
    everything = [*prompt, *first.tokens]
    assert run(engine, everything, sampling).cached_tokens == len(everything) - 1


def test_jobs_that_share_a_prefix_run_together(open_engine: OpenEngine, plain_engine: Engine) -> None:
    engine = open_engine(prefill_chunk=16)
    sampling = Sampling(max_tokens=8)
    prefix = prompt_of(90)
    run(engine, prefix, sampling)
    prompts = [[*prefix[: 20 * n], *prompt_of(3 * n, 29)] for n in range(1, 5)]
    heard = [ear.heard() for ear in [submit(engine, prompt, sampling) for prompt in prompts]]
    assert [h.cached_tokens for h in heard] == [20, 40, 60, 80]
    assert [h.tokens for h in heard] == [run(plain_engine, prompt, sampling).tokens for prompt in prompts]


@pytest.mark.parametrize("config", [SLIDING_WINDOW, HYBRID], ids=["sliding window", "hybrid"])
def test_caches_that_cannot_be_cut_are_reused_whole_or_not_at_all(
    open_engine: OpenEngine, tmp_path: Path, config: dict[str, object]
) -> None:
    folder = write_tiny_model(tmp_path / "model", **config)
    engine = open_engine(folder, prefill_chunk=16)
    plain = open_engine(folder, prefix_cache_bytes=0)
    sampling = Sampling(max_tokens=10)
    prompt = prompt_of(50)
    first = run(engine, prompt, sampling)
    longer = [*prompt, *first.tokens, 1, 2, 3]
    other = [*prompt, 255, *prompt_of(9, 31)]
    heard = [run(engine, p, sampling) for p in (longer, other, prompt)]
    assert [h.cached_tokens for h in heard] == [60, 0, 0]
    assert [h.tokens for h in heard] == [run(plain, p, sampling).tokens for p in (longer, other, prompt)]
    together = [submit(engine, p, sampling) for p in (longer, other, prompt_of(7))]
    assert [e.heard().tokens for e in together] == [
        run(plain, p, sampling).tokens for p in (longer, other, prompt_of(7))
    ]


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63 - 1])
def test_a_seed_gives_the_same_tokens_whatever_else_runs(
    open_engine: OpenEngine, plain_engine: Engine, seed: int
) -> None:
    sampling = Sampling(temperature=1.5, top_p=0.95, top_k=100, seed=seed, max_tokens=12)
    prompt = prompt_of(20)
    alone = run(plain_engine, prompt, sampling).tokens
    engine = open_engine()
    unseeded = Sampling(temperature=1.5, max_tokens=9)
    ears = [submit(engine, prompt_of(n, 37), unseeded) for n in (3, 40)]
    seeded = submit(engine, prompt, sampling)
    twin = submit(engine, prompt, sampling)
    ears.append(submit(engine, prompt_of(8, 41), Sampling(temperature=1.0, seed=5, max_tokens=15)))
    assert seeded.heard().tokens == alone == twin.heard().tokens
    for ear in ears:
        ear.wait()


def test_seeds_differ(plain_engine: Engine) -> None:
    replies = {
        tuple(run(plain_engine, prompt_of(20), Sampling(temperature=1.5, seed=seed, max_tokens=8)).tokens)
        for seed in range(4)
    }
    assert len(replies) == 4


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0, top_k=1),
        Sampling(temperature=2.0, top_p=1e-9),
        Sampling(temperature=1e-30),
        Sampling(temperature=0.0, top_k=5, top_p=0.5, seed=3),
        Sampling(),
    ],
    ids=["top_k", "top_p", "cold", "zero", "the model's default"],
)
def test_one_choice_is_the_greedy_choice(plain_engine: Engine, sampling: Sampling) -> None:
    greedy = run(plain_engine, prompt_of(30), Sampling(temperature=0.0, max_tokens=10)).tokens
    asked = Sampling(sampling.temperature, sampling.top_p, sampling.top_k, sampling.seed, max_tokens=10)
    assert run(plain_engine, prompt_of(30), asked).tokens == greedy
