"""What a prompt has opened is found at its end, in every kind of dialect."""

import pytest

from hilt.dialects import CATALOG, Parser
from hilt.dialects.begun import begun_by


@pytest.mark.parametrize(
    ("dialect", "prompt", "begun"),
    [
        ("hermes", "<|im_start|>assistant\n", ""),
        ("hermes", "<|im_start|>assistant\n<think>\n", "<think>"),
        ("hermes", "<|im_start|>assistant\n<think>\nhm\n</think>\n", ""),
        ("hermes", "<|im_start|>assistant\n<tool_call>\n", "<tool_call>"),
        ("hermes", "", ""),
        ("functionary", "<|start_header_id|>assistant<|end_header_id|>\n\n>>>", ">>>"),
        ("harmony", "<|end|><|start|>assistant", ""),
        ("harmony", "<|end|><|start|>", "<|start|>"),
        (
            "harmony",
            "<|end|><|start|>assistant<|channel|>analysis<|message|>",
            "<|start|>assistant<|channel|>analysis<|message|>",
        ),
        ("harmony", "<|start|>assistant<|channel|>analysis<|message|>hm<|end|>", ""),
    ],
)
def test_what_a_prompt_has_begun(dialect: str, prompt: str, begun: str) -> None:
    assert begun_by(CATALOG[dialect], prompt, calls=True) == begun


MARKED = [name for name, dialect in CATALOG.items() if dialect.block.open and not dialect.block.open[-1].isspace()]


@pytest.mark.parametrize("name", MARKED)
def test_marks_of_calls_count_only_where_calls_are_looked_for(name: str) -> None:
    dialect = CATALOG[name]
    prompt = f"assistant\n{dialect.block.open}"
    assert begun_by(dialect, prompt, calls=False) == ""
    assert begun_by(dialect, prompt, calls=True) == dialect.block.open
    assert Parser(dialect, tools=[], new_id=str, prompt=prompt).feed("words") != []
