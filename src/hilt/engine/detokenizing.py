"""Token ids become text as they come, never cutting a character in two."""

from typing import Any, cast

from tokenizers import Tokenizer as FastTokenizer
from tokenizers.decoders import DecodeStream

from hilt.engine.loading import Tokenizer


class Detokenizer:
    """The text of one reply. Special tokens are text too: the dialects need them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        fast = getattr(tokenizer, "backend_tokenizer", None)
        self._fast = fast if isinstance(fast, FastTokenizer) else None
        self._stream = DecodeStream(skip_special_tokens=False)
        self._pending: list[int] = []

    def add(self, token: int) -> str:
        """The text that is certain now that `token` has come; "" while a character is incomplete."""
        self._pending.append(token)
        text = self._step(token)
        if text is None:
            return ""
        self._pending.clear()
        return text

    def finish(self) -> str:
        """What is left: the replacement character for bytes that never became one."""
        text = self._tokenizer.decode(self._pending, skip_special_tokens=False) if self._pending else ""
        self._pending.clear()
        return text

    def _step(self, token: int) -> str | None:
        if self._fast is not None:
            return cast("str | None", cast(Any, self._stream).step(self._fast, token))
        text = self._tokenizer.decode(self._pending, skip_special_tokens=False)
        return None if text.endswith("\ufffd") else text
