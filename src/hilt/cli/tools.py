"""`hilt tools`: the tools that models are given here, looked at, tried, made and switched off."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec
import typer

from hilt.cli.calling import named, registry_of, run, settings_of, write
from hilt.cli.choosing import OwnTools, Workspace
from hilt.cli.scaffolding import EffectName, new
from hilt.conversation import Unavailable

if TYPE_CHECKING:
    from hilt.tools import Tool

Format: TypeAlias = Literal["openai", "responses", "anthropic", "ollama", "mcp", "text", "markdown"]

tools = typer.Typer(
    name="tools",
    help="The tools that models are given: list, show, run and make them, or switch them all off.",
    no_args_is_help=True,
)


@tools.command(name="list")
def list_tools(
    everything: Annotated[bool, typer.Option("--all", help="Tell also what can't be used here, and why.")] = False,
    effect: Annotated[EffectName | None, typer.Option(help="Only tools with this effect.")] = None,
    domain: Annotated[str | None, typer.Option(metavar="NAME", help="Only tools of this domain.")] = None,
    permission: Annotated[str | None, typer.Option(metavar="NAME", help="Only tools that need it.")] = None,
    own: OwnTools = None,
    workspace: Workspace = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the tools that models are offered here: name, effect, domain and what they do."""
    from hilt.assembly import tool_switch

    settings = settings_of(own, workspace)
    registry = registry_of(settings)
    listed = sorted(
        registry.where(effect=effect, domain=domain, permission=permission), key=lambda offered: offered.name
    )
    why_off = tool_switch().why_off() if settings.tools.enabled else "tools.enabled is false in the configuration"
    if as_json:
        told = {
            "switched_off": why_off,
            "tools": [_as_object(tool) for tool in listed],
            "withheld": dict(sorted(registry.withheld.items())),
        }
        write(msgspec.json.encode(told).decode())
        return
    if why_off is not None:
        again = "\n'hilt tools on' lets them run again." if settings.tools.enabled else ""
        write(f"Tools are switched off: {why_off}{again}\n")
    _write_table([(tool.name, tool.effect, tool.domain, tool.spec.description) for tool in listed])
    if not listed:
        write("No tool is offered here that fits.")
    if everything and registry.withheld:
        write("\nThese can't be used here:")
        _write_table(sorted(registry.withheld.items()))


@tools.command(name="show")
def show_tool(
    name: Annotated[str, typer.Argument(help="The tool, by its name or another that it is called by.")],
    form: Annotated[
        Format | None, typer.Option("--format", help="Print its schema as others want it, or a page about it.")
    ] = None,
    dialect: Annotated[
        str, typer.Option(metavar="NAME", help="With '--format text', how the model is told to write calls.")
    ] = "jsonl",
    own: OwnTools = None,
    workspace: Workspace = None,
) -> None:
    """Tell everything of one tool."""
    tool = named(registry_of(settings_of(own, workspace)), name)
    write("\n".join(_lines(tool)) if form is None else _in_form(tool, form, dialect))


tools.command(name="run", context_settings={"allow_interspersed_args": False})(run)
tools.command(name="new")(new)


@tools.command(name="off")
def switch_off(
    reason: Annotated[list[str] | None, typer.Argument(metavar="[REASON]...", help="Why; models are told.")] = None,
) -> None:
    """Stop every tool of every process of yours, at once and until 'hilt tools on'.

    Calls that are running are cancelled; a restart changes nothing.
    """
    from hilt.assembly import tool_switch

    switch = tool_switch()
    try:
        switch.turn_off(" ".join(reason or ()))
    except OSError as fault:
        raise Unavailable(f"tools can't be switched off: {fault.strerror} ({fault.filename})") from fault
    write(f"Tools are off: {switch.why_off()}")


@tools.command(name="on")
def switch_on() -> None:
    """Let tools run again."""
    from hilt.assembly import tool_switch

    switch = tool_switch()
    try:
        switch.turn_on()
    except OSError as fault:
        raise Unavailable(f"tools can't be switched on: {fault.strerror} ({fault.filename})") from fault
    why_off = switch.why_off()
    if why_off is not None:
        raise Unavailable(f"tools are still off: {why_off}")
    write("Tools are on.")


def _as_object(tool: "Tool") -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.spec.description,
        "effect": tool.effect,
        "domain": tool.domain,
        "permission": tool.permission,
        "aliases": tool.aliases,
        "keywords": tool.keywords,
        "parameters": tool.spec.parameters,
    }


def _lines(tool: "Tool") -> Iterator[str]:
    from hilt.tools import shapes

    for label, value in (("name", tool.name), ("what it does", tool.spec.description), *shapes.facts_of(tool)):
        yield f"{label:13} {value}"
    yield f"{'dry run':13} {shapes.planned(tool)}"
    parameters = shapes.properties(tool.spec)
    yield "parameters" if parameters else f"{'parameters':13} none"
    width = max(map(len, parameters), default=0)
    for name, schema in parameters.items():
        needed = shapes.needed(name, tool.spec)
        told = {"yes": "required", "no": "optional"}.get(needed, f"{needed.removeprefix('no: ')} if left out")
        said = f": {' '.join(schema['description'].split())}" if schema.get("description") else ""
        yield f"  {name:{width}}  {shapes.kind(schema, tool.spec.parameters)}, {told}{said}"
    if tool.spec.examples:
        yield "examples"
    for example in tool.spec.examples:
        yield f"  {example.request}\n    {example.arguments}"


def _in_form(tool: "Tool", form: Format, dialect: str) -> str:
    from hilt.dialects import dialect_named
    from hilt.tools import shapes

    match form:
        case "openai":
            return _indented(shapes.openai(tool.spec))
        case "responses":
            return _indented(shapes.openai_responses(tool.spec))
        case "anthropic":
            return _indented(shapes.anthropic(tool.spec))
        case "ollama":
            return _indented(shapes.ollama(tool.spec))
        case "mcp":
            return _indented(shapes.mcp(tool))
        case "text":
            return shapes.text(tool, dialect_named(dialect))
        case "markdown":
            return shapes.page(tool)


def _indented(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _write_table(rows: "list[tuple[str, ...]] | list[tuple[str, str]]") -> None:
    """Rows in columns; the last one is as long as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)] if rows else []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        write("  ".join([*cells, row[-1]]))
