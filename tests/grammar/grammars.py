"""Grammars for tests, of every kind that a reply is put under."""

import json
from typing import Any

from hilt.grammar.vocabulary import Vocabulary


def strict_object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    """A schema with these properties and no others, all required unless it is said which are."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def json_grammar(schema: Any) -> str:
    return f"start: %json {json.dumps(schema)}"


TEXT = {"type": "string"}
NUMBER = {"type": "number"}
SCHEMAS: dict[str, Any] = {
    "nested": strict_object(
        {"a": strict_object({"b": strict_object({"c": TEXT, "d": {"type": "integer"}})}), "e": {"type": "boolean"}}
    ),
    "enums": strict_object({"u": {"enum": ["celsius", "fahrenheit"]}, "v": {"enum": [1, None, "x", {"a": 2}]}}),
    "last_letter": strict_object({"m": {"type": "string", "pattern": "(a+)+$"}}),
    "pattern": strict_object({"m": {"type": "string", "pattern": r"^[a-z]+@[a-z]+\.com$"}}),
    "two words": strict_object(
        {"m": {"type": "string", "pattern": "^[a-z]+ [a-z]+$"}, "w": {"type": "string", "pattern": "@"}}
    ),
    "lengths": strict_object(
        {"m": {"type": "string", "minLength": 30}, "n": {"type": "string", "minLength": 3, "maxLength": 5}}
    ),
    "lists": strict_object(
        {
            "m": {"type": "array", "items": {"type": "integer"}, "minItems": 4},
            "n": {"type": "array", "items": strict_object({"x": NUMBER}), "minItems": 2},
        }
    ),
    "bounds": strict_object(
        {
            "m": {"type": "integer", "minimum": 5, "maximum": 1200},
            "n": {"type": "number", "exclusiveMinimum": -3.5, "maximum": -1.25},
            "o": {"type": "integer", "multipleOf": 7},
        }
    ),
    "dates": strict_object({"m": {"type": "string", "format": "date-time"}, "d": {"type": "string", "format": "date"}}),
    "ids": strict_object({"u": {"type": "string", "format": "uuid"}, "e": {"type": "string", "format": "email"}}),
    "optional": strict_object({"a": TEXT, "b": {"type": "integer"}}, []),
    "any object": {"type": "object"},
    "anything": {},
    "choice": {
        "anyOf": [
            strict_object({"k": {"const": "a"}, "x": TEXT}),
            strict_object({"k": {"const": "b"}, "y": {"type": "array", "items": TEXT}}),
        ]
    },
    "recursive": {
        "$ref": "#/$defs/n",
        "$defs": {
            "n": strict_object({"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/n"}}})
        },
    },
}
CLOSING_MARKS = ("</think>", "</parameter>", "</tool_call>")


def grammars(vocabulary: Vocabulary) -> dict[str, str]:
    """Every grammar by its name; those that aren't JSON alone have marks, spelled or as special tokens."""
    opener, closer, thought = (vocabulary.special[mark] for mark in ("<tool_call>", "</tool_call>", "</think>"))
    weather, search = json.dumps(strict_object({"a": TEXT})), json.dumps(strict_object({"q": TEXT, "n": NUMBER}, ["q"]))
    return {name: json_grammar(schema) for name, schema in SCHEMAS.items()} | {
        "raw values": 'start: "<function=f>\\n<parameter=a>\\n" value "<parameter=b>\\n" value "</function>"\n'
        "value[lazy]: /(?s:.*)\\n<\\/parameter>\\n/\n",
        "thought": f'start: TEXT <[{thought}]> "\\n" %json {weather}\nTEXT: /(?s:.+)/\n',
        "spelled thought": f"start: thought %json {weather}\nthought[lazy]: /(?s:.*)<\\/think>/\n",
        "calls": f'start: <[{opener}]> "\\n{{\\"name\\": \\"" call "}}\\n" <[{closer}]>\n'
        f'call: "weather\\", \\"arguments\\": " %json {weather} | "find\\", \\"arguments\\": " %json {search}\n',
    }
