"""A model of the Hugging Face hub: from its local cache if it is there, else over the network.

The hub's library takes half a second to import, so only what names a model of the hub imports this module.
"""

from pathlib import Path

from huggingface_hub import snapshot_download  # pyright: ignore[reportUnknownVariableType]
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

from hilt.conversation import NotFound, Unavailable

_WANTED_FILES = ["*.safetensors", "*.json", "*.jinja", "tokenizer.model", "*.tiktoken", "*.txt"]


def hub_folder(name: str) -> Path:
    """The folder of the model with this id; fetched if it isn't on this machine yet.

    Raises NotFound if the hub has no such model, Unavailable if the hub can't be reached.
    """
    try:
        return Path(snapshot_download(name, allow_patterns=_WANTED_FILES, local_files_only=True))
    except HFValidationError as problem:
        raise NotFound(
            f"there is no model {name!r}: the hub can't have one of this name", param="model", code="model_not_found"
        ) from problem
    except LocalEntryNotFoundError:
        return _fetch(name)


def _fetch(name: str) -> Path:
    try:
        return Path(snapshot_download(name, allow_patterns=_WANTED_FILES))
    except RepositoryNotFoundError as problem:
        raise NotFound(
            f"the hub has no model {name!r}, or it is private and you are not logged in",
            param="model",
            code="model_not_found",
        ) from problem
    except Exception as problem:  # the hub's library lets out whatever its network library raises
        reason = next(iter(str(problem).strip().splitlines()), type(problem).__name__)
        raise Unavailable(
            f"{name} is not on this machine and can't be fetched from the hub now: {reason}", param="model"
        ) from problem
