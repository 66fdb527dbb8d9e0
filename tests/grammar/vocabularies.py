"""Small vocabularies for tests: single bytes, some words, and marks."""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from hilt.grammar.vocabulary import Vocabulary, read_vocabulary

END = "<|im_end|>"
MARKS = ("<|im_start|>", END, "<|endoftext|>", "<tool_call>", "</tool_call>", "</think>")
WORDS = ("name", "street", "arguments", "the", "ing", "hello", "12", "2024", "true", "false", "null", "value")


def small_tokenizer() -> Tokenizer:
    """Bytes, the words and their beginnings, a few tokens of JSON, and the marks as special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {c: i for i, c in enumerate(alphabet)}
    merges: list[tuple[str, str]] = []
    for word in (*WORDS, '",', '":', '"}', "}}", "</", "Ġthe", "ĠĠ"):
        for at in range(1, len(word)):
            left, right = word[:at], word[at]
            if left + right not in vocabulary:
                vocabulary[left + right] = len(vocabulary)
                merges.append((left, right))
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in MARKS])
    return tokenizer


def small_vocabulary(surplus: int = 0) -> Vocabulary:
    """The vocabulary of a model that scores `surplus` tokens more than its tokenizer has; two tokens end a turn."""
    tokenizer = small_tokenizer()
    ends = [tokenizer.token_to_id(END), tokenizer.token_to_id("<|endoftext|>")]
    return read_vocabulary(tokenizer, tokenizer.get_vocab_size() + surplus, ends)
