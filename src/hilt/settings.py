"""Frozen options, one small group a room; assembly fills them, nothing here reads the environment."""

from pathlib import Path

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
    """Where the built-in tools may look: `workspace` for files, `notes_path` for the notes database."""

    workspace: Path
    notes_path: Path
    timeout_s: float = 20.0


class AgentOptions(Struct, frozen=True):
    """Limits of one run of the agent: turns in which the model may call tools, and turns in which it is asked to write
    an unreadable call again."""

    max_turns: int = 8
    max_repairs: int = 2
