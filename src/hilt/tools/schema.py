"""From a function's parameters to the JSON Schema that a model reads and the validator that its arguments pass.

The two differ on purpose. The schema is what a small model must learn from, so it holds nothing but names, types,
descriptions and defaults; the validator is strict about unknown names, and says in words what is wrong.
"""

from typing import Annotated, Any, Protocol, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

JsonSchema: TypeAlias = dict[str, Any]

_MAX_SHOWN_CHARS = 80


class SchemaCheck(Protocol):
    """Checks arguments against a JSON Schema."""

    def value_faults(self, value: Any) -> tuple[str, ...]:
        """A sentence for each fault; none if the arguments are valid."""
        ...


Arguments: TypeAlias = type[BaseModel] | SchemaCheck


def arguments_model(name: str, parameters: dict[str, tuple[Any, Any]]) -> type[BaseModel]:
    """A model with one field a parameter, given as name -> (annotation, default or Ellipsis).

    A field's alias is the parameter's name, and its own name has an underscore more, so that no parameter can shadow
    an attribute of the model.
    """
    fields: dict[str, Any] = {
        f"{parameter}_": (Annotated[annotation, Field(alias=parameter)], default)
        for parameter, (annotation, default) in parameters.items()
    }
    return create_model(name, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields)


def parameters_schema(model: type[BaseModel]) -> JsonSchema:
    """The JSON Schema (type object) that the model is shown: no titles, and an optional parameter is a plain one."""
    drawn = model.model_json_schema()
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
