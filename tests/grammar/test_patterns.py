"""Patterns written again: ECMA-262's meaning, in the grammar and in the check."""

import jsonschema_rs
import pytest

from hilt.grammar.schemas.patterns import Beyond, Plain, TooLarge, read_pattern
from hilt.measure.grammar_trial import Trial, byte_tokenizer

TOKENIZER = byte_tokenizer()


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("^a|b$", ["ax", "xb", "a"], ["xbx", "xa"]),
        (r"^\d+$", ["12"], ["x", "٣", "12\n", ""]),
        ("a.c", ["xabcx", "aéc"], ["a\nc", "a\u2028c"]),
        (r"^[\w-.]+$", ["a-."], [" ", "é"]),
        ("^[^]$", ["a", "\n"], ["ab"]),
        (r"^\s$", ["\u00a0", " ", "\ufeff"], ["a", "\x1c"]),
        (r"^\S+$", ["a"], ["a b"]),
        ("^(?<n>a|b)+?$", ["abab"], ["c", ""]),
        (r"^\/\-$", ["/-"], ["x"]),
        (r"^[^\p{L}\d]+$", ["_"], ["é", "1"]),
        ("^\\ud83d\\ude00$", ["😀"], ["x"]),
        (r"^[\u{1F600}-\u{1F64F}]$", ["😀"], ["x"]),
        ("(^a$)|(^b$)", ["a", "b"], ["ab"]),
        ("^[a-z&&b~~|\\[\\]]+$", ["&", "~", "a", "[]"], ["A"]),
        ("^x{$", ["x{"], ["x"]),
        ("", ["", "a"], []),
        ("^$", [""], ["a"]),
        (r"^\cJ$", ["\n"], ["J"]),
    ],
)
def test_every_reader_takes_it_alike(pattern: str, matching: list[str], others: list[str]) -> None:
    read = read_pattern(pattern)
    assert isinstance(read, Plain)
    assert read_pattern(read.text) == read
    schema = {"type": "string", "pattern": read.text}
    trial, check = Trial(schema, TOKENIZER), jsonschema_rs.Draft202012Validator(schema)
    for text in (*matching, *others):
        assert trial.accepts_value(text) == check.is_valid(text) == (text in matching), text


@pytest.mark.parametrize("pattern", ["(?=a)", "(?<!a)", r"\bx", r"(a)\1", "a**", "(", "[", r"\Z", "x{2,1}", "(a$)b"])
def test_what_a_grammar_cannot_say_is_beyond(pattern: str) -> None:
    assert isinstance(read_pattern(pattern), Beyond)


@pytest.mark.parametrize("pattern", ["a" * 5000, "((a{1,1000}){1,1000})", "a{9999999}", "(" * 100 + ")" * 100])
def test_what_would_cost_too_much_is_too_large(pattern: str) -> None:
    assert isinstance(read_pattern(pattern), TooLarge)
