"""Parameters of every kind: each works, in a thread and in a process, or is refused when the tool is made."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from hilt.conversation import Call, Succeeded
from hilt.tools import ApprovalRequest, Approved, Registry, Runtime, Tool, run_tool, tool
from tests.tools.parameter_kinds import WRITTEN, kinds, kinds_in_thread


class Keeping:
    attended = True

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def approve(self, request: ApprovalRequest) -> Approved:
        self.asked.append(request.arguments)
        return Approved(request.fingerprint)


def told(made: Tool) -> tuple[dict[str, str], str]:
    """What the tool says of the values that came to it, and what was asked before."""
    keeping = Keeping()
    call = Call("c", "kinds", json.dumps(WRITTEN))
    outcome = asyncio.run(run_tool(call, Runtime(registry=Registry((made,)), approver=keeping)))
    assert isinstance(outcome, Succeeded), outcome
    return json.loads(outcome.text), keeping.asked[0]


def test_every_kind_comes_as_what_it_is_and_the_same_in_a_process() -> None:
    in_thread, asked = told(kinds_in_thread)
    assert told(kinds_in_thread) == (in_thread, asked)  # a default that the tool changes is fresh each time
    assert told(kinds) == (in_thread, asked)
    assert in_thread["name"] == "set ['a', 'b', 'c']"
    assert in_thread["listed"] == "list [1, 0]"
    assert in_thread["given"] == "int 3"
    assert in_thread["model_config"] == "Point Point(x=1, y=2)"
    assert in_thread["either"] == "str 5"


def test_what_is_asked_is_the_same_in_every_process() -> None:
    """A set has another order in each, and an approval is bound to the text."""
    script = (
        "import json\nfrom hilt.tools.schema import canonical, validated\n"
        "from tests.tools.parameter_kinds import WRITTEN, kinds\n"
        "print(canonical(validated(kinds.arguments, json.loads(json.dumps(WRITTEN))))[1])"
    )
    asked = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(asked) == 1


class Kept(msgspec.Struct):
    x: int


class Unknown:
    """A value without a JSON form; shown alike in every process."""

    def __repr__(self) -> str:
        return "Unknown()"


@pytest.mark.parametrize(
    ("kind", "default", "why"),
    [
        (Unknown, ..., "take plain types"),
        (Kept, ..., "take plain types"),
        (Callable[[], int], ..., "take plain types"),
        (Iterable[int], ..., "make it a list"),
        (type[int], ..., "is a class"),
        (SecretStr, ..., "make it a str"),
        (Any, Unknown(), "the default of value has no JSON form"),
        (float, float("nan"), "the default of value has no JSON form"),
        (float, float("inf"), "the default of value has no JSON form"),
        (str, "\ud800", "the default of value has no JSON form"),
        ("Nowhere", ..., "an annotation can't be read"),
    ],
    ids=str,
)
def test_a_kind_that_cannot_work_is_refused_when_the_tool_is_made(kind: Any, default: Any, why: str) -> None:
    def take(value: Any) -> None:
        """Take."""

    take.__annotations__["value"] = kind
    if default is not ...:
        take.__defaults__ = (default,)
    with pytest.raises(TypeError, match=why):
        tool(effect="read")(take)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan")])
def test_a_time_that_is_none_is_refused(timeout_s: float) -> None:
    def take() -> None:
        """Take."""

    with pytest.raises(ValueError, match="more than 0 seconds"):
        tool(effect="read", timeout_s=timeout_s)(take)
