"""Untrusted JSON: every body is either read or refused with its place, in linear time."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.conversation import InvalidRequest
from hilt.protocols.untrusted_json import decode, deeper_than, quoted

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def read_or_refused(body: bytes) -> str:
    """What `body` says, or why it was refused, as text. Any other exception is for the test to fail on."""
    try:
        return str(decode(body, Any))
    except InvalidRequest as error:
        return error.message


def naive_depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(naive_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(naive_depth, value), default=0)
    return 0


@given(json_values, st.booleans())
def test_what_was_sent_is_read(value: Any, ascii_only: bool) -> None:
    assert decode(json.dumps(value, ensure_ascii=ascii_only).encode(), Any) == value


@given(st.lists(json_values, max_size=3), st.integers(0, 6))
def test_depth_is_counted_outside_strings(values: list[Any], limit: int) -> None:
    body = json.dumps([*values, '[[[[[[[["\\', {"]]]": "}}"}])
    assert deeper_than(body.encode(), limit) == (naive_depth(json.loads(body)) > limit)


@given(st.lists(st.sampled_from([r"\ud83d", r"\ude00", r"\u0041", "x", "é", r"\\", r"\""]), max_size=6))
def test_lone_surrogates_never_come_in(pieces: list[str]) -> None:
    read_or_refused(f'"{"".join(pieces)}"'.encode()).encode("utf-8", "strict")


@given(st.binary(max_size=60) | st.text('[]{}",:\\ \n1eu', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    read_or_refused(body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b'{"a": 1,\n "b": }', "line 2"),
        (b'{"a": 1', "truncated"),
        (b'{"a": NaN}', "invalid character (byte 6), line 1"),
        (b'{"a": Infinity}', "invalid character"),
        (b'{"a":\n"\xff"}', "byte 7 (line 2) is 0xff"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a": 1} trailing', "trailing"),
        (b'{"a": "\\ud800"}', "valid only in pairs"),
        (b"[" * 201, "more than 200 levels"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "more than 200 levels"),
    ],
)
def test_malformed_json_names_its_place(body: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body, Any)
    assert says in caught.value.message
    assert caught.value.code in ("invalid_json", "too_deep")


@pytest.mark.parametrize(
    "body", [b'"' + b'\\"' * 2_000_000, b"[" + b'"\\' * 2_000_000, b"[]" * 2_000_000], ids=["quotes", "slashes", "flat"]
)
@pytest.mark.timeout(20)
def test_the_depth_of_hostile_bodies_is_counted_in_linear_time(body: bytes) -> None:
    assert not deeper_than(b"[" * 200 + b"]" * 200 + body, 200)


def test_long_texts_are_quoted_in_part() -> None:
    assert quoted("short") == "'short'"
    shown = quoted("a" * 5_000 + "\ud800", 100)
    assert len(shown) < 200
    assert "5001 characters" in shown
    assert shown.encode()
