"""From a plain dict of parameters to what a run around a completion function needs, every fault told with its place."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast, get_args

from msgspec import Struct
from msgspec.structs import replace

from hilt.agent.plain_messages import Role, conversation
from hilt.backends.completion import Complete
from hilt.conversation import InvalidRequest, Message, System
from hilt.dialects import CATALOG, Dialect
from hilt.settings import AgentOptions
from hilt.tools import Effect, Registry, Tool
from hilt.tools.tool import from_schema

Approve: TypeAlias = Callable[[dict[str, Any]], Any]
PromptStyle: TypeAlias = Literal["jsonl", "xml", "markdown-json"]

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_KEYS = frozenset(
    (
        "system_prompt",
        "messages",
        "available_tools",
        "completion",
        "limits",
        "approve",
        "prompt_style",
        "dry_run",
    )
)
_TOOL_KEYS = frozenset(("name", "description", "schema", "handler", "effect", "untrusted"))
_MESSAGE_KEYS = frozenset(("role", "content"))
_LIMITS = frozenset(("max_iterations", "total_ms", "turn_ms", "tool_ms", "max_argument_chars", "max_observation_chars"))
# What models are offered where there are more tools than a prompt has room for.
_RESERVED = frozenset(("call_tool", "find_tools"))
_DEFAULTS = AgentOptions()
_TOOL_MS = 20_000
_LEAST_OBSERVATION_CHARS = 1000


class Asked(Struct, frozen=True):
    """What is asked, of whom, and within which limits. `trusted` names the tools that the host allows by giving
    them."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    trusted: tuple[str, ...]
    completion: Complete
    approve: Approve | None
    options: AgentOptions
    prompt_style: PromptStyle
    dry_run: bool
    max_argument_chars: int
    max_observation_chars: int


def asked_of(params: Mapping[str, Any], new_id: Callable[[], str]) -> Asked:
    """What the parameters say, keys in camelCase or snake_case. `new_id` mints ids for calls of earlier turns.

    Raises InvalidRequest, `param` naming the place, for what is missing, unknown or of the wrong kind.
    """
    given = _members(params, "", _KEYS)
    limits = _members(given.get("limits") or {}, "limits", _LIMITS)
    tool_ms = _number(limits, "tool_ms", None)
    tools, trusted = _tools(given.get("available_tools") or (), tool_ms)
    completion = given.get("completion")
    if not callable(completion):
        raise _wrong("completion", "must be a function that takes a prompt and returns text")
    approve = given.get("approve")
    if approve is not None and not callable(approve):
        raise _wrong("approve", "must be a function that is given a call and returns True to allow it")
    total_ms = _number(limits, "total_ms", _DEFAULTS.total_timeout_s * 1000)
    turn_ms = _number(limits, "turn_ms", total_ms)
    iterations = _count(limits, "max_iterations", _DEFAULTS.max_iterations)
    style = given.get("prompt_style", "jsonl")
    if style not in get_args(PromptStyle):
        raise _wrong("prompt_style", f"must be one of {', '.join(get_args(PromptStyle))}")
    dry_run = given.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise _wrong("dry_run", "must be true or false")
    observation = _count(limits, "max_observation_chars", 16_000)
    if observation < _LEAST_OBSERVATION_CHARS:
        raise _wrong("limits.max_observation_chars", f"must be at least {_LEAST_OBSERVATION_CHARS}")
    return Asked(
        messages=_messages(given, CATALOG[style], new_id),
        tools=tools,
        trusted=trusted,
        completion=cast("Complete", completion),
        approve=cast("Approve | None", approve),
        options=replace(
            _DEFAULTS,
            max_iterations=iterations,
            total_timeout_s=cast("float", total_ms) / 1000,
            turn_timeout_s=cast("float", turn_ms) / 1000,
        ),
        prompt_style=style,
        dry_run=dry_run,
        max_argument_chars=_count(limits, "max_argument_chars", 100_000),
        max_observation_chars=observation,
    )


def _members(value: Any, place: str, known: frozenset[str]) -> dict[str, Any]:
    """The members of a mapping by their names in snake_case; those that are None count as left out."""
    if not isinstance(value, Mapping):
        raise _wrong(place or "params", "must be a mapping of names to values")
    found: dict[str, Any] = {}
    for key, member in cast("Mapping[Any, Any]", value).items():
        name = _CAMEL.sub("_", key).lower() if isinstance(key, str) else ""
        where = f"{place}.{key}" if place else str(key)
        if name not in known:
            raise _wrong(where, f"is not known; there are {', '.join(sorted(known))}, in camelCase as well")
        if name in found:
            raise _wrong(where, "is given twice, in camelCase and in snake_case; give it once")
        if member is not None:
            found[name] = member
    return found


def _tools(value: Any, tool_ms: float | None) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """The tools, and the names of those that the host allows."""
    tools: list[Tool] = []
    trusted: list[str] = []
    for position, given in enumerate(_sequence(value, "available_tools")):
        place = f"available_tools[{position}]"
        match given:
            case Tool():
                most_s = given.timeout_s if tool_ms is None else min(given.timeout_s, tool_ms / 1000)
                tools.append(replace(given, timeout_s=most_s))
            case _:
                made = _made(given, place, (_TOOL_MS if tool_ms is None else tool_ms) / 1000)
                tools.append(made)
                if made.effect != "destructive":
                    trusted.append(made.name)
    for position, made in enumerate(tools):
        if _RESERVED.intersection((made.name, *made.aliases)):
            raise _wrong(f"available_tools[{position}].name", "is a name that Hilt uses itself; give it another")
    try:
        Registry(tuple(tools))
    except ValueError as fault:
        raise InvalidRequest(f"`available_tools` can't be used: {fault}.", param="available_tools") from fault
    return tuple(tools), tuple(trusted)


def _made(value: Any, place: str, timeout_s: float) -> Tool:
    """A tool of the host: a name, a description, a schema and a handler."""
    given = _members(value, place, _TOOL_KEYS)
    name, description = _text(given, "name", place), _text(given, "description", place)
    handler = given.get("handler")
    if not callable(handler):
        raise _wrong(f"{place}.handler", "must be a function that takes the arguments as one dict")
    effect = given.get("effect", "external")
    if effect not in get_args(Effect):
        raise _wrong(f"{place}.effect", f"must be one of {', '.join(get_args(Effect))}")
    untrusted = given.get("untrusted", False)
    if not isinstance(untrusted, bool):
        raise _wrong(f"{place}.untrusted", "must be true or false")
    schema = given.get("schema")
    if schema is not None and not isinstance(schema, Mapping):
        raise _wrong(f"{place}.schema", "must be a JSON Schema, a mapping")
    try:
        return from_schema(
            name,
            description,
            cast("Mapping[str, Any] | None", schema),
            cast("Callable[[dict[str, Any]], Any]", handler),
            effect=effect,
            timeout_s=timeout_s,
            untrusted=untrusted,
        )
    except InvalidRequest as fault:
        raise InvalidRequest(f"{place}: {fault.message}", param=f"{place}.{fault.param}") from fault


def _messages(given: Mapping[str, Any], dialect: Dialect, new_id: Callable[[], str]) -> tuple[Message, ...]:
    prompt = given.get("system_prompt", "")
    if not isinstance(prompt, str):
        raise _wrong("system_prompt", "must be text")
    said = [_message(m, f"messages[{n}]") for n, m in enumerate(_sequence(given.get("messages", ()), "messages"))]
    if not said:
        raise _wrong("messages", "is empty; write at least what the user asks")
    return (*([System(prompt)] if prompt else []), *conversation(said, dialect, new_id))


def _message(value: Any, place: str) -> tuple[Role, str]:
    given = _members(value, place, _MESSAGE_KEYS)
    role, content = given.get("role"), given.get("content")
    if role not in get_args(Role):
        raise _wrong(f"{place}.role", f"must be one of {', '.join(get_args(Role))}")
    if not isinstance(content, str):
        raise _wrong(f"{place}.content", "must be text")
    return cast("Role", role), content


def _sequence(value: Any, place: str) -> Sequence[Any]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise _wrong(place, "must be a list")
    return cast("Sequence[Any]", value)


def _text(given: Mapping[str, Any], name: str, place: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise _wrong(f"{place}.{name}", "must be text")
    return value


def _number(limits: Mapping[str, Any], name: str, default: float | None) -> float | None:
    value = limits.get(name, default)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise _wrong(f"limits.{name}", "must be a number of milliseconds above 0")
    return float(value)


def _count(limits: Mapping[str, Any], name: str, default: int) -> int:
    value = limits.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wrong(f"limits.{name}", "must be a whole number of at least 1")
    return value


def _wrong(place: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"`{place}` {what}.", param=place)
