"""Every row of `cases/`: what is read in it, however it is cut, and wherever it is cut off."""

import json
import re

import pytest

from hilt.conversation import CallFinished, CallRejected
from hilt.dialects import CATALOG, TaggedCall, dialect_named
from tests.dialects.rows import (
    ROWS,
    TOOLS,
    Case,
    WantedCall,
    check_order,
    content,
    cuts,
    endings,
    read,
    read_case,
    thinking,
)

every_row = pytest.mark.parametrize(("dialect", "case"), [pytest.param(d, c, id=f"{d}: {c.id}") for d, c in ROWS])
every_row_but_those_of_later = pytest.mark.parametrize(
    ("dialect", "case"),
    [
        pytest.param(d, c, id=f"{d}: {c.id}", marks=[pytest.mark.xfail(reason=c.later)] if c.later else [])
        for d, c in ROWS
    ],
)


def test_every_dialect_has_rows_with_names_of_their_own() -> None:
    assert {d for d, _ in ROWS} == set(CATALOG)
    assert len({(d, c.id) for d, c in ROWS}) == len(ROWS)


@every_row_but_those_of_later
def test_what_is_read(dialect: str, case: Case) -> None:
    events = read_case(dialect, case, [case.reply])
    check_order(events)
    assert content(events) == case.content
    assert thinking(events) == case.thinking
    found = [_call(e, wanted) for e, wanted in zip(endings(events), case.calls, strict=True)]
    assert found == list(case.calls)
    for event in endings(events):
        if isinstance(event, CallRejected):
            assert event.bad.raw in case.reply
            assert event.bad.detail


@every_row
def test_how_it_is_cut_does_not_matter(dialect: str, case: Case) -> None:
    whole = read_case(dialect, case, [case.reply])
    for name, pieces in cuts(case.reply, seed=len(case.reply)):
        assert read_case(dialect, case, pieces) == whole, name


@every_row_but_those_of_later
def test_cut_off_anywhere(dialect: str, case: Case) -> None:
    complete = {
        (e.index, e.call.name, e.call.arguments)
        for cut in (False, True)
        for e in endings(read(dialect, [case.reply], tools=case.offered(), prompt=case.prompt, cut=cut))
        if isinstance(e, CallFinished)
    }
    for end in range(len(case.reply)):
        text = case.reply[:end]
        events = read(dialect, [text], tools=case.offered(), prompt=case.prompt, cut=True)
        assert events == read(dialect, list(text), tools=case.offered(), prompt=case.prompt, cut=True), text
        check_order(events)
        for event in endings(events):
            match event:
                case CallFinished(index, call, _):
                    assert (index, call.name, call.arguments) in complete, text
                case CallRejected(_, bad):
                    assert bad.raw in text
        assert _is_beginning_of(case.content, content(events), dialect), text
        assert _is_beginning_of(case.thinking, thinking(events), dialect), text


def _call(event: CallFinished | CallRejected, wanted: WantedCall) -> WantedCall:
    """The call, with the arguments and the raw text written as the row writes them if they mean the same."""
    match event:
        case CallFinished(_, call, repairs):
            assert call.name in TOOLS or wanted.name == call.name
            same = wanted.arguments is not None and json.loads(call.arguments) == json.loads(wanted.arguments)
            return WantedCall(call.name, wanted.arguments if same else call.arguments, "ok", repairs)
        case CallRejected(_, bad):
            arguments = bad.arguments
            if arguments is not None and wanted.arguments is not None:
                same = json.loads(arguments) == json.loads(wanted.arguments)
                arguments = wanted.arguments if same else arguments
            raw = None if wanted.raw is None else bad.raw
            return WantedCall(bad.name, arguments, bad.reason, (), raw)


def _is_beginning_of(wanted: str, told: str, dialect: str) -> bool:
    """Whether what a cut-off reply told is a beginning of what the whole one tells, white space around calls aside.

    Only a mark, or an object that may become a bare call, may be left at its end where it had just begun.
    """
    wanted, told = _solid(wanted), _solid(told)
    return any(wanted.startswith(told[:n]) and _undecided(told[n:], dialect) for n in range(len(told), -1, -1))


def _undecided(rest: str, name: str) -> bool:
    dialect = dialect_named(name)
    marks = [dialect.call.open]
    if dialect.thought is not None:
        marks += [dialect.thought.open, dialect.thought.close]
    if isinstance(dialect.payload, TaggedCall):
        marks.append(dialect.payload.function.open)
    elif dialect.bare and rest.startswith("{"):
        named = re.search(r'"(?:name|function)":"(\w+)"', rest)
        return not (named and named[1] in TOOLS) and not re.search(r'"(?:parameters|arguments)":\{', rest)
    return any(mark.startswith(rest) and mark != rest for mark in marks)


def _solid(text: str) -> str:
    return re.sub(r"\s", "", text)
