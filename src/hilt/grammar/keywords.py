"""Which keywords of JSON Schema hold schemas, and how a place in a schema is written."""

from typing import Any, TypeAlias, TypeGuard

from msgspec import Struct

Schema: TypeAlias = bool | dict[str, Any]
Node: TypeAlias = bool | dict[str, Any]
"""A schema in normal form; `schemas` says which shapes there are."""

ONE = frozenset(
    [
        "additionalProperties",
        "items",
        "contains",
        "not",
        "if",
        "then",
        "else",
        "propertyNames",
        "unevaluatedProperties",
        "unevaluatedItems",
        "additionalItems",
    ]
)
LISTS = frozenset(["allOf", "anyOf", "oneOf", "prefixItems", "items"])
MAPS = frozenset(["properties", "patternProperties", "dependentSchemas", "$defs", "definitions", "dependencies"])
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
ANNOTATIONS = frozenset(
    [
        "title",
        "description",
        "default",
        "examples",
        "example",
        "$comment",
        "deprecated",
        "readOnly",
        "writeOnly",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "$schema",
        "$id",
        "id",
        "$anchor",
        "$dynamicAnchor",
        "$recursiveAnchor",
        "$vocabulary",
        "$defs",
        "definitions",
        "nullable",
        "discriminator",
        "xml",
        "externalDocs",
    ]
)
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


class Unenforced(Struct, frozen=True):
    """A part of a schema that its grammar doesn't hold a model to.

    `path` is a JSON pointer into the client's schema, `keyword` its last step, `reason` a clause. A `remark` is nothing
    that the final check could hold it to either.
    """

    path: str
    keyword: str
    reason: str
    remark: bool = False


def step(path: str, token: str | int) -> str:
    """The JSON pointer of `token` below `path`."""
    return f"{path}/{str(token).replace('~', '~0').replace('/', '~1')}"


def type_of(value: Any) -> str:
    """The type of a JSON value; a number without a fraction is an integer."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether a JSON value is a list."""
    return isinstance(value, list)
