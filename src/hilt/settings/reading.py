"""Settings from files and variables: text in, options out.

The user's own file may set everything. The file of a project comes with the project, which somebody else may have
written; so it may choose a way of working and forbid more, and nothing in it lets a model do what the user's own file
does not. Variables of the environment come last.
"""

import difflib
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_type_hints

import msgspec
from msgspec import structs

from hilt.conversation import InvalidRequest
from hilt.settings.options import PolicyOptions, Settings

PREFIX = "HILT_"
PROJECT_KEYS = frozenset(
    {
        "agent.*",
        "routing.*",
        "policy.deny",
        "policy.ask",
        "policy.dry_run",
        "policy.local_only",
        "tools.enabled",
        "tools.offered",
    }
)

_NEXT = re.compile(r",(?![^(]*\))")


def settings_from(
    defaults: Settings, *, user: tuple[str, str] | None, project: tuple[str, str] | None, environment: Mapping[str, str]
) -> Settings:
    """The settings that the user's file, the project's file (each its name and text, None where there is none) and the
    environment make of the defaults.

    Raises InvalidRequest, naming the file or the variable and the key, for what can't be read or is no setting.
    """
    settings = defaults
    if user is not None:
        settings = _with(settings, _file_values(*user), strict=True)
    if project is not None:
        settings = _narrowed(settings, _project_values(*project))
    return _with(settings, dict(_environment_values(environment)), strict=False)


def setting_names() -> list[tuple[str, str]]:
    """Every setting as its section and its key."""
    return [
        (section.name, field.name)
        for section in structs.fields(Settings)
        for field in structs.fields(get_type_hints(Settings)[section.name])
    ]


def variable(section: str, key: str) -> str:
    """The variable of the environment for a setting."""
    return f"{PREFIX}{section}_{key}".upper()


def _file_values(name: str, text: str) -> dict[tuple[str, str], tuple[str, Any]]:
    """The values in a file by section and key, each with where it stands."""
    try:
        read = tomllib.loads(text)
    except (ValueError, RecursionError) as fault:
        raise InvalidRequest(f"{name} is no TOML: {fault}") from None
    found: dict[tuple[str, str], tuple[str, Any]] = {}
    known = setting_names()
    for section, values in read.items():
        if not isinstance(values, dict):
            raise InvalidRequest(f"{name}: {section!r} stands outside of a section such as [agent]")
        for key, value in cast("dict[str, Any]", values).items():
            if (section, key) not in known:
                raise InvalidRequest(f"{name}: there is no setting {section}.{key}{_meant(f'{section}.{key}')}")
            found[section, key] = f"{name}: {section}.{key}", value
    return found


def _project_values(name: str, text: str) -> dict[tuple[str, str], tuple[str, Any]]:
    values = _file_values(name, text)
    for section, key in values:
        if not {f"{section}.{key}", f"{section}.*"} & PROJECT_KEYS:
            raise InvalidRequest(
                f"{name}: {section}.{key} may stand only in your own configuration, because this file comes with the"
                " project"
            )
    return values


def _environment_values(environment: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], tuple[str, Any]]]:
    for section, key in setting_names():
        name = variable(section, key)
        text = environment.get(name)
        if text is not None:
            yield (section, key), (name, _value(name, text, _kind(section, key)))


def _value(name: str, text: str, kind: Any) -> Any:
    """A text of the environment: JSON where a list or a table may stand, else a list at its commas, else itself."""
    container = getattr(kind, "__origin__", None)
    if container not in (tuple, dict):
        return text
    if text.lstrip().startswith(("[", "{")):
        try:
            return msgspec.json.decode(text)
        except (ValueError, RecursionError) as fault:
            raise InvalidRequest(f"{name} is no JSON: {fault}") from None
    if container is dict:
        raise InvalidRequest(f'{name} must be a JSON object, such as {{"name": "value"}}')
    return [piece.strip() for piece in _NEXT.split(text) if piece.strip()]


def _kind(section: str, key: str) -> Any:
    return get_type_hints(get_type_hints(Settings)[section], include_extras=True)[key]


def _with(settings: Settings, values: Mapping[tuple[str, str], tuple[str, Any]], *, strict: bool) -> Settings:
    changed: dict[str, dict[str, Any]] = {}
    for (section, key), (where, value) in values.items():
        changed.setdefault(section, {})[key] = _converted(where, value, _kind(section, key), strict=strict)
    sections = {section: structs.replace(getattr(settings, section), **keys) for section, keys in changed.items()}
    return structs.replace(settings, **sections)


def _converted(where: str, value: Any, kind: Any, *, strict: bool) -> Any:
    try:
        converted = msgspec.convert(value, kind, strict=strict, dec_hook=_path)
    except (ValueError, RecursionError) as fault:
        raise InvalidRequest(f"{where}: {str(fault)[:1].lower()}{str(fault)[1:]}") from None
    if isinstance(converted, float) and not math.isfinite(converted):
        raise InvalidRequest(f"{where}: expected a finite number, got {converted}")
    return converted


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str) and value and "\0" not in value:
        try:
            return Path(value).expanduser()
        except RuntimeError:
            raise msgspec.ValidationError(f"There is no home folder for {value!r}") from None
    raise msgspec.ValidationError(f"Expected {kind.__name__.lower()}, got {value!r}")


def _narrowed(settings: Settings, values: dict[tuple[str, str], tuple[str, Any]]) -> Settings:
    """The settings with those of a project, which add to what is forbidden and take nothing from it."""
    asked = _with(settings, values, strict=True)
    before, after = settings.policy, asked.policy
    offered = asked.tools.offered
    if settings.tools.offered and ("tools", "offered") in values:
        offered = (
            tuple(name for name in asked.tools.offered if name in settings.tools.offered) or settings.tools.offered
        )
    policy = PolicyOptions(
        deny=tuple(dict.fromkeys((*before.deny, *after.deny))),
        ask=tuple(dict.fromkeys((*before.ask, *after.ask))),
        allow=before.allow,
        dry_run=before.dry_run or after.dry_run,
        local_only=before.local_only or after.local_only,
    )
    tools = structs.replace(asked.tools, offered=offered, enabled=settings.tools.enabled and asked.tools.enabled)
    return structs.replace(asked, policy=policy, tools=tools)


def _meant(name: str) -> str:
    like = difflib.get_close_matches(name, [f"{section}.{key}" for section, key in setting_names()], n=1)
    return f"; did you mean {like[0]}?" if like else ""
