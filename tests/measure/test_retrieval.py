"""The measure of retrieval: what it counts, and what the search without any model must reach."""

from pathlib import Path

import pytest

from hilt.measure.retrieval import WAYS, Case, Report, measure, read_cases, table
from hilt.tools.builtin.knowledge import WordEmbedder


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return measure(read_cases(), WordEmbedder(), tmp_path_factory.mktemp("base"))


def test_ranks_become_recall_and_reciprocal_rank(tmp_path: Path) -> None:
    cases = [
        Case("Apples", "Apples grow on trees.", "where do apples grow", "plain"),
        Case("Pears", "Pears are sweet.", "automobile", "synonym"),
    ]
    measured = measure(cases, WordEmbedder(), tmp_path)
    assert [one.ranks for one in measured.questions] == [dict.fromkeys(WAYS, 1), dict.fromkeys(WAYS)]
    assert (measured.overall["fused"].recall_at_5, measured.overall["fused"].mrr) == (0.5, 0.5)
    assert measured.by_kind["synonym"]["words"].mrr == 0.0
    assert table(measured).splitlines()[-1].startswith("all            2        0.500 0.500")


@pytest.mark.parametrize(("kind", "least"), [("plain", 0.95), ("inflected", 0.9), ("misspelt", 0.9)])
def test_what_is_spelt_alike_is_found(kind: str, least: float, report: Report) -> None:
    assert report.by_kind[kind]["fused"].recall_at_5 >= least


def test_both_ways_together_find_no_less_than_words_alone(report: Report) -> None:
    assert report.overall["fused"].recall_at_5 >= report.overall["words"].recall_at_5


def test_every_kind_has_questions_enough(report: Report) -> None:
    assert all(by_way["fused"].n >= 9 for by_way in report.by_kind.values())
    assert len(report.by_kind) == 4
