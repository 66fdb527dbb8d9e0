"""What was used lately stays, within its bound."""

from hypothesis import given
from hypothesis import strategies as st

from hilt.backends.recent import Recent

STEPS = st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.integers(0, 6)), max_size=30)


def test_the_one_used_longest_ago_goes_first() -> None:
    kept: Recent[str] = Recent(10)
    kept.keep(b"a", "first", 4)
    kept.keep(b"b", "second", 4)
    assert kept.get(b"a") == "first"
    kept.keep(b"c", "third", 4)
    assert [kept.get(key) for key in (b"a", b"b", b"c")] == ["first", None, "third"]
    kept.keep(b"d", "too large", 11)
    assert [kept.get(key) for key in (b"a", b"c", b"d")] == ["first", "third", None]


@given(STEPS)
def test_it_holds_no_more_than_its_bound_and_always_the_last(steps: list[tuple[bytes, int]]) -> None:
    kept: Recent[int] = Recent(8)
    for key, size in steps:
        kept.keep(key, size, size)
        assert kept.get(key) == size
        assert sum(kept.get(k) or 0 for k in (b"a", b"b", b"c", b"d")) <= 8
