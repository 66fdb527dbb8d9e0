"""What a model is told of tools where its own template does not tell it: the catalogue and how calls are written.

Every form that is shown is written by the same code that writes calls into a prompt, so what a model is taught is what
is read.
"""

import json
from collections.abc import Sequence

from hilt.conversation import Call, ToolResult, ToolSpec
from hilt.dialects import Dialect, JsonCall, render, render_results

MOST_EXAMPLES = 2  # of one tool
MOST_TOOLS_WITH_EXAMPLES = 20

_NAME = "name_of_tool"
_RETURNED = "what the tool returned"


def teach(dialect: Dialect, tools: Sequence[ToolSpec], *, several: bool, results: bool) -> str:
    """The tools and the rules, for the system message.

    The same tools in the same order give the same text. Examples of the tools' own are shown as they would be written,
    unless there are many tools. `several` says that a turn may make more than one call,
    `results` that the form of results has to be told.
    """
    first = Call(_example_id(dialect, 0), _NAME, '{"argument": "value"}')
    second = Call(_example_id(dialect, 1), _NAME, '{"argument": "another value"}')
    parts = [
        "You can use the tools listed here. Each line describes one: its name, what it does, and the JSON schema of "
        "its arguments.",
        "\n".join(_described(tool) for tool in tools),
        f"To use a tool, write exactly this, with the tool's own name and arguments:\n{render(dialect, [first])}",
    ]
    if several:
        parts.append(f"To use several tools at once, write:\n{render(dialect, [first, second])}")
    if results:
        returned = [ToolResult(first.id, _NAME, _RETURNED)]
        parts.append(f"Then stop. The user's next message holds what came back:\n{render_results(dialect, returned)}")
    if dialect.final is not None:
        parts.append(f"When you are done, or need no tool, write your answer as:\n{final_text(dialect, 'your answer')}")
    if len(tools) <= MOST_TOOLS_WITH_EXAMPLES and (shown := _examples(dialect, tools)):
        parts.append(f"Examples of requests, and what to write for them:\n{shown}")
    parts.append(_rules(dialect, several=several))
    return "\n\n".join(parts)


def final_text(dialect: Dialect, content: str) -> str:
    """An answer as the dialect writes it: plain, unless it has a form for answers."""
    if dialect.final is None or not isinstance(dialect.payload, JsonCall) or dialect.payload.kind is None:
        return content
    value, key = dialect.final
    return json.dumps({dialect.payload.kind[0]: value, key: content}, ensure_ascii=False)


def _described(tool: ToolSpec) -> str:
    described = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return json.dumps(described, ensure_ascii=False, separators=(",", ":"))


def _examples(dialect: Dialect, tools: Sequence[ToolSpec]) -> str:
    return "\n".join(
        f"Request: {' '.join(example.request.split())}\n"
        f"{render(dialect, [Call(_example_id(dialect, 0, tool.name), tool.name, example.arguments)])}"
        for tool in tools
        for example in tool.examples[:MOST_EXAMPLES]
    )


def _rules(dialect: Dialect, *, several: bool) -> str:
    rules = ["Use only the tools listed, and give every argument that a tool's schema requires."]
    if not several:
        rules.append("Use one tool at a time.")
    if isinstance(dialect.payload, JsonCall):
        rules.append("What you write to use a tool must be valid JSON that fits the tool's schema.")
    if dialect.final is not None:
        rules.append("Write one JSON object a line, and nothing else on a line that uses a tool.")
    else:
        rules.append("When no tool is needed, answer in plain words.")
    rules.append("Never invent what a tool returns: use the tool and wait.")
    return "\n".join(f"- {rule}" for rule in rules)


def _example_id(dialect: Dialect, number: int, name: str = _NAME) -> str:
    return f"functions.{name}:{number}" if dialect.ids == "header" else f"call{number:05}"
