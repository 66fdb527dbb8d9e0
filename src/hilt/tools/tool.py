"""A tool made from a typed function: what the model is told of it, how it is called, and what it can do."""

import inspect
import json
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct
from pydantic import BaseModel

from hilt.conversation import Card, Example, InvalidRequest, Source, ToolSpec
from hilt.grammar import Check, prepare_arguments
from hilt.threads import run_in_thread
from hilt.tools.schema import Arguments, arguments_model, parameters_schema

Effect: TypeAlias = Literal["read", "write", "destructive", "external"]
Isolation: TypeAlias = Literal["thread", "process"]
ChangeKind: TypeAlias = Literal["create", "edit", "delete", "send", "run"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Change(Struct, frozen=True):
    """One thing that a call would do: to `target`, a path, an address or a name; `detail` says more."""

    kind: ChangeKind
    target: str
    detail: str = ""


class Normalised(Struct, frozen=True):
    """Arguments as they were meant, and a sentence for each that was changed."""

    arguments: dict[str, Any]
    warnings: tuple[str, ...] = ()


Normaliser: TypeAlias = Callable[[Mapping[str, Any]], Normalised]


class Rate(Struct, frozen=True):
    """At most `calls` calls within any `per_s` seconds."""

    calls: int
    per_s: float


class Capability(Struct, frozen=True):
    """What can be done here. `platform` is as in `sys.platform`; `permissions` are names such as "files:write", or None
    where all are granted; `local_only` forbids whatever reaches beyond this machine."""

    platform: str
    permissions: frozenset[str] | None = None
    local_only: bool = False


class Tool(Struct, frozen=True):
    """One tool that can be run.

    `effect` is the worst that a call can do: nothing ("read"), add or change ("write"), lose something
    ("destructive"), or reach beyond this machine ("external"). `arguments` validates what the model wrote. `function`
    takes the validated values by name, sync or async, and returns anything that msgspec can turn into JSON; a
    ValueError from it is its answer to arguments that it can't use, and its message is what the model reads.

    `aliases` are other names that models call it by; `domain` and `keywords` help to find it. `permission` and
    `platforms` (empty: all) say where it may be offered, `missing` why it can't work now (None: it can). `normalisers`
    mend arguments before they are validated. `plan` tells what a call would change, from the same arguments;
    `sources` what of a result may be cited; `card` how it is shown. `untrusted` marks results that strangers may have
    written. With `isolation` "process" the function runs in a process of its own, which ends with its time.
    """

    spec: ToolSpec
    effect: Effect
    timeout_s: float
    arguments: Arguments
    function: Callable[..., Any]
    aliases: tuple[str, ...] = ()
    permission: str | None = None
    platforms: tuple[str, ...] = ()
    domain: str = "general"
    keywords: tuple[str, ...] = ()
    normalisers: tuple[Normaliser, ...] = ()
    missing: Callable[[], str | None] | None = None
    plan: Callable[..., Sequence[Change]] | None = None
    sources: Callable[[Any], Sequence[Source]] | None = None
    card: Callable[[Any], Card] | None = None
    rate: Rate | None = None
    untrusted: bool = False
    isolation: Isolation = "thread"

    @property
    def name(self) -> str:
        """The name that models are told."""
        return self.spec.name


def tool(
    *,
    effect: Effect,
    timeout_s: float = 20.0,
    aliases: Sequence[str] = (),
    permission: str | None = None,
    platforms: Sequence[str] = (),
    domain: str = "general",
    keywords: Sequence[str] = (),
    examples: Sequence[tuple[str, Mapping[str, Any]]] = (),
    normalisers: Sequence[Normaliser] = (),
    missing: Callable[[], str | None] | None = None,
    plan: Callable[..., Sequence[Change]] | None = None,
    sources: Callable[[Any], Sequence[Source]] | None = None,
    card: Callable[[Any], Card] | None = None,
    rate: Rate | None = None,
    untrusted: bool = False,
    isolation: Isolation = "thread",
) -> Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a typed function; `Tool` says what the options mean.

    The name is the function's, the description is the first paragraph of its docstring, and the parameters come from
    the signature: `Annotated[int, Field(description="...")]` describes one, a default makes it optional. A tool that
    needs a resource is defined inside a function that takes the resource. `examples` are pairs of a user's request and
    the arguments that answer it. Raises TypeError if the function has no docstring, a parameter that can't be given by
    name, has no annotation, or takes or defaults to what has no JSON form, or if another process couldn't find it;
    ValueError if an example doesn't validate, or for a time that isn't one.
    """
    if not timeout_s > 0:
        raise ValueError(f"timeout_s is {timeout_s}; a tool needs more than 0 seconds")

    def made(function: Callable[..., Any]) -> Tool:
        name = function.__name__
        if isolation == "process":
            _check_importable(function)
        model = arguments_model(name, _parameters(function))
        spec = ToolSpec(
            name=name,
            description=_description(function),
            parameters=parameters_schema(model),
            examples=tuple(_example(model, request, arguments) for request, arguments in examples),
        )
        return Tool(
            spec=spec,
            effect=effect,
            timeout_s=timeout_s,
            arguments=model,
            function=function,
            aliases=tuple(aliases),
            permission=permission,
            platforms=tuple(platforms),
            domain=domain,
            keywords=tuple(keywords),
            normalisers=tuple(normalisers),
            missing=missing,
            plan=plan,
            sources=sources,
            card=card,
            rate=rate,
            untrusted=untrusted,
            isolation=isolation,
        )

    return made


def from_schema(
    name: str,
    description: str,
    schema: Mapping[str, Any] | None,
    handler: Callable[[dict[str, Any]], Any],
    *,
    effect: Effect = "external",
    timeout_s: float = 20.0,
    untrusted: bool = False,
) -> Tool:
    """Make a tool of a JSON Schema and a function that takes the arguments as one dict, sync or async.

    None as a schema takes any object. Nothing is known of what the function does, so its effect is the worst unless
    the caller says otherwise. Raises InvalidRequest, `param` naming the place, for a name that models can't write, an
    empty description, and a schema that can't be used.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"`name` is {name[:80]!r}; write up to 64 letters, digits, - and _, as web_search.", param="name"
        )
    if not description.strip():
        raise InvalidRequest(f"`description` of {name} is empty; say what the tool does.", param="description")
    parameters = _parameters_of(schema)
    check = Check(prepare_arguments(parameters, "schema").schema)
    spec = ToolSpec(name, " ".join(description.split()), parameters)

    async def call(**arguments: Any) -> Any:
        result = handler(arguments) if inspect.iscoroutinefunction(handler) else await _beside(handler, arguments, name)
        return await result if inspect.isawaitable(result) else result

    return Tool(spec, effect, timeout_s, check, call, untrusted=untrusted)


def _parameters_of(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The schema as it is now, of an object."""
    if schema is None:
        return {"type": "object", "properties": {}}
    try:
        parameters: dict[str, Any] = json.loads(json.dumps(dict(schema), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as fault:
        raise InvalidRequest(f"`schema` is no JSON: {fault}. Write a JSON Schema.", param="schema") from fault
    kind = parameters.setdefault("type", "object")
    if kind != "object":
        raise InvalidRequest(f"`schema.type` is {kind!r}, and arguments are an object.", param="schema/type")
    return parameters


async def _beside(handler: Callable[[dict[str, Any]], Any], arguments: dict[str, Any], name: str) -> Any:
    """What a plain function returns or raises, on a thread of its own."""

    def attempt() -> tuple[Any, BaseException | None]:
        try:
            return handler(arguments), None
        except (Exception, SystemExit) as fault:  # noqa: BLE001 - raised again where it is waited for
            return None, fault

    result, fault = await run_in_thread(attempt, name=f"tool {name}")
    if fault is not None:
        raise fault
    return result


def unavailable(tool: Tool, capability: Capability) -> str | None:
    """Why the tool can't be offered here, in a sentence; None if it can."""
    if tool.platforms and capability.platform not in tool.platforms:
        return f"it works on {', '.join(tool.platforms)} only"
    if capability.local_only and tool.effect == "external":
        return "it reaches beyond this machine, and only local work is allowed"
    granted = capability.permissions
    if granted is not None and tool.permission is not None and tool.permission not in granted:
        return f"it needs the permission {tool.permission}, which is not granted"
    return None if tool.missing is None else _missing(tool.missing)


def _missing(missing: Callable[[], str | None]) -> str | None:
    try:
        return missing()
    except Exception as fault:  # noqa: BLE001 - a tool's own code, and the other tools can be offered without it
        return f"whether it works here can't be told ({type(fault).__name__})"


def _example(model: type[BaseModel], request: str, arguments: Mapping[str, Any]) -> Example:
    model.model_validate(dict(arguments))
    return Example(request, json.dumps(dict(arguments), ensure_ascii=False))


def _check_importable(function: Callable[..., Any]) -> None:
    if "<" in function.__qualname__ or inspect.iscoroutinefunction(function):
        raise TypeError(
            f"{function.__name__} is to run in a process of its own, so it must be a plain function of a module"
        )


def _description(function: Callable[..., Any]) -> str:
    paragraph = (inspect.getdoc(function) or "").split("\n\n", 1)[0]
    if not paragraph.strip():
        raise TypeError(f"{function.__name__} needs a docstring: its first paragraph is what the model is told")
    return " ".join(paragraph.split())


def _parameters(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Name -> (annotation, default or Ellipsis), in order."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as fault:
        raise TypeError(f"{function.__name__}: an annotation can't be read: {fault}") from None
    found: dict[str, tuple[Any, Any]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{function.__name__}: parameter {name} can't be given by name")
        if name not in hints:
            raise TypeError(f"{function.__name__}: parameter {name} has no annotation")
        found[name] = (hints[name], ... if parameter.default is parameter.empty else parameter.default)
    return found
