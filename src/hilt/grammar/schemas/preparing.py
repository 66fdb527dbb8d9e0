"""From a client's JSON Schema to its normal form: read, spelled out, joined, and rid of what nothing satisfies."""

from typing import Any

import jsonschema_rs
from msgspec import Struct

from hilt.conversation import InvalidRequest
from hilt.grammar.keywords import Node, Schema, Unenforced, is_list, is_object
from hilt.grammar.schemas.checking import validator
from hilt.grammar.schemas.intersections import Intersections
from hilt.grammar.schemas.normal_form import NormalForm
from hilt.grammar.schemas.reading import read_schema
from hilt.grammar.schemas.satisfying import Satisfying


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
