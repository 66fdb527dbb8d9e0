"""Sixty-four schemas of arguments that have little in common, for measurements: what people's tools ask for, and the
corners of JSON Schema that they rarely do."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
YES_OR_NO: Schema = {"type": "boolean"}
NOTHING: Schema = {"type": "null"}


def _object(required: Sequence[str] = (), /, **properties: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _closed(**properties: Any) -> Schema:
    """An object that has all of these members and no others."""
    return {**_object(list(properties), **properties), "additionalProperties": False}


def _list(items: Any, **bounds: Any) -> Schema:
    return {"type": "array", "items": items, **bounds}


def _one_of(*values: Any) -> Schema:
    return {"enum": list(values)}


def _nested(depth: int) -> Schema:
    return WHOLE if depth == 0 else _closed(**{f"level_{depth}": _nested(depth - 1)})


def _formatted(name: str) -> Schema:
    return {"type": "string", "format": name}


def _matching(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern}


_TREE = {
    "$defs": {
        "tree": _object(
            ["value"],
            value=WHOLE,
            children=_list({"$ref": "#/$defs/tree"}, maxItems=2),
        )
    },
    **_object(["root"], root={"$ref": "#/$defs/tree"}),
}
_EXPRESSION = {
    "$defs": {
        "sum": _closed(op={"const": "sum"}, left={"$ref": "#/$defs/term"}, right={"$ref": "#/$defs/term"}),
        "term": {"anyOf": [NUMBER, {"$ref": "#/$defs/sum"}]},
    },
    **_closed(expression={"$ref": "#/$defs/term"}),
}
_SHAPES = {
    "oneOf": [
        _closed(kind={"const": "circle"}, radius={"type": "number", "exclusiveMinimum": 0}),
        _closed(kind={"const": "box"}, width=NUMBER, height=NUMBER),
        _closed(kind={"const": "path"}, points=_list(_list(WHOLE, minItems=2, maxItems=2), minItems=2, maxItems=3)),
    ]
}
_ADDRESS = {
    "$defs": {"address": _object(["street", "city"], street=TEXT, city=TEXT, zip=_matching("^[0-9]{5}$"))},
    **_object(["from", "to"], **{"from": {"$ref": "#/$defs/address"}, "to": {"$ref": "#/$defs/address"}}),
}

ENFORCED: Mapping[str, Schema] = {
    # objects
    "no_arguments": _closed(),
    "any_object": {"type": "object"},
    "empty_schema": {},
    "one_text": _object(["city"], city=TEXT),
    "all_optional": _object((), a=TEXT, b=WHOLE, c=YES_OR_NO),
    "closed": _closed(name=TEXT, count=WHOLE),
    "open": {**_object(["name"], name=TEXT), "additionalProperties": True},
    "numbers_beside": {**_object(["name"], name=TEXT), "additionalProperties": NUMBER},
    "map_of_lists": {"type": "object", "additionalProperties": _list(WHOLE, maxItems=3)},
    "named_by_pattern": {
        "type": "object",
        "patternProperties": {"^x_[a-z]{1,8}$": WHOLE, "^s_[a-z]{1,8}$": TEXT},
        "additionalProperties": False,
    },
    "nested": _object(["guest"], guest=_object(["name"], name=TEXT, age=WHOLE), room=_object(["no"], no=WHOLE)),
    "twelve_deep": _nested(12),
    "forty_members": _object(
        [f"field_{n}" for n in range(0, 40, 10)],
        **{f"field_{n}": (TEXT, WHOLE, YES_OR_NO, NUMBER)[n % 4] for n in range(40)},
    ),
    "many_closed": _closed(
        **{f"c{n}": (YES_OR_NO, {"type": "integer", "minimum": 0, "maximum": 9})[n % 2] for n in range(20)}
    ),
    "long_names": _closed(**{"the_" + "very_" * 20 + "long_name": WHOLE, "x" * 64: YES_OR_NO}),
    "names_of_all_sorts": _closed(
        **{"größe": WHOLE, "名前": TEXT, "a b": YES_OR_NO, "naïve-key": WHOLE, "emoji🎈": WHOLE}
    ),
    "empty_inside": _closed(options=_closed(), rest={"type": "object"}),
    "names_of_calls": _closed(name=TEXT, arguments=_object(["id"], id=TEXT), function=TEXT),
    # references
    "one_address_twice": _ADDRESS,
    "tree": _TREE,
    "expression": _EXPRESSION,
    "linked_list": {
        "$defs": {"node": _closed(item=TEXT, next={"anyOf": [NOTHING, {"$ref": "#/$defs/node"}]})},
        **_closed(head={"$ref": "#/$defs/node"}),
    },
    "itself": _object(["id"], id=WHOLE, reply_to={"$ref": "#"}),
    # alternatives
    "shapes": _closed(shape=_SHAPES),
    "text_or_number": _closed(value={"anyOf": [TEXT, NUMBER, NOTHING]}),
    "one_or_many": _closed(to={"anyOf": [_formatted("email"), _list(_formatted("email"), minItems=1, maxItems=3)]}),
    "types_listed": _closed(value={"type": ["string", "integer", "boolean", "null"]}),
    "nullable": _object(["note"], note={"type": ["string", "null"]}, when={"anyOf": [_formatted("date"), NOTHING]}),
    "all_of": _closed(n={"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 9}]}),
    "alternatives_at_the_top": {
        "type": "object",
        "anyOf": [_closed(by={"const": "id"}, id=WHOLE), _closed(by={"const": "name"}, name=TEXT)],
    },
    # listed values
    "colours": _object(["colour"], colour=_one_of("red", "green", "blue"), second=_one_of("red", "green")),
    "mixed_values": _closed(value=_one_of("auto", 3, 2.5, True, None, "3", "true", "null")),
    "listed_objects": _closed(mode=_one_of({"fast": True}, {"fast": False, "level": 2}, [1, 2], [])),
    "constants": _closed(version={"const": 2}, label={"const": 'it\'s "so"'}, empty={"const": ""}),
    "two_hundred_values": _closed(code=_one_of(*(f"code-{n * 37 % 1000:03}" for n in range(200)))),
    # texts
    "bounded_text": _closed(title={"type": "string", "minLength": 3, "maxLength": 20}),
    "short_text": _closed(initials={"type": "string", "maxLength": 2}, filled={"type": "string", "minLength": 1}),
    "plate": _closed(plate=_matching("^[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} [1-9][0-9]{0,3}$")),
    "patterns": _closed(
        colour=_matching("^#[0-9a-fA-F]{6}$"),
        version=_matching(r"^v?\d+\.\d+(\.\d+)?(-(alpha|beta)\.\d+)?$"),
        slug=_matching("^[a-z0-9]+(-[a-z0-9]+)*$"),
    ),
    "part_of_a_text": _closed(path=_matching("\\.(py|md)$"), holds=_matching("[0-9]{2}")),
    "dates": _closed(day=_formatted("date"), at=_formatted("time"), moment=_formatted("date-time")),
    "spans": _closed(duration=_formatted("duration"), since=_formatted("date")),
    "hosts": _closed(name=_formatted("hostname"), v4=_formatted("ipv4"), v6=_formatted("ipv6")),
    "identities": _closed(id=_formatted("uuid"), mail=_formatted("email"), page=_formatted("uri")),
    # numbers
    "bounded_numbers": _closed(
        percent={"type": "integer", "minimum": 0, "maximum": 100},
        ratio={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        below={"type": "integer", "maximum": -5},
    ),
    "coordinates": _closed(
        latitude={"type": "number", "minimum": -90, "maximum": 90},
        longitude={"type": "number", "minimum": -180, "maximum": 180},
    ),
    "multiples": _closed(quarter={"type": "integer", "multipleOf": 15, "minimum": 0, "maximum": 60}),
    "cents": _closed(price={"type": "number", "multipleOf": 0.01, "minimum": 0, "maximum": 100}),
    "port": _closed(port={"type": "integer", "minimum": 1, "maximum": 65535}, any=NUMBER),
    # lists
    "bounded_list": _closed(tags=_list(TEXT, minItems=1, maxItems=4)),
    "pair": _closed(range={"type": "array", "prefixItems": [WHOLE, _one_of("m", "km")], "items": False, "minItems": 2}),
    "head_and_tail": _closed(
        row={"type": "array", "prefixItems": [TEXT, WHOLE], "items": YES_OR_NO, "minItems": 1, "maxItems": 5}
    ),
    "matrix": _closed(rows=_list(_list(WHOLE, minItems=2, maxItems=2), minItems=2, maxItems=2)),
    "list_of_objects": _closed(
        items=_list(_closed(sku=_matching("^[A-Z]{3}[0-9]{4}$"), count={"type": "integer", "minimum": 1}), maxItems=3)
    ),
    "order": _object(
        ["customer", "lines"],
        customer=_object(["id"], id=WHOLE, mail=_formatted("email")),
        lines=_list(_object(["sku"], sku=TEXT, price=NUMBER, gift=YES_OR_NO), minItems=1, maxItems=3),
        note={"type": ["string", "null"], "maxLength": 60},
        express=YES_OR_NO,
    ),
    "anything": _closed(value=True),
}
"""Schemas by the names of their tools, of the kinds that a grammar can enforce."""

CHECKED_AT_THE_END: Mapping[str, Schema] = {
    "all_different": _closed(picks=_list(WHOLE, minItems=2, maxItems=4, uniqueItems=True)),
    "if_then": {
        **_object(["kind"], kind=_one_of("guest", "member"), number=WHOLE),
        "if": {"properties": {"kind": {"const": "member"}}},
        "then": {"required": ["number"]},
    },
    "not_that": _closed(name={"type": "string", "not": {"pattern": "a"}}),
    "holds_a_zero": _closed(digits=_list({"type": "integer", "minimum": 0, "maximum": 9}, contains={"const": 0})),
    "needs_another": {**_object((), card=TEXT, code=WHOLE), "dependentRequired": {"card": ["code"]}},
    "few_members": {"type": "object", "additionalProperties": WHOLE, "minProperties": 1, "maxProperties": 2},
    "names_with_a_form": {"type": "object", "propertyNames": {"maxLength": 6}, "additionalProperties": YES_OR_NO},
    "just_one": {"type": "object", "oneOf": [_object(["a"], a=WHOLE), _object(["b"], b=WHOLE)]},
}
"""Schemas with a keyword that, in this place, may be left to the check of the finished call."""

VARIED: Mapping[str, Schema] = {**ENFORCED, **CHECKED_AT_THE_END}
