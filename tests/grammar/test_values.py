"""Values in every notation: what their grammars accept, and that the parser reads it as a value that fits."""

import json
from typing import Any

import jsonschema_rs
import pytest

from hilt.conversation import Call
from hilt.dialects import dialect_named, render
from hilt.dialects.declared import declared
from hilt.grammar.lark import Rules
from hilt.grammar.values import Frame, Values, unenforced
from tests.grammar.schemas_of_values import ARGUMENTS, CLOSED, SCHEMAS, around, text
from tests.grammar.whole_calls import Drawing, accepts, call_grammar, finished, matcher, vocabulary

DIALECTS = ("qwen_xml", "seed_oss", "minicpm5", "glm", "kimi_k3", "deepseek_dsml", "minimax_m3", "pythonic", "lfm2",
            "olmo3", "gemma4", "functiongemma")  # fmt: skip
CLOSERS = ("'", '"', "}", "]", ")", "\n</parameter>\n", "</parameter>", "</param>", "]]>", '<|"|>', "<escape>",
           "</arg_value>\n", "]<]minimax[>[</v>", "]<]minimax[>[</item>", "]<]minimax[>[</k>",
           "]<]minimax[>[</city>", "<|close|>argument<|sep|>", "</｜DSML｜parameter>\n")  # fmt: skip
FILLERS = ("/", "x", "0", "1-", "a", ",", "=", ":", ":00", "2024-")
AS_JSON = {"whole_values", "pair", "maybe_pair", "list_or_object"}  # where no reader of elements can tell what is what
NEEDS_ESCAPES = {"pattern_of_signs"}

every_dialect = pytest.mark.parametrize("dialect", DIALECTS)
tokens = pytest.mark.parametrize("special", [False, True], ids=["plain marks", "marks as tokens"])


@every_dialect
@tokens
def test_what_a_renderer_writes_is_accepted(dialect: str, special: bool) -> None:
    spec = dialect_named(dialect)
    for name, (node, values) in SCHEMAS.items():
        if (dialect == "minimax_m3" and name in AS_JSON) or (dialect in ("pythonic", "lfm2") and name in NEEDS_ESCAPES):
            continue
        lark = call_grammar(spec, around(node), vocabulary(special))
        for value in values:
            written = render(spec, [Call("1", "f", json.dumps({"v": value}))])
            assert accepts(lark, written, vocabulary(special)), (name, written)


@every_dialect
@tokens
def test_what_is_accepted_is_read_as_a_value_that_fits(dialect: str, special: bool) -> None:
    schemas = {name: around(node) for name, (node, _) in SCHEMAS.items()} | ARGUMENTS
    drawn = 0
    for name, schema in schemas.items():
        check = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        made = matcher(call_grammar(dialect_named(dialect), schema, vocabulary(special)), vocabulary(special))
        drawing = Drawing(vocabulary(special), (*CLOSERS, *schema.get("properties", ())), len(name), FILLERS)
        for _ in range(3):
            written = drawing.draw(made.deep_copy(), longest=120)
            if written is None:
                continue
            drawn += 1
            read = finished(dialect, written, schema)
            arguments = read and json.loads(read.call.arguments)
            assert read is None or check.is_valid(arguments), (name, written, arguments)
    assert drawn > len(schemas)


QWEN = "<tool_call>\n<function=f>\n<parameter=v>\n{}\n</parameter>\n</function>\n</tool_call>"
MINICPM = '<function name="f"><param name="v">{}</param></function>'
PYTHON = "[f(v={})]"
GEMMA = "<|tool_call>call:f{{v:{}}}<tool_call|>"
M3 = ']<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="f">{}]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>'
N = "]<]minimax[>["

TABLE: list[tuple[str, str, Any, list[str], list[str]]] = [
    ("qwen_xml", QWEN, text(), ["a", "", "\n\na\n", "a <b> </paramete", "5"], ["a</parameter>b", "<parameter=w>"]),
    ("qwen_xml", QWEN, text(maxLength=3), ["abc", "a\nb", "é🙂x"], ["abcd"]),
    ("qwen_xml", QWEN, text(pattern="^a+$"), ["aaa"], ["b", "", "aa\n"]),
    ("qwen_xml", QWEN, {"type": "integer", "minimum": 3}, ["3", "1000"], ["2", "03", "3.5", " 3", "x"]),
    ("qwen_xml", QWEN, {"type": "boolean"}, ["true", "False"], ["yes", "null"]),
    ("qwen_xml", QWEN, SCHEMAS["nullable"][0], ["null", "None", "none", "a null"], [" null"]),
    ("qwen_xml", QWEN, SCHEMAS["text_or_number"][0], ["5", "5 km", "2024-01-01"], ["5.0", " 5", "1_000"]),
    ("qwen_xml", QWEN, SCHEMAS["text_or_bounded"][0], ["10", "x5"], ["9", "5 km"]),
    ("qwen_xml", QWEN, SCHEMAS["words"][0], ["red"], ["blue", "red "]),
    ("qwen_xml", QWEN, SCHEMAS["closed"][0], ['{"a":"x"}', '{ "b": 1, "a": "" }'], ["{}", '{"a":"","d":1}', '{"b":1}']),
    ("qwen_xml", QWEN, SCHEMAS["strings"][0], ['["</parameter>"]'], ["['a']"]),
    ("seed_oss", QWEN.replace("\n{}\n", "{}").replace("tool_call", "seed:tool_call"), SCHEMAS["strings"][0],
     ["['a', \"b\"]", '["a"]'], ["('a',)"]),
    ("minicpm5", MINICPM, text(), ["a", "<![CDATA[</param>]]>", "<![CDATA[a]]]]><![CDATA[>]]>"], ["a</param>b"]),
    ("minicpm5", MINICPM, text(maxLength=2), ["ab", "<![CDATA[a<]]>"], ["abc", "<![CDATA[abc]]>"]),
    ("minicpm5", MINICPM, {"enum": ["a", "b"]}, ["a", "<![CDATA[b]]>"], ["c"]),
    ("pythonic", PYTHON, text(), ["'a'", '"a"', r"'\x41\n\u00e9'", "'\"'"], ["a", "'a", "'\n'", r"'\ud800'", "None"]),
    ("pythonic", PYTHON, text(maxLength=1), [r"'\n'", "''"], ["'ab'"]),
    ("pythonic", PYTHON, text(pattern="^.$"), ["'a'", '"a"'], ["''", "'ab'"]),
    ("pythonic", PYTHON, {"type": "null"}, ["None", "null"], ["none"]),
    ("pythonic", PYTHON, SCHEMAS["closed"][0], ["{'a': ''}", '{"b": 1,\n"a": "x"}'],
     ["{'b': 1}", "{'a': '', 'a': ''}"]),
    ("pythonic", PYTHON, SCHEMAS["map"][0], ["{}", "{'x': 1, \"y\": 2}"], ["{'x': 'a'}", "{1: 2}"]),
    ("pythonic", PYTHON, SCHEMAS["pair"][0], ["['a', 1]"], ["['a']", "['a', 1, 2]", "[]"]),
    ("pythonic", PYTHON, SCHEMAS["maybe_pair"][0], ["[]", "['a']", "['a', 1, None]"], ["[1]"]),
    ("pythonic", PYTHON, SCHEMAS["few"][0], ["[1]", "[1,2, 3]"], ["[]", "[1, 2, 3, 4]"]),
    ("gemma4", GEMMA, text(), ['<|"|>say "a"<|"|>', '<|"|><|"|>'], ['"a"', "a", '<|"|>a<|"|>b<|"|>']),
    ("gemma4", GEMMA, text(minLength=1), ['<|"|>a<|"|>'], ['<|"|><|"|>']),
    ("gemma4", GEMMA, SCHEMAS["closed"][0], ['{a:<|"|>x<|"|>,b:1}', '{b:1, a:<|"|><|"|>}'], ["{b:1}", '{"a":1}']),
    ("gemma4", GEMMA, CLOSED | {"properties": {"a b": {"type": "integer"}}}, ['{<|"|>a b<|"|>:1}', "{}"], ["{a b:1}"]),
    ("gemma4", GEMMA, SCHEMAS["map"][0], ['{<|"|>a b<|"|>:1, c:2}'], ['{"a":1}']),
    ("minimax_m3", M3, SCHEMAS["maybe_pair"][0], [f"{N}<v>{N}</v>", f'{N}<v>["a", 1]{N}</v>'], [f"{N}<v>[1]{N}</v>"]),
    ("minimax_m3", M3, SCHEMAS["few"][0], [f"{N}<v>{N}<item>1{N}</item>\n{N}</v>", f"{N}<v>[1, 2]{N}</v>"],
     [f"{N}<v>{N}</v>", f"{N}<v>{N}<x>1{N}</x>{N}</v>"]),
    ("minimax_m3", M3, SCHEMAS["closed"][0], [f"{N}<v>{N}<c>true{N}</c>{N}<a>{N}</a>{N}</v>"], [f"{N}<v>{N}</v>"]),
    ("minimax_m3", M3, SCHEMAS["strings"][0], [f"{N}<v>{N}</v>", f"{N}<v>[]{N}</v>"], [f"{N}<v>a{N}</v>"]),
    ("minimax_m3", M3, {"type": "object"}, [f'{N}<v>{{"a": [1]}}{N}</v>'], [f"{N}<v>a{N}</v>"]),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "form", "node", "good", "bad"), TABLE)
@tokens
def test_texts(dialect: str, form: str, node: Any, good: list[str], bad: list[str], special: bool) -> None:
    lark = call_grammar(dialect_named(dialect), around(node), vocabulary(special))
    for written in good:
        if special and any(f"{mark}{end}" in written for mark in ("</parameter>", "</param>") for end in ('"]', "]]>")):
            continue  # a mark that is one token can't stand in a text
        assert accepts(lark, form.format(written), vocabulary(special)), written
        assert finished(dialect, form.format(written), around(node)) is not None
    for written in bad:
        assert not accepts(lark, form.format(written), vocabulary(special)), written


def arguments_of(**keywords: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "null"}}, **keywords}


MEMBERS: list[tuple[dict[str, Any], list[str], list[str]]] = [
    (arguments_of(additionalProperties=False, required=["b"]), ["b=None", "a=1, b=None", "b=None,a=1"], ["", "a=1"]),
    (arguments_of(additionalProperties=False), ["", "a=1", "b=None"], ["a=1, a=2", "c=1", ", a=1", "a=1 b=None"]),
    (arguments_of(), ["", "x='y'", "x=1, a=1, y={}, b=None"], ["a='x'", "x=1, b=2"]),
    (arguments_of(additionalProperties={"type": "integer"}), ["x=1, a=2, aa=3"], ["x=''"]),
    (arguments_of(additionalProperties=False, patternProperties={"^x_": {"type": "boolean"}}),
     ["x_=True, a=1"], ["x_=1", "y=True"]),
    (arguments_of(patternProperties={"^x_": {"type": "boolean"}}), ["x_=True, y=1"], ["x_=1"]),
    (arguments_of(required=["c"]), ["c=1, a=1", "a=1, c=''"], ["a=1"]),
    (arguments_of(additionalProperties=False, minProperties=1), ["a=1", "b=None"], [""]),
    (arguments_of(additionalProperties=False, maxProperties=1), ["a=1", ""], ["a=1, b=None"]),
    ({"type": "object", "minProperties": 1, "maxProperties": 2}, ["x=1", "x=1, y=2"], ["", "x=1, y=2, z=3"]),
    ({"type": "object", "properties": {"a": False}}, ["", "b=1"], ["a=1"]),
    ({"type": "object", "additionalProperties": False}, [""], ["a=1"]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "good", "bad"), MEMBERS)
def test_members_of_a_call(schema: dict[str, Any], good: list[str], bad: list[str]) -> None:
    lark = call_grammar(dialect_named("pythonic"), schema, vocabulary())
    for written in good:
        assert accepts(lark, f"[f({written})]", vocabulary()), written
    for written in bad:
        assert not accepts(lark, f"[f({written})]", vocabulary()), written


@pytest.mark.parametrize(
    ("name", "good"), [("city", True), ("cinema", True), ("c", True), ("citys", True), ("1", False)]
)
@tokens
def test_further_parameters(name: str, good: bool, special: bool) -> None:
    """Names that begin like declared ones stand where further members may."""
    schema = {"type": "object", "properties": {"city": text()}}
    lark = call_grammar(dialect_named("minimax_m2"), schema, vocabulary(special))
    written = render(dialect_named("minimax_m2"), [Call("1", "f", json.dumps({name: "x"}))])
    assert accepts(lark, written, vocabulary(special)) == good


INTEGER = {"type": "integer", "minimum": 3}


@pytest.mark.parametrize(
    ("schema", "node", "good", "bad"),
    [
        ({"minimum": 3}, {"anyOf": [text(), {"type": "null"}, INTEGER]}, ["a", "null", "2"], []),
        ({"anyOf": [INTEGER, {"maxLength": 1}]}, {"anyOf": [INTEGER, text(maxLength=1)]}, ["3", "a"], ["2", "ab"]),
        ({"type": "integer", "minimum": 3}, INTEGER, ["3"], ["2", "a"]),
    ],
)
def test_the_reader_sees_the_schema_as_it_was_written(
    schema: dict[str, Any], node: Any, good: list[str], bad: list[str]
) -> None:
    rules = Rules()
    values = Values(rules, vocabulary(), {})
    read_as = declared({"properties": {"v": schema}}, "v")
    lark = rules.text(values.raw(node, Frame("</v>", ("</v>",)), read_as))
    for written in good:
        assert accepts(lark, f"{written}</v>", vocabulary()), written
    for written in bad:
        assert not accepts(lark, f"{written}</v>", vocabulary()), written


def test_each_type_that_a_value_may_have_with_its_text() -> None:
    frame = Frame("</v>", ("</v>",), typing=True)

    def typed(node: Any) -> dict[str, str]:
        rules = Rules()
        return {n: rules.text(b) for n, b in Values(rules, vocabulary(), {}).raw_typed(node, frame)}

    found = typed(True)
    assert set(found) == {"string", "number", "boolean", "null", "array", "object"}
    texts = {"string": "5", "number": "5", "boolean": "True", "null": "null", "array": "[5]", "object": "{}"}
    for name, lark in found.items():
        accepted = {other for other in texts if accepts(lark, f"{texts[other]}</v>", vocabulary())}
        assert accepted == (set(texts) if name == "string" else {n for n, t in texts.items() if t == texts[name]})
    assert set(typed({"anyOf": [text(), {"enum": [1, None]}]})) == {"string", "integer", "null"}


@pytest.mark.parametrize("count", [6, 60, 61, 64, 100])
def test_many_members(count: int) -> None:
    """Up to 60 stand in any order, more in the schema's; the required ones always."""
    names = [f"k{n}" for n in range(count)]
    schema = CLOSED | {"properties": {n: {"type": "integer"} for n in names}, "required": names[::2]}
    lark = call_grammar(dialect_named("pythonic"), schema, vocabulary())

    def written(chosen: list[str]) -> bool:
        return accepts(lark, f"[f({', '.join(f'{n}=1' for n in chosen)})]", vocabulary())

    assert written(names)
    assert written(names[::2])
    assert not written(names[1:])
    assert written(names[::-1]) == (count <= 60)


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        (SCHEMAS["closed"][0], []),
        ({"type": "array", "items": text(maxLength=50_000)}, ["/items/maxLength"]),
        (arguments_of(maxProperties=1), ["/maxProperties"]),
        (arguments_of(minProperties=1, additionalProperties=False), []),
        ({"$ref": "#/$defs/a", "$defs": {"a": text(minLength=30_000)}}, ["/$defs/a/minLength"]),
    ],
)
def test_what_is_left_to_the_check_is_told(node: Any, wanted: list[str]) -> None:
    found = unenforced(node, "python")
    assert [part.path for part in found] == wanted
    assert all(part.path.endswith(f"/{part.keyword}") and part.reason for part in found)
