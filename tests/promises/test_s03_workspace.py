"""S3: no file tool reads, finds, makes, changes or deletes anything outside of the workspace."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hilt.conversation import Call, ToolResult
from hilt.tools import Registry, Runtime, builtin_tools
from tests.promises.worlds import NOW, Deciding, World, agent, obeying

SECRET = "the secret outside"
WAYS_OUT = [
    "../outside/{}",
    "deep/../../outside/{}",
    "./.././outside/{}",
    "{outside}/{}",
    "/../{outside}/{}",
    "way_out/{}",
    "way_out/../outside/{}",
    "deep/../way_out/{}",
    "WAY_OUT/../../outside/{}",
    "chain/{}",
    "hard.txt",
    "../workspace/../outside/{}",
    "..\\outside\\{}",
    "%2e%2e/outside/{}",
    "．．/outside/{}",
    "..\u200b/outside/{}",
    "../outside/{}\0.txt",
    "way_out\0/{}",
    "~/../outside/{}",
    "$HOME/{}",
    "file://{outside}/{}",
    "/proc/self/cwd/{}",
    "/proc/self/root{outside}/{}",
    "/dev/fd/0",
    " ../outside/{}",
    "../outside/{} ",
    "deep//../../outside//{}",
    "way_out/./{}",
    "x/" * 3000 + "../outside/{}",
]
CALLS = [
    ("list_files", "", {}),
    ("read_file", "secret.txt", {}),
    ("read_file_part", "secret.txt", {"first_line": 1}),
    ("search_files", "", {"query": "secret"}),
    ("search_files", "secret.txt", {"query": "secret"}),
    ("create_file", "new.txt", {"text": "x"}),
    ("create_file", "secret.txt", {"text": "x"}),
    ("create_file", "new/deep.txt", {"text": "x"}),
    ("edit_file", "secret.txt", {"old_text": "secret", "new_text": "x"}),
    ("delete_file", "secret.txt", {}),
]


@pytest.fixture
def walled(world: World) -> World:
    workspace = world.settings.tools.workspace
    (workspace / "chain").symlink_to("deep/chain")
    (workspace / "deep" / "chain").symlink_to("../way_out")
    os.link(world.folder / "outside" / "secret.txt", workspace / "hard.txt")
    return world


def outside(world: World) -> dict[str, tuple[int, bytes]]:
    """All files around the workspace that a way out could lead to."""
    return {
        str(path): (path.lstat().st_mode, path.read_bytes())
        for folder in (world.folder / "outside", world.folder)
        for path in folder.glob("*")
        if path.is_file()
    }


def test_every_file_tool_is_tried(world: World) -> None:
    with world.tools(Deciding()) as make:
        taking = {each.name for each in make().registry.tools if "path" in each.spec.parameters["properties"]}
    assert taking == {name for name, _, _ in CALLS}


@pytest.mark.parametrize("way", WAYS_OUT, ids=lambda way: way[:40])
def test_no_way_leads_out(way: str, walled: World) -> None:
    before = outside(walled)
    around = str(walled.folder / "outside")
    turn = [
        Call(f"c{number}", name, json.dumps(more | {"path": way.replace("{outside}", around).replace("{}", target)}))
        for number, (name, target, more) in enumerate(CALLS)
    ]
    with walled.tools(Deciding(everything=True)) as make:
        result = agent(obeying(turn), make()).run_sync("q")
    assert outside(walled) == before
    told = [message for message in result.messages if isinstance(message, ToolResult)]
    assert len(told) == len(CALLS)
    for message in told:
        assert SECRET not in message.content, message


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Runtime]:
    from hilt.settings import ToolOptions

    folder = tmp_path_factory.mktemp("walled")
    for name in ("workspace", "outside", "notes"):
        (folder / name).mkdir()
    (folder / "outside" / "secret.txt").write_text(SECRET)
    (folder / "workspace" / "out").symlink_to("../outside")
    (folder / "workspace" / "here").symlink_to(".")
    tools = builtin_tools(ToolOptions(workspace=folder / "workspace", notes=folder / "notes"), lambda: NOW)
    return folder, Runtime(registry=Registry(tools), approver=Deciding(everything=True))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.sampled_from(
            ["..", ".", "", "out", "here", "OUT", "outside", "secret.txt", "workspace", "new", "\0", "~", "…"]
        ),
        min_size=1,
        max_size=7,
    )
)
def test_no_mixture_of_parts_leads_out(parts: list[str], made: tuple[Path, Runtime]) -> None:
    folder, runtime = made
    path = "/".join(parts)
    turn = [Call(f"c{n}", name, json.dumps(more | {"path": path})) for n, (name, _, more) in enumerate(CALLS)]
    result = agent(obeying(turn), runtime).run_sync("q")
    assert not any(SECRET in message.content for message in result.messages)
    assert {str(each.relative_to(folder)) for each in (folder / "outside").rglob("*")} == {"outside/secret.txt"}
    assert (folder / "outside" / "secret.txt").read_text() == SECRET
    assert {each.name for each in folder.iterdir()} == {"workspace", "outside", "notes"}
