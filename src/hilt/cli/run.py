"""`hilt run`: one answer, or a chat, with tools."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from hilt.cli.choosing import DIALECT_HELP, OwnTools
from hilt.conversation import InvalidRequest, Message, Sampling, System
from hilt.settings import AgentOptions, EngineOptions
from hilt.store import STARTER, names_model


def run(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="A model's folder, its id on the hub, or 'starter' (the default)."),
    ] = None,
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="What to say; without it, an interactive chat.")
    ] = None,
    workspace: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="The folder whose files the tools may read.")
    ] = Path(),
    system: Annotated[str | None, typer.Option(help="Instructions that come before the conversation.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=2, help="0 is always the likeliest token.")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes a sampled reply reproducible.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="The longest reply, in tokens.")] = None,
    dialect: Annotated[str | None, typer.Option(metavar="NAME", help=DIALECT_HELP)] = None,
    own: OwnTools = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Add speed, cached tokens, the device and tips.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every event as a line of JSON.")] = False,
) -> None:
    """Talk to a model that can use tools: arithmetic, time, units, the files of the workspace, notes.

    A single argument that names no model is the prompt for the default model.
    """
    model, prompt = _model_and_prompt(model, prompt)
    if prompt is None and not sys.stdin.isatty():
        prompt = sys.stdin.read()
    if prompt is not None and not prompt.strip():
        raise InvalidRequest("the prompt is empty; say something, or leave it out for a chat")
    if prompt is None and as_json:
        raise InvalidRequest('--json needs a prompt: hilt run --json "What day is it?"')
    from rich.console import Console

    from hilt.assembly import data_folder, open_backend, open_tools, prepare_machine, with_tools
    from hilt.cli.approving import Terminal
    from hilt.cli.chatting import Chat, chat
    from hilt.cli.screen import open_view

    machine = prepare_machine()
    activity = Console(stderr=True, highlight=False)
    runtime = with_tools(open_tools(workspace, Terminal(activity)), own or ())
    with open_backend(model, EngineOptions(), machine, dialect) as backend:
        instructions: tuple[Message, ...] = () if system is None else (System(system),)
        talk = Chat(
            backend=backend,
            runtime=runtime,
            instructions=instructions,
            sampling=Sampling(temperature=temperature, seed=seed, max_tokens=max_tokens),
            options=AgentOptions(),
            view=open_view(as_json),
            activity=activity,
            tips=machine.tips if verbose else None,
        )
        if prompt is not None:
            asyncio.run(talk.say(prompt))
        else:
            asyncio.run(chat(talk, data_folder() / "history"))


def _model_and_prompt(model: str | None, prompt: str | None) -> tuple[str, str | None]:
    if model is None:
        return STARTER, prompt
    if prompt is None and not names_model(model):
        return STARTER, model
    return model, prompt
