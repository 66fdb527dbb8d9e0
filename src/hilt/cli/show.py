"""`hilt show`: what a model is, how it is spoken to, and why; its weights stay on the disk."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from hilt.cli.choosing import DIALECT_HELP
from hilt.conversation import InvalidRequest, Sampling
from hilt.store import STARTER

if TYPE_CHECKING:
    from hilt.assembly import Described

_UNITS = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"))
_BYTES = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def show(
    model: Annotated[
        str, typer.Argument(help="A model's folder, its id on the hub, or 'starter'.", show_default=True)
    ] = STARTER,
    dialect: Annotated[str | None, typer.Option(metavar="NAME", help=DIALECT_HELP)] = None,
    template: Annotated[bool, typer.Option("--template", help="Print the chat template and nothing else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell what a model is and how it is given tools, without loading its weights.

    With a --dialect, tell how the model would be spoken to in that one.
    """
    if template and as_json:
        raise InvalidRequest("--template and --json don't go together: the template is in the JSON object too")
    from hilt.assembly import describe_model, load_settings

    if load_settings().policy.local_only:
        from hilt.tools.egress import forbid_remote

        forbid_remote()
    described = describe_model(model, dialect)
    if template:
        if not described.template:
            raise InvalidRequest(f"{described.name} has no chat template of its own")
        sys.stdout.write(described.template.removesuffix("\n") + "\n")
    elif as_json:
        sys.stdout.write(msgspec.json.encode(_as_object(described)).decode() + "\n")
    else:
        for label, text in _lines(described):
            print(f"{label:13} {text}")


def _as_object(described: "Described") -> dict[str, Any]:
    configuration, manner = described.configuration, described.manner
    thought = manner.dialect.thought
    return {
        "name": described.name,
        "folder": str(described.folder),
        "architecture": configuration.architecture,
        "parameters": described.weights.parameters,
        "quantised_bits": configuration.quantised_bits,
        "size_bytes": described.weights.size_bytes,
        "context_length": configuration.context_length,
        "dialect": {"name": manner.dialect.name, "source": manner.source, "reason": manner.reason},
        "thinking": None if thought is None else {"open": thought.open, "close": thought.close},
        "template_writes": {"tools": manner.tools, "calls": manner.calls, "results": manner.results},
        "sampling": configuration.sampling,
        "chats": described.chats,
        "template": described.template,
    }


def _lines(described: "Described") -> Iterator[tuple[str, str]]:
    configuration, manner, weights = described.configuration, described.manner, described.weights
    yield "model", f"{described.name} ({described.folder})"
    yield "architecture", configuration.architecture or "not said"
    quantised = f", quantised to {configuration.quantised_bits} bits" if configuration.quantised_bits else ""
    yield "parameters", (_rounded(weights.parameters, _UNITS) or "not said") + quantised
    yield "on disk", _rounded(weights.size_bytes, _BYTES)
    yield "context", f"{configuration.context_length} tokens"
    yield "dialect", f"{manner.dialect.name} ({manner.dialect.about})"
    yield "found by", f"{manner.source}: {manner.reason}"
    if not described.chats:
        yield "chat", "not possible: the model has no chat template"
        return
    thought = manner.dialect.thought
    yield "thinking", "no marks" if thought is None else f"{thought.open} … {thought.close}"
    yield "tools", "listed by the template" if manner.tools else "listed by Hilt"
    several = "" if manner.several else ", one a turn"
    yield "calls", f"written by the template{several}" if manner.calls else "written by Hilt"
    yield "results", "shown by the template" if manner.results else "shown by Hilt"
    yield "sampling", _sampling(configuration.sampling)


def _rounded(number: int, units: tuple[tuple[int, str], ...]) -> str:
    """A number with three digits and its unit; "" for none."""
    for size, name in units:
        if number >= size:
            return f"{number / size:.3g} {name}"
    return str(number) if number else ""


def _sampling(sampling: Sampling) -> str:
    if not sampling.temperature:
        return "the likeliest token"
    return f"temperature {sampling.temperature:g}, top_p {sampling.top_p:g}, top_k {sampling.top_k or 'all'}"
