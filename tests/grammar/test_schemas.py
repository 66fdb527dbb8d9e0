"""A client's schema made ready: its normal form, what is left out of it, and what is refused."""

import json
from typing import Any

import pytest

from hilt.conversation import InvalidRequest
from hilt.grammar import prepare, prepare_arguments
from hilt.measure.grammar_trial import Trial, byte_tokenizer, fault_of

TOKENIZER = byte_tokenizer()
OTHERS = [{"type": name} for name in ("null", "boolean", "number", "string", "array", "object")]


def others_than(name: str, node: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [node if other["type"] == name else other for other in OTHERS]}


EXACT: list[tuple[Any, Any]] = [
    ({}, True),
    (True, True),
    ({"title": "T", "default": 3, "x-more": 1, "$comment": "c"}, True),
    ({"type": "string", "minLength": 0, "maxLength": 4}, {"type": "string", "maxLength": 4}),
    ({"type": "string", "pattern": "a"}, {"type": "string", "pattern": r"^(?:[\s\S]*a[\s\S]*)$"}),
    ({"type": "string", "pattern": r"^\d+$"}, {"type": "string", "pattern": "^(?:[0-9]+)$"}),
    ({"type": ["integer", "number"]}, {"type": "number"}),
    ({"type": ["string", "null"]}, {"anyOf": [{"type": "null"}, {"type": "string"}]}),
    ({"type": "string", "nullable": True}, {"anyOf": [{"type": "null"}, {"type": "string"}]}),
    ({"minimum": 3}, others_than("number", {"type": "number", "minimum": 3})),
    ({"type": "integer", "exclusiveMinimum": 2.5, "maximum": 9}, {"type": "integer", "minimum": 3, "maximum": 9}),
    ({"type": "integer", "multipleOf": 0.5}, {"type": "integer"}),
    ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 1}),
    ({"const": 2.0}, {"enum": [2]}),
    ({"enum": [1, "a", None, 7], "type": ["integer", "null"], "maximum": 5}, {"enum": [1, None]}),
    ({"enum": ["ab", "b"], "not": {"pattern": "^a"}}, {"enum": ["b"]}),
    ({"type": "array", "items": [{"type": "null"}], "additionalItems": False},
     {"type": "array", "maxItems": 1, "prefixItems": [{"type": "null"}], "items": False}),
    ({"type": "array", "uniqueItems": True, "maxItems": 1}, {"type": "array", "maxItems": 1}),
    ({"type": "object", "required": ["b"], "properties": {"a": {"type": "null"}}},
     {"type": "object", "properties": {"a": {"type": "null"}, "b": True}, "required": ["b"]}),
    ({"type": "object", "properties": {"a": False}}, {"type": "object", "properties": {"a": False}}),
    ({"type": "object", "unevaluatedProperties": False}, {"type": "object", "additionalProperties": False}),
    ({"type": "object", "minProperties": 2}, {"type": "object", "minProperties": 2}),
    ({"type": "object", "properties": {"ab": {"minLength": 1}}, "patternProperties": {"^a": {"type": "string"}}},
     {"type": "object", "properties": {"ab": {"type": "string", "minLength": 1}},
      "patternProperties": {r"^(?:a[\s\S]*)$": {"type": "string"}}}),
    ({"allOf": [{"type": "integer", "multipleOf": 4}, {"multipleOf": 6, "minimum": 1}]},
     {"type": "integer", "minimum": 12, "multipleOf": 12}),
    ({"allOf": [{"type": "string"}, {"enum": ["a", 3]}]}, {"enum": ["a"]}),
    ({"type": "string", "anyOf": [{"maxLength": 2}, {"minLength": 5}, {"type": "null"}]},
     {"anyOf": [{"type": "string", "maxLength": 2}, {"type": "string", "minLength": 5}]}),
    ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    ({"not": {"type": ["null", "boolean", "array", "object"]}}, {"anyOf": [{"type": "number"}, {"type": "string"}]}),
    ({"not": {}, "type": "string"}, None),
    ({"$ref": "#/definitions/A", "definitions": {"A": {"type": "null"}}},
     {"$ref": "#/$defs/A", "$defs": {"A": {"type": "null"}}}),
    ({"$ref": "#x", "$defs": {"y": {"$anchor": "x", "type": "null"}}},
     {"$ref": "#/$defs/y", "$defs": {"y": {"type": "null"}}}),
    ({"$id": "http://h/a", "$ref": "b", "$defs": {"y": {"$id": "b", "type": "null"}}},
     {"$ref": "#/$defs/y", "$defs": {"y": {"type": "null"}}}),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "expected"), EXACT)
def test_the_normal_form(schema: Any, expected: Any) -> None:
    if expected is None:
        with pytest.raises(InvalidRequest, match="never be satisfied"):
            prepare(schema, "schema")
        return
    prepared = prepare(schema, "schema")
    assert prepared.grammar == expected
    assert prepared.unenforced == ()
    assert fault_of(prepared.grammar) == ""


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ({"not": {"enum": [1]}}, ["/not"]),
        ({"if": {"type": "null"}, "then": False}, ["/if"]),
        ({"properties": {"a": {"uniqueItems": True}}}, ["/properties/a/uniqueItems"]),
        ({"contains": {"type": "null"}}, ["/contains"]),
        ({"propertyNames": {"maxLength": 2}}, ["/propertyNames"]),
        ({"dependencies": {"a": ["b"]}}, ["/dependentRequired"]),
        ({"dependentSchemas": {"a": False}}, ["/dependentSchemas"]),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, ["/oneOf"]),
        ({"format": "color"}, ["/format"]),
        ({"type": "string", "pattern": "(?=a)"}, ["/pattern"]),
        ({"type": "string", "pattern": "^a", "format": "date"}, ["/format"]),
        ({"type": "string", "maxLength": 10**9}, ["/maxLength"]),
        ({"type": "integer", "maximum": 2**63}, ["/maximum"]),
        ({"type": "number", "multipleOf": 0.07}, ["/multipleOf"]),
        ({"enum": [2**60]}, ["/enum"]),
        ({"type": "object", "properties": {"a": {}, "b": {}}, "minProperties": 2}, ["/minProperties"]),
        ({"type": "object", "patternProperties": {"a": {}, "b": {"type": "null"}}}, ["/patternProperties"]),
        ({"allOf": [{"type": "object"}], "unevaluatedProperties": False}, ["/unevaluatedProperties"]),
        ({"allOf": [{"pattern": "a"}, {"pattern": "b"}], "type": "string"}, ["/allOf/1/pattern"]),
    ],
)
def test_what_is_left_out_is_listed(schema: Any, paths: list[str]) -> None:
    prepared = prepare(schema, "schema")
    assert [part.path for part in prepared.unenforced] == paths
    assert fault_of(prepared.grammar) == ""


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ([], ""),
        (3, ""),
        ("object", ""),
        ({"type": "strin"}, "/type"),
        ({"properties": {"a": {"minimum": "x"}}}, "/properties/a/minimum"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": 3}}}, "/$defs/a/type"),
        ({"properties": []}, "/properties"),
        ({"properties": {"a": {"required": True}}}, "/properties/a/required"),
        ({"$ref": "#/nowhere"}, "/$ref"),
        ({"$ref": "http://example.com/x"}, "/$ref"),
        ({"$ref": "#"}, ""),
        ({"anyOf": [{"$ref": "#"}, {"type": "null"}]}, ""),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, ""),
        ({"type": "array", "items": {"$ref": "#"}, "minItems": 1}, ""),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "/properties/a"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, ""),
        ({"type": "string", "pattern": "^a{3}$", "maxLength": 2}, ""),
        ({"type": "string", "pattern": "("}, ""),
        ({"type": "string", "pattern": "a" * 5000}, "/pattern"),
        ({"type": "string", "pattern": "((a{100}){100}){100}"}, "/pattern"),
        ({"enum": list(range(20_000))}, "/enum"),
        (nested(10_000), ""),
        ({"enum": [[0] * 1000] * 200}, ""),
        ({"description": "x" * 1_100_000}, ""),
        ({"properties": {f"p{n}": {} for n in range(3000)}}, "/properties"),
        ({"const": "\ud800"}, ""),
        ({"const": 10**5000}, ""),
    ],
)
def test_a_bad_schema_is_refused_with_its_place(schema: Any, place: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        prepare(schema, "tools[0].parameters")
    assert refused.value.param == "tools[0].parameters" + place


def chained(count: int, **more: Any) -> dict[str, Any]:
    """Definitions of which each has a member of the next one's kind."""
    definitions: dict[str, Any] = {
        f"d{n}": {"type": "object", "properties": {"a": {"$ref": f"#/$defs/d{n + 1}"}}, **more} for n in range(count)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{count}": {"type": "null"}}}


def test_long_chains_of_references_do_not_reach_the_compiler() -> None:
    assert prepare(chained(100), "schema").unenforced == ()
    prepared = prepare(chained(5000, required=["a"]), "schema")
    assert [part.keyword for part in prepared.unenforced] == ["$ref"]
    assert fault_of(prepared.grammar) == ""


def test_a_deep_schema_becomes_definitions_that_the_compiler_reads() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(60):
        schema = {"type": ["object", "null"], "properties": {"a": schema}}
    prepared = prepare(schema, "schema")
    assert prepared.unenforced == ()
    assert fault_of(prepared.grammar) == ""


def test_recursive_schemas_are_put_together() -> None:
    schema = {
        "allOf": [{"$ref": "#/$defs/node"}, {"properties": {"name": {"maxLength": 2}}}],
        "$defs": {
            "node": {"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/node"}}}
        },
    }
    prepared = prepare(schema, "schema")
    trial = Trial(prepared.grammar, TOKENIZER)
    assert prepared.unenforced == ()
    assert trial.accepts_value({"name": "ab", "next": {"name": "abc"}})
    assert not trial.accepts_value({"name": "abc"})


@pytest.mark.parametrize("schema", [None, True, {}, {"properties": {"a": True}}, {"type": ["object", "null"]}])
def test_arguments_are_an_object(schema: Any) -> None:
    trial = Trial(prepare_arguments(schema, "tools[0].parameters").grammar, TOKENIZER)
    assert trial.accepts('{"a":1}')
    assert not trial.accepts("null")
    assert not trial.accepts(json.dumps("a"))
