"""Trying a grammar on texts, byte by byte and without a model: whether it compiles, what it accepts and what it writes.

It is for tests and measurements. The vocabulary is the 256 bytes, so that no tokenizer's choices come between.
"""

import json
from random import Random
from typing import Any

from llguidance import LLMatcher, LLTokenizer
from llguidance._tokenizer import TokenizerWrapper

from hilt.grammar.keywords import Node

_END = 256


class _Bytes:
    """A vocabulary of single bytes, in the shape that llguidance asks for."""

    eos_token_id = _END
    bos_token_id = None
    tokens = (*(bytes([byte]) for byte in range(256)), b"")
    special_token_ids = (_END,)

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


def byte_tokenizer() -> LLTokenizer:
    """A tokenizer of 256 bytes and an end."""
    return LLTokenizer(TokenizerWrapper(_Bytes()), n_vocab=_END + 1)


def grammar_text(node: Node) -> str:
    """llguidance's grammar for a node of the normal form with its `$defs`; for False one that nothing matches."""
    schema: dict[str, Any] = node if isinstance(node, dict) else {} if node else {"not": {}}
    return LLMatcher.grammar_from_json_schema(schema)


def fault_of(node: Node) -> str:
    """What llguidance has against the normal form; "" if it takes it."""
    return LLMatcher.validate_grammar(grammar_text(node))


class Trial:
    """One compiled grammar; ValueError if llguidance refuses it."""

    def __init__(self, node: Node, tokenizer: LLTokenizer) -> None:
        self._start = LLMatcher(tokenizer, grammar_text(node))
        if self._start.is_error():
            raise ValueError(self._start.get_error())

    def accepts(self, text: str) -> bool:
        """Whether the grammar allows just `text`."""
        matcher = self._start.deep_copy()
        tokens = list(text.encode())
        return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()

    def accepts_value(self, value: Any) -> bool:
        """Whether the grammar allows `value` as JSON is commonly written."""
        return self.accepts(json.dumps(value, ensure_ascii=False))

    def written(self, random: Random, max_bytes: int) -> str | None:
        """A text that the grammar allows, chosen at random; None where it isn't at an end within `max_bytes`."""
        matcher = self._start.deep_copy()
        text = bytearray()
        while len(text) < max_bytes:
            mask = matcher.compute_bitmask()
            allowed = [token for token in range(_END + 1) if mask[token >> 3] >> (token & 7) & 1]
            if _END in allowed and (len(allowed) == 1 or random.random() < 0.3):
                return text.decode()
            choices = [byte for byte in allowed if byte != _END and byte not in b" \t\r\n"] or allowed
            closing = [byte for byte in choices if byte in b'"]}']
            byte = random.choice(closing if closing and random.random() < 0.3 else choices)
            matcher.consume_token(byte)
            text.append(byte)
        return None
