"""The fold from events to a turn: it loses nothing, keeps the order, and cares for no cutting of the text."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.conversation import (
    AnswerRejected,
    ArgumentsDelta,
    Assistant,
    BadCall,
    Call,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    ModelEvent,
    PromptRead,
    ThinkingDelta,
    TurnFinished,
    Usage,
    merge,
)

END = TurnFinished("stop", Usage(3, 1, 2))
ADD = Call("call_0", "add", '{"a": 1, "b": 2}')
UNKNOWN = BadCall("call_1", "subtract", "unknown_tool", "there is no such tool", "<raw>", "{}")


def told(call: Call, index: int, pieces: Sequence[str]) -> list[ModelEvent]:
    return [
        CallStarted(index, call.id, call.name),
        *(ArgumentsDelta(index, p) for p in pieces),
        CallFinished(index, call),
    ]


def test_a_whole_turn() -> None:
    events: list[ModelEvent] = [
        PromptRead(3, 1),
        ThinkingDelta("a s"),
        ThinkingDelta("um"),
        ContentDelta("I'll "),
        ContentDelta("add."),
        *told(ADD, 0, ['{"a": 1,', ' "b": 2}']),
        CallRejected(1, UNKNOWN),
        ContentDelta(" Done."),
        TurnFinished("tool_calls", Usage(3, 1, 9)),
    ]
    turn = merge(events)
    assert turn.message == Assistant(content="I'll add. Done.", thinking="a sum", calls=(ADD,))
    assert turn.rejected == (UNKNOWN,)
    assert turn.reason == "tool_calls"
    assert turn.usage == Usage(3, 1, 9)


def test_a_turn_that_says_nothing() -> None:
    turn = merge([PromptRead(3, 1), END])
    assert turn.message == Assistant()
    assert turn.rejected == ()
    assert turn.usage == END.usage


def test_a_call_that_was_begun_and_rejected_is_no_call() -> None:
    bad = BadCall("call_0", "add", "truncated", "the reply ended", "{")
    turn = merge([CallStarted(0, "call_0", "add"), ArgumentsDelta(0, "{"), CallRejected(0, bad), END])
    assert turn.message.calls == ()
    assert turn.rejected == (bad,)


def test_a_turn_that_was_taken_back_says_why() -> None:
    fault = AnswerRejected("a call was required", "I'd rather talk")
    turn = merge([ContentDelta("I'd rather talk"), fault, AnswerRejected("another thing", ""), END])
    assert (turn.message, turn.fault) == (Assistant("I'd rather talk"), fault)
    assert merge([ContentDelta("ok"), END]).fault is None


@pytest.mark.parametrize("events", [[], [ContentDelta("a")], [PromptRead(1, 0), *told(ADD, 0, ["{}"])]])
def test_a_stream_that_broke_off_is_no_turn(events: list[ModelEvent]) -> None:
    with pytest.raises(ValueError, match="broke off"):
        merge(events)


def test_any_iterable_will_do() -> None:
    assert merge(iter([ContentDelta("a"), END])).message.content == "a"


calls = st.builds(Call, st.text(), st.text(), st.text())
rejections = st.builds(BadCall, st.text(), st.none() | st.text(), st.just("malformed"), st.text(), st.text())
plain_events = st.lists(
    st.one_of(
        st.builds(ContentDelta, st.text()),
        st.builds(ThinkingDelta, st.text()),
        st.builds(lambda call: CallFinished(0, call), calls),
        st.builds(lambda bad: CallRejected(0, bad), rejections),
        st.builds(AnswerRejected, st.text(), st.text()),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(first=plain_events, second=plain_events)
def test_the_fold_of_two_streams_is_the_two_folds_side_by_side(
    first: list[ModelEvent], second: list[ModelEvent]
) -> None:
    left, right, both = merge([*first, END]), merge([*second, END]), merge([*first, *second, END])
    assert both.message.content == left.message.content + right.message.content
    assert both.message.thinking == left.message.thinking + right.message.thinking
    assert both.message.calls == left.message.calls + right.message.calls
    assert both.rejected == left.rejected + right.rejected
    assert both.fault == (left.fault or right.fault)


@settings(deadline=None)
@given(events=plain_events, sizes=st.lists(st.integers(0, 5), max_size=30))
def test_smaller_deltas_fold_to_the_same_turn(events: list[ModelEvent], sizes: list[int]) -> None:
    smaller: list[ModelEvent] = []
    for event in events:
        match event:
            case ContentDelta(text) | ThinkingDelta(text):
                edges = [0, *(e for e in accumulate(sizes) if e < len(text)), len(text)]
                smaller += [type(event)(text[a:b]) for a, b in pairwise(edges)]
            case _:
                smaller.append(event)
    assert merge([*smaller, END]) == merge([*events, END])


@settings(deadline=None)
@given(events=plain_events, pieces=st.lists(st.text(), max_size=4))
def test_how_a_call_was_announced_does_not_matter(events: list[ModelEvent], pieces: list[str]) -> None:
    announced: list[ModelEvent] = [PromptRead(1, 0)]
    for event in events:
        if isinstance(event, CallFinished):
            announced += told(event.call, event.index, pieces)
        else:
            announced.append(event)
    assert merge([*announced, END]) == merge([*events, END])


counts = st.integers(0, 10**9)
usages = st.builds(Usage, counts, counts, counts)


@settings(deadline=None)
@given(a=usages, b=usages, c=usages)
def test_usage_adds_up(a: Usage, b: Usage, c: Usage) -> None:
    assert a + Usage() == a
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert (a + b).cached_tokens == a.cached_tokens + b.cached_tokens
