"""Sets of characters, as ranges of code points, and how a pattern writes them so that every reader agrees."""

from collections.abc import Sequence
from typing import TypeAlias

Range: TypeAlias = tuple[int, int]
CodePoints: TypeAlias = tuple[Range, ...]
"""The first and the last code point of each range."""

LAST = 0x10FFFF
DIGITS: CodePoints = ((0x30, 0x39),)
WORD: CodePoints = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACE: CodePoints = (
    (0x09, 0x0D),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
)
LINE_ENDS: CodePoints = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))


def only(code: int) -> CodePoints:
    """One code point alone."""
    return ((code, code),)


def others(points: CodePoints) -> CodePoints:
    """All code points but these."""
    gaps: list[Range] = []
    start = 0
    for low, high in _merged(points):
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    return (*gaps, (start, LAST)) if start <= LAST else tuple(gaps)


def class_text(points: CodePoints, properties: Sequence[str] = (), *, negated: bool = False) -> str:
    r"""Any of some characters in a pattern: those of `points` and of properties like `\p{L}`, or all but these.

    Empty if no character belongs to it.
    """
    if properties:
        alone = len(properties) == 1 and not points and not negated
        return properties[0] if alone else f"[{'^' * negated}{_ranges_text(points)}{''.join(properties)}]"
    merged = _merged(others(points) if negated else points)
    if not merged:
        return ""
    if merged == [(0, LAST)]:
        return r"[\s\S]"
    if len(merged) == 1 and merged[0][0] == merged[0][1]:
        return char_text(merged[0][0])
    if merged[-1][1] == LAST:
        return f"[^{_ranges_text(others(tuple(merged)))}]"
    return f"[{_ranges_text(tuple(merged))}]"


def char_text(code: int) -> str:
    """One character in a pattern, in brackets or outside of them."""
    char = chr(code)
    if char.isascii() and (char.isalnum() or char in " !\"%',/:;<=>@_`"):
        return char
    if 0x20 < code < 0x7F:
        return "\\" + char
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\u{{{code:X}}}"


def _ranges_text(points: CodePoints) -> str:
    return "".join(
        char_text(low) if low == high else f"{char_text(low)}{'-' if high > low + 1 else ''}{char_text(high)}"
        for low, high in _merged(points)
    )


def _merged(points: CodePoints) -> list[Range]:
    merged: list[Range] = []
    for low, high in sorted(points):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged
