"""The starter model's tokenizer: byte-level BPE of 4,096 tokens, every digit and every space a token of its own.

A word is then the same tokens in a request, in snake_case and inside JSON, so copying it is copying tokens. JSON's own
signs ({ } [ ] " : ,) merge with each other and with nothing else; every other sign stands alone. camelCase splits
before capitals.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCAB_SIZE = 4096
END = "<|im_end|>"
START = "<|im_start|>"
PAD = "<|endoftext|>"
SPECIAL = (PAD, START, END)
MARKERS = (
    "<tools>",
    "</tools>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
)
CONTEXT = 4096
_PIECES = (
    r" |\n+|\s|\p{N}"
    r'|[{}\[\]":,]+'
    r"|\p{Lu}?[\p{Ll}\p{M}]+|\p{Lu}+(?!\p{Ll})|\p{L}"
    r"|[^\s\p{L}\p{N}]"
)


def trained(texts: Iterable[str]) -> Tokenizer:
    """A tokenizer trained on texts; the same texts in the same order give the same one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE - len(SPECIAL) - len(MARKERS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    cast("Any", tokenizer).add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    cast("Any", tokenizer).add_tokens([AddedToken(token, special=False, normalized=False) for token in MARKERS])
    if tokenizer.get_vocab_size() != VOCAB_SIZE:
        raise ValueError(f"too little text: {tokenizer.get_vocab_size()} tokens instead of {VOCAB_SIZE}")
    return tokenizer


def without_markers(text: str) -> list[str]:
    """The text between the markers, which are no words to learn merges from."""
    pieces = [text]
    for marker in (*SPECIAL, *MARKERS):
        pieces = [part for piece in pieces for part in piece.split(marker)]
    return [piece for piece in pieces if piece]


def tokenizer_config() -> dict[str, Any]:
    """What transformers and mlx-lm read beside tokenizer.json."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
        "bos_token": None,
        "unk_token": None,
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": False,
        "add_bos_token": False,
    }


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(), indent=2) + "\n")
    (folder / "chat_template.jinja").write_text(template_text())


def template_text() -> str:
    """The chat template."""
    return Path(__file__).with_name("chat_template.jinja").read_text()
