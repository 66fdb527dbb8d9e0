"""Texts as vectors whose nearness stands for likeness: by their letters without any model, or by a server's model.

The embedder "words" is lexical and nothing more. It hashes words and the runs of 3 to 5 characters within them into
1024 numbers, so that inflected, compound and misspelt words come near each other; a synonym that shares no letters
stays far away. Repetition counts with its logarithm. How rare a word is in the base isn't known when a text is
embedded, so words are damped by what is known beforehand: the frequent words of English, and short words.
"""

import math
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

import httpx2
import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hilt.conversation import InvalidRequest, Unavailable
from hilt.tools.builtin.knowledge.wording import FREQUENT_WORDS, telling, words

Vectors: TypeAlias = NDArray[np.float32]

_WORD_DIMENSIONS = 1024
_GRAM_SIZES = (3, 4, 5)
_GRAM_WEIGHT = 1.4
_FREQUENT_WEIGHT = 0.1
_FULL_WEIGHT_CHARS = 5
_MAX_WORD_CHARS = 64
_ALIKE = 0.4
_TEXTS_AT_ONCE = 32
_HASH_STEP = np.uint64(0x9E3779B97F4A7C15)

_BATCH_TEXTS = 64
_TRIES = 4
_QUERY_TRIES = 2
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 20.0
_MAX_SHOWN_CHARS = 200


class Embedder(Protocol):
    """Turns texts into vectors. Two embedders of one name give the same vectors for the same texts."""

    @property
    def name(self) -> str:
        """What the store remembers its vectors by."""
        ...

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has; 0 while that isn't known."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [len(texts), dimensions], each row of length 1 (or 0 for a text without words).

        Raises Unavailable if whatever makes them can't be reached.
        """
        ...

    def embed_query(self, query: str) -> Vectors:
        """float32 [dimensions] of length 1 (or 0), soon: somebody waits for it. Raises Unavailable as `embed` does."""
        ...

    def agrees(self, query: str, text: str) -> bool:
        """Whether a text whose vector is among the nearest has anything to do with the query."""
        ...


class WordEmbedder(Struct, frozen=True):
    """The embedder "words"."""

    @property
    def name(self) -> str:
        return "words-1"

    @property
    def dimensions(self) -> int:
        return _WORD_DIMENSIONS

    def embed(self, texts: Sequence[str]) -> Vectors:
        counted = [Counter(words(text)) for text in texts]
        rows = [_text_rows(counted[start : start + _TEXTS_AT_ONCE]) for start in range(0, len(texts), _TEXTS_AT_ONCE)]
        return unit_rows(np.concatenate(rows)) if rows else np.zeros((0, _WORD_DIMENSIONS), np.float32)

    def embed_query(self, query: str) -> Vectors:
        return self.embed([query])[0]

    def agrees(self, query: str, text: str) -> bool:
        """True if a word of the query is spelt like one of the text."""
        asked = [_trigrams(word) for word in telling(words(query))]
        found = [_trigrams(word) for word in set(words(text))]
        return any(_likeness(one, other) >= _ALIKE for one in asked for other in found)


def _text_rows(counted: Sequence[Counter[str]]) -> Vectors:
    """Texts, given as how often each word is in them, as float32 [len(counted), dimensions]."""
    places = {word: place for place, word in enumerate(dict.fromkeys(word for text in counted for word in text))}
    times = np.zeros((len(counted), len(places)), np.float32)
    for row, text in zip(times, counted, strict=True):
        row[[places[word] for word in text]] = [1 + math.log(count) for count in text.values()]
    return times @ _word_rows(list(places))


def _word_rows(vocabulary: Sequence[str]) -> Vectors:
    """float32 [len(vocabulary), dimensions]: each word and its runs of characters counted where their hashes say. The
    signs, which are hashed too, keep collisions from adding up."""
    framed = [f"<{word[:_MAX_WORD_CHARS]}>" for word in vocabulary]
    owners = np.repeat(np.arange(len(framed)), [len(word) for word in framed])
    codes = np.frombuffer("".join(framed).encode("utf-32-le"), np.uint32).astype(np.uint64)
    hashes = [np.array([zlib.crc32(word.encode()) for word in framed], np.uint64)]
    counted_for = [np.arange(len(framed))]
    for size in _GRAM_SIZES:
        windows = max(0, len(codes) - size + 1)
        rolled = np.full(windows, size, np.uint64)
        for offset in range(size):
            rolled = rolled * _HASH_STEP + codes[offset : offset + windows]
        within = owners[:windows] == owners[len(owners) - windows :]
        hashes.append(rolled[within])
        counted_for.append(owners[:windows][within])
    grams = np.bincount(np.concatenate(counted_for[1:]), minlength=len(framed))
    weights = np.array([_damping(word) for word in vocabulary])
    shares = weights * _GRAM_WEIGHT / np.sqrt(np.maximum(grams, 1))
    mixed = _mixed(np.concatenate(hashes))
    owner = np.concatenate(counted_for)
    each = np.concatenate([weights, shares[owner[len(framed) :]]]) * np.where(mixed >> np.uint64(63), -1.0, 1.0)
    cells = owner * _WORD_DIMENSIONS + (mixed % np.uint64(_WORD_DIMENSIONS)).astype(np.int64)
    rows = np.bincount(cells, weights=each, minlength=len(framed) * _WORD_DIMENSIONS)
    return rows.reshape(len(framed), _WORD_DIMENSIONS).astype(np.float32)


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hashes whose bits all depend on each other (the end of SplitMix64)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def _damping(word: str) -> float:
    return _FREQUENT_WEIGHT if word in FREQUENT_WORDS else min(1.0, (1 + len(word)) / _FULL_WEIGHT_CHARS)


def _trigrams(word: str) -> frozenset[str]:
    framed = f"<{word[:_MAX_WORD_CHARS]}>"
    return frozenset(framed[at : at + 3] for at in range(max(1, len(framed) - 2)))


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other))


def unit_rows(rows: NDArray[Any]) -> Vectors:
    """Each row divided by its length, as float32; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)


class _Embedding(Struct, frozen=True):
    index: int
    embedding: list[float]


class _Answer(Struct, frozen=True):
    data: list[_Embedding]


class ServerEmbedder(Struct, frozen=True):
    """The embedder "server": POST /v1/embeddings of an OpenAI-compatible server, in batches.

    Answers 429 and 5xx and broken connections are tried again, after the time that the server asks for or longer
    every time; `sleep` takes seconds.
    """

    url: str
    model: str
    sleep: Callable[[float], None]
    api_key: str = ""
    timeout_s: float = 60.0
    query_timeout_s: float = 5.0

    @property
    def name(self) -> str:
        return f"server:{self.model}"

    @property
    def dimensions(self) -> int:
        return 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        return self._embedded(texts, self.timeout_s, _TRIES)

    def embed_query(self, query: str) -> Vectors:
        return self._embedded([query], self.query_timeout_s, _QUERY_TRIES)[0]

    def agrees(self, query: str, text: str) -> bool:
        """True: likeness of meaning can't be told from letters."""
        return True

    def _embedded(self, texts: Sequence[str], timeout_s: float, tries: int) -> Vectors:
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        rows: list[list[float]] = []
        # No proxy of the environment: what is asked must reach the server that was named, and nobody else.
        with httpx2.Client(timeout=timeout_s, headers=headers, trust_env=False) as client:
            for start in range(0, len(texts), _BATCH_TEXTS):
                rows += self._batch(client, list(texts[start : start + _BATCH_TEXTS]), tries)
        if len({len(row) for row in rows}) > 1:
            raise self._unusable("vectors of different lengths")
        return unit_rows(np.array(rows, np.float32).reshape(len(rows), -1 if rows else 0))

    def _batch(self, client: httpx2.Client, texts: list[str], tries: int) -> list[list[float]]:
        answer = self._asked(client, {"model": self.model, "input": texts, "encoding_format": "float"}, tries)
        try:
            read = msgspec.json.decode(answer, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._unusable("no list of embeddings") from None
        ordered = sorted(read.data, key=lambda each: each.index)
        if [each.index for each in ordered] != list(range(len(texts))):
            raise self._unusable(f"{len(ordered)} embeddings for {len(texts)} texts")
        rows = [each.embedding for each in ordered]
        if not all(row and all(math.isfinite(number) for number in row) for row in rows):
            raise self._unusable("empty vectors")
        return rows

    def _asked(self, client: httpx2.Client, body: dict[str, Any], tries: int) -> bytes:
        pause_s = _FIRST_PAUSE_S
        said = ""
        for attempt in range(1, tries + 1):
            wanted_s = 0.0
            try:
                response = client.post(self.url, json=body)
            except httpx2.TransportError as fault:
                said = f"can't be reached ({type(fault).__name__}: {fault})"
            else:
                if response.status_code == 200:
                    return response.content
                said = f"answers {response.status_code}: {response.text[:_MAX_SHOWN_CHARS]}"
                if response.status_code != 429 and response.status_code < 500:
                    raise Unavailable(f"the embeddings server at {self.url} {said}; {_advice(response.status_code)}")
                wanted_s = _seconds(response.headers.get("retry-after", ""))
            if attempt < tries:
                self.sleep(min(max(pause_s, wanted_s), _LONGEST_PAUSE_S if tries > _QUERY_TRIES else _FIRST_PAUSE_S))
                pause_s *= 2
        raise Unavailable(f"the embeddings server at {self.url} {said}; it was tried {tries} times")

    def _unusable(self, what: str) -> Unavailable:
        return Unavailable(f"the embeddings server at {self.url} sent {what}; check that {self.model!r} embeds texts")


def embeddings_address(url: str, *, local_only: bool = False) -> str:
    """The full address of a server's embeddings, from as much of it as was given.

    Raises InvalidRequest if it is none of http or https, or if `local_only` and it isn't this machine's.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidRequest(
            f"embeddings_url is {url!r}; it has to be the address of a server, such as http://127.0.0.1:8080/v1",
            param="embeddings_url",
        )
    if local_only and not _is_loopback(host):
        raise InvalidRequest(
            f"embeddings_url leads to {host}, and only local work is allowed; set the embedder to words, or name a "
            "server on 127.0.0.1",
            param="embeddings_url",
        )
    path = parts.path.rstrip("/")
    if not path.endswith("/embeddings"):
        path = f"{path}/embeddings" if path.endswith("/v1") else f"{path}/v1/embeddings"
    return parts._replace(path=path).geturl()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _advice(status: int) -> str:
    match status:
        case 401 | 403:
            return "check embeddings_api_key"
        case 404:
            return "check embeddings_url and embeddings_model"
        case _:
            return "check that embeddings_model is a model for embeddings"


def _seconds(header: str) -> float:
    """What a Retry-After header asks for, 0 where it names no seconds."""
    try:
        seconds = float(header)
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
