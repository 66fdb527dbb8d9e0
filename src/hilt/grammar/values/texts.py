"""What a schema asks of a string, as regular expressions of the text itself, all of which must match."""

from typing import Any

from hilt.grammar.lark import Rules, exactly, json_value, no, pattern
from hilt.grammar.values.nodes import KeyText

LONGEST_BOUND = 20_000
NUMBER_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")

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
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    return (least if least <= LONGEST_BOUND else 0), (int(most) if most is not None and most <= LONGEST_BOUND else None)


def counted(schema: dict[str, Any], unit: str) -> str:
    """The regular expression of `unit` as often as a text may have characters."""
    least, most = bounds(schema)
    if most is None:
        return f"(?:{unit})*" if not least else f"(?:{unit}){{{least},}}"
    return f"(?:{unit}){{{least},{most}}}"


def whole_text(normal: str) -> str:
    """The regular expression of a whole text, from a pattern of the normal form, which is `^(?:…)$`."""
    return normal.removeprefix("^").removesuffix("$")


def conditions(schema: dict[str, Any]) -> list[str]:
    """All that a schema asks of a text, as bodies of terminals; none if any text will do."""
    asked = [pattern(whole_text(schema["pattern"]))] if "pattern" in schema else []
    if bounds(schema) != (0, None):
        asked.append(pattern(counted(schema, "(?s:.)")))
    return asked


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
    bound = {k: v for k, v in schema.items() if k in NUMBER_BOUNDS}
    if bound:
        return rules.rule(kind, json_value({"type": kind, **bound}))
    return rules.terminal(kind, pattern(INTEGER if kind == "integer" else NUMBER))
