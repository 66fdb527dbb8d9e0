"""Writing a grammar in the dialect of Lark that llguidance reads: rules, terminals, quoting.

Terminals (upper case) are regular expressions that become one lexeme each; rules (lower case) are made of those.
"""

import json
import re
from collections.abc import Sequence
from itertools import count
from typing import Any

WHITE_SPACE = r"(\x20{1,2}|(\r?\n){1,2}[\x20\t]{0,24})"
"""What stands between tokens: a blank or two, or a line break and an indentation. Models get lost in more of it."""

WITHOUT_FORCING = '%llguidance {"no_forcing": true}'
_REGEX_SIGNS = r"\.+*?()|[]{}^$"


class Rules:
    """A grammar that is being written. What is added twice is written once.

    Unless it is `forcing`, no tokens are forced: to be used where a text of the grammar spells a special token, in an
    enum for instance. llguidance forces such a text as that token, which its own parser then refuses.
    """

    def __init__(self, *, forcing: bool = True) -> None:
        self._options = "%llguidance {}" if forcing else WITHOUT_FORCING
        self._lines: list[str] = []
        self._names: dict[str, str] = {}
        self._numbers = count()

    def rule(self, hint: str, body: str) -> str:
        """The name of a rule with this body."""
        return self._named(_lower(hint), body)

    def terminal(self, hint: str, body: str) -> str:
        """The name of a terminal with this body."""
        return self._named(_lower(hint).upper(), body)

    def lazy(self, hint: str, body: str) -> str:
        """The name of a rule that is one lexeme and ends as soon as it can."""
        return self._named(_lower(hint), body, "[lazy]")

    def reserve(self, hint: str) -> str:
        """A name of its own for a rule that will be defined later, because it holds itself."""
        return self._fresh(_lower(hint))

    def define(self, name: str, body: str) -> None:
        """Define a name that was reserved."""
        self._lines.append(f"{name}: {body}")

    def text(self, start: str) -> str:
        """The whole grammar, which begins with the rule `start`."""
        return "\n".join([self._options, f"start: {start}", *self._lines, ""])

    def _named(self, hint: str, body: str, options: str = "") -> str:
        key = f"{options}{hint[:1].isupper()}{body}"
        if key not in self._names:
            name = self._names[key] = self._fresh(hint)
            self._lines.append(f"{name}{options}: {body}")
        return self._names[key]

    def _fresh(self, hint: str) -> str:
        return f"{hint}_{next(self._numbers)}"


def _lower(hint: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", hint.lower()).strip("_")[:40].strip("_") or "x"


def literal(text: str) -> str:
    """A text as it stands; nothing at all for an empty one."""
    return json.dumps(text, ensure_ascii=False) if text else ""


def pattern(regex: str) -> str:
    """A regular expression in Rust's syntax, where `.` is no line break."""
    escaped = re.sub(r"(\\.)|/", lambda m: m[1] or r"\/", regex, flags=re.DOTALL)
    return f"/{escaped}/".replace("\n", r"\n")


def exactly(text: str) -> str:
    """The regular expression of a text as it stands."""
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if ord(character) < 32:
        return f"\\x{ord(character):02x}"
    return f"\\{character}" if character in _REGEX_SIGNS else character


def json_value(schema: dict[str, Any] | bool) -> str:
    """A JSON value that fits a schema in normal form, as llguidance reads one. Runs of white space are bounded."""
    whole: dict[str, Any] = schema if isinstance(schema, dict) else {"not": {}} if not schema else {}
    options = {"x-guidance": {"whitespace_pattern": WHITE_SPACE}}
    return f"%json {json.dumps(whole | options)}"


def either(choices: Sequence[str]) -> str:
    """Any of some bodies."""
    return f"({' | '.join(choices)})" if len(choices) > 1 else choices[0]


def sequence(*parts: str) -> str:
    """Bodies one after the other; empty ones don't count."""
    return " ".join(part for part in parts if part)


ANYTHING = pattern(r"(?s:.*)")


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
