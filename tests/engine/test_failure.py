"""One job's misfortune is not another's, and the engine serves on; at the close everybody hears of it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from hilt.conversation import Bug, Sampling, Unavailable
from hilt.engine import worker
from hilt.engine.door import JobFailed, Output, TokenOut
from hilt.engine.loading import LoadedModel
from hilt.engine.worker import Engine
from hilt.settings import EngineOptions
from tests.conftest import OpenEngine
from tests.engine.jobs import WAIT_S, Ear, at_token, prompt_of, run, submit

POISON = Sampling(temperature=1.0, seed=666, max_tokens=9)
HEALTHY = Sampling(max_tokens=9)


def broken(*_: Any) -> Any:
    raise ZeroDivisionError("broken on purpose")


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Puts something in the place of the sampler of jobs that ask for POISON."""

    def placing(sampler_for: Any) -> None:
        real = worker.sampler_for
        monkeypatch.setattr(worker, "sampler_for", lambda s: sampler_for(s) if s.seed == POISON.seed else real(s))

    return placing


def test_a_step_that_fails_fails_the_jobs_in_it_and_no_others(
    open_engine: OpenEngine, plain_engine: Engine, poison: Callable[[Any], None]
) -> None:
    poison(lambda _: broken)
    engine = open_engine(max_batch=2)
    prompt = prompt_of(30)
    before = run(engine, prompt, HEALTHY)
    ears: list[Ear] = []

    def crowd() -> None:
        ears.append(submit(engine, prompt_of(5), POISON))
        ears.append(submit(engine, prompt_of(6), HEALTHY))

    running = submit(engine, prompt_of(7, 11), Sampling(max_tokens=500), at_token(2, crowd))
    error = running.error()
    assert isinstance(error, Bug)
    assert "broken on purpose" in error.message
    poisoned, waiting = ears
    assert isinstance(poisoned.error(), Bug)
    assert waiting.heard().tokens == run(plain_engine, prompt_of(6), HEALTHY).tokens
    after = run(engine, prompt, HEALTHY)
    assert after.tokens == before.tokens
    assert after.cached_tokens == len(prompt) - 1


def test_a_job_that_cannot_be_started_fails_alone(
    open_engine: OpenEngine, plain_engine: Engine, poison: Callable[[Any], None]
) -> None:
    poison(broken)
    engine = open_engine(max_batch=2, max_waiting=1)
    ears: list[Ear] = []
    healthy = submit(engine, prompt_of(7), HEALTHY, at_token(2, lambda: ears.append(submit(engine, [1], POISON))))
    assert healthy.heard().tokens == run(plain_engine, prompt_of(7), HEALTHY).tokens
    for ear in [*ears, *(submit(engine, [1], POISON) for _ in range(1))]:
        error = ear.error()
        assert isinstance(error, Bug)
        assert "could not be started" in error.message
        assert len(ear.outputs) == 1


def test_a_deliver_that_raises_loses_only_its_own_job(
    open_engine: OpenEngine, plain_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(max_batch=2, max_waiting=0)

    def deaf(ear: Ear, output: Output) -> None:
        raise RuntimeError("Event loop is closed")

    healthy = submit(engine, prompt_of(7), Sampling(max_tokens=30))
    victim = submit(engine, prompt_of(9), Sampling(max_tokens=2000), Ear(deaf))
    assert healthy.heard().tokens == run(plain_engine, prompt_of(7), Sampling(max_tokens=30)).tokens
    pair = [submit(engine, prompt_of(n), HEALTHY) for n in (3, 4)]
    assert [ear.heard().done.tokens for ear in pair] == [9, 9]
    assert 1 <= len(victim.outputs) <= 2
    assert "job 1 is cancelled" in caplog.text


def test_a_deliver_that_raises_at_the_end_is_survived(open_engine: OpenEngine, poison: Callable[[Any], None]) -> None:
    poison(lambda _: broken)
    engine = open_engine()

    def deaf(ear: Ear, output: Output) -> None:
        if ear.tokens == []:
            raise RuntimeError("Event loop is closed")

    doomed = submit(engine, prompt_of(5), POISON, Ear(deaf))
    doomed.wait()
    assert [type(output) for output in doomed.outputs] == [JobFailed]
    assert run(engine, prompt_of(3), HEALTHY).done.tokens == 9


def test_a_model_that_breaks_breaks_nothing_else(open_engine: OpenEngine) -> None:
    breaking = threading.Event()

    def adapt(loaded: LoadedModel) -> LoadedModel:
        real = type(loaded.model).__call__

        class Breaking(type(loaded.model)):  # type: ignore[misc]
            def __call__(self, *arguments: Any, **named: Any) -> Any:
                if breaking.is_set():
                    raise ValueError("the model broke")
                return real(self, *arguments, **named)

        loaded.model.__class__ = Breaking
        return loaded

    engine = open_engine(adapt=adapt)
    expected = run(engine, prompt_of(20), HEALTHY).tokens
    breaking.set()
    for ear in [submit(engine, prompt_of(n, 11), HEALTHY) for n in (3, 9, 40)]:
        assert "the model broke" in ear.error().message
    breaking.clear()
    assert run(engine, prompt_of(20), HEALTHY).tokens == expected


def test_the_close_fails_open_jobs_and_shuts_the_door(open_engine: OpenEngine) -> None:
    engine = open_engine(max_batch=1)
    going = threading.Event()
    running = submit(engine, prompt_of(5), Sampling(max_tokens=4000), at_token(1, going.set))
    waiting = submit(engine, prompt_of(6), HEALTHY)
    assert going.wait(WAIT_S)
    engine.close()
    assert isinstance(running.error(), Unavailable)
    assert isinstance(waiting.error(), Unavailable)
    with pytest.raises(Unavailable, match="closed"):
        submit(engine, prompt_of(5), HEALTHY)
    engine.cancel(running.job)
    engine.close()


def test_every_job_that_was_let_in_hears_of_the_close(open_engine: OpenEngine) -> None:
    engine = open_engine(max_batch=2)
    started = threading.Barrier(4)
    accepted: list[Ear] = []

    def submitting() -> None:
        started.wait(WAIT_S)
        while True:
            ear = Ear()
            try:
                submit(engine, prompt_of(4), Sampling(max_tokens=1), ear)
            except Unavailable:
                return
            accepted.append(ear)
            ear.wait()

    threads = [threading.Thread(target=submitting) for _ in range(3)]
    for thread in threads:
        thread.start()
    started.wait(WAIT_S)
    for _ in range(5):
        submit(engine, prompt_of(6), HEALTHY).wait()
    engine.close()
    for thread in threads:
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert accepted
    assert all(ear.ended for ear in accepted)


@pytest.mark.parametrize("error", [KeyError("lost"), Unavailable("not now"), SystemExit(3)])
def test_what_the_loader_raises_reaches_the_constructor(error: BaseException) -> None:
    before = threading.active_count()

    def load() -> LoadedModel:
        raise error

    with pytest.raises(type(error)) as raised:
        Engine(load, EngineOptions())
    assert raised.value is error
    assert threading.active_count() == before


def test_engines_do_not_touch_each_other(open_engine: OpenEngine, plain_engine: Engine) -> None:
    expected = run(plain_engine, prompt_of(30), HEALTHY).tokens
    other = open_engine()
    held = submit(plain_engine, prompt_of(30), Sampling(max_tokens=60))
    assert run(other, prompt_of(30), HEALTHY).tokens == expected
    other.close()
    assert held.heard().tokens[:9] == expected
    assert run(plain_engine, prompt_of(30), HEALTHY).tokens == expected
    assert isinstance(held.outputs[1], TokenOut)
