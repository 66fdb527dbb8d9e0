"""Patterns of the normal form as terminals of whole texts, held against a strict check of schemas."""

import jsonschema_rs
import pytest

from hilt.grammar import Check, prepare
from hilt.grammar.lark import all_of
from hilt.grammar.schemas.formats import FORMATS
from hilt.grammar.values.texts import conditions
from tests.grammar.whole_calls import Drawing, accepts, matcher, vocabulary

CLOSERS = ("a", "0", "1", "-", ":", ".", "@", "/", "Z", "T", "S", "x.com", "://a")

PATTERNS = [
    "abc", "^abc", "abc$", "^abc$", "^a|b$", "^(?:a|b)+$", "^(a|(bc)){2}$", r"^\d+$", r"^\w+\s\w+$", r"^[^\d\s]+$",
    r"^\D\W\S$", "^.$", r"^\.\*\/\-$", r"^[\w.-]+$", r"^[a\-z]$", "^[a-]$", "^[[]$", "^[&&]$", "^a{2}b{1,}c{0,2}$",
    "^a*?b+?c??$", r"^\x41\u0042\t$", "^(?<year>[0-9]{4})$", "^é🙂$", "^$", "^#/ \"'$", "^<a>$", r"^\p{L}+$",
    "a||b", "(^a|b)",
]  # fmt: skip
TEXTS = [
    "", "a", "b", "c", "abc", "xabcx", "abcx", "xabc", "ab", "bcbc", "12", "é", "é🙂", "a b", "a-b.c", "-", "[", "&",
    "z", "aabbcc", "aab", "abbc", "AB\t", "2024", "\n", "#/ \"'", "<a>", "_ _", "x!y", "!", ".*/-",
    "aa", "a&", "\u00a0", "x-#", "٣",
]  # fmt: skip


def grammar_of(schema: dict[str, str]) -> str:
    """A grammar of the texts that a client's schema allows, not in any quotes."""
    node = prepare({"type": "string", **schema}, "schema").grammar
    assert isinstance(node, dict)
    return f"%llguidance {{}}\nstart: T\nT: {all_of(conditions(node))}\n"


@pytest.mark.parametrize("written", PATTERNS)
def test_a_pattern_means_what_the_check_says(written: str) -> None:
    check = jsonschema_rs.Draft202012Validator({"pattern": written})
    lark = grammar_of({"pattern": written})
    for text in TEXTS:
        if text:
            assert accepts(lark, text, vocabulary()) == check.is_valid(text), text


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_what_the_check_says(name: str) -> None:
    check = Check(prepare({"type": "string", "format": name}, "schema").schema)
    made = matcher(grammar_of({"format": name}), vocabulary())
    drawing = Drawing(vocabulary(), CLOSERS, seed=7)
    drawn = [text for _ in range(60) if (text := drawing.draw(made.deep_copy(), longest=60)) is not None]
    assert drawn
    for text in drawn:
        assert not check.value_faults(text), text
