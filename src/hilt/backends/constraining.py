"""From what a request demands to the constraint that its reply is sampled under.

A schema is read, written as a grammar and compiled on a thread of its own, which takes up to seconds for the worst of
schemas; for tools that came before, all of it is there already. That thread has a deep stack, because the compiler
follows the nesting of a schema.
"""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
from msgspec import Struct
from tokenizers import Tokenizer as FastTokenizer

from hilt.backends.recent import Recent
from hilt.backends.terms import FREE, Checked, Terms, is_free, key_of, known_tools, prepared_tool, read_terms
from hilt.conversation import InvalidRequest, Request, ToolSpec, callable_tools
from hilt.dialects import Dialect
from hilt.dialects.begun import begun_by
from hilt.engine.door import Constraint
from hilt.engine.loading import LoadedModel
from hilt.grammar.budget import Steering
from hilt.grammar.cache import GrammarCache
from hilt.grammar.ending import Closers, read_closers
from hilt.grammar.matching import Grammar, GrammarTooComplex, Matcher
from hilt.grammar.replies import marks_of, write_grammar
from hilt.grammar.vocabulary import Vocabulary, read_vocabulary

STACK_BYTES = 64 << 20
KEPT_SCHEMAS_BYTES = 16 << 20  # counted in the JSON text of the schemas
KEPT_TERMS_BYTES = 32 << 20

logger = logging.getLogger(__name__)


class Held(Struct, frozen=True, eq=False):
    """What one reply is held to: the terms, and the constraint that it is sampled under, None where there is none."""

    terms: Terms
    constraint: Constraint | None


class _Speech(Struct, frozen=True, eq=False):
    """What grammars are made of for one model."""

    vocabulary: Vocabulary
    closers: Closers
    grammars: GrammarCache


class _Written(Struct, frozen=True, eq=False):
    """The terms of a request, and their grammar as a text; None if the model's tokens can't be held to one."""

    terms: Terms
    lark: str | None


class Constraining:
    """Makes the constraints of one model's replies, in its dialect; keeps compiled grammars up to `cache_bytes`.

    The model's vocabulary is read when the first request needs it. `close` lets its thread go.
    """

    def __init__(self, loaded: LoadedModel, dialect: Dialect, cache_bytes: int) -> None:
        self._loaded = loaded
        self._dialect = dialect
        self._cache_bytes = cache_bytes
        self._tools: Recent[Checked] = Recent(KEPT_SCHEMAS_BYTES)
        self._terms: Recent[_Written] = Recent(KEPT_TERMS_BYTES)
        self._lock = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None
        self._speech: _Speech | None = None
        self._is_speechless = False

    async def hold(self, request: Request, prompt: str, left: int) -> Held:
        """What the reply to a request is held to, where the prompt ends as `prompt` does and `left` tokens may come.

        Raises InvalidRequest, `param` naming the place, for schemas that can't be used or that no grammar can be made
        of, and for a demand that can't be kept with this model.
        """
        if is_free(request):
            return Held(FREE, None)
        begun = begun_by(self._dialect, prompt, calls=bool(known_tools(request)))
        key = key_of(request.tools, request.tool_choice, request.response_format, request.parallel_calls, begun)
        written = self._terms.get(key)
        speech = self._speech
        grammar = None
        if written is not None and written.lark is not None and speech is not None:
            grammar = speech.grammars.kept(written.lark)
        if written is None or (written.lark is not None and grammar is None):
            loop = asyncio.get_running_loop()
            written, grammar = await loop.run_in_executor(self._worker(), self._prepare, request, key, begun)
        return Held(written.terms, self._started(request, written.terms, grammar, begun, left))

    def close(self) -> None:
        """Let the thread go; what it is doing now it may finish."""
        with self._lock:
            if self._thread is not None:
                self._thread.shutdown(wait=False, cancel_futures=True)
                self._thread = None

    def _worker(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._thread is None:
                self._thread = _deep_thread()
            return self._thread

    def _started(
        self, request: Request, terms: Terms, grammar: Grammar | None, begun: str, left: int
    ) -> Constraint | None:
        """The constraint of a reply that begins behind what the prompt has begun."""
        speech = self._speech
        matcher = None
        if grammar is not None and speech is not None:
            matcher = _behind(grammar.matcher(), speech.vocabulary, begun)
        if matcher is not None and speech is not None:
            return Steering(matcher, left, speech.closers)
        if terms.forced:
            reason = f"its prompt ends in {begun!r}" if grammar is not None else "its tokenizer can't be read for that"
            param = "tool_choice" if terms.calls else "response_format"
            raise InvalidRequest(
                f"`{param}` can't be kept with the model {request.model!r}, because {reason}. Leave `{param}` out and"
                " ask for it in the prompt, or use another model.",
                param=param,
                code="unsupported_value",
            )
        return None

    # On the thread

    def _prepare(self, request: Request, key: bytes, begun: str) -> tuple[_Written, Grammar | None]:
        terms = read_terms(request, self._prepared_tool)
        speech = self._read_speech()
        written = _Written(terms, None)
        grammar = None
        if speech is not None:
            lark = write_grammar(self._dialect, speech.vocabulary, terms.offers, terms.demand, begun)
            written = _Written(terms, lark)
            try:
                grammar = speech.grammars.get(lark)
            except GrammarTooComplex as problem:
                raise _too_complex(request, problem) from problem
        self._terms.keep(key, written, len(key) + len(written.lark or ""))
        return written, grammar

    def _prepared_tool(self, tool: ToolSpec, where: str) -> Checked:
        key = msgspec.json.encode(tool.parameters)
        kept = self._tools.get(key)
        if kept is None:
            kept = prepared_tool(tool, where, self._dialect)
            self._tools.keep(key, kept, len(key))
        return kept

    def _read_speech(self) -> _Speech | None:
        if self._speech is None and not self._is_speechless:
            tokenizer = self._loaded.tokenizer
            fast = getattr(tokenizer, "backend_tokenizer", None)
            if isinstance(fast, FastTokenizer) and tokenizer.eos_token_ids:
                self._speech = self._speech_of(fast)
            self._is_speechless = self._speech is None
        return self._speech

    def _speech_of(self, fast: FastTokenizer) -> _Speech | None:
        try:
            vocabulary = read_vocabulary(fast, self._loaded.vocabulary_size, self._loaded.tokenizer.eos_token_ids)
        except ValueError as problem:  # llguidance knows most tokenizers, not all
            logger.warning("no grammar can be made for this model: %s", problem)
            return None
        closers = read_closers(vocabulary, marks_of(self._dialect))
        return _Speech(vocabulary, closers, GrammarCache(vocabulary, self._cache_bytes))


def _behind(matcher: Matcher, vocabulary: Vocabulary, begun: str) -> Matcher | None:
    """The matcher moved behind a text; None if its grammar has no such text."""
    tokens = vocabulary.spelled(begun)
    if not matcher.takes(tokens):
        return None
    for token in tokens:
        matcher.take(token)
    return matcher


def _too_complex(request: Request, problem: GrammarTooComplex) -> InvalidRequest:
    param = "tools" if callable_tools(request) else "response_format"
    return InvalidRequest(
        f"`{param}` is too complex to be enforced: {problem}. Offer fewer tools, or make their schemas smaller: fewer"
        " alternatives, shorter patterns, smaller limits of lengths and counts.",
        param=param,
        code="schema_too_complex",
    )


def _deep_thread() -> ThreadPoolExecutor:
    """One thread with a deep stack. The size is a setting of the whole process, so it is put back at once."""
    before = threading.stack_size(STACK_BYTES)
    try:
        executor = ThreadPoolExecutor(1, thread_name_prefix="hilt-grammar")
        executor.submit(int).result()  # an executor starts its thread with the first task
    finally:
        threading.stack_size(before)
    return executor
