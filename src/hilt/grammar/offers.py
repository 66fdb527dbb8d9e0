"""A tool as a grammar sees it."""

from typing import Any, cast

from msgspec import Struct

from hilt.conversation import ToolSpec
from hilt.grammar.keywords import Node
from hilt.grammar.narrowing import narrowed
from hilt.grammar.schemas import Prepared
from hilt.grammar.values.nodes import Definitions, alternatives, definitions

_ANY_OBJECT: dict[str, Any] = {"type": "object"}


class Offer(Struct, frozen=True):
    """A tool that may be called. `parameters` is the normal form of its schema, `declared` the schema as it came, which
    tells the reader of plain text how to take it."""

    name: str
    parameters: Node
    declared: dict[str, Any]

    @property
    def definitions(self) -> Definitions:
        """What the references of `parameters` name."""
        return definitions(self.parameters)

    @property
    def shapes(self) -> list[dict[str, Any]]:
        """The objects that the arguments may be, each in normal form."""
        found: list[dict[str, Any]] = []
        for node in alternatives(self.parameters, self.definitions):
            if node is True:
                found.append(_ANY_OBJECT)
            elif isinstance(node, dict) and (node.get("type") == "object" or "enum" in node):
                found += _listed(node) if "enum" in node else [node]
        return found


def offer(tool: ToolSpec, prepared: Prepared) -> Offer:
    """A tool whose schema has been prepared."""
    return Offer(tool.name, narrowed(prepared.grammar, prepared.unenforced), tool.parameters)


def _listed(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Objects that are listed, each as a schema that only it fits."""
    return [
        {
            "type": "object",
            "properties": {key: {"enum": [member]} for key, member in value.items()},
            "required": list(value),
            "additionalProperties": False,
        }
        for value in cast("list[dict[str, Any]]", [v for v in node["enum"] if isinstance(v, dict)])
    ]
