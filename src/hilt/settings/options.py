"""Frozen options, one small group a room."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Positive: TypeAlias = Annotated[float, Meta(gt=0)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]
Tokens: TypeAlias = Annotated[int, Meta(ge=300)]
Port: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]


class EngineOptions(Struct, frozen=True):
    """How the engine batches, and what it keeps. `prefill_chunk` is in tokens; `max_waiting` requests may queue before
    429; `grammar_cache_bytes` bounds the compiled grammars of tools and answers."""

    max_batch: Count = 32
    prefill_chunk: Count = 512
    max_waiting: Count = 256
    prefix_cache_bytes: Annotated[int, Meta(ge=0)] = 1 << 30
    grammar_cache_bytes: Annotated[int, Meta(ge=0)] = 256 << 20


class ServerOptions(Struct, frozen=True):
    """Where the server listens and what it takes in. Port 0 takes a free one; `keep_alive_s` is the longest silence of
    a stream; with an `api_key` every request must bring it, and other machines are served only with one. `tools` are
    those that the server runs itself for requests that ask for it; somebody has `approval_patience_s` seconds to allow
    a call that asks."""

    host: str = "127.0.0.1"
    port: Port = 11435
    max_body_bytes: Count = 8 << 20
    keep_alive_s: Positive = 10.0
    api_key: str | None = None
    tools: tuple[str, ...] = ()
    approval_patience_s: Positive = 300.0


class ToolOptions(Struct, frozen=True):
    """What the built-in tools work on. `workspace` is the folder of files; `notes` the folder of Markdown notes.

    With `enabled` False there are none. `offered` names the tools that models are told of, all that can run where it is
    empty; `permissions` are those granted, "*" for all; `files` are Python files of further tools. A call may take
    `timeout_s` seconds, bring `max_argument_chars` characters, and return `max_result_chars` to the model; what is
    longer can be read on. With `redact_paths` no path of a file is left in results.
    """

    workspace: Path
    notes: Path
    enabled: bool = True
    offered: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    permissions: tuple[str, ...] = ("*",)
    timeout_s: Positive = 20.0
    max_argument_chars: Count = 100_000
    max_result_chars: Annotated[int, Meta(ge=1000)] = 16_000
    redact_paths: bool = False


class PolicyOptions(Struct, frozen=True):
    """Which calls run, ask or are refused, as rules such as "create_file", "effect:write" or
    "web_fetch(url=https://docs.*)". `dry_run` plans in place of changing; `local_only` keeps everything on this
    machine."""

    deny: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    dry_run: bool = False
    local_only: bool = False


class WebOptions(Struct, frozen=True):
    """How the web is read. `search` is the provider, "" for none; `search_url` is where a SearXNG answers.

    `private_hosts` are names that may lead to private addresses all the same. Pages over `max_bytes` are cut.
    """

    search: Literal["", "searxng", "brave", "ddgs"] = ""
    search_url: str = ""
    brave_api_key: str = ""
    private_hosts: tuple[str, ...] = ()
    timeout_s: Positive = 15.0
    max_bytes: Count = 5 << 20


class KnowledgeOptions(Struct, frozen=True):
    """The knowledge base, in the SQLite file `path`. The embedder "words" needs no model; "server" asks the
    OpenAI-compatible server at `embeddings_url` for those of `embeddings_model`."""

    path: Path
    embedder: Literal["words", "server"] = "words"
    embeddings_url: str = ""
    embeddings_model: str = ""
    embeddings_api_key: str = ""
    max_file_bytes: Count = 50 << 20


class ScheduleOptions(Struct, frozen=True):
    """The tasks to be done later, in the SQLite file `path`."""

    path: Path


class PersonalOptions(Struct, frozen=True):
    """Where the user's own events and reminders (`.ics`) and contacts (`.vcf`) lie: each one file, or a folder of
    them."""

    calendar: Path
    contacts: Path


class TraceOptions(Struct, frozen=True):
    """What is remembered of runs, in the SQLite file `path`: names, times and sizes, and with `full` the texts too.
    The oldest runs beyond `max_runs` are forgotten. With `paths` file paths are redacted as well."""

    path: Path
    enabled: bool = True
    full: bool = False
    max_runs: Count = 1000
    paths: bool = False


class AgentOptions(Struct, frozen=True):
    """Limits of one run of the agent, and how it goes about its work.

    `max_iterations` are turns in which the model may call tools; `max_repairs` those in which it is asked to write an
    unreadable call again; `total_timeout_s` bounds the whole run, `turn_timeout_s` one turn of the model.
    `catalogue_tokens` bounds what the descriptions of tools take of the prompt. In the mode "answer_first" the model is
    told to answer at once where it can, in "rag_first" the knowledge base is searched before it is asked.
    """

    max_iterations: Count = 4
    max_repairs: Annotated[int, Meta(ge=0)] = 2
    total_timeout_s: Positive = 60.0
    turn_timeout_s: Positive = 60.0
    catalogue_tokens: Tokens = 8000
    mode: Literal["plain", "answer_first", "rag_first"] = "plain"


class RoutingOptions(Struct, frozen=True):
    """How models are given tools: "native" by their own template, "text" by a protocol in the prompt written in
    `prompt_style`, "auto" native where the model has it. `models` names the way for single models; `local` False never
    takes the text way."""

    tools: Literal["auto", "native", "text"] = "auto"
    prompt_style: Literal["jsonl", "xml", "markdown-json"] = "jsonl"
    models: dict[str, Literal["auto", "native", "text"]] = {}
    local: bool = True


class Settings(Struct, frozen=True):
    """All options."""

    tools: ToolOptions
    knowledge: KnowledgeOptions
    schedule: ScheduleOptions
    personal: PersonalOptions
    traces: TraceOptions
    policy: PolicyOptions = PolicyOptions()
    web: WebOptions = WebOptions()
    agent: AgentOptions = AgentOptions()
    routing: RoutingOptions = RoutingOptions()
    engine: EngineOptions = EngineOptions()
    server: ServerOptions = ServerOptions()


def default_settings(data: Path, workspace: Path) -> Settings:
    """The settings where nothing is configured: what belongs to the user lies in `data`."""
    return Settings(
        tools=ToolOptions(workspace=workspace, notes=data / "notes"),
        knowledge=KnowledgeOptions(path=data / "knowledge.sqlite3"),
        schedule=ScheduleOptions(path=data / "schedule.sqlite3"),
        personal=PersonalOptions(calendar=data / "calendar", contacts=data / "contacts"),
        traces=TraceOptions(path=data / "traces.sqlite3"),
    )
