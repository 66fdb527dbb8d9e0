"""From what a user calls a model to the folder that holds it.

A model is a folder, an id on the Hugging Face hub (`organisation/name`), or `starter`, the one shipped inside. From
the hub only weights in safetensors, configuration and tokenizer files are fetched, never code.
"""

import re
from importlib.resources import files
from pathlib import Path

from huggingface_hub import snapshot_download  # pyright: ignore[reportUnknownVariableType]
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

from hilt.conversation import NotFound, Unavailable

STARTER = "starter"

_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_WANTED_FILES = ["*.safetensors", "*.json", "*.jinja", "tokenizer.model", "*.tiktoken", "*.txt"]


def names_model(text: str) -> bool:
    """Whether `text` is a model's name rather than something said to one."""
    return text == STARTER or _is_model_folder(text) or _HUB_ID.fullmatch(text) is not None


def _is_model_folder(text: str) -> bool:
    try:
        return Path(text).expanduser().is_dir()
    except (OSError, ValueError):
        return False


def find_model(name: str) -> Path:
    """The folder of the model called `name`; fetches it from the hub if it isn't on this machine yet.

    Raises NotFound if there is no such model, Unavailable if it would have to be fetched and the hub can't be reached.
    """
    if name == STARTER:
        return Path(str(files("hilt") / "starter_model"))
    if _is_model_folder(name):
        return Path(name).expanduser().resolve()
    if not _HUB_ID.fullmatch(name):
        raise NotFound(
            f"there is no model {name!r}: name a folder, a model on the hub such as mlx-community/Qwen3-4B-4bit, "
            f"or {STARTER!r}",
            param="model",
            code="model_not_found",
        )
    try:
        return Path(snapshot_download(name, allow_patterns=_WANTED_FILES, local_files_only=True))
    except LocalEntryNotFoundError:
        return _fetch(name)


def _fetch(name: str) -> Path:
    try:
        return Path(snapshot_download(name, allow_patterns=_WANTED_FILES))
    except (RepositoryNotFoundError, HFValidationError) as problem:
        raise NotFound(
            f"the hub has no model {name!r}, or it is private and you are not logged in",
            param="model",
            code="model_not_found",
        ) from problem
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as problem:
        raise Unavailable(
            f"{name} is not on this machine and can't be fetched from the hub now: {problem}", param="model"
        ) from problem
