"""What stands at the door of every call, one thing after the other."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hilt.conversation import Call, Cancelled, Card, Denied, Failed, Outcome, Planned, Source, Succeeded, TimedOut
from hilt.settings import PolicyOptions
from hilt.tools import (
    Approval,
    ApprovalRequest,
    Approved,
    Capability,
    Change,
    Decided,
    Deferred,
    Desk,
    Execution,
    Later,
    Nobody,
    Rate,
    Rates,
    Refused,
    Registry,
    ResultStore,
    Runtime,
    Situation,
    Switch,
    Tool,
    Waiting,
    offer,
    policy_of,
    run_tool,
    tool,
)
from hilt.tools.normalising import renamed, replaced
from hilt.traces import Record


class Somebody:
    """Gives the same answer to everything; None approves what is asked."""

    attended = True

    def __init__(self, answer: Approval | None = None) -> None:
        self.answer = answer
        self.asked: list[ApprovalRequest] = []

    async def approve(self, request: ApprovalRequest) -> Approval:
        self.asked.append(request)
        return self.answer or Approved(request.fingerprint)


def writing() -> tuple[Tool, list[str]]:
    """A tool that writes, and what it has written."""
    written: list[str] = []

    @tool(effect="write", plan=lambda text: [Change("create", f"{text}.txt")])
    def write(text: str) -> str:
        """Write."""
        written.append(text)
        return text

    return write, written


def ended(runtime: Runtime, name: str, arguments: str = "{}", situation: Situation = Situation()) -> Any:
    return asyncio.run(run_tool(Call("c1", name, arguments), runtime, situation))


def runtime_of(*tools: Tool, **options: Any) -> Runtime:
    return Runtime(**{"registry": Registry(tools), "approver": Nobody(), **options})


def test_a_dry_run_plans_and_changes_nothing() -> None:
    write, written = writing()
    outcome = ended(runtime_of(write, dry_run=True), "write", '{"text": "a"}')
    assert isinstance(outcome, Planned)
    assert json.loads(outcome.text) == {
        "dry_run": True,
        "plan": {
            "tool": "write",
            "effect": "write",
            "arguments": {"text": "a"},
            "changes": [{"kind": "create", "target": "a.txt", "detail": ""}],
        },
    }
    assert written == []


@pytest.mark.parametrize("effect", ["write", "destructive", "external"])
def test_every_tool_that_changes_something_has_a_plan(effect: Any) -> None:
    ran: list[int] = []

    @tool(effect=effect)
    def change(number: int) -> None:
        """Change something."""
        ran.append(number)

    outcome = ended(runtime_of(change, dry_run=True), "change", '{"number": 1}')
    assert isinstance(outcome, Planned)
    [planned] = json.loads(outcome.text)["plan"]["changes"]
    assert planned["detail"] == "Change something."
    assert ran == []


def test_a_plan_that_fails_is_told_and_a_dry_run_still_reads() -> None:
    def failing(text: str) -> Sequence[Change]:
        raise OSError("no disk")

    @tool(effect="write", plan=failing)
    def write(text: str) -> None:
        """Write."""

    @tool(effect="read")
    def look() -> int:
        """Look."""
        return 3

    runtime = runtime_of(write, look, dry_run=True)
    assert "OSError: no disk" in ended(runtime, "write", '{"text": "a"}').text
    assert ended(runtime, "look") == Succeeded("3")


def test_a_dry_run_still_refuses_what_the_rules_forbid() -> None:
    write, _ = writing()
    policy = policy_of(PolicyOptions(deny=("write",)))
    assert isinstance(ended(runtime_of(write, dry_run=True, policy=policy), "write", '{"text": "a"}'), Denied)


def test_an_approval_shows_the_normalised_arguments_and_the_changes() -> None:
    write, written = writing()
    somebody = Somebody()
    outcome = ended(runtime_of(write, approver=somebody), "Write", '{"TEXT": "a"}', Situation(run_id="run"))
    assert outcome == Succeeded('"a"')
    [asked] = somebody.asked
    assert (asked.run_id, asked.call_id, asked.tool, asked.effect) == ("run", "c1", "write", "write")
    assert asked.arguments == '{"text": "a"}'
    assert asked.changes == (Change("create", "a.txt"),)
    assert written == ["a"]


def test_an_approval_of_another_call_is_worth_nothing() -> None:
    """Not for other arguments, another tool, another call of the same run, or another run."""
    write, written = writing()
    somebody = Somebody()
    approved = runtime_of(write, approver=somebody)
    ended(approved, "write", '{"text": "a"}', Situation(run_id="run"))
    old = Approved(somebody.asked[0].fingerprint)
    replaying = runtime_of(write, approver=Somebody(old))
    for arguments, call_id, run_id in [
        ('{"text": "b"}', "c1", "run"),
        ('{"text": "a"}', "c2", "run"),
        ('{"text": "a"}', "c1", "other"),
    ]:
        call = Call(call_id, "write", arguments)
        outcome = asyncio.run(run_tool(call, replaying, Situation(run_id=run_id)))
        assert outcome == Denied(
            '{"error": "the approval was given to another call, so this one was not run"}', "approval"
        )
    assert written == ["a"]


def test_a_deferred_answer_leaves_the_call_waiting() -> None:
    write, written = writing()
    waiting = ended(runtime_of(write, approver=Later()), "write", '{"text": "a"}')
    assert isinstance(waiting, Waiting)
    assert written == []
    decided = Decided({"c1": Approved(waiting.request.fingerprint)}, Nobody())
    assert ended(runtime_of(write, approver=decided), "write", '{"text": "a"}') == Succeeded('"a"')
    # The answer counts once.
    assert isinstance(ended(runtime_of(write, approver=decided), "write", '{"text": "a"}'), Denied)
    assert written == ["a"]


def test_a_desk_holds_questions_until_they_are_answered() -> None:
    write, written = writing()

    async def ask(desk: Desk, answer: Any) -> Outcome | Waiting:
        call = asyncio.create_task(run_tool(Call("c1", "write", '{"text": "a"}'), runtime_of(write, approver=desk)))
        while not desk.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0)
        [request] = desk.waiting
        desk.answer(request.fingerprint, answer(request))
        outcome = await call
        assert desk.waiting == ()
        return outcome

    assert asyncio.run(ask(Desk(60), lambda request: Approved(request.fingerprint))) == Succeeded('"a"')
    assert isinstance(asyncio.run(ask(Desk(60), lambda _: Refused("no"))), Denied)
    silent = asyncio.run(run_tool(Call("c1", "write", '{"text": "a"}'), runtime_of(write, approver=Desk(0))))
    assert "nobody answered in time" in silent.text  # type: ignore[union-attr]
    assert written == ["a"]


def test_the_kill_switch_stops_new_calls_and_lasts(tmp_path: Path) -> None:
    write, written = writing()
    switch = Switch(tmp_path / "off")
    runtime = runtime_of(write, approver=Somebody(), switch=switch)
    switch.turn_off("maintenance")
    outcome = ended(runtime, "write", '{"text": "a"}')
    assert outcome == Denied('{"error": "tools are switched off: maintenance"}', "switched_off")
    restarted = runtime_of(write, approver=Somebody(), switch=Switch(tmp_path / "off"))
    assert isinstance(ended(restarted, "write", '{"text": "a"}'), Denied)
    Switch(tmp_path / "off").turn_on()
    assert ended(runtime, "write", '{"text": "a"}') == Succeeded('"a"')
    assert written == ["a"]


def test_the_kill_switch_cancels_what_runs(tmp_path: Path) -> None:
    begun = asyncio.Event()
    ending: list[str] = []

    @tool(effect="read", timeout_s=300)
    async def hang() -> None:
        """Hang."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ending.append("cancelled")

    switch = Switch(tmp_path / "off")

    async def kill() -> Any:
        call = asyncio.create_task(run_tool(Call("c1", "hang", "{}"), runtime_of(hang, switch=switch)))
        await begun.wait()
        switch.turn_off("enough")
        return await call

    outcome = asyncio.run(kill())
    assert isinstance(outcome, Cancelled)
    assert "enough" in outcome.text
    assert ending == ["cancelled"]


def test_the_kill_switch_ends_a_question(tmp_path: Path) -> None:
    write, written = writing()
    switch = Switch(tmp_path / "off")

    async def kill() -> Any:
        desk = Desk(300)
        runtime = runtime_of(write, approver=desk, switch=switch)
        call = asyncio.create_task(run_tool(Call("c1", "write", '{"text": "a"}'), runtime))
        while not desk.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0)
        switch.turn_off("enough")
        outcome = await call
        assert desk.waiting == ()
        return outcome

    assert isinstance(asyncio.run(kill()), Cancelled)
    assert written == []


def test_a_rate_refuses_and_forgets() -> None:
    now = [0.0]

    @tool(effect="read", rate=Rate(2, 10))
    def look() -> int:
        """Look."""
        return 1

    runtime = runtime_of(look, rates=Rates(lambda: now[0]))
    assert [type(ended(runtime, "look")) for _ in range(3)] == [Succeeded, Succeeded, Denied]
    denied = ended(runtime, "look")
    assert denied.reason == "rate"
    assert "try again in 10 s" in denied.text
    now[0] = 10.5
    assert ended(runtime, "look") == Succeeded("1")


class Watching:
    """A hook that writes down what it sees, and may refuse or fail."""

    def __init__(self, refusal: str | Exception | None = None, fault: Exception | None = None) -> None:
        self.seen: list[str] = []
        self.refusal = refusal
        self.fault = fault

    def will_execute(self, execution: Execution) -> str | None:
        self.seen.append(f"will {execution.tool} {dict(execution.arguments)}")
        if isinstance(self.refusal, Exception):
            raise self.refusal
        return self.refusal

    def did_execute(self, execution: Execution, outcome: Outcome) -> None:
        self.seen.append(f"did {execution.tool} {type(outcome).__name__}")
        if self.fault is not None:
            raise self.fault


def test_hooks_stand_around_the_execution() -> None:
    write, written = writing()
    watching, failing = Watching(), Watching(fault=RuntimeError("full"))
    records: list[Record] = []
    runtime = runtime_of(write, approver=Somebody(), hooks=(watching, failing), record=records.append)
    assert ended(runtime, "write", '{"text": "a"}') == Succeeded('"a"')
    assert watching.seen == ["will write {'text': 'a'}", "did write Succeeded"]
    assert "RuntimeError: full" in records[0].warnings[0]  # type: ignore[union-attr]
    for refusal, text in [("not on Sundays", "not on Sundays"), (RuntimeError("x"), "a check before the call failed")]:
        outcome = ended(runtime_of(write, approver=Somebody(), hooks=(Watching(refusal),)), "write", '{"text": "b"}')
        assert isinstance(outcome, Denied)
        assert text in outcome.text
    assert written == ["a"]


def test_arguments_are_normalised_and_the_warnings_recorded() -> None:
    """A list of contacts that is asked for with a query can only be a search."""
    seen: list[tuple[str, str]] = []

    @tool(
        effect="read",
        aliases=["petalContactsTool"],
        normalisers=[
            renamed(query=("search",)),
            replaced("action", "listContacts", "searchContacts", when=lambda given: bool(given.get("query"))),
        ],
    )
    def contacts(action: str, query: str = "", limit: int = 5, tags: tuple[str, ...] = ()) -> int:
        """Search contacts."""
        seen.append((action, query))
        return limit

    records: list[Any] = []
    runtime = runtime_of(contacts, record=records.append)
    written = '{"Action": "listContacts", "search": "Alice", "limit": "3", "tags": "[\\"a\\"]"}'
    assert ended(runtime, "petalContactsTool", written) == Succeeded("3")
    assert seen == [("searchContacts", "Alice")]
    assert records[0].warnings == (
        "petalContactsTool was read as contacts",
        "Action was read as action",
        "tags was given as text and read as JSON",
        "search was read as query",
        "action 'listContacts' was read as 'searchContacts'",
        "limit '3' was read as 3",
    )
    assert ended(runtime, "contacts", '{"action": "listContacts"}') == Succeeded("5")
    assert seen[-1] == ("listContacts", "")


def test_a_deny_rule_sees_what_normalising_made_of_the_arguments() -> None:
    @tool(effect="read", aliases=["peek"], normalisers=[renamed(path=("file",))])
    def look(path: str) -> str:
        """Look."""
        return path

    runtime = runtime_of(look, policy=policy_of(PolicyOptions(deny=("look(path=secret*)",), allow=("*",))))
    for name, arguments in [
        ("peek", '{"file": "secret"}'),
        ("look", '{"PATH": "Secret"}'),
        ("Look", '{"path": "secret/x"}'),
    ]:
        assert isinstance(ended(runtime, name, arguments), Denied)
    assert ended(runtime, "peek", '{"file": "public"}') == Succeeded('"public"')


def test_every_call_is_recorded_with_its_phases() -> None:
    write, _ = writing()
    records: list[Any] = []
    clock = iter(range(1000))
    runtime = runtime_of(
        write, approver=Somebody(), record=records.append, clock=lambda: float(next(clock)), now_s=lambda: 7.0
    )
    ended(runtime, "write", '{"text": "a"}', Situation(run_id="run"))
    ended(runtime, "write", "{", Situation(run_id="run"))
    ended(runtime, "fly")
    done, broken, unknown = records
    assert (done.run_id, done.call_id, done.tool, done.effect, done.outcome) == (
        "run",
        "c1",
        "write",
        "write",
        "succeeded",
    )
    assert (done.verdict, done.normalised, done.text, done.started_s) == ("approved", '{"text": "a"}', '"a"', 7.0)
    assert list(done.phases_s) == [
        "resolve", "decode", "normalise", "validate", "policy", "approval", "before", "execute", "render", "after",
    ]  # fmt: skip
    assert set(done.phases_s.values()) == {1.0}
    assert (broken.outcome, broken.reason, broken.normalised) == ("failed", "decode", "")
    assert (unknown.outcome, unknown.reason, unknown.tool, unknown.asked) == ("failed", "unknown_tool", "", "fly")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("{", "decode"),
        ('{"text": "a", "text": "b"}', "decode"),
        ('{"text": NaN}', "decode"),
        ('{"text": "' + "a" * 200_000 + '"}', "decode"),
        ('{"text": 3}', "validation"),
        ("{}", "validation"),
        ('{"txt": "a"}', "validation"),
    ],
)
def test_a_failure_says_of_which_kind_it_is_and_runs_nothing(arguments: str, reason: str) -> None:
    write, written = writing()
    outcome = ended(runtime_of(write, approver=Somebody()), "write", arguments)
    assert isinstance(outcome, Failed)
    assert outcome.reason == reason
    assert written == []


def test_a_repaired_call_that_changes_something_is_asked_about_even_if_allowed() -> None:
    write, written = writing()
    policy = policy_of(PolicyOptions(allow=("write",)))
    unattended = runtime_of(write, policy=policy)
    assert isinstance(ended(unattended, "write", '{"text": "a"}', Situation(repaired=True)), Denied)
    somebody = Somebody(Refused())
    assert isinstance(
        ended(runtime_of(write, policy=policy, approver=somebody), "write", '{"text": "a"}', Situation(repaired=True)),
        Denied,
    )
    assert "had to be mended" in somebody.asked[0].why
    assert written == []
    assert ended(unattended, "write", '{"text": "a"}') == Succeeded('"a"')


def test_only_what_can_run_is_offered() -> None:
    @tool(effect="external", permission="web:read")
    def fetch() -> None:
        """Fetch."""

    @tool(effect="read", platforms=["darwin"])
    def shortcuts() -> None:
        """List shortcuts."""

    @tool(effect="read", missing=lambda: "there are no documents")
    def search() -> None:
        """Search."""

    @tool(effect="read", domain="sums", keywords=["plus"])
    def add() -> int:
        """Add."""
        return 1

    tools = (fetch, shortcuts, search, add)
    registry = offer(tools, Capability("linux", frozenset({"files:read"})))
    assert registry.names == ("add",)
    assert registry.withheld == {
        "fetch": "it needs the permission web:read, which is not granted",
        "shortcuts": "it works on darwin only",
        "search": "there are no documents",
    }
    outcome = ended(runtime_of(registry=registry), "shortcuts")
    assert outcome == Failed(
        '{"error": "the tool \'shortcuts\' can\'t be used here: it works on darwin only"}', "unavailable"
    )
    assert offer(tools, Capability("darwin")).names == ("add", "fetch", "shortcuts")
    assert "fetch" in offer(tools, Capability("darwin", local_only=True)).withheld
    assert offer(tools, Capability("darwin"), ("ADD", "fetch")).names == ("add", "fetch")
    everything = Registry(tools)
    assert everything.where(effect="external") == (fetch,)
    assert everything.where(domain="sums") == (add,)
    assert everything.where(permission="web:read") == (fetch,)
    assert everything.matching("what is two PLUS two?") == (add,)


def test_a_long_result_can_be_read_on() -> None:
    @tool(effect="read")
    def tell() -> str:
        """Tell a lot."""
        return "".join(f"{number} " for number in range(10_000))

    store = ResultStore()
    outcome = ended(runtime_of(tell, results=store, max_result_chars=1000), "tell")
    assert len(outcome.text) <= 1000
    assert "read_result reads on: id r1, offset" in outcome.text
    offset = int(outcome.text.split("offset ")[1].split(" ")[0])
    assert outcome.text[:offset] + store.read("r1", offset, 10**6).text == json.dumps(tell.function())


def test_sources_and_cards_come_with_the_result_and_can_fail_alone() -> None:
    @tool(
        effect="read",
        sources=lambda value: [Source("A", f"/{value}")],
        card=lambda value: Card("It", (("n", str(value)),)),
    )
    def look() -> int:
        """Look."""
        return 3

    @tool(effect="read", sources=lambda value: 1 / 0)  # type: ignore[arg-type, return-value]
    def broken() -> int:
        """Look."""
        return 4

    records: list[Any] = []
    runtime = runtime_of(look, broken, record=records.append)
    assert ended(runtime, "look") == Succeeded("3", (Source("A", "/3"),), Card("It", (("n", "3"),)))
    assert ended(runtime, "broken") == Succeeded("4")
    assert "ZeroDivisionError" in records[-1].warnings[0]


def test_a_tool_that_ignores_its_cancellation_is_left_behind() -> None:
    released = asyncio.Event()

    @tool(effect="read", timeout_s=0.01)
    async def stubborn() -> None:
        """Go on whatever happens."""
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    async def leave() -> Any:
        outcome = await run_tool(Call("c1", "stubborn", "{}"), runtime_of(stubborn))
        released.set()
        await asyncio.sleep(0)
        return outcome

    assert isinstance(asyncio.run(leave()), TimedOut)


def test_a_call_takes_no_longer_than_the_run_has_left() -> None:
    @tool(effect="read", timeout_s=300)
    async def hang() -> None:
        """Hang."""
        await asyncio.Event().wait()

    for left_s in (0.01, 0.0, -5.0):
        assert isinstance(ended(runtime_of(hang), "hang", situation=Situation(left_s=left_s)), TimedOut)


def test_an_answer_that_never_comes_is_not_an_approval() -> None:
    write, written = writing()
    assert isinstance(ended(runtime_of(write, approver=Somebody(Deferred())), "write", '{"text": "a"}'), Waiting)
    assert written == []
