"""A client's JSON Schema is read into one plain document of draft 2020-12, bounded in size, or refused.

The plain document has no annotations, no older habits (`definitions`, `items` as a list, `dependencies`, OpenAPI's
`nullable`, draft 4's `exclusiveMinimum: true`), and no references but `{"$ref": "#/$defs/NAME"}`. The final check and
the grammar are both made from it. Keywords beside a `$ref` count, as in draft 2020-12, whatever draft is named.
"""

import re
from typing import Any

import jsonschema_rs
import msgspec
from msgspec import Struct

from hilt.conversation import InvalidRequest
from hilt.grammar.keywords import (
    ANNOTATIONS,
    LISTS,
    MAPS,
    ONE,
    REFERENCES,
    Schema,
    Unenforced,
    is_list,
    is_object,
    step,
)
from hilt.grammar.schemas.formats import FORMATS
from hilt.grammar.schemas.patterns import Beyond, Plain, TooLarge, read_pattern
from hilt.grammar.schemas.reference_graph import standing_for_itself
from hilt.grammar.schemas.references import Addresses, Place

MAX_DEPTH = 128
"""How deep the JSON of a schema may nest; two levels make one level of properties."""
MAX_CHARS = 1_000_000
MAX_VALUES = 100_000
"""The most values in a schema, counting every keyword, member and item."""
MAX_ENUM_VALUES = 10_000
MAX_MEMBERS = 2_000
"""The most `properties` of one object: compiling them takes time quadratic in their number."""
_KEPT = frozenset(
    [
        "type",
        "enum",
        "const",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minContains",
        "maxContains",
        "required",
        "minProperties",
        "maxProperties",
        "dependentRequired",
    ]
)


class PlainSchema(Struct, frozen=True):
    """`document` is plain draft 2020-12; `paths` tells where in the client's schema each of its `$defs` stood."""

    document: Schema
    paths: dict[str, str]
    unenforced: tuple[Unenforced, ...]


def read_schema(schema: Any, where: str) -> PlainSchema:
    """Read a client's schema. Raises InvalidRequest with `param` naming the faulty place below `where`."""
    schema = bounded(schema, where)
    if isinstance(schema, bool):
        return PlainSchema(schema, {}, ())
    if not is_object(schema):
        raise InvalidRequest(f"`{where}` is {_article(schema)}; a JSON Schema is an object or a boolean.", param=where)
    reader = _Reader(Addresses(schema, where), where)
    document = reader.document()
    try:
        jsonschema_rs.meta.validate(document)
    except jsonschema_rs.ValidationError as error:
        raise reader.misfit(error) from error
    name = standing_for_itself(document.get("$defs", {}))
    if name is not None:
        raise InvalidRequest(
            f"The schema `{where}` refers to itself at `{reader.paths[name] or '/'}` with nothing between, so that it"
            " has no end. Let the reference stand in a member or an item.",
            param=where + reader.paths[name],
        )
    return PlainSchema(document, reader.paths, tuple(reader.unenforced))


def bounded(schema: Any, where: str) -> Any:
    """The schema as JSON; refused if it nests too deep, holds too much or can't be written, in linear time."""
    values = 0
    level = [schema]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if is_object(value):
                below.extend(value.values())
            elif is_list(value):
                below.extend(value)
        values += len(below)
        if values > MAX_VALUES:
            raise InvalidRequest(
                f"The schema `{where}` holds more than {MAX_VALUES} values; send a smaller one.", param=where
            )
        level = below
        if not level:
            break
    else:
        raise InvalidRequest(
            f"The schema `{where}` is nested more than {MAX_DEPTH} levels deep; move parts of it to `$defs`.",
            param=where,
        )
    try:
        text = msgspec.json.encode(schema)
    except (TypeError, ValueError, UnicodeError, OverflowError) as error:
        raise InvalidRequest(f"The schema `{where}` is not JSON: {error}.", param=where) from error
    if len(text) > MAX_CHARS:
        raise InvalidRequest(
            f"The schema `{where}` is {len(text)} bytes long, more than {MAX_CHARS}; send a smaller one.", param=where
        )
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"The schema `{where}` is not JSON: {error}.", param=where) from error


class _Reader:
    """Reads one schema; each subschema that a reference leads to is read once and put under `$defs`."""

    def __init__(self, addresses: Addresses, where: str) -> None:
        self.addresses = addresses
        self.where = where
        self.names: dict[str, str] = {}
        self.paths: dict[str, str] = {}
        self.pending: list[tuple[str, Place]] = []
        self.unenforced: list[Unenforced] = []
        self.patterns: dict[str, str] = {}
        self.seconds: list[dict[str, Any]] = []
        self.enum_values = 0

    def document(self) -> dict[str, Any]:
        root = self.read(self.addresses.document, "", "")
        document: dict[str, Any] = root if is_object(root) else {"not": {}}
        definitions: dict[str, Schema] = {}
        while self.pending:
            name, place = self.pending.pop()
            definitions[name] = self.read(place.schema, place.pointer, place.base)
        if definitions:
            document["$defs"] = definitions
        return document

    def read(self, schema: Any, path: str, base: str) -> Any:
        """`schema`, which stands at `path`, in plain words; what is of a wrong kind is left for the meta-schema."""
        if not is_object(schema):
            return schema
        base = self.addresses.base_within(schema, base)
        plain: dict[str, Any] = {}
        for key, value in schema.items():
            at = step(path, key)
            if key in REFERENCES and isinstance(value, str):
                self.refer(plain, key, value, base, at)
            elif key in ANNOTATIONS:
                continue
            elif key == "dependencies" and is_object(value):
                self.depend(plain, value, at, base)
            elif key == "items" and is_list(value):
                plain["prefixItems"] = [self.read(item, step(at, i), base) for i, item in enumerate(value)]
            elif key == "additionalItems":
                if is_list(schema.get("items")):
                    plain["items"] = self.read(value, at, base)
            elif key in ONE:
                plain[key] = self.read(value, at, base)
            elif key in LISTS and is_list(value):
                plain[key] = [self.read(item, step(at, i), base) for i, item in enumerate(value)]
            elif key in MAPS and is_object(value):
                if len(value) > MAX_MEMBERS and not key.startswith("d"):
                    raise InvalidRequest(
                        f"`{self.where}{at}` has more than {MAX_MEMBERS} members; send fewer.", param=self.where + at
                    )
                members = {name: self.read(item, step(at, name), base) for name, item in value.items()}
                plain[key] = self.by_pattern(members, at) if key == "patternProperties" else members
            elif key == "pattern" and isinstance(value, str):
                plain[key] = self.pattern(value, at)
            elif key == "format" and isinstance(value, str):
                self.format(plain, value, at)
            elif key in _KEPT or key in LISTS or key in MAPS or key in ("pattern", "format"):
                plain[key] = value
        if self.seconds and sum(key in schema for key in REFERENCES) > 1:
            plain["allOf"] = [*plain.get("allOf", []), self.seconds.pop()]
        _modernise(plain, schema)
        self.count_enum(plain, path)
        return plain

    def refer(self, plain: dict[str, Any], key: str, reference: str, base: str, at: str) -> None:
        place = self.addresses.resolve(reference, base, at, dynamic=key == "$dynamicRef")
        name = self.names.get(place.pointer)
        if name is None:
            word = re.sub(r"[^0-9A-Za-z_]", "_", place.pointer.rpartition("/")[2])[:40] or "root"
            name = word
            while name in self.paths:
                name = f"{word}_{len(self.paths)}"
            self.names[place.pointer] = name
            self.paths[name] = place.pointer
            self.pending.append((name, place))
        target = {"$ref": f"#/$defs/{name}"}
        if "$ref" in plain:
            self.seconds.append(target)
        else:
            plain.update(target)

    def depend(self, plain: dict[str, Any], value: dict[str, Any], at: str, base: str) -> None:
        for name, needed in value.items():
            if is_list(needed):
                plain.setdefault("dependentRequired", {})[name] = needed
            else:
                plain.setdefault("dependentSchemas", {})[name] = self.read(needed, step(at, name), base)

    def by_pattern(self, members: dict[str, Any], at: str) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for pattern, schema in members.items():
            text = self.pattern(pattern, step(at, pattern))
            plain[text] = {"allOf": [plain[text], schema]} if text in plain else schema
        return plain

    def pattern(self, pattern: str, at: str) -> str:
        if pattern in self.patterns:
            return self.patterns[pattern]
        match read_pattern(pattern):
            case Plain(text):
                plain = text
            case Beyond():
                plain = pattern
            case TooLarge(reason):
                raise InvalidRequest(
                    f"The pattern at `{self.where}{at}` is too large: {reason}. Shorten it.", param=self.where + at
                )
        self.patterns[pattern] = plain
        return plain

    def format(self, plain: dict[str, Any], name: str, at: str) -> None:
        if name in FORMATS:
            plain["format"] = name
        else:
            reason = f"the format {name[:40]!r} is taken as a remark"
            self.unenforced.append(Unenforced(at, "format", reason, remark=True))

    def count_enum(self, plain: dict[str, Any], path: str) -> None:
        values = plain.get("enum")
        if is_list(values):
            self.enum_values += len(values)
            if self.enum_values > MAX_ENUM_VALUES:
                raise InvalidRequest(
                    f"The schema `{self.where}` lists more than {MAX_ENUM_VALUES} values in `enum`; send fewer.",
                    param=self.where + step(path, "enum"),
                )

    def misfit(self, error: jsonschema_rs.ValidationError) -> InvalidRequest:
        """The meta-schema's verdict in the client's terms."""
        tokens = list(error.instance_path)
        path = ""
        if len(tokens) >= 2 and tokens[0] == "$defs" and tokens[1] in self.paths:
            path, tokens = self.paths[str(tokens[1])], tokens[2:]
        for token in tokens:
            path = step(path, token)
        message = error.message if len(error.message) <= 200 else error.message[:100] + " … " + error.message[-90:]
        return InvalidRequest(
            f"`{self.where}{path}` is not valid JSON Schema (draft 2020-12): {message}.", param=self.where + path
        )


def _modernise(plain: dict[str, Any], schema: dict[str, Any]) -> None:
    """Older habits that concern several keywords at once."""
    kind = plain.get("type")
    if schema.get("nullable") is True and isinstance(kind, str) and kind != "null":
        plain["type"] = [kind, "null"]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(plain.get(exclusive), bool) and plain.pop(exclusive) and bound in plain:
            plain[exclusive] = plain.pop(bound)


def _article(value: Any) -> str:
    match value:
        case None:
            return "null"
        case list():
            return "a list"
        case str():
            return "a string"
        case _:
            return "a number"
