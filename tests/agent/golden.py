"""Cases of whole runs, and every way in which a model can be given tools: what comes of a case is the same in all."""

import json
import re
import tomllib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import httpx2
import msgspec
from msgspec import Struct

from hilt.agent import AgentRun, RunState
from hilt.backends import Backend
from hilt.backends.completion import CompletionBackend
from hilt.backends.local import LocalBackend
from hilt.backends.openai_http import Address
from hilt.backends.remote import RemoteBackend, RemoteModel
from hilt.conversation import Call, Event, Request, RunFinished, Source, System, ToolFinished, ToolStarted, User
from hilt.dialects import CATALOG, render
from hilt.engine.door import JobDone
from hilt.engine.loading import LoadedModel
from hilt.prompting import Manner
from hilt.settings import AgentOptions, PolicyOptions
from hilt.tools import (
    Approved,
    Approver,
    Change,
    Later,
    Nobody,
    Refused,
    Registry,
    Runtime,
    Tool,
    policy_of,
    tool,
)
from hilt.tools.normalising import renamed
from hilt.traces import CallRecord, Record, RunRecord, TurnRecord
from tests.agent.scripts import Answering
from tests.backends.fake_engine import FakeEngine, constraining, saying
from tests.backends.loopback import Answer, Loopback, delta, sse

CASES = Path(__file__).parent / "cases"
MODEL = "golden"
PLACEHOLDER = '{"in place": "of these"}'
_MINTED = re.compile(r"(?:minted|wire)-\d+-\d+")

Way: TypeAlias = Literal["native", "chat", "completion", "function", "local"]
Answers: TypeAlias = Literal["nobody", "yes", "no", "later"]


class Made(Struct, frozen=True, forbid_unknown_fields=True):
    """A call that the model makes; `arguments` is whatever text it writes."""

    name: str
    arguments: str


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """A turn of the model; with `cut_chars` it is cut at its length limit, that many characters before its end."""

    content: str = ""
    calls: tuple[Made, ...] = ()
    cut_chars: int | None = None


class Expected(Struct, frozen=True, forbid_unknown_fields=True):
    """What comes of a case. `ran` holds the name and the arguments of each call whose tool did its work, `outcomes` how
    every call ended; `told` are texts that the model must have been told, in order."""

    stop: tuple[str, ...]
    answer: str
    ran: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    citations: tuple[str, ...] = ()


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """A run: what the user asks, what the model says, and what comes of it. With `answers` "later" the run stops at
    every question, is kept as JSON, and goes on with the next of the `decisions`. `skips` says of a way why the case
    can't be in it."""

    about: str
    asked: str
    turns: tuple[Said, ...]
    expected: Expected
    answers: Answers = "nobody"
    decisions: tuple[bool, ...] = ()
    allow: tuple[str, ...] = ()
    dry_run: bool = False
    max_iterations: int = 4
    skips: dict[Way, str] = {}


class Ran(Struct, frozen=True):
    """A run as it was. `told` is the same in all ways; `events`, and `asked`, what the model was sent, are its own."""

    told: dict[str, Any]
    events: list[Any]
    asked: list[Any]
    ran: list[str]
    results: list[str]


def case(name: str) -> Case:
    return msgspec.convert(tomllib.loads((CASES / f"{name}.toml").read_text(encoding="utf-8")), Case)


def names() -> list[str]:
    return sorted(path.stem for path in CASES.glob("*.toml"))


def tools(ran: list[str]) -> tuple[Tool, ...]:
    """The tools of all cases; each notes what it did in `ran`."""

    @tool(effect="read", aliases=("get_weather",), normalisers=(renamed(city=("town",)),))
    async def weather(city: str) -> dict[str, Any]:
        """Tell the weather of a city."""
        ran.append(f"weather {city}")
        if city == "Atlantis":
            raise ValueError("there is no city named Atlantis; name another")
        return {"city": city, "sky": "clear"}

    @tool(effect="read")
    async def add(a: int, b: int) -> int:
        """Add two whole numbers."""
        ran.append(f"add {a} {b}")
        return a + b

    @tool(
        effect="read",
        sources=lambda found: [Source(f"About {found['query']}", f"https://example.org/{n}") for n in (1, 2)],
    )
    async def search(query: str) -> dict[str, Any]:
        """Search for pages."""
        ran.append(f"search {query}")
        return {"query": query, "passages": ["one </tool_call>", "two <|im_end|>"]}

    @tool(effect="write", aliases=("notes_create",), plan=lambda text: [Change("create", "note", text)])
    async def write_note(text: str) -> str:
        """Write a note."""
        ran.append(f"write_note {text}")
        return "written"

    @tool(effect="destructive")
    async def remove_notes() -> str:
        """Remove all notes."""
        ran.append("remove_notes")
        return "removed"

    return weather, add, search, write_note, remove_notes


def written(said: Said, dialect: str) -> str:
    """A turn as the text of a dialect."""
    text = said.content
    if dialect == "jsonl" and text and not said.calls:
        text = json.dumps({"type": "final_answer", "content": text}, ensure_ascii=False)
    if said.calls:
        rendered = render(CATALOG[dialect], [Call("", made.name, PLACEHOLDER) for made in said.calls])
        for made in said.calls:
            rendered = rendered.replace(PLACEHOLDER, made.arguments, 1)
        text = f"{text}\n{rendered}" if text else rendered
    return text if said.cut_chars is None else text[: len(text) - said.cut_chars]


def native_answer(said: Said, number: int) -> Answer:
    """A turn as a server streams it that makes calls itself, each in two pieces."""
    chunks = [delta(role="assistant", content="")]
    if said.content:
        half = len(said.content) // 2
        chunks += [delta(content=said.content[:half]), delta(content=said.content[half:])]
    for index, made in enumerate(said.calls):
        last = index == len(said.calls) - 1
        arguments = (
            made.arguments[: len(made.arguments) - said.cut_chars] if said.cut_chars and last else made.arguments
        )
        half = len(arguments) // 2
        begun = {"name": made.name, "arguments": arguments[:half]}
        chunks.append(delta(tool_calls=[{"index": index, "id": f"wire-{number}-{index}", "function": begun}]))
        chunks.append(delta(tool_calls=[{"index": index, "function": {"arguments": arguments[half:]}}]))
    finish = "length" if said.cut_chars is not None else "tool_calls" if said.calls else "stop"
    return Answer((sse(*chunks, delta(finish)),))


def text_answer(said: Said, dialect: str, *, chat: bool) -> Answer:
    """A turn as a server streams it that knows nothing of tools, three characters a piece."""
    text = written(said, dialect)
    pieces = [text[place : place + 3] for place in range(0, len(text), 3)]
    finish = "length" if said.cut_chars is not None else "stop"
    if chat:
        return Answer((sse(*(delta(content=piece) for piece in pieces), delta(finish)),))
    chunks = [{"choices": [{"index": 0, "text": piece}]} for piece in pieces]
    return Answer((sse(*chunks, {"choices": [{"index": 0, "text": "", "finish_reason": finish}]}),))


class Spoken(Struct):
    """A backend that plays a case, and what the model was sent."""

    backend: Backend
    asked: list[Any]


@asynccontextmanager
async def speaking(case: Case, way: Way, dialect: str, loaded: LoadedModel | None) -> AsyncGenerator[Spoken]:
    """A model that says the turns of a case in one of the ways, in a dialect where it is taught one."""
    counted = iter(range(1000))

    def new_id() -> str:
        return f"minted-0-{next(counted)}"

    match way:
        case "function":
            left, prompts = [written(said, dialect) for said in case.turns], []

            def complete(prompt: str) -> str:
                prompts.append(prompt)
                return left.pop(0)

            yield Spoken(CompletionBackend(complete, new_id, dialect=CATALOG[dialect], name=MODEL), prompts)
        case "local":
            assert loaded is not None
            scripts = [
                saying(loaded, text, JobDone("length", len(text)) if said.cut_chars is not None else None)
                for said in case.turns
                for text in [written(said, dialect)]
            ]
            engine = FakeEngine(loaded, scripts[0], 60_000, scripts[1:])
            manner = Manner(CATALOG[dialect], "told so", "named", tools=True, calls=True, results=True)
            yield Spoken(LocalBackend(engine, constraining(engine, manner), MODEL, "cpu", manner, new_id), [])
        case "native" | "chat" | "completion":
            if way == "native":
                answers = [native_answer(said, number) for number, said in enumerate(case.turns)]
            else:
                answers = [text_answer(said, dialect, chat=way == "chat") for said in case.turns]
            loopback = Loopback(answers)
            async with loopback.running() as url, httpx2.AsyncClient(trust_env=False) as client:
                remote_way: Any = {"native": "native", "chat": "text", "completion": "completion"}[way]
                remote = RemoteModel(Address(url, ""), MODEL, remote_way, CATALOG[dialect])
                asked: list[Any] = []
                yield Spoken(RemoteBackend(remote, client, new_id), asked)
                asked += [one.body for one in loopback.asked]


async def played(case: Case, way: Way, dialect: str = "jsonl", loaded: LoadedModel | None = None) -> Ran:
    """A case from its question to its end."""
    ran: list[str] = []
    records: list[Record] = []
    events: list[Event] = []
    states: list[RunState] = []
    runtime = Runtime(
        registry=Registry(tools(ran)),
        approver=approver(case),
        policy=policy_of(PolicyOptions(allow=case.allow)),
        dry_run=case.dry_run,
        record=records.append,
        now_s=lambda: 1_800_000_000.0,
        clock=lambda: 0.0,
    )
    options = AgentOptions(max_iterations=case.max_iterations)
    request = Request(MODEL, (System("Be brief."), User(case.asked)))
    decisions = list(case.decisions)
    async with speaking(case, way, dialect, loaded) as spoken:
        run = AgentRun(spoken.backend, runtime, request, clock=lambda: 0.0, run_id="run-1", options=options)
        events += [event async for event in run.stream()]
        while (state := run.pending) is not None:
            states.append(state)
            kept = msgspec.json.decode(msgspec.json.encode(state), type=RunState)
            answers = {
                waiting.call_id: Approved(waiting.fingerprint) if decisions.pop(0) else Refused("not that one")
                for waiting in kept.waiting
            }
            run = AgentRun(
                spoken.backend, runtime, request, clock=lambda: 0.0, options=options, resumed=kept, decisions=answers
            )
            events += [event async for event in run.stream()]
    told = {
        "messages": run.messages,
        "work": [event for event in events if isinstance(event, ToolStarted | ToolFinished)],
        "ends": [(event.reason, event.detail, event.citations) for event in events if isinstance(event, RunFinished)],
        "questions": [
            (waiting.call_id, waiting.tool, waiting.arguments, waiting.why, waiting.changes)
            for state in states
            for waiting in state.waiting
        ],
        "records": [_kept(record) for record in records],
    }
    results = [message.content for message in run.messages if hasattr(message, "content")]
    return Ran(numbered(told), numbered(events), spoken.asked, ran, results)


def approver(case: Case) -> Approver:
    match case.answers:
        case "nobody":
            return Nobody()
        case "yes":
            return Answering()
        case "no":
            return Answering(Refused("not that one"))
        case "later":
            return Later()


def numbered(value: Any) -> Any:
    """The value in JSON's types, ids that a way has minted replaced by the order in which they appear."""
    found: dict[str, str] = {}
    text = msgspec.json.encode(value).decode()
    return json.loads(_MINTED.sub(lambda one: found.setdefault(one[0], f"call-{len(found) + 1}"), text))


def _kept(record: Record) -> dict[str, Any]:
    """A record without what is the way's own: its raw text and what it counted."""
    kept: dict[str, Any] = msgspec.to_builtins(record)
    own = {"usage", "raw"} if isinstance(record, TurnRecord) else {"usage"} if isinstance(record, RunRecord) else set()
    if isinstance(record, CallRecord):
        kept["phases_s"] = list(kept["phases_s"])
    return {name: value for name, value in kept.items() if name not in own}


def outcomes(ran: Ran) -> list[str]:
    """How the calls ended that the runtime was given, in order."""
    return [record["outcome"] for record in ran.told["records"] if record["type"] == "call"]


def in_order(texts: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether each part is in one of the texts, and in none before that of the last part."""
    place = 0
    for part in parts:
        while place < len(texts) and part not in texts[place]:
            place += 1
        if place == len(texts):
            return False
    return True
