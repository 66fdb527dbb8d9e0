"""A reply ends before the first stop text that is complete, however its text is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.backends.stops import StopSearch


def searched(stops: tuple[str, ...], chunks: list[str]) -> tuple[str, bool]:
    search = StopSearch(stops)
    text = "".join(map(search.feed, chunks)) + search.finish()
    if search.found:
        assert search.feed("more") + search.finish() == ""
    return text, search.found


CASES = [
    (("END",), "a END b", "a ", True),
    (("END",), "a EN", "a EN", False),
    (("END",), "EENDD", "E", True),
    (("END",), "END", "", True),
    ((), "anything", "anything", False),
    (("",), "anything", "anything", False),
    (("", "t"), "anything", "any", True),
    (("a", "ab"), "xab", "x", True),
    (("abcd", "bc"), "xabcd", "xa", True),
    (("b", "abc"), "xabc", "xa", True),
    (("aab",), "aaaab", "aa", True),
    (("\n\n",), "a\nb\n\nc", "a\nb", True),
    (("👩\u200d👧",), "x👩\u200d👩👩\u200d👧", "x👩\u200d👩", True),
]


@pytest.mark.parametrize(("stops", "text", "expected", "found"), CASES)
def test_whole_and_character_by_character(stops: tuple[str, ...], text: str, expected: str, found: bool) -> None:
    assert searched(stops, [text]) == (expected, found)
    assert searched(stops, list(text)) == (expected, found)


STOPS = st.lists(st.text("ab", max_size=4), max_size=4).map(tuple)


@given(STOPS, st.lists(st.text("abc", max_size=6), max_size=8))
def test_it_stops_at_the_earliest_end_and_holds_back_no_more_than_it_must(
    stops: tuple[str, ...], chunks: list[str]
) -> None:
    text = "".join(chunks)
    ends = [text.index(s) + len(s) for s in stops if s and s in text]
    search = StopSearch(stops)
    out = ""
    came = ""
    for chunk in chunks:
        out += search.feed(chunk)
        came += chunk
        if not search.found:
            held = came[len(out) :]
            assert came.startswith(out)
            assert not held or any(s.startswith(held) and s != held for s in stops)
    out += search.finish()
    assert search.found == bool(ends)
    if ends:
        before = text[: min(ends)]
        assert out == before[: min(len(before) - len(s) for s in stops if s and before.endswith(s))]
    else:
        assert out == text
