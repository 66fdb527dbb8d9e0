"""The one door: what a call goes through, in which order, and that nothing but an outcome comes out."""

import asyncio
import json
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from pydantic import BaseModel, Field

from hilt.conversation import Call, Denied, Failed, Outcome, Succeeded, TimedOut
from hilt.tools import Approval, ApprovalRequest, Approved, Nobody, Refused, Registry, Runtime, Tool, run_tool, tool
from hilt.tools.model_text import cap


class Asked:
    """An approver that keeps what it was asked."""

    def __init__(self, answer: Approval | Exception | Literal["yes"], *, attended: bool = True) -> None:
        self.answer = answer
        self.attended = attended
        self.questions: list[ApprovalRequest] = []

    async def approve(self, request: ApprovalRequest) -> Approval:
        self.questions.append(request)
        match self.answer:
            case Exception():
                raise self.answer
            case "yes":
                return Approved(request.fingerprint)
            case _:
                return self.answer


class Box(Struct, frozen=True):
    width: int
    label: str | None = None


class Ticket(BaseModel):
    number: int


def outcome_of(made: Tool, arguments: str = "{}", approver: Any = None, max_result_chars: int = 16_000) -> Outcome:
    runtime = Runtime(registry=Registry((made,)), approver=approver or Nobody(), max_result_chars=max_result_chars)
    return asyncio.run(run_tool(Call("c1", made.spec.name, arguments), runtime))


def error_of(outcome: Outcome) -> str:
    read = json.loads(outcome.text)
    assert list(read) == ["error"]
    return read["error"]


def returning(value: object, *, effect: Any = "read", timeout_s: float = 5.0) -> Tool:
    @tool(effect=effect, timeout_s=timeout_s)
    def probe() -> object:
        """Return a value."""
        return value

    return probe


def raising(fault: BaseException, *, asynchronous: bool = False) -> Tool:
    if asynchronous:

        @tool(effect="read")
        async def probe() -> None:
            """Raise."""
            raise fault

        return probe

    @tool(effect="read")
    def probe_sync() -> None:
        """Raise."""
        raise fault

    return probe_sync


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Box(3, "größer"), '{"width": 3, "label": "größer"}'),
        (Ticket(number=7), '{"number": 7}'),
        ({"a": [1, 2.5, None, True]}, '{"a": [1, 2.5, null, true]}'),
        ({1: "a"}, '{"1": "a"}'),
        ("plain", '"plain"'),
        (None, "null"),
        (("a", "b"), '["a", "b"]'),
        ("half \ud800", '"half ?"'),
    ],
)
def test_a_result_is_json(value: object, text: str) -> None:
    assert outcome_of(returning(value)) == Succeeded(text)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (float("nan"), "not JSON compliant"),
        (object(), "a result of type object has no JSON form"),
    ],
)
def test_a_result_without_a_json_form_is_a_failure(value: object, error: str) -> None:
    outcome = outcome_of(returning(value))
    assert isinstance(outcome, Failed)
    assert error in error_of(outcome)


def test_an_async_tool_runs_on_the_loop_and_a_sync_one_beside_it() -> None:
    @tool(effect="read")
    async def where_async() -> bool:
        """Say whether this is the main thread."""
        await asyncio.sleep(0)
        return threading.current_thread() is threading.main_thread()

    @tool(effect="read")
    def where() -> bool:
        """Say whether this is the main thread."""
        return threading.current_thread() is threading.main_thread()

    assert outcome_of(where_async) == Succeeded("true")
    assert outcome_of(where) == Succeeded("false")


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ValueError("use a smaller number"), "use a smaller number"),
        (ValueError(), "the tool can't use these arguments"),
        (KeyError("x"), "failed: KeyError: 'x'"),
        (PermissionError(13, "Permission denied", "/home/anna/.secret"), "failed: Permission denied"),
        (TimeoutError(), "failed: TimeoutError"),
        (RecursionError("deep"), "failed: RecursionError: deep"),
        (StopIteration(3), "failed: StopIteration: 3"),
        (SystemExit(1), "failed: SystemExit: 1"),
    ],
    ids=repr,
)
def test_whatever_a_tool_raises_becomes_an_outcome(fault: BaseException, error: str, asynchronous: bool) -> None:
    if asynchronous and isinstance(fault, StopIteration):
        error = "failed: RuntimeError: coroutine raised StopIteration"
    outcome = outcome_of(raising(fault, asynchronous=asynchronous))
    assert isinstance(outcome, Failed)
    assert error in error_of(outcome)
    assert "/home/anna" not in outcome.text


def test_a_tool_that_cancels_itself_fails() -> None:
    outcome = outcome_of(raising(asyncio.CancelledError(), asynchronous=True))
    assert isinstance(outcome, Failed)
    assert "CancelledError" in error_of(outcome)


def test_a_long_error_is_cut_and_is_still_json() -> None:
    outcome = outcome_of(raising(ValueError("é\n" * 10_000)))
    assert len(error_of(outcome)) == 2000


def test_the_wait_for_a_sync_tool_ends_at_its_timeout() -> None:
    release = threading.Event()

    @tool(effect="read", timeout_s=0.01)
    def hang() -> None:
        """Hang."""
        release.wait()

    outcome = outcome_of(hang)
    release.set()
    assert outcome == TimedOut('{"error": "hang did not end within 0.01 seconds"}')


def test_an_async_tool_is_cancelled_at_its_timeout() -> None:
    ended: list[str] = []

    @tool(effect="read", timeout_s=0.01)
    async def hang() -> None:
        """Hang."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    assert isinstance(outcome_of(hang), TimedOut)
    assert ended == ["cancelled"]


def test_cancelling_the_caller_passes_through() -> None:
    release = threading.Event()
    begun = threading.Event()

    @tool(effect="read")
    def hang() -> None:
        """Hang."""
        begun.set()
        release.wait()

    async def cancel() -> None:
        task = asyncio.create_task(
            run_tool(Call("c1", "hang", "{}"), Runtime(registry=Registry((hang,)), approver=Nobody()))
        )
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()

    asyncio.run(cancel())


def test_a_thread_left_behind_may_end_after_the_loop() -> None:
    release = threading.Event()
    threads: list[threading.Thread] = []

    @tool(effect="read", timeout_s=0.01)
    def hang() -> None:
        """Hang."""
        threads.append(threading.current_thread())
        release.wait()

    outcome_of(hang)
    release.set()
    threads[0].join()  # an exception in it would be a warning, and warnings are errors
    assert threads[0].daemon


def test_a_thread_left_behind_that_ends_later_disturbs_nobody() -> None:
    release = threading.Event()
    threads: list[threading.Thread] = []
    faults: list[dict[str, Any]] = []

    @tool(effect="read", timeout_s=0.01)
    def hang() -> None:
        """Hang."""
        threads.append(threading.current_thread())
        release.wait()

    async def outlive() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        await run_tool(Call("c1", "hang", "{}"), Runtime(registry=Registry((hang,)), approver=Nobody()))
        release.set()
        threads[0].join()
        await asyncio.sleep(0)

    asyncio.run(outlive())
    assert faults == []


def test_an_unknown_tool_is_told_the_names() -> None:
    runtime = Runtime(registry=Registry((returning(1),)), approver=Nobody())
    outcome = asyncio.run(run_tool(Call("c1", "prob", "{}"), runtime))
    assert outcome == Failed('{"error": "there is no tool named \'prob\'; the tools are: probe"}', "unknown_tool")
    empty = asyncio.run(run_tool(Call("c1", "prob", "{}"), Runtime(registry=Registry(), approver=Nobody())))
    assert "the tools are: none" in empty.text


@pytest.mark.parametrize("effect", ["write", "destructive", "external"])
def test_what_changes_anything_is_asked_for(effect: Any) -> None:
    ran: list[int] = []

    @tool(effect=effect)
    def change(amount: Annotated[int, Field(description="How much.")], note: str = "none") -> int:
        """Change something."""
        ran.append(amount)
        return amount

    nobody = outcome_of(change, '{"amount": 1}')
    assert nobody == Denied('{"error": "nobody is here to allow this call"}')
    refusing = Asked(Refused("not today"))
    assert outcome_of(change, '{"amount": "2"}', refusing) == Denied('{"error": "not today"}', "approval")
    # What is shown is what would run: the validated value, with the default filled in.
    [asked] = refusing.questions
    assert (asked.call_id, asked.tool, asked.arguments) == ("c1", "change", '{"amount": 2, "note": "none"}')
    assert asked.effect == effect
    failing = outcome_of(change, '{"amount": 3}', Asked(EOFError("no terminal")))
    assert isinstance(failing, Denied)
    assert "asking for it failed (EOFError)" in error_of(failing)
    assert ran == []
    assert outcome_of(change, '{"amount": 4}', Asked("yes")) == Succeeded("4")
    assert ran == [4]


def test_reading_and_bad_calls_ask_nobody() -> None:
    approver = Asked(Refused())
    assert isinstance(outcome_of(returning(1), approver=approver), Succeeded)
    assert isinstance(outcome_of(returning(1, effect="write"), '{"x": 1}', approver), Failed)
    assert isinstance(outcome_of(returning(1, effect="write"), "{", approver), Failed)
    assert approver.questions == []


def test_nobody_refuses_even_when_asked() -> None:
    answer = asyncio.run(Nobody().approve(ApprovalRequest("f", "", "c1", "x", "write", "{}", "")))
    assert answer == Refused("nobody is here to allow this call")


def test_a_long_result_is_cut_in_its_middle() -> None:
    outcome = outcome_of(returning("a" * 5000 + "z" * 5000), max_result_chars=1000)
    assert isinstance(outcome, Succeeded)
    assert len(outcome.text) <= 1000
    assert outcome.text.startswith('"aaa')
    assert outcome.text.endswith('zzz"')
    assert "of 10002 characters left out" in outcome.text


@settings(deadline=None)
@given(text=st.text(max_size=400), max_chars=st.integers(100, 300))
def test_a_cut_text_is_head_and_tail_within_the_limit(text: str, max_chars: int) -> None:
    short = cap(text, max_chars)
    assert len(short) <= max_chars
    if len(text) <= max_chars:
        assert short == text
    else:
        head, _, tail = short.partition("\n[... ")
        left_out, _, tail = tail.partition(" of ")
        _, _, tail = tail.partition(" characters left out ...]\n")
        assert text == head + text[len(head) : len(head) + int(left_out)] + tail


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(arguments=st.text(max_size=40) | JSON.map(json.dumps), name=st.sampled_from(["take", "other", ""]))
def test_no_call_raises_into_the_loop(arguments: str, name: str) -> None:
    @tool(effect="read")
    def take(number: float, words: list[str] | None = None, ticket: Ticket | None = None) -> float:
        """Take things."""
        return number

    runtime = Runtime(registry=Registry((take,)), approver=Nobody())
    outcome = asyncio.run(run_tool(Call("c1", name, arguments), runtime))
    json.loads(outcome.text)


def test_the_runtime_imports_no_unit_table(tmp_path: Path) -> None:
    """pint takes half a second to load, so only the first conversion does it."""
    import subprocess

    code = "import sys, hilt.tools; sys.exit('pint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0
