"""`hilt serve`: a model behind the OpenAI API on this machine."""

import secrets
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from hilt.cli.choosing import DIALECT_HELP
from hilt.conversation import InvalidRequest
from hilt.settings import ServerOptions
from hilt.store import STARTER

if TYPE_CHECKING:
    from hilt.tools import Registry

_DEFAULT = ServerOptions()


def serve(
    model: Annotated[
        str, typer.Argument(help="A model's folder, its id on the hub, or 'starter'.", show_default=True)
    ] = STARTER,
    host: Annotated[
        str | None, typer.Option(help=f"The address to listen on, {_DEFAULT.host} where nothing is configured.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help=f"The port, {_DEFAULT.port} where nothing is configured; 0 takes a free one."
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="HILT_API_KEY", help="The key that requests must bring; needed beyond this machine."),
    ] = None,
    tools: Annotated[
        list[str] | None,
        typer.Option(metavar="TOOL", help="A tool that the server runs itself for requests that ask for it."),
    ] = None,
    dialect: Annotated[str | None, typer.Option(metavar="NAME", help=DIALECT_HELP)] = None,
) -> None:
    """Serve a model with the OpenAI Chat Completions API, tools included."""
    from hilt.agent import ServerTools, new_run_id
    from hilt.assembly import load_settings, open_backend, prepare_machine, version
    from hilt.assembly.tooling import open_tools
    from hilt.server import create_app
    from hilt.server import serve as serve_app
    from hilt.tools import Desk, Nobody

    settings = load_settings()
    given = settings.server
    options = replace(
        given,
        host=host or given.host,
        port=given.port if port is None else port,
        api_key=api_key or given.api_key,
    )
    settings = replace(settings, server=options)  # so that a key of the command line is known as a secret, too
    names = tuple(tools or options.tools)
    # Without a key anybody on this machine could answer.
    desk = Desk(options.approval_patience_s) if names and options.api_key else None
    machine = prepare_machine()
    with (
        open_tools(settings, desk or Nobody(), complain=_tell) as make_runtime,
        open_backend(model, settings.engine, machine, dialect, settings.routing) as backend,
    ):
        card = backend.card
        server_tools = None
        if names:
            _refuse_unknown(names, make_runtime(names).registry, keyless=options.api_key is None)
            server_tools = ServerTools(
                names,
                make_runtime,
                options=settings.agent,
                clock=time.monotonic,
                new_id=new_run_id,
            )
        app = create_app(
            {card.id: backend},
            options,
            version=version(),
            new_id=lambda: secrets.token_hex(12),
            now_s=time.time,
            server_tools=server_tools,
            desk=desk,
        )

        def tell(url: str) -> None:
            print(f"{card.id} on {card.device}, dialect {card.dialect}: {backend.why_dialect}", file=sys.stderr)
            print(f"OpenAI API at {url}/v1  (Ctrl-C ends it)", file=sys.stderr, flush=True)

        serve_app(app, options, on_listening=tell)


def _refuse_unknown(names: tuple[str, ...], registry: "Registry", *, keyless: bool) -> None:
    for name in names:
        tool = registry.get(name)
        if tool is not None and tool.effect != "read" and keyless:
            raise InvalidRequest(
                f"the tool {name!r} changes something or reaches out, so the server needs a key:"
                " give one with --api-key or HILT_API_KEY"
            )
        if tool is None:
            why = registry.withheld.get(name, "there is no such tool; `hilt tools list --all` tells those there are")
            raise InvalidRequest(f"the tool {name!r} can't be switched on: {why}")


def _tell(sentence: str) -> None:
    print(f"hilt: {sentence}", file=sys.stderr, flush=True)
