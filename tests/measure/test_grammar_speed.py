"""The benchmarks of grammars run, on a small vocabulary and a tiny model, and yield whole records."""

import json
import random
import sys
from pathlib import Path

import pytest

from hilt.dialects import dialect_named
from hilt.grammar import prepare_arguments
from hilt.grammar.matching import compile_grammar
from hilt.grammar.offers import offer
from hilt.grammar.replies import ForcedCalls, marks_of, write_grammar
from hilt.measure import constrained_decoding, grammar_speed
from hilt.measure.grammar_speed import find_endings, quantiles, walk
from hilt.measure.made_tools import made_tools
from hilt.measure.made_vocabulary import SIZE, made_tokenizer, made_vocabulary

SMALL = 4096


def test_the_large_vocabulary_has_as_many_tokens_as_it_says() -> None:
    tokenizer = made_tokenizer()
    assert tokenizer.get_vocab_size() == SIZE
    text = '{"name": "find city", "arguments": {"chea": [1, 200, "über ☃"]}}\n\n  <tool_call>'
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_tools_differ_and_are_the_same_each_time() -> None:
    tools = made_tools(200)
    assert tools == made_tools(200)
    assert len({tool.name for tool in tools}) == 200
    assert len({json.dumps(tool.parameters) for tool in tools}) > 190


def test_walks_and_endings_write_calls() -> None:
    vocabulary = made_vocabulary(SMALL)
    offers = [offer(tool, prepare_arguments(tool.parameters, tool.name)) for tool in made_tools(5)]
    text = write_grammar(dialect_named("hermes"), vocabulary, offers, ForcedCalls())
    grammar = compile_grammar(text, vocabulary)
    closers = grammar_speed.read_closers(vocabulary, marks_of(dialect_named("hermes")))
    micros, tokens = walk(grammar, vocabulary, random.Random(1), 30)
    assert len(micros) >= len(tokens) > 5
    millis, share = find_endings(grammar, vocabulary, closers, 5)
    assert millis.n == 5
    assert share > 0


def test_quantiles_of_nothing_are_refused() -> None:
    assert quantiles("us", [1.0, 2.0, 3.0]).p50 == 2.0
    with pytest.raises(ValueError, match="no samples"):
        quantiles("us", [])


def test_the_speed_of_grammars_becomes_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "grammar-speed.json"
    arguments = ["--out", str(path), "--vocabulary", str(SMALL), "--tools", "2", "5", "--repeats", "2", "--walks", "3"]
    monkeypatch.setattr(sys, "argv", ["grammar_speed", *arguments])
    grammar_speed.main()
    results = json.loads(path.read_text())["results"]
    assert {cost["tools"] for cost in results["tool_sets"]} == {2, 5}
    assert {cost["dialect"] for cost in results["tool_sets"]} == set(grammar_speed.DIALECTS)
    assert all(cost["masks"]["n"] > 10 for cost in results["tool_sets"])
    assert [row["rows"] for row in results["masks_on_scores"]] == [1, 8]


def test_a_batch_under_a_grammar_becomes_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "constrained-decoding.json"
    sizes = ["--hidden", "64", "--layers", "1", "--vocabulary", str(SMALL), "--dtype", "float32"]
    arguments = ["--out", str(path), *sizes, "--rows", "2", "--steps", "12", "--repeats", "2"]
    monkeypatch.setattr(sys, "argv", ["constrained_decoding", *arguments])
    constrained_decoding.main()
    results = json.loads(path.read_text())["results"]
    assert (results["free"]["n"], results["constrained"]["n"], results["ratio"]["n"]) == (2, 2, 2)
    assert results["ratio"]["median"] > 0
