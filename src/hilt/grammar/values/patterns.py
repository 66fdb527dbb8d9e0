"""A schema's `pattern`, which may match anywhere in a text, as a regular expression of the whole text.

A pattern is written in ECMAScript's syntax, a terminal in Rust's. Anchors are understood at the ends of the
alternatives that are not in brackets; look-around, back-references and word boundaries are not.
"""

import re

_ANYTHING = "(?s:.*)"
_SPACE = r"\t\n\x0b\x0c\r \xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}"
_LINE_ENDS = r"\n\r\x{2028}\x{2029}"
_QUANTIFIER = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
_GROUP = re.compile(r"\((?:\?:|\?<[A-Za-z_]\w*>|(?!\?))")
_CODE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\})")
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": _SPACE}
_CONTROLS = {"n": r"\n", "r": r"\r", "t": r"\t", "v": r"\x0b", "f": r"\x0c", "0": r"\x00"}
_SIGNS = frozenset(r"\/^$.*+?()[]{}|-")


class _Untold(Exception):
    """The pattern says something that no terminal can."""


def whole_text(pattern: str) -> str | None:
    """The regular expression, in Rust's syntax, of all texts in which the pattern matches; None if it has none."""
    try:
        alternatives = _Translation(pattern).alternatives()
    except _Untold:
        return None
    return "|".join(alternatives)


class _Translation:
    """A pattern that is being translated, from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._place = 0

    def alternatives(self) -> list[str]:
        found: list[str] = []
        pieces: list[str] = [_ANYTHING]
        closed = False
        depth = 0
        while self._place < len(self._pattern):
            sign = self._pattern[self._place]
            if closed and not (depth == 0 and sign == "|"):
                raise _Untold
            if sign == "^" and depth == 0 and pieces == [_ANYTHING]:
                pieces = [""]
                self._place += 1
            elif sign == "$" and depth == 0:
                closed = True
                self._place += 1
            elif sign == "|" and depth == 0:
                found.append(_joined(pieces, closed=closed))
                pieces, closed = [_ANYTHING], False
                self._place += 1
            elif sign in "^$":
                raise _Untold
            elif sign == "(":
                pieces.append(self._group())
                depth += 1
            elif sign == ")":
                depth -= 1
                pieces.append(self._taken(1))
                self._quantifier(pieces)
            elif sign == "|":
                pieces.append(self._taken(1))
            else:
                pieces.append(self._atom(sign))
                self._quantifier(pieces)
        if depth:
            raise _Untold
        found.append(_joined(pieces, closed=closed))
        return found

    def _taken(self, length: int) -> str:
        text = self._pattern[self._place : self._place + length]
        self._place += length
        return text

    def _group(self) -> str:
        match = _GROUP.match(self._pattern, self._place)
        if match is None:
            raise _Untold
        self._place = match.end()
        return "(?:"

    def _quantifier(self, pieces: list[str]) -> None:
        """Take over how often the last piece may stand; being reluctant makes no difference to a whole text."""
        match = _QUANTIFIER.match(self._pattern, self._place)
        if match is not None:
            pieces.append(self._taken(len(match[0])))
        elif self._pattern[self._place : self._place + 1] in ("*", "+", "?"):
            pieces.append(self._taken(1))
        else:
            return
        if self._pattern[self._place : self._place + 1] == "?":
            self._taken(1)

    def _atom(self, sign: str) -> str:
        if sign == "[":
            return self._set()
        if sign == "\\":
            return self._escape(inside=False)
        if sign in "*+?":
            raise _Untold
        self._place += 1
        if sign == ".":
            return f"[^{_LINE_ENDS}]"
        return _character(ord(sign))

    def _set(self) -> str:
        self._place += 1
        negated = self._pattern.startswith("^", self._place)
        self._place += negated
        pieces: list[str] = []
        while True:
            sign = self._pattern[self._place : self._place + 1]
            if not sign:
                raise _Untold
            if sign == "]":
                self._place += 1
                break
            if sign == "\\":
                pieces.append(self._escape(inside=True))
            elif sign == "-" and pieces and self._pattern[self._place + 1 : self._place + 2] not in ("]", ""):
                if pieces[-1] in _CLASSES.values() or len(self._pattern) < self._place + 2:
                    raise _Untold
                pieces.append(self._taken(1))
            else:
                self._place += 1
                pieces.append(_character(ord(sign)))
        if not pieces:
            raise _Untold
        return f"[{'^' if negated else ''}{''.join(pieces)}]"

    def _escape(self, *, inside: bool) -> str:
        code = _CODE.match(self._pattern, self._place)
        if code is not None:
            self._place = code.end()
            return _character(int(code[1] or code[2] or code[3], 16))
        letter = self._taken(2)[1:]
        if letter in _CLASSES:
            return _CLASSES[letter] if inside else f"[{_CLASSES[letter]}]"
        if letter.lower() in _CLASSES and not inside:
            return f"[^{_CLASSES[letter.lower()]}]"
        if letter in _CONTROLS and not (letter == "0" and self._pattern[self._place : self._place + 1].isdigit()):
            return _CONTROLS[letter]
        if letter in _SIGNS or (len(letter) == 1 and not letter.isalnum() and letter.isascii()):
            return _character(ord(letter))
        raise _Untold


def _joined(pieces: list[str], *, closed: bool) -> str:
    return "".join(pieces) + ("" if closed else _ANYTHING)


def _character(code: int) -> str:
    """One character, as it may stand in a set and outside of one."""
    if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        raise _Untold
    sign = chr(code)
    return sign if sign.isalnum() or code > 0xA0 else f"\\x{code:02x}"
