"""Grammars of one whole call in a dialect, made of the values alone, and texts drawn from them."""

import random
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from llguidance import LLMatcher
from tokenizers import AddedToken, Tokenizer

from hilt.conversation import CallFinished, CallRejected, ToolSpec
from hilt.dialects import Dialect, LiteralCall, TaggedCall, dialect_named
from hilt.grammar import prepare_arguments
from hilt.grammar.lark import Rules, either, literal, sequence
from hilt.grammar.values import Frame, KeyText, Node, Values, definitions
from hilt.grammar.vocabulary import Vocabulary, read_vocabulary
from tests.dialects.rows import endings, read

TOKENIZER = Path(__file__).parents[2] / "src" / "hilt" / "starter_model" / "tokenizer.json"
TURN_END = "<|im_end|>"
SPECIAL = ("</parameter>", "</param>", '<|"|>', "<escape>", "]<]minimax[>[", "<|close|>", "<|sep|>", "</arg_value>")
NAME = r"[A-Za-z_][A-Za-z0-9_]{0,20}"


@cache
def tokenizer(special: bool) -> Tokenizer:
    made = Tokenizer.from_file(str(TOKENIZER))
    if special:
        made.add_special_tokens([AddedToken(mark, special=True) for mark in SPECIAL])
    return made


@cache
def vocabulary(special: bool = False) -> Vocabulary:
    """The starter model's vocabulary; with `special`, marks of the dialects are special tokens in it."""
    made = tokenizer(special)
    turn_end = made.token_to_id(TURN_END)
    assert turn_end is not None
    return read_vocabulary(made, made.get_vocab_size(), [turn_end])


def call_grammar(dialect: Dialect, schema: dict[str, Any], vocabulary: Vocabulary) -> str:
    """The grammar of one call of tool `f` whose arguments fit a client's `schema`, as the dialect writes it."""
    rules = Rules()
    normal = prepare_arguments(schema, "parameters").grammar
    assert isinstance(normal, dict)
    values = Values(rules, vocabulary, definitions(normal))
    match dialect.payload:
        case LiteralCall() as payload:
            body = _literal(dialect, payload, normal, values)
        case TaggedCall() as payload:
            body = _tagged(payload, normal, values, vocabulary)
        case _:
            raise AssertionError(dialect.name)
    group, gap = dialect.group, dialect.gap
    opened = f"{dialect.block.open}{gap}{group.open if group else ''}{dialect.call.open}{dialect.label}"
    closed = f"{dialect.call.close}{group.close if group else ''}{gap if dialect.block.close else ''}"
    return rules.text(sequence(vocabulary.mark(opened), body, vocabulary.mark(closed + dialect.block.close)))


def _literal(dialect: Dialect, payload: LiteralCall, schema: dict[str, Any], values: Values) -> str:
    notation = payload.notation
    if notation.kind == "python":
        arguments = values.python_arguments(schema, payload.assign)
    else:
        arguments = values.marked_arguments(schema, notation.quote, payload.assign)
    head, tail = literal(f"{payload.prefix}f{payload.brackets.open}"), literal(payload.brackets.close)
    return sequence(head, arguments, tail)


def _tagged(payload: TaggedCall, schema: dict[str, Any], values: Values, vocabulary: Vocabulary) -> str:
    function, tag = payload.function, payload.parameter
    index = ' index="1"' if payload.indexed else ""
    head = f"{function.open}{_quoted('f', function.quoted)}{index}{function.end}{function.value_open}{payload.line}"
    around = "\n" if payload.value_lines else ""
    marks = tuple(m for m in (tag.close, function.close, tag.open) if m)
    frame = Frame(
        f"{around}{tag.close}{payload.line}", marks, payload.python, cdata=payload.cdata, typing=bool(payload.typing)
    )
    quote = '"' if tag.quoted else ""
    opened = vocabulary.mark(f"{tag.open}{quote}")
    before = f"{payload.line if tag.value_open else ''}{tag.value_open}{around}"

    def typing(name: str) -> str:
        name = {"integer": "number"}.get(name, name)
        said = {"flag": f' string="{str(name == "string").lower()}"', "type": f' type="{name}"', "": ""}
        return said[payload.typing]

    def written(name: str, node: Node, head: str) -> str:
        if payload.typing:
            typed = values.raw_typed(node, frame)
            bodies = [sequence(vocabulary.mark(f"{typing(t)}{tag.end}{before}"), body) for t, body in typed]
            return sequence(head, either(bodies))
        return sequence(head, vocabulary.mark(f"{tag.end}{before}"), values.raw(node, frame))

    def member(name: str, node: Node) -> str:
        if payload.nested:
            return values.element(name, node, payload)
        return written(name, node, sequence(opened, literal(f"{name}{quote}")))

    def other(key: KeyText, node: Node) -> str:
        return written("", node, sequence(opened, values.key(key, NAME), literal(quote)))

    members = values.members(schema, member, None if payload.nested else other)
    return sequence(vocabulary.mark(head), members, vocabulary.mark(function.close))


def _quoted(name: str, quoted: bool) -> str:
    return f'"{name}"' if quoted else name


def matcher(lark: str, vocabulary: Vocabulary) -> LLMatcher:
    made = LLMatcher(vocabulary.tokens, LLMatcher.grammar_from_lark(lark), log_level=0)
    assert not made.is_error(), f"{made.get_error()}\n{lark}"
    return made


def tokens_of(text: str, vocabulary: Vocabulary) -> list[int]:
    pieces = vocabulary.pieces(text)
    return [t for p in pieces for t in ([p] if isinstance(p, int) else vocabulary.tokens.tokenize_str(p))]


def accepts(lark: str, text: str, vocabulary: Vocabulary) -> bool:
    made = matcher(lark, vocabulary)
    tokens = tokens_of(text, vocabulary)
    return made.try_consume_tokens(tokens) == len(tokens) and made.is_accepting()


class Drawing:
    """Draws texts from grammars: tokens at random, and now and then a text that may close something."""

    def __init__(self, vocabulary: Vocabulary, closers: Sequence[str], seed: int, fillers: Sequence[str] = ()) -> None:
        self._vocabulary = vocabulary
        self._closers = [tokens_of(c, vocabulary) for c in closers]
        self._fillers = [tokens_of(f, vocabulary) for f in fillers]
        self._random = random.Random(seed)
        special = {token: text.encode() for text, token in vocabulary.special.items()}
        self._bytes = {t: special.get(t) or vocabulary.tokens.decode_bytes([t]) for t in range(vocabulary.size)}

    def draw(self, made: LLMatcher, longest: int = 300) -> str | None:
        """A text of the grammar; None if it had no end after so many tokens."""
        taken: list[int] = []
        while len(taken) < longest:
            if made.is_accepting() and (made.is_stopped() or self._random.random() < 0.5):
                return b"".join(self._bytes[t] for t in taken).decode()
            if not (len(taken) > 8 and self._random.random() < 0.5 and self._closes(made, taken)):
                allowed = self._allowed(made)
                assert allowed, (
                    b"".join(self._bytes[t] for t in taken),
                    made.get_error(),
                    made.stop_reason(),
                    made.is_accepting(),
                )
                token = self._random.choice(allowed)
                assert made.consume_token(token)
                taken.append(token)
        return None

    def _closes(self, made: LLMatcher, taken: list[int]) -> bool:
        closers, fillers = self._closers, self._fillers
        for closer in (*self._random.sample(closers, len(closers)), *self._random.sample(fillers, len(fillers))):
            if made.validate_tokens(closer) == len(closer):
                assert made.consume_tokens(closer)
                taken += closer
                return True
        return False

    def _allowed(self, made: LLMatcher) -> list[int]:
        mask = made.compute_bitmask()
        ends = self._vocabulary.ends
        found = [8 * i + bit for i, byte in enumerate(mask) if byte for bit in range(8) if byte >> bit & 1]
        return [t for t in found if t < self._vocabulary.size and t not in ends]


def finished(dialect: str, text: str, schema: Mapping[str, Any]) -> CallFinished | None:
    """The one call that the parser reads in a text, which must be finished without a repair.

    None if further members have one name twice, which no grammar can forbid.
    """
    tool = ToolSpec("f", "", dict(schema))
    ends = endings(read(dialect_named(dialect), [text], tools=[tool]))
    assert len(ends) == 1, (text, ends)
    if isinstance(ends[0], CallRejected):
        assert "is given twice" in ends[0].bad.detail, (text, ends)
        return None
    assert not ends[0].repairs, (text, ends)
    return ends[0]
