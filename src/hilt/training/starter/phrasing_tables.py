"""Tables of phrasings, read from phrasings/*.toml, so that more can be said without touching code."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, cast


@cache
def _table(domain: str) -> dict[str, Any]:
    with Path(__file__).with_name("phrasings").joinpath(f"{domain}.toml").open("rb") as file:
        return tomllib.load(file)


def texts(domain: str, name: str) -> tuple[str, ...]:
    """A list of texts. KeyError if the domain has none of this name."""
    return tuple(_table(domain)[name])


def rows(domain: str, name: str) -> tuple[tuple[str, ...], ...]:
    """A list of rows of texts."""
    return tuple(tuple(row) for row in _table(domain)[name])


@cache
def named(domain: str, *path: str) -> dict[str, tuple[str, ...]]:
    """Lists of texts by their names; `path` leads to the table."""
    table: Any = _table(domain)
    for name in path:
        table = table[name]
    return {key: tuple(items) for key, items in cast("dict[str, list[str]]", table).items()}
