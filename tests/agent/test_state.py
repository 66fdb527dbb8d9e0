"""The decisions of the loop, without a loop."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from hilt.agent.state import State, Step, Stop, Work, after_turn, after_work, batches, tool_choice
from hilt.conversation import (
    AnswerRejected,
    Assistant,
    Auto,
    BadCall,
    Call,
    FinishReason,
    NoTools,
    Outcome,
    StopReason,
    Succeeded,
    Turn,
    Usage,
)
from hilt.settings import AgentOptions
from hilt.tools import Registry, tool

OPTIONS = AgentOptions(max_iterations=3, max_repairs=1)
CALL = Call("c1", "look", '{"at": "sky"}')
CUT = BadCall("b1", "look", "truncated", "no end", '{"at": "s')
MALFORMED = BadCall("b2", None, "malformed", "a quote is missing at character 4", "{at}")
UNKNOWN = BadCall("b3", "fly", "unknown_tool", "no such tool", "fly()", "{}")
MISFIT = BadCall("b4", "look", "invalid_arguments", "at /at: 3 is no string", "look(3)", '{"at": 3}')
FAULT = AnswerRejected("it is no JSON", "Sure!")


@tool(effect="read")
def look(at: str) -> str:
    """Look."""
    return at


@tool(effect="write")
def paint(at: str) -> str:
    """Paint."""
    return at


@tool(effect="external")
def send(at: str) -> str:
    """Send."""
    return at


REGISTRY = Registry((look, paint, send))


def turn(
    *calls: Call,
    bad: tuple[BadCall, ...] = (),
    reason: FinishReason = "stop",
    tokens: int = 10,
    fault: AnswerRejected | None = None,
) -> Turn:
    return Turn(Assistant("said", calls=calls), bad, reason, Usage(tokens, 0, 5), fault=fault)


def step_of(state: State, what: Turn) -> tuple[State, Step]:
    return after_turn(state, what, OPTIONS, REGISTRY, context_length=100)


@pytest.mark.parametrize(
    ("state", "what", "reason"),
    [
        (State(), turn(), "final"),
        (State(), turn(reason="length"), "length"),
        (State(), turn(CALL, reason="length"), "length"),
        (State(), turn(bad=(CUT,), reason="length", tokens=95), "length"),
        (State(ending="max_iterations"), turn(), "max_iterations"),
        (State(ending="max_iterations"), turn(CALL), "max_iterations"),
        (State(ending="repeated_calls"), turn(bad=(CUT,)), "repeated_calls"),
        (State(ending="repeated_calls"), turn(reason="length"), "repeated_calls"),
        (State(ending="repair_exhausted"), turn(fault=FAULT), "repair_exhausted"),
        (State(), turn(CALL, reason="length", fault=FAULT), "length"),
    ],
)
def test_a_run_stops(state: State, what: Turn, reason: StopReason) -> None:
    after, step = step_of(state, what)
    assert isinstance(step, Stop)
    assert step.reason == reason
    assert [result.call_id for result in step.results] == [call.id for call in what.message.calls]
    assert all("was not run" in json.loads(result.content)["error"] for result in step.results)
    assert after.usage == what.usage


@pytest.mark.parametrize(
    ("state", "what", "run", "answered", "repair", "ending"),
    [
        (State(), turn(CALL), ["c1"], [], None, None),
        (State(turns=2), turn(CALL), ["c1"], [], None, "max_iterations"),
        (State(), turn(CALL, bad=(UNKNOWN,)), ["c1"], ["b3"], None, None),
        (State(), turn(bad=(CUT,)), [], [], "Your call of look was cut off before its end and was not run.", None),
        (State(), turn(bad=(CUT,), reason="length"), [], [], "Write the whole call again", None),
        (State(), turn(CALL, bad=(CUT,), reason="length"), [], ["c1"], "Write the whole call again", None),
        (State(), turn(CALL, bad=(MALFORMED,)), ["c1"], [], "Your call of a tool can't be read", None),
        (State(), turn(bad=(MALFORMED,)), [], [], "a quote is missing at character 4", None),
        (State(), turn(bad=(structs.replace(UNKNOWN, arguments=None),)), [], [], "there is no such tool", None),
        (State(repairs=1), turn(bad=(CUT,)), [], [], "without calling a tool", "repair_exhausted"),
        (State(repairs=1, turns=2), turn(bad=(CUT,)), [], [], "without calling a tool", "repair_exhausted"),
        (State(repairs=0, turns=2), turn(bad=(CUT,)), [], [], "without calling a tool", "max_iterations"),
        (State(repairs=1), turn(bad=(UNKNOWN,)), [], ["b3"], None, None),
        (State(repairs=1), turn(CALL, bad=(MISFIT,)), ["c1"], ["b4"], None, None),
        (State(), turn(bad=(structs.replace(MISFIT, arguments=None),)), [], [], "at /at: 3 is no string", None),
        (State(), turn(fault=FAULT), [], [], "can't be used: it is no JSON. Write the whole answer again.", None),
        (State(), turn(CALL, fault=FAULT), [], ["c1"], "Write the whole answer again.", None),
        (State(), turn(CALL, bad=(UNKNOWN,), fault=FAULT), [], ["c1", "b3"], "Write the whole answer again.", None),
        (State(repairs=1), turn(fault=FAULT), [], [], "without calling a tool", "repair_exhausted"),
    ],
)
def test_a_run_goes_on(
    state: State, what: Turn, run: list[str], answered: list[str], repair: str | None, ending: StopReason | None
) -> None:
    after, step = step_of(state, what)
    assert isinstance(step, Work)
    assert [call.id for call in step.calls] == run
    assert [call.id for call, _ in step.answered] == answered
    assert (repair is None) == (step.repair is None)
    assert repair is None or (step.repair is not None and repair in step.repair.content)
    assert after.ending == ending
    assert after.turns == state.turns + 1
    assert tool_choice(after) == (Auto() if ending is None else NoTools())


def test_an_unknown_tool_is_told_the_names() -> None:
    _, step = step_of(State(), turn(bad=(UNKNOWN,)))
    assert isinstance(step, Work)
    ((_, outcome),) = step.answered
    assert json.loads(outcome.text) == {"error": "there is no tool named 'fly'; the tools are: look, paint, send"}


def test_arguments_that_do_not_fit_are_told_how() -> None:
    _, step = step_of(State(), turn(bad=(MISFIT,)))
    assert isinstance(step, Work)
    ((call, outcome),) = step.answered
    assert call == Call("b4", "look", '{"at": 3}')
    assert json.loads(outcome.text) == {"error": "the arguments don't fit the tool's schema: at /at: 3 is no string"}


SAME = ('{"at": "sky", "n": 1}', '{"n":1,   "at":"sky"}', '{"at": "s\\u006by", "n": 1}')


def test_the_same_call_with_the_same_result_is_nudged_and_then_stopped() -> None:
    state = State()
    texts: list[str] = []
    for place, arguments in enumerate(SAME):
        assert state.ending is None
        state, (result,) = after_work(
            state, [(Call(f"c{place}", "look", arguments), Succeeded('{"seen": "blue"}'))], REGISTRY
        )
        texts.append(result.content)
    assert state.ending == "repeated_calls"
    assert texts[0] == '{"seen": "blue"}'
    assert [list(json.loads(text)) for text in texts[1:]] == [["seen", "note"], ["seen", "note"]]


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [("look", '{"at": "sky"}', "green"), ("look", '{"at": "sea"}', "blue"), ("paint", '{"at": "sky"}', "blue")],
)
def test_another_result_argument_or_tool_is_no_repetition(name: str, arguments: str, text: str) -> None:
    first = (Call("c1", "look", '{"at": "sky"}'), Succeeded("blue"))
    state, results = after_work(State(), [first, (Call("c2", name, arguments), Succeeded(text)), first], REGISTRY)
    assert [result.content for result in results[:2]] == ["blue", text]
    assert state.ending is None


@pytest.mark.parametrize(
    ("text", "nudged"),
    [
        ('["a"]', '{"result": ["a"], "note": "'),
        ('"é"', '{"result": "é", "note": "'),
        ('{"error": "no"}', '{"error": "no", "note": "'),
        ("cut [... out ...] text", "cut [... out ...] text\n\nyou have made this same call"),
        ("", "\n\nyou have made"),
    ],
)
def test_a_nudged_result_is_still_what_it_was(text: str, nudged: str) -> None:
    again = (CALL, Succeeded(text))
    _, (_, second) = after_work(State(), [again, again], REGISTRY)
    assert second.content.startswith(nudged)


def test_an_earlier_reason_to_end_stays() -> None:
    again = (CALL, Succeeded("blue"))
    state, _ = after_work(State(ending="max_iterations"), [again, again, again], REGISTRY)
    assert state.ending == "max_iterations"


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ("", []),
        ("look look look", ["look look look"]),
        ("look paint look look", ["look", "paint", "look look"]),
        ("paint paint", ["paint", "paint"]),
        ("look send look", ["look", "send", "look"]),
        ("look unheard look", ["look unheard look"]),
    ],
)
def test_reads_run_together_and_all_else_alone(names: str, groups: list[str]) -> None:
    made = [Call(f"c{place}", name, "{}") for place, name in enumerate(names.split())]
    grouped = batches(Work(tuple(made)), (), REGISTRY)
    assert [" ".join(made[place].name for place in group) for group in grouped] == groups
    assert [place for group in grouped for place in group] == list(range(len(made)))
    assert [place for group in batches(Work(tuple(made)), (0,), REGISTRY) for place in group] == list(
        range(1, len(made))
    )


A_CALL = st.builds(Call, st.just("c"), st.sampled_from(["look", "paint"]), st.sampled_from(["{}", '{"at": 1}', "{"]))
A_BAD = st.sampled_from([CUT, MALFORMED, UNKNOWN, MISFIT, structs.replace(UNKNOWN, arguments=None)])
A_TURN: Any = st.builds(
    lambda made, bad, reason, fault: turn(*made, bad=tuple(bad), reason=reason, fault=fault),
    st.lists(A_CALL, max_size=3),
    st.lists(A_BAD, max_size=2),
    st.sampled_from(["stop", "length", "tool_calls"]),
    st.sampled_from([None, FAULT]),
)


@settings(deadline=None)
@given(turns=st.lists(A_TURN, min_size=5, max_size=5), result=st.sampled_from(["a", '{"a": 1}']))
def test_every_run_ends_and_every_call_has_one_result(turns: list[Turn], result: str) -> None:
    """Whatever the model does, a run has at most `max_iterations` turns with tools and one without."""
    state = State()
    for number, what in enumerate(turns, 1):
        state, step = step_of(state, what)
        owed = len(what.message.calls)
        match step:
            case Stop(_, results):
                assert len(results) == owed
                assert number <= OPTIONS.max_iterations + 1
                return
            case Work(run, answered, _, repair):
                readable = sum(bad.arguments is not None for bad in what.rejected)
                assert len(run) + len(answered) == owed + readable
                assert not (run and (what.reason == "length" or what.fault))
                assert (repair is not None) == (readable < len(what.rejected) or what.fault is not None)
                done: list[tuple[Call, Outcome]] = [(call, Succeeded(result)) for call in run]
                state, results = after_work(state, [*done, *answered], REGISTRY)
                assert len(results) == len(run) + len(answered)
    raise AssertionError("the run did not end")
