"""Declarations that take care to read: references that multiply, deep nesting, schemas that are only partly schemas."""

from typing import Any

import pytest

from hilt.dialects.declared import coerce, declared


def types(schema: dict[str, Any] | None, name: str = "x") -> set[str]:
    return set(declared(schema, name).types)


def test_references_that_multiply_are_each_followed_once() -> None:
    level = {f"L{n}": {"anyOf": [{"$ref": f"#/$defs/L{n + 1}"}] * 10} for n in range(50)}
    schema = {"$defs": {**level, "L50": {"type": "integer"}}, "properties": {"x": {"$ref": "#/$defs/L0"}}}
    assert types(schema) == {"integer"}


def test_a_schema_that_holds_itself() -> None:
    schema = {"properties": {"x": {"anyOf": [{"$ref": "#/properties/x"}, {"$ref": "#"}, {"type": "null"}]}}}
    assert types(schema) == {"null", "object"}


def test_branches_nested_deeper_than_the_stack() -> None:
    declaration: dict[str, Any] = {"type": "boolean"}
    for _ in range(5_000):
        declaration = {"anyOf": [declaration]}
    assert types({"properties": {"x": declaration}}) == {"boolean"}


def test_a_reference_with_escaped_steps() -> None:
    assert types({"$defs": {"a/b~c": {"type": "array"}}, "properties": {"x": {"$ref": "#/$defs/a~1b~0c"}}}) == {"array"}


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        (None, set[str]()),
        ({}, set()),
        ({"additionalProperties": {"type": "integer"}}, {"integer"}),
        ({"additionalProperties": False}, set()),
        ({"patternProperties": {"^x_": {"type": "integer"}}}, {"integer"}),
        (
            {"patternProperties": {"^x_": {"type": "integer"}}, "additionalProperties": {"type": "null"}},
            {"integer", "null"},
        ),
        ({"properties": {"x": False}}, set()),
        ({"properties": {"x": {"type": []}}}, set()),
        ({"properties": {"x": {"type": 3, "enum": "abc", "anyOf": {}}}}, set()),
        ({"properties": {"x": {"type": ["string", "null"], "enum": ["a", None]}}}, {"string", "null"}),
        ({"properties": {"x": {"anyOf": [{"const": 1.5}, {"enum": [True, []]}]}}}, {"number", "boolean", "array"}),
    ],
)
def test_what_is_declared(schema: dict[str, Any] | None, wanted: set[str]) -> None:
    assert types(schema) == wanted


def test_a_mended_value_names_its_repair_and_a_value_left_as_text_names_none() -> None:
    text = '{"a": "one\ntwo"}'
    repairs: set[str] = set()
    an_object = declared({"properties": {"x": {"type": "object"}}}, "x")
    a_number = declared({"properties": {"x": {"type": "number"}}}, "x")
    assert coerce(text, an_object, repairs) == r'{"a": "one\ntwo"}'
    assert repairs == {"control_character"}
    repairs.clear()
    assert coerce(text, a_number, repairs) == r'"{\"a\": \"one\ntwo\"}"'
    assert not repairs


@pytest.mark.parametrize("text", ["9" * 5_000, "[" * 5_000, "[" * 150_000 + "]" * 150_000, "-", "1 2", ""])
def test_what_is_no_value_stays_text(text: str) -> None:
    anything = declared({"properties": {"x": {"type": ["number", "array", "object", "integer"]}}}, "x")
    assert coerce(text, anything, set()) == f'"{text}"'
