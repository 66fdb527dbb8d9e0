"""Models made ready to run, on what this machine has."""

import os
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from platformdirs import user_cache_path

from hilt.assembly.places import new_call_id
from hilt.backends.routing import Refusal, route, taught_dialect
from hilt.conversation import InvalidRequest, Unavailable
from hilt.dialects import dialect_named
from hilt.engine.blas import Blas
from hilt.engine.blas import load as load_blas
from hilt.engine.configuration import Configuration, read_configuration
from hilt.prompting import Manner, TemplateTokenizer, find_manner, template_source
from hilt.settings import EngineOptions, RoutingOptions
from hilt.store import STARTER, Weights, find_model, weigh

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
    model: str,
    options: EngineOptions,
    machine: Machine,
    dialect: str | None = None,
    routing: RoutingOptions = RoutingOptions(),
) -> "Generator[LocalBackend]":
    """A running model, until the block is left; a `dialect` that is named takes the place of the one found, and of what
    the `routing` says.

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
        loaded = engine.loaded
        manner = find_manner(loaded.tokenizer, loaded.architecture, named)
        if named is None:
            manner = _routed(_name(model, folder), manner, loaded.tokenizer, loaded.architecture, routing)
        with closing(Constraining(engine.loaded, manner.dialect, options.grammar_cache_bytes)) as constraining:
            yield LocalBackend(engine, constraining, _name(model, folder), machine.device.kind, manner, new_call_id)
    finally:
        engine.close()


def _routed(
    name: str, manner: Manner, tokenizer: TemplateTokenizer, architecture: str, routing: RoutingOptions
) -> Manner:
    """The manner in which the routing wants the model to be spoken to. Raises InvalidRequest if it can't be."""
    native = manner.source != "nothing"
    match route(name, native, routing):
        case "native":
            return manner
        case "text":
            taught = taught_dialect(routing)
            return manner if manner.dialect == taught else find_manner(tokenizer, architecture, taught)
        case Refusal(reason):
            raise InvalidRequest(reason)


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
