"""A tool that takes a value of every kind, under names that could be taken for others, in a process of its own."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel

from hilt.tools import tool


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    y: int = 2


class Person(BaseModel):
    name: str
    born: date | None = None


class Pair(NamedTuple):
    left: int
    right: str


def described(**values: Any) -> dict[str, str]:
    """Every value as its type and its text; a set in its order."""
    shown = {name: sorted(value) if isinstance(value, set) else value for name, value in values.items()}
    return {name: f"{type(values[name]).__name__} {value}" for name, value in shown.items()}


def kinds(
    self: int,
    cls: str,
    name: set[str],
    arguments: list[int] | None,
    _hidden: dict[str, int],
    __base__: Colour,
    model_config: Point,
    func: Person,
    timeout_s: tuple[int, ...],
    tool: Path,
    function: Decimal,
    when: date,
    span: timedelta,
    which: Literal["a", "b"],
    either: int | str,
    pair: Pair,
    id: UUID,
    raw: bytes,
    anything: Any,
    listed: list[int] = [1],  # noqa: B006 - what stands here is what is tested
    none: int | None = None,
    given: int | None = 3,
) -> dict[str, str]:
    """Tell what came."""
    listed.append(0)
    return described(**locals())


kinds_in_thread = tool(effect="write")(kinds)
kinds = tool(effect="write", isolation="process")(kinds)

WRITTEN: dict[str, Any] = {
    "self": 1,
    "cls": "é",
    "name": ["b", "a", "c"],
    "arguments": [1, 2],
    "_hidden": {"k": 1},
    "__base__": "blue",
    "model_config": {"x": 1},
    "func": {"name": "Ada", "born": "1815-12-10"},
    "timeout_s": [1, 2],
    "tool": "a/b",
    "function": "1.50",
    "when": "2026-11-21",
    "span": "PT90S",
    "which": "b",
    "either": "5",
    "pair": [1, "r"],
    "id": "12345678-1234-5678-1234-567812345678",
    "raw": "aé",
    "anything": {"deep": [None, True]},
    "none": None,
}
