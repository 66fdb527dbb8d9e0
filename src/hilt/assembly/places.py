"""Where this user's things lie, what time it is here, and fresh ids."""

import secrets
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from zoneinfo import ZoneInfo

import tzlocal
from platformdirs import user_config_path, user_data_path

from hilt.tools.switch import Switch


def version() -> str:
    """The version of Hilt that is installed."""
    return installed_version("hilt")


def data_folder() -> Path:
    """Where Hilt keeps what belongs to the user: notes and the history of the prompt."""
    return user_data_path("hilt", appauthor=False)


def tool_switch() -> Switch:
    """The kill switch of all tools that this user's processes run."""
    return Switch(data_folder() / "tools.off")


def new_call_id() -> str:
    """A fresh id for a call, unique without any memory."""
    return f"call_{secrets.token_hex(12)}"


def clock() -> Callable[[], datetime]:
    """The present time in the user's own zone."""
    zone = ZoneInfo(tzlocal.get_localzone_name())
    return lambda: datetime.now(zone)


def config_file() -> Path:
    """The user's own configuration."""
    return user_config_path("hilt", appauthor=False) / "hilt.toml"
