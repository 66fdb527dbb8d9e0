"""The one door through which every call of a tool passes, in a fixed order.

Resolve the name, decode the arguments, validate them, ask the policy, ask for approval, execute with a timeout,
serialise the result, cap its length. A call ends as an `Outcome` whatever happens; only the cancellation of the
caller passes through.
"""

import asyncio
import inspect
import json
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from hilt.conversation import Call, Denied, Failed, Outcome, Succeeded, TimedOut
from hilt.tools.approval import Approved, Approver, Refused
from hilt.tools.decoding import decode_arguments
from hilt.tools.policy import Allow, Ask, Deny, decide
from hilt.tools.registry import Registry
from hilt.tools.schema import validated
from hilt.tools.threads import run_in_thread
from hilt.tools.tool import Tool

_MAX_ERROR_CHARS = 2000


class Runtime(Struct, frozen=True):
    """What calls run with: the offered tools, who may be asked, and the most characters that a model gets to read."""

    registry: Registry
    approver: Approver
    max_result_chars: int = 16_000


async def run_tool(call: Call, runtime: Runtime) -> Outcome:
    """Run one call to its end.

    The text of a success is the JSON of the tool's result, cut in the middle where it is longer than
    `max_result_chars`; the text of every other outcome is `{"error": "..."}`. Raises nothing but CancelledError.
    """
    tool = runtime.registry.get(call.name)
    if tool is None:
        return unknown_tool(call.name, runtime.registry)
    try:
        arguments = validated(tool.arguments, decode_arguments(call.arguments))
    except ValueError as fault:
        return Failed(error_text(str(fault)))
    refusal = await _refusal(call, tool, arguments, runtime.approver)
    if refusal is not None:
        return Denied(error_text(refusal))
    return await _execute(tool, arguments, runtime.max_result_chars)


def unknown_tool(name: str, registry: Registry) -> Failed:
    """The answer to a call of a tool that isn't offered."""
    offered = ", ".join(registry.names) or "none"
    return Failed(error_text(f"there is no tool named {name!r}; the tools are: {offered}"))


def error_text(message: str) -> str:
    """The JSON that the model reads when a call did not succeed."""
    return json.dumps({"error": cap(message, _MAX_ERROR_CHARS)}, ensure_ascii=False)


def cap(text: str, max_chars: int) -> str:
    """`text`, or its head and tail with a note of how much is missing between them: never over `max_chars`, which
    must be at least 100."""
    if len(text) <= max_chars:
        return text
    room = max_chars - len(_gap(len(text), len(text)))
    tail = room // 3
    head = room - tail
    return text[:head] + _gap(len(text) - room, len(text)) + text[len(text) - tail :]


def _gap(left_out: int, total: int) -> str:
    return f"\n[... {left_out} of {total} characters left out ...]\n"


async def _refusal(call: Call, tool: Tool, arguments: dict[str, Any], approver: Approver) -> str | None:
    """Why the call must not run, or None."""
    match decide(tool.effect, attended=approver.attended):
        case Allow():
            return None
        case Deny(text):
            return text
        case Ask():
            exact = Call(call.id, call.name, json.dumps(to_jsonable_python(arguments), ensure_ascii=False))
    try:
        approval = await approver.approve(exact, tool.effect)
    except Exception as fault:  # noqa: BLE001 - whoever can't be asked has not said yes
        return f"this call needs permission, and asking for it failed ({type(fault).__name__}), so it was not run"
    match approval:
        case Approved():
            return None
        case Refused(text):
            return text


async def _execute(tool: Tool, arguments: dict[str, Any], max_chars: int) -> Outcome:
    try:
        async with asyncio.timeout(tool.timeout_s):
            if inspect.iscoroutinefunction(tool.function):
                return await _attempt_async(tool, arguments, max_chars)
            return await run_in_thread(partial(_attempt, tool, arguments, max_chars), name=f"tool {tool.spec.name}")
    except TimeoutError:
        return TimedOut(error_text(f"{tool.spec.name} did not end within {tool.timeout_s:g} seconds"))


def _attempt(tool: Tool, arguments: dict[str, Any], max_chars: int) -> Outcome:
    try:
        return Succeeded(cap(_serialised(tool.function(**arguments)), max_chars))
    except (Exception, SystemExit) as fault:  # noqa: BLE001 - whatever a tool raises, the model reads it
        return _failed(tool, fault)


async def _attempt_async(tool: Tool, arguments: dict[str, Any], max_chars: int) -> Outcome:
    try:
        return Succeeded(cap(_serialised(await tool.function(**arguments)), max_chars))
    except asyncio.CancelledError as fault:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return _failed(tool, fault)  # nobody cancelled this call: the tool raised it by itself
    except (Exception, SystemExit) as fault:  # noqa: BLE001 - whatever a tool raises, the model reads it
        return _failed(tool, fault)


def _failed(tool: Tool, fault: BaseException) -> Failed:
    match fault:
        case ValueError():
            return Failed(error_text(str(fault) or "the tool can't use these arguments"))
        case OSError():
            return Failed(error_text(f"{tool.spec.name} failed: {fault.strerror or type(fault).__name__}"))
        case _:
            return Failed(error_text(f"{tool.spec.name} failed: {type(fault).__name__}: {fault}"))


def _serialised(result: object) -> str:
    plain = msgspec.to_builtins(result, enc_hook=_pydantic, str_keys=True)
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace").decode()


def _pydantic(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise NotImplementedError(f"a result of type {type(value).__name__} has no JSON form")
