"""A result that was too long for the model is read on in pieces, whole and in order, or is said to be gone."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.conversation import Call, Failed, Succeeded
from hilt.tools import Nobody, Registry, Runtime, run_tool
from hilt.tools.results import Piece, ResultStore, read_result_tool

AWKWARD = st.text(st.one_of(st.characters(), st.sampled_from('"\\\n\x01\u2028🙂é')), max_size=2000)


def test_ids_are_given_in_order_and_never_twice() -> None:
    store = ResultStore(max_bytes=4)
    assert [store.keep("abcd") for _ in range(4)] == ["r1", "r2", "r3", "r4"]


def test_a_piece_tells_where_to_read_on() -> None:
    store = ResultStore()
    name = store.keep("0123456789")
    assert store.read(name, 0, 4) == Piece("r1", 0, "0123", 10, 4)
    assert store.read(name, 4, 4) == Piece("r1", 4, "4567", 10, 8)
    assert store.read(name, 8, 4) == Piece("r1", 8, "89", 10, None)
    assert store.read(name, 6, 4).next_offset is None


def test_an_empty_result_can_be_read() -> None:
    store = ResultStore()
    assert store.read(store.keep(""), 0, 10) == Piece("r1", 0, "", 0, None)


def test_the_oldest_are_forgotten_by_their_bytes() -> None:
    store = ResultStore(max_bytes=10)
    for text in ("aaaa", "éé", "cc"):
        store.keep(text)
    assert [store.read(name, 0, 9).text for name in ("r1", "r2", "r3")] == ["aaaa", "éé", "cc"]
    store.keep("d")
    with pytest.raises(ValueError, match=r"r1 is no longer kept; those that can be read are r2, r3, r4; call the tool"):
        store.read("r1", 0, 9)
    assert store.read("r2", 0, 9).text == "éé"


def test_what_is_larger_than_the_store_costs_nobody_else_his_place() -> None:
    store = ResultStore(max_bytes=10)
    store.keep("kept")
    assert store.keep("x" * 11) == "r2"
    assert store.read("r1", 0, 9).text == "kept"
    with pytest.raises(ValueError, match="r2 is no longer kept"):
        store.read("r2", 0, 9)


@pytest.mark.parametrize(
    ("name", "offset", "message"),
    [
        ("r2", 0, "there is no result 'r2'; those that can be read are r1"),
        ("r0", 0, "there is no result 'r0'"),
        ("r01", 0, "there is no result 'r01'"),
        ("1", 0, "there is no result '1'"),
        ("r²", 0, "there is no result 'r²'"),
        ("r" + "9" * 9999, 0, "there is no result 'r9999"),
        ("", 0, "there is no result ''"),
        ("../r1", 0, "there is no result '../r1'"),
        ("r1", -1, "offset -1 is below 0; r1 has 3 characters"),
        ("r1", 3, "offset 3 is beyond the end of r1, which has 3 characters"),
        ("r1", 10**30, "is beyond the end of r1"),
    ],
)
def test_faults_say_what_to_do(name: str, offset: int, message: str) -> None:
    store = ResultStore()
    store.keep("abc")
    with pytest.raises(ValueError, match=r"result|offset") as fault:
        store.read(name, offset, 10)
    assert message in str(fault.value)
    assert len(str(fault.value)) < 200


def test_an_empty_store_says_so() -> None:
    with pytest.raises(ValueError, match="there is no result 'r1'; none is kept now"):
        ResultStore().read("r1", 0, 10)


@given(texts=st.lists(st.text(max_size=30), max_size=20), max_bytes=st.integers(0, 60))
def test_the_newest_that_fit_are_kept(texts: list[str], max_bytes: int) -> None:
    store = ResultStore(max_bytes)
    names = [store.keep(text) for text in texts]
    fitting = [(name, text) for name, text in zip(names, texts, strict=True) if len(text.encode()) <= max_bytes]
    kept: list[tuple[str, str]] = []
    for name, text in reversed(fitting):
        if sum(len(other.encode()) for _, other in kept) + len(text.encode()) > max_bytes:
            break
        kept.append((name, text))
    for name in names:
        if name in dict(kept):
            assert store.read(name, 0, 1000).text == dict(kept)[name]
        else:
            with pytest.raises(ValueError, match="no longer kept"):
                store.read(name, 0, 1000)


@given(text=AWKWARD, max_chars=st.integers(500, 700))
def test_reading_on_gives_the_whole_and_no_piece_is_cut_again(text: str, max_chars: int) -> None:
    store = ResultStore()
    text = text.encode("utf-8", "replace").decode()
    made = read_result_tool(store, max_chars)
    runtime = Runtime(registry=Registry((made,)), approver=Nobody(), max_result_chars=max_chars)
    name = store.keep(text)
    read, offset = "", 0
    while True:
        call = Call("c1", "read_result", json.dumps({"id": name, "offset": offset}))
        outcome = asyncio.run(run_tool(call, runtime))
        assert isinstance(outcome, Succeeded)
        piece = json.loads(outcome.text)
        assert piece["offset"] == len(read)
        read += piece["text"]
        if piece["next_offset"] is None:
            break
        assert piece["next_offset"] > offset
        offset = piece["next_offset"]
    assert read == text


def test_the_tool_only_reads_and_its_text_is_not_trusted() -> None:
    made = read_result_tool(ResultStore(), 1000)
    assert (made.name, made.effect, made.untrusted, made.domain) == ("read_result", "read", True, "tools")
    outcome = asyncio.run(
        run_tool(Call("c1", "read_result", '{"id": "r7"}'), Runtime(registry=Registry((made,)), approver=Nobody()))
    )
    assert isinstance(outcome, Failed)
    assert "there is no result 'r7'" in outcome.text
