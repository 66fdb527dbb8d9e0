"""Schemas for one argument, each with values that fit it."""

from typing import Any

TREE = {"type": "object", "properties": {"leaf": {"type": "integer"}, "next": {"$ref": "#/$defs/tree"}},
        "required": ["leaf"], "additionalProperties": False}  # fmt: skip
CLOSED = {"type": "object", "additionalProperties": False}
TEXTS = ["plain", "", " led by space", "two\nlines", 'say "hi"', "it's", "a\\b", "<b>&amp;</b>", "5", "true", "null",
         "{x}", "é🙂", "\n", "tab\there", "[1]"]  # fmt: skip


def text(**keywords: Any) -> dict[str, Any]:
    return {"type": "string", **keywords}


SCHEMAS: dict[str, tuple[Any, list[Any]]] = {
    "anything": (True, ["a", "x y"]),
    "string": (text(), TEXTS),
    "bounded": (text(minLength=2, maxLength=5), ["ab", "a\nb", "a b c", 'é"🙂']),
    "at_least": (text(minLength=3), ["abc", "abc def"]),
    "pattern": (text(pattern="^[a-z]{2,4}-[0-9]+$"), ["ab-1", "abcd-123"]),
    "unanchored": (text(pattern="[0-9]{2}"), ["a12b", "12", "x 99"]),
    "either_end": (text(pattern="^a|b$"), ["ax", "xb", "a"]),
    "grouped": (text(pattern=r"^(\d+|[^\s,]+)\/\w$", maxLength=20), ["12/x", "ab/y"]),
    "pattern_of_signs": (text(pattern=r'^["\\]+x$'), ['"x', '\\"x']),
    "date": (text(format="date"), ["2024-02-28", "1999-12-31"]),
    "time": (text(format="time"), ["10:20:30Z", "23:59:59.5+01:00"]),
    "date_time": (text(format="date-time"), ["2024-02-28T10:20:30Z"]),
    "duration": (text(format="duration"), ["P1Y", "PT5M", "P3W", "P1DT2H"]),
    "email": (text(format="email"), ["a.b+c@example.com"]),
    "hostname": (text(format="hostname"), ["example.com", "localhost", "a-b.c"]),
    "ipv4": (text(format="ipv4"), ["127.0.0.1", "255.1.20.9"]),
    "ipv6": (text(format="ipv6"), ["::1", "2001:db8::8:800:200c:417a", "1:2:3:4:5:6:7:8", "::"]),
    "uuid": (text(format="uuid"), ["123e4567-e89b-12d3-a456-426614174000"]),
    "uri": (text(format="uri"), ["https://example.com/a?b=c#d", "mailto:a@b.c", "http://127.0.0.1:80/"]),
    "integer": ({"type": "integer"}, [0, -5, 123456]),
    "number": ({"type": "number"}, [0, 1.5, -2.25, 1e-07, 10**20, 1e16]),
    "bounded_integer": ({"type": "integer", "minimum": 3, "maximum": 120}, [3, 77, 120]),
    "bounded_number": ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, [0.5, 1]),
    "multiple": ({"type": "integer", "multipleOf": 5}, [0, 5, 100]),
    "boolean": ({"type": "boolean"}, [True, False]),
    "null": ({"type": "null"}, [None]),
    "words": ({"enum": ["red", "dark blue", "it's"]}, ["red", "dark blue", "it's"]),
    "levels": ({"enum": [1, 2.5, None, True, "auto"]}, [1, 2.5, None, True, "auto"]),
    "whole_values": ({"enum": [{"a": [1, "x"]}, [], {}]}, [{"a": [1, "x"]}, [], {}]),
    "strings": ({"type": "array", "items": text()}, [[], ["a"], TEXTS]),
    "few": ({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3}, [[1], [1, 2, 3]]),
    "pair": ({"type": "array", "prefixItems": [text(), {"type": "integer"}], "items": False, "minItems": 2},
             [["a", 1]]),
    "maybe_pair": ({"type": "array", "prefixItems": [text(), {"type": "integer"}]}, [[], ["a"], ["a", 1, None, {}]]),
    "nothing_listed": ({"type": "array", "items": False}, [[]]),
    "matrix": ({"type": "array", "items": {"type": "array", "items": {"type": "number"}}}, [[], [[]], [[1, 2.5], [3]]]),
    "open_object": ({"type": "object"}, [{}]),
    "map": ({"type": "object", "additionalProperties": {"type": "integer"}}, [{}]),
    "closed": (CLOSED | {"properties": {"a": text(), "b": {"type": "integer"}, "c": {"type": "boolean"}},
                         "required": ["a"]}, [{"a": "x"}, {"a": "1", "b": 2}, {"c": True, "b": 1, "a": "5"}]),
    "at_least_one": (CLOSED | {"properties": {"a": text(), "b": text()}, "minProperties": 1}, [{"a": ""}, {"b": "x"}]),
    "tree": ({"$ref": "#/$defs/tree"}, [{"leaf": 1}, {"leaf": 1, "next": {"next": {"leaf": 3}, "leaf": 2}}]),
    "nested": (CLOSED | {"properties": {"to": CLOSED | {"properties": {"names": {"type": "array", "items": text()}}}}},
               [{"to": {"names": ["a", "b c"]}}, {}, {"to": {}}]),
    "objects": ({"type": "array", "items": CLOSED | {"properties": {"k": text()}, "required": ["k"]}},
                [[{"k": "a"}, {"k": "b"}], []]),
    "nullable": ({"anyOf": [text(), {"type": "null"}]}, ["a b", None, "nil"]),
    "text_or_number": ({"anyOf": [text(), {"type": "integer"}]}, ["abc", 5, "2024-01-01", "12 km"]),
    "text_or_bounded": ({"anyOf": [text(), {"type": "integer", "minimum": 10}]}, ["abc", 50]),
    "text_or_list": ({"anyOf": [text(), {"type": "array", "items": text()}]}, ["abc", ["a", "b"], "a [1]"]),
    "text_or_object": ({"anyOf": [text(), CLOSED | {"properties": {"a": text()}}]}, ["abc", {"a": "b"}]),
    "number_or_null": ({"anyOf": [{"type": "number"}, {"type": "null"}]}, [1.5, None]),
    "list_or_object": ({"anyOf": [{"type": "array", "items": {"type": "integer"}}, CLOSED]}, [[1], {}]),
    "many_types": ({"anyOf": [text(maxLength=8), {"type": "boolean"}, {"type": "number"}]}, ["abc", True, 1.5, "a b"]),
}  # fmt: skip

ARGUMENTS: dict[str, dict[str, Any]] = {
    "typical": {"type": "object", "required": ["city"],
                "properties": {"city": text(), "n": {"type": "integer"}, "tags": {"type": "array", "items": text()}}},
    "nullable": CLOSED | {"properties": {"a": {"anyOf": [text(), {"type": "null"}]},
                                         "b": {"anyOf": [{"type": "array", "items": {"type": "number"}},
                                                         {"type": "null"}]}}},
    "numbers": {"type": "object", "additionalProperties": {"type": "integer"}},
    "anything": {"type": "object"},
    "named_as_items": CLOSED | {"required": ["w", "v"],
                                "properties": {"v": True, "w": {"anyOf": [text(format="date"), {"type": "integer"}]},
                                               "item": CLOSED | {"properties": {"item": text()}}}},
    "deep": CLOSED | {"properties": {"deep": CLOSED | {"properties": {
        "list": {"type": "array", "items": CLOSED | {"required": ["x"], "properties": {
            "x": True, "y": {"anyOf": [text(), {"type": "boolean"}]}}}},
        "m": {"type": "object", "additionalProperties": text()}}}}},
    "by_pattern": CLOSED | {"patternProperties": {"^x_": text()}, "properties": {"a": {"enum": ["x", 1, None]}},
                            "required": ["a"]},
}  # fmt: skip


def around(node: Any) -> dict[str, Any]:
    """A call's arguments with one argument, which must stand there."""
    return {
        "type": "object",
        "properties": {"v": node},
        "required": ["v"],
        "additionalProperties": False,
        "$defs": {"tree": TREE},
    }
