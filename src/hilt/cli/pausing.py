"""`hilt resume`, and the files in which runs wait for answers."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from hilt.cli.choosing import DIALECT_HELP
from hilt.cli.screen import safe
from hilt.conversation import InvalidRequest, NotFound, Unavailable
from hilt.store import STARTER

if TYPE_CHECKING:
    from hilt.agent import RunState
    from hilt.tools import Decision

EVERY = "all"


def keep(path: Path, state: "RunState") -> None:
    """Write a run that waits to a file that only its owner can read, and tell what it waits for.

    Raises Unavailable if it can't be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        written = msgspec.json.encode(state)
    except UnicodeEncodeError as fault:
        raise Unavailable(f"the run can't be kept in {path}: it holds half of a surrogate pair") from fault
    try:
        beside.unlink(missing_ok=True)  # left by a process of this number that broke off
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as fault:
        beside.unlink(missing_ok=True)
        raise Unavailable(f"the run can't be kept in {path}: {fault.strerror}") from fault
    print("waiting for an answer:", file=sys.stderr)
    for request in state.waiting:
        print(f"  {request.call_id}  {request.tool} ({request.effect}) {safe(request.arguments)}", file=sys.stderr)
    print(f"answer with: hilt resume {path} --approve {EVERY}", file=sys.stderr)


def read(path: Path) -> "RunState":
    """A run that waits. Raises NotFound or InvalidRequest if there is none."""
    from hilt.agent import RunState

    try:
        return msgspec.json.decode(path.read_bytes(), type=RunState)
    except FileNotFoundError as fault:
        raise NotFound(f"there is no file {path}") from fault
    except OSError as fault:
        raise Unavailable(f"{path} can't be read: {fault.strerror}") from fault
    except (ValueError, RecursionError) as fault:
        raise InvalidRequest(f"{path} holds no run that waits for answers: {fault}") from fault


def begun(path: Path) -> Path:
    """Take the file of a run away, so that no other process goes on with it and nothing that it approved is done twice,
    even if this process breaks off; where it lies now.

    Raises NotFound if it was taken, Unavailable if it can't be.
    """
    taken = path.with_name(f"{path.name}.begun")
    try:
        path.rename(taken)
    except FileNotFoundError as fault:
        raise NotFound(f"there is no file {path} any more; the run is being resumed elsewhere") from fault
    except OSError as fault:
        raise Unavailable(f"{path} can't be taken up: {fault.strerror}") from fault
    return taken


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
    dialect: Annotated[str | None, typer.Option(metavar="NAME", help=DIALECT_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every event as a line of JSON.")] = False,
) -> None:
    """Go on with a run that stopped at a question. Calls without an answer wait on, in the same file.

    Where this breaks off before its end, the file lies beside as FILE.begun: what was approved may have been carried
    out.
    """
    from hilt.agent import Agent
    from hilt.assembly import load_settings, open_backend, prepare_machine
    from hilt.assembly.tooling import chosen_tools, open_tools
    from hilt.cli.screen import open_view
    from hilt.tools import Later

    state = read(file)
    decisions = decided(state, approve or [], refuse or [])
    settings = load_settings(workspace)
    view = open_view(as_json)
    with (
        open_backend(model, settings.engine, prepare_machine(), dialect, settings.routing) as backend,
        open_tools(settings, Later()) as make_runtime,
    ):
        run = Agent(backend, make_runtime(chosen_tools(settings, model)), options=settings.agent).continued(
            state, decisions
        )

        async def show() -> None:
            try:
                async for event in run.stream():
                    view.show(event)
            finally:
                view.close()

        taken = begun(file)
        asyncio.run(show())
        if run.pending is not None:
            keep(file, run.pending)
        taken.unlink(missing_ok=True)


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
