"""A tool made from a typed function: what the model is told of it, and how it is called."""

import inspect
import typing
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from msgspec import Struct
from pydantic import BaseModel

from hilt.conversation import ToolSpec
from hilt.tools.schema import arguments_model, parameters_schema

Effect: TypeAlias = Literal["read", "write", "destructive", "external"]


class Tool(Struct, frozen=True):
    """One tool that can be run.

    `effect` is the worst that a call can do: nothing ("read"), add or change ("write"), lose something
    ("destructive"), or reach beyond this machine ("external"). `arguments` validates what the model wrote. `function`
    takes the validated values by name, sync or async, and returns anything that msgspec can turn into JSON; a
    ValueError from it is its answer to arguments that it can't use, and its message is what the model reads.
    """

    spec: ToolSpec
    effect: Effect
    timeout_s: float
    arguments: type[BaseModel]
    function: Callable[..., Any]


def tool(*, effect: Effect, timeout_s: float = 20.0) -> Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a typed function.

    The name is the function's, the description is the first paragraph of its docstring, and the parameters come from
    the signature: `Annotated[int, Field(description="...")]` describes one, a default makes it optional. A tool that
    needs a resource is defined inside a function that takes the resource. Raises TypeError if the function has no
    docstring or a parameter that can't be given by name or has no annotation.
    """

    def made(function: Callable[..., Any]) -> Tool:
        name = function.__name__
        model = arguments_model(name, _parameters(function))
        return Tool(
            spec=ToolSpec(name=name, description=_description(function), parameters=parameters_schema(model)),
            effect=effect,
            timeout_s=timeout_s,
            arguments=model,
            function=function,
        )

    return made


def _description(function: Callable[..., Any]) -> str:
    paragraph = (inspect.getdoc(function) or "").split("\n\n", 1)[0]
    if not paragraph.strip():
        raise TypeError(f"{function.__name__} needs a docstring: its first paragraph is what the model is told")
    return " ".join(paragraph.split())


def _parameters(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Name -> (annotation, default or Ellipsis), in order."""
    hints = typing.get_type_hints(function, include_extras=True)
    found: dict[str, tuple[Any, Any]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{function.__name__}: parameter {name} can't be given by name")
        if name not in hints:
            raise TypeError(f"{function.__name__}: parameter {name} has no annotation")
        found[name] = (hints[name], ... if parameter.default is parameter.empty else parameter.default)
    return found
