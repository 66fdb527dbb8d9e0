"""The one place where settings become live objects, and the only one that looks at the machine and its environment."""

import os
import secrets
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import tzlocal
from msgspec import Struct
from msgspec.structs import replace
from platformdirs import user_cache_path, user_data_path

from hilt.conversation import InvalidRequest, Unavailable
from hilt.dialects import dialect_named
from hilt.engine.blas import Blas
from hilt.engine.blas import load as load_blas
from hilt.engine.configuration import Configuration, read_configuration
from hilt.prompting import Manner, find_manner, template_source
from hilt.settings import EngineOptions, ToolOptions
from hilt.store import STARTER, Weights, find_model, weigh
from hilt.tools import Approver, Capability, Registry, Runtime, Switch, builtin_tools, offer

if TYPE_CHECKING:
    from hilt.backends.local import LocalBackend
    from hilt.engine.devices import Device, Throughput

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


class Machine(Struct, frozen=True):
    """What models run on here."""

    device: "Device"
    blas: Blas
    tips: list[str]


class Described(Struct, frozen=True):
    """What is known of a model without running it; `folder` is where it lies, `template` the chat template used with
    tools, "" where it has none of its own."""

    name: str
    folder: Path
    configuration: Configuration
    weights: Weights
    manner: Manner
    chats: bool
    template: str


def version() -> str:
    """The version of Hilt that is installed."""
    return installed_version("hilt")


def data_folder() -> Path:
    """Where Hilt keeps what belongs to the user: notes and the history of the prompt."""
    return user_data_path("hilt", appauthor=False)


def new_call_id() -> str:
    """A fresh id for a call, unique without any memory."""
    return f"call_{secrets.token_hex(12)}"


def clock() -> Callable[[], datetime]:
    """The present time in the user's own zone."""
    zone = ZoneInfo(tzlocal.get_localzone_name())
    return lambda: datetime.now(zone)


def prepare_machine() -> Machine:
    """Load the fast BLAS, then MLX, and look at what it found. Everything that imports MLX comes after this."""
    _quieten()
    # OpenBLAS' threads spin while they wait. One core is left to MLX's own thread, which they would starve.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(max(1, (os.cpu_count() or 1) - 1)))
    blas = load_blas(user_cache_path("hilt", appauthor=False))
    try:
        from hilt.engine.devices import find_device
    except ImportError as problem:
        raise _without_mlx(problem) from problem
    from hilt.engine.advice import tips

    device = find_device()
    if device.kind != "cpu":
        blas = Blas("not_needed", f"products run on {device.kind}")
    return Machine(device, blas, tips(device, blas, sys.platform, nvidia=NVIDIA_DRIVER.exists()))


def _quieten() -> None:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


def _without_mlx(problem: ImportError) -> Unavailable:
    return Unavailable(
        f"MLX can't be loaded here ({problem}). On Linux install `hilt[cpu]`, or `hilt[cuda]` with an NVIDIA GPU."
    )


def measure_machine(machine: Machine) -> "list[Throughput]":
    """How fast this machine multiplies matrices."""
    from hilt.engine.devices import measure_products

    return measure_products(machine.device)


@contextmanager
def open_backend(
    model: str, options: EngineOptions, machine: Machine, dialect: str | None = None
) -> "Generator[LocalBackend]":
    """A running model, until the block is left; a `dialect` that is named takes the place of the one found.

    Raises NotFound, Unavailable or InvalidRequest if it can't be had.
    """
    from hilt.backends.constraining import Constraining
    from hilt.backends.local import LocalBackend
    from hilt.engine.loading import load
    from hilt.engine.worker import Engine

    named = None if dialect is None else dialect_named(dialect)
    folder = find_model(model)
    engine = Engine(lambda: load(folder, machine.device), options)
    try:
        manner = find_manner(engine.loaded.tokenizer, engine.loaded.architecture, named)
        with closing(Constraining(engine.loaded, manner.dialect, options.grammar_cache_bytes)) as constraining:
            yield LocalBackend(engine, constraining, _name(model, folder), machine.device.kind, manner, new_call_id)
    finally:
        engine.close()


def describe_model(model: str, dialect: str | None = None) -> Described:
    """Look at a model without loading its weights; a `dialect` that is named takes the place of the one found.

    Raises NotFound, Unavailable or InvalidRequest if there is nothing to look at.
    """
    named = None if dialect is None else dialect_named(dialect)
    folder = find_model(model)
    configuration = read_configuration(folder)
    _quieten()
    try:
        from hilt.engine.loading import load_only_tokenizer
    except ImportError as problem:
        raise _without_mlx(problem) from problem
    tokenizer = load_only_tokenizer(folder)
    return Described(
        name=_name(model, folder),
        folder=folder,
        configuration=configuration,
        weights=weigh(folder, configuration.quantised_bits),
        manner=find_manner(tokenizer, configuration.architecture, named),
        chats=tokenizer.has_chat_template,
        template=template_source(tokenizer),
    )


def _name(model: str, folder: Path) -> str:
    """What a model is called: as the user calls it, unless that is a path."""
    return model if model == STARTER or not Path(model).expanduser().is_dir() else folder.name


def open_tools(workspace: Path, approver: Approver) -> Runtime:
    """The built-in tools, working in `workspace`, and the runtime that runs them."""
    options = ToolOptions(workspace=workspace.resolve(), notes=data_folder() / "notes")
    return Runtime(registry=Registry(builtin_tools(options, clock())), approver=approver)


def tool_switch() -> Switch:
    """The kill switch of all tools that this user's processes run."""
    return Switch(data_folder() / "tools.off")


def with_tools(runtime: Runtime, paths: Sequence[Path]) -> Runtime:
    """The runtime with the tools of the user's own files as well.

    Raises NotFound or InvalidRequest if they can't be loaded or one has the name of a tool that is there.
    """
    if not paths:
        return runtime
    from hilt.tools.loading import load_tools

    known = runtime.registry
    own = offer(load_tools(paths), Capability(sys.platform, local_only=runtime.policy.local_only))
    named = {tool.name for tool in own.tools}
    withheld = {name: why for name, why in {**known.withheld, **own.withheld}.items() if name not in named}
    try:
        return replace(runtime, registry=Registry((*known.tools, *own.tools), withheld, known.hidden))
    except ValueError as fault:
        raise InvalidRequest(
            f"the tools of {', '.join(str(path) for path in paths)} can't be added: {fault}"
        ) from fault
