"""From what a user calls a model to the folder that holds it.

A model is a folder, an id on the Hugging Face hub (`organisation/name`), or `starter`, the one shipped inside. From
the hub only weights in safetensors, configuration and tokenizer files are fetched, never code.
"""

import re
from importlib.resources import files
from pathlib import Path

from hilt.conversation import NotFound

STARTER = "starter"

_HUB_ID = re.compile(r"(?!.*(?:--|\.\.))(?!.{97})[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_SHOWN_NAME_LENGTH = 100


def names_model(text: str) -> bool:
    """Whether `text` is a model's name rather than something said to one."""
    return text == STARTER or _is_model_folder(text) or _HUB_ID.fullmatch(text) is not None


def _is_model_folder(text: str) -> bool:
    try:
        return text != "" and Path(text).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, or the home of a user who isn't there
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
        shown = name if len(name) <= _SHOWN_NAME_LENGTH else name[:_SHOWN_NAME_LENGTH] + "..."
        raise NotFound(
            f"there is no model {shown!r}: name a folder, a model on the hub such as mlx-community/Qwen3-4B-4bit, "
            f"or {STARTER!r}",
            param="model",
            code="model_not_found",
        )
    from hilt.store.hub import hub_folder

    return hub_folder(name)
