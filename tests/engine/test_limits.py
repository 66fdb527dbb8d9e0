"""How long a reply gets, and which jobs are refused at the door."""

import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from hilt.conversation import InvalidRequest, Overloaded, Sampling
from hilt.engine.door import JobDone, Output
from hilt.engine.loading import LoadedModel
from hilt.engine.worker import Engine
from tests.conftest import OpenEngine
from tests.engine.jobs import WAIT_S, Ear, at_token, prompt_of, run, submit


@pytest.mark.parametrize("length", [1, 2, 7])
def test_max_tokens_is_exact(plain_engine: Engine, length: int) -> None:
    heard = run(plain_engine, prompt_of(12), Sampling(max_tokens=length))
    assert len(heard.tokens) == length
    assert heard.done == JobDone("length", length)


@pytest.mark.parametrize("asked", [None, 5, 10**9])
def test_a_reply_ends_where_the_context_does(open_engine: OpenEngine, asked: int | None) -> None:
    engine = open_engine(adapt=lambda loaded: replace(loaded, context_length=64))
    assert run(engine, prompt_of(60), Sampling(max_tokens=asked)).done == JobDone("length", 4)
    assert run(engine, prompt_of(63), Sampling(max_tokens=asked)).done == JobDone("length", 1)


def test_the_end_of_turn_is_not_delivered(open_engine: OpenEngine, plain_engine: Engine) -> None:
    prompt = prompt_of(25)
    tokens = run(plain_engine, prompt, Sampling(max_tokens=20)).tokens
    place = next(i for i in range(3, len(tokens)) if tokens[i] not in tokens[:i])

    def ends_there(loaded: LoadedModel) -> LoadedModel:
        loaded.tokenizer.eos_token_ids = {tokens[place]}  # type: ignore[misc]
        return loaded

    heard = run(open_engine(adapt=ends_there), prompt, Sampling(max_tokens=20))
    assert heard.tokens == tokens[:place]
    assert heard.done == JobDone("stop", place + 1)


@pytest.mark.parametrize(
    ("prompt", "sampling", "code"),
    [
        ([], Sampling(), "invalid_request"),
        ([-1], Sampling(), "invalid_request"),
        ([3, 260], Sampling(), "invalid_request"),
        ([3], Sampling(max_tokens=0), "invalid_request"),
        ([3], Sampling(max_tokens=-4), "invalid_request"),
        ([3] * 4096, Sampling(max_tokens=1), "context_length_exceeded"),
        ([3] * 9999, Sampling(), "context_length_exceeded"),
    ],
    ids=["empty", "negative", "unknown token", "no tokens", "fewer", "full", "too long"],
)
def test_what_cannot_run_is_refused(plain_engine: Engine, prompt: list[int], sampling: Sampling, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        plain_engine.submit(prompt, sampling, Ear())
    assert refused.value.code == code


def test_the_last_token_of_the_vocabulary_is_known(plain_engine: Engine, tiny_folder: Path) -> None:
    size = plain_engine.loaded.vocabulary_size
    assert size == 260
    assert run(plain_engine, [size - 1], Sampling(max_tokens=1)).done.tokens == 1


def test_a_full_engine_refuses_until_a_job_ends(open_engine: OpenEngine) -> None:
    engine = open_engine(max_batch=1, max_waiting=1)
    running, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        running.set()
        assert go_on.wait(WAIT_S)

    sampling = Sampling(max_tokens=3)
    first = submit(engine, prompt_of(5), sampling, at_token(1, hold))
    assert running.wait(WAIT_S)
    late: list[Ear] = []

    def on_end(ear: Ear, output: Output) -> None:
        if isinstance(output, JobDone):  # the place is free before anybody hears of the end
            late.extend(submit(engine, prompt_of(n), sampling) for n in (3, 4))

    second = submit(engine, prompt_of(6), sampling, Ear(on_end))
    with pytest.raises(Overloaded) as refused:
        submit(engine, prompt_of(7), sampling)
    assert "2 requests" in refused.value.message
    go_on.set()
    assert [ear.heard().done.tokens for ear in (first, second, *late)] == [3, 3]
    assert [ear.heard().done.tokens for ear in late] == [3, 3]


def test_no_more_jobs_run_together_than_max_batch(open_engine: OpenEngine) -> None:
    engine = open_engine(max_batch=2)
    order: list[str] = []

    def noted(name: str) -> Ear:
        return Ear(lambda ear, output: order.append(f"{name} {type(output).__name__}"))

    ears = [submit(engine, prompt_of(4, 7 + n), Sampling(max_tokens=4), noted(str(n))) for n in range(3)]
    for ear in ears:
        ear.wait()
    assert order.index("2 PromptDone") > min(order.index("0 JobDone"), order.index("1 JobDone"))
