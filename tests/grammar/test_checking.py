"""The final check of a call, and the formats that it shares with the grammar."""

from typing import Any

import pytest

from hilt.grammar import Check, prepare
from hilt.grammar.schemas.formats import FORMATS, has_format
from hilt.measure.grammar_trial import Trial, byte_tokenizer

TOKENIZER = byte_tokenizer()


@pytest.mark.parametrize(
    ("schema", "arguments", "faults"),
    [
        ({"type": "object"}, "{}", ()),
        ({"properties": {"a/b": {"items": {"minimum": 5}}}}, '{"a/b": [7, 3]}',
         ("at /a~1b/1: 3 is less than the minimum of 5",)),
        ({"required": ["a"]}, "{}", ('at the arguments: "a" is a required property',)),
        ({"anyOf": [{"type": "null"}, {"properties": {"a": {"type": "string"}}, "type": "object"}]}, '{"a": 3}',
         ('at /a: 3 is not of type "string"',)),
        ({"properties": {"a": {"format": "date"}}}, '{"a": "2023-02-29"}', ('at /a: "2023-02-29" is not a "date"',)),
        ({"multipleOf": 0.01}, "19.99", ()),
        ({"uniqueItems": True}, "[1, 1.0]", ("at the arguments: [1,1.0] has non-unique elements",)),
    ],
)  # fmt: skip
def test_faults_name_their_place(schema: Any, arguments: str, faults: tuple[str, ...]) -> None:
    assert Check(prepare(schema, "schema").schema).faults(arguments) == faults


@pytest.mark.parametrize("arguments", ["", "{", "1e400", '"\\ud800"', "[" * 100_000, "1" * 5000, "NaN"])
def test_what_is_no_json_is_a_fault(arguments: str) -> None:
    (fault,) = Check(True).faults(arguments)
    assert fault.startswith("the arguments can't be read as JSON")


def test_faults_are_few_and_short() -> None:
    faults = Check({"items": {"enum": ["x" * 10_000]}}).faults("[" + ",".join(["1"] * 100) + "]")
    assert len(faults) == 5
    assert max(map(len, faults)) < 400


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("date", ["2024-02-29", "2000-02-29", "2023-12-31"], ["2023-02-29", "1900-02-29", "2023-04-31", "2023-1-1"]),
        ("time", ["10:00:00Z", "10:00:00.5+01:00", "23:59:59z"], ["24:00:00Z", "10:00:00", "10:59:60Z"]),
        ("date-time", ["2024-02-29t10:00:00z"], ["2024-02-29 10:00:00Z", "2023-02-29T10:00:00Z"]),
        ("duration", ["P1Y2M", "PT1H", "P3W"], ["P", "PT", "1Y", "P1W2D"]),
        ("email", ["a.b@c.de", '"a b"@c', "a@[127.0.0.1]"], ["a", "a@", "a..b@c", "a b@c"]),
        ("hostname", ["a", "a-b.c1"], ["-a", "a_b", "a" * 64, ".".join(["a" * 60] * 5), ""]),
        ("ipv4", ["1.2.3.4", "255.255.255.255"], ["256.1.1.1", "1.2.3", "01.2.3.4"]),
        ("ipv6", ["::", "1::8", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8"], [":", "1:2", ":::", "1::2::3", "12345::"]),
        (
            "uuid",
            ["2EB8AA08-aa98-11ea-b4aa-73b441d16380"],
            ["2eb8aa08-aa98-11ea-b4aa", "2eb8aa08"],
        ),
        ("uri", ["http://a/b?c#d", "urn:x:y", "mailto:a@b"], ["//a/b", "a b:c", "http://a b", "http://[::1"]),
    ],
)
def test_the_grammar_and_the_check_agree_on_formats(name: str, right: list[str], wrong: list[str]) -> None:
    prepared = prepare({"type": "string", "format": name}, "schema")
    trial, check = Trial(prepared.grammar, TOKENIZER), Check(prepared.schema)
    for text in (*right, *wrong):
        assert has_format(name, text) == trial.accepts_value(text) == (not check.value_faults(text)) == (text in right)


@pytest.mark.parametrize(
    ("name", "text"), [("time", "23:59:60Z"), ("date", "0000-01-01"), ("date-time", "0000-02-29T23:59:60Z")]
)
def test_the_grammar_leaves_out_times_that_few_readers_know(name: str, text: str) -> None:
    prepared = prepare({"type": "string", "format": name}, "schema")
    assert not Check(prepared.schema).value_faults(text)
    assert not Trial(prepared.grammar, TOKENIZER).accepts_value(text)


def test_every_format_is_tested() -> None:
    marks = test_the_grammar_and_the_check_agree_on_formats.pytestmark  # pyright: ignore[reportFunctionMemberAccess]
    assert {row[0] for mark in marks for row in mark.args[1]} == set(FORMATS)
