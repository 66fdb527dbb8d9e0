"""The grammar of a reply and the reader of replies agree: each takes what the other writes, in every dialect."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer

from hilt.conversation import Call, CallFinished, CallRejected, ContentDelta, ToolSpec
from hilt.dialects import CATALOG, Dialect, Parser, ParserEvent, dialect_named, render
from hilt.grammar import prepare_arguments
from hilt.grammar.ending import Closers, ending, read_closers
from hilt.grammar.matching import Grammar, compile_grammar
from hilt.grammar.offers import offer
from hilt.grammar.replies import Demand, ForcedCalls, FreeReply, JsonAnswer, NoCalls, marks_of, native, write_grammar
from hilt.grammar.vocabulary import Vocabulary, read_vocabulary

TOKENIZER = Path(__file__).parents[2] / "src" / "hilt" / "starter_model" / "tokenizer.json"
TURN_END = "<|im_end|>"
DRAWS = 2
STRAY = ("stray_characters",)  # text behind a block without a closing mark may begin with a bracket


def object_of(required: Sequence[str] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


TOOLS = [
    ToolSpec("add", "", object_of(["a", "b"], a={"type": "integer"}, b={"type": "integer", "minimum": 0})),
    ToolSpec(
        "add_note",
        "",
        object_of(
            ["title"],
            title={"type": "string", "minLength": 1, "maxLength": 40},
            tags={"type": "array", "items": {"enum": ["red", "blue"]}, "maxItems": 3},
            pinned={"type": "boolean"},
        ),
    ),
    ToolSpec("now", "", {"type": "object", "properties": {}, "additionalProperties": False}),
    ToolSpec(
        "book",
        "",
        object_of(
            ["guest", "when"],
            guest={**object_of(["name"], name={"type": "string"}, age={"type": ["integer", "null"]})},
            when={"type": "string", "format": "date"},
            code={"type": "string", "pattern": "^[A-Z]{2}[0-9]{3}$"},
            size={"enum": ["small", "large", 3, None]},
        ),
    ),
    ToolSpec(
        "grow",
        "",
        {
            "$defs": {"tree": object_of(leaf={"type": "number"}, left={"$ref": "#/$defs/tree"})},
            **object_of(["tree"], tree={"$ref": "#/$defs/tree"}),
        },
    ),
]
CALLS = [
    Call("c1aaaaaaa", "add_note", '{"title": "a \\"b\\" é, it\'s", "tags": ["red", "blue"], "pinned": true}'),
    Call("c2aaaaaaa", "add", '{"a": -1, "b": 2}'),
    Call("c3aaaaaaa", "now", "{}"),
    Call("c4aaaaaaa", "book", '{"guest": {"name": "Zoë", "age": null}, "when": "2026-11-21", "size": "small"}'),
    Call("c5aaaaaaa", "grow", '{"tree": {"left": {"leaf": 1.5}}}'),
]
OFFERS = [offer(tool, prepare_arguments(tool.parameters, tool.name)) for tool in TOOLS]
DEMANDS: list[Demand] = [FreeReply(), ForcedCalls(), ForcedCalls(several=False), NoCalls()]

every_dialect = pytest.mark.parametrize("dialect", CATALOG.values(), ids=list(CATALOG))
both_ways = pytest.mark.parametrize("special", [True, False], ids=["special tokens", "plain text"])


@cache
def vocabulary_of(name: str, special: bool) -> tuple[Vocabulary, Closers]:
    """The starter model's vocabulary, in which the marks of a dialect are tokens of their own or plain text."""
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    dialect = dialect_named(name)
    if special:
        own = [AddedToken(m, special=True, normalized=False) for m in marks_of(dialect) if m[0] in "<[]｜" and m[1:]]
        tokenizer.add_special_tokens(own)
    end = tokenizer.token_to_id(TURN_END)
    assert end is not None
    vocabulary = read_vocabulary(tokenizer, tokenizer.get_vocab_size(), [end])
    return vocabulary, read_closers(vocabulary, marks_of(dialect))


@cache
def grammar_of(name: str, special: bool, demand: str) -> Grammar:
    vocabulary, _ = vocabulary_of(name, special)
    asked = next(d for d in [*DEMANDS, JSON] if repr(d) == demand)
    offers = () if isinstance(asked, JsonAnswer) else OFFERS
    return compile_grammar(write_grammar(dialect_named(name), vocabulary, offers, asked), vocabulary)


JSON = JsonAnswer({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})


def text_of(tokens: Sequence[int], vocabulary: Vocabulary) -> str:
    special = {token: text.encode() for text, token in vocabulary.special.items()}
    return b"".join(special.get(t) or vocabulary.tokens.decode_bytes([t]) for t in tokens).decode()


def drawn(grammar: Grammar, vocabulary: Vocabulary, closers: Closers, seed: int) -> str:
    """A text of the grammar: some tokens at random, and then the shortest way to an end."""
    random = np.random.default_rng(seed)
    matcher = grammar.matcher()
    written: list[int] = []
    for _ in range(int(random.integers(0, 60))):
        bits = np.unpackbits(matcher.mask().view(np.uint8), bitorder="little")[: vocabulary.size]
        allowed = [t for t in np.flatnonzero(bits) if t not in vocabulary.ends]
        forced = matcher.forced()
        if not allowed:
            break
        marks = [m[0] for m in closers.marks if bits[m[0]]]
        picks = marks if marks and random.random() < 0.3 else allowed
        for token in forced or [int(random.choice(picks))]:
            matcher.take(token)
            written.append(token)
    way = ending(matcher, 400, closers, effort=4000)
    assert way is not None, text_of(written, vocabulary)
    written += [t for t in way if t not in vocabulary.ends]
    return text_of(written, vocabulary)


def read(dialect: Dialect, text: str) -> list[ParserEvent]:
    parser = Parser(dialect, tools=TOOLS, new_id=lambda: "id")
    return [*parser.feed(text), *parser.finish(cut=False)]


def faults(arguments: str, name: str) -> list[str]:
    schema = next(t.parameters for t in TOOLS if t.name == name)
    return [e.message for e in jsonschema.Draft202012Validator(schema).iter_errors(json.loads(arguments))]


@every_dialect
@both_ways
@pytest.mark.parametrize("demand", DEMANDS, ids=["free", "forced", "one", "none"])
def test_what_the_grammar_allows_the_parser_reads(dialect: Dialect, special: bool, demand: Demand) -> None:
    vocabulary, closers = vocabulary_of(dialect.name, special)
    grammar = grammar_of(dialect.name, special, repr(demand))
    for seed in range(DRAWS):
        text = drawn(grammar, vocabulary, closers, seed)
        events = read(dialect, text)
        calls = [e for e in events if isinstance(e, CallFinished)]
        assert not [e for e in events if isinstance(e, CallRejected)], text
        for call in calls:
            assert not call.repairs or (isinstance(demand, FreeReply) and call.repairs == STRAY), (text, call)
            assert not faults(call.call.arguments, call.call.name), (text, call)
        if isinstance(demand, ForcedCalls):
            assert calls if demand.several else len(calls) == 1, (text, events)
            assert not "".join(e.text for e in events if isinstance(e, ContentDelta)).strip(), text
        if isinstance(demand, NoCalls):
            assert not calls, text


@every_dialect
@both_ways
def test_calls_as_they_are_rendered_are_allowed(dialect: Dialect, special: bool) -> None:
    vocabulary, _ = vocabulary_of(dialect.name, special)
    for demand in DEMANDS[:3]:
        grammar = grammar_of(dialect.name, special, repr(demand))
        several = demand != ForcedCalls(several=False)
        for calls in [[c] for c in CALLS] + ([CALLS] if several else []):
            text = render(dialect, calls)
            matcher = grammar.matcher()
            for token in vocabulary.spelled(text):
                assert matcher.takes([token]), (demand, text, token)
                matcher.take(token)
            assert matcher.accepting, (demand, text)


@every_dialect
@both_ways
def test_a_call_is_bound_to_its_tool(dialect: Dialect, special: bool) -> None:
    vocabulary, _ = vocabulary_of(dialect.name, special)
    for call in (Call("c1aaaaaaa", "add", '{"a": 1}'), Call("c2aaaaaaa", "nobody", "{}")):
        grammar = grammar_of(dialect.name, special, repr(ForcedCalls()))
        matcher = grammar.matcher()
        tokens = vocabulary.spelled(render(dialect, [call]))
        assert not (matcher.takes(tokens) and _ends_behind(grammar, tokens)), call


def _ends_behind(grammar: Grammar, tokens: Sequence[int]) -> bool:
    matcher = grammar.matcher()
    for token in tokens:
        matcher.take(token)
    return matcher.accepting


def test_a_thought_holds_no_mark_behind_which_a_call_is_read() -> None:
    vocabulary, _ = vocabulary_of("kimi_k2", True)
    matcher = grammar_of("kimi_k2", True, repr(ForcedCalls())).matcher()
    assert matcher.takes(vocabulary.spelled("<think>a"))
    assert not matcher.takes(vocabulary.spelled("<think>a<|tool_call_begin|>"))


@every_dialect
@both_ways
def test_text_holds_no_mark_of_a_block(dialect: Dialect, special: bool) -> None:
    vocabulary, _ = vocabulary_of(dialect.name, special)
    around = {*dialect.frames, *dialect.ends, *(s.close for s in (dialect.thought, dialect.answer) if s is not None)}
    for demand in (FreeReply(), NoCalls()):
        grammar = grammar_of(dialect.name, special, repr(demand))
        for span in native(dialect, vocabulary).blocks:
            if span.close.startswith("<") and span.close not in around:
                assert not grammar.matcher().takes(vocabulary.spelled(f"so {span.close}")), span


@every_dialect
@both_ways
def test_an_answer_in_json_is_content(dialect: Dialect, special: bool) -> None:
    vocabulary, closers = vocabulary_of(dialect.name, special)
    grammar = grammar_of(dialect.name, special, repr(JSON))
    for seed in range(DRAWS):
        text = drawn(grammar, vocabulary, closers, seed)
        parser = Parser(dialect, tools=(), new_id=lambda: "id")
        events = [*parser.feed(text), *parser.finish(cut=False)]
        content = "".join(e.text for e in events if isinstance(e, ContentDelta))
        assert isinstance(json.loads(content)["n"], int), text
