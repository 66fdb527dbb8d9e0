"""What is found and in which order; and the three tools that a model is given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.conversation import Source, Unavailable
from hilt.tools.builtin.knowledge import Knowledge, WordEmbedder, add_text, knowledge_tools, search, sources
from hilt.tools.builtin.knowledge.searching import fused
from hilt.tools.tool import Tool
from tests.tools.knowledge import open_base

TEXTS = {
    "leave": "Parental leave lasts sixteen weeks and is paid in full. It has to be asked for two months ahead.",
    "travel": "Travel by train is booked in second class. Flights need the approval of the head of department.",
    "café": "Das Café öffnet um acht Uhr. Übernachtungen sind möglich, Größenangaben auf Anfrage.",
    "tea": "東京の天気は晴れです。明日は雨が降るでしょう。",
    "hindi": "यह पुस्तक हिन्दी में लिखी गई है। किताब अच्छी है।",
    "code": "def parse_invoice(path): raise ValueError('no such invoice')",
}


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    knowledge = open_base(tmp_path_factory.mktemp("base") / "k.sqlite3")
    for title, text in TEXTS.items():
        add_text(knowledge, text, title)
    return knowledge


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("parental leave", "leave"),
        ("How long does parental leave last?", "leave"),
        ("PARENTAL", "leave"),
        ("parentel leav", "leave"),
        ("flight approvals", "travel"),
        ("who approves flights", "travel"),
        ("cafe", "café"),
        ("CAFÉ", "café"),
        ("cafe\u0301 offnet", "café"),
        ("Übernachtung", "café"),
        ("uebernachtungen Grosse Größe", "café"),
        ("東京", "tea"),
        ("明日の天気", "tea"),
        ("हिन्दी", "hindi"),
        ("GROSSENANGABEN", "café"),
        ("parse_invoice", "code"),
        ("ValueError invoice", "code"),
        ("what is the", None),
        ("zzqqx flurb", None),
        ("🙂 ?!", None),
    ],
)
def test_what_is_found_first(query: str, first: str | None, knowledge: Knowledge) -> None:
    found = search(knowledge.store, query).passages
    if first is None:
        assert query == "what is the" or not found
    else:
        assert found[0].title == first


SYNTAX = st.text(st.sampled_from("\"'*^:()-+{} ANDORNEAR.,parental漢\0\ud800🙂"), min_size=1, max_size=60)


@given(SYNTAX | st.text(min_size=1, max_size=200))
@settings(max_examples=150, deadline=None)
def test_nothing_of_a_query_is_syntax(knowledge: Knowledge, query: str) -> None:
    if query.split():
        assert len(search(knowledge.store, query).passages) <= 5


@pytest.mark.parametrize("query", ["", "  \n"])
def test_an_empty_query_is_told(query: str, knowledge: Knowledge) -> None:
    with pytest.raises(ValueError, match="empty"):
        search(knowledge.store, query)


def test_a_huge_query_is_cut(knowledge: Knowledge) -> None:
    assert search(knowledge.store, "parental leave " * 100_000).passages[0].title == "leave"


def test_near_duplicates_of_a_file_are_one(tmp_path: Path) -> None:
    knowledge = open_base(tmp_path / "k.sqlite3")
    again = "The engine starts when the key is turned to the right and held for a second."
    add_text(knowledge, f"# One\n\n{again}\n\n# Two\n\n{again}!\n\n# Three\n\nThe engine stops by itself.", "car")
    add_text(knowledge, again, "boat")
    found = search(knowledge.store, "engine starts key").passages
    assert sorted(one.place for one in found)[0] == "text:boat line 1"
    assert len(found) == 3


RANKINGS = st.lists(st.lists(st.integers(0, 20), unique=True, max_size=10), min_size=1, max_size=3)


@given(RANKINGS)
def test_fusing_keeps_all_and_what_every_ranking_prefers_comes_first(ranked: list[list[int]]) -> None:
    scores = fused(ranked)
    assert set(scores) == {one for ranking in ranked for one in ranking}
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    if all(ranked) and len({ranking[0] for ranking in ranked}) == 1:
        assert next(iter(scores)) == ranked[0][0]


@given(st.lists(st.text(max_size=80), min_size=1, max_size=5))
@settings(deadline=None)
def test_words_become_vectors_of_length_one_whatever_stands_beside(texts: list[str]) -> None:
    embedder = WordEmbedder()
    rows = embedder.embed(texts)
    assert (rows.shape, rows.dtype) == ((len(texts), embedder.dimensions), np.float32)
    lengths = np.linalg.norm(rows, axis=1)
    assert all(length == 0 or abs(length - 1) < 1e-5 for length in lengths)
    assert np.allclose(rows, np.concatenate([embedder.embed([text]) for text in texts]), atol=1e-5)


@pytest.mark.parametrize(
    ("near", "far"),
    [
        (("receive", "recieve"), ("receive", "believer")),
        (("install", "installation"), ("install", "insulin")),
        (("colour", "colours"), ("colour", "cool")),
    ],
)
def test_inflections_and_typos_are_nearer_than_other_words(near: tuple[str, str], far: tuple[str, str]) -> None:
    def likeness(pair: tuple[str, str]) -> float:
        one, other = WordEmbedder().embed(pair)
        return float(one @ other)

    assert likeness(near) > likeness(far) + 0.05


# Tools


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, Tool]:
    return {tool.name: tool for tool in knowledge_tools(open_base(tmp_path / "k.sqlite3"))}


def test_what_the_tools_say_of_themselves(tools: dict[str, Tool]) -> None:
    assert list(tools) == ["search_knowledge", "add_to_knowledge", "list_knowledge"]
    searching, adding, listing = tools.values()
    assert (searching.effect, adding.effect, listing.effect) == ("read", "write", "read")
    assert (searching.untrusted, listing.untrusted) == (True, True)
    assert searching.permission == "knowledge:read"
    assert {tool.domain for tool in tools.values()} == {"knowledge"}
    assert "queryKnowledgeBase" in searching.aliases
    assert searching.spec.parameters["required"] == ["query"]
    assert all(tool.keywords for tool in tools.values())


def test_an_empty_base_is_not_offered(tools: dict[str, Tool]) -> None:
    missing = tools["search_knowledge"].missing
    assert missing is not None
    assert "hilt kb add" in str(missing())
    tools["add_to_knowledge"].function(text="The office closes at six.", title="Hours")
    assert missing() is None


def test_a_damaged_base_is_not_offered_and_says_why(tools: dict[str, Tool], tmp_path: Path) -> None:
    (tmp_path / "k.sqlite3").write_bytes(b"no database " * 100)
    missing = tools["list_knowledge"].missing
    assert missing is not None
    assert "damaged" in str(missing())
    for call in (
        lambda: tools["search_knowledge"].function(query="x"),
        lambda: tools["add_to_knowledge"].function(text="x", title="y"),
        lambda: tools["list_knowledge"].function(),
    ):
        with pytest.raises(ValueError, match="damaged"):
            call()


def test_what_is_added_is_planned_found_cited_and_listed(tools: dict[str, Tool], tmp_path: Path) -> None:
    searching, adding, listing = tools.values()
    wanted: dict[str, Any] = {"text": "The office closes at six.", "title": " Office\nhours "}
    assert adding.plan is not None
    (change,) = adding.plan(**wanted)
    assert (change.kind, change.target) == ("create", "knowledge base: text:Office hours")
    assert list(tmp_path.iterdir()) == []
    added = adding.function(**wanted)
    assert (added.title, added.outcome, added.passages) == ("Office hours", "added", 1)
    assert adding.function(**wanted).outcome == "unchanged"
    found = searching.function(query="when does the office close")
    assert [(one.text, one.title, one.place) for one in found.passages] == [
        ("The office closes at six.", "Office hours", "text:Office hours line 1")
    ]
    assert searching.sources is not None
    assert searching.sources(found) == (Source("Office hours", "text:Office hours line 1"),)
    assert [(one.title, one.passages, one.added) for one in listing.function().sources] == [
        ("Office hours", 1, "2026-11-21 14:03")
    ]


def test_a_text_never_takes_the_place_of_another(tools: dict[str, Tool], tmp_path: Path) -> None:
    adding = tools["add_to_knowledge"]
    adding.function(text="The first.", title="Title")
    with pytest.raises(ValueError, match="another title"):
        adding.function(text="The second.", title="Title")
    assert [one.text for one in tools["search_knowledge"].function(query="first second").passages] == ["The first."]


@pytest.mark.parametrize(
    ("text", "title"), [("", "t"), (" ", "t"), ("text", ""), ("text", "\n\x07"), ("x" * 100_001, "t"), ("\0\x01", "t")]
)
def test_what_can_not_be_added_is_told(text: str, title: str, tools: dict[str, Tool], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"text|title"):
        tools["add_to_knowledge"].function(text=text, title=title)
    assert not (tmp_path / "k.sqlite3").exists()


@pytest.mark.parametrize("text", ["%PDF-1.4 is how a PDF begins", "<html><script>x</script>", "half \ud800 a pair"])
def test_a_text_is_never_parsed_as_anything_else(text: str, tools: dict[str, Tool]) -> None:
    tools["add_to_knowledge"].function(text=text, title="Odd")
    stored = tools["search_knowledge"].function(query="pdf html script half").passages[0].text
    assert stored == text.replace("\ud800", "?")


def test_limits_of_the_search(tools: dict[str, Tool]) -> None:
    for number in range(30):
        tools["add_to_knowledge"].function(text=f"Number {number} of the apples.", title=f"Apple {number}")
    searching: Callable[..., Any] = tools["search_knowledge"].function
    assert len(searching(query="apples", limit=3).passages) == 3
    assert len(searching(query="apples", limit=1000).passages) == 20
    with pytest.raises(ValueError, match="limit"):
        searching(query="apples", limit=0)


def test_results_fit_into_what_a_model_reads(tools: dict[str, Tool]) -> None:
    long = "apples and pears of every kind are kept in the cellar. " * 18
    for number in range(25):
        tools["add_to_knowledge"].function(text=f"{number} {long}", title=f"{number} {'long title ' * 15}")
    found = msgspec.json.encode(tools["search_knowledge"].function(query="apples " * 1000, limit=20))
    listed = msgspec.json.encode(tools["list_knowledge"].function())
    assert 8000 < len(found) < 16_000
    assert len(listed) < 16_000


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    knowledge = open_base(tmp_path / "k.sqlite3")
    add_text(knowledge, "kept", "kept")
    connect = sqlite3.connect

    def small(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database = connect(*arguments, **options)
        database.execute("PRAGMA max_page_count = 1")
        return database

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(Unavailable, match="full"):
        add_text(knowledge, "words " * 10_000, "large")
    assert [one.title for one in sources(knowledge.store)] == ["kept"]
