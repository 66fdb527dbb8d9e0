"""A job that is taken back is gone, wherever it was, and nobody else notices."""

import pytest

from hilt.conversation import Sampling
from hilt.engine.door import Output, PromptDone
from hilt.engine.worker import Engine
from tests.conftest import OpenEngine
from tests.engine.jobs import Ear, at_token, prompt_of, run, submit

BYSTANDER = (prompt_of(20), Sampling(max_tokens=30))
LONG = Sampling(max_tokens=2000)


@pytest.fixture(scope="module")
def bystander_alone(plain_engine: Engine) -> list[int]:
    return run(plain_engine, *BYSTANDER).tokens


def test_cancelled_while_it_decodes(open_engine: OpenEngine, bystander_alone: list[int]) -> None:
    engine = open_engine()
    victim = at_token(4, lambda: engine.cancel(victim.job))
    bystander = submit(engine, *BYSTANDER)
    submit(engine, prompt_of(9), LONG, victim)
    assert bystander.heard().tokens == bystander_alone
    assert (len(victim.tokens), victim.ended) == (4, False)


def test_cancelled_while_its_prompt_is_read(open_engine: OpenEngine, bystander_alone: list[int]) -> None:
    engine = open_engine(prefill_chunk=8)
    victim = Ear()
    companion = Ear()

    def bring_in() -> None:
        submit(engine, prompt_of(1000, 11), LONG, victim)
        submit(engine, prompt_of(100, 13), Sampling(max_tokens=5), companion)

    bystander = submit(engine, *BYSTANDER, at_token(3, bring_in, 6, lambda: engine.cancel(victim.job)))
    assert bystander.heard().tokens == bystander_alone
    assert companion.heard().tokens == run(engine, prompt_of(100, 13), Sampling(max_tokens=5)).tokens
    assert victim.outputs == []
    again = run(engine, prompt_of(1000, 11), Sampling(max_tokens=1))
    assert 0 < again.cached_tokens < 999
    assert again.cached_tokens % 8 == 0


def test_cancelled_while_it_waits(open_engine: OpenEngine, bystander_alone: list[int]) -> None:
    engine = open_engine(max_batch=1)
    victim = Ear()
    bystander = submit(
        engine,
        *BYSTANDER,
        at_token(3, lambda: submit(engine, prompt_of(9), LONG, victim), 6, lambda: engine.cancel(victim.job)),
    )
    assert bystander.heard().tokens == bystander_alone
    assert run(engine, prompt_of(3), Sampling(max_tokens=2)).done.tokens == 2
    assert victim.outputs == []


def test_cancelled_before_the_engine_has_seen_it(open_engine: OpenEngine) -> None:
    engine = open_engine(max_batch=1, max_waiting=1)
    for _ in range(10):
        victim = submit(engine, prompt_of(9), LONG)
        engine.cancel(victim.job)
        assert run(engine, prompt_of(3), Sampling(max_tokens=2)).done.tokens == 2


@pytest.mark.parametrize("when", ["PromptDone", "TokenOut"])
def test_its_place_is_free_again(open_engine: OpenEngine, when: str) -> None:
    engine = open_engine(max_batch=1, max_waiting=1)

    def then(ear: Ear, output: Output) -> None:
        if type(output).__name__ == when:
            engine.cancel(ear.job)

    for _ in range(3):
        submit(engine, prompt_of(9), LONG, Ear(then))
        assert run(engine, prompt_of(3), Sampling(max_tokens=2)).done.tokens == 2
    ears = [submit(engine, prompt_of(n), Sampling(max_tokens=2)) for n in (3, 4)]
    assert [ear.heard().done.tokens for ear in ears] == [2, 2]


def test_finished_and_unknown_jobs_are_ignored(open_engine: OpenEngine) -> None:
    engine = open_engine(max_batch=1, max_waiting=0)
    ear = submit(engine, prompt_of(9), Sampling(max_tokens=2))
    done = ear.heard()
    for job in (ear.job, ear.job, 10**9, -1):
        engine.cancel(job)
    assert run(engine, prompt_of(9), Sampling(max_tokens=2)).tokens == done.tokens
    assert len(ear.outputs) == 4


def test_what_was_read_for_it_is_kept(open_engine: OpenEngine, plain_engine: Engine) -> None:
    engine = open_engine()
    prompt = prompt_of(40)
    victim = at_token(4, lambda: engine.cancel(victim.job))
    submit(engine, prompt, LONG, victim)
    run(engine, prompt_of(3, 11), Sampling(max_tokens=9))
    longer = [*prompt, *victim.tokens, 1, 2, 3]
    heard = run(engine, longer, Sampling(max_tokens=9))
    assert heard.cached_tokens == len(prompt) + 4
    assert heard.tokens == run(plain_engine, longer, Sampling(max_tokens=9)).tokens
    assert isinstance(victim.outputs[0], PromptDone)
