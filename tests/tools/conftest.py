"""The built-in tools over an empty workspace and no notes, at a fixed time, and a short way to call them."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hilt.conversation import Call, Failed, Succeeded
from hilt.settings import ToolOptions
from hilt.tools import ApprovalRequest, Approved, Registry, Runtime, builtin_tools, run_tool

MOMENT = datetime(2026, 11, 21, 13, 3, 27, tzinfo=UTC)

Ask = Callable[..., dict[str, Any]]


class Yes:
    """Somebody who allows everything."""

    attended = True

    async def approve(self, request: ApprovalRequest) -> Approved:
        return Approved(request.fingerprint)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def runtime_over(workspace: Path, notes_path: Path) -> Runtime:
    options = ToolOptions(workspace=workspace, notes=notes_path)
    tools = builtin_tools(options, lambda: MOMENT.astimezone(ZoneInfo("Europe/Paris")))
    return Runtime(registry=Registry(tools), approver=Yes())


def asking(runtime: Runtime) -> Ask:
    """Call a tool with arguments; the JSON of its result, checked to be an error only if it failed."""

    def asked(name: str, arguments: str | None = None, **values: Any) -> dict[str, Any]:
        text = json.dumps(values) if arguments is None else arguments
        outcome = asyncio.run(run_tool(Call("c1", name, text), runtime))
        result: dict[str, Any] = json.loads(outcome.text)
        assert isinstance(outcome, Failed if set(result) == {"error"} else Succeeded)
        return result

    return asked


@pytest.fixture
def ask(workspace: Path, tmp_path: Path) -> Ask:
    return asking(runtime_over(workspace, tmp_path / "kept" / "notes"))
