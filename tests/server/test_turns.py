"""Turns under stress: clients that leave, silence, slow readers, and faults beside good requests."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator

import pytest

from hilt.backends import Backend, ModelCard, ScriptedBackend
from hilt.conversation import (
    AnswerRejected,
    BadCall,
    CallRejected,
    ContentDelta,
    InvalidRequest,
    ModelEvent,
    PromptRead,
    Request,
    Unavailable,
)
from hilt.protocols.sse import DONE, KEEP_ALIVE
from hilt.server.turns import MAX_QUEUED, reading
from tests.server.fakes import GREETING, WAIT_S, Answer, HeldBackend, app_of, ask, chat_body

ENDLESS = [ContentDelta("x")] * 200_000


def error_in(stream: bytes) -> dict[str, str]:
    """The error that ends a stream; nothing but [DONE] may follow it."""
    before_done, done, after = stream.partition(DONE)
    assert (done, after) == (DONE, b"")
    return json.loads(before_done.split(b"\n\n")[-2].removeprefix(b"data: "))["error"]


async def leaving(backend: Backend, *, stream: bool) -> Answer:
    """A client that has already left when its turn begins."""
    leaves = asyncio.Event()
    leaves.set()
    async with asyncio.timeout(WAIT_S):
        return await ask(app_of(backend), body=chat_body(stream=stream), leaves=leaves)


@pytest.mark.parametrize("stream", [False, True])
def test_a_gone_client_stops_a_busy_turn(stream: bool) -> None:
    scripted = ScriptedBackend([ENDLESS])
    asyncio.run(leaving(scripted, stream=stream))
    assert scripted.abandoned == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("before", [[], [PromptRead(1, 0), ContentDelta("a")]])
def test_a_gone_client_stops_a_waiting_turn(stream: bool, before: list[ModelEvent]) -> None:
    async def leave_once_it_waits() -> tuple[HeldBackend, Answer]:
        leaves = asyncio.Event()
        held = HeldBackend(before, on_waiting=leaves.set)
        async with asyncio.timeout(WAIT_S):
            return held, await ask(app_of(held), body=chat_body(stream=stream), leaves=leaves)

    held, answer = asyncio.run(leave_once_it_waits())
    assert held.closed.is_set()
    assert DONE not in answer.body


@pytest.mark.parametrize("stream", [False, True])
def test_a_turn_is_closed_even_where_others_hold_on_to_it(stream: bool) -> None:
    kept: list[AsyncGenerator[ModelEvent]] = []

    class Keeping(ScriptedBackend):
        def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
            kept.append(super().stream(request))
            return kept[-1]

    async def abandoned_while_the_loop_runs() -> int:
        # At the end of the loop all generators are closed, so that would show nothing.
        keeping = Keeping([ENDLESS])
        await leaving(keeping, stream=stream)
        return keeping.abandoned

    assert asyncio.run(abandoned_while_the_loop_runs()) == 1


def test_a_client_that_stays_is_not_taken_for_gone() -> None:
    scripted = ScriptedBackend([GREETING, GREETING])
    for stream in (False, True):
        asyncio.run(ask(app_of(scripted), body=chat_body(stream=stream)))
    assert scripted.abandoned == 0


def test_silence_is_filled_with_comments() -> None:
    async def until_two_comments() -> Answer:
        held = HeldBackend([], GREETING)
        comments: list[bytes] = []

        def on_write(piece: bytes) -> None:
            if piece == KEEP_ALIVE:
                comments.append(piece)
            if len(comments) == 2:
                held.released.set()

        app = app_of(held, keep_alive_s=0.001)
        async with asyncio.timeout(WAIT_S):
            return await ask(app, body=chat_body(model="default", stream=True), on_write=on_write)

    answer = asyncio.run(until_two_comments())
    assert answer.status == 200
    assert answer.pieces[:2] == [KEEP_ALIVE, KEEP_ALIVE]
    assert answer.body.endswith(DONE)
    assert b'"Hel"' in answer.body


def test_an_error_after_silence_is_told_in_the_stream() -> None:
    async def fail_after_a_comment() -> Answer:
        held = HeldBackend([], [Unavailable("the device is gone")])
        app = app_of(held, keep_alive_s=0.001)
        async with asyncio.timeout(WAIT_S):
            return await ask(app, body=chat_body(stream=True), on_write=lambda _: held.released.set())

    answer = asyncio.run(fail_after_a_comment())
    assert answer.status == 200
    assert error_in(answer.body)["message"] == "the device is gone"


def test_an_error_in_the_middle_is_told_in_the_stream() -> None:
    turn = [PromptRead(1, 0), ContentDelta("a"), Unavailable("the device is gone")]
    answer = asyncio.run(ask(app_of(ScriptedBackend([turn])), body=chat_body(stream=True)))
    assert answer.status == 200
    assert b'"content":"a"' in answer.body
    assert error_in(answer.body)["type"] == "server_error"
    whole = asyncio.run(ask(app_of(ScriptedBackend([turn])), body=chat_body()))
    assert (whole.status, whole.error["message"]) == (503, "the device is gone")


MALFORMED = CallRejected(0, BadCall("c", "f", "malformed", "no end", "<tool_call>f"))
UNKNOWN = CallRejected(0, BadCall("c", "f", "unknown_tool", "no such tool", "<tool_call>f", "{}"))
MISFIT = CallRejected(0, BadCall("c", "f", "invalid_arguments", "at /a: no number", "<tool_call>f", "{}"))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (MALFORMED, "tool_call_malformed"),
        (UNKNOWN, "tool_call_unknown_tool"),
        (MISFIT, "tool_call_invalid_arguments"),
        (AnswerRejected("a call was required", "I won't"), "answer_rejected"),
    ],
)
def test_a_fault_of_the_model_ends_the_turn_at_once(fault: ModelEvent, code: str) -> None:
    streaming = ScriptedBackend([[PromptRead(1, 0), fault, *ENDLESS]])
    answer = asyncio.run(ask(app_of(streaming), body=chat_body(stream=True)))
    assert error_in(answer.body)["code"] == code
    folding = ScriptedBackend([[PromptRead(1, 0), fault, *ENDLESS]])
    whole = asyncio.run(ask(app_of(folding), body=chat_body()))
    assert (whole.status, whole.error["type"]) == (502, "model_output_error")
    assert (streaming.abandoned, folding.abandoned) == (1, 1)


SCHEMA_FAULT = InvalidRequest(
    "`tools[0].parameters/properties/a` is no schema.", param="tools[0].parameters/properties/a"
)


@pytest.mark.parametrize(("stream", "before"), [(False, 0), (True, 0), (True, 1), (False, 1)])
def test_a_fault_of_a_schema_is_told_where_the_client_wrote_it(stream: bool, before: int) -> None:
    turn = [*[PromptRead(1, 0)] * before, SCHEMA_FAULT]
    answer = asyncio.run(ask(app_of(ScriptedBackend([turn])), body=chat_body(stream=stream)))
    told_in_stream = stream and before
    error = error_in(answer.body) if told_in_stream else answer.error
    assert answer.status == (200 if told_in_stream else 400)
    assert error["param"] == "tools[0].function.parameters.properties.a"
    assert error["message"] == "`tools[0].function.parameters.properties.a` is no schema."


@pytest.mark.parametrize("stream", [False, True])
def test_a_turn_that_breaks_off_is_our_fault(stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    scripted = ScriptedBackend([[PromptRead(1, 0), ContentDelta("a")]])
    answer = asyncio.run(ask(app_of(scripted), body=chat_body(stream=stream)))
    error = error_in(answer.body) if stream else answer.error
    assert (answer.status, error["type"]) == (200 if stream else 500, "server_error")


class Crashing:
    """A backend with a fault in its code."""

    card = ModelCard(id="crashing", device="none", dialect=None, context_length=1)

    def __init__(self, before: list[ModelEvent], error: BaseException) -> None:
        self.before = before
        self.error = error

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
        for event in self.before:
            yield event
        raise self.error


@pytest.mark.parametrize("before", [[], [PromptRead(1, 0)]])
@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_of_ours_is_logged_and_told(
    before: list[ModelEvent], stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of(Crashing(before, ZeroDivisionError("secret detail")))
    with caplog.at_level(logging.ERROR, "hilt.server"):
        answer = asyncio.run(ask(app, body=chat_body(stream=stream)))
    told_in_stream = stream and bool(before)
    assert answer.status == (200 if told_in_stream else 500)
    error = error_in(answer.body) if told_in_stream else answer.error
    assert (error["type"], error["code"]) == ("server_error", "internal_error")
    assert answer.headers["x-request-id"] in error["message"]
    assert "secret detail" not in answer.body.decode()
    [record] = caplog.records
    assert answer.headers["x-request-id"] in record.getMessage()
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("stream", [False, True])
def test_a_backend_that_is_cancelled_leaves_no_answer_waiting(stream: bool) -> None:
    app = app_of(Crashing([], asyncio.CancelledError()))

    async def in_time() -> Answer:
        async with asyncio.timeout(WAIT_S):
            return await ask(app, body=chat_body(stream=stream))

    assert asyncio.run(in_time()).status == 503


def test_a_failing_request_beside_a_good_one() -> None:
    async def together() -> list[Answer]:
        good = HeldBackend(GREETING[:2], GREETING[2:])

        class Bad(Crashing):
            async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
                yield PromptRead(1, 0)
                good.released.set()
                raise ZeroDivisionError

        app = app_of({"good": good, "bad": Bad([], ZeroDivisionError())})
        async with asyncio.timeout(WAIT_S):
            return await asyncio.gather(
                *(ask(app, body=chat_body(model=name, stream=True)) for name in ("good", "bad"))
            )

    good, bad = asyncio.run(together())
    assert good.status == 200
    assert good.body.endswith(DONE)
    assert b'"lo"' in good.body
    assert b"error" not in good.body
    assert error_in(bad.body)["code"] == "internal_error"


def test_a_slow_reader_slows_only_its_own_turn() -> None:
    async def nobody_reads() -> tuple[int, int]:
        given = 0

        class Eager(Crashing):
            async def stream(self, request: Request) -> AsyncGenerator[ModelEvent]:
                nonlocal given
                for event in ENDLESS:
                    given += 1
                    yield event

        async def receive() -> dict[str, str]:
            await asyncio.Event().wait()
            raise AssertionError

        request = Request(model="m", messages=())
        async with reading(Eager([], ValueError()), request, receive, "req") as turn:
            first, _ = await turn.take(None)
            await asyncio.wait_for(turn.take(None), WAIT_S)
        return len(first), given

    first, given = asyncio.run(nobody_reads())
    assert first == MAX_QUEUED
    # Two batches were taken, and one waits behind them.
    assert given <= 3 * MAX_QUEUED + 1
