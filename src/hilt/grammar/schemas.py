"""A client's JSON Schema made ready: a normal form for grammars, and an honest list of what that doesn't enforce.

A node of the normal form is one of

- `True` or `False`;
- `{"$ref": "#/$defs/NAME"}`, alone;
- `{"anyOf": [nodes]}`, alone;
- `{"enum": [values]}`, alone;
- `{"type": T, …}` with the keywords of that one type: `pattern`, `minLength`, `maxLength` (string); `minimum` or
  `exclusiveMinimum`, `maximum` or `exclusiveMaximum`, `multipleOf` (integer, number); `prefixItems`, `items`,
  `minItems`, `maxItems` (array); `properties`, `required`, `additionalProperties`, `patternProperties`,
  `minProperties`, `maxProperties` (object). Formats have become patterns; every required name is in `properties`. An
object that says nothing of further members has no `additionalProperties`; one that allows them all has `True`.

`$defs` stand at the root. The normal form accepts all that the schema accepts, and nothing else when `unenforced` is
empty. That is said of values: the grammar made from it also fixes the order of members and how numbers are spelled.
"""

from typing import Any

import jsonschema_rs
from msgspec import Struct

from hilt.conversation import InvalidRequest
from hilt.grammar.checking import validator
from hilt.grammar.intersections import Intersections
from hilt.grammar.keywords import Node, Schema, Unenforced, is_list, is_object
from hilt.grammar.normal_form import NormalForm
from hilt.grammar.reading import read_schema
from hilt.grammar.satisfying import Satisfying


class Prepared(Struct, frozen=True):
    """`schema` is the client's in plain draft 2020-12, for `Check`; `grammar` its normal form."""

    schema: Schema
    grammar: Node
    unenforced: tuple[Unenforced, ...]


def prepare(schema: Any, where: str) -> Prepared:
    """Make a client's JSON Schema ready.

    Raises InvalidRequest, `param` being `where` and the JSON pointer of the fault, for what is no JSON Schema, is too
    large, refers to other documents or to nothing, has a pattern that can't be run, or that no value satisfies.
    """
    plain = read_schema(schema, where)
    try:
        validator(plain.document)
    except jsonschema_rs.ValidationError as error:
        raise InvalidRequest(
            f"The schema `{where}` can't be checked: {error.message[:200]}. Change that part.", param=where
        ) from error
    form = NormalForm(plain)
    finished = Satisfying(Intersections(form, where), where)
    unenforced = dict.fromkeys([*form.unenforced, *finished.unenforced])
    return Prepared(plain.document, finished.grammar, tuple(unenforced))


def prepare_arguments(schema: Any, where: str) -> Prepared:
    """`prepare` for the parameters of a tool: its arguments are an object, whether the schema says so or not."""
    if schema is True or schema is None:
        schema = {}
    if is_object(schema) and ("type" not in schema or _allows_objects(schema["type"])):
        schema = {**schema, "type": "object"}
    return prepare(schema, where)


def _allows_objects(types: Any) -> bool:
    return is_list(types) and "object" in types
