"""S7: secrets that are planted wherever secrets lie come out nowhere.

Looked through is all that a run leaves or shows: what the model is told, its events, its traces, their exports, what a
server answers, what the command prints and every file below the home. Left out are the places where the secret was
planted, and what the user or the model wrote by themselves: a question as it was typed, and on the screen and in an
approval the arguments of a call, which must be shown exactly as they will run. In traces these are searched as well.
"""

import base64
import itertools
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from msgspec.structs import replace

from hilt.agent import ServerTools
from hilt.backends import ScriptedBackend
from hilt.conversation import ArgumentsDelta, Call, CallFinished, CallStarted, HiltError, ToolStarted, Unavailable
from hilt.server import create_app
from hilt.settings import AgentOptions, PolicyOptions, ServerOptions, Settings
from hilt.tools import Approver, Change, Desk, Later, Nobody, Tool, tool
from hilt.traces import Trace, iterate_runs, json_lines, otlp
from tests.agent.scripts import calls, read, says
from tests.promises.worlds import Deciding, World, agent, hilt
from tests.server.fakes import running

# What this process is given, and so knows as secrets whatever they look like.
KNOWN = {
    "environment": "canary environment 7Hq2x/Z",
    "brave": "canary-brave-91kLmQ",
    "embeddings": "canary-embeddings-3Fd9",
    "server": "canary-server-5Tg2+s",
}
# What it finds in texts, and can know only by the words around it or by its shape.
FOUND = {
    "file": "canaryfileZx81kd",
    "note": "canarynoteKw72ph",
    "page": "canarypagePq53uv",
    "fault": "canaryfaultLm64ty",
    "said": "canarysaidNb95gr",
    "shape": "ghp_canaryshape0123456789abcdefghijABCD",
}


def spellings(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    yield from (raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"=")[:-1], quote(secret, safe="").encode())
    yield json.dumps(secret)[1:-1].encode()


def leaks(content: bytes | str) -> list[str]:
    """The secrets that stand in it, in whatever spelling."""
    within = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    secrets = {**KNOWN, **FOUND}
    return [name for name, secret in secrets.items() if any(spelled in within for spelled in spellings(secret))]


def test_the_search_finds_what_it_looks_for() -> None:
    for name, secret in {**KNOWN, **FOUND}.items():
        assert leaks(f"x{secret}y") == [name]
        assert leaks(b"x" + base64.b64encode(secret.encode())) == [name]


@pytest.fixture
def planted(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("MY_SERVICE_TOKEN", KNOWN["environment"])
    known = "\n".join(f"{number}: {secret}" for number, secret in enumerate(KNOWN.values()))
    workspace = world.settings.tools.workspace
    (workspace / "settings.ini").write_text(f"DB_PASSWORD = {FOUND['file']}\n{FOUND['shape']}\n{known}\n")
    encoded = "\n".join(base64.b64encode(secret.encode()).decode() for secret in KNOWN.values())
    (workspace / "encoded.txt").write_text(f"{encoded}\n{KNOWN['environment'].encode().hex()}\n")
    (workspace / f"token={KNOWN['brave']}.txt").write_text("")
    (world.settings.tools.notes / "0009-door.md").write_text(f"password: {FOUND['note']}\n\n{known}")
    world.site.answer = lambda target: (  # type: ignore[method-assign]
        200, "text/html", f"<title>{KNOWN['brave']}</title><p>api_key={FOUND['page']} and {known}</p>"
    )  # fmt: skip
    world.more = (*world.more, *failing())
    return world


def options(world: World, **policy: Any) -> Settings:
    settings = world.settings
    return replace(
        settings,
        policy=PolicyOptions(**{"allow": ("effect:read", "post_letter"), **policy}),
        web=replace(settings.web, brave_api_key=KNOWN["brave"]),
        knowledge=replace(settings.knowledge, embeddings_api_key=KNOWN["embeddings"]),
        server=replace(settings.server, api_key=KNOWN["server"]),
        traces=replace(settings.traces, full=True),
    )


def failing() -> tuple[Tool, ...]:
    """Tools whose faults, plans and results tell too much."""
    told = f"login failed: password={FOUND['fault']} for {KNOWN['environment']}"

    def planning() -> list[Change]:
        return [Change("edit", told, told)]

    def broken() -> list[Change]:
        raise RuntimeError(told)

    def refusing(given: Any) -> Any:
        raise ValueError(told)

    @tool(effect="read")
    def fail() -> str:
        """Fail."""
        raise RuntimeError(told)

    @tool(effect="read")
    def refuse() -> str:
        """Refuse."""
        raise ValueError(told)

    @tool(effect="read")
    def miss() -> str:
        """Miss."""
        raise OSError(5, told)

    @tool(effect="read", normalisers=[refusing])
    def misread() -> str:
        """Misread."""
        return ""

    @tool(effect="write", plan=planning)
    def plan_much() -> str:
        """Plan."""
        return told

    @tool(effect="write", plan=broken)
    def plan_badly() -> dict[str, str]:
        """Plan badly."""
        return {told: told, "password": FOUND["fault"]}

    return fail, refuse, miss, misread, plan_much, plan_badly


def attempts(world: World) -> list[list[Call]]:
    paths = ["settings.ini", "encoded.txt", f"token={KNOWN['brave']}.txt"]
    reading = [Call(f"r{number}", "read_file", json.dumps({"path": path})) for number, path in enumerate(paths)]
    others = [("list_files", {}), ("search_files", {"query": "a"}), ("read_note", {"id": 9}),
              ("search_notes", {"query": ""}),
              ("web_fetch", {"url": f"{world.site.url}/page"}), ("search_knowledge", {"query": KNOWN["brave"]}),
              ("edit_file", {"path": "settings.ini", "old_text": "DB_", "new_text": "X_"}),
              ("read_file", {"path": "nowhere"}), ("web_fetch", {"url": "http://127.0.0.1:9/"})]  # fmt: skip
    more = [Call(f"o{number}", name, json.dumps(arguments)) for number, (name, arguments) in enumerate(others)]
    spoken = {"to": FOUND["shape"], "text": f"password={FOUND['said']} {KNOWN['environment']}"}
    said = Call("said", "post_letter", json.dumps(spoken))
    hidden = "".join(f"\\u{ord(letter):04x}" for letter in KNOWN["environment"])
    spelled = Call("spelled", "post_letter", f'{{"to": "x", "text": "{hidden}"}}')
    faults = [Call(f"f{number}", made.name, "{}") for number, made in enumerate(failing())]
    strange = [
        Call("s", f"tool_{KNOWN['server']}", "{}"),
        Call("t", "read_file", "{"),
        Call("u", "calculate", '{"x": 1}'),
    ]
    return [reading, more, [said, spelled], faults, strange]


def run_through(world: World, settings: Settings, approver: Approver) -> list[str]:
    """Let the model try everything, and fail in the end; the events and messages without the model's own words."""
    shown: list[str] = []
    with world.tools(approver, settings) as make:
        runtime = make()
        words = f"I see {KNOWN['brave']} and password={FOUND['said']}."
        script = [*[calls(*turn, said=words) for turn in attempts(world)], [Unavailable("the model is gone")]]
        run = agent(ScriptedBackend(script), runtime, max_iterations=100).begin(f"My key is {KNOWN['embeddings']}.")
        for event in read(run):
            match event:
                case CallStarted() | CallFinished() | ArgumentsDelta():
                    pass
                case ToolStarted(call):
                    shown.append(call.id)
                case _ if "I see" in str(event):
                    pass
                case _:
                    told = msgspec.to_builtins(event)
                    told.pop("call", None)
                    shown.append(json.dumps(told, ensure_ascii=False))
    shown += [message.content for message in run.messages if not message.content.startswith(("I see", "My key"))]
    return shown


@pytest.mark.parametrize("settled", ["read only", "approved", "deferred", "dry run"])
def test_no_secret_is_shown_or_kept(settled: str, planted: World) -> None:
    somebody = Deciding(everything=True)
    approver = {"read only": Nobody(), "approved": somebody, "deferred": Later(), "dry run": somebody}[settled]
    settings = options(planted, dry_run=settled == "dry run")
    shown = run_through(planted, settings, approver)
    assert len(shown) > 20
    assert sum("[redacted:" in text for text in shown) > 10
    for text in shown:
        assert leaks(text) == [], text
    for asked in somebody.asked:
        assert leaks(str(asked.changes)) == [], asked.changes
    _check_traces(settings.traces.path)


def _check_traces(path: Path) -> None:
    kept = [found for found in path.parent.glob(f"{path.name}*") if found.is_file()]
    assert sum(len(found.read_bytes()) for found in kept) > 10_000
    for found in kept:
        assert leaks(found.read_bytes()) == []
    traces = list(iterate_runs(path))
    assert traces
    for line in exported(traces):
        assert leaks(line) == []


def exported(traces: list[Trace]) -> Iterator[bytes]:
    for trace in traces:
        yield from json_lines(trace)
        yield otlp(trace, "1")


def test_a_server_tells_none(planted: World) -> None:
    """Neither in its answers, whole and streamed, nor in what it asks, nor in its errors."""
    settings = options(planted, ask=("plan_much", "plan_badly"))
    desk = Desk(0.2)
    numbers = itertools.count()
    bodies: list[bytes] = []
    names = tuple(each.name for each in failing())
    with planted.tools(desk, settings) as make:
        for script in (
            [calls(*attempts(planted)[3]), says("I can't.")],
            [calls(*attempts(planted)[4]), [Unavailable("gone")]],
            [[HiltError("odd")]],
        ):
            app = create_app(
                {"scripted": ScriptedBackend([*script, *script])},
                ServerOptions(api_key=KNOWN["server"]),
                version="0",
                new_id=lambda: f"n{next(numbers)}",
                now_s=lambda: 0.0,
                server_tools=ServerTools(
                    names, make, options=AgentOptions(), clock=lambda: 0.0, new_id=lambda: f"r{next(numbers)}"
                ),
                desk=desk,
            )
            with running(app) as url:
                for stream in (False, True):
                    asked = {"model": "scripted", "messages": [{"role": "user", "content": "q"}], "stream": stream}
                    bodies.append(sent(url, "/v1/chat/completions", asked | {"server_tools": list(names)}))
                bodies.append(sent(url, "/v1/chat/completions", {"model": "nope"}))
                bodies.append(sent(url, "/v1/chat/completions", {"model": "scripted"}, key="wrong"))
                bodies += [sent(url, path) for path in ("/health", "/v1/models", "/v1/approvals", "/nowhere")]
    assert len(bodies) == 24
    for body in bodies:
        assert leaks(body) == [], body
    _check_bytes(settings.traces.path)


def _check_bytes(path: Path) -> None:
    for found in path.parent.glob(f"{path.name}*"):
        assert leaks(found.read_bytes()) == []


def sent(url: str, path: str, body: Any = None, key: str = KNOWN["server"]) -> bytes:
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"{url}{path}", None if body is None else json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.read()


def test_the_command_prints_and_keeps_none(home: Path) -> None:
    """A file is read, by the user's wish, with the starter model; then its trace is shown and exported."""
    (home / "settings.txt").write_text(f"password: {FOUND['file']}\ntoken {KNOWN['environment']}\n")
    (home / "config/hilt").mkdir(parents=True)
    (home / "config/hilt/hilt.toml").write_text(
        f'[web]\nbrave_api_key = "{KNOWN["brave"]}"\n[server]\napi_key = "{KNOWN["server"]}"\n[traces]\nfull = true\n'
    )
    (home / "tmp").mkdir()
    planted = {"MY_SERVICE_TOKEN": KNOWN["environment"], "TMPDIR": str(home / "tmp")}
    printed = [
        hilt(home, *command, **planted)
        for command in (
            ("run", "--json", "Read the file settings.txt"),
            ("run", f"What is 12 * 12? My token is {KNOWN['environment']}"),
            ("run", "--deny", f"x({KNOWN['brave']}", "hi"),
            ("trace", "show", "last", "--json"),
            ("trace", "list"),
            ("trace", "export", "--format", "otlp"),
            ("trace", "export", "--out", "out.jsonl"),
        )
    ]
    assert "redacted:" in printed[0].stdout
    for done in (printed[0], *printed[3:]):
        assert leaks(done.stdout + done.stderr) == [], done
    given = {home / "settings.txt", home / "config/hilt/hilt.toml"}
    kept = [path for path in home.rglob("*") if path.is_file() and path not in given]
    assert any(path.name == "traces.sqlite3" for path in kept)
    for path in kept:
        assert leaks(path.read_bytes()) == [], path
