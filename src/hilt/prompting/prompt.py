"""A request becomes the tokens that a model reads."""

from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace
from tokenizers import Tokenizer as FastTokenizer

from hilt.conversation import InvalidRequest, NoTools, Request
from hilt.dialects import Dialect
from hilt.prompting.adapting import adapt
from hilt.prompting.manner import Manner
from hilt.prompting.pieces import cut_at, encode_pieces
from hilt.prompting.spelled_marks import Marks, Normalise, read_marks, with_cuts
from hilt.prompting.template import TemplateTokenizer, apply_template

CHARACTERS_PER_TOKEN_LIMIT = 128
_TAIL_LENGTH = 256


class Prompt(Struct, frozen=True):
    """What the model reads, and how the text of it ends."""

    tokens: list[int]
    tail: str


def render_prompt(request: Request, tokenizer: TemplateTokenizer, context_length: int, manner: Manner) -> Prompt:
    """The prompt of a request, up to the place where the model goes on.

    No text of the request becomes a mark of the template: what spells one is encoded as plain text. Raises
    InvalidRequest if the template refuses these messages, or if the prompt is too long for the context; a prompt whose
    length alone proves that is refused before it is tokenised.
    """
    if not tokenizer.has_chat_template:
        raise InvalidRequest("this model has no chat template, so it can't be talked to in turns")
    offered = () if isinstance(request.tool_choice, NoTools) else request.tools
    written, offered, word = with_cuts(request.messages, offered, _marks(tokenizer, manner.dialect))
    messages, tools = adapt(written, offered, manner, parallel=request.parallel_calls)
    pieces = cut_at(apply_template(tokenizer, messages, tools, prompting=True, arguments=manner.arguments), word)
    text = "".join(pieces)
    if len(text) > context_length * CHARACTERS_PER_TOKEN_LIMIT:
        raise _too_long(f"{len(text)} characters", context_length)
    if len(pieces) > context_length:  # a piece has one token at least
        raise _too_long(f"more than {len(pieces)} tokens", context_length)
    tokens = encode_pieces(pieces, lambda piece: tokenizer.encode(piece, add_special_tokens=False))
    if len(tokens) >= context_length:
        raise _too_long(f"{len(tokens)} tokens", context_length)
    return Prompt(tokens, text[-_TAIL_LENGTH:])


def _marks(tokenizer: TemplateTokenizer, dialect: Dialect) -> Marks:
    added = frozenset((*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens))
    fast = getattr(tokenizer, "backend_tokenizer", None)
    normalizer = fast.normalizer if isinstance(fast, FastTokenizer) else None
    normalise: Normalise | None = None if normalizer is None else normalizer.normalize_str
    return replace(_table(added, dialect), normalise=normalise)


@lru_cache(maxsize=8)
def _table(added: frozenset[str], dialect: Dialect) -> Marks:
    return read_marks(added, dialect)


def _too_long(size: str, context_length: int) -> InvalidRequest:
    return InvalidRequest(
        f"the prompt is too long: it has {size}, and the model's context holds {context_length} tokens",
        param="messages",
        code="context_length_exceeded",
    )
