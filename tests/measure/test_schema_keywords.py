"""The counting of what becomes of each keyword."""

from typing import Any

import pytest

from hilt.measure.grammar_trial import byte_tokenizer
from hilt.measure.schema_keywords import measure_keyword

TOKENIZER = byte_tokenizer()


def group(schema: Any, *cases: tuple[Any, bool]) -> dict[str, Any]:
    tests = [{"description": repr(data), "data": data, "valid": valid} for data, valid in cases]
    return {"description": "g", "schema": schema, "tests": tests}


@pytest.mark.parametrize(
    ("one", "counts", "wrong"),
    [
        (group({"type": "integer"}, (1.0, True), ("a", False)), (1, 0, 0), []),
        (group({"properties": {"a": {}, "b": {}}}, ({"b": 1, "a": 2}, True)), (1, 0, 0), []),
        (group({"uniqueItems": True}, ([1, 1], False)), (0, 1, 0), []),
        (group({"type": 3}, (1, True)), (0, 0, 1), []),
        (group({"type": "integer"}, (1, False)), (1, 0, 0),
         ["g: 1: the final check judges otherwise, the grammar allows it"]),
        (group({"type": "integer"}, ("a", True)), (1, 0, 0),
         ["g: 'a': the final check judges otherwise, the grammar doesn't allow it"]),
    ],
)  # fmt: skip
def test_a_file_is_counted(one: dict[str, Any], counts: tuple[int, int, int], wrong: list[str]) -> None:
    keyword = measure_keyword("k", [one], TOKENIZER)
    assert (keyword.by_the_grammar, keyword.by_the_final_check, keyword.refused) == counts
    assert keyword.wrong == wrong
