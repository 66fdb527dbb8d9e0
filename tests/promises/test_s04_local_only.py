"""S4: with only local work allowed, nothing passes beyond loopback, whatever is run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from hilt.assembly.tooling import every_tool
from hilt.conversation import InvalidRequest
from hilt.settings import KnowledgeOptions, PolicyOptions
from tests.promises.guarded import REMOTE, is_beyond
from tests.promises.worlds import CACHE, World

ROOT = Path(__file__).parents[2]


def guarded(home: Path, *arguments: str, **variables: str) -> tuple[str, str]:
    """What a watched process let through, and what it printed."""
    report = home / "report"
    environment = os.environ | {
        "XDG_CACHE_HOME": str(CACHE),
        "HF_HOME": str(home / "hub"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        **variables,
    }
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-m", "tests.promises.guarded", str(report), *arguments],
        env=environment, cwd=home, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return report.read_text() if report.exists() else "", done.stdout + done.stderr


def test_the_watch_sees_what_leaves(home: Path) -> None:
    through, _ = guarded(
        home, "hilt", "run", "--remote", f"http://{REMOTE}:9/v1", "m", "hi", HILT_AGENT_TURN_TIMEOUT_S="1"
    )
    assert REMOTE in through
    assert not is_beyond("socket.connect", (None, ("127.0.0.1", 80)))


def test_every_tool_and_those_that_lie(home: Path) -> None:
    through, told = guarded(home, "tools", str(home / "world"))
    assert through == ""
    assert told.count("only local work is allowed") >= 4
    assert "reached" not in told.replace("Succeeded(text='\"reached\"'", "", 1)  # the thread's own fault stays there


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("What is 12 * 12?",), "144"),
        (("nobody/no-such-model", "hi"), "nobody/no-such-model"),
        (("--remote", f"http://{REMOTE}:9/v1", "m", "hi"), "is beyond this machine"),
        (("--remote", "http://model.example.org/v1", "m", "hi"), "is beyond this machine"),
    ],
    ids=["the starter model", "a model of the hub", "a remote model", "a remote name"],
)
@pytest.mark.parametrize("how", ["option", "variable"])
def test_the_command(arguments: tuple[str, ...], told: str, how: str, home: Path) -> None:
    given = ("run", "--local-only", *arguments) if how == "option" else ("run", *arguments)
    variables = {} if how == "option" else {"HILT_POLICY_LOCAL_ONLY": "1"}
    through, printed = guarded(home, "hilt", *given, **variables)
    assert through == ""
    assert told in printed


def test_a_model_is_not_looked_up_elsewhere_to_be_shown(home: Path) -> None:
    through, printed = guarded(home, "hilt", "show", "nobody/no-such-model", HILT_POLICY_LOCAL_ONLY="true")
    assert through == ""
    assert "can't be fetched" in printed


def test_an_embedder_elsewhere_is_refused(world: World) -> None:
    knowledge = KnowledgeOptions(world.settings.knowledge.path, "server", f"http://{REMOTE}/v1", "m")
    settings = replace(world.settings, knowledge=knowledge, policy=PolicyOptions(local_only=True))
    with pytest.raises(InvalidRequest, match="local"):
        every_tool(settings)
