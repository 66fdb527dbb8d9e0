"""What a schema asks of a string, as regular expressions of the text itself, all of which must match."""

import json
from collections.abc import Sequence
from typing import Any

from hilt.grammar.lark import ANYTHING, Rules, exactly, pattern
from hilt.grammar.values.formats import FORMATS
from hilt.grammar.values.nodes import KeyText
from hilt.grammar.values.patterns import whole_text

LONGEST_BOUND = 20_000

NUMBER = r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,99})?(?:[eE][+-]?[0-9]{1,2})?"
INTEGER = r"-?(?:0|[1-9][0-9]{0,99})"
_SURROGATES = r"[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_UNIT = r"(?:[0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})"
JSON_ESCAPE = rf"\\(?:[\"\\/bfnrt]|u{_UNIT}|u{_SURROGATES})"
_FAR = r"(?:0000" + _UNIT + r"|000[1-9a-fA-F][0-9a-fA-F]{4}|0010[0-9a-fA-F]{4})"
PYTHON_ESCAPE = rf"\\(?:[\"'\\abfnrtv]|x[0-9a-fA-F]{{2}}|u{_UNIT}|u{_SURROGATES}|U{_FAR})"
CONTROLS = r"\x00-\x1f"


def bounds(schema: dict[str, Any]) -> tuple[int, int | None]:
    """How long a text may be, in characters; bounds beyond 20,000 are left out."""
    least, most = int(schema.get("minLength") or 0), schema.get("maxLength")
    return (least if least <= LONGEST_BOUND else 0), (int(most) if most is not None and most <= LONGEST_BOUND else None)


def counted(schema: dict[str, Any], unit: str) -> str:
    """The regular expression of `unit` as often as a text may have characters."""
    least, most = bounds(schema)
    if most is None:
        return f"(?:{unit})*" if not least else f"(?:{unit}){{{least},}}"
    return f"(?:{unit}){{{least},{most}}}"


def shape(schema: dict[str, Any]) -> list[str]:
    """The regular expressions that `pattern` and `format` ask for; none where neither says anything."""
    shapes = [whole_text(schema["pattern"])] if "pattern" in schema else []
    return [s for s in (*shapes, FORMATS.get(str(schema.get("format")))) if s is not None]


def conditions(schema: dict[str, Any]) -> list[str]:
    """All that a schema asks of a text, as bodies of terminals; none if any text will do."""
    asked = [pattern(s) for s in shape(schema)]
    if bounds(schema) != (0, None):
        asked.append(pattern(counted(schema, "(?s:.)")))
    return asked


def no(regex: str) -> str:
    """The body of a terminal that is none of what a regular expression matches."""
    return f"~{pattern(regex)}"


def none_within(texts: Sequence[str]) -> list[str]:
    """What keeps a terminal from holding any of these texts, as conditions on it."""
    held = "|".join(exactly(text) for text in dict.fromkeys(texts) if text)
    return [no(f"(?s:.*)(?:{held})(?s:.*)")] if held else []


def all_of(conditions: Sequence[str]) -> str:
    """The body of a terminal on which all conditions hold. One that only forbids needs one that allows."""
    allowed = [c for c in conditions if not c.startswith("~")]
    return f"({' & '.join([*(allowed or [ANYTHING]), *(c for c in conditions if c.startswith('~'))])})"


def key_conditions(key: KeyText, alphabet: str) -> list[str]:
    """What holds for the keys of further members, written with an alphabet in which nothing is escaped."""
    asked = [pattern(alphabet)]
    if key.pattern is not None:
        asked.append(pattern(key.pattern))
    if key.names:
        asked.append(no("|".join(exactly(name) for name in key.names)))
    return [*asked, *(no(p) for p in key.patterns)]


def number_terminal(rules: Rules, schema: dict[str, Any]) -> str:
    """The body of a number or an integer; bounds and multiples are those of JSON."""
    kind = str(schema["type"])
    bound = {k: v for k, v in schema.items() if k in _NUMBER_KEYWORDS}
    if bound:
        return rules.rule(kind, f"%json {json.dumps({'type': kind, **bound})}")
    return rules.terminal(kind, pattern(INTEGER if kind == "integer" else NUMBER))


_NUMBER_KEYWORDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
