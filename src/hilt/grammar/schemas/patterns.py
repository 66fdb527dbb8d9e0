r"""A `pattern` of JSON Schema is written again in the few words that every reader of patterns takes alike.

JSON Schema's patterns are ECMA-262's and match anywhere in the text. Engines differ in what `.`, `\s`, `\d`, `$` and
class brackets mean, so the pattern is parsed here and written out again: anchored at both ends, groups that capture
nothing, classes of explicit code points, and neither lazy repetitions nor flags. What a regular language can't say
(look-around, references back, word boundaries) is reported and left to the final check.
"""

from typing import TypeAlias

from msgspec import Struct

from hilt.grammar.schemas.code_points import (
    DIGITS,
    LAST,
    LINE_ENDS,
    SPACE,
    WORD,
    CodePoints,
    Range,
    char_text,
    class_text,
    only,
    others,
)

MAX_PATTERN_CHARS = 4096
MAX_EXPANDED_SIZE = 20_000
"""The most characters and classes in a pattern once its counted repetitions are written out."""
MAX_GROUP_SIZE = 2_000
"""The same for a repetition of more than one character: engines build states for these as they run."""
_MAX_GROUPS = 64
_ANY = r"[\s\S]*"
_CLASSES = {"d": DIGITS, "w": WORD, "s": SPACE}
_CONTROLS = {"f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}


class Plain(Struct, frozen=True):
    """The pattern as every engine reads it, anchored at both ends: `^(?:…)$`."""

    text: str


class Beyond(Struct, frozen=True):
    """The pattern asks for something outside the common words, or isn't ECMA's; `reason` says what."""

    reason: str


class TooLarge(Struct, frozen=True):
    """The pattern would cost too much to run; `reason` says why."""

    reason: str


Reading: TypeAlias = Plain | Beyond | TooLarge


class _Text(Struct, frozen=True):
    """A part of the pattern that is written out; `size` counts its characters and classes."""

    text: str
    size: int


class _Anchor(Struct, frozen=True):
    at_start: bool


class _Group(Struct, frozen=True):
    branches: "list[list[_Term]]"


_Term: TypeAlias = _Text | _Anchor | _Group


class _Beyond(Exception):
    """Carries the reason of a Beyond out of the parser."""


class _TooLarge(Exception):
    """Carries the reason of a TooLarge out of the parser."""


def read_pattern(pattern: str) -> Reading:
    """Read an ECMA-262 pattern (flag `u`, and what people write without it); linear in its length."""
    if len(pattern) > MAX_PATTERN_CHARS:
        return TooLarge(f"it has {len(pattern)} characters, more than {MAX_PATTERN_CHARS}")
    parser = _Parser(pattern)
    try:
        branches = parser.branches(0)
        if parser.position < len(pattern):
            raise _Beyond("a parenthesis is closed that was not opened")
        written = [text for branch in branches for text in _anchored(branch)]
        if sum(text.size for text in written) > MAX_EXPANDED_SIZE:
            raise _TooLarge(f"written out it has more than {MAX_EXPANDED_SIZE} characters")
    except _Beyond as beyond:
        return Beyond(str(beyond))
    except _TooLarge as large:
        return TooLarge(str(large))
    if parser.beyond is not None:
        return Beyond(parser.beyond)
    return Plain(f"^(?:{'|'.join(text.text for text in written)})$")


class _Parser:
    """A recursive descent over one pattern; `beyond` is the first thing found that a regular language can't say."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.beyond: str | None = None

    def branches(self, depth: int) -> list[list[_Term]]:
        if depth > _MAX_GROUPS:
            raise _TooLarge(f"its groups nest more than {_MAX_GROUPS} deep")
        found: list[list[_Term]] = [[]]
        while self.position < len(self.pattern):
            char = self.pattern[self.position]
            if char == ")":
                break
            self.position += 1
            if char == "|":
                found.append([])
                continue
            found[-1].append(self.repeated(self.term(char, depth)))
        return found

    def term(self, char: str, depth: int) -> _Term:
        match char:
            case "^":
                return _Anchor(at_start=True)
            case "$":
                return _Anchor(at_start=False)
            case ".":
                return _Text(class_text(LINE_ENDS, negated=True), 1)
            case "(":
                return self.group(depth)
            case "[":
                return self.brackets()
            case "\\":
                return self.escape()
            case "*" | "+" | "?":
                raise _Beyond("a repetition has nothing to repeat")
            case _:
                return _Text(char_text(ord(char)), 1)

    def group(self, depth: int) -> _Term:
        if self.taken("?"):
            if self.taken("=") or self.taken("!") or self.taken("<=") or self.taken("<!"):
                self.beyond = self.beyond or "it looks ahead or behind"
            elif self.taken("<"):
                end = self.pattern.find(">", self.position)
                if end < 0:
                    raise _Beyond("a group's name is not closed")
                self.position = end + 1
            elif not self.taken(":"):
                raise _Beyond("it has a group that is not ECMA-262's")
        branches = self.branches(depth + 1)
        if not self.taken(")"):
            raise _Beyond("a parenthesis is not closed")
        return _Group(branches)

    def taken(self, text: str) -> bool:
        if self.pattern.startswith(text, self.position):
            self.position += len(text)
            return True
        return False

    def repeated(self, term: _Term) -> _Term:
        bounds = self.bounds()
        if bounds is None:
            return term
        least, most = bounds
        self.taken("?")
        if self.position < len(self.pattern) and self.pattern[self.position] in "*+?":
            raise _Beyond("a repetition is repeated")
        if isinstance(term, _Anchor):
            raise _Beyond("an anchor is repeated")
        text = term if isinstance(term, _Text) else _inner(term.branches)
        size = text.size * max(least, most or 0, 1)
        limit = MAX_EXPANDED_SIZE if text.size == 1 else MAX_GROUP_SIZE
        if size > limit and size > text.size:
            raise _TooLarge(f"its repetitions come to more than {limit} characters")
        return _Text(text.text + _quantifier(least, most), size)

    def bounds(self) -> tuple[int, int | None] | None:
        """The quantifier at the position, as least and most; a brace that is none is left as a character."""
        for mark, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.taken(mark):
                return bounds
        if not self.pattern.startswith("{", self.position):
            return None
        end = self.pattern.find("}", self.position)
        low, comma, high = self.pattern[self.position + 1 : max(end, self.position + 1)].partition(",")
        if end < 0 or not _digits(low) or (high and not _digits(high)):
            return None
        if len(low) > 6 or len(high) > 6:
            raise _TooLarge("it repeats something more than a million times")
        least, most = int(low), (int(high) if high else None) if comma else int(low)
        if most is not None and most < least:
            raise _Beyond("a repetition's bounds are in the wrong order")
        self.position = end + 1
        return least, most

    def escape(self) -> _Term:
        ranges, named = self.escaped(in_class=False)
        return _Text(class_text(ranges), 1) if named is None else _Text(named, 1)

    def escaped(self, *, in_class: bool) -> tuple[CodePoints, str | None]:
        r"""What follows a backslash: code points, or a property class (`\p{L}`) as text."""
        if self.position >= len(self.pattern):
            raise _Beyond("it ends with a backslash")
        char = self.pattern[self.position]
        self.position += 1
        if char.lower() in _CLASSES:
            ranges = _CLASSES[char.lower()]
            return (ranges if char.islower() else others(ranges)), None
        if char in _CONTROLS:
            return only(_CONTROLS[char]), None
        match char:
            case "b" if in_class:
                return only(8), None
            case "b" | "B":
                self.beyond = self.beyond or "it asks for a word boundary"
                return (), ""
            case "0" if not _digits(self.pattern[self.position : self.position + 1]):
                return only(0), None
            case "x" | "u":
                return only(self.code_point(char)), None
            case "c" if self.pattern[self.position : self.position + 1].isascii():
                letter = self.pattern[self.position : self.position + 1]
                if not letter.isalpha():
                    raise _Beyond("a control escape names no letter")
                self.position += 1
                return only(ord(letter) % 32), None
            case "p" | "P":
                return (), self.property_class(char)
            case "k" if not in_class:
                raise _Beyond("it refers back to a group")
            case _ if char in "123456789" and not in_class:
                raise _Beyond("it refers back to a group")
            case _ if char.isalnum():
                raise _Beyond(f"\\{char} is not an escape of ECMA-262")
            case _:
                return only(ord(char)), None

    def code_point(self, kind: str) -> int:
        if kind == "u" and self.taken("{"):
            end = self.pattern.find("}", self.position)
            digits = self.pattern[self.position : max(end, self.position)]
            self.position = end + 1
            if end < 0 or not 1 <= len(digits) <= 6:
                raise _Beyond("an escaped code point is not hexadecimal")
            return _code_point(digits)
        width = 2 if kind == "x" else 4
        digits = self.pattern[self.position : self.position + width]
        if len(digits) < width:
            raise _Beyond("an escaped code point is cut off")
        self.position += width
        if kind == "u" and _hexadecimal(digits) and 0xD800 <= int(digits, 16) < 0xDC00:
            low = self.pattern[self.position : self.position + 6]
            if low.startswith("\\u") and _hexadecimal(low[2:]) and 0xDC00 <= int(low[2:], 16) <= 0xDFFF:
                self.position += 6
                return 0x10000 + ((int(digits, 16) - 0xD800) << 10) + int(low[2:], 16) - 0xDC00
        return _code_point(digits)

    def property_class(self, kind: str) -> str:
        end = self.pattern.find("}", self.position)
        name = self.pattern[self.position + 1 : max(end, self.position)]
        if not self.pattern.startswith("{", self.position) or end < 0 or not name.replace("_", "").isalnum():
            raise _Beyond("it has a property of characters that engines read differently")
        self.position = end + 1
        return f"\\{kind}{{{name}}}"

    def brackets(self) -> _Term:
        negated = self.taken("^")
        ranges: list[Range] = []
        named: list[str] = []
        while not self.taken("]"):
            low, low_named = self.member()
            if low_named is not None:
                named.append(low_named)
                continue
            if self.is_range(low):
                mark = self.position
                self.position += 1
                high, high_named = self.member()
                if high_named is None and len(high) == 1 and high[0][0] == high[0][1]:
                    if high[0][0] < low[0][0]:
                        raise _Beyond("the bounds of a class are in the wrong order")
                    ranges.append((low[0][0], high[0][0]))
                    continue
                self.position = mark
            ranges.extend(low)
        text = class_text(tuple(ranges), named, negated=negated)
        if not text:
            raise _Beyond("it has a class that no character belongs to")
        return _Text(text, 1)

    def is_range(self, low: CodePoints) -> bool:
        single = len(low) == 1 and low[0][0] == low[0][1]
        after = self.pattern[self.position + 1 : self.position + 2]
        return single and self.pattern.startswith("-", self.position) and after not in ("", "]")

    def member(self) -> tuple[CodePoints, str | None]:
        if self.position >= len(self.pattern):
            raise _Beyond("a class is not closed")
        char = self.pattern[self.position]
        self.position += 1
        return self.escaped(in_class=True) if char == "\\" else (only(ord(char)), None)


def _anchored(branch: list[_Term]) -> list[_Text]:
    """The branch with what may stand before and after it, as whole texts: it is a search until it is anchored."""
    if len(branch) == 1 and isinstance(branch[0], _Group):
        return [text for inner in branch[0].branches for text in _anchored(inner)]
    first, last = 0, len(branch)
    while first < last and isinstance(term := branch[first], _Anchor) and term.at_start:
        first += 1
    while last > first and isinstance(term := branch[last - 1], _Anchor) and not term.at_start:
        last -= 1
    within = branch[first:last]
    if first and last < len(branch) and len(within) == 1 and isinstance(within[0], _Group):
        return [_sequence(inner) for inner in within[0].branches]
    body = _sequence(within)
    before = "" if first else _ANY
    after = "" if last < len(branch) else _ANY
    if not body.text and before and after:
        after = ""
    return [_Text(before + body.text + after, body.size + 2)]


def _inner(branches: list[list[_Term]]) -> _Text:
    texts = [_sequence(branch) for branch in branches]
    return _Text(f"(?:{'|'.join(text.text for text in texts)})", sum(text.size for text in texts))


def _sequence(terms: list[_Term]) -> _Text:
    texts: list[_Text] = []
    for term in terms:
        match term:
            case _Text():
                texts.append(term)
            case _Group(branches):
                texts.append(_inner(branches))
            case _Anchor():
                raise _Beyond("an anchor stands inside it")
    return _Text("".join(text.text for text in texts), sum(text.size for text in texts))


def _quantifier(least: int, most: int | None) -> str:
    simple: dict[tuple[int, int | None], str] = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    if (least, most) in simple:
        return simple[least, most]
    return f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _hexadecimal(text: str) -> bool:
    return bool(text) and all(char in "0123456789abcdefABCDEF" for char in text)


def _code_point(digits: str) -> int:
    if not _hexadecimal(digits) or (code := int(digits, 16)) > LAST:
        raise _Beyond("an escaped code point is not hexadecimal")
    if 0xD800 <= code <= 0xDFFF:
        raise _Beyond("it names half of a surrogate pair")
    return code
