"""The final check of a finished call against the whole schema, faults said so that a model can mend them."""

from functools import partial
from typing import Any

import jsonschema_rs
import msgspec

from hilt.grammar.keywords import Schema, step
from hilt.grammar.schemas.formats import FORMATS, has_format

MAX_FAULTS = 5
_MAX_MESSAGE_CHARS = 300
_BACKTRACKS = 100_000
_MAX_DEPTH = 20
_FORMAT_CHECKS: dict[str, Any] = {name: partial(has_format, name) for name in FORMATS}
_PATTERN_OPTIONS = jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS)


def validator(schema: Schema) -> jsonschema_rs.Draft202012Validator:
    """A validator of a plain schema, with the ten formats asserted and nothing fetched.

    Raises jsonschema_rs.ValidationError for a pattern that can't be run. Patterns run in linear time, those with
    look-around or references back with a bounded number of steps.
    """
    return jsonschema_rs.Draft202012Validator(
        schema,
        validate_formats=True,
        formats=_FORMAT_CHECKS,
        offline=True,
        pattern_options=_PATTERN_OPTIONS,
    )


class Check:
    """The check of one plain schema (`Prepared.schema`), compiled once; `whole` is what faults call the whole value."""

    def __init__(self, schema: Schema, whole: str = "the arguments") -> None:
        self._validator = validator(schema)
        self._whole = whole

    def faults(self, arguments: str) -> tuple[str, ...]:
        """What is wrong with `arguments`, a JSON text: at most five sentences, none if they are valid.

        Each reads "at /a/b: 3 is less than the minimum of 5"; the place is a JSON pointer, "the arguments" the whole.
        """
        try:
            value = msgspec.json.decode(arguments)
        except (msgspec.MsgspecError, RecursionError) as error:
            return (f"{self._whole} can't be read as JSON: {error}",)
        return self.value_faults(value)

    def value_faults(self, value: Any) -> tuple[str, ...]:
        """The same for a value that was decoded already."""
        if self._validator.is_valid(value):
            return ()
        faults: list[str] = []
        for error in self._validator.iter_errors(value):
            faults.append(_fault(error, self._whole))
            if len(faults) == MAX_FAULTS:
                break
        return tuple(faults)


def _fault(error: jsonschema_rs.ValidationError, whole: str) -> str:
    """The fault, followed into the branch of an `anyOf` or `oneOf` that came nearest."""
    for _ in range(_MAX_DEPTH):
        kind = error.kind
        if not isinstance(
            kind, jsonschema_rs.ValidationErrorKind.AnyOf | jsonschema_rs.ValidationErrorKind.OneOfNotValid
        ):
            break
        branches = [branch for branch in kind.context if branch]
        if not branches:
            break
        error = min(branches, key=_distance)[0]
    place = ""
    for token in error.instance_path:
        place = step(place, token)
    message = error.message
    if len(message) > _MAX_MESSAGE_CHARS:
        half = _MAX_MESSAGE_CHARS // 2
        message = f"{message[:half]} … {message[-half:]}"
    return f"at {place or whole}: {message}"


def _distance(branch: list[jsonschema_rs.ValidationError]) -> tuple[int, int]:
    """Deeper first faults come first: a value of the wrong type is the farthest."""
    return (-min(len(error.instance_path) for error in branch), len(branch))
