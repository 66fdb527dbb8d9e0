"""Small real tokenizers whose added tokens a test chooses: over bytes, and in the manner of SentencePiece."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

Make: TypeAlias = Literal["bytes", "metaspace", "prepending", "compatible", "shrinking"]
MAKES: tuple[Make, ...] = ("bytes", "metaspace", "prepending", "compatible", "shrinking")


def by_hand(make: Make, marks: Sequence[str], template: str | None) -> "ByHand":
    """A tokenizer with these added tokens, every other one of them special.

    "metaspace" and "prepending" put a mark of white space before each text, as Llama's do; "compatible" normalises
    what it reads, "shrinking" leaves letters small and takes invisible characters away, both before it looks for
    added tokens.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    if make in ("metaspace", "prepending"):
        words = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *map(chr, range(33, 127))]
        made = Tokenizer(models.BPE({w: i for i, w in enumerate(words)}, [], unk_token="<unk>", byte_fallback=True))
        marks = [mark for mark in marks if mark not in words]
        if make == "metaspace":
            made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        else:
            made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        made.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
    else:
        made = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        if make == "compatible":
            made.normalizer = normalizers.NFKC()
        elif make == "shrinking":
            made.normalizer = normalizers.Sequence([normalizers.Replace("\u200b", ""), normalizers.Lowercase()])
    made.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks[::2]])
    made.add_tokens([AddedToken(mark, special=False, normalized=True) for mark in marks[1::2]])
    return ByHand(PreTrainedTokenizerFast(tokenizer_object=made, clean_up_tokenization_spaces=False), template)


class ByHand:
    """As mlx-lm wraps a tokenizer: with what a template needs of it."""

    def __init__(self, fast: PreTrainedTokenizerFast, template: str | None) -> None:
        self._fast = fast
        self.chat_template = template
        self.backend_tokenizer = fast.backend_tokenizer
        self.all_special_tokens: Sequence[str] = fast.all_special_tokens
        self.eos_token_ids: set[int] = set()

    @property
    def has_chat_template(self) -> bool:
        return self.chat_template is not None

    def get_added_vocab(self) -> dict[str, int]:
        return self._fast.get_added_vocab()

    def apply_chat_template(self, conversation: list[dict[str, Any]], **options: Any) -> Any:
        return self._fast.apply_chat_template(conversation, chat_template=self.chat_template, **options)

    def encode(self, text: str, **options: Any) -> list[int]:
        return self._fast.encode(text, **options)

    def decode(self, ids: list[int]) -> str:
        return self._fast.decode(ids, skip_special_tokens=False)

    def added(self, ids: Sequence[int]) -> list[str]:
        """The added tokens among these, in order."""
        names = {number: text for text, number in self.get_added_vocab().items()}
        return [names[number] for number in ids if number in names]
