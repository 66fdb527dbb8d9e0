"""A rate holds in every window, and what has to wait is told exactly how long."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.tools.rates import Rates
from hilt.tools.tool import Rate


class Clock:
    """A clock that a test sets; in steps of 1/64 s, which floats hold exactly."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_calls_are_counted_in_a_sliding_window() -> None:
    clock = Clock()
    rates = Rates(clock)
    rate = Rate(calls=2, per_s=10)
    taken: list[float | None] = []
    for now in (0, 6, 9, 10, 11, 16, 26):
        clock.now = now
        taken.append(rates.take("search", rate))
    assert taken == [None, None, 1, None, 5, None, None]


def test_names_are_counted_apart() -> None:
    rates = Rates(Clock())
    rate = Rate(calls=1, per_s=60)
    assert [rates.take(name, rate) for name in ("a", "b", "a", "b")] == [None, None, 60, 60]


def test_a_rate_of_nothing_allows_nothing() -> None:
    assert Rates(Clock()).take("a", Rate(calls=0, per_s=1)) == math.inf


def test_a_stricter_rate_counts_what_was_taken_before() -> None:
    clock = Clock()
    rates = Rates(clock)
    for _ in range(3):
        assert rates.take("a", Rate(calls=5, per_s=10)) is None
        clock.now += 1
    assert rates.take("a", Rate(calls=1, per_s=10)) == 9
    clock.now += 9
    assert rates.take("a", Rate(calls=1, per_s=10)) is None


STEPS = st.lists(st.tuples(st.integers(0, 200), st.sampled_from(["a", "b"])), max_size=60)


@given(steps=STEPS, calls=st.integers(1, 5), per=st.integers(1, 400))
def test_no_window_holds_more_and_the_wait_is_exact(steps: list[tuple[int, str]], calls: int, per: int) -> None:
    clock = Clock()
    rates = Rates(clock)
    rate = Rate(calls, per / 64)
    ran: dict[str, list[float]] = {"a": [], "b": []}
    for step, name in steps:
        clock.now += step / 64
        wait = rates.take(name, rate)
        if wait is None:
            ran[name].append(clock.now)
            continue
        assert 0 < wait <= rate.per_s
        clock.now += wait - 1 / 64
        assert rates.take(name, rate) == 1 / 64
        clock.now += 1 / 64
        assert rates.take(name, rate) is None
        ran[name].append(clock.now)
    for times in ran.values():
        for first, beyond in zip(times, times[calls:], strict=False):
            assert beyond - first >= rate.per_s


@pytest.mark.parametrize("now", [0.1, 1e9 + 0.3])
def test_nobody_waits_for_ever_by_rounding(now: float) -> None:
    clock = Clock()
    clock.now = now
    rates = Rates(clock)
    rate = Rate(1, 0.7)
    assert rates.take("a", rate) is None
    for _ in range(5):
        wait = rates.take("a", rate)
        if wait is None:
            return
        assert wait > 0
        clock.now = max(clock.now + wait, math.nextafter(clock.now, math.inf))
    pytest.fail("five waits were not enough")
