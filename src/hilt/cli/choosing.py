"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

DIALECT_HELP = "How the model writes calls, where what is found by itself is wrong; 'hilt show' tells what is found."

OwnTools: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--tools", metavar="PATH", help="Tools of your own: a Python file, or a folder of them. May be given again."
    ),
]
Workspace: TypeAlias = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="The folder whose files the tools may use; here if left out."),
]
