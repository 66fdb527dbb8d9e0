"""A home of its own for each test, and a world in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises.worlds import Site, World, site


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this user's things lie; nothing of the real user is read or changed."""
    for name, folder in (("HOME", ""), ("XDG_DATA_HOME", "share"), ("XDG_CONFIG_HOME", "config")):
        monkeypatch.setenv(name, str(tmp_path / "home" / folder))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def visited() -> Iterator[Site]:
    with site() as made:
        yield made


@pytest.fixture
def world(tmp_path: Path, visited: Site) -> World:
    (tmp_path / "world").mkdir()
    return World(tmp_path / "world", visited)
