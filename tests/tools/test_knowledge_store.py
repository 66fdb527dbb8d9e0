"""The store does what a dictionary would do, whatever is put in, taken out or asked, and in whatever order."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hilt.conversation import InvalidRequest, Unavailable
from hilt.tools.builtin.knowledge import SourceRecord, Store, WordEmbedder, rebuild, remove, search, sources
from hilt.tools.builtin.knowledge.chunking import Passage
from hilt.tools.builtin.knowledge.embedding import Vectors
from hilt.tools.builtin.knowledge.store import digest_of, is_empty, opened, put, ranked_by_vector, ranked_by_words

NAMES = st.sampled_from(["/docs/a.md", "/docs/inner/b.md", "/docs2/a.md", "/docs%/_.md", "text:é'\""])
WORDS = ("apple", "banana", "größe", "漢字", "O'Neil", '"quoted"', "naïve", "x" * 300, "😀")
PASSAGES = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join).map(Passage), min_size=0, max_size=4
)


class OtherEmbedder(WordEmbedder, frozen=True):
    """Vectors of its own, half as long."""

    @property
    def name(self) -> str:
        return "other"

    def embed(self, texts: "list[str]") -> Vectors:  # type: ignore[override]
        return np.ascontiguousarray(super().embed(texts)[:, :512])


class LikeADictionary(RuleBasedStateMachine):
    """Every step on the store and on a dictionary from name to passages."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.known: dict[str, list[Passage]] = {}

    @initialize(embedder=st.sampled_from([WordEmbedder(), OtherEmbedder()]))
    def open(self, embedder: WordEmbedder) -> None:
        self.store = Store(self.folder / "k.sqlite3", embedder)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(name=NAMES, passages=PASSAGES, replace=st.booleans())
    def put(self, name: str, passages: list[Passage], replace: bool) -> None:
        record = SourceRecord(name, "title", "text", repr(passages), "now")
        if name in self.known and self.known[name] != passages and not replace:
            with pytest.raises(InvalidRequest):
                put(self.store, record, passages, replace=replace)
            return
        outcome = put(self.store, record, passages, replace=replace)
        before = self.known.get(name)
        assert outcome == ("added" if before is None else "unchanged" if before == passages else "replaced")
        self.known[name] = passages

    @rule(names=st.lists(NAMES, max_size=3, unique=True))
    def remove(self, names: list[str]) -> None:
        assert remove(self.store, names) == sum(self.known.pop(name, None) is not None for name in names)

    @rule()
    def rebuild(self) -> None:
        done = list(rebuild(self.store))
        count = sum(map(len, self.known.values()))
        assert (done[-1] if done else (0, 0)) == (count, count)

    @rule(embedder=st.sampled_from([WordEmbedder(), OtherEmbedder()]))
    def change_the_embedder(self, embedder: WordEmbedder) -> None:
        self.store = Store(self.store.path, embedder)
        list(rebuild(self.store))

    @rule(word=st.sampled_from(WORDS))
    def ask(self, word: str) -> None:
        """By words exactly the passages that hold the word; of all found, none that isn't in the dictionary."""
        holding = {(name, one.text) for name, every in self.known.items() for one in every if word in one.text.split()}
        with opened(self.store) as database:
            ranked = [] if database is None else ranked_by_words(database, word, 100)
        assert len(ranked) == sum(
            word in one.text.split() for every in self.known.values() for one in every if word != "😀"
        )
        found = {(one.source, one.text) for one in search(self.store, word, 20).passages}
        assert found <= {(name, one.text) for name, every in self.known.items() for one in every}
        assert not holding or found or word == "😀"

    @invariant()
    def knows_the_same(self) -> None:
        if not hasattr(self, "store"):
            return
        assert {one.name: one.passages for one in sources(self.store)} == {
            name: len(passages) for name, passages in self.known.items()
        }
        assert is_empty(self.store) == (not any(self.known.values()))
        for name in ("/docs/a.md", "text:é'\""):
            known = self.known.get(name)
            assert digest_of(self.store, name) == (None if known is None else repr(known))


TestLikeADictionary = LikeADictionary.TestCase
TestLikeADictionary.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "k.sqlite3", WordEmbedder())
    for name in ("/docs/a.md", "/docs/in/b.md", "/docs2/a.md", "/docs/100%.md", "text:a.md"):
        put(store, SourceRecord(name, f"On {name}", "text", name, "now"), [Passage("apples grow on trees")])
    return store


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("", 5),
        ("/docs", 3),
        ("/docs/", 0),
        ("/docs/a.md", 1),
        ("a.md", 2),
        ("On text:a.md", 1),
        ("100%.md", 1),
        ("%", 0),
        ("_.md", 0),
        ("' OR 1=1 --", 0),
    ],
)
def test_a_source_keeps_the_search_to_it(source: str, found: int, store: Store) -> None:
    assert len(search(store, "apples", 20, source).passages) == found
    vector = store.embedder.embed(["apples"])[0]
    with opened(store) as database:
        assert database is not None
        assert len(ranked_by_vector(database, vector, 20, source)) == found
        assert len(ranked_by_words(database, "apples", 20, source)) == found


def test_another_embedder_asks_for_a_rebuild_and_search_goes_on_by_words(store: Store) -> None:
    other = Store(store.path, OtherEmbedder())
    record = SourceRecord("/docs/new.md", "New", "text", "new", "now")
    with pytest.raises(InvalidRequest, match="hilt kb rebuild"):
        put(other, record, [Passage("pears")])
    found = search(other, "apples")
    assert found.passages
    assert "by words only" in found.notice
    assert "hilt kb rebuild" in found.notice
    list(rebuild(other))
    assert search(other, "apples").notice == ""
    assert put(other, record, [Passage("pears")]) == "added"
    assert "by words only" in search(store, "apples").notice


class BrokenEmbedder(OtherEmbedder, frozen=True):
    """One that can't be reached."""

    def embed(self, texts: "list[str]") -> Vectors:  # type: ignore[override]
        raise Unavailable("the embeddings server is away")


def test_a_rebuild_that_fails_changes_nothing(store: Store) -> None:
    before = store.path.read_bytes()
    with pytest.raises(Unavailable):
        list(rebuild(Store(store.path, BrokenEmbedder())))
    assert store.path.read_bytes() == before
    assert search(store, "aples").passages
    assert search(store, "aples").notice == ""


def test_a_rebuild_takes_in_what_comes_meanwhile(store: Store) -> None:
    other = Store(store.path, OtherEmbedder())
    steps = rebuild(other)
    next(steps)
    put(store, SourceRecord("/late.md", "Late", "text", "late", "now"), [Passage("pears ripen late")])
    remove(store, ["/docs/a.md"])
    list(steps)
    assert search(other, "pears").notice == ""
    assert search(other, "peers ripen").passages[0].source == "/late.md"
    assert len(search(other, "apples", 20).passages) == 4


def test_a_newer_form_is_told(store: Store) -> None:
    import sqlite3

    database = sqlite3.connect(store.path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(Unavailable, match="update"):
        sources(store)


def test_a_writer_that_is_awaited_too_long_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3
    from contextlib import closing

    monkeypatch.setattr("hilt.tools.builtin.knowledge.store._WRITE_WAIT_S", 0.0)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            remove(store, ["/docs/a.md"])
        assert search(store, "apples").passages
    assert remove(store, ["/docs/a.md"]) == 1
