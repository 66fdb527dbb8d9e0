"""Token ids become text as they come, never cutting a character in two.

What a token means can depend on those before it (a space at the very beginning is dropped, bytes make up one character
over several tokens). So a piece of text is always the difference of two decodings that begin with the same context: the
tokens of the piece before.
"""

from tokenizers import Tokenizer as FastTokenizer

from hilt.engine.loading import Tokenizer

CHARACTER_BYTES = 4
MAX_PENDING = 16


class Detokenizer:
    """The text of one reply. Special tokens are text too: the dialects need them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        fast = getattr(tokenizer, "backend_tokenizer", None)
        self._decode = fast.decode if isinstance(fast, FastTokenizer) else tokenizer.decode
        self._context: list[int] = []
        self._context_text = ""
        self._pending: list[int] = []

    def add(self, token: int) -> str:
        """The text that is certain now that `token` has come; "" while a character is incomplete."""
        self._pending.append(token)
        text = self._text()
        if not text.endswith("\ufffd"):
            return self._release(text, len(self._pending))
        if len(self._pending) > MAX_PENDING:  # no text at all: only its last bytes can still become a character
            count = len(self._pending) - (CHARACTER_BYTES - 1)
            return self._release(self._text(count), count)
        return ""

    def finish(self) -> str:
        """What is left: the replacement character for bytes that never became one."""
        return self._release(self._text(), len(self._pending))

    def _text(self, count: int | None = None) -> str:
        tokens = [*self._context, *self._pending[:count]]
        return self._decode(tokens, skip_special_tokens=False)[len(self._context_text) :]

    def _release(self, text: str, count: int) -> str:
        self._context, self._pending = self._pending[:count], self._pending[count:]
        self._context_text = self._decode(self._context, skip_special_tokens=False)
        return text
