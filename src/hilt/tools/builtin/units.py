"""Conversion between units of measurement."""

import difflib
import functools
import math
import re
from collections.abc import Callable
from typing import Annotated, Protocol, cast

from msgspec import Struct
from pydantic import Field

from hilt.tools.tool import Tool, tool

_SIGNIFICANT_DIGITS = 12
_OFFSET_DECIMALS = 9
_MAX_UNIT_CHARS = 80
_MAX_FACTORS = 8

# One factor of a unit: a name, which may have several words, and a small exponent. That is all that reaches pint,
# whose own reader would work out any arithmetic it is given.
_FACTOR = re.compile(
    r"(?P<name>[^\W\d][\w]*(?: [^\W\d][\w]*)*|°[A-Za-z]|[%°])(?:\s*(?:\^|\*\*)?\s*(?P<power>-?[1-9]))?\Z"
)
_SPELLINGS = str.maketrans({"²": "^2", "³": "^3", "·": "*", "⋅": "*", "×": "*", "µ": "μ", "_": " ", "÷": "/"})
_TEMPERATURE_LETTERS = {"C": "degree_Celsius", "F": "degree_Fahrenheit", "K": "kelvin"}
_OFFSET_SCALES = {"degree_Celsius", "degree_Fahrenheit"}
_ALIASES = {
    "%": "percent",
    "°": "degree",
    "kmh": "kilometer_per_hour",
    "kmph": "kilometer_per_hour",
    "hrs": "hour",
    "mins": "minute",
    "secs": "second",
    "kb": "kilobyte",
    "degrees celsius": "degree_Celsius",
    "degrees c": "degree_Celsius",
    "degree c": "degree_Celsius",
    "centigrade": "degree_Celsius",
    "degrees fahrenheit": "degree_Fahrenheit",
    "degrees f": "degree_Fahrenheit",
    "degree f": "degree_Fahrenheit",
    "degrees kelvin": "kelvin",
    "fl oz": "fluid_ounce",
    "us gallon": "gallon",
    "us gallons": "gallon",
    "sq ft": "square_foot",
    "sqft": "square_foot",
    "cu ft": "cubic_foot",
    "sq m": "meter ** 2",
    "sqm": "meter ** 2",
    "sq km": "kilometer ** 2",
    "sq mi": "mile ** 2",
    "mpg": "mile / gallon",
    "kph": "kilometer_per_hour",
}


class Conversion(Struct, frozen=True):
    """`value` of one unit is `result` of the other, to 12 significant digits."""

    value: float
    from_unit: str
    to_unit: str
    result: float


def unit_tools() -> tuple[Tool, ...]:
    """The converter. pint and its table of units are loaded at the first call."""
    convert = converter()

    @tool(effect="read")
    def convert_units(
        value: Annotated[float, Field(description="The value to convert.")],
        from_unit: Annotated[str, Field(description="The unit of the value, such as mile.")],
        to_unit: Annotated[str, Field(description="The unit to convert to, such as kilometer.")],
    ) -> Conversion:
        """Convert a value from one unit of measurement to another."""
        return Conversion(value, from_unit.strip(), to_unit.strip(), convert(value, from_unit.strip(), to_unit.strip()))

    return (convert_units,)


class Units(Protocol):
    """What is used of pint's registry, whose own types are too open to check."""

    def get_name(self, name_or_alias: str) -> str: ...

    def convert(self, value: float, src: str, dst: str) -> float: ...


def converter() -> Callable[[float, str, str], float]:
    """A function (value, from_unit, to_unit) -> result, to 12 significant digits. It may be called from any thread.

    It raises ValueError, in words for the model, for an unknown unit (naming close ones), for units that measure
    different things, and for results beyond a double.
    """

    @functools.cache
    def units() -> Units:
        from pint import UnitRegistry  # half a second, so not before it is needed

        return cast("Units", UnitRegistry())

    def convert(value: float, from_unit: str, to_unit: str) -> float:
        from pint import DimensionalityError

        letters = {from_unit, to_unit} <= _TEMPERATURE_LETTERS.keys()
        source = _unit(units(), from_unit, letters=letters)
        target = _unit(units(), to_unit, letters=letters)
        try:
            result = float(units().convert(value, source, target))
        except DimensionalityError as fault:
            raise ValueError(
                f"{from_unit!r} measures {_measured(fault.dim1)} and {to_unit!r} measures {_measured(fault.dim2)}, so "
                "one can't become the other"
            ) from None
        except OverflowError:
            raise ValueError("the result is too large") from None
        if not math.isfinite(result):
            raise ValueError("the result is too large")
        return _rounded(result, offset=bool({source, target} & _OFFSET_SCALES))

    return convert


def _rounded(result: float, *, offset: bool) -> float:
    """A scale with an offset subtracts, so near its zero only the decimals say how much is noise."""
    rounded = float(f"{result:.{_SIGNIFICANT_DIGITS}g}")
    return round(rounded, _OFFSET_DECIMALS) + 0.0 if offset else rounded


def _measured(dimension: object) -> str:
    return str(dimension).replace("[", "").replace("]", "")


def _unit(units: Units, text: str, *, letters: bool) -> str:
    """The unit in pint's notation, built from nothing but names that pint knows and small exponents."""
    if not text or len(text) > _MAX_UNIT_CHARS:
        raise ValueError(f"a unit needs 1 to {_MAX_UNIT_CHARS} characters, such as kilometer or mile/hour")
    if letters:
        return _TEMPERATURE_LETTERS[text]
    spelt = " ".join(text.translate(_SPELLINGS).replace(" per ", " / ").split())
    pieces = re.split(r"\s*(/|(?<!\*)\*(?!\*))\s*", spelt)
    if len(pieces) > 2 * _MAX_FACTORS:
        raise ValueError(f"{text!r} has more than {_MAX_FACTORS} factors")
    return " ".join(piece if piece in ("/", "*") else _factor(units, piece, text) for piece in pieces)


def _factor(units: Units, piece: str, text: str) -> str:
    match = _FACTOR.fullmatch(piece)
    if match is None:
        raise ValueError(f"{text!r} can't be read as a unit; write it like kilometer, mile/hour or meter^2")
    name, power = match["name"], match["power"] or "1"
    for word, exponent in (("square ", 2), ("cubic ", 3)):
        if name.lower().startswith(word):
            name, power = name[len(word) :], str(exponent * int(power))
    known = _name(units, name, text)
    return known if power == "1" and known.isidentifier() else f"({known}) ** {power}"


def _name(units: Units, name: str, text: str) -> str:
    """A name that pint knows, trying the aliases above, words joined, other cases, and a digit at the end as power."""
    if name.lower() in _ALIASES:
        return _ALIASES[name.lower()]
    joined = name.replace(" ", "_")
    known = _known(units, joined) or _known(units, joined.lower())
    if known is not None:
        return known
    squared = _known(units, joined[:-1]) if joined[-1] in "23" else None
    if squared is not None:
        return f"{squared} ** {joined[-1]}"
    listed = difflib.get_close_matches(joined.lower(), dir(units), n=6)
    near = [close for close in listed if close.isascii() and close[0].isalpha() and _known(units, close)]
    hint = f"; did you mean {' or '.join(near[:3])}?" if near else "; use a plain name such as kilometer"
    whole = "" if name == text else f" in {text!r}"
    raise ValueError(f"there is no unit named {name!r}{whole}{hint}")


def _known(units: Units, name: str) -> str | None:
    """The full name of a unit, or None."""
    try:
        return units.get_name(name) or "dimensionless"
    except (AttributeError, TypeError):  # pint's errors for unknown units, and for prefixes before a temperature scale
        return None
