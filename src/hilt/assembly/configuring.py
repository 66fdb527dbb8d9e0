"""The settings of this user, in this folder, in this environment."""

import os
import re
from pathlib import Path

from msgspec.structs import replace

from hilt.assembly.places import config_file, data_folder
from hilt.conversation import Unavailable
from hilt.settings import Settings, default_settings, settings_from
from hilt.tools import Redaction

PROJECT_FILE = "hilt.toml"

_SECRET_NAME = re.compile(r"(?i)key|token|secret|passw|credential|auth")
_LEAST_SECRET_CHARS = 8


def load_settings(workspace: Path = Path()) -> Settings:
    """The settings for work in a folder. Raises InvalidRequest or Unavailable if a file can't be read."""
    folder = workspace.resolve()
    defaults = default_settings(data_folder(), folder)
    settings = settings_from(
        defaults, user=_read(config_file()), project=_read(folder / PROJECT_FILE), environment=os.environ
    )
    if settings.tools.workspace != folder:
        absolute = settings.tools.workspace.expanduser().resolve()
        settings = replace(settings, tools=replace(settings.tools, workspace=absolute))
    return settings


def known_secrets(settings: Settings) -> tuple[str, ...]:
    """The secrets that this process was given: they must not reach a model, a trace or a screen."""
    keys = (settings.web.brave_api_key, settings.knowledge.embeddings_api_key, settings.server.api_key or "")
    named = (value for name, value in os.environ.items() if _SECRET_NAME.search(name))
    return tuple(sorted({secret for secret in (*keys, *named) if len(secret) >= _LEAST_SECRET_CHARS}))


def redaction_of(settings: Settings, *, private: bool = False) -> Redaction:
    """What is taken out of results, and with `private` of what is kept."""
    paths = settings.traces.paths if private else settings.tools.redact_paths
    return Redaction(personal=private, paths=paths, known=known_secrets(settings))


def _read(path: Path) -> tuple[str, str] | None:
    try:
        return str(path), path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as fault:
        raise Unavailable(f"{path} can't be read: {fault}") from fault
