"""The shipped folder: it loads, it is small, its template writes what the model writes, and it does its main job."""

import json
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from hilt.settings import ToolOptions
from hilt.tools.builtin import builtin_tools
from hilt.training.starter.builtin_specs import BUILTIN_SPECS
from hilt.training.starter.comparing import WrittenCall, calls_in, judged_answer, judged_calls
from hilt.training.starter.conversations import conversations
from hilt.training.starter.packing import marks_of, own_words, packs
from hilt.training.starter.recipe import read_recipe
from hilt.training.starter.rendering import Conversation, rendered
from hilt.training.starter.tokenizer import CONTEXT, MARKERS, SPECIAL, VOCAB_SIZE, template_text

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "src" / "hilt" / "starter_model"
DRAWN = tuple(islice(conversations(21), 60))


@pytest.fixture(scope="module")
def theirs() -> Any:
    return cast("Any", AutoTokenizer).from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def ours() -> Tokenizer:
    return Tokenizer.from_file(str(FOLDER / "tokenizer.json"))


def test_the_folder_is_small_and_of_the_recipe() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 40 * 2**20
    recipe, config = read_recipe(ROOT / "recipes" / "starter.toml"), json.loads((FOLDER / "config.json").read_text())
    assert config["model_type"] == "qwen3"
    assert all(config[name] == value for name, value in vars(recipe.network).items())
    assert (FOLDER / "chat_template.jinja").read_text() == template_text()


def test_the_template_writes_what_training_reads(theirs: Any) -> None:
    for conversation in DRAWN:
        messages, tools = list(conversation.messages), list(conversation.tools) or None
        assert theirs.apply_chat_template(messages, tools=tools, tokenize=False) == rendered(conversation)
        asked = Conversation(conversation.tools, conversation.messages[:-1])
        prompt = theirs.apply_chat_template(messages[:-1], tools=tools, tokenize=False, add_generation_prompt=True)
        assert prompt == rendered(asked, ask=True)


def test_arguments_may_be_text_and_content_null(theirs: Any) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    text = theirs.apply_chat_template(messages, tokenize=False)
    assert text.endswith('assistant\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call><|im_end|>\n')


def test_history_is_the_same_tokens_as_the_model_wrote(ours: Tokenizer) -> None:
    for conversation in DRAWN:
        for at, message in enumerate(conversation.messages):
            if message["role"] != "assistant":
                continue
            prompt = rendered(Conversation(conversation.tools, conversation.messages[:at]), ask=True)
            whole = rendered(Conversation(conversation.tools, conversation.messages[: at + 1]))
            written = whole.removeprefix(prompt).removesuffix("\n")
            encode = lambda text: ours.encode(text, add_special_tokens=False).ids  # noqa: E731
            assert encode(prompt) + encode(written) == encode(whole)[:-1]


def test_both_tokenizers_agree_and_lose_nothing(theirs: Any, ours: Tokenizer) -> None:
    texts = [rendered(conversation) for conversation in DRAWN] + [
        "  two  spaces\tand\r\n\n\nlines",
        "né 日本 🙂 \u0000",
        "a_b-c.d/e",
    ]
    for text in texts:
        ids = ours.encode(text, add_special_tokens=False).ids
        assert ids == theirs.encode(text, add_special_tokens=False)
        assert ours.decode(ids, skip_special_tokens=False) == text
        assert theirs.decode(ids) == text


def test_digits_spaces_and_markers_are_tokens_of_their_own(ours: Tokenizer) -> None:
    assert ours.get_vocab_size() == VOCAB_SIZE
    assert ours.encode("2340 km", add_special_tokens=False).tokens[:5] == ["2", "3", "4", "0", "Ġ"]
    for marker in (*SPECIAL, *MARKERS):
        assert len(ours.encode(marker, add_special_tokens=False).ids) == 1
    call = ours.encode("<tool_call>\n{}\n</tool_call>", add_special_tokens=False).ids
    assert ours.decode(call, skip_special_tokens=True) == "<tool_call>\n{}\n</tool_call>"


def test_packs_weigh_the_models_own_words(ours: Tokenizer) -> None:
    marks = marks_of(ours)
    ids = ours.encode(rendered(DRAWN[0]), add_special_tokens=False).ids
    own = own_words(ids, marks)
    spoken = ours.decode([token for token, mark in zip(ids, own, strict=True) if mark == 1], skip_special_tokens=True)
    answers = [message["content"] for message in DRAWN[0].messages if message["role"] == "assistant"]
    assert all(answer in spoken for answer in answers)
    pack = next(packs(3, ours, 4 * CONTEXT))
    assert len(pack.ids) == 8 * CONTEXT == len(pack.targets) == len(pack.positions)
    assert next(packs(3, ours, 4 * CONTEXT)) == pack


def test_the_copy_of_the_built_in_tools_is_exact(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    tools = builtin_tools(ToolOptions(tmp_path, tmp_path / "notes.db"), lambda: datetime.now(UTC))
    theirs = {
        tool.spec.name: {
            "name": tool.spec.name,
            "description": tool.spec.description,
            "parameters": tool.spec.parameters,
        }
        for tool in tools
        if tool.spec.name in BUILTIN_SPECS
    }
    assert theirs == BUILTIN_SPECS


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("Hello!", []),
        ('<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>', [WrittenCall("f", {})]),
        ('<tool_call>\n{"name": "f"}\n</tool_call>', None),
        ('<tool_call>\n{"name": "f", "arguments": {}', None),
        ('<tool_call>\n{"name": "f", "arguments": {}} \n', None),
    ],
)
def test_markup_that_is_not_hermes_is_no_call(text: str, calls: list[WrittenCall] | None) -> None:
    assert calls_in(text) == calls


def test_calls_are_compared_by_meaning_and_answers_by_facts() -> None:
    tools = [{"type": "function", "function": spec} for spec in BUILTIN_SPECS.values()]
    wrote = '<tool_call>\n{"name": "calculate", "arguments": {"expression": "0.17 * 2340"}}\n</tool_call>'
    assert judged_calls(wrote, [WrittenCall("calculate", {"expression": "17 / 100 * 2340"})], tools).exact
    assert not judged_calls(wrote, [WrittenCall("calculate", {"expression": "18 / 100 * 2340"})], tools).exact
    assert judged_answer("It is 12 in Oslo.", "In Oslo it is 12.", "12").faithful
    assert not judged_answer("It is 13 in Oslo.", "In Oslo it is 12.", "12").faithful


def test_the_model_calls_two_tools_and_answers() -> None:
    from hilt.training.starter.evaluate import greedy_writer

    write = greedy_writer(FOLDER)
    tools = tuple({"type": "function", "function": spec} for spec in BUILTIN_SPECS.values())
    messages: list[dict[str, Any]] = [{"role": "user", "content": "How much is 17 % of 2340, and what day is it?"}]
    calls = calls_in(write(Conversation(tools, tuple(messages))))
    assert calls == [WrittenCall("calculate", {"expression": "17 / 100 * 2340"}), WrittenCall("current_time", {})]
    shaped = [{"type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in calls]
    moment = '{"date": "2026-11-21", "weekday": "Saturday", "time": "14:03:27", "timezone": "Europe/Paris"}'
    results = ['{"expression": "17 / 100 * 2340", "value": 397.8}', moment]
    messages += [
        {"role": "assistant", "content": "", "tool_calls": shaped},
        *({"role": "tool", "content": text} for text in results),
    ]
    answer = write(Conversation(tools, tuple(messages)))
    assert "397.8" in answer
    assert "Saturday, 21 November 2026" in answer
