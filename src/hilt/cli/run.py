"""`hilt run`: one answer, or a chat, with tools."""

import asyncio
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from msgspec.structs import replace

from hilt.cli.choosing import DIALECT_HELP
from hilt.conversation import InvalidRequest, Message, Sampling, System
from hilt.store import STARTER, names_model

if TYPE_CHECKING:
    from hilt.backends import Backend
    from hilt.settings import AgentOptions, Settings

EXIT_FAILED = 1
_A_DAY_S = 86_400.0

Mode = Literal["plain", "answer_first", "rag_first"]
Way = Literal["auto", "native", "text", "completion"]


def run(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="A model's folder, its id on the hub, or 'starter' (the default)."),
    ] = None,
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="What to say; without it, an interactive chat.")
    ] = None,
    workspace: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="The folder whose files the tools may use.")
    ] = Path(),
    system: Annotated[str | None, typer.Option(help="Instructions that come before the conversation.")] = None,
    offer: Annotated[
        list[str] | None, typer.Option(metavar="TOOL", help="Offer this tool and those named likewise alone.")
    ] = None,
    tools: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="Offer the tools of this Python file or folder as well.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Run these calls unasked, as in 'create_file(path=out/*)'.")
    ] = None,
    deny: Annotated[list[str] | None, typer.Option(metavar="RULE", help="Refuse these calls, whatever allows.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan changes in place of making them.")] = False,
    local_only: Annotated[bool, typer.Option("--local-only", help="Let nothing reach beyond this machine.")] = False,
    mode: Annotated[
        Mode | None, typer.Option(help="answer_first: tools only where needed; rag_first: search the knowledge base.")
    ] = None,
    timeout_s: Annotated[
        float | None,
        typer.Option(
            "--timeout", min=1, metavar="SECONDS", help="The longest that an answer may take; no limit at a terminal."
        ),
    ] = None,
    full_trace: Annotated[
        bool, typer.Option("--full-trace", help="Keep texts in the trace too, for `hilt trace show`.")
    ] = False,
    later: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Stop at a question and keep the run in FILE, for `hilt resume`."),
    ] = None,
    remote: Annotated[
        str | None, typer.Option(metavar="URL", help="Ask MODEL on this OpenAI-compatible server, as http://host/v1.")
    ] = None,
    remote_key: Annotated[str, typer.Option(envvar="HILT_REMOTE_KEY", help="The key of that server.")] = "",
    way: Annotated[Way, typer.Option(help="How the remote model is given tools.")] = "auto",
    temperature: Annotated[float | None, typer.Option(min=0, max=2, help="0 is always the likeliest token.")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes a sampled reply reproducible.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="The longest reply, in tokens.")] = None,
    dialect: Annotated[str | None, typer.Option(metavar="NAME", help=DIALECT_HELP)] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Add speed, cached tokens, the device and tips.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every event as a line of JSON.")] = False,
) -> None:
    """Talk to a model that can use tools; `hilt tools list` tells which.

    A single argument that names no model is the prompt for the default model.
    """
    model, prompt = _model_and_prompt(model, prompt, remote=remote is not None)
    if prompt is None and not sys.stdin.isatty():
        prompt = sys.stdin.read()
    if prompt is not None and not prompt.strip():
        raise InvalidRequest("the prompt is empty; say something, or leave it out for a chat")
    if prompt is None and as_json:
        raise InvalidRequest('--json needs a prompt: hilt run --json "What day is it?"')
    if prompt is None and later is not None:
        raise InvalidRequest('--later needs a prompt: hilt run --later run.json "Note that the milk is out."')
    from rich.console import Console

    from hilt.assembly import data_folder, load_settings
    from hilt.assembly.tooling import chosen_tools, open_tools
    from hilt.cli.approving import Terminal
    from hilt.cli.chatting import Chat, chat
    from hilt.cli.screen import open_view
    from hilt.cli.waiting import WaitingRun, keep
    from hilt.tools import Later
    from hilt.tools.builtin.schedule import Grant

    settings = overridden(
        load_settings(workspace),
        tools=tools or [],
        allow=allow or [],
        deny=deny or [],
        dry_run=dry_run,
        local_only=local_only,
        mode=mode,
        full_trace=full_trace,
    )
    activity = Console(stderr=True, highlight=False)
    terminal = Terminal(activity)
    with (
        open_tools(  # first, because from here on local work may be all that is allowed
            settings,
            terminal if later is None else Later(),
            complain=lambda sentence: print(f"hilt: {sentence}", file=sys.stderr),
        ) as make_runtime,
        opened(model, settings, dialect=dialect, remote=remote, remote_key=remote_key, way=way) as (backend, tips),
    ):
        instructions: tuple[Message, ...] = () if system is None else (System(system),)
        talk = Chat(
            backend=backend,
            runtime=make_runtime(offer or chosen_tools(settings, model)),
            instructions=instructions,
            sampling=Sampling(temperature=temperature, seed=seed, max_tokens=max_tokens),
            options=_patient(settings.agent, timeout_s, attended=terminal.attended),
            view=open_view(as_json),
            activity=activity,
            tips=tips if verbose else None,
        )
        if prompt is None:
            asyncio.run(chat(talk, data_folder() / "history"))
            return
        ended = asyncio.run(talk.say(prompt))
        if later is not None and ended.pending is not None:
            names = tuple(tool.name for tool in talk.runtime.registry.tools)
            keep(later, WaitingRun(ended.pending, Grant(names, settings.policy)))
        if ended.finished is not None and ended.finished.reason == "model_error":
            raise typer.Exit(EXIT_FAILED)


def overridden(
    settings: "Settings",
    *,
    tools: list[Path],
    allow: list[str],
    deny: list[str],
    dry_run: bool,
    local_only: bool,
    mode: Mode | None,
    full_trace: bool,
) -> "Settings":
    """The settings with what the command line adds to them."""
    policy = settings.policy
    return replace(
        settings,
        tools=replace(settings.tools, files=(*settings.tools.files, *tools)),
        policy=replace(
            policy,
            allow=(*policy.allow, *allow),
            deny=(*policy.deny, *deny),
            dry_run=policy.dry_run or dry_run,
            local_only=policy.local_only or local_only,
        ),
        agent=settings.agent if mode is None else replace(settings.agent, mode=mode),
        traces=replace(settings.traces, full=settings.traces.full or full_trace),
    )


def _patient(options: "AgentOptions", timeout_s: float | None, *, attended: bool) -> "AgentOptions":
    """The limits of an answer. Who sits at the terminal can stop it, so that there time alone does not."""
    if timeout_s is None and not attended:
        return options
    limit_s = timeout_s or _A_DAY_S
    return replace(options, total_timeout_s=limit_s, turn_timeout_s=limit_s)


@contextmanager
def opened(
    model: str, settings: "Settings", *, dialect: str | None, remote: str | None, remote_key: str, way: Way
) -> "Generator[tuple[Backend, list[str]]]":
    """The backend of a model, here or on another server, and tips for this machine."""
    if remote is not None:
        from hilt.assembly.remotes import open_remote

        with open_remote(remote, model, remote_key, way, settings) as backend:
            yield backend, []
        return
    from hilt.assembly import open_backend, prepare_machine

    machine = prepare_machine()
    with open_backend(model, settings.engine, machine, dialect, settings.routing) as backend:
        yield backend, machine.tips


def _model_and_prompt(model: str | None, prompt: str | None, *, remote: bool) -> tuple[str, str | None]:
    if remote:
        if model is None:
            raise InvalidRequest("--remote needs the name of a model there: hilt run --remote URL MODEL PROMPT")
        return model, prompt
    if model is None:
        return STARTER, prompt
    if prompt is None and not names_model(model):
        return STARTER, model
    return model, prompt
