"""Compiled grammars, kept under a bound in bytes: the same tools come with every turn of a conversation."""

import threading
from collections import OrderedDict
from concurrent.futures import Future
from hashlib import sha256

from msgspec import Struct

from hilt.grammar.matching import Grammar, compile_grammar
from hilt.grammar.vocabulary import Vocabulary


class CacheCounts(Struct, frozen=True):
    """How often a grammar was there (or on its way), how often it had to be compiled, how many are kept, and the
    estimated memory that they hold."""

    hits: int
    misses: int
    grammars: int
    size_bytes: int


class GrammarCache:
    """The grammars of one vocabulary; the one that was used longest ago goes first. Any thread may ask.

    Two that ask for the same grammar at once have it compiled once. A refusal isn't kept.
    """

    def __init__(self, vocabulary: Vocabulary, limit_bytes: int) -> None:
        self._vocabulary = vocabulary
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._grammars: OrderedDict[bytes, Grammar] = OrderedDict()
        self._compiling: dict[bytes, Future[Grammar]] = {}
        self._size_bytes = 0
        self._hits = 0
        self._misses = 0

    @property
    def counts(self) -> CacheCounts:
        """What the cache has done, and what it holds."""
        with self._lock:
            return CacheCounts(self._hits, self._misses, len(self._grammars), self._size_bytes)

    def kept(self, lark: str) -> Grammar | None:
        """The grammar of a text if it is kept; never waits."""
        with self._lock:
            return self._found(_key(lark))

    def get(self, lark: str) -> Grammar:
        """The grammar of a text; compiles it if need be, which may take seconds, so ask from a worker thread.

        Raises GrammarTooComplex if it can't be compiled.
        """
        key = _key(lark)
        with self._lock:
            if (grammar := self._found(key)) is not None:
                return grammar
            awaited = self._compiling.get(key)
            promised = awaited or self._compiling.setdefault(key, Future[Grammar]())
            self._hits += awaited is not None
            self._misses += awaited is None
        return promised.result() if awaited is not None else self._compile(key, lark, promised)

    def _found(self, key: bytes) -> Grammar | None:
        """A grammar that is kept, which counts as used; asked under the lock."""
        grammar = self._grammars.get(key)
        if grammar is not None:
            self._grammars.move_to_end(key)
            self._hits += 1
        return grammar

    def _compile(self, key: bytes, lark: str, promised: "Future[Grammar]") -> Grammar:
        try:
            grammar = compile_grammar(lark, self._vocabulary)
        except BaseException as problem:  # whoever waits for it must hear of it, whatever it is
            with self._lock:
                del self._compiling[key]
            promised.set_exception(problem)
            raise
        with self._lock:
            del self._compiling[key]
            self._keep(key, grammar)
        promised.set_result(grammar)
        return grammar

    def _keep(self, key: bytes, grammar: Grammar) -> None:
        if grammar.size_bytes > self._limit_bytes:
            return
        self._grammars[key] = grammar
        self._size_bytes += grammar.size_bytes
        while self._size_bytes > self._limit_bytes:
            _, old = self._grammars.popitem(last=False)
            self._size_bytes -= old.size_bytes


def _key(lark: str) -> bytes:
    return sha256(lark.encode("utf-8", "surrogatepass")).digest()
