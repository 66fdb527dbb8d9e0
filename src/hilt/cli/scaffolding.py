"""`hilt tools new`: a tool of the user's own to begin with, and the tests that hold it."""

import importlib.util
import keyword
import re
import sys
from pathlib import Path
from string import Template
from typing import Annotated, Literal, TypeAlias

import typer

from hilt.cli.calling import registry_of, settings_of
from hilt.conversation import InvalidRequest, Unavailable

EffectName: TypeAlias = Literal["read", "write", "destructive", "external"]

_TEMPLATES = Path(__file__).with_name("scaffold")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_MAX_NAME_CHARS = 64
# Names that the files themselves use.
_USED = frozenset(
    {"tool", "make_tools", "renamed", "plan", "store", "text", "words", "lines", "call", "made", "conftest"}
)

_CHANGING = {
    "write": {
        "kind": "edit",
        "description": "Add a line to the store.",
        "parameter": "The line to add.",
        "request": "Put 'first' into the store.",
        "work": "        lines = [*lines, text]",
        "lines": "2",
        "after": "first\\nfirst\\n",
    },
    "destructive": {
        "kind": "delete",
        "description": "Delete every line of the store that reads like this one.",
        "parameter": "The line to delete.",
        "request": "Delete 'first' from the store.",
        "work": "        lines = [line for line in lines if line != text]",
        "lines": "0",
        "after": "",
    },
    "external": {
        "kind": "send",
        "description": "Send a line to the receiver.",
        "parameter": "The line to send.",
        "request": "Send 'first'.",
        "work": "        # The store stands in for the receiver; send the line here.\n        lines = [*lines, text]",
        "lines": "2",
        "after": "first\\nfirst\\n",
    },
}


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the tool is to be called, in snake_case.")],
    folder: Annotated[Path, typer.Option(help="Where the two files go; it is made if it isn't there.")] = Path(),
    effect: Annotated[EffectName, typer.Option(help="The worst that a call of it can do.")] = "read",
) -> None:
    """Write a tool to begin with, NAME.py, and its tests, test_NAME.py, which pass at once."""
    folder = folder.expanduser()
    _check(name, folder)
    files = _filled(name, effect, folder)
    for file in files:
        if file.exists() or file.is_symlink():
            raise InvalidRequest(
                f"{file} is there already, and nothing is overwritten; choose another name or --folder"
            )
    _write(files)
    tool, tests = files
    print(f"Made {tool} and {tests}.")
    print(f"  pytest {tests}")
    print(f"  hilt tools run {name} --tools {tool} --help")
    print(f"  hilt run --tools {tool}")


def _check(name: str, folder: Path) -> None:
    """Raises InvalidRequest for a name that could not be a tool, a function and a module of this folder."""
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME_CHARS:
        raise InvalidRequest(
            f"{name!r} can't be the name of a tool: use small letters, digits and single underscores, at most "
            f"{_MAX_NAME_CHARS} characters, as in word_count"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in _USED or name.startswith("test_"):
        raise InvalidRequest(f"{name!r} means something else to Python or to the tests; choose another name")
    if name in sys.stdlib_module_names or _is_module(name, folder):
        raise InvalidRequest(f"{name}.py would hide the module {name!r} of Python or of a library; choose another name")
    registry = registry_of(settings_of(None, None))
    taken = registry.get(name)
    if taken is not None or name in registry.withheld:
        raise InvalidRequest(f"there is a tool named {name!r} already; choose another name")


def _is_module(name: str, folder: Path) -> bool:
    """Whether an installed module has this name; what lies in the working folder or the new one doesn't count."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    if found is None or found.origin is None:
        return False
    return Path(found.origin).resolve().parent not in (Path().resolve(), folder.resolve())


def _filled(name: str, effect: EffectName, folder: Path) -> dict[Path, str]:
    """The text of each file."""
    template = "reading" if effect == "read" else "changing"
    result = "".join(word.capitalize() for word in name.split("_")) + "Result"
    words = {"name": name, "result": result, "effect": effect, **_CHANGING.get(effect, {})}
    return {
        folder / f"{name}.py": _template(template).substitute(words),
        folder / f"test_{name}.py": _template(f"test_{template}").substitute(words),
    }


def _template(name: str) -> Template:
    return Template((_TEMPLATES / f"{name}.txt").read_text(encoding="utf-8"))


def _write(files: dict[Path, str]) -> None:
    """Write all of the files, or none."""
    written: list[Path] = []
    try:
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as out:
                written.append(file)
                out.write(text)
    except OSError as fault:
        for file in written:
            file.unlink(missing_ok=True)
        raise Unavailable(f"{fault.filename or 'the files'} can't be written: {fault.strerror}") from fault
