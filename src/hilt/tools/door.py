"""The one door through which every call of a tool passes, in a fixed order.

Kill switch, name, availability, decoding, normalising, validating, policy, rate, dry run or approval, hooks before,
execution with a timeout, redaction, the cap, hooks after, the record. A call ends as an `Outcome` whatever happens, or
it waits for an approval; only the cancellation of the caller passes through.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace

from hilt.conversation import Call, Cancelled, Card, Denied, Failed, Outcome, Planned, Source, Succeeded, TimedOut
from hilt.threads import run_in_thread
from hilt.tools.approval import ApprovalRequest, Approved, Deferred, Refused, fingerprint
from hilt.tools.decoding import decode_arguments
from hilt.tools.executing import Done, execute, failure, of_kind
from hilt.tools.model_text import cap, error_text, said
from hilt.tools.normalising import normalised
from hilt.tools.policy import Allow, Ask, Deny, Situation, decide
from hilt.tools.redaction import Redaction, redact
from hilt.tools.registry import Registry
from hilt.tools.runtime import Execution, KillSwitch, PlannedCall, Runtime, Waiting
from hilt.tools.schema import canonical, coerced, validated
from hilt.tools.tool import Change, ChangeKind, Effect, Tool
from hilt.traces import CallRecord

_PLAN_TIMEOUT_S = 5.0
# Of the time that a call has left, so that what is planned can still be done.
_PLAN_SHARE = 0.2
_STOP_GRACE_S = 0.5
_LEAST_ERROR_CHARS = 200

Ending: TypeAlias = Outcome | Waiting


async def run_tool(call: Call, runtime: Runtime, situation: Situation = Situation()) -> Ending:
    """Run one call to its end.

    The text of a success is the JSON of the tool's result, cut in the middle where it is longer than
    `max_result_chars`; that of a dry run is the JSON of a plan; the text of every other outcome is
    `{"error": "..."}`. Raises nothing but CancelledError.
    """
    passage = _Passage(call, runtime, situation)
    ending: Ending = Cancelled(error_text("the run was stopped before this call ended"))
    try:
        ending = _bounded(await _unless_switched_off(passage, runtime.switch), runtime)
    except asyncio.CancelledError:
        if _is_cancelled():
            raise  # else a stranger's code has cancelled itself, and nobody has cancelled this call
    except Exception as fault:  # noqa: BLE001 - hooks, approvers and tools bring code of their own
        ending = Failed(error_text(f"this call broke off: {type(fault).__name__}", _most_error_chars(runtime)))
    finally:
        runtime.record(passage.record(ending))
    return ending


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _most_error_chars(runtime: Runtime) -> int:
    return max(_LEAST_ERROR_CHARS, runtime.max_result_chars)


def _bounded(ending: Ending, runtime: Runtime) -> Ending:
    """The ending with a text that the model has room for and that holds no secret; an error stays JSON."""
    match ending:
        case Waiting() | Succeeded():
            return ending
        case Planned(text):
            return Planned(cap(text, runtime.max_result_chars))
        case Failed(text) | Denied(text) | TimedOut(text) | Cancelled(text):
            message = redact(json.loads(text)["error"], runtime.redaction)
            return replace(ending, text=error_text(message, _most_error_chars(runtime)))


def unknown_tool(name: str, registry: Registry) -> Failed:
    """The answer to a call of a tool that isn't offered."""
    why = registry.withheld.get(name)
    if why is not None:
        return Failed(error_text(f"the tool {name!r} can't be used here: {why}"), "unavailable")
    offered = ", ".join(registry.names) or "none"
    return Failed(error_text(f"there is no tool named {name!r}; the tools are: {offered}"), "unknown_tool")


def _without_secrets(request: ApprovalRequest, redaction: Redaction) -> ApprovalRequest:
    """The request with what its changes quote cleaned; the arguments stay exactly what will run."""
    changes = tuple(
        replace(change, target=redact(change.target, redaction), detail=redact(change.detail, redaction))
        for change in request.changes
    )
    return replace(request, changes=changes)


async def _unless_switched_off(passage: "_Passage", switch: KillSwitch | None) -> Ending:
    """The end of the passage, or of its cancellation as soon as the switch is off."""
    if switch is None:
        return await passage.end()
    why = switch.why_off()
    if why is not None:
        return Denied(error_text(f"tools are switched off: {why}"), "switched_off")
    work = asyncio.create_task(passage.end())
    watch = asyncio.create_task(switch.tripped())
    try:
        await asyncio.wait([work, watch], return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        return Cancelled(error_text(f"tools were switched off while this call ran: {_why(watch)}"))
    finally:
        for task in (work, watch):
            task.cancel()
            task.add_done_callback(_fault_of)
        # An approver that won't be stopped is left behind.
        await asyncio.wait([work, watch], timeout=_STOP_GRACE_S)


def _fault_of(task: "asyncio.Task[Any]") -> BaseException | None:
    """What a task ended with; asking for it keeps it out of the log, where it might tell a secret."""
    return None if task.cancelled() else task.exception()


def _why(watch: "asyncio.Task[str]") -> str:
    """The reason that the switch gave. One that can't be watched counts as off."""
    if watch.cancelled() or _fault_of(watch) is not None:
        return "the kill switch can't be watched"
    return watch.result()


class _Passage:
    """One call on its way through the door, and what is noted of it on the way."""

    def __init__(self, call: Call, runtime: Runtime, situation: Situation) -> None:
        self._asked = call
        self._call = call
        self._runtime = runtime
        self._situation = situation
        self._tool: Tool | None = None
        self._normalised = ""
        self._verdict = ""
        self._whole = ""
        self._warnings: list[str] = []
        self._phases_s: dict[str, float] = {}
        self._started_s = runtime.now_s()
        self._mark_s = runtime.clock()

    async def end(self) -> Ending:
        runtime = self._runtime
        try:
            call = self._call = runtime.registry.meant(self._call)
        except ValueError as fault:
            return Failed(error_text(str(fault)), "decode")
        tool = self._tool = runtime.registry.get(call.name)
        if tool is None:
            return unknown_tool(call.name, runtime.registry)
        if call.name != tool.name:
            self._warnings.append(f"{call.name} was read as {tool.name}")
        self._ended("resolve")
        arguments = self._read(tool)
        if isinstance(arguments, Failed):
            return arguments
        try:
            plain, self._normalised = canonical(arguments)
        except (ValueError, RecursionError) as fault:
            return Failed(error_text(f"the arguments have no JSON form: {said(fault)}"), "validation")
        refusal = await self._permission(tool, arguments, plain)
        if refusal is not None:
            return refusal
        execution = Execution(self._situation.run_id, call.id, tool.name, tool.effect, plain)
        outcome = self._hooked(execution) or await self._executed(tool, arguments)
        for hook in runtime.hooks:
            try:
                hook.did_execute(execution, outcome)
            except Exception as fault:  # noqa: BLE001 - a stranger's code, and the call has ended
                self._warnings.append(f"a hook failed after the call: {type(fault).__name__}: {said(fault)}")
        self._ended("after")
        return outcome

    def _read(self, tool: Tool) -> dict[str, Any] | Failed:
        """The arguments as typed values: decoded, normalised, validated."""
        most = self._runtime.max_argument_chars
        if len(self._call.arguments) > most:
            return Failed(error_text(f"the arguments are longer than {most} characters; send less at once"), "decode")
        try:
            written = decode_arguments(self._call.arguments)
        except ValueError as fault:
            return Failed(error_text(str(fault)), "decode")
        finally:
            self._ended("decode")
        try:
            meant = normalised(tool.spec, tool.normalisers, written)
            self._warnings += meant.warnings
            self._ended("normalise")
            arguments = validated(tool.arguments, meant.arguments)
            self._warnings += coerced(tool.arguments, meant.arguments, arguments)
        except ValueError as fault:
            return Failed(error_text(str(fault)), "validation")
        except Exception as fault:  # noqa: BLE001 - normalisers and validators are a tool's own code
            return Failed(failure(tool, fault).text, "validation")
        finally:
            self._ended("validate")
        return arguments

    async def _permission(
        self, tool: Tool, arguments: dict[str, Any], plain: dict[str, Any]
    ) -> Denied | Planned | Waiting | None:
        """Why the call does not run, or None."""
        runtime = self._runtime
        attended = runtime.approver.attended
        verdict = decide(runtime.policy, tool, plain, self._situation, attended=attended or runtime.dry_run)
        self._verdict = str(verdict.__struct_config__.tag)
        self._ended("policy")
        if isinstance(verdict, Deny):
            return Denied(error_text(verdict.text))
        if tool.rate is not None and runtime.rates is not None:
            wait_s = runtime.rates.take(tool.name, tool.rate)
            if wait_s is not None:
                return Denied(error_text(f"{tool.name} was called too often; try again in {wait_s:.0f} s"), "rate")
        if runtime.dry_run and tool.effect != "read":
            changes = await self._changes(tool, arguments)
            self._ended("plan")
            plan = PlannedCall(tool.name, tool.effect, plain, changes)
            told = {"dry_run": True, "plan": msgspec.to_builtins(plan)}
            return Planned(redact(json.dumps(told, ensure_ascii=False), runtime.redaction))
        match verdict:
            case Allow():
                return None
            case Ask(why):
                return await self._approval(tool, arguments, why)

    async def _approval(self, tool: Tool, arguments: dict[str, Any], why: str) -> Denied | Waiting | None:
        run_id, call_id = self._situation.run_id, self._call.id
        bound = fingerprint(run_id, call_id, tool.name, self._normalised)
        changes = await self._changes(tool, arguments) if tool.plan is not None else ()
        request = ApprovalRequest(bound, run_id, call_id, tool.name, tool.effect, self._normalised, why, changes)
        request = _without_secrets(request, self._runtime.redaction)
        try:
            approval = await self._runtime.approver.approve(request)
        except Exception as fault:  # noqa: BLE001 - whoever can't be asked has not said yes
            text = f"this call needs permission, and asking for it failed ({type(fault).__name__}), so it was not run"
            return Denied(error_text(text), "approval")
        finally:
            self._ended("approval")
        match approval:
            case Approved(given):
                if given != bound:
                    self._verdict = "deny"
                    return Denied(
                        error_text("the approval was given to another call, so this one was not run"), "approval"
                    )
                self._verdict = "approved"
                return None
            case Refused(text):
                self._verdict = "refused"
                return Denied(error_text(text), "approval")
            case Deferred():
                return Waiting(request)

    async def _changes(self, tool: Tool, arguments: dict[str, Any]) -> tuple[Change, ...]:
        """What the call would change, as the tool tells it, or as its effect does."""
        generic = (Change(_KINDS[tool.effect], tool.name, tool.spec.description),)
        if tool.plan is None:
            return generic

        def planned(plan: Callable[..., Sequence[Change]]) -> tuple[Change, ...] | str:
            try:
                return of_kind(tuple(plan(**arguments)), tuple[Change, ...])
            except BaseException as fault:  # noqa: BLE001 - a plan may fail where the call itself would
                return f"{type(fault).__name__}: {said(fault)}"

        left_s = self._situation.left_s
        timeout_s = _PLAN_TIMEOUT_S if left_s is None else max(0.0, min(_PLAN_TIMEOUT_S, left_s * _PLAN_SHARE))
        try:
            async with asyncio.timeout(timeout_s):
                changes = await run_in_thread(partial(planned, tool.plan), name=f"plan of {tool.name}")
        except TimeoutError:
            changes = f"it took longer than {timeout_s:g} seconds"
        if isinstance(changes, str):
            self._warnings.append(f"the changes could not be planned: {changes}")
            return (replace(generic[0], detail=f"can't be told beforehand: {changes}"),)
        return changes

    def _hooked(self, execution: Execution) -> Denied | None:
        for hook in self._runtime.hooks:
            try:
                refusal = hook.will_execute(execution)
            except Exception as fault:  # noqa: BLE001 - a check that can't be made has not been passed
                refusal = f"a check before the call failed ({type(fault).__name__}), so it was not run"
            if refusal is not None:
                self._verdict = "deny"
                return Denied(error_text(refusal))
        self._ended("before")
        return None

    async def _executed(self, tool: Tool, arguments: dict[str, Any]) -> Outcome:
        left_s = self._situation.left_s
        timeout_s = tool.timeout_s if left_s is None else max(0.0, min(tool.timeout_s, left_s))
        done = await execute(tool, arguments, timeout_s, local_only=self._runtime.policy.local_only)
        self._ended("execute")
        match done:
            case Failed() | TimedOut():
                return done
            case Done(text, sources, card, warnings):
                self._warnings += warnings
                self._whole = redact(text, self._runtime.redaction)
                outcome = self._clean(Succeeded(self._capped(self._whole), sources, card))
                self._ended("render")
                return outcome

    def _clean(self, outcome: Succeeded) -> Succeeded:
        """The outcome with what it shows beside its text redacted like that."""
        if not outcome.sources and outcome.card is None:
            return outcome
        shown = msgspec.json.encode((outcome.sources, outcome.card)).decode()
        sources, card = msgspec.json.decode(redact(shown, self._runtime.redaction), type=_Shown)
        return replace(outcome, sources=sources, card=card)

    def _capped(self, text: str) -> str:
        most, results = self._runtime.max_result_chars, self._runtime.results
        return cap(text, most, results.keep(text) if results is not None and len(text) > most else None)

    def _ended(self, phase: str) -> None:
        """Note the seconds since the last phase ended."""
        now_s = self._runtime.clock()
        self._phases_s[phase] = self._phases_s.get(phase, 0.0) + now_s - self._mark_s
        self._mark_s = now_s

    def record(self, ending: Ending) -> CallRecord:
        """What is remembered of the call."""
        match ending:
            case Waiting():
                outcome, reason, text = "waiting", "", ""
            case Failed(text, reason) | Denied(text, reason):
                outcome = str(ending.__struct_config__.tag)
            case Succeeded() | Planned() | TimedOut() | Cancelled():
                outcome, reason, text = str(ending.__struct_config__.tag), "", self._whole or ending.text
        tool = self._tool
        return CallRecord(
            run_id=self._situation.run_id,
            call_id=self._call.id,
            asked=self._asked.name,
            tool="" if tool is None else tool.name,
            effect="" if tool is None else tool.effect,
            arguments=self._asked.arguments,
            normalised=self._normalised,
            warnings=tuple(self._warnings),
            verdict=self._verdict,
            outcome=outcome,
            reason=reason,
            text=text,
            started_s=self._started_s,
            phases_s=self._phases_s,
        )


_Shown: TypeAlias = tuple[tuple[Source, ...], Card | None]
_KINDS: dict[Effect, ChangeKind] = {"read": "run", "write": "edit", "destructive": "delete", "external": "send"}
