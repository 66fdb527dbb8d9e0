"""Pieces of text come whole, as early as they can, and together they are the text of all tokens."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models

from hilt.engine.detokenizing import MAX_PENDING, Detokenizer
from hilt.engine.loading import LoadedModel

REPLACEMENT = "\ufffd"
SENTENCES = [
    "plain words",
    "naïve café",
    "日本語のテキスト",
    "👩\u200d👩\u200d👧 family",
    " two  spaces ",
    "<|im_start|>x<tool_call>\n{}",
]


class Slow:
    """A tokenizer that is not backed by the fast library."""

    def __init__(self, fast: Tokenizer) -> None:
        self._fast = fast

    def decode(self, ids: list[int], **options: Any) -> str:
        return self._fast.decode(ids, **options)


class Fast(Slow):
    """A tokenizer that is."""

    @property
    def backend_tokenizer(self) -> Tokenizer:
        return self._fast


def sentencepiece() -> Tokenizer:
    """Words with a mark for the space before them, bytes for what has no word, as Llama 2 does."""
    words = ["▁the", "▁cat", "s", "▁", "▁ca"]
    vocabulary = dict.fromkeys(["<unk>", *(f"<0x{b:02X}>" for b in range(256)), *words], 0.0)
    tokenizer = Tokenizer(models.Unigram(list(vocabulary.items()), unk_id=0, byte_fallback=True))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken("<|end|>", special=True)])
    return tokenizer


def wordpiece() -> Tokenizer:
    """A decoder that closes up the space before punctuation."""
    words = ["[UNK]", "he", "##llo", "don", "'", "t", ",", ".", "do", "n't"]
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


SENTENCEPIECE = sentencepiece()
WORDPIECE = wordpiece()
BYTES = st.text(max_size=4).map(lambda text: [SENTENCEPIECE.token_to_id(f"<0x{b:02X}>") for b in text.encode()])
WORDS = st.sampled_from(["▁the", "▁cat", "s", "▁", "▁ca", "<|end|>"]).map(lambda w: [SENTENCEPIECE.token_to_id(w)])


def pieces(tokenizer: Any, tokens: list[int]) -> list[str]:
    detokenizer = Detokenizer(tokenizer)
    return [*(detokenizer.add(token) for token in tokens), detokenizer.finish()]


def whole(tokenizer: Any, tokens: list[int]) -> str:
    return tokenizer.decode(tokens, skip_special_tokens=False)


@given(st.text())
def test_text_comes_back(tiny_model: LoadedModel, text: str) -> None:
    tokenizer = tiny_model.tokenizer
    tokens = tokenizer.encode(text, add_special_tokens=False)
    parts = pieces(tokenizer, tokens)
    assert "".join(parts) == text == whole(tokenizer, tokens)
    if REPLACEMENT not in text:
        assert all(part in text and REPLACEMENT not in part for part in parts)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_character_comes_with_its_last_token(tiny_model: LoadedModel, sentence: str) -> None:
    tokenizer = tiny_model.tokenizer
    detokenizer = Detokenizer(tokenizer)
    tokens = tokenizer.encode(sentence, add_special_tokens=False)
    so_far = ""
    for count, token in enumerate(tokens, 1):
        so_far += detokenizer.add(token)
        assert so_far == whole(tokenizer, tokens[:count]).rstrip(REPLACEMENT)
    assert detokenizer.finish() == ""


@given(st.lists(st.integers(0, 259), max_size=80))
def test_any_tokens_give_what_they_give_together(tiny_model: LoadedModel, tokens: list[int]) -> None:
    assert "".join(pieces(tiny_model.tokenizer, tokens)) == whole(tiny_model.tokenizer, tokens)


@pytest.mark.parametrize("kind", [Fast, Slow])
@given(runs=st.lists(BYTES | WORDS, max_size=15))
def test_spaces_and_bytes_keep_their_context(kind: type[Slow], runs: list[list[int]]) -> None:
    tokenizer, tokens = kind(SENTENCEPIECE), [token for run in runs for token in run]
    assert "".join(pieces(tokenizer, tokens)) == whole(tokenizer, tokens)


@given(st.lists(st.integers(0, WORDPIECE.get_vocab_size() - 1), max_size=20))
def test_words_and_punctuation_keep_their_context(tokens: list[int]) -> None:
    tokenizer = Slow(WORDPIECE)
    assert "".join(pieces(tokenizer, tokens)) == whole(tokenizer, tokens)


def test_bytes_that_never_become_a_character_are_not_held_for_ever(tiny_model: LoadedModel) -> None:
    tokenizer = tiny_model.tokenizer
    lead, rest = tokenizer.encode("é", add_special_tokens=False)
    detokenizer = Detokenizer(tokenizer)
    waiting = longest = 0
    text = ""
    for _ in range(200):
        piece = detokenizer.add(lead)
        waiting = 0 if piece else waiting + 1
        longest = max(longest, waiting)
        text += piece
    text += detokenizer.add(rest) + detokenizer.finish()
    assert longest == MAX_PENDING
    assert text == REPLACEMENT * 199 + "é"


def test_an_incomplete_character_ends_as_a_replacement(tiny_model: LoadedModel) -> None:
    tokenizer = tiny_model.tokenizer
    tokens = tokenizer.encode("a😀", add_special_tokens=False)[:-1]
    assert pieces(tokenizer, tokens) == ["a", "", "", "", REPLACEMENT]


def test_special_tokens_are_text(tiny_model: LoadedModel) -> None:
    tokenizer = tiny_model.tokenizer
    tokens = tokenizer.encode("<|im_start|>", add_special_tokens=False)
    assert (len(tokens), pieces(tokenizer, tokens)) == (1, ["<|im_start|>", ""])
