"""One tool in the shapes that others want: for the APIs of models and clients, for a prompt, and for a page of docs."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

from hilt.conversation import ToolSpec
from hilt.dialects import Dialect
from hilt.prompting import teach
from hilt.tools.tool import Tool

Shape: TypeAlias = dict[str, Any]

_MAX_DEPTH = 4
_BAR = "\\|"
# An underscore inside a word means nothing.
_MARKUP = re.compile(r"[\\`*\[\]<>#|~$&]|(?<![^\W_])_|_(?![^\W_])")
_LIST_MARK = re.compile(r"^(\d*)([-+=.)])")


def openai(spec: ToolSpec) -> Shape:
    """An entry of `tools` in OpenAI's Chat Completions."""
    function: Shape = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    return {"type": "function", "function": {**function, "strict": True} if spec.strict else function}


def openai_responses(spec: ToolSpec) -> Shape:
    """An entry of `tools` in OpenAI's Responses, where a tool is strict unless it says otherwise."""
    return {
        "type": "function",
        "name": spec.name,
        "description": spec.description,
        "parameters": spec.parameters,
        "strict": spec.strict,
    }


def anthropic(spec: ToolSpec) -> Shape:
    """An entry of `tools` in Anthropic's Messages."""
    shape: Shape = {"name": spec.name, "description": spec.description, "input_schema": spec.parameters}
    return {**shape, "strict": True} if spec.strict else shape


def ollama(spec: ToolSpec) -> Shape:
    """An entry of `tools` in Ollama's chat, which knows no strictness."""
    function = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    return {"type": "function", "function": function}


def mcp(tool: Tool) -> Shape:
    """A tool as an MCP server lists it.

    A hint is given only where it holds whatever the arguments are: a tool that reaches beyond this machine may lose
    something there, and only what changes nothing is sure to do no more when it is called again.
    """
    reads = tool.effect == "read"
    return {
        "name": tool.name,
        "title": title(tool.name),
        "description": tool.spec.description,
        "inputSchema": tool.spec.parameters,
        "annotations": {
            "readOnlyHint": reads,
            "destructiveHint": tool.effect in ("destructive", "external"),
            "idempotentHint": reads,
            "openWorldHint": tool.effect == "external",
        },
    }


def text(tool: Tool, dialect: Dialect) -> str:
    """What the system message of a model without a tool template of its own says of this tool in this dialect."""
    return teach(dialect, [tool.spec], several=True, results=True)


def title(name: str) -> str:
    """A name as people read it: `read_file` is "Read file"."""
    words = " ".join(name.replace("_", " ").replace("-", " ").split()) or name
    return words[:1].upper() + words[1:]


def page(tool: Tool) -> str:
    """A section of Markdown that says all that people may want to know of the tool, without a line break at its end."""
    parts = [f"## {_prose(tool.name)}", _prose(tool.spec.description)]
    facts = "\n".join(f"| {label} | {_prose(value)} |" for label, value in facts_of(tool))
    parts.append(f"| | |\n| --- | --- |\n{facts}")
    rows = [_row(name, schema, tool.spec) for name, schema in properties(tool.spec).items()]
    if rows:
        parts.append("\n".join(["| parameter | type | needed | what it is |", "| --- | --- | --- | --- |", *rows]))
    else:
        parts.append("It takes no parameters.")
    examples = [f"- {_prose(example.request)} → {_code(example.arguments)}" for example in tool.spec.examples]
    if examples:
        parts.append("\n".join(["For example:", "", *examples]))
    parts.append(_prose(planned(tool)))
    return "\n\n".join(parts)


def facts_of(tool: Tool) -> list[tuple[str, str]]:
    """What holds of the tool beside its parameters, each with its label; what is as usual is left out."""
    facts = [
        ("effect", tool.effect),
        ("also called", ", ".join(tool.aliases)),
        ("permission", tool.permission or ""),
        ("domain", tool.domain),
        ("keywords", ", ".join(tool.keywords)),
        ("platforms", ", ".join(tool.platforms)),
        ("time", f"{tool.timeout_s:g} s at most"),
        ("rate", f"{tool.rate.calls} calls in {tool.rate.per_s:g} s at most" if tool.rate else ""),
        ("results", "may have been written by strangers" if tool.untrusted else ""),
        ("runs in", "a process of its own" if tool.isolation == "process" else ""),
    ]
    return [(label, value) for label, value in facts if value]


def planned(tool: Tool) -> str:
    """A sentence on what a dry run or a question before the call shows."""
    if tool.effect == "read":
        return "It changes nothing, so a dry run runs it."
    if tool.plan is not None:
        return "A dry run, and the question before a call, list each change that the call would make."
    return f"A dry run, and the question before a call, show the arguments and that the effect is {tool.effect}."


def properties(spec: ToolSpec) -> Mapping[str, Shape]:
    """The schema of each parameter, in order."""
    found = spec.parameters.get("properties")
    return cast("Mapping[str, Shape]", found) if isinstance(found, dict) else {}


def needed(name: str, spec: ToolSpec) -> str:
    """Whether a parameter has to be given, and what it is if it isn't: "yes", "no", or "no: 5"."""
    if name in spec.parameters.get("required", ()):
        return "yes"
    schema = properties(spec).get(name, {})
    return f"no: {_json(schema['default'])}" if "default" in schema else "no"


def kind(schema: object, root: Mapping[str, Any], depth: int = 0) -> str:
    """The values that a schema takes, in a few words; `root` is the schema that holds its definitions."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return "anything"
    one = cast("Shape", schema)
    if isinstance(place := one.get("$ref"), str):
        return kind(root.get("$defs", {}).get(place.removeprefix("#/$defs/")), root, depth + 1)
    if "const" in one:
        return _json(one["const"])
    if "enum" in one:
        return _either([_json(value) for value in one["enum"]])
    for options in (one.get("anyOf"), one.get("oneOf")):
        if options:
            return _either([kind(option, root, depth + 1) for option in options])
    if one.get("allOf"):
        return " and ".join(kind(option, root, depth + 1) for option in one["allOf"])
    match one.get("type"):
        case "array" if "items" in one:
            return f"list of {kind(one['items'], root, depth + 1)}"
        case "array":
            return "list"
        case str(name):
            return f"{name} ({one['format']})" if "format" in one else name
        case None:
            return "anything"
        case names:
            return _either([str(name) for name in names])


def _row(name: str, schema: Shape, spec: ToolSpec) -> str:
    """The row of a parameter in the table of a page. Even in code a bar would end the cell."""
    cells = (kind(schema, spec.parameters), needed(name, spec), str(schema.get("description", "")))
    return f"| {_code(name).replace('|', _BAR)} | {' | '.join(map(_prose, cells))} |"


def _either(options: Sequence[str]) -> str:
    return " or ".join(dict.fromkeys(options)) or "nothing"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _prose(written: str) -> str:
    """Text in which nothing is Markdown, on one line."""
    line = _MARKUP.sub(r"\\\g<0>", " ".join(written.split()))
    return _LIST_MARK.sub(r"\1\\\2", line)


def _code(written: str) -> str:
    """Text between marks of code that it can't close."""
    line = " ".join(written.split())
    longest = max((len(run) for run in _runs(line, "`")), default=0)
    marks = "`" * (longest + 1)
    edge = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{marks}{edge}{line}{edge}{marks}"


def _runs(line: str, character: str) -> list[str]:
    """The unbroken runs of the character in the line."""
    return "".join(each if each == character else " " for each in line).split()
