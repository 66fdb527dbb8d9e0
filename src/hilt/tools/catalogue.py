"""Which tools a model is told of when there are more than its prompt has room for.

As many as fit are told, those first that have to do with what the user asked; the others can be found with `find_tools`
and called through `call_tool`. The choice depends on nothing but the tools and the question that a conversation began
with, so it stays the same, and the prompt with it, for as long as the conversation goes on.
"""

import math
from typing import Annotated, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field

from hilt.conversation import ToolSpec
from hilt.tools.registry import CALL_TOOL, Registry
from hilt.tools.tool import Tool, tool

# A token of a JSON schema has more than three bytes in the vocabularies of large models and about 2.4 in one of 8,000
# tokens; the smaller number is the careful one.
_BYTES_PER_TOKEN = 2.3
_MAX_FOUND = 8


class Described(Struct, frozen=True):
    """A tool as it is told to a model."""

    name: str
    description: str
    parameters: dict[str, Any]


def within(registry: Registry, budget_tokens: int, question: str) -> Registry:
    """The registry with the tools that fit a prompt offered and the others to be found.

    What they are found with takes about 270 tokens; it is told even where `budget_tokens` has no room for that.
    """
    if sum(map(catalogue_tokens, registry.specs)) <= budget_tokens:
        return registry
    left = budget_tokens - catalogue_tokens(CALL_TOOL) - catalogue_tokens(_find_tools(()).spec)
    by_name = sorted(registry.tools, key=lambda made: made.name)
    offered: list[Tool] = []
    for made in dict.fromkeys(made.name for made in (*registry.matching(question), *by_name)):
        candidate = registry.get(made)
        assert candidate is not None
        cost = catalogue_tokens(candidate.spec)
        if cost <= left:
            offered.append(candidate)
            left -= cost
    told = {made.name for made in offered}
    hidden = tuple(made for made in by_name if made.name not in told)
    return replace(registry, tools=(*offered, _find_tools(hidden)), hidden=hidden)


def catalogue_tokens(spec: ToolSpec) -> int:
    """About how many tokens a tool takes in a prompt, rather too many than too few."""
    told = {"type": "function", "function": Described(spec.name, spec.description, spec.parameters)}
    return math.ceil(len(msgspec.json.encode(told)) / _BYTES_PER_TOKEN)


def _find_tools(hidden: tuple[Tool, ...]) -> Tool:
    found_in = Registry(hidden)

    @tool(effect="read", domain="tools", keywords=("tools", "search", "find", "more", "other"))
    def find_tools(
        query: Annotated[str, Field(description="Words for what the tool should do.")],
    ) -> tuple[Described, ...]:
        """Find more tools by what they do. Call one of them with call_tool."""
        best = found_in.matching(query)[:_MAX_FOUND]
        if not best:
            raise ValueError(f"no tool has to do with {query[:100]!r}; try other words for what it should do")
        return tuple(Described(made.name, made.spec.description, made.spec.parameters) for made in best)

    return find_tools
