"""Arithmetic as people write it, turned into the notation that Python parses.

The one hard case is the percent sign. After an operand it is the remainder operator when another operand follows
("17 % 5"), and a percentage when nothing can follow but an operator or an end ("17 % of 2340", "200 * 15%"). Before
a plus or a minus it could be either, since both can also begin an operand; that is refused instead of guessed.
"""

import keyword
import re

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<name>[A-Za-z_]\w*)
      | (?P<sign>\*\*|//|[-+*/%(),])
    )""",
    re.VERBOSE | re.ASCII,
)
_SPELLINGS = str.maketrans({"^": "**", "×": "*", "·": "*", "⋅": "*", "÷": "/", "−": "-", "–": "-", "π": " pi "})
_ENDS_OPERAND = re.compile(r"[\w.)]\Z", re.ASCII)


def python_notation(expression: str) -> str:
    """The expression with every token known, percentages written out, one space between tokens.

    Raises ValueError that says which text can't be read.
    """
    tokens = _tokens(expression.translate(_SPELLINGS))
    written: list[str] = []
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token == "of":
            _expect_percentage(written)
            written.append("*")
        elif token == "%" and _is_percentage(written, following):
            start = _operand_start(written)
            written[start:] = ["(", *written[start:], "/", "100", ")"]
        else:
            written.append(token)
    return " ".join(written)


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"can't read {text[place:].strip()[:20]!r} in the expression")
        token = match[0].strip()
        if keyword.iskeyword(token):
            raise ValueError(f"{token!r} has no place in an arithmetic expression")
        found.append(token)
        place = match.end()
    return found


def _is_percentage(written: list[str], following: str | None) -> bool:
    if not written or not _ENDS_OPERAND.search(written[-1]):
        return False
    if following in ("+", "-"):
        raise ValueError(
            f"a % before {following} can be read in two ways: write (5 / 100) {following} 3 for a percentage, or "
            f"5 % ({following}3) for a remainder"
        )
    return following is None or following in (")", ",", "*", "/", "//", "**", "%", "of")


def _operand_start(written: list[str]) -> int:
    """Where the operand at the end of `written` begins: a number, a name, or a group with the function before it."""
    start = len(written) - 1
    depth = 0
    while start >= 0:
        depth += {")": 1, "(": -1}.get(written[start], 0)
        if depth == 0:
            break
        start -= 1
    if start > 0 and written[start] == "(" and written[start - 1].isidentifier():
        start -= 1
    if start < 0:
        raise ValueError("a closing bracket has no opening one")
    return start


def _expect_percentage(written: list[str]) -> None:
    if written[-3:] != ["/", "100", ")"]:
        raise ValueError("'of' can only follow a percentage, as in 17 % of 2340")
