"""The command `hilt`, run as a user runs it, with its own home."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from platformdirs import user_cache_path

Hilt = Callable[..., "subprocess.CompletedProcess[str]"]
HILT = [sys.executable, "-m", "hilt"]


@pytest.fixture(scope="session")
def cache_folder() -> Path:
    """The user's own cache, so that the fast BLAS is prepared once."""
    return user_cache_path()


@pytest.fixture
def home(tmp_path: Path, cache_folder: Path) -> dict[str, str]:
    """An environment whose data are of this test alone; only the cache is shared."""
    return os.environ | {
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CACHE_HOME": str(cache_folder),
        "HF_HUB_OFFLINE": "1",
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "TERM": "xterm",
        "COLUMNS": "200",
    }


@pytest.fixture
def hilt(home: dict[str, str], tmp_path: Path) -> Hilt:
    """Runs `hilt` to its end in an empty folder, with nobody at the terminal."""

    def run(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*HILT, *arguments], env=home, cwd=tmp_path, input=stdin, capture_output=True, text=True, timeout=120
        )

    return run
