"""A plain schema becomes nodes of the normal form, still with `allOf` where several must hold at once.

Every node accepts at least what its schema accepts; what it accepts beyond that is listed as unenforced. A node that
comes from keywords carries `at`, where it stood in the client's schema, until `intersections` takes that away.
"""

from typing import Any

from hilt.grammar.keywords import TYPES, Node, Schema, Unenforced, is_list, is_object, step, type_of
from hilt.grammar.schemas.checking import validator
from hilt.grammar.schemas.disjoint import Comparison
from hilt.grammar.schemas.formats import FORMATS, MAX_CHARS
from hilt.grammar.schemas.numbers import held, numbers_of, plainly_written
from hilt.grammar.schemas.patterns import Plain, read_pattern
from hilt.grammar.schemas.reading import PlainSchema

MAX_COUNT = 1_000_000
"""The largest length or number of items or members that a grammar holds a model to."""
_MAX_COMPARED = 100
_MAX_VALIDATED_CHARS = 5_000_000
_BESIDE_VALUES = frozenset(["enum", "const", "type"])
_ALL_TYPES = ("null", "boolean", "number", "string", "array", "object")
_COUNTS = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}
_NUMERIC = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_OF_TYPE = {
    "string": frozenset(["minLength", "maxLength", "pattern", "format"]),
    "number": frozenset(_NUMERIC),
    "integer": frozenset(_NUMERIC),
    "array": frozenset(["prefixItems", "items", "minItems", "maxItems", "unevaluatedItems"]),
    "object": frozenset(
        [
            "properties",
            "required",
            "additionalProperties",
            "patternProperties",
            "minProperties",
            "maxProperties",
            "unevaluatedProperties",
        ]
    ),
}
_LEFT_OUT = {
    "if": "conditions are left to the final check",
    "dependentRequired": "members that depend on others are left to the final check",
    "dependentSchemas": "members that depend on others are left to the final check",
    "propertyNames": "the names of members are left to the final check",
    "contains": "what a list must contain is left to the final check",
    "uniqueItems": "a grammar can't tell whether items differ",
}
_IN_PLACE = frozenset(["$ref", "allOf", "anyOf", "oneOf", "if", "not", "dependentSchemas", "contains"])


class NormalForm:
    """The nodes of one document: `root`, `definitions` by name, and what they leave out."""

    def __init__(self, plain: PlainSchema) -> None:
        self.unenforced = list(plain.unenforced)
        self.plain_definitions: dict[str, Schema] = {}
        self.plain_patterns: dict[str, bool] = {}
        self.chars = self.validated_chars = 0
        document = plain.document
        if isinstance(document, dict):
            self.plain_definitions = document.get("$defs", {})
            document = {key: value for key, value in document.items() if key != "$defs"}
        self.comparison = Comparison(self.plain_definitions)
        self.root = self.node(document, "")
        self.definitions = {
            name: self.node(schema, plain.paths[name]) for name, schema in self.plain_definitions.items()
        }

    def leave_out(self, path: str, keyword: str, reason: str) -> None:
        self.unenforced.append(Unenforced(step(path, keyword), keyword, reason))

    def node(self, schema: Schema, path: str) -> Node:
        """The node of `schema`, which stands at `path`."""
        if isinstance(schema, bool):
            return schema
        if "enum" in schema or "const" in schema:
            return self.values(schema, path)
        parts: list[Node] = [self.typed(schema, path)]
        if "$ref" in schema:
            parts.append({"$ref": schema["$ref"]})
        for index, part in enumerate(schema.get("allOf", ())):
            parts.append(self.node(part, f"{path}/allOf/{index}"))
        if "anyOf" in schema:
            parts.append(self.branches(schema["anyOf"], path, "anyOf"))
        if "oneOf" in schema:
            parts.append(self.one_of(schema["oneOf"], path))
        if "not" in schema:
            parts.append(self.negated(schema["not"], path))
        self.leave_out_keywords(schema, path)
        return together(parts, path)

    def branches(self, schemas: list[Schema], path: str, keyword: str) -> Node:
        return {"anyOf": [self.node(part, f"{path}/{keyword}/{index}") for index, part in enumerate(schemas)]}

    def one_of(self, schemas: list[Schema], path: str) -> Node:
        node = self.branches(schemas, path, "oneOf")
        open_schemas = [schema for schema in schemas if schema is not False]
        apart = len(open_schemas) <= _MAX_COMPARED and all(
            self.comparison.hold_apart(a, b) for index, a in enumerate(open_schemas) for b in open_schemas[index + 1 :]
        )
        if not apart:
            self.leave_out(path, "oneOf", "more than one of its schemas may hold at once")
        return node

    def negated(self, schema: Schema, path: str) -> Node:
        if isinstance(schema, bool):
            return not schema
        if not schema:
            return False
        if set(schema) == {"type"}:
            types: list[str] = schema["type"] if is_list(schema["type"]) else [schema["type"]]
            if "integer" not in types or "number" in types:
                left: list[Node] = [{"type": name} for name in _ALL_TYPES if name not in types]
                return {"anyOf": left} if left else False
        if set(schema) == {"required"} and len(schema["required"]) == 1:
            return {"type": "object", "properties": {schema["required"][0]: False}, "at": path}
        self.leave_out(path, "not", "what must not hold is left to the final check")
        return True

    def leave_out_keywords(self, schema: dict[str, Any], path: str) -> None:
        for keyword, reason in _LEFT_OUT.items():
            if keyword in schema and not _idle(schema, keyword):
                self.leave_out(path, keyword, reason)
        for keyword, simple in (
            ("unevaluatedProperties", "additionalProperties"),
            ("unevaluatedItems", "items"),
        ):
            if keyword in schema and schema[keyword] is not True and not _as_simple(schema, simple):
                self.leave_out(path, keyword, "what other keywords have looked at is left to the final check")

    def values(self, schema: dict[str, Any], path: str) -> Node:
        """The listed values that every keyword beside them allows, which only the real validator can tell."""
        values: list[Any] = schema["enum"] if "enum" in schema else [schema["const"]]
        if set(schema) - _BESIDE_VALUES or ("enum" in schema and "const" in schema):
            values = self.filtered(values, schema, self.plain_definitions, path)
        elif "type" in schema:
            types: list[str] = schema["type"] if is_list(schema["type"]) else [schema["type"]]
            values = [value for value in values if _has_type(value, types)]
        held_values = [_canonical(value) for value in values if _holdable(value)]
        if len(held_values) == len(values):
            return {"enum": held_values} if values else False
        self.leave_out(path, "enum" if "enum" in schema else "const", "it has numbers that a grammar can't hold")
        loose: list[Node] = [{"type": name} for name in {type_of(value) for value in values if not _holdable(value)}]
        return {"anyOf": [*loose, {"enum": held_values}]} if held_values else {"anyOf": loose}

    def filtered(
        self, values: list[Any], schema: dict[str, Any], definitions: dict[str, Schema], path: str
    ) -> list[Any]:
        """The values that `schema` allows; all of them, and a remark, once validators have become too costly."""
        if "$ref" in repr(schema):
            self.chars = self.chars or len(repr(definitions))
            self.validated_chars += self.chars
            schema = {**schema, "$defs": definitions}
        if self.validated_chars > _MAX_VALIDATED_CHARS:
            self.leave_out(path, "enum", "there are too many references beside listed values")
            return values
        valid = validator(schema)
        return [value for value in values if valid.is_valid(value)]

    def typed(self, schema: dict[str, Any], path: str) -> Node:
        """What `type` and the keywords of each type say."""
        types = schema.get("type")
        keywords = schema.keys()
        if types is None:
            if not any(keywords & words for words in _OF_TYPE.values()):
                return True
            names = list(_ALL_TYPES)
        else:
            names = [types] if isinstance(types, str) else [name for name in TYPES if name in types]
            names = [name for name in names if name != "integer" or "number" not in names]
        nodes = [self.of_type(name, schema, path) for name in names]
        if types is None and all(set(node) <= {"type", "at"} for node in nodes if isinstance(node, dict)):
            return True if False not in nodes else {"anyOf": [node for node in nodes if node is not False]}
        return nodes[0] if len(nodes) == 1 else {"anyOf": nodes}

    def of_type(self, name: str, schema: dict[str, Any], path: str) -> Node:
        match name:
            case "string":
                return self.string(schema, path)
            case "integer" | "number":
                node, lost = held(numbers_of(schema, integer=name == "integer"))
                for keyword in lost:
                    self.leave_out(path, keyword, "a grammar can't hold this number exactly")
                return node
            case "array":
                return self.array(schema, path)
            case "object":
                return self.object(schema, path)
            case _:
                return {"type": name}

    def counts(self, name: str, schema: dict[str, Any], path: str) -> dict[str, Any]:
        """The bounds of a length or a number of parts, without those that say nothing."""
        least, most = _COUNTS[name]
        node: dict[str, Any] = {}
        for keyword, idle in ((least, 0), (most, None)):
            count = schema.get(keyword)
            if count is None or count == idle:
                continue
            if count > MAX_COUNT:
                self.leave_out(path, keyword, f"a grammar counts to {MAX_COUNT}")
            else:
                node[keyword] = int(count)
        return node

    def string(self, schema: dict[str, Any], path: str) -> Node:
        node: dict[str, Any] = {"type": "string", **self.counts("string", schema, path)}
        pattern, name = schema.get("pattern"), schema.get("format")
        if pattern is not None and not self.is_plain(pattern):
            self.leave_out(path, "pattern", "it is beyond what a grammar can hold")
        elif pattern is not None:
            node["pattern"] = pattern
        if name is not None and "pattern" in node:
            self.leave_out(path, "format", "a grammar holds either the pattern or the format")
        elif name is not None:
            node["pattern"] = FORMATS[name]
            if name in MAX_CHARS:
                node["maxLength"] = min(node.get("maxLength", MAX_CHARS[name]), MAX_CHARS[name])
        if len(node) > 1:
            node["at"] = path
        return node

    def is_plain(self, pattern: str) -> bool:
        if pattern not in self.plain_patterns:
            read = read_pattern(pattern)
            self.plain_patterns[pattern] = isinstance(read, Plain) and read.text == pattern
        return self.plain_patterns[pattern]

    def array(self, schema: dict[str, Any], path: str) -> Node:
        node: dict[str, Any] = {"type": "array", **self.counts("array", schema, path)}
        prefix = schema.get("prefixItems", ())
        if prefix:
            node["prefixItems"] = [self.node(part, f"{path}/prefixItems/{i}") for i, part in enumerate(prefix)]
        rest = "unevaluatedItems" if _as_simple(schema, "items") and "unevaluatedItems" in schema else "items"
        if schema.get(rest, True) is not True:
            node["items"] = self.node(schema[rest], step(path, rest))
        if len(node) > 1:
            node["at"] = path
        return node

    def object(self, schema: dict[str, Any], path: str) -> Node:
        node: dict[str, Any] = {"type": "object", **self.counts("object", schema, path)}
        for keyword in ("properties", "patternProperties"):
            members = schema.get(keyword)
            if members:
                below = step(path, keyword)
                node[keyword] = {name: self.node(part, step(below, name)) for name, part in members.items()}
        if schema.get("required"):
            node["required"] = list(schema["required"])
        simple = _as_simple(schema, "additionalProperties") and "unevaluatedProperties" in schema
        rest = "unevaluatedProperties" if simple else "additionalProperties"
        if rest in schema:
            node["additionalProperties"] = self.node(schema[rest], step(path, rest))
        patterns = node.get("patternProperties", {})
        if not all(self.is_plain(pattern) for pattern in patterns):
            self.leave_out(path, "patternProperties", "a pattern is beyond what a grammar can hold")
            del node["patternProperties"]
            node["additionalProperties"] = True
        if len(node) > 1:
            node["at"] = path
        return node


def together(parts: list[Node], path: str) -> Node:
    """The node that says all of `parts`."""
    said = [part for part in parts if part is not True]
    if False in said:
        return False
    if not said:
        return True
    return said[0] if len(said) == 1 else {"allOf": said, "at": path}


def _as_simple(schema: dict[str, Any], keyword: str) -> bool:
    """Whether the `unevaluated…` keyword says just what `keyword` would, because nothing else looks at the parts."""
    return keyword not in schema and not (schema.keys() & _IN_PLACE)


def _idle(schema: dict[str, Any], keyword: str) -> bool:
    """Whether the keyword says nothing here."""
    match keyword:
        case "if":
            return schema.get("then", True) is True and schema.get("else", True) is True
        case "contains":
            return schema.get("minContains") == 0 and "maxContains" not in schema
        case "uniqueItems":
            types = schema.get("type", "array")
            return schema[keyword] is False or schema.get("maxItems", 2) <= 1 or "array" not in types
        case "propertyNames":
            return schema[keyword] is True
        case _:
            return not schema[keyword]


def _has_type(value: Any, types: list[str]) -> bool:
    name = type_of(value)
    return name in types or (name == "integer" and "number" in types)


def _holdable(value: Any) -> bool:
    if is_list(value):
        return all(_holdable(part) for part in value)
    if is_object(value):
        return all(_holdable(part) for part in value.values())
    return isinstance(value, bool) or not isinstance(value, int | float) or plainly_written(value)


def _canonical(value: Any) -> Any:
    """The value with numbers without a fraction as integers."""
    if is_list(value):
        return [_canonical(part) for part in value]
    if is_object(value):
        return {name: _canonical(part) for name, part in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
