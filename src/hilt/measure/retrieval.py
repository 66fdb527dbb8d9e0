"""How well the knowledge base finds answers: `python -m hilt.measure.retrieval` measures, prints and records it.

The passages and questions stand in `retrieval.toml`. Every question is asked by words alone, by vectors alone, and by
both with their rankings fused, as a search asks.
"""

import argparse
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from hilt.measure.records import write_record
from hilt.tools.builtin.knowledge import Embedder, SourceRecord, Store, WordEmbedder
from hilt.tools.builtin.knowledge.chunking import Passage
from hilt.tools.builtin.knowledge.searching import fused, rankings
from hilt.tools.builtin.knowledge.store import opened, put, stored_passages

CASES = Path(__file__).with_name("retrieval.toml")
WAYS = ("words", "vectors", "fused")

_DEPTH = 5


class Case(Struct, frozen=True):
    """A passage, a question that it answers, and how the words of the two differ."""

    title: str
    text: str
    question: str
    kind: str


class Quality(Struct, frozen=True):
    """Of `n` questions: the share answered by one of the first five passages, and the mean of 1 / rank of the passage
    that answers, 0 where it isn't found (mean reciprocal rank)."""

    n: int
    recall_at_5: float
    mrr: float


class Asked(Struct, frozen=True):
    """A question and the rank of its passage each way, None where it wasn't found."""

    question: str
    kind: str
    ranks: dict[str, int | None]


class Report(Struct, frozen=True):
    """The quality of each way over all questions and by their kind, and every question."""

    embedder: str
    passages: int
    overall: dict[str, Quality]
    by_kind: dict[str, dict[str, Quality]]
    questions: list[Asked]


def read_cases(path: Path = CASES) -> list[Case]:
    """The cases of a file; ValueError if they can't be read or two have one title."""
    cases = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8"))["case"], list[Case])
    if len({case.title for case in cases}) < len(cases):
        raise ValueError(f"{path}: two cases have one title")
    return cases


def measure(cases: Sequence[Case], embedder: Embedder, folder: Path) -> Report:
    """Put all passages into a new base in `folder` and ask every question."""
    store = Store(folder / "knowledge.sqlite3", embedder)
    for case in cases:
        record = SourceRecord(case.title, case.title, "text", case.title, "")
        put(store, record, [Passage(case.text)])
    asked = [_ask(store, case) for case in cases]
    kinds = sorted({one.kind for one in asked})
    return Report(
        embedder.name,
        len(cases),
        {way: _quality(one.ranks[way] for one in asked) for way in WAYS},
        {kind: {way: _quality(one.ranks[way] for one in asked if one.kind == kind) for way in WAYS} for kind in kinds},
        asked,
    )


def _ask(store: Store, case: Case) -> Asked:
    found = rankings(store, case.question)
    ways = dict(
        zip(WAYS, (found.by_words, found.by_vectors, tuple(fused((found.by_words, found.by_vectors)))), strict=True)
    )
    return Asked(case.question, case.kind, {way: _rank(store, ids, case.title) for way, ids in ways.items()})


def _rank(store: Store, ids: Sequence[int], title: str) -> int | None:
    with opened(store) as database:
        titles = [] if database is None else [one.title for one in stored_passages(database, ids)]
    return titles.index(title) + 1 if title in titles else None


def _quality(ranks: Iterable[int | None]) -> Quality:
    each = list(ranks)
    found = [rank for rank in each if rank is not None]
    return Quality(
        len(each),
        round(sum(rank <= _DEPTH for rank in found) / len(each), 4),
        round(sum(1 / rank for rank in found) / len(each), 4),
    )


def table(report: Report) -> str:
    """The report for people."""
    lines = [f"{'questions':12} {'n':>3}  " + "  ".join(f"{way + ' R@5':>11} {'MRR':>5}" for way in WAYS)]
    for kind, by_way in [*report.by_kind.items(), ("all", report.overall)]:
        cells = "  ".join(f"{by_way[way].recall_at_5:11.3f} {by_way[way].mrr:5.3f}" for way in WAYS)
        lines.append(f"{kind:12} {by_way[WAYS[0]].n:3}  {cells}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/retrieval.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(read_cases(), WordEmbedder(), Path(folder))
    print(table(report))
    print(write_record(options.out.parent, options.out.stem, {"retrieval": report}, now=datetime.now(UTC)))


if __name__ == "__main__":
    main()
