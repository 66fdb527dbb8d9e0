"""The numbers that a schema allows, exactly: bounds and multiples as fractions, and what of them a grammar can hold.

llguidance keeps bounds in 64-bit floats and multiples as a decimal that it finds by multiplying by ten, so that a
bound beyond 2**53 or a multiple such as 0.07 would be held wrongly. Those are left to the final check.
"""

import math
from fractions import Fraction
from typing import Any

from msgspec import Struct

_LARGEST = 2**53
_MOST_DECIMALS = 17
_LARGEST_MULTIPLE = 10_000


class Numbers(Struct, frozen=True):
    """The numbers between two bounds, if there are, that are a multiple of `multiple`, if there is one."""

    integer: bool
    low: Fraction | None = None
    low_excluded: bool = False
    high: Fraction | None = None
    high_excluded: bool = False
    multiple: Fraction | None = None


def numbers_of(keywords: dict[str, Any], *, integer: bool) -> Numbers:
    """The numbers that a schema's keywords allow."""
    every = Numbers(integer)
    parts = [every]
    if "minimum" in keywords:
        parts.append(Numbers(integer, low=_exact(keywords["minimum"])))
    if "exclusiveMinimum" in keywords:
        parts.append(Numbers(integer, low=_exact(keywords["exclusiveMinimum"]), low_excluded=True))
    if "maximum" in keywords:
        parts.append(Numbers(integer, high=_exact(keywords["maximum"])))
    if "exclusiveMaximum" in keywords:
        parts.append(Numbers(integer, high=_exact(keywords["exclusiveMaximum"]), high_excluded=True))
    if "multipleOf" in keywords:
        parts.append(Numbers(integer, multiple=_exact(keywords["multipleOf"])))
    for part in parts[1:]:
        every = both(every, part)
    return every


def both(a: Numbers, b: Numbers) -> Numbers:
    """The numbers that are in `a` and in `b`."""
    low, low_excluded = max(((n.low, n.low_excluded) for n in (a, b) if n.low is not None), default=(None, False))
    high, high_excluded = min(
        ((n.high, not n.high_excluded) for n in (a, b) if n.high is not None), default=(None, True)
    )
    multiple = a.multiple or b.multiple
    if a.multiple and b.multiple:
        multiple = _common_multiple(a.multiple, b.multiple)
    return Numbers(a.integer or b.integer, low, low_excluded, high, not high_excluded, multiple)


def held(numbers: Numbers) -> tuple[dict[str, Any] | bool, tuple[str, ...]]:
    """The node of these numbers (False if there are none) and the keywords that a grammar can't hold."""
    if numbers.integer:
        numbers = _whole(numbers)
    if _empty(numbers):
        return False, ()
    node: dict[str, Any] = {"type": "integer" if numbers.integer else "number"}
    lost: list[str] = []
    for bound, excluded, word, exclusive in (
        (numbers.low, numbers.low_excluded, "minimum", "exclusiveMinimum"),
        (numbers.high, numbers.high_excluded, "maximum", "exclusiveMaximum"),
    ):
        if bound is None:
            continue
        if (written := _written(bound)) is None:
            lost.append(word)
        else:
            node[exclusive if excluded else word] = written
    if numbers.multiple is not None:
        if _multiple_holds(numbers) and "minimum" not in lost and "maximum" not in lost:
            node["multipleOf"] = _written(numbers.multiple)
        else:
            lost.append("multipleOf")
    return node, tuple(lost)


def plainly_written(value: float) -> bool:
    """Whether a grammar can hold this one number."""
    return _written(_exact(value)) is not None


def _exact(value: float) -> Fraction:
    return Fraction(value) if isinstance(value, int) else Fraction(repr(value))


def _common_multiple(a: Fraction, b: Fraction) -> Fraction:
    return Fraction(math.lcm(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)


def _whole(numbers: Numbers) -> Numbers:
    """The same integers, with bounds that are integers of the set and included."""
    step = 1 if numbers.multiple is None else _common_multiple(numbers.multiple, Fraction(1)).numerator
    low = high = None
    if numbers.low is not None:
        low = math.floor(numbers.low / step) + 1 if numbers.low_excluded else math.ceil(numbers.low / step)
    if numbers.high is not None:
        high = math.ceil(numbers.high / step) - 1 if numbers.high_excluded else math.floor(numbers.high / step)
    return Numbers(
        True,
        low=None if low is None else Fraction(low * step),
        high=None if high is None else Fraction(high * step),
        multiple=None if step == 1 else Fraction(step),
    )


def _empty(numbers: Numbers) -> bool:
    low, high, multiple = numbers.low, numbers.high, numbers.multiple
    if low is None or high is None:
        return False
    if low > high or (low == high and (numbers.low_excluded or numbers.high_excluded)):
        return True
    if multiple is None:
        return False
    first = math.floor(low / multiple) + 1 if numbers.low_excluded else math.ceil(low / multiple)
    return first * multiple > high or (first * multiple == high and numbers.high_excluded)


def _written(number: Fraction) -> float | None:
    """The number as it is written into the schema, None if it would be read as another."""
    if number.denominator == 1:
        return number.numerator if abs(number.numerator) <= _LARGEST else None
    value = float(number)
    if abs(value) > _LARGEST or _exact(value) != number:
        return None
    return value if (number * 10**_MOST_DECIMALS).denominator == 1 and "e" not in repr(value) else None


def _multiple_holds(numbers: Numbers) -> bool:
    """Whether llguidance reads the multiple as it is meant, and doesn't take the set for empty by rounding."""
    multiple = numbers.multiple
    if multiple is None or _written(multiple) is None:
        return False
    value, places = float(multiple), 0
    while value % 1 and places < _MOST_DECIMALS:
        value, places = value * 10, places + 1
    if value % 1 or value > _LARGEST_MULTIPLE or Fraction(int(value), 10**places) != multiple:
        return False
    if numbers.low is None or numbers.high is None:
        return True
    step, low, high = float(multiple), float(numbers.low), float(numbers.high)
    first, last = math.ceil(low / step) * step, math.floor(high / step) * step
    first += step if numbers.low_excluded and first == low else 0
    last -= step if numbers.high_excluded and last == high else 0
    return first <= last
