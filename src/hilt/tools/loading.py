"""Tools from files of the user's own: every `Tool` that a module holds, and what its `make_tools()` returns.

A file is run as it stands, with all the rights of this process, so only files that the user has named are loaded.
"""

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, cast

from hilt.conversation import InvalidRequest, NotFound
from hilt.tools.tool import Tool

MAKER = "make_tools"


def load_tools(paths: Sequence[Path], taken: Collection[str] = ()) -> tuple[Tool, ...]:
    """The tools of files and folders, in order.

    Of a folder all `*.py` count, sorted by name, except tests (`test_*.py`, `conftest.py`) and what begins with an
    underscore; folders inside it don't. While a file is loaded, the modules beside it can be imported.

    Raises NotFound for a path that isn't there; InvalidRequest, with the file and the line, for a file that can't be
    loaded, holds no tool, or holds a tool that is called as another one is or by one of the names that are `taken`.
    """
    tools: list[Tool] = []
    called: dict[str, Path] = {}
    for file in dict.fromkeys(file.resolve() for path in paths for file in _files(path)):
        for tool in _tools_in(file):
            for name in dict.fromkeys((tool.name, *tool.aliases)):
                if name in taken:
                    raise InvalidRequest(f"{file}: Hilt has a tool named {name!r} already; give yours another name")
                if name in called:
                    where = "twice in it" if called[name] == file else f"in {called[name]} too"
                    raise InvalidRequest(f"{file}: there is a tool named {name!r} {where}; give one another name")
                called[name] = file
            tools.append(tool)
    return tuple(tools)


def _files(path: Path) -> list[Path]:
    given = path.expanduser()
    if given.is_dir():
        files = sorted(file for file in given.glob("*.py") if _counts(file.name) and file.is_file())
        if not files:
            raise InvalidRequest(f"{path}: the folder holds no Python file with tools")
        return files
    if not given.exists():
        raise NotFound(f"{path}: there is no such file or folder of tools")
    if given.suffix != ".py" or not given.is_file():
        raise InvalidRequest(f"{path}: tools are loaded from a .py file or a folder of them")
    return [given]


def _counts(name: str) -> bool:
    return not name.startswith(("_", ".", "test_")) and name != "conftest.py"


def _tools_in(file: Path) -> tuple[Tool, ...]:
    module = load_module(file)
    held: list[object] = [value for value in vars(module).values() if isinstance(value, Tool)]
    maker: Any = getattr(module, MAKER, None)
    if maker is not None:
        if not callable(maker):
            raise InvalidRequest(f"{file}: {MAKER} is no function; it takes nothing and returns a tuple of tools")
        held += _made(file, maker)
    tools: list[Tool] = []
    for value in held:
        if not isinstance(value, Tool):
            raise InvalidRequest(
                f"{file}: {MAKER}() returned {type(value).__name__!r} among its tools; make each with @tool(...)"
            )
        if value.isolation == "process" and value.function.__module__ == module.__name__:
            raise InvalidRequest(
                f"{file}: {value.name} is to run in a process of its own, which has to import it by name; put it into "
                "an installed module and import it here, or leave out isolation"
            )
        if not any(value is other for other in tools):
            tools.append(value)
    if not tools:
        raise InvalidRequest(f"{file}: there is no tool in it; make one with @tool(...), or return it in {MAKER}()")
    return tuple(tools)


def _made(file: Path, maker: Any) -> list[object]:
    try:
        with _beside(file):
            returned: object = maker()
            return [returned] if isinstance(returned, Tool) else list(cast("Iterable[object]", returned))
    except (Exception, SystemExit) as fault:
        raise InvalidRequest(f"{_place(file, fault)}: {MAKER}() failed: {_said(fault)}") from fault


def load_module(file: Path) -> ModuleType:
    """The file, run as a module of its own; the same file again is another module.

    Raises InvalidRequest, with the file and the line, if that fails.
    """
    file = file.resolve()
    code = _compiled(file)
    # A name that no other module has, so that a file called json.py or calendar.py hides nothing.
    name = f"hilt_tools_{hashlib.sha256(str(file).encode('utf-8', 'surrogateescape')).hexdigest()[:12]}_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # Classes look their module up there.
    sys.modules[name] = module
    try:
        with _beside(file):
            exec(code, vars(module))
    except (Exception, SystemExit) as fault:
        del sys.modules[name]
        raise InvalidRequest(f"{_place(file, fault)}: the file can't be loaded: {_said(fault)}") from fault
    return module


def _compiled(file: Path) -> CodeType:
    """The code of the file as it is now: nothing is read from or left in a cache."""
    try:
        return compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    except OSError as fault:
        raise InvalidRequest(f"{file}: the file can't be read: {fault.strerror}") from fault
    except SyntaxError as fault:
        place = str(file) if fault.lineno is None else f"{file}:{fault.lineno}"
        raise InvalidRequest(f"{place}: this is no Python: {fault.msg}") from fault
    except (ValueError, RecursionError, MemoryError) as fault:
        raise InvalidRequest(f"{file}: this is no Python: {_said(fault)}") from fault


@contextmanager
def _beside(file: Path) -> Generator[None]:
    """While the block runs, the modules beside the file can be imported, after all others."""
    folder = str(file.parent)
    sys.path.append(folder)
    try:
        yield
    finally:
        # The file may have changed the list itself; what it added stays.
        if folder in sys.path:
            del sys.path[len(sys.path) - 1 - sys.path[::-1].index(folder)]


def _place(file: Path, fault: BaseException) -> str:
    """The file, and the last of its lines that the fault came through."""
    lines = [frame.lineno for frame in traceback.extract_tb(fault.__traceback__) if frame.filename == str(file)]
    return f"{file}:{lines[-1]}" if lines and lines[-1] else str(file)


def _said(fault: BaseException) -> str:
    line = " ".join(str(fault).split())
    return f"{type(fault).__name__}: {line}" if line else type(fault).__name__
