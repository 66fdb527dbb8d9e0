"""Arguments as they were meant: what models often write otherwise is mended before it is validated, and told of."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from hilt.conversation import ToolSpec
from hilt.tools.decoding import read_json
from hilt.tools.tool import Normalised, Normaliser


def normalised(spec: ToolSpec, normalisers: Sequence[Normaliser], arguments: Mapping[str, Any]) -> Normalised:
    """The arguments with their names as the tool spells them and JSON texts read where a list or an object is wanted,
    and then as each of the tool's own normalisers makes them."""
    warnings: list[str] = []
    known = _declared(spec)
    given = _spelled(arguments, known, warnings)
    given = {name: _read(name, value, known.get(name, {}), warnings) for name, value in given.items()}
    for normaliser in normalisers:
        result = normaliser(given)
        given = result.arguments
        warnings += map(str, result.warnings)
    return Normalised(given, tuple(warnings))


def renamed(**others: tuple[str, ...]) -> Normaliser:
    """A normaliser for parameters that models call otherwise: `renamed(text=("content", "body"))`.

    Where a parameter is missing, the one argument under another of its names is taken for it. Where there are several
    of them nothing is done, since any could be the one that is meant.
    """

    def rename(arguments: Mapping[str, Any]) -> Normalised:
        meant = dict(arguments)
        warnings: list[str] = []
        for parameter, names in others.items():
            given = [name for name in names if name in meant]
            if parameter not in meant and len(given) == 1:
                meant = {parameter if name == given[0] else name: value for name, value in meant.items()}
                warnings.append(f"{given[0]} was read as {parameter}")
        return Normalised(meant, tuple(warnings))

    return rename


def replaced(name: str, old: Any, new: Any, *, when: Callable[[Mapping[str, Any]], bool]) -> Normaliser:
    """A normaliser for the value `old` of a parameter that can only mean `new` when the other arguments say so."""

    def replace(arguments: Mapping[str, Any]) -> Normalised:
        if arguments.get(name) != old or not when(arguments):
            return Normalised(dict(arguments))
        return Normalised({**arguments, name: new}, (f"{name} {old!r} was read as {new!r}",))

    return replace


def _declared(spec: ToolSpec) -> dict[str, Any]:
    return spec.parameters.get("properties", {})


def _spelled(arguments: Mapping[str, Any], known: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
    """The arguments by the names that the tool declares, where a name differs in case and punctuation only."""
    spelled: dict[str, Any] = {}
    for name, value in arguments.items():
        meant = name
        if name not in known:
            like = [other for other in known if _folded(other) == _folded(name) and other not in arguments]
            meant = like[0] if len(like) == 1 and like[0] not in spelled else name
        if meant != name:
            warnings.append(f"{name} was read as {meant}")
        spelled[meant] = value
    return spelled


def _read(name: str, value: Any, schema: Any, warnings: list[str]) -> Any:
    """A list or an object that was written as JSON text, read, where the schema wants nothing but one."""
    match schema:
        case {"type": "array"}:
            wanted = list
        case {"type": "object"}:
            wanted = dict
        case _:
            return value
    if not isinstance(value, str):
        return value
    try:
        read = read_json(value)
    except ValueError:
        return value
    if not isinstance(read, wanted):
        return value
    warnings.append(f"{name} was given as text and read as JSON")
    return cast("Any", read)


def _folded(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
