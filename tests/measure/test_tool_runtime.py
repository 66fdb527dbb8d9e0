"""The texts whose redaction is measured are what they are said to be."""

import json

import pytest

from hilt.measure.tool_runtime import KNOWN, SENTENCE, SIZES, WORDS, listing, long_text, redacting
from hilt.tools import Redaction, redact


@pytest.mark.parametrize("chars", SIZES)
def test_the_texts_hold_no_secret_and_are_as_long_as_said(chars: int) -> None:
    texts = [json.dumps({"text": long_text(unit, chars)}) for unit in (WORDS, SENTENCE)]
    for text in [*texts, listing(chars)]:
        assert redact(text, Redaction(personal=True, known=KNOWN)) == text
        assert 0.8 * chars <= len(text) <= 1.2 * chars
        assert json.loads(text)


def test_each_text_is_redacted_as_often_as_asked() -> None:
    assert [one.cost.n for one in redacting(2)] == [2] * 3 * len(SIZES)
