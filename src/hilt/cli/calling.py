"""`hilt tools run`: one call of a tool, made by hand, through the same door as the calls of models."""

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from msgspec.structs import replace

from hilt.cli.choosing import OwnTools, Workspace
from hilt.cli.derived import Arguments, AsHtml, AsJson, DryRun, Given, Yes, read_words, values_of
from hilt.cli.screen import safe
from hilt.conversation import (
    Call,
    Cancelled,
    Card,
    Denied,
    Failed,
    InvalidRequest,
    NotFound,
    Outcome,
    Planned,
    Succeeded,
    TimedOut,
    Unavailable,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from hilt.settings import Settings
    from hilt.tools import Approval, ApprovalRequest, Approver, Registry, Runtime, Tool
    from hilt.traces import Record


def run(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The tool; 'hilt tools run NAME --help' tells what it takes.")
    ],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="--PARAMETER VALUE", help="Its arguments.", show_default=False)
    ] = None,
    arguments: Arguments = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    own: OwnTools = None,
    workspace: Workspace = None,
    as_json: AsJson = False,
    as_html: AsHtml = False,
) -> None:
    """Run one call of a tool, with the checks, questions and records of every call.

    The exit status is 0 if the call succeeded or was planned, 1 if not.
    """
    words = words or []
    own = [*(own or ()), *map(Path, values_of("--tools", words))]
    workspace = next(iter(map(Path, reversed(values_of("--workspace", words)))), workspace)
    with _opened(settings_of(own, workspace)) as runtime:
        tool = named(runtime.registry, name)
        outer = Given(arguments=arguments, dry_run=dry_run, yes=yes, as_json=as_json, as_html=as_html)
        given = read_words(tool, words, outer)
        if given is None:
            return
        if given.as_json and given.as_html:
            raise InvalidRequest("--json and --html don't go together")
        text = _arguments(given)
        runtime = replace(runtime, approver=_approver(given.yes), dry_run=runtime.dry_run or given.dry_run)
        outcome, warnings = asyncio.run(_called(tool, text, runtime))
    if given.as_json:
        write(json.dumps(_as_object(tool, outcome, warnings), ensure_ascii=False))
    else:
        for warning in warnings:
            print(safe(f"note: {warning}"), file=sys.stderr)
        _show(tool, outcome, as_html=given.as_html, granted=given.yes)
    if not isinstance(outcome, Succeeded | Planned):
        raise typer.Exit(1)


def settings_of(own: Sequence[Path] | None, workspace: Path | None) -> "Settings":
    """The settings for work in a folder, with the user's own files of tools added."""
    from hilt.assembly import load_settings

    settings = load_settings(workspace or Path())
    return replace(settings, tools=replace(settings.tools, files=(*settings.tools.files, *(own or ()))))


def registry_of(settings: "Settings") -> "Registry":
    """The tools that the settings offer, and why others are withheld. Nothing is opened for it."""
    from hilt.assembly.tooling import capability, every_tool
    from hilt.tools import Registry, offer

    if not settings.tools.enabled:
        return Registry()
    return offer(every_tool(settings), capability(settings), settings.tools.offered)


@contextmanager
def _opened(settings: "Settings") -> "Generator[Runtime]":
    """The runtime of the tools that the settings offer, where nobody answers."""
    from hilt.assembly.tooling import open_tools
    from hilt.tools import Nobody

    if not settings.tools.enabled:
        raise Unavailable("the configuration says that there are no tools; set tools.enabled to true")
    complaints = partial(print, file=sys.stderr)
    with open_tools(settings, Nobody(), complain=complaints) as make_runtime:
        yield make_runtime(settings.tools.offered)


def named(registry: "Registry", name: str) -> "Tool":
    """The tool that is meant by the name. Raises NotFound, which says why if it is known and can't be used here."""
    from hilt.tools import unknown_tool

    tool = registry.get(name)
    if tool is None:
        raise NotFound(_said(unknown_tool(name, registry)))
    return tool


def write(text: str) -> None:
    """Print text; a terminal gets nothing that could rewrite what stands on it."""
    shown = safe(text) if sys.stdout.isatty() else text
    sys.stdout.buffer.write(f"{shown}\n".encode("utf-8", "replace"))
    sys.stdout.flush()


class _Granted:
    """The user, who has said yes on the command line."""

    @property
    def attended(self) -> bool:
        return True

    async def approve(self, request: "ApprovalRequest") -> "Approval":
        from hilt.tools import Approved

        return Approved(request.fingerprint)


def _approver(granted: bool) -> "Approver":
    if granted:
        return _Granted()
    from rich.console import Console

    from hilt.cli.approving import Terminal

    return Terminal(Console(stderr=True, highlight=False))


def _arguments(given: Given) -> str:
    """The JSON text of the arguments. What comes in one piece stays as it was written, for the door to read."""
    from hilt.tools.decoding import decode_arguments

    written = _piped() if given.arguments == "-" else given.arguments
    if written is None or not given.values:
        return written or json.dumps(given.values, ensure_ascii=False)
    try:
        return json.dumps({**decode_arguments(written), **given.values}, ensure_ascii=False)
    except ValueError as fault:
        raise InvalidRequest(f"--arguments: {fault}", param="arguments") from fault


def _piped() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as fault:
        raise InvalidRequest(
            f"the arguments on standard input are no UTF-8: byte {fault.start} can't be read", param="arguments"
        ) from fault


async def _called(tool: "Tool", arguments: str, runtime: "Runtime") -> tuple[Outcome, tuple[str, ...]]:
    """How the call ended, and what was noted of its arguments on the way."""
    from hilt.agent import new_run_id
    from hilt.assembly import new_call_id
    from hilt.tools import Situation, Waiting, run_tool
    from hilt.tools.policy import NOBODY_HERE
    from hilt.traces import CallRecord, RunRecord

    noted: list[str] = []

    def record(entry: "Record") -> None:
        if isinstance(entry, CallRecord):
            noted.extend(entry.warnings)
        runtime.record(entry)

    run_id, began_s, began = new_run_id(), runtime.now_s(), runtime.clock()
    call = Call(new_call_id(), tool.name, arguments)
    ending = await run_tool(call, replace(runtime, record=record), Situation(run_id=run_id))
    outcome = Denied(json.dumps({"error": NOBODY_HERE}), "approval") if isinstance(ending, Waiting) else ending
    ran_s = runtime.clock() - began
    runtime.record(RunRecord(run_id, began_s, ran_s, "", f"hilt tools run {tool.name}", "final", Usage()))
    return outcome, tuple(noted)


def _as_object(tool: "Tool", outcome: Outcome, warnings: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"tool": tool.name, "outcome": outcome.__struct_config__.tag}
    match outcome:
        case Succeeded(text, sources):
            told["result"] = _value(text)
            if sources:
                told["sources"] = [{"title": source.title, "place": source.place} for source in sources]
        case Planned(text):
            told["plan"] = _value(text)
        case Failed(_, reason) | Denied(_, reason):
            told |= {"reason": reason, "error": _said(outcome)}
        case TimedOut() | Cancelled():
            told["error"] = _said(outcome)
    return {**told, "warnings": list(warnings)}


def _show(tool: "Tool", outcome: Outcome, *, as_html: bool, granted: bool) -> None:
    from hilt.tools.cards import as_html as html_of
    from hilt.tools.cards import as_text, card_of
    from hilt.tools.policy import NOBODY_HERE

    match outcome:
        case Succeeded(text, sources, card):
            shown = card or card_of(tool.name, text)
            told = tuple((f"[{number}]", f"{source.title} {source.place}") for number, source in enumerate(sources, 1))
            shown = replace(shown, rows=(*shown.rows, *told))
        case Planned(text):
            shown = _plan_card(tool, text)
        case Failed() | Denied() | TimedOut() | Cancelled():
            shown = Card(f"{tool.name}: {outcome.__struct_config__.tag}", text=_said(outcome))
    if as_html:
        write(html_of(shown))
    elif isinstance(outcome, Succeeded | Planned):
        write(as_text(shown))
    else:
        asked = NOBODY_HERE in shown.text and not granted
        hint = "; --yes allows it, --dry-run tells what it would do" if asked else ""
        print(safe(f"hilt: {shown.text}{hint}"), file=sys.stderr)


def _plan_card(tool: "Tool", text: str) -> Card:
    match _value(text):
        case {"plan": {"changes": [*changes]}}:
            rows = tuple(
                (change["kind"], " · ".join(filter(None, (change["target"], change.get("detail", "")))))
                for change in cast("list[dict[str, str]]", changes)
            )
            return Card(f"{tool.name}: a dry run; nothing was changed", rows)
        case _:
            return Card(f"{tool.name}: a dry run; nothing was changed", text=text)


def _said(outcome: Outcome) -> str:
    """What went wrong, in a sentence."""
    match _value(outcome.text):
        case {"error": str(sentence)}:
            return sentence
        case _:
            return outcome.text


def _value(text: str) -> Any:
    """The JSON value of a text; of one that was cut, the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
