"""What of a record is kept: never a secret, and no text without consent."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from hilt.traces import Record
from hilt.traces.keeping import MAX_TEXT_CHARS, keep, redacted
from tests.traces.made import CANARY, RECORDS, call, redact, run, store, turn

TEXTS = {
    "run": {"question"},
    "turn": {"raw", "content", "calls", "rejected"},
    "call": {"arguments", "normalised", "text"},
}


def planted(record: Record) -> tuple[Record, list[str]]:
    """The record with a canary of its own in every text that it holds, however deep, and the canaries."""
    canaries: list[str] = []

    def fresh() -> str:
        canaries.append(f"{CANARY}{len(canaries):03}")
        return f"before {canaries[-1]} after"

    def filled(value: Any) -> Any:
        match value:
            case str():
                return fresh()
            case tuple():
                return tuple(filled(part) for part in value)
            case dict():
                return {fresh(): part for part in value.values()}
            case _:
                return value

    return structs.replace(
        record, **{name: filled(getattr(record, name)) for name in record.__struct_fields__}
    ), canaries


FULL = (run(), turn(rejected=("cut off",)), call(reason="runtime"))


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("record", FULL, ids=["run", "turn", "call"])
def test_a_canary_in_any_field_is_never_in_the_files(record: Record, full: bool, tmp_path: Path) -> None:
    with_secrets, canaries = planted(record)
    assert len(canaries) >= 4
    traces = store(tmp_path / "t.sqlite3", full=full)
    traces.write(with_secrets)
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert any(name.endswith("-wal") for name in files)
    assert b"[hidden]" in b"".join(files.values())
    for name, content in files.items():
        assert CANARY.encode() not in content, name
    traces.close()
    assert all(CANARY.encode() not in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize("record", FULL, ids=["run", "turn", "call"])
def test_without_consent_only_the_lengths_of_texts_are_kept(record: Record) -> None:
    kept = keep(record, redact, full=False)
    whole = msgspec.to_builtins(record)
    left = msgspec.to_builtins(kept.record)
    texts = TEXTS[whole["type"]]
    assert {name for name in whole if whole[name] != left[name]} == texts
    for name in texts - {"calls", "rejected"}:
        assert left[name] == ""
        assert kept.chars[name] == len(whole[name])
    if whole["type"] == "turn":
        assert left["calls"] == (("calc", ""),)
        assert left["rejected"] == ("",)
        assert kept.chars["calls[0]"] == len('{"expression": "12 * 12"}')
        assert kept.chars["rejected[0]"] == len("cut off")


@given(record=RECORDS, full=st.booleans())
def test_keeping_what_was_kept_changes_nothing(record: Record, full: bool) -> None:
    once = keep(record, redact, full=full).record
    assert keep(once, redact, full=full).record == once


def _spelled(secret: str) -> Iterator[str]:
    yield f"the key is {secret}."
    yield json.dumps({"key": secret})
    yield json.dumps({"inner": json.dumps({"key": secret})})
    yield "<tool_call>" + "".join(f"\\u{ord(letter):04x}" for letter in secret) + "</tool_call>"


@pytest.mark.parametrize("text", list(_spelled("sk-canary12\n34\n56")))
def test_escapes_hide_no_secret(text: str) -> None:
    shown = redacted(text, redact)
    assert "[hidden]" in shown
    assert not any(part in shown for part in ("sk-", "12", "34", "56", "0073"))


def test_a_secret_of_escapes_is_hidden_as_well_as_what_they_spell() -> None:
    def hides_both(text: str) -> str:
        return redact(text.replace("pa\\nss", "[hidden]"))

    assert redacted("pa\\nss and sk-canary1\\n2", hides_both) == "[hidden] and [hidden]"


@pytest.mark.parametrize("text", ["a \\n b", "C:\\new\\table", '{"a": "line\\nline"}', "\\u00e9", "\\", "\\ud83d"])
def test_escapes_that_hide_nothing_stay(text: str) -> None:
    assert redacted(text, redact) == text


@given(text=st.text(st.characters(exclude_categories=()), max_size=20))
@example("\ud83d")
@example("\ud83d\ude00")
def test_any_text_can_be_written_after_redaction(text: str) -> None:
    redacted(text, redact).encode()


def test_a_secret_across_the_cut_of_a_long_text_is_hidden() -> None:
    text = "x" * (MAX_TEXT_CHARS - 5) + "sk-canary000"
    kept = keep(call(text=text), redact, full=True)
    assert kept.chars["text"] == len(text)
    assert len(kept.record.text) == MAX_TEXT_CHARS
    assert "sk-" not in kept.record.text


def test_ids_that_are_secrets_still_tell_runs_apart() -> None:
    ids = [keep(turn(f"sk-canary{number}"), redact, full=True).record.run_id for number in (1, 2, 1)]
    assert ids[0] == ids[2] != ids[1]
    assert not any("canary" in run_id for run_id in ids)


def _escaped(letter: str, how: int) -> str:
    return (letter, f"\\u{ord(letter):04x}", f"\\\\u{ord(letter):04X}", f"\\u005cu{ord(letter):04x}")[how]


@given(
    how=st.lists(st.integers(0, 3), min_size=len(CANARY), max_size=len(CANARY)),
    before=st.text('a"\\n{ 0\n', max_size=6),
    after=st.text('a"\\n} 0\n', max_size=6),
)
def test_no_mixture_of_escapes_hides_a_secret(how: list[int], before: str, after: str) -> None:
    spelled = "".join(map(_escaped, CANARY, how))
    told = redacted(f"{before}. {spelled}{after}", redact)
    for _ in range(3):
        assert CANARY not in told
        told = json_unescaped(told)


def json_unescaped(text: str) -> str:
    return re.sub(r'\\(?:u([0-9a-fA-F]{4})|(["\\/nt]))', lambda m: chr(int(m[1], 16)) if m[1] else m[2], text)
