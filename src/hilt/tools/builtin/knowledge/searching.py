"""What the knowledge base knows of a question: found by words and by vectors, and the two rankings made one.

Each ranking gives a passage 1 / (60 + its place), and the sums decide (reciprocal rank fusion, Cormack et al. 2009).
So the scales of the two need not be compared, and a passage that both find comes before one that only one finds.
"""

import unicodedata
from collections.abc import Sequence

from msgspec import Struct

from hilt.conversation import Unavailable
from hilt.tools.builtin.knowledge.store import (
    Store,
    StoredPassage,
    embedder_of,
    mismatch,
    opened,
    ranked_by_vector,
    ranked_by_words,
    stored_passages,
)
from hilt.tools.builtin.knowledge.wording import words

MAX_FOUND = 20

_MAX_QUERY_CHARS = 2000
_RANK_OFFSET = 60
_DEPTH = 50
_SAME_SHARE = 0.8


class FoundPassage(Struct, frozen=True):
    """A passage, its source's title, and its place: the source's name and where in it. `score` only ranks."""

    text: str
    title: str
    place: str
    heading: str
    source: str
    score: float


class Search(Struct, frozen=True):
    """What was found, best first; `notice` says if and why it was searched by words only."""

    query: str
    passages: tuple[FoundPassage, ...]
    notice: str = ""


class Rankings(Struct, frozen=True):
    """The passages by words and by vectors, best first, and why there are none by vectors."""

    by_words: tuple[int, ...]
    by_vectors: tuple[int, ...]
    notice: str = ""


def search(store: Store, query: str, limit: int = 5, source: str = "") -> Search:
    """The passages that answer a query best, at most `limit` and never more than 20.

    `source` keeps to sources of that name, title or file name, or below that folder. Raises ValueError if the query is
    empty or `limit` under 1; Unavailable if the base can't be used.
    """
    asked = " ".join(unicodedata.normalize("NFC", query.encode("utf-8", "replace").decode()).split())
    if not asked:
        raise ValueError("the query is empty; write what to look for")
    if limit < 1:
        raise ValueError("limit must be at least 1")
    asked = asked[:_MAX_QUERY_CHARS]
    limit = min(limit, MAX_FOUND)
    found = rankings(store, asked, source)
    scores = fused((found.by_words, found.by_vectors))
    with opened(store) as database:
        best = [] if database is None else stored_passages(database, list(scores))
    kept = distinct(best, limit)
    return Search(query, tuple(_found(passage, scores[passage.id]) for passage in kept), found.notice)


def rankings(store: Store, query: str, source: str = "", depth: int = _DEPTH) -> Rankings:
    """What each way of searching finds. Raises Unavailable if the base can't be used."""
    with opened(store) as database:
        made_by = None if database is None else embedder_of(database)
    vector, notice = None, ""
    if made_by is not None and made_by[0] != store.embedder.name:
        notice = f"searched by words only: {mismatch(made_by[0], store.embedder.name)}"
    elif made_by is not None:
        try:
            vector = store.embedder.embed_query(query)
        except Unavailable as fault:
            notice = f"searched by words only: {fault.message}"
        if vector is not None and len(vector) != made_by[1]:
            vector, notice = None, "searched by words only: the embedder's vectors changed; run `hilt kb rebuild`"
    with opened(store) as database:
        if database is None:
            return Rankings((), (), notice)
        by_words = ranked_by_words(database, query, depth, source)
        near = [] if vector is None else ranked_by_vector(database, vector, depth, source)
        nearest = stored_passages(database, [passage for passage, likeness in near if likeness > 0])
    agreeing = [one.id for one in nearest if store.embedder.agrees(query, f"{one.title}\n{one.heading}\n{one.text}")]
    return Rankings(tuple(by_words), tuple(agreeing), notice)


def fused(ranked: Sequence[Sequence[int]]) -> dict[int, float]:
    """The score of every passage that a ranking holds, the best first."""
    scores: dict[int, float] = {}
    for ranking in ranked:
        for place, passage in enumerate(ranking, start=1):
            scores[passage] = scores.get(passage, 0.0) + 1 / (_RANK_OFFSET + place)
    return dict(sorted(scores.items(), key=lambda each: (-each[1], each[0])))


def distinct(ranked: Sequence[StoredPassage], limit: int) -> list[StoredPassage]:
    """The first `limit`, without those that say nearly the same as a better one of their source."""
    kept: list[tuple[StoredPassage, frozenset[str]]] = []
    for passage in ranked:
        said = frozenset(words(passage.text))
        if not any(other.source == passage.source and _same(said, known) for other, known in kept):
            kept.append((passage, said))
        if len(kept) == limit:
            break
    return [passage for passage, _ in kept]


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    together = len(one | other)
    return together == 0 or len(one & other) / together >= _SAME_SHARE


def _found(passage: StoredPassage, score: float) -> FoundPassage:
    place = passage.source + passage.fragment
    return FoundPassage(passage.text, passage.title, place, passage.heading, passage.source, round(score, 6))
