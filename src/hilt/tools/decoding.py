"""The strict reading of a call's arguments: JSON that two readers could understand differently is refused."""

import json
import math
from typing import Any, NoReturn, cast

_MAX_DIGITS = 1000


def decode_arguments(text: str) -> dict[str, Any]:
    """The one JSON object in `text`. Raises ValueError, in words for the model, for what `read_json` refuses or is no
    object."""
    value = read_json(text)
    if not isinstance(value, dict):
        raise ValueError("the arguments must be one JSON object, such as {}")  # noqa: TRY004 - the model's mistake
    return cast("dict[str, Any]", value)


def read_json(text: str) -> Any:
    """The JSON value in `text`.

    Raises ValueError, in words for the model, for broken JSON, a key given twice at any depth, NaN or Infinity, numbers
    too large for a double or too long to read, half of a surrogate pair, nesting too deep.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_short
        )
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as fault:
        raise ValueError(f"the arguments are not valid JSON: {fault.msg} at character {fault.pos}") from None
    except UnicodeEncodeError:
        raise ValueError("the arguments hold half of a surrogate pair, which is no character") from None
    except RecursionError:
        raise ValueError("the arguments are nested too deeply") from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the arguments hold the key {key!r} twice")
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"the arguments hold {name}, which is no JSON")


def _short(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"the arguments hold a number of {len(text)} digits, which is too long")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the arguments hold the number {text[:40]}, which is too large")
    return value
