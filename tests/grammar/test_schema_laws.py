"""The laws of the normal form, on schemas and values drawn at random, with an independent validator as the judge."""

import json
import re
from random import Random
from typing import Any

import jsonschema
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hilt.conversation import InvalidRequest
from hilt.grammar import Check, Prepared, prepare
from hilt.grammar.schemas.formats import FORMATS, has_format
from hilt.measure.grammar_trial import Trial, byte_tokenizer, fault_of
from hilt.measure.schema_keywords import ordered

TOKENIZER = byte_tokenizer()
NAMES = ("a", "b", "cd", "e1")
PATTERNS = ("^a+$", "b", "^[a-c]{1,2}$", r"\d", "^x|y$", "^(?:ab)*$", r"^[^\w]$", "(?=a)", "")
FORMAT_CHECKER = jsonschema.FormatChecker(formats=())
for _name in FORMATS:
    FORMAT_CHECKER.checkers[_name] = (lambda text, name=_name: not isinstance(text, str) or has_format(name, text), ())

texts = st.sampled_from(["", "a", "aa", "b", "ab", "abab", "c", "x", "y1", "-", "12", "é", "\n", '"', "2024-02-29"])
numbers = st.one_of(st.integers(-12, 12), st.sampled_from([0.5, -1.5, 2.25, 10.1, 3.0]))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from((*NAMES, "zz")), inner, max_size=3)
    ),
    max_leaves=5,
)
counts = st.integers(0, 3)
bounds = st.one_of(st.integers(-10, 10), st.sampled_from([0.5, -2.25, 10.1]))


def keywords(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=parts)


def compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    members = st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    required = st.lists(st.sampled_from(NAMES), unique=True, max_size=2)
    of_objects = keywords(
        properties=members,
        required=required,
        additionalProperties=inner,
        minProperties=counts,
        maxProperties=counts,
        patternProperties=st.dictionaries(st.sampled_from(["^a", "1$"]), inner, max_size=2),
    )
    of_lists = keywords(items=inner, prefixItems=several, minItems=counts, maxItems=counts, uniqueItems=st.booleans())
    in_place = keywords(
        allOf=several,
        anyOf=several,
        oneOf=several,
        **{"not": inner, "if": inner, "then": inner, "$ref": st.sampled_from(["#/$defs/one", "#/$defs/two"])},
    )
    typed = st.one_of(
        of_objects.map(lambda schema: {"type": "object", **schema}),
        of_lists.map(lambda schema: {"type": "array", **schema}),
        of_objects,
    )
    return st.one_of(typed, in_place, st.tuples(typed, in_place).map(lambda pair: {**pair[0], **pair[1]}))


leaves = st.one_of(
    st.booleans(),
    st.sampled_from([{"type": name} for name in ("null", "boolean", "integer", "number", "string", "array", "object")]),
    keywords(minimum=bounds, exclusiveMaximum=bounds, multipleOf=st.sampled_from([2, 3, 0.5, 0.25, 0.07])).map(
        lambda schema: {"type": "number", **schema}
    ),
    keywords(exclusiveMinimum=bounds, maximum=bounds, multipleOf=st.sampled_from([2, 3, 0.5, 1.5])).map(
        lambda schema: {"type": ["integer", "null"], **schema}
    ),
    keywords(minLength=counts, maxLength=counts, pattern=st.sampled_from(PATTERNS)).map(
        lambda schema: {"type": "string", **schema}
    ),
    keywords(minimum=bounds, minLength=counts, pattern=st.sampled_from(PATTERNS), format=st.just("date")),
    st.lists(values, min_size=1, max_size=4).map(lambda listed: {"enum": listed}),
    values.map(lambda value: {"const": value}),
)
schemas = st.recursive(leaves, compound, max_leaves=7)
documents = st.tuples(schemas, schemas, schemas).map(
    lambda three: {"$defs": {"one": three[1], "two": three[2]}, **(three[0] if isinstance(three[0], dict) else {})}
)
many = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


def prepared_or_skip(schema: dict[str, Any]) -> Prepared:
    try:
        return prepare(schema, "schema")
    except InvalidRequest:
        assume(False)
        raise


def judge(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema, format_checker=FORMAT_CHECKER)


def is_valid(schema: dict[str, Any], value: Any) -> bool:
    try:
        return judge(schema).is_valid(value)
    except RecursionError:
        assume(False)
        raise


@many
@given(documents, st.lists(values, min_size=1, max_size=6))
def test_the_grammar_allows_every_valid_value_and_the_check_agrees(
    schema: dict[str, Any], candidates: list[Any]
) -> None:
    prepared = prepared_or_skip(schema)
    trial, check = Trial(prepared.grammar, TOKENIZER), Check(prepared.schema)
    for value in candidates:
        valid = is_valid(schema, value)
        assert (not check.value_faults(value)) == valid
        if valid:
            assert trial.accepts_value(ordered(value, prepared.grammar)), (value, prepared.grammar)
        elif not prepared.unenforced:
            assert not trial.accepts_value(ordered(value, prepared.grammar)), (value, prepared.grammar)


@many
@given(documents, st.integers(0, 1000))
def test_what_an_exact_grammar_writes_is_valid(schema: dict[str, Any], seed: int) -> None:
    prepared = prepared_or_skip(schema)
    assume(not prepared.unenforced)
    trial, check = Trial(prepared.grammar, TOKENIZER), Check(prepared.schema)
    for number in range(3):
        text = trial.written(Random(seed + number), max_bytes=120)
        if text is None or beyond_the_law(text):
            continue
        assert check.faults(text) == (), (text, prepared.grammar)
        assert is_valid(schema, json.loads(text)), (text, prepared.grammar)


@many
@given(documents, st.lists(values, max_size=4))
def test_a_schema_is_refused_only_if_it_has_no_values(schema: dict[str, Any], candidates: list[Any]) -> None:
    try:
        prepared = prepare(schema, "schema")
    except InvalidRequest as refusal:
        assume("refers to itself" not in refusal.message)  # whether a validator comes to an end there is its own affair
        satisfied = [value for value in candidates if is_valid(schema, value)]
        fault = f"refused, but {satisfied} satisfy it: {refusal.message}" if satisfied else ""
    else:
        fault = fault_of(prepared.grammar)
    assert fault == ""


def beyond_the_law(text: str) -> bool:
    """Whether the text has what a grammar can't see: a name twice or with escapes, or a number too large to read."""
    if re.search(r"\\u|\d[eE]\+?\d{3}", text):
        return True
    found = False

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        found = found or len({name for name, _ in pairs}) < len(pairs)
        return dict(pairs)

    json.loads(text, object_pairs_hook=note)
    return found
