"""Every dialect that Hilt speaks, as data; detection tries them in this order."""

from collections.abc import Mapping
from types import MappingProxyType

from hilt.conversation import NotFound
from hilt.dialects.spec import Dialect, JsonCall, Span, TaggedCall

HERMES = Dialect(
    name="hermes",
    call=Span("<tool_call>", "</tool_call>"),
    payload=JsonCall(),
)

LLAMA3 = Dialect(
    name="llama3",
    call=Span("<|python_tag|>", ""),
    payload=JsonCall(argument_keys=("parameters", "arguments")),
    gap="",
    separator=";",
    bare=True,
)

QWEN_XML = Dialect(
    name="qwen_xml",
    call=Span("<tool_call>", "</tool_call>"),
    payload=TaggedCall(
        function=Span("<function=", "</function>"),
        parameter=Span("<parameter=", "</parameter>"),
    ),
    bare=True,
)

CATALOG: Mapping[str, Dialect] = MappingProxyType({d.name: d for d in (QWEN_XML, HERMES, LLAMA3)})


def dialect_named(name: str) -> Dialect:
    """The dialect of that name; NotFound lists the names there are."""
    dialect = CATALOG.get(name)
    if dialect is None:
        raise NotFound(f"there is no dialect {name!r}; the dialects are {', '.join(sorted(CATALOG))}")
    return dialect
