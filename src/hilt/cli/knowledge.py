"""`hilt kb`: the user's own documents, taken in, searched, listed and removed."""

import os
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
import typer

from hilt.cli.screen import safe
from hilt.conversation import InvalidRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from hilt.tools.builtin.knowledge import Ingested, Knowledge

    Step: TypeAlias = Callable[[str, int, int], None]

_SHOWN_CHARS = 60
_MAX_NAMED = 5

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

kb = typer.Typer(help="Your own documents, for the model to look things up in.", no_args_is_help=True)


@kb.command()
def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files, and folders with all below them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each file.")] = False,
) -> None:
    """Add files and folders: text, Markdown, HTML, PDF and source code.

    Files that are known and unchanged are left alone; those gone from a folder are dropped. The exit status is 1 if a
    file could not be read.
    """
    from hilt.tools.builtin.knowledge import ingest

    knowledge = _open()
    counted: Counter[str] = Counter()
    with _progress("Adding") as step:
        for report in ingest(knowledge, paths):
            counted[report.outcome] += 1
            if as_json:
                _print_json(report)
            elif step is None or report.outcome == "failed":
                print(_shown(_line(report)), file=sys.stderr)
            if step is not None:
                step(report.source, report.number, report.total)
    if not as_json:
        print(", ".join(f"{number} {outcome}" for outcome, number in sorted(counted.items())) or "nothing to add")
    if counted["failed"]:
        raise typer.Exit(1)


@kb.command()
def search(
    query: Annotated[str, typer.Argument(help="Words or a question.")],
    limit: Annotated[int, typer.Option(min=1, max=20, help="The most passages to show.")] = 5,
    source: Annotated[str, typer.Option(metavar="NAME", help="Only in this file or folder.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Find the passages that answer a question best."""
    from hilt.tools.builtin.knowledge import search as find

    store = _open().store
    if not query.strip():
        raise InvalidRequest("the query is empty; write what to look for", param="query")
    found = find(store, query, limit, _named(source))
    if as_json:
        _print_json(found)
        return
    if found.notice:
        print(f"hilt: {safe(found.notice)}", file=sys.stderr)
    for number, passage in enumerate(found.passages, start=1):
        heading = f"  {passage.heading}" if passage.heading else ""
        print(f"{number}. {_shown(passage.title + heading)}\n   {_shown(passage.place)}")
        print("   " + safe(passage.text).replace("\n", "\n   ") + "\n")
    if not found.passages:
        print("nothing found", file=sys.stderr)


@kb.command(name="list")
def list_sources(as_json: JsonOption = False) -> None:
    """List what is in the knowledge base."""
    from hilt.tools.builtin.knowledge import sources

    known = sources(_open().store)
    if as_json:
        _print_json(known)
        return
    for source in known:
        print(_shown(f"{source.added}  {source.passages:5} passages  {source.name}  ({source.title})"))
    if not known:
        print("the knowledge base is empty; `hilt kb add PATH` adds documents", file=sys.stderr)


@kb.command()
def remove(
    source: Annotated[str, typer.Argument(help="A file, a folder, or the title of a text.")],
    as_json: JsonOption = False,
) -> None:
    """Take a file, a text or all of a folder out of the knowledge base; the files themselves stay."""
    from hilt.tools.builtin.knowledge import remove as take_out
    from hilt.tools.builtin.knowledge import sources

    store = _open().store
    names = _meant([(one.name, one.title) for one in sources(store)], source)
    take_out(store, names)
    if as_json:
        _print_json({"removed": names})
    else:
        print("\n".join(_shown(f"removed    {name}") for name in names))


@kb.command()
def rebuild(as_json: JsonOption = False) -> None:
    """Make the search index anew from the texts in the base; needed when the embedder was changed."""
    from hilt.tools.builtin.knowledge import rebuild as make_anew

    store = _open().store
    done = 0
    with _progress("Embedding") as step:
        for done, total in make_anew(store):
            if step is not None:
                step("", done, total)
    if as_json:
        _print_json({"passages": done, "embedder": store.embedder.name})
    else:
        print(f"{done} passages embedded by {store.embedder.name}")


def _open() -> "Knowledge":
    from hilt.assembly import load_settings
    from hilt.assembly.tooling import open_knowledge

    return open_knowledge(load_settings())


def _print_json(value: Any) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def _shown(text: str) -> str:
    """Text in one line of a terminal; names of files may hold line breaks."""
    return " ".join(safe(text).splitlines())


def _line(report: "Ingested") -> str:
    count = f"  ({report.passages} passages)" if report.passages else ""
    reason = f": {report.reason}" if report.reason else ""
    return f"{report.outcome:10} {report.source}{count}{reason}"


@contextmanager
def _progress(what: str) -> "Generator[Step | None]":
    """A bar on standard error, moved by (name, done, total); None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def step(name: str, done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, description=escape(safe(name)[-_SHOWN_CHARS:]))

        yield step


def _named(source: str) -> str:
    """A source as it is stored: a path that leads somewhere becomes absolute."""
    return os.path.realpath(Path(source).expanduser()) if source and Path(source).expanduser().exists() else source


def _meant(known: list[tuple[str, str]], source: str) -> list[str]:
    """The names that `source` stands for: itself, all below the folder, or the one that ends so or has the title."""
    written = source.rstrip("/") or source
    for name in (written, str(Path(written).expanduser().absolute()), os.path.realpath(Path(written).expanduser())):
        if names := [one for one, _ in known if one == name or one.startswith(f"{name}/")]:
            return names
    names = list(_ending(known, written))
    if not names:
        raise NotFound(f"there is no {source!r} in the knowledge base; `hilt kb list` shows what there is")
    if len(names) > 1:
        raise InvalidRequest(f"{source!r} stands for several: {', '.join(names[:_MAX_NAMED])}; name one in full")
    return names


def _ending(known: list[tuple[str, str]], written: str) -> Iterator[str]:
    return (name for name, title in known if title == written or name.endswith(f"/{written}"))
