"""A vocabulary as large as a big model's, made in code: bytes, syllables, words of them, digits, and the tokens of JSON
and of code that real vocabularies have."""

import itertools

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from hilt.grammar.vocabulary import Vocabulary, read_vocabulary

SIZE = 131_072
END = "<|end|>"
_MARKS = (
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
    *("[TOOL_CALLS]", "[CALL_ID]", "[ARGS]", "<|python_tag|>", "<|tool_call>", "<tool_call|>", '<|"|>'),
)
SPECIAL = (END, *_MARKS, *(f"<|reserved_{n}|>" for n in range(48)))

_SPACE = "Ġ"  # how a byte-level vocabulary writes a blank
_LINE = "Ċ"
_CONSONANTS = ("b", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "ch", "st", "tr", "pl")
_VOWELS = ("a", "e", "i", "o", "u", "ea", "io", "er", "an", "in")
_STRUCTURE = ('":', '",', '"}', '{"', '"]', '["', "}}", "},", "]}", "],", "()", "//", "==", "</", "->", "::", '",Ġ"')


def made_vocabulary(size: int = SIZE) -> Vocabulary:
    """The same vocabulary for the same size; takes seconds."""
    tokenizer = made_tokenizer(size)
    return read_vocabulary(tokenizer, size, [tokenizer.get_vocab()[END]])


def made_tokenizer(size: int = SIZE) -> Tokenizer:
    """A byte-level BPE tokenizer of `size` tokens, at least 1,000."""
    tokens = {character: place for place, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges: list[tuple[str, str]] = []
    for left, right in _pairs():
        if len(tokens) == size - len(SPECIAL):
            break
        if left in tokens and right in tokens and left + right not in tokens:
            tokens[left + right] = len(tokens)
            merges.append((left, right))
    tokenizer = Tokenizer(models.BPE(tokens, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = [AddedToken(mark, special=True) for mark in SPECIAL]
    tokenizer.add_special_tokens(marks)  # pyright: ignore[reportUnknownMemberType]
    return tokenizer


def _pairs() -> "itertools.chain[tuple[str, str]]":
    """What is merged, in order; each side is a byte or was merged before."""
    consonants = [(c[0], c[1]) for c in _CONSONANTS if len(c) == 2]
    vowels = [(v[0], v[1]) for v in _VOWELS if len(v) == 2]
    syllables = [c + v for c in _CONSONANTS for v in _VOWELS]
    pairs = list(itertools.product(syllables, syllables))
    return itertools.chain(
        ((text[:at], text[at]) for text in _STRUCTURE for at in range(1, len(text))),
        ((space * count, space) for space in (_SPACE, _LINE) for count in range(1, 16)),
        consonants,
        vowels,
        itertools.product(_CONSONANTS, _VOWELS),
        ((a, b) for a in "0123456789" for b in "0123456789"),
        ((a + b, c) for a in "0123456789" for b in "0123456789" for c in "0123456789"),
        ((_SPACE, syllable) for syllable in syllables),
        ((chr(a), chr(b)) for a in range(0xC3, 0xF0) for b in range(0xA1, 0xAC)),
        ((a, _VOWELS[n % 5]) for n, a in enumerate(syllables)),
        pairs,
        ((_SPACE + a, b) for a, b in pairs),
        ((a + b, syllables[n % 200]) for n, (a, b) in enumerate(pairs)),
        ((_SPACE + a + b, syllables[n % 200]) for n, (a, b) in enumerate(pairs)),
    )
