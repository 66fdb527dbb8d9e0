"""From a function's parameters to the JSON Schema that a model reads and the validator that its arguments pass.

The two differ on purpose. The schema is what a small model must learn from, so it holds nothing but names, types,
descriptions and defaults; the validator is strict about unknown names, and says in words what is wrong.
"""

import json
from typing import Annotated, Any, Protocol, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model
from pydantic_core import to_jsonable_python

JsonSchema: TypeAlias = dict[str, Any]

_MAX_SHOWN_CHARS = 80
# Kinds of pydantic's core schema whose values don't outlive being shown, or can't be shown.
_UNFIT = {
    "generator": "is an Iterable, which can be read only once; make it a list",
    "is-subclass": "is a class, which JSON can't name",
}


class SchemaCheck(Protocol):
    """Checks arguments against a JSON Schema."""

    def value_faults(self, value: Any) -> tuple[str, ...]:
        """A sentence for each fault; none if the arguments are valid."""
        ...


Arguments: TypeAlias = type[BaseModel] | SchemaCheck


def arguments_model(name: str, parameters: dict[str, tuple[Any, Any]]) -> type[BaseModel]:
    """A model with one field a parameter, given as name -> (annotation, default or Ellipsis).

    A field's alias is the parameter's name, and its own name has a prefix, so that no parameter can shadow an attribute
    of the model. Raises TypeError for a parameter whose values have no JSON form.
    """
    for parameter, (_, default) in parameters.items():
        _check_default(name, parameter, default)
    fields: dict[str, Any] = {
        f"given_{parameter}": (Annotated[annotation, Field(alias=parameter)], default)
        for parameter, (annotation, default) in parameters.items()
    }
    try:
        model = create_model(name, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields)
    except PydanticUserError as fault:
        raise TypeError(f"{name}: {_refused(fault)}") from None
    for kind, why in _UNFIT.items():
        if _holds(model.__pydantic_core_schema__, kind):
            raise TypeError(f"{name}: a parameter {why}")
    return model


def parameters_schema(model: type[BaseModel]) -> JsonSchema:
    """The JSON Schema (type object) that the model is shown: no titles, and an optional parameter is a plain one.
    Raises TypeError for a type that has none."""
    try:
        drawn = model.model_json_schema()
    except PydanticUserError as fault:
        raise TypeError(f"{model.__name__}: {_refused(fault)}") from None
    if '"writeOnly": true' in json.dumps(drawn):
        raise TypeError(
            f"{model.__name__}: a parameter is a secret, which nobody who is asked could see; make it a str"
        )
    shown: JsonSchema = {
        "type": "object",
        "properties": {name: _plain(schema) for name, schema in drawn.get("properties", {}).items()},
        "required": drawn.get("required", []),
    }
    if "$defs" in drawn:
        shown["$defs"] = {name: _plain(schema) for name, schema in drawn["$defs"].items()}
    return shown


def validated(model: Arguments, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as typed Python values, defaults filled in, by parameter name; as they are where a JSON Schema
    checks them.

    A null for an optional parameter counts as left out. Raises ValueError with one sentence a fault, each naming its
    field.
    """
    if not isinstance(model, type):
        return _checked(model, arguments)
    optional = {field.alias for field in model.model_fields.values() if not field.is_required()}
    given = {name: value for name, value in arguments.items() if value is not None or name not in optional}
    try:
        checked = model.model_validate(given)
    except ValidationError as faults:
        raise ValueError(_sentence(model, faults)) from None
    return {str(field.alias): getattr(checked, name) for name, field in model.model_fields.items()}


def canonical(arguments: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The validated arguments as JSON values, and as the one JSON text that always stands for them. Raises ValueError
    or RecursionError for those that have no JSON form."""
    plain = {name: to_jsonable_python(_in_order(value)) for name, value in arguments.items()}
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True, allow_nan=False)
    text.encode()
    return plain, text


def _in_order(value: Any) -> Any:
    """The value with its sets as lists: a set has another order in every process."""
    match value:
        case set() | frozenset():
            members = [to_jsonable_python(_in_order(member)) for member in cast("set[Any]", value)]
            return sorted(members, key=lambda member: json.dumps(member, sort_keys=True))
        case list() | tuple() if not hasattr(cast("object", value), "_fields"):
            return [_in_order(member) for member in cast("list[Any]", value)]
        case dict():
            return {key: _in_order(member) for key, member in cast("dict[Any, Any]", value).items()}
        case _:
            return value


def _check_default(name: str, parameter: str, default: Any) -> None:
    if default is ...:
        return
    try:
        canonical({parameter: default})
    except (ValueError, RecursionError) as fault:
        raise TypeError(f"{name}: the default of {parameter} has no JSON form: {_first_line(fault)}") from None


def _refused(fault: PydanticUserError) -> str:
    return f"{_first_line(fault).split('. ', 1)[0]}; take plain types, dataclasses, enums or pydantic models"


def _holds(schema: Any, kind: str) -> bool:
    """Whether there is a part of this kind in a core schema."""
    match schema:
        case dict():
            parts = cast("dict[str, Any]", schema)
            return parts.get("type") == kind or any(_holds(part, kind) for part in parts.values())
        case list() | tuple():
            return any(_holds(part, kind) for part in cast("list[Any]", schema))
        case _:
            return False


def _first_line(fault: BaseException) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0]


def coerced(model: Arguments, given: dict[str, Any], checked: dict[str, Any]) -> tuple[str, ...]:
    """A sentence for each argument that was `given` as a value of another type than it was taken for."""
    if not isinstance(model, type):
        return ()
    said: list[str] = []
    for field in model.model_fields.values():
        name = str(field.alias)
        before, after = given.get(name), checked[name]
        if isinstance(before, str) != isinstance(after, str) and isinstance(after, str | bool | int | float):
            said.append(f"{name} {_shown(before)} was read as {after!r}")
    return tuple(said) if given else ()


def _checked(check: SchemaCheck, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments, without the nulls if they are valid only so."""
    faults = check.value_faults(arguments)
    if not faults:
        return arguments
    given = {name: value for name, value in arguments.items() if value is not None}
    if len(given) < len(arguments) and not check.value_faults(given):
        return given
    raise ValueError("; ".join(faults))


def _plain(schema: JsonSchema) -> JsonSchema:
    """One schema without titles and nulls, its type and description first."""
    kept = {
        key: _inside(key, value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))
    }
    if kept.get("default", ...) is None:
        del kept["default"]
    match kept:
        case {"anyOf": [other, {"type": "null"}]}:
            del kept["anyOf"]
            kept = {**cast("JsonSchema", other), **kept}
        case _:
            pass
    first = {key: kept[key] for key in ("type", "description") if key in kept}
    return {**first, **kept}


def _inside(key: str, value: Any) -> Any:
    """Clean the schemas within a schema; what stands under any other key is a value and stays as it is."""
    if key in ("items", "additionalProperties") and isinstance(value, dict):
        return _plain(cast("JsonSchema", value))
    if key in ("anyOf", "allOf", "oneOf", "prefixItems"):
        return [_plain(option) for option in value]
    if key == "properties":
        return {name: _plain(option) for name, option in value.items()}
    return value


def _sentence(model: type[BaseModel], faults: ValidationError) -> str:
    names = [str(field.alias) for field in model.model_fields.values()]
    takes = f"the tool takes {', '.join(names)}" if names else "the tool takes none"
    said: list[str] = []
    for fault in faults.errors(include_url=False, include_context=False):
        place = ".".join(str(step) for step in fault["loc"])
        match fault["type"]:
            case "missing":
                said.append(f"{place}: this parameter is required")
            case "extra_forbidden":
                said.append(f"{place}: there is no such parameter; {takes}")
            case _:
                said.append(f"{place}: {fault['msg']}, got {_shown(fault['input'])}")
    return "; ".join(said)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}…"
