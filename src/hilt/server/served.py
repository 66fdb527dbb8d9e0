"""Which backend a model name means."""

from collections.abc import Mapping

from msgspec import Struct

from hilt.backends import Backend
from hilt.conversation import NotFound

DEFAULT_NAME = "default"


class Served(Struct, frozen=True):
    """What a name was found to mean: the id that answers carry, and the backend that gives them."""

    model_id: str
    backend: Backend


def find_served(backends: Mapping[str, Backend], name: str) -> Served:
    """The backend called `name`: by its id, by the last part of its id where only one ends so, or "default" for the
    first. Raises NotFound, saying what is served."""
    if name in backends:
        return Served(name, backends[name])
    matching = [model_id for model_id in backends if short_name(model_id) == name]
    if len(matching) == 1:
        return Served(matching[0], backends[matching[0]])
    if name == DEFAULT_NAME and backends:
        model_id = next(iter(backends))
        return Served(model_id, backends[model_id])
    shown = name if len(name) <= 120 else f"{name[:120]}…"
    offered = ", ".join(repr(model_id) for model_id in backends) or "nothing"
    raise NotFound(f"The model {shown!r} is not served here; served: {offered}.", param="model", code="model_not_found")


def short_name(model_id: str) -> str:
    """`Qwen3-4B` of `mlx-community/Qwen3-4B` and of `/models/Qwen3-4B/`."""
    return model_id.rstrip("/").rpartition("/")[2]
