"""Which tokens can be picked, and how often."""

import mlx.core as mx
import pytest

from hilt.conversation import Sampling
from hilt.engine.sampling import sampler_for

PROBABILITIES = [0.05, 0.4, 0.1, 0.3, 0.15]
DRAWS = 20_000


def shares(sampling: Sampling) -> list[float]:
    """How often each token is picked."""
    sampler = sampler_for(sampling)
    assert sampler is not None
    scores = mx.broadcast_to(mx.log(mx.array(PROBABILITIES)), (DRAWS, len(PROBABILITIES)))
    picked = sampler(scores).tolist()
    return [picked.count(token) / DRAWS for token in range(len(PROBABILITIES))]


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(temperature=1.0), PROBABILITIES),
        (Sampling(temperature=0.5), [0.0088, 0.5614, 0.0351, 0.3158, 0.0789]),
        (Sampling(temperature=1.0, top_k=2), [0, 4 / 7, 0, 3 / 7, 0]),
        (Sampling(temperature=1.0, top_k=1), [0, 1, 0, 0, 0]),
        (Sampling(temperature=1.0, top_k=4), [0, 0.4211, 0.1053, 0.3158, 0.1579]),
        (Sampling(temperature=1.0, top_k=5), PROBABILITIES),
        (Sampling(temperature=1.0, top_k=10**9), PROBABILITIES),
        (Sampling(temperature=1.0, top_p=0.69), [0, 4 / 7, 0, 3 / 7, 0]),
        (Sampling(temperature=1.0, top_p=0.71), [0, 0.4706, 0, 0.3529, 0.1765]),
        (Sampling(temperature=1.0, top_p=0.3), [0, 1, 0, 0, 0]),
        (Sampling(temperature=1.0, top_p=1e-9), [0, 1, 0, 0, 0]),
        (Sampling(temperature=1.0, top_p=0.5, top_k=3), [0, 0.5714, 0, 0.4286, 0]),
    ],
    ids=str,
)
def test_tokens_come_as_often_as_they_should(sampling: Sampling, expected: list[float]) -> None:
    seeded = Sampling(sampling.temperature, sampling.top_p, sampling.top_k, seed=11)
    measured = shares(seeded)
    assert measured == pytest.approx(expected, abs=0.015)
    assert [share == 0 for share in measured] == [share == 0 for share in expected]


def test_without_a_seed_two_draws_differ() -> None:
    assert shares(Sampling(temperature=1.0)) != shares(Sampling(temperature=1.0))


@pytest.mark.parametrize("temperature", [None, 0.0, 1e-6, 1e-300])
def test_a_cold_sampler_is_greedy(temperature: float | None) -> None:
    assert sampler_for(Sampling(temperature=temperature)) is None


def test_the_coldest_sampler_picks_the_best() -> None:
    assert shares(Sampling(temperature=1e-5, seed=1)) == [0, 1, 0, 0, 0]
