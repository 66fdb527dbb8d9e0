"""The one place where settings become live objects, and the only one that looks at the machine and its environment."""

import os
import secrets
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import tzlocal
from msgspec import Struct
from platformdirs import user_cache_path, user_data_path

from hilt.conversation import Unavailable
from hilt.engine.blas import Blas
from hilt.engine.blas import load as load_blas
from hilt.settings import EngineOptions, ToolOptions
from hilt.store import STARTER, find_model
from hilt.tools import Approver, Registry, Runtime, builtin_tools

if TYPE_CHECKING:
    from hilt.backends.local import LocalBackend
    from hilt.engine.devices import Device, Throughput

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


class Machine(Struct, frozen=True):
    """What models run on here."""

    device: "Device"
    blas: Blas
    tips: list[str]


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
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    # OpenBLAS' threads spin while they wait. One core is left to MLX's own thread, which they would starve.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(max(1, (os.cpu_count() or 1) - 1)))
    blas = load_blas(user_cache_path("hilt", appauthor=False))
    try:
        from hilt.engine.devices import find_device
    except ImportError as problem:
        raise Unavailable(
            f"MLX can't be loaded here ({problem}). On Linux install `hilt[cpu]`, or `hilt[cuda]` with an NVIDIA GPU."
        ) from problem
    from hilt.engine.advice import tips

    device = find_device()
    if device.kind != "cpu":
        blas = Blas("not_needed", f"products run on {device.kind}")
    return Machine(device, blas, tips(device, blas, sys.platform, nvidia=NVIDIA_DRIVER.exists()))


def measure_machine(machine: Machine) -> "list[Throughput]":
    """How fast this machine multiplies matrices."""
    from hilt.engine.devices import measure_products

    return measure_products(machine.device)


@contextmanager
def open_backend(model: str, options: EngineOptions, machine: Machine) -> "Generator[LocalBackend]":
    """A running model, until the block is left. Raises NotFound, Unavailable or InvalidRequest if it can't be had."""
    from hilt.backends.local import LocalBackend
    from hilt.engine.loading import load
    from hilt.engine.worker import Engine
    from hilt.prompting import detect_dialect

    folder = find_model(model)
    engine = Engine(lambda: load(folder, machine.device), options)
    try:
        name = model if model == STARTER or not Path(model).expanduser().is_dir() else folder.name
        detection = detect_dialect(engine.loaded.tokenizer)
        yield LocalBackend(engine, name, machine.device.kind, detection, new_call_id)
    finally:
        engine.close()


def open_tools(workspace: Path, approver: Approver) -> Runtime:
    """The built-in tools, working in `workspace`, and the runtime that runs them."""
    options = ToolOptions(workspace=workspace.resolve(), notes_path=data_folder() / "notes.sqlite3")
    return Runtime(Registry(builtin_tools(options, clock())), approver)
