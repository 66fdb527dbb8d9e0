"""Patterns and formats as regular expressions of whole texts, held against a strict check of schemas."""

import jsonschema_rs
import pytest

from hilt.grammar.lark import pattern
from hilt.grammar.values.formats import FORMATS
from hilt.grammar.values.patterns import whole_text
from tests.grammar.whole_calls import Drawing, accepts, matcher, vocabulary

CLOSERS = ("a", "0", "1", "-", ":", ".", "@", "/", "Z", "T", "S", "x.com", "://a")

PATTERNS = [
    "abc", "^abc", "abc$", "^abc$", "^a|b$", "^(?:a|b)+$", "^(a|(bc)){2}$", r"^\d+$", r"^\w+\s\w+$", r"^[^\d\s]+$",
    r"^\D\W\S$", "^.$", r"^\.\*\/\-$", r"^[\w.-]+$", r"^[a\-z]$", "^[a-]$", "^[[]$", "^[&&]$", "^a{2}b{1,}c{0,2}$",
    "^a*?b+?c??$", r"^\x41\u0042\t$", "^(?<year>[0-9]{4})$", "^é🙂$", "^$", "^#/ \"'$", "^<a>$",
    "a||b",
]  # fmt: skip
TEXTS = [
    "", "a", "b", "c", "abc", "xabcx", "abcx", "xabc", "ab", "bcbc", "12", "é", "é🙂", "a b", "a-b.c", "-", "[", "&",
    "z", "aabbcc", "aab", "abbc", "AB\t", "2024", "\n", "#/ \"'", "<a>", "_ _", "x!y", "!", ".*/-",
    "aa", "a&", "\u00a0", "x-#", "٣",
]  # fmt: skip


@pytest.mark.parametrize("written", PATTERNS)
def test_a_pattern_means_what_the_check_says(written: str) -> None:
    check = jsonschema_rs.Draft202012Validator({"pattern": written})
    regex = whole_text(written)
    assert regex is not None
    lark = f"%llguidance {{}}\nstart: T\nT: {pattern(regex)}\n"
    for text in TEXTS:
        if text:
            assert accepts(lark, text, vocabulary()) == check.is_valid(text), (text, regex)


@pytest.mark.parametrize(
    "written", [r"\bx", "(^a|b)", "a(?=b)", r"(a)\1", "(?!a)", "a$b", r"\p{L}", "(", "[", "[]", "*"]
)
def test_what_no_terminal_can_say(written: str) -> None:
    assert whole_text(written) is None


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_what_the_check_says(name: str) -> None:
    check = jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True)
    made = matcher(f"%llguidance {{}}\nstart: T\nT: {pattern(FORMATS[name])}\n", vocabulary())
    drawing = Drawing(vocabulary(), CLOSERS, seed=7)
    drawn = [text for _ in range(60) if (text := drawing.draw(made.deep_copy(), longest=60)) is not None]
    assert drawn
    for text in drawn:
        assert check.is_valid(text), text
