"""What the agent does next, decided from values alone.

A run is a walk over three places: the model writes a turn; its calls are worked on; the model is asked again.
`after_turn` and `after_work` are the two steps of that walk, and everything that stops a run is decided in them. A
limit never stops it at once: it makes the next turn the last one, without tools, so that the user gets an answer.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from msgspec import Struct, structs

from hilt.agent.citing import with_marks
from hilt.conversation import (
    Auto,
    BadCall,
    Call,
    Cancelled,
    Citation,
    Failed,
    Message,
    NoTools,
    Outcome,
    Source,
    StopReason,
    Succeeded,
    ToolChoice,
    ToolResult,
    Turn,
    Usage,
    User,
)
from hilt.settings import AgentOptions
from hilt.tools import ApprovalRequest, Registry, error_text, unknown_tool

_MOST_TOGETHER = 16
_NUDGE_AT = 2
_STOP_AT = 3
_MAX_DETAIL_CHARS = 300
# What is left of a run's time after this share of it is for the last turn.
_TOOL_SHARE = 0.75
_NUDGE = "you have made this same call before and got this same result; use it, or try something else"
_CUT = "this call was not run, because the reply that held it was cut off at its length limit"
_REJECTED = "this call was not run, because the answer that held it can't be used"
_HANDED = "this call was not run, because calls beside it are run elsewhere first; make it again if it is needed"
_LAST_TURN = "this call was not run, because no tool may be called any more; answer with what you have"
_INTERRUPTED = "the run was stopped before this call ended, so it may or may not have been carried out"
_NOT_BEGUN = "the run was stopped before this call was run"

INTERRUPTED = Cancelled(error_text(_INTERRUPTED))


class State(Struct, frozen=True):
    """Where a run stands. `seen` holds a digest of name, canonical arguments and result of every call so far; `ending`
    is the reason to stop after the next turn, which may call no tool; `untrusted` says that something was read that
    strangers may have written; `sources` are those that may be cited, the first of them as S1."""

    turns: int = 0
    repairs: int = 0
    usage: Usage = Usage()
    seen: tuple[str, ...] = ()
    ending: StopReason | None = None
    untrusted: bool = False
    sources: tuple[Source, ...] = ()


class Work(Struct, frozen=True, tag="work"):
    """Run `calls`, then ask the model again. `answered` are calls that are not run, with what is said to them;
    `repaired` the ids of calls whose text had to be mended; `repair` is said to the model about calls that can't be
    read, and about an answer that can't be used."""

    calls: tuple[Call, ...]
    answered: tuple[tuple[Call, Outcome], ...] = ()
    repaired: frozenset[str] = frozenset()
    repair: User | None = None

    def done(self, outcomes: Mapping[int, Outcome]) -> list[tuple[Call, Outcome]]:
        """Every call with how it ended; one that has no outcome, by its place, was not run."""
        not_begun = Cancelled(error_text(_NOT_BEGUN))
        ran = [(call, outcomes.get(place, not_begun)) for place, call in enumerate(self.calls)]
        return [*ran, *self.answered]


class Stop(Struct, frozen=True, tag="stop"):
    """The run is over; `results` answer the calls of the last turn, none of which is run."""

    reason: StopReason
    results: tuple[ToolResult, ...]


Step: TypeAlias = Work | Stop


class RunState(Struct, frozen=True):
    """A run that was stopped to be resumed: all of it, to be kept as JSON.

    `work` is what is being done, `outcomes` how calls of it have ended, by their place in it, and `waiting` what is
    asked about the others. `spent_s` of the run's time are gone.
    """

    run_id: str
    messages: tuple[Message, ...]
    state: State
    work: Work
    outcomes: dict[int, Outcome]
    waiting: tuple[ApprovalRequest, ...]
    spent_s: float


def tool_choice(state: State, first: ToolChoice = Auto()) -> ToolChoice:
    """What the next turn may do; `first` is what the first one may."""
    if state.ending is not None:
        return NoTools()
    return first if state.turns == 0 or isinstance(first, NoTools) else Auto()


def tool_time_s(options: AgentOptions) -> float:
    """The seconds of a run in which tools may run; the rest is for the last turn."""
    return options.total_timeout_s * _TOOL_SHARE


def before_turn(state: State, options: AgentOptions, elapsed_s: float) -> State:
    """The state in which the model is asked again: near the end of the run's time for the last time."""
    if state.ending is None and elapsed_s >= tool_time_s(options):
        return structs.replace(state, ending="total_timeout")
    return state


def after_turn(
    state: State,
    turn: Turn,
    options: AgentOptions,
    registry: Registry,
    context_length: int,
    handed_over: Collection[str] = (),
) -> tuple[State, Step]:
    """The step that follows a turn of the model. `context_length`, in tokens, is what fits the model; calls of tools
    named in `handed_over` are the caller's to run, and of their turn no other call is."""
    state = structs.replace(state, turns=state.turns + 1, usage=state.usage + turn.usage)
    calls = turn.message.calls
    cut = turn.reason == "length"
    if any(call.name in handed_over for call in calls) and turn.fault is None and not cut:
        return state, Stop("handed_over", _unrun([call for call in calls if call.name not in handed_over], _HANDED))
    if state.ending is not None:
        return state, Stop(state.ending, _unrun(calls, _LAST_TURN))
    full = turn.usage.prompt_tokens + turn.usage.completion_tokens >= context_length
    if cut and (full or not turn.rejected):
        return state, Stop("length", _unrun(calls, _CUT))
    readable = tuple(answer for bad in turn.rejected if (answer := _answer(bad, registry)) is not None)
    complaints = tuple(_complaint(bad) for bad in turn.rejected if _answer(bad, registry) is None)
    if turn.fault is not None:
        complaints += (f"Your answer can't be used: {turn.fault.detail[:_MAX_DETAIL_CHARS]}.",)
    if not calls and not readable and not complaints:
        return state, Stop("final", ())
    if complaints and state.repairs >= options.max_repairs:
        state = structs.replace(state, ending="repair_exhausted")
    elif complaints:
        state = structs.replace(state, repairs=state.repairs + 1)
    if state.ending is None and state.turns >= options.max_iterations:
        state = structs.replace(state, ending="max_iterations")
    runs = not cut and turn.fault is None
    unrun = () if runs else tuple((call, Cancelled(error_text(_CUT if cut else _REJECTED))) for call in calls)
    work = Work(
        calls=calls if runs else (),
        answered=(*unrun, *readable),
        repaired=turn.repaired,
        repair=_repair(complaints, again=turn.fault is None, last=state.ending is not None) if complaints else None,
    )
    return state, work


def after_work(
    state: State, done: Sequence[tuple[Call, Outcome]], registry: Registry
) -> tuple[State, tuple[ToolResult, ...]]:
    """What the model reads of the calls, in their order; a call that keeps giving the same result gets a nudge, and
    at the third time the run is ended."""
    seen = list(state.seen)
    counts = Counter(seen)
    sources = state.sources
    results: list[ToolResult] = []
    ending = state.ending
    for call, outcome in done:
        sight = _sight(call, outcome)
        seen.append(sight)
        counts[sight] += 1
        times = counts[sight]
        if times >= _STOP_AT:
            ending = ending or "repeated_calls"
        text = outcome.text
        if isinstance(outcome, Succeeded) and outcome.sources:
            sources, text = with_marks(text, outcome.sources, sources)
        results.append(ToolResult(call.id, call.name, _nudged(text) if times >= _NUDGE_AT else text))
    untrusted = state.untrusted or reads_strangers((call for call, _ in done), registry)
    state = structs.replace(state, seen=tuple(seen), ending=ending, untrusted=untrusted, sources=sources)
    return state, tuple(results)


def reads_strangers(calls: Iterable[Call], registry: Registry) -> bool:
    """Whether any of these calls gives text that strangers may have written."""
    return any(tool is not None and tool.untrusted for tool in map(registry.tool_of, calls))


def batches(work: Work, finished: Collection[int], registry: Registry) -> tuple[tuple[int, ...], ...]:
    """The places of the calls that are not `finished`, in order, in groups that may run together: neighbours that only
    read, not too many at once, and every other call alone."""
    groups: list[tuple[int, ...]] = []
    reading = False
    for place, call in enumerate(work.calls):
        if place in finished:
            continue
        tool = registry.tool_of(call)
        reads = tool is None or tool.effect == "read"
        if reads and reading and len(groups[-1]) < _MOST_TOGETHER:
            groups[-1] = (*groups[-1], place)
        else:
            groups.append((place,))
        reading = reads
    return tuple(groups)


def citations(text: str, sources: Sequence[Source]) -> tuple[Citation, ...]:
    """The sources that a text names, in the order of their marks."""
    marks = [Citation(f"S{number}", source) for number, source in enumerate(sources, 1)]
    return tuple(mark for mark in marks if f"[{mark.mark}]" in text)


def _unrun(calls: Sequence[Call], why: str) -> tuple[ToolResult, ...]:
    return tuple(ToolResult(call.id, call.name, error_text(why)) for call in calls)


def _answer(bad: BadCall, registry: Registry) -> tuple[Call, Failed] | None:
    """A bad call that is readable, so that it can be answered like any other, and the answer."""
    if bad.name is None or bad.arguments is None:
        return None
    call = Call(bad.id, bad.name, bad.arguments)
    match bad.reason:
        case "unknown_tool":
            return call, unknown_tool(bad.name, registry)
        case "invalid_arguments":
            return call, Failed(error_text(f"the arguments don't fit the tool's schema: {bad.detail}"), "validation")
        case "truncated" | "malformed":
            return None


def _repair(complaints: tuple[str, ...], *, again: bool, last: bool) -> User:
    """What is said to the model; `again` asks for the call again, else for the whole answer."""
    if last:
        ask = "Answer in words, without calling a tool."
    else:
        ask = "Write the whole call again, or answer without it." if again else "Write the whole answer again."
    return User(" ".join([*complaints, ask]))


def _complaint(bad: BadCall) -> str:
    call = "Your call of a tool" if bad.name is None else f"Your call of {bad.name}"
    match bad.reason:
        case "truncated":
            return f"{call} was cut off before its end and was not run."
        case "malformed":
            return f"{call} can't be read and was not run: {bad.detail[:_MAX_DETAIL_CHARS]}."
        case "unknown_tool":
            return f"{call} was not run: there is no such tool."
        case "invalid_arguments":
            return f"{call} was not run, for its arguments don't fit: {bad.detail[:_MAX_DETAIL_CHARS]}."


def _sight(call: Call, outcome: Outcome) -> str:
    parts = json.dumps((call.name, _canonical(call.arguments), outcome.text))
    return hashlib.sha256(parts.encode()).hexdigest()


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments


def _nudged(text: str) -> str:
    """The result with the nudge in it, still JSON where it was JSON."""
    try:
        result = json.loads(text)
    except (ValueError, RecursionError):
        return f"{text}\n\n{_NUDGE}"
    if isinstance(result, dict) and "note" not in result:
        return json.dumps({**cast("dict[str, Any]", result), "note": _NUDGE}, ensure_ascii=False)
    return json.dumps({"result": result, "note": _NUDGE}, ensure_ascii=False)
