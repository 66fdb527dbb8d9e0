"""Frozen options, one small group a room; assembly fills them, nothing here reads the environment."""

from pathlib import Path
from typing import Literal

from msgspec import Struct


class EngineOptions(Struct, frozen=True):
    """How the engine batches, and what it keeps. `prefill_chunk` is in tokens; `max_waiting` requests may queue before
    429; `grammar_cache_bytes` bounds the compiled grammars of tools and answers."""

    max_batch: int = 32
    prefill_chunk: int = 512
    max_waiting: int = 256
    prefix_cache_bytes: int = 1 << 30
    grammar_cache_bytes: int = 256 << 20


class ServerOptions(Struct, frozen=True):
    """Where the server listens and what it takes in. Port 0 takes a free one; `keep_alive_s` is the longest silence of
    a stream; with an `api_key` every request must bring it, and other machines are served only with one."""

    host: str = "127.0.0.1"
    port: int = 11435
    max_body_bytes: int = 8 << 20
    keep_alive_s: float = 10.0
    api_key: str | None = None


class ToolOptions(Struct, frozen=True):
    """What the built-in tools work on. `workspace` is the folder of files; `notes` the folder of Markdown notes.

    `offered` names the tools that models are told of, all that can run where it is empty; `permissions` are those
    granted, "*" for all. A call may take `timeout_s` seconds, bring `max_argument_chars` characters, and return
    `max_result_chars` to the model; what is longer can be read on.
    """

    workspace: Path
    notes: Path
    offered: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ("*",)
    timeout_s: float = 20.0
    max_argument_chars: int = 100_000
    max_result_chars: int = 16_000


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
    timeout_s: float = 15.0
    max_bytes: int = 5 << 20


class KnowledgeOptions(Struct, frozen=True):
    """The knowledge base, in the SQLite file `path`. The embedder "words" needs no model; "server" asks the
    OpenAI-compatible server at `embeddings_url` for those of `embeddings_model`."""

    path: Path
    embedder: Literal["words", "server"] = "words"
    embeddings_url: str = ""
    embeddings_model: str = ""
    embeddings_api_key: str = ""
    max_file_bytes: int = 50 << 20


class ScheduleOptions(Struct, frozen=True):
    """The tasks to be done later, in the SQLite file `path`."""

    path: Path


class TraceOptions(Struct, frozen=True):
    """What is remembered of runs, in the SQLite file `path`: names, times and sizes, and with `full` the texts too.
    The oldest runs beyond `max_runs` are forgotten. With `paths` file paths are redacted as well."""

    path: Path
    enabled: bool = True
    full: bool = False
    max_runs: int = 1000
    paths: bool = False


class AgentOptions(Struct, frozen=True):
    """Limits of one run of the agent, and how it goes about its work.

    `max_iterations` are turns in which the model may call tools; `max_repairs` those in which it is asked to write an
    unreadable call again; `total_timeout_s` bounds the whole run, `turn_timeout_s` one turn of the model.
    `catalogue_tokens` bounds what the descriptions of tools take of the prompt. In the mode "answer_first" the model is
    told to answer at once where it can, in "rag_first" the knowledge base is searched before it is asked.
    """

    max_iterations: int = 4
    max_repairs: int = 2
    total_timeout_s: float = 60.0
    turn_timeout_s: float = 60.0
    catalogue_tokens: int = 8000
    mode: Literal["plain", "answer_first", "rag_first"] = "plain"


class RoutingOptions(Struct, frozen=True):
    """How models are given tools: "native" by their own template, "text" by a protocol in the prompt written in
    `prompt_style`, "auto" native where the model has it. `models` names the way for single models; `local` False never
    takes the text way."""

    tools: Literal["auto", "native", "text"] = "auto"
    prompt_style: Literal["jsonl", "xml", "markdown-json"] = "jsonl"
    models: dict[str, Literal["auto", "native", "text"]] = {}
    local: bool = True
