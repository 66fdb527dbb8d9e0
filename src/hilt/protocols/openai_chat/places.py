"""Places in a request, in the words of a Chat Completions body.

A room behind the codec knows a request in the vocabulary's own words, and the inside of a schema by JSON pointer
(RFC 6901): `tools[3].parameters/properties/a`. The client wrote that at `tools[3].function.parameters.properties.a`.
"""

import re

import msgspec

from hilt.conversation import HiltError, InvalidRequest

_TOOL = re.compile(r"(tools\[\d+\])\.(name|description|parameters|strict)")
_FORMAT = re.compile(r"response_format\.(name|description|schema|strict)")
_PLAIN_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")

# Below these keywords stand names that the client chose, which may look like anything, an index included.
_OF_NAMES = frozenset(
    ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependentRequired", "dependencies")
)


def wire_param(param: str) -> str:
    """`param` as a path into the body; what is a path already stays as it is."""
    field, *pointer = param.split("/")
    if tool := _TOOL.fullmatch(field):
        return f"{tool[1]}.function.{tool[2]}" + _steps(pointer)
    if form := _FORMAT.fullmatch(field):
        return f"response_format.json_schema.{form[1]}" + _steps(pointer)
    return param


def in_wire_terms(error: HiltError) -> HiltError:
    """`error`, with the place that it names as a path into the body, in its message too."""
    if not isinstance(error, InvalidRequest) or error.param is None:
        return error
    param = wire_param(error.param)
    if param == error.param:
        return error
    return InvalidRequest(error.message.replace(error.param, param), param=param, code=error.code)


def _steps(pointer: list[str]) -> str:
    """The tokens of a JSON pointer into a schema as steps of a path."""
    steps: list[str] = []
    naming = False
    for token in pointer:
        name = token.replace("~1", "/").replace("~0", "~")
        if not naming and name.isdecimal():
            steps.append(f"[{name}]")
        elif _PLAIN_NAME.fullmatch(name):
            steps.append(f".{name}")
        else:
            steps.append(f"[{msgspec.json.encode(name).decode()}]")
        naming = not naming and name in _OF_NAMES
    return "".join(steps)
