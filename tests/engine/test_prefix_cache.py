"""Laws of the prefix cache, on layers that only count their tokens."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hilt.engine.prefix_cache import PrefixCache

TOKEN_BYTES = 10


class FakeLayer:
    """A layer's cache that holds the tokens themselves."""

    def __init__(self, tokens: list[int], trimmable: bool) -> None:
        self.tokens = list(tokens)
        self.trimmable = trimmable
        self.state: list[Any] = []

    @property
    def nbytes(self) -> int:
        return TOKEN_BYTES * len(self.tokens)

    def is_trimmable(self) -> bool:
        return self.trimmable

    def trim(self, count: int) -> int:
        del self.tokens[len(self.tokens) - count :]
        return count


def keep(cache: PrefixCache, tokens: list[int], *, trimmable: bool = True) -> None:
    cache.keep(list(tokens), [FakeLayer(tokens, trimmable), FakeLayer(tokens, trimmable)])


def size_of(*sequences: list[int]) -> int:
    return sum(2 * TOKEN_BYTES * len(tokens) for tokens in sequences)


def shared(left: list[int], right: list[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


SEQUENCES = st.lists(st.integers(0, 2), min_size=1, max_size=12)
STEPS = st.lists(st.tuples(st.sampled_from(["keep", "find"]), SEQUENCES), max_size=25)


@given(STEPS, st.integers(0, 600), st.booleans())
def test_the_bound_holds_and_what_is_found_is_what_was_read(
    steps: list[tuple[str, list[int]]], limit: int, trimmable: bool
) -> None:
    cache = PrefixCache(limit)
    kept: list[list[int]] = []
    for step, tokens in steps:
        if step == "keep":
            keep(cache, tokens, trimmable=trimmable)
            kept.append(tokens)
        layers, reused = cache.find(tokens)
        assert cache.size_bytes <= limit
        assert reused < len(tokens)
        assert (layers is None) == (reused == 0)
        for layer in layers or []:
            assert layer.tokens == tokens[:reused]
            layer.tokens.append(99)  # whoever found it may write to it; the snapshot stays as it is
        if not trimmable:
            assert reused == 0 or tokens[:reused] in kept


@given(st.lists(SEQUENCES, min_size=1, max_size=12), SEQUENCES, st.booleans())
def test_with_room_enough_the_longest_beginning_is_found(
    sequences: list[list[int]], prompt: list[int], trimmable: bool
) -> None:
    cache = PrefixCache(10**6)
    for tokens in sequences:
        keep(cache, tokens, trimmable=trimmable)
    usable = [min(shared(tokens, prompt), len(prompt) - 1) for tokens in sequences]
    if not trimmable:
        usable = [n for n, tokens in zip(usable, sequences, strict=True) if n == len(tokens)]
    assert cache.find(prompt)[1] == max(usable, default=0)


def test_the_one_used_longest_ago_goes_first() -> None:
    a, b, c, d = ([n] * 5 for n in range(4))
    cache = PrefixCache(size_of(a, b, c))
    for tokens in (a, b, c):
        keep(cache, tokens)
    assert cache.find([*a, 9])[1] == 5
    keep(cache, d)
    assert [cache.find([*tokens, 9])[1] for tokens in (a, b, c, d)] == [5, 0, 5, 5]


def test_a_long_one_pushes_out_as_many_as_it_needs() -> None:
    cache = PrefixCache(size_of([0] * 30))
    for n in range(3):
        keep(cache, [n] * 10)
    keep(cache, [7] * 15)
    assert [cache.find([n] * 99)[1] for n in (0, 1, 2, 7)] == [0, 0, 10, 15]


def test_one_that_is_larger_than_the_bound_is_not_kept_and_pushes_nothing_out() -> None:
    cache = PrefixCache(size_of([0] * 10))
    keep(cache, [1] * 10)
    keep(cache, [2] * 11)
    assert [cache.find([n] * 99)[1] for n in (1, 2)] == [10, 0]


def test_a_sequence_that_another_holds_takes_no_room() -> None:
    cache = PrefixCache(10**6)
    for tokens in ([1, 2], [1, 2, 3, 4], [1, 2, 3], [1, 2, 3, 4], [1]):
        keep(cache, tokens)
    assert cache.size_bytes == size_of([1, 2, 3, 4])
    for tokens in ([5, 6], [5, 6, 7], [5, 6], [5, 6, 7]):
        keep(cache, tokens, trimmable=False)
    assert cache.size_bytes == size_of([1, 2, 3, 4], [5, 6], [5, 6, 7])
