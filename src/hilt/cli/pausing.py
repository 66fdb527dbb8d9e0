"""`hilt resume`: runs that stopped at a question go on with its answer."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from hilt.cli.choosing import DIALECT_HELP
from hilt.conversation import InvalidRequest
from hilt.store import STARTER

if TYPE_CHECKING:
    from hilt.agent import RunState
    from hilt.tools import Decision

EVERY = "all"


def resume(
    file: Annotated[Path, typer.Argument(help="The file that `hilt run --later` has written.")],
    model: Annotated[str, typer.Argument(help="The model to go on with.", show_default=True)] = STARTER,
    approve: Annotated[
        list[str] | None, typer.Option(metavar="ID", help=f"Let this call run; '{EVERY}' for all that wait.")
    ] = None,
    refuse: Annotated[
        list[str] | None, typer.Option(metavar="ID", help=f"Refuse this call; '{EVERY}' for all that wait.")
    ] = None,
    workspace: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="The folder whose files the tools may use.")
    ] = Path(),
    tools: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="The files of tools that the run was begun with.")
    ] = None,
    dialect: Annotated[str | None, typer.Option(metavar="NAME", help=DIALECT_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every event as a line of JSON.")] = False,
) -> None:
    """Go on with a run that stopped at a question. Calls without an answer wait on, in the same file."""
    from hilt.agent import Agent
    from hilt.assembly import load_settings, open_backend, prepare_machine
    from hilt.assembly.tooling import open_tools
    from hilt.cli.screen import open_view
    from hilt.cli.waiting import WaitingRun, keep, read, take
    from hilt.tools import Later
    from hilt.tools.builtin.schedule import narrowed

    waiting, mark = read(file)
    decisions = decided(waiting.state, approve or [], refuse or [])
    settings = load_settings(workspace)
    settings = replace(
        settings,
        policy=narrowed(waiting.grant, settings.policy),
        tools=replace(settings.tools, files=(*settings.tools.files, *(tools or ()))),
    )
    view = open_view(as_json)
    with (
        open_tools(settings, Later()) as make_runtime,
        open_backend(model, settings.engine, prepare_machine(), dialect, settings.routing) as backend,
    ):
        runtime = make_runtime(waiting.grant.tools)
        run = Agent(backend, runtime, options=settings.agent).continued(waiting.state, decisions)
        take(mark)

        async def show() -> None:
            try:
                async for event in run.stream():
                    view.show(event)
            finally:
                view.close()

        asyncio.run(show())
        if run.pending is not None:
            keep(file, WaitingRun(run.pending, waiting.grant))
        else:
            file.unlink(missing_ok=True)


def decided(state: "RunState", approve: list[str], refuse: list[str]) -> "dict[str, Decision]":
    """The answers, by call. Raises InvalidRequest for a call that doesn't wait or has two answers."""
    from hilt.tools import Approved, Refused

    waiting = {request.call_id: request for request in state.waiting}
    approved = set(waiting) if EVERY in approve else set(approve)
    refused = set(waiting) if EVERY in refuse else set(refuse)
    unknown = sorted((approved | refused) - set(waiting))
    if unknown:
        raise InvalidRequest(f"no call with the id {unknown[0]!r} waits; waiting are: {', '.join(waiting)}")
    if approved & refused:
        raise InvalidRequest(f"the call {min(approved & refused)!r} is both approved and refused")
    answers: dict[str, Decision] = {call_id: Approved(waiting[call_id].fingerprint) for call_id in approved}
    return answers | {call_id: Refused() for call_id in refused}
