"""What holds at the door whatever a model writes and whatever the code around a tool does."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.assembly.tooling import every_tool
from hilt.conversation import (
    Call,
    Cancelled,
    Card,
    Denied,
    Failed,
    InvalidRequest,
    Planned,
    Source,
    Succeeded,
    TimedOut,
)
from hilt.settings import PolicyOptions, default_settings, settings_from
from hilt.tools import (
    Approval,
    ApprovalRequest,
    Approved,
    Change,
    Desk,
    Execution,
    Nobody,
    Normalised,
    Refused,
    Registry,
    Runtime,
    Situation,
    Tool,
    Waiting,
    error_text,
    policy_of,
    run_tool,
    tool,
    within,
)
from hilt.tools.catalogue import catalogue_tokens
from hilt.tools.policy import Allow, Ask, Deny, decide
from hilt.tools.tool import Capability, unavailable
from hilt.traces import Record

DEFAULTS = default_settings(Path("/data"), Path("/work"))
LEAST_TOKENS = 300
CALLS = settings(deadline=None, max_examples=300)
AWKWARD = st.text(st.characters(exclude_categories=[]), max_size=30)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | AWKWARD | st.just(10**900) | st.just("x" * 3000)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(AWKWARD, inner, max_size=4))


class Yes:
    attended = True

    async def approve(self, request: ApprovalRequest) -> Approved:
        return Approved(request.fingerprint)


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Every tool that comes with Hilt, over empty folders."""
    home = tmp_path_factory.mktemp("home")
    (home / "work").mkdir()
    found = every_tool(default_settings(home / "data", home / "work"))
    # What reaches out or waits is none of a law's business.
    return Registry(tuple(made for made in found if made.effect != "external"))


def arguments_of(made: Tool) -> st.SearchStrategy[str]:
    """Arguments that are often nearly right, and any text."""
    names = st.sampled_from([*made.spec.parameters["properties"], "x"]) | AWKWARD
    nearly = st.dictionaries(names, VALUES, max_size=5).map(json.dumps)
    deep = st.integers(1, 3000).map(lambda depth: '{"text": ' + "[" * depth + "]" * depth + "}")
    return nearly | deep | AWKWARD | st.just('{"a": 1, "a": 2}') | st.just('{"a": NaN}')


def checked(outcome: Any, records: list[Record], most: int) -> None:
    assert isinstance(outcome, Succeeded | Planned | Failed | Denied | TimedOut | Cancelled)
    assert len(records) == 1
    assert len(outcome.text) <= most
    outcome.text.encode()
    if not isinstance(outcome, Succeeded | Planned):
        assert list(json.loads(outcome.text)) == ["error"]


@CALLS
@given(data=st.data(), dry=st.booleans(), most=st.sampled_from([200, 1000, 16_000]))
def test_whatever_is_called_ends_with_one_record_within_bounds(
    offered: Registry, data: st.DataObject, dry: bool, most: int
) -> None:
    made = data.draw(st.sampled_from(offered.tools))
    name = data.draw(st.sampled_from([made.name, *made.aliases, made.name.upper()]) | AWKWARD)
    call = Call(data.draw(AWKWARD), name, data.draw(arguments_of(made)))
    records: list[Record] = []
    runtime = Runtime(registry=offered, approver=Nobody(), dry_run=dry, max_result_chars=most, record=records.append)
    checked(asyncio.run(run_tool(call, runtime)), records, most)


@given(message=AWKWARD | st.text('\x00"\\é\u2028', max_size=5000), most=st.integers(200, 3000))
def test_an_error_is_json_within_its_bound(message: str, most: int) -> None:
    written = error_text(message, most)
    assert len(written) <= most
    assert list(json.loads(written)) == ["error"]
    written.encode()


class Silent(Exception):
    """An exception that raises when it is asked what it says."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Panic(BaseException):
    """What libraries in other languages raise."""


def endless() -> list[Any]:
    whole: list[Any] = []
    whole.append(whole)
    return whole


def deep(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


def raising(fault: BaseException) -> Callable[..., Any]:
    def work(*_: Any, **__: Any) -> Any:
        raise fault

    return work


PLAIN_FAULTS = [Silent(), OSError(), ValueError("\ud800")]
FAULTS = [
    Silent(),
    Panic("p"),
    SystemExit(3),
    asyncio.CancelledError(),
    GeneratorExit(),
    OSError(),
    ValueError("\ud800"),
]


def of_work(work: Callable[[], Any], **options: Any) -> Tool:
    def strange() -> Any:
        """Do something strange."""
        return work()

    return tool(**{"effect": "read", "timeout_s": 60, **options})(strange)


def of_async_work(work: Callable[[], Any]) -> Tool:
    async def strange() -> Any:
        """Do something strange."""
        await asyncio.sleep(0)
        return work()

    return tool(effect="read", timeout_s=60)(strange)


def ended(made: Tool, **options: Any) -> tuple[Any, Any]:
    records: list[Any] = []
    runtime = Runtime(**{"registry": Registry((made,)), "approver": Yes(), "record": records.append, **options})
    outcome = asyncio.run(run_tool(Call("c", "strange", "{}"), runtime))
    if not isinstance(outcome, Waiting):
        checked(outcome, records, 16_000)
    return outcome, records[0]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("make", [of_work, of_async_work])
def test_whatever_a_tool_raises_is_its_failure_at_once(make: Any, fault: BaseException) -> None:
    assert isinstance(ended(make(raising(fault)))[0], Failed)


@pytest.mark.parametrize(
    "result",
    [endless(), deep(100_000), float("nan"), 10**5000, object(), {1: {(1, 2): 3}}, "\ud800", b"\xff", {"a", 1}],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_tool_returns_is_told_or_refused(result: Any) -> None:
    outcome, _ = ended(of_work(lambda: result))
    assert isinstance(outcome, Succeeded) or outcome.reason == "output"


@pytest.mark.parametrize(
    ("part", "fault"),
    [("plan", fault) for fault in FAULTS]
    + [(part, fault) for part in ("sources", "card", "normalisers") for fault in PLAIN_FAULTS],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_whatever_raises_beside_a_tool_is_told(part: str, fault: BaseException) -> None:
    given = (raising(fault),) if part == "normalisers" else raising(fault)
    effect = "write" if part == "plan" else "read"
    outcome, record = ended(of_work(lambda: 1, effect=effect, **{part: given}))
    assert isinstance(outcome, Failed if part == "normalisers" else Succeeded)
    assert isinstance(outcome, Failed) or record.warnings


@pytest.mark.parametrize("made", [5, None, "ab", [1], [Source("t", 3)], [Source("\ud800", "p")], Card("t", text=3)])  # type: ignore[arg-type]
@pytest.mark.parametrize("part", ["sources", "card", "plan", "normalisers"])
def test_whatever_is_made_of_a_result_it_is_of_its_kind(part: str, made: Any) -> None:
    given = (lambda _: made,) if part == "normalisers" else (lambda *_: made)
    effect = "write" if part == "plan" else "read"
    outcome, _ = ended(of_work(lambda: 1, effect=effect, **{part: given}))
    if isinstance(outcome, Succeeded):
        assert all(isinstance(source, Source) for source in outcome.sources)
        for source in outcome.sources:
            f"{source.title}{source.place}".encode()
        assert outcome.card is None or outcome.card.text == ""


class Hooked:
    """A hook that raises this before or after."""

    def __init__(self, before: Exception | None, after: Exception | None) -> None:
        self.before, self.after = before, after

    def will_execute(self, execution: Execution) -> None:
        if self.before:
            raise self.before

    def did_execute(self, execution: Execution, outcome: Any) -> None:
        if self.after:
            raise self.after


@pytest.mark.parametrize(("before", "after", "kind"), [(Silent(), None, Denied), (None, Silent(), Succeeded)])
def test_hooks_that_raise(before: Any, after: Any, kind: Any) -> None:
    assert isinstance(ended(of_work(lambda: 1), hooks=(Hooked(before, after),))[0], kind)


class Asked:
    attended = True

    def __init__(self, fault: BaseException) -> None:
        self.fault = fault

    async def approve(self, request: ApprovalRequest) -> Approval:
        raise self.fault


class On:
    """A kill switch that never is off, or can't be watched."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault

    def why_off(self) -> None:
        return None

    async def tripped(self) -> str:
        if self.fault:
            raise self.fault
        return await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("switch", [None, On()], ids=["plain", "switch"])
@pytest.mark.parametrize("fault", [Silent(), asyncio.CancelledError()], ids=["silent", "cancelled"])
def test_an_approver_that_breaks_runs_nothing(switch: Any, fault: BaseException) -> None:
    ran: list[int] = []
    outcome, _ = ended(of_work(lambda: ran.append(1), effect="write"), approver=Asked(fault), switch=switch)
    assert isinstance(outcome, Denied | Cancelled)
    assert ran == []


def test_a_switch_that_cannot_be_watched_is_off() -> None:
    waits = of_async_work(lambda: 1)
    outcome, _ = ended(waits, switch=On(OSError("gone")), approver=Nobody())
    assert isinstance(outcome, Cancelled | Succeeded)


def test_a_call_without_time_is_not_begun() -> None:
    ran: list[int] = []
    made = of_work(lambda: ran.append(1))
    runtime = Runtime(registry=Registry((made,)), approver=Nobody())
    outcome = asyncio.run(run_tool(Call("c", "strange", "{}"), runtime, Situation(left_s=-1)))
    assert isinstance(outcome, TimedOut)
    assert ran == []


def test_what_is_missing_may_raise() -> None:
    assert "can't be told" in (unavailable(of_work(lambda: 1, missing=raising(OSError())), Capability("linux")) or "")


def test_the_same_call_asked_twice_has_one_question() -> None:
    request = ApprovalRequest("f", "r", "c", "t", "write", "{}", "")

    async def twice() -> tuple[Approval, Approval]:
        desk = Desk(60)
        first = asyncio.create_task(desk.approve(request))
        await asyncio.sleep(0)
        second = await desk.approve(request)
        desk.answer("f", Approved("f"))
        return await first, second

    first, second = asyncio.run(twice())
    assert first == Approved("f")
    assert isinstance(second, Refused)


PATTERNS = st.text("ab*?[]-!", max_size=5)
RULES = st.builds(
    lambda head, pairs: head + (f"({','.join(f'{n}={p}' for n, p in pairs)})" if pairs else ""),
    PATTERNS.filter(bool) | st.sampled_from(["effect:read", "effect:write", "strange"]),
    st.lists(st.tuples(st.sampled_from(["a", "b"]), PATTERNS), max_size=2),
)


@given(
    deny=st.lists(RULES, max_size=2),
    ask=st.lists(RULES, max_size=2),
    allow=st.lists(RULES, max_size=2),
    arguments=st.dictionaries(st.sampled_from(["a", "b"]), VALUES, max_size=2),
    effect=st.sampled_from(["read", "write", "destructive", "external"]),
    situation=st.builds(Situation, untrusted=st.booleans(), repaired=st.booleans()),
)
def test_deny_wins_over_ask_and_ask_over_allow(
    deny: Any, ask: Any, allow: Any, arguments: Any, effect: Any, situation: Situation
) -> None:
    made = of_work(lambda: 1, effect=effect)

    def verdict(**rules: Any) -> Any:
        return decide(policy_of(PolicyOptions(**rules)), made, arguments, situation, attended=True)

    whole = verdict(deny=tuple(deny), ask=tuple(ask), allow=tuple(allow))
    denied = isinstance(verdict(deny=tuple(deny)), Deny)
    asked = isinstance(verdict(ask=tuple(ask), allow=tuple(allow)), Ask)
    assert type(whole) is (Deny if denied else Ask if asked else Allow)


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.lists(st.integers(0, 400), max_size=30),
    budget=st.integers(0, 3000),
    question=st.text("tool 0123456789", max_size=20),
)
def test_the_catalogue_stays_within_its_budget_and_loses_nothing(sizes: list[int], budget: int, question: str) -> None:
    """Without room for find_tools and call_tool these two are told alone; the settings take no such budget."""
    made = []
    for number, size in enumerate(sizes):

        def work() -> None: ...

        work.__name__, work.__doc__ = f"tool_{number}", "d" * (size + 1)
        made.append(tool(effect="read")(work))
    registry = within(Registry(tuple(made)), budget, question)
    taken = sum(map(catalogue_tokens, registry.specs))
    assert taken <= budget or (budget < LEAST_TOKENS and registry.names == ("call_tool", "find_tools"))
    assert all(registry.get(tool_.name) == tool_ for tool_ in made)
    assert within(Registry(tuple(reversed(made))), budget, question).specs == registry.specs


def test_changes_of_another_kind_are_not_shown() -> None:
    asked: list[ApprovalRequest] = []

    class Reading(Yes):
        async def approve(self, request: ApprovalRequest) -> Approved:
            asked.append(request)
            return await super().approve(request)

    ended(of_work(lambda: 1, effect="write", plan=lambda: ["not a change"]), approver=Reading())
    [change] = asked[0].changes
    assert isinstance(change, Change)
    assert "can't be told beforehand" in change.detail


def test_a_normaliser_may_warn_of_anything() -> None:
    _, record = ended(of_work(lambda: 1, normalisers=[lambda given: Normalised(dict(given), (3,))]))  # type: ignore[arg-type]
    assert record.warnings == ("3",)


def test_the_least_budget_of_the_settings_has_room_for_what_finds_tools() -> None:
    own = f"[agent]\ncatalogue_tokens = {LEAST_TOKENS - 1}"
    with pytest.raises(InvalidRequest):
        settings_from(DEFAULTS, user=("own.toml", own), project=None, environment={})
    registry = within(Registry((of_work(lambda: 1),)), 0, "")
    assert registry.names == ("call_tool", "find_tools")
    assert sum(map(catalogue_tokens, registry.specs)) <= LEAST_TOKENS
