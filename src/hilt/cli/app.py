"""The command `hilt`, and how its errors end."""

import sys

import typer

from hilt.cli.doctor import doctor
from hilt.cli.knowledge import kb
from hilt.cli.parse import parse
from hilt.cli.pausing import resume
from hilt.cli.run import run
from hilt.cli.schedule import schedule
from hilt.cli.serve import serve
from hilt.cli.show import show
from hilt.cli.tools import tools
from hilt.cli.trace import trace
from hilt.conversation import HiltError, InvalidRequest, NotFound

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="hilt",
    help="Tools for the models you run yourself.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(name="run")(run)
app.command(name="resume")(resume)
app.command(name="serve")(serve)
app.command(name="show")(show)
app.command(name="parse")(parse)
app.add_typer(kb, name="kb")
app.command(name="doctor")(doctor)
app.add_typer(tools, name="tools")
app.add_typer(schedule, name="schedule")
app.add_typer(trace, name="trace")


def _print_version(wanted: bool) -> None:
    if wanted:
        from hilt.assembly import version

        typer.echo(f"hilt {version()}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    """Tools for the models you run yourself."""
    del version


def main() -> None:
    """Run the command line; ends the process with 0, 1 (it failed), 2 (it was asked wrongly) or 130 (interrupted)."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(EXIT_FAILED)
    except HiltError as error:
        print(f"hilt: {error.message}", file=sys.stderr)
        sys.exit(EXIT_USAGE if isinstance(error, InvalidRequest | NotFound) else EXIT_FAILED)
