"""Options of the command line derived from the parameters of a tool."""

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias, cast

import typer
from msgspec import Struct

from hilt.cli.choosing import OwnTools, Workspace
from hilt.grammar.keywords import type_of

if TYPE_CHECKING:
    from hilt.tools import Tool

Arguments: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="JSON", help="The arguments as one JSON object; - reads it from standard input."),
]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Tell what the call would change; change nothing.")]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="Allow the call where it would have to be asked about.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AsHtml: TypeAlias = Annotated[bool, typer.Option("--html", help="Print the card of the result as HTML.")]

_OWN: dict[str, tuple[Any, Any]] = {
    "arguments": (Arguments, None),
    "dry_run": (DryRun, False),
    "yes": (Yes, False),
    "own": (OwnTools, None),
    "workspace": (Workspace, None),
    "as_json": (AsJson, False),
    "as_html": (AsHtml, False),
}
_TAKEN = frozenset({"arguments", "dry-run", "yes", "tools", "workspace", "json", "html", "help"})
_MAX_DEPTH = 8


class Given(Struct, frozen=True, kw_only=True):
    """What a command line says of a call: its `arguments` as JSON text, and by name the `values` of single ones."""

    arguments: str | None = None
    values: Mapping[str, Any] = {}
    dry_run: bool = False
    yes: bool = False
    as_json: bool = False
    as_html: bool = False


def read_words(tool: "Tool", words: Sequence[str], outer: Given) -> Given | None:
    """The words behind the tool's name, read with its parameters as options, added to what came before the name.

    None if they asked for help, which is then printed. Raises typer's usage errors.
    """
    from hilt.tools import shapes

    root = tool.spec.parameters
    parameters = [(name, schema) for name, schema in shapes.properties(tool.spec).items() if not _is_taken(name)]
    read: list[Given] = []

    def take(**given: Any) -> None:
        values = [(name, schema, given[_value(place)]) for place, (name, schema) in enumerate(parameters)]
        read.append(
            Given(
                arguments=outer.arguments if given["arguments"] is None else given["arguments"],
                values={name: value_of(said, schema, root) for name, schema, said in values if said not in (None, [])},
                dry_run=given["dry_run"] or outer.dry_run,
                yes=given["yes"] or outer.yes,
                as_json=given["as_json"] or outer.as_json,
                as_html=given["as_html"] or outer.as_html,
            )
        )

    derived = {_value(place): _derived(tool, name, schema) for place, (name, schema) in enumerate(parameters)}
    signature = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in {**derived, **_OWN}.items()
    ]
    take.__dict__["__signature__"] = inspect.Signature(signature)
    take.__annotations__ = {parameter.name: parameter.annotation for parameter in signature}
    command = typer.main.get_command(_application(tool, take))
    command.main(args=list(words), prog_name=f"hilt tools run {tool.name}", standalone_mode=False)
    return read[0] if read else None


def values_of(option: str, words: Sequence[str]) -> tuple[str, ...]:
    """What the words give for an option that has to be known before the others can be read."""
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            break
        if word == option:
            found += [value for value in [next(rest, None)] if value is not None]
        elif word.startswith(f"{option}="):
            found.append(word.removeprefix(f"{option}="))
    return tuple(found)


def value_of(said: Any, schema: Any, root: Mapping[str, Any]) -> Any:
    """The JSON value that is meant by what stands on the command line: a text, or for a list or a flag what typer made
    of it. What can't be read as the schema wants it stays a text, which the tool's own check will then refuse."""
    if isinstance(said, list):
        texts = cast("list[str]", said)
        whole = _json(texts[0]) if len(texts) == 1 else None
        if isinstance(whole, list):
            return cast("Any", whole)
        items = _resolved(schema, root).get("items", {})
        return [value_of(text, items, root) for text in texts]
    if not isinstance(said, str):
        return said
    kinds = _kinds(schema, root)
    value = _json(said)
    if value is not None and type_of(value) in kinds:
        return value
    if "null" in kinds and said == "null":
        return None
    if "string" in kinds or not kinds:
        return said if "string" in kinds or value is None else value
    return said


def _application(tool: "Tool", take: Any) -> typer.Typer:
    """An application of one command, which does what the tool's description says."""
    application = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={
            "help_option_names": ["-h", "--help"],
            # What models call from_unit, people may write in either way.
            "token_normalize_func": _option,
        },
    )
    from rich.markup import escape

    hidden = [name for name in tool.spec.parameters.get("properties", {}) if _is_taken(name)]
    also = f"Give these in --arguments: {', '.join(hidden)}." if hidden else None
    application.command(help=escape(tool.spec.description), epilog=also)(take)
    return application


def _derived(tool: "Tool", name: str, schema: Mapping[str, Any]) -> tuple[Any, Any]:
    """The annotation and the default of the option for one parameter."""
    from rich.markup import escape

    from hilt.tools import shapes

    kinds = _kinds(schema, tool.spec.parameters)
    needed = shapes.needed(name, tool.spec)
    told = {"yes": "[required]", "no": ""}.get(needed, f"[default: {needed.removeprefix('no: ')}]")
    description = escape(" ".join(f"{schema.get('description', '')} {told}".split()))
    option = f"--{_option(name)}"
    if kinds == frozenset({"boolean"}):
        return Annotated[bool | None, typer.Option(f"{option}/--no-{_option(name)}", help=description)], None
    metavar = escape(_metavar(shapes.kind(schema, tool.spec.parameters)))
    if kinds == frozenset({"array"}):
        return Annotated[list[str] | None, typer.Option(option, metavar=metavar, help=description)], None
    return Annotated[str | None, typer.Option(option, metavar=metavar, help=description)], None


def _metavar(kind: str) -> str:
    """The kind of a value as help shows it: NUMBER, or the values themselves, as in red|blue."""
    choices = kind.split(" or ")
    named = all(choice.startswith('"') for choice in choices)
    return "|".join(choice.strip('"') if named else choice.upper().replace(" ", "_") for choice in choices)


def _value(place: int) -> str:
    """What the option of the parameter at this place is called within; no parameter's own name can clash with it."""
    return f"value_{place}"


def _option(name: str) -> str:
    return name.replace("_", "-")


def _is_taken(name: str) -> bool:
    return _option(name) in _TAKEN


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference leads to."""
    for _ in range(_MAX_DEPTH):
        match schema:
            case {"$ref": str(place)}:
                schema = root.get("$defs", {}).get(place.removeprefix("#/$defs/"))
            case dict():
                return cast("Mapping[str, Any]", schema)
            case _:
                return {}
    return {}


def _kinds(schema: Any, root: Mapping[str, Any], depth: int = 0) -> frozenset[str]:
    """The kinds of JSON values that a schema takes; empty where it says nothing of them."""
    one = _resolved(schema, root)
    options: list[Any] = one.get("anyOf") or one.get("oneOf") or one.get("allOf") or []
    if options and depth < _MAX_DEPTH:
        return frozenset[str]().union(*(_kinds(option, root, depth + 1) for option in options))
    named: Any = one.get("type")
    if named is not None:
        kinds = {named} if isinstance(named, str) else set(cast("list[str]", named))
        return frozenset(kinds | {"integer"} if "number" in kinds else kinds)
    values: list[Any] = one.get("enum", [one["const"]] if "const" in one else [])
    return frozenset(map(type_of, values))


def _json(text: str) -> Any:
    """The value of a JSON text, None where it is null or no JSON."""
    try:
        return json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
