"""The knowledge base on disk: sources, their passages, an index of words and a vector a passage, in one SQLite file.

A source is replaced in one transaction, so that whoever reads sees it as it was before or after. Any number of
processes may read while one writes, and writers wait for each other. What isn't a knowledge base of ours, or is
damaged, is told and never touched.
"""

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import quote

import numpy as np
from msgspec import Struct

from hilt.conversation import InvalidRequest, Unavailable
from hilt.tools.builtin.knowledge.chunking import Passage
from hilt.tools.builtin.knowledge.embedding import Embedder, Vectors
from hilt.tools.builtin.knowledge.wording import telling, words

Put: TypeAlias = Literal["added", "replaced", "unchanged"]

_APPLICATION_ID = 0x48494B42
_VERSION = 1
_READ_WAIT_S = 5.0
_WRITE_WAIT_S = 30.0
_BATCH_ROWS = 4096
_BATCH_TEXTS = 64
_MAX_QUERY_WORDS = 64

_SCHEMA = (
    "CREATE TABLE embedder (name TEXT NOT NULL, dimensions INTEGER NOT NULL)",
    """CREATE TABLE sources (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
        kind TEXT NOT NULL, digest TEXT NOT NULL, added TEXT NOT NULL)""",
    """CREATE TABLE passages (id INTEGER PRIMARY KEY AUTOINCREMENT, source INTEGER NOT NULL REFERENCES sources (id),
        text TEXT NOT NULL, heading TEXT NOT NULL, fragment TEXT NOT NULL, vector BLOB NOT NULL)""",
    "CREATE INDEX passages_of_source ON passages (source)",
    """CREATE VIRTUAL TABLE passage_words USING fts5(
        text, heading, tokenize='porter unicode61 remove_diacritics 2')""",
    f"PRAGMA user_version = {_VERSION}",
    f"PRAGMA application_id = {_APPLICATION_ID}",
)
_SELECTED = """source IN (SELECT id FROM sources WHERE ?1 = '' OR name = ?1 OR title = ?1
    OR substr(name, 1, length(?1) + 1) = ?1 || '/' OR substr(name, -length(?1) - 1) = '/' || ?1)"""


class SourceRecord(Struct, frozen=True):
    """A file or a text in the base. `name` is a file's absolute path, or what a text was called; `digest` tells its
    content; `added` is local time to the minute; `passages` counts them."""

    name: str
    title: str
    kind: str
    digest: str
    added: str
    passages: int = 0


class StoredPassage(Struct, frozen=True):
    """A passage with the name and title of its source."""

    id: int
    source: str
    title: str
    text: str
    heading: str
    fragment: str


class Store(Struct, frozen=True):
    """Where the base lies and what makes its vectors. The file is made when the first source is put in."""

    path: Path
    embedder: Embedder


def embedded_text(title: str, passage: Passage) -> str:
    """What of a passage its vector is made of."""
    return "\n".join(part for part in (title, passage.heading, passage.text) if part)


def put(store: Store, source: SourceRecord, passages: Sequence[Passage], *, replace: bool = True) -> Put:
    """Put a source in the place of the one of its name, if there is one.

    Raises InvalidRequest if the vectors of the base were made by another embedder, or if there is one of that name
    with another content and `replace` is False; Unavailable if the base or the embedder can't be used.
    """
    with _reading(store.path) as database:
        if database is not None:
            _check_embedder(database, store)
            if _digest(database, source.name) == source.digest:
                return "unchanged"
    vectors = _embedded(store.embedder, [embedded_text(source.title, passage) for passage in passages])
    with _writing(store.path) as database:
        _check_embedder(database, store)
        before = _digest(database, source.name)
        if before == source.digest:
            return "unchanged"
        if before is not None and not replace:
            raise InvalidRequest(f"there is another text called {source.name!r} already; give this one another title")
        _remember_embedder(database, store, vectors)
        _drop(database, source.name)
        _insert(database, source, passages, vectors)
    return "added" if before is None else "replaced"


def remove(store: Store, names: Sequence[str]) -> int:
    """Take sources out; how many there were. Raises Unavailable if the base can't be used."""
    if not store.path.exists():
        return 0
    with _writing(store.path) as database:
        return sum(_drop(database, name) for name in names)


def digest_of(store: Store, name: str) -> str | None:
    """The digest of the source of that name; None if there is none. Raises Unavailable if the base can't be used."""
    with _reading(store.path) as database:
        return None if database is None else _digest(database, name)


def sources(store: Store) -> tuple[SourceRecord, ...]:
    """All sources by name. Raises Unavailable if the base can't be used."""
    with _reading(store.path) as database:
        if database is None:
            return ()
        rows = database.execute(
            """SELECT name, title, kind, digest, added, (SELECT count(*) FROM passages WHERE source = sources.id)
            FROM sources ORDER BY name"""
        )
        return tuple(SourceRecord(*row) for row in rows)


def is_empty(store: Store) -> bool:
    """Whether nothing can be found. Raises Unavailable if the base can't be used."""
    with _reading(store.path) as database:
        return database is None or database.execute("SELECT 1 FROM passages LIMIT 1").fetchone() is None


def check_embedder(store: Store) -> None:
    """InvalidRequest if the vectors of the base were made by another embedder; Unavailable if it can't be used."""
    with _reading(store.path) as database:
        if database is not None:
            _check_embedder(database, store)


@contextmanager
def opened(store: Store) -> Generator[sqlite3.Connection | None]:
    """The base as it is at this moment, for the functions below; None if there is none yet.

    Raises Unavailable if the base can't be used.
    """
    with _reading(store.path) as database:
        yield database


def embedder_of(database: sqlite3.Connection) -> tuple[str, int] | None:
    """Name and dimensions of the embedder that made the vectors; None while there are none."""
    return database.execute("SELECT name, dimensions FROM embedder").fetchone()


def ranked_by_words(database: sqlite3.Connection, query: str, depth: int, source: str = "") -> list[int]:
    """Passages that hold words of the query, best first, at most `depth`; with a `source` only those of it."""
    asked = telling(words(query))[:_MAX_QUERY_WORDS]
    if not asked:
        return []
    # Words hold nothing but letters and digits, and stand in quotes, so nothing of the query is syntax.
    expression = " OR ".join(f'"{word}"' for word in asked)
    rows = database.execute(
        f"""SELECT passages.id FROM passage_words JOIN passages ON passages.id = passage_words.rowid
        WHERE passage_words MATCH ?3 AND {_SELECTED} ORDER BY bm25(passage_words), passages.id LIMIT ?2""",
        (source, depth, expression),
    )
    return [row[0] for row in rows]


def ranked_by_vector(
    database: sqlite3.Connection, vector: Vectors, depth: int, source: str = ""
) -> list[tuple[int, float]]:
    """Passages and how near they are to `vector` (float32 [dimensions], length 1), the nearest first."""
    near: list[tuple[int, float]] = []
    found = database.execute(f"SELECT id, vector FROM passages WHERE {_SELECTED}", (source,))
    size_bytes = 2 * len(vector)
    while rows := found.fetchmany(_BATCH_ROWS):
        whole = [row for row in rows if len(row[1]) == size_bytes]
        matrix = np.frombuffer(b"".join(row[1] for row in whole), np.float16).reshape(len(whole), len(vector))
        likeness = matrix.astype(np.float32) @ vector
        near += [(row[0], float(value)) for row, value in zip(whole, likeness, strict=True)]
        near = sorted(near, key=lambda each: (-each[1], each[0]))[:depth]
    return near


def stored_passages(database: sqlite3.Connection, ids: Sequence[int]) -> list[StoredPassage]:
    """The passages of these ids, in their order; ids that are gone are left out."""
    found: list[StoredPassage] = []
    for passage_id in ids:
        row = database.execute(
            """SELECT passages.id, sources.name, sources.title, text, heading, fragment
            FROM passages JOIN sources ON sources.id = source WHERE passages.id = ?""",
            (passage_id,),
        ).fetchone()
        if row is not None:
            found.append(StoredPassage(*row))
    return found


def rebuild(store: Store) -> Iterator[tuple[int, int]]:
    """Make all vectors and the index of words anew with the store's embedder, from the texts in the base.

    Gives how many passages are done, and of how many, after each batch. Nothing changes before the last vector is
    there; passages that come meanwhile are taken in. Raises Unavailable if the base or the embedder can't be used.
    """
    made: dict[int, bytes] = {}
    while store.path.exists():
        with _reading(store.path) as database:
            missing = [] if database is None else [one for one in _ids(database) if one not in made]
        for start in range(0, len(missing), _BATCH_TEXTS):
            with _reading(store.path) as database:
                batch = [] if database is None else stored_passages(database, missing[start : start + _BATCH_TEXTS])
            texts = [embedded_text(one.title, Passage(one.text, one.heading, one.fragment)) for one in batch]
            vectors = _embedded(store.embedder, texts)
            made |= {one.id: vector for one, vector in zip(batch, vectors, strict=True)}
            yield len(made), len(made) + len(missing) - start - len(batch)
        with _writing(store.path) as database:
            present = _ids(database)
            if all(one in made for one in present):
                _renew(database, store, [(made[one], one) for one in present])
                return


def _ids(database: sqlite3.Connection) -> list[int]:
    return [row[0] for row in database.execute("SELECT id FROM passages ORDER BY id")]


def _renew(database: sqlite3.Connection, store: Store, vectors: list[tuple[bytes, int]]) -> None:
    database.executemany("UPDATE passages SET vector = ? WHERE id = ?", vectors)
    database.execute("DELETE FROM embedder")
    if vectors:
        database.execute("INSERT INTO embedder VALUES (?, ?)", (store.embedder.name, len(vectors[0][0]) // 2))
    database.execute("DROP TABLE passage_words")
    database.execute(_SCHEMA[4])
    for passage in stored_passages(database, [passage_id for _, passage_id in vectors]):
        _index(database, passage.id, passage.title, Passage(passage.text, passage.heading))


def _insert(
    database: sqlite3.Connection, source: SourceRecord, passages: Sequence[Passage], vectors: Sequence[bytes]
) -> None:
    source_id = database.execute(
        "INSERT INTO sources (name, title, kind, digest, added) VALUES (?, ?, ?, ?, ?) RETURNING id",
        (source.name, source.title, source.kind, source.digest, source.added),
    ).fetchone()[0]
    for passage, vector in zip(passages, vectors, strict=True):
        passage_id = database.execute(
            "INSERT INTO passages (source, text, heading, fragment, vector) VALUES (?, ?, ?, ?, ?) RETURNING id",
            (source_id, passage.text, passage.heading, passage.fragment, vector),
        ).fetchone()[0]
        _index(database, passage_id, source.title, passage)


def _index(database: sqlite3.Connection, passage_id: int, title: str, passage: Passage) -> None:
    database.execute(
        "INSERT INTO passage_words (rowid, text, heading) VALUES (?, ?, ?)",
        (passage_id, _folded(passage.text), _folded(f"{title}\n{passage.heading}")),
    )


def _folded(text: str) -> str:
    """Text for the index of words, which would fold less than a query is folded."""
    return " ".join(words(text))


def _drop(database: sqlite3.Connection, name: str) -> int:
    row = database.execute("SELECT id FROM sources WHERE name = ?", (name,)).fetchone()
    if row is None:
        return 0
    database.execute("DELETE FROM passage_words WHERE rowid IN (SELECT id FROM passages WHERE source = ?)", row)
    database.execute("DELETE FROM passages WHERE source = ?", row)
    database.execute("DELETE FROM sources WHERE id = ?", row)
    return 1


def _embedded(embedder: Embedder, texts: Sequence[str]) -> list[bytes]:
    """The vectors as they are stored; in batches, because they take twice the room before."""
    stored: list[bytes] = []
    for start in range(0, len(texts), _BATCH_TEXTS):
        stored += [
            vector.tobytes() for vector in embedder.embed(texts[start : start + _BATCH_TEXTS]).astype(np.float16)
        ]
    return stored


def _digest(database: sqlite3.Connection, name: str) -> str | None:
    row = database.execute("SELECT digest FROM sources WHERE name = ?", (name,)).fetchone()
    return None if row is None else row[0]


def _check_embedder(database: sqlite3.Connection, store: Store) -> None:
    made_by = embedder_of(database)
    if made_by is not None and made_by[0] != store.embedder.name:
        raise InvalidRequest(mismatch(made_by[0], store.embedder.name), param="embedder")


def mismatch(made_by: str, now: str) -> str:
    """What is told when the vectors of the base are of another embedder."""
    return (
        f"the vectors of the knowledge base were made by the embedder {made_by!r}, and now {now!r} is set; "
        "run `hilt kb rebuild` to make them anew, or set the former one"
    )


def _remember_embedder(database: sqlite3.Connection, store: Store, vectors: Sequence[bytes]) -> None:
    if not vectors:
        return
    dimensions = len(vectors[0]) // 2
    made_by = embedder_of(database)
    if made_by is None:
        database.execute("INSERT INTO embedder VALUES (?, ?)", (store.embedder.name, dimensions))
    elif made_by[1] != dimensions:
        raise InvalidRequest(
            f"the embedder {made_by[0]!r} made vectors of {made_by[1]} numbers before and of {dimensions} now; "
            "run `hilt kb rebuild` to make all of them anew",
            param="embedder",
        )


@contextmanager
def _reading(path: Path) -> Generator[sqlite3.Connection | None]:
    """A connection within one transaction, so that all that is read is of one moment; None if there is no base."""
    if not path.exists():
        yield None
        return
    with _told(path), closing(_connection(path, "rw", _READ_WAIT_S)) as database:
        database.execute("BEGIN")
        yield database if _is_ours(database, path) else None


@contextmanager
def _writing(path: Path) -> Generator[sqlite3.Connection]:
    """A connection that alone may write; what was done is kept if the block ends well, and else undone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise Unavailable(f"the folder of the knowledge base {path} can't be made: {fault.strerror}") from fault
    with _told(path), closing(_connection(path, "rwc", _WRITE_WAIT_S)) as database:
        database.execute("BEGIN IMMEDIATE")
        if not _is_ours(database, path):
            for statement in _SCHEMA:
                database.execute(statement)
        yield database
        database.execute("COMMIT")


def _connection(path: Path, mode: str, wait_s: float) -> sqlite3.Connection:
    address = f"file:{quote(str(path.absolute()))}?mode={mode}"
    database = sqlite3.connect(address, uri=True, timeout=wait_s, isolation_level=None)
    try:
        if mode == "rwc" and database.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            _keep_log(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _keep_log(database: sqlite3.Connection, path: Path) -> None:
    """Let readers read while one writes. Nothing is lost where that can't be had: they wait for each other then."""
    _is_ours(database, path)
    with suppress(sqlite3.OperationalError):
        database.execute("PRAGMA journal_mode = WAL")


def _is_ours(database: sqlite3.Connection, path: Path) -> bool:
    """Whether the base has its tables; False for an empty file."""
    if database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
        return False
    if database.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise Unavailable(f"{path} is the database of another program; the knowledge base needs a file of its own")
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if version != _VERSION:
        raise Unavailable(
            f"the knowledge base {path} has the form {version}, and this Hilt reads {_VERSION}; update it"
        )
    return True


@contextmanager
def _told(path: Path) -> Generator[None]:
    """SQLite's faults in words."""
    try:
        yield
    except sqlite3.OperationalError as fault:
        raise Unavailable(f"the knowledge base {path} can't be used now: {fault}") from fault
    except sqlite3.DatabaseError as fault:
        raise Unavailable(
            f"the knowledge base {path} is damaged ({fault}) and was left as it is; move it away and add the "
            "documents again with `hilt kb add`, or put a copy in its place"
        ) from fault
