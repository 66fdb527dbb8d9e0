"""Tools, and the runtime that runs them, as the settings want them."""

import os
import secrets
import sys
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from hilt.agent import Agent, new_run_id
from hilt.agent.scheduled import Perform, Performed, Terms
from hilt.assembly.configuring import redaction_of
from hilt.assembly.models import Machine, open_backend
from hilt.assembly.places import clock, tool_switch
from hilt.backends import Backend
from hilt.conversation import InvalidRequest
from hilt.settings import PolicyOptions, Settings, TraceOptions
from hilt.store import STARTER
from hilt.tools import (
    Allow,
    Approver,
    Ask,
    Capability,
    Deny,
    Nobody,
    Rates,
    Registry,
    ResultStore,
    Runtime,
    Situation,
    Tool,
    builtin_tools,
    decide,
    names,
    offer,
    policy_of,
    read_result_tool,
    redact,
)
from hilt.tools.builtin.knowledge import knowledge_tools
from hilt.tools.builtin.personal import personal_tools
from hilt.tools.builtin.schedule import Grant, Schedule, Task, granted, narrowed, schedule_tools
from hilt.tools.builtin.web import web_tools
from hilt.tools.egress import forbid_remote
from hilt.tools.processes import run_in_process
from hilt.traces import Record, TraceStore

if TYPE_CHECKING:
    from hilt.tools.builtin.knowledge import Knowledge

MakeRuntime: TypeAlias = Callable[[Sequence[str]], Runtime]

# What conversations may need besides, to read on and to find tools.
RESERVED_NAMES = frozenset({"read_result", "find_tools", "call_tool"})

# The starter model knows these tools by heart, and its context has room for few others.
STARTER_TOOLS = (
    "add_note",
    "calculate",
    "convert_units",
    "current_time",
    "list_files",
    "read_file",
    "search_notes",
)


def every_tool(settings: Settings) -> tuple[Tool, ...]:
    """All tools that come with Hilt, whether or not they can run here, and those of the user's own files.

    Raises NotFound or InvalidRequest if a file of tools can't be loaded, or has a tool with the name of another.
    """
    now = clock()
    options = settings.tools

    async def apart(function: Callable[..., Any], arguments: dict[str, Any], timeout_s: float) -> Any:
        return await run_in_process(function, arguments, timeout_s=timeout_s, local_only=True)

    own = (
        *builtin_tools(options, now),
        *knowledge_tools(open_knowledge(settings)),
        *schedule_tools(Schedule(settings.schedule.path), now, lambda: current_grant(settings)),
        *personal_tools(settings.personal, now, lambda: str(uuid.uuid4()), time.monotonic),
    )
    timed = tuple(replace(tool, timeout_s=options.timeout_s) for tool in own)
    web = web_tools(settings.web, apart=apart, forbids=_forbids(settings))
    return (*timed, *web, *_loaded(options.files, (*timed, *web)))


@contextmanager
def open_tools(
    settings: Settings,
    approver: Approver,
    *,
    complain: Callable[[str], None] = lambda sentence: None,
) -> Generator[MakeRuntime]:
    """What makes the runtime of each conversation, until the block is left, with the tools of the given names, or with
    all that can run here.

    `complain` is told, in a sentence, when traces are lost. Raises InvalidRequest if the rules can't be read.
    """
    policy = policy_of(settings.policy)
    if policy.local_only:
        forbid_remote()
    options = settings.tools
    tools = every_tool(settings) if options.enabled else ()
    rates = Rates(time.monotonic)
    redaction = redaction_of(settings)
    with open_traces(settings, complain) as record:

        def make(only: Sequence[str] = ()) -> Runtime:
            results = ResultStore()
            own = (*tools, read_result_tool(results, options.max_result_chars)) if tools else ()
            # The starter model does not know how to read on.
            wanted = (*only, "read_result") if only and tuple(only) != STARTER_TOOLS else only
            registry = offer(own, capability(settings), wanted)
            return Runtime(
                registry=_handing_on(registry, settings.policy, settings),
                approver=approver,
                policy=policy,
                dry_run=settings.policy.dry_run,
                switch=tool_switch(),
                rates=rates,
                results=results,
                redaction=redaction,
                record=record,
                max_argument_chars=options.max_argument_chars,
                max_result_chars=options.max_result_chars,
            )

        yield make


def chosen_tools(settings: Settings, model: str) -> tuple[str, ...]:
    """The names of the tools that a model is offered where nothing else is said; () for all."""
    return settings.tools.offered or (STARTER_TOOLS if model == STARTER else ())


def capability(settings: Settings) -> Capability:
    """What can be done here."""
    permissions = frozenset(settings.tools.permissions)
    return Capability(
        sys.platform,
        permissions=None if "*" in permissions else permissions,
        local_only=settings.policy.local_only,
    )


@contextmanager
def open_traces(settings: Settings, complain: Callable[[str], None]) -> Generator[Callable[[Record], None]]:
    """What takes note of runs, until the block is left; `complain` is told once, in a sentence, if records are lost."""
    options: TraceOptions = settings.traces
    if not options.enabled:
        yield lambda record: None
        return
    private = redaction_of(settings, private=not options.full)
    store = TraceStore(
        options.path,
        redact=lambda text: redact(text, private),
        full=options.full,
        max_runs=options.max_runs,
        complain=complain,
    )
    try:
        yield store.write
    finally:
        store.close()


def open_knowledge(settings: Settings) -> "Knowledge":
    """The user's knowledge base. Nothing is opened before it is used.

    Raises InvalidRequest if the options of the embedder don't go together, or lead beyond this machine where only local
    work is allowed.
    """
    from hilt.tools.builtin.knowledge import Knowledge, ServerEmbedder, Store, WordEmbedder, embeddings_address

    chosen = settings.knowledge
    match chosen.embedder:
        case "words":
            embedder = WordEmbedder()
        case "server":
            if not chosen.embeddings_model:
                raise InvalidRequest("knowledge.embeddings_model is empty; name a model", param="embeddings_model")
            url = embeddings_address(chosen.embeddings_url, local_only=settings.policy.local_only)
            embedder = ServerEmbedder(url, chosen.embeddings_model, time.sleep, chosen.embeddings_api_key)
    return Knowledge(Store(chosen.path, embedder), clock(), chosen.max_file_bytes, os.environ)


def current_grant(settings: Settings) -> Grant:
    """What a task that is scheduled now may do: today's tools, under today's policy."""
    offered = offer(every_tool(settings), capability(settings), settings.tools.offered)
    return Grant(tuple(tool.name for tool in offered.tools), settings.policy)


def _handing_on(registry: Registry, policy: PolicyOptions, settings: Settings) -> Registry:
    """The registry, where what is scheduled may do no more than who schedules it: with these tools, under this policy.

    Otherwise a conversation of few tools, or a task of old rights, could give itself more by a task for later.
    """
    grant = Grant(tuple(tool.name for tool in registry.tools), policy)
    bound = {tool.name: tool for tool in schedule_tools(Schedule(settings.schedule.path), clock(), lambda: grant)}
    tools = tuple(
        replace(bound[tool.name], timeout_s=tool.timeout_s) if tool.name in bound else tool for tool in registry.tools
    )
    return replace(registry, tools=tools)


def schedule_terms(timeout_s: float) -> Terms:
    """How this process runs scheduled tasks."""
    switch = tool_switch()
    return Terms(
        f"{os.getpid()}-{secrets.token_hex(8)}",
        timeout_s=timeout_s,
        why_off=switch.why_off,
        tripped=switch.tripped,
    )


@contextmanager
def open_performer(
    model: str, settings: Settings, machine: Machine, timeout_s: float, complain: Callable[[str], None]
) -> Generator[Perform]:
    """What carries out scheduled tasks with a model, until the block is left: each in a conversation of its own, with
    the tools of its grant, and with nobody to ask."""
    with (
        open_tools(settings, Nobody(), complain=complain) as make_runtime,
        open_backend(model, settings.engine, machine, routing=settings.routing) as backend,
    ):
        yield performer(backend, lambda: make_runtime(chosen_tools(settings, model)), settings, timeout_s)


def performer(backend: Backend, make_runtime: Callable[[], Runtime], settings: Settings, timeout_s: float) -> Perform:
    """What carries out one task within `timeout_s` seconds, with those tools of a fresh runtime that its grant names,
    under the rules of its grant and of the settings."""
    options = replace(settings.agent, total_timeout_s=timeout_s)

    async def perform(task: Task) -> Performed:
        policy = narrowed(task.grant, settings.policy)
        runtime = make_runtime()
        registry = replace(runtime.registry, tools=granted(task.grant, runtime.registry.tools))
        runtime = replace(
            runtime,
            registry=_handing_on(registry, policy, settings),
            policy=policy_of(policy),
            dry_run=policy.dry_run,
        )
        result = await Agent(backend, runtime, options=options, new_id=new_run_id).run(task.text)
        return Performed(result.stop_reason, result.output, result.trace_id)

    return perform


def _forbids(settings: Settings) -> Callable[[str], str | None]:
    """Why a redirect must not be followed: where the rules forbid its address, or where they allow certain addresses
    and not this one."""
    policy = policy_of(settings.policy)
    fetch = next(tool for tool in web_tools(settings.web) if tool.name == "web_fetch")
    choosy = any(rule.arguments and names(rule, fetch) for rule in policy.allow)

    def forbids(url: str) -> str | None:
        match decide(policy, fetch, {"url": url}, Situation(), attended=True):
            case Deny(text):
                return text
            case Ask() if choosy:
                return "the rules allow other addresses only; call web_fetch with this one to have it asked about"
            case Ask() | Allow():
                return None

    return forbids


def _loaded(paths: Sequence[Path], known: Sequence[Tool]) -> tuple[Tool, ...]:
    if not paths:
        return ()
    from hilt.tools.loading import load_tools

    return load_tools(paths, taken={name for tool in known for name in (tool.name, *tool.aliases)} | RESERVED_NAMES)
