"""Random models that speak real dialects: for each its special tokens, the tokens that end its turns, and how its
prompts end, as the models of that dialect have them."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct
from tokenizers import AddedToken, Tokenizer

import hilt
from hilt.backends.constraining import Constraining
from hilt.backends.local import LocalBackend
from hilt.dialects import dialect_named
from hilt.engine.devices import find_device
from hilt.engine.random_models import random_model
from hilt.engine.trials import LlamaSize
from hilt.engine.worker import Engine
from hilt.grammar.replies import marks_of
from hilt.prompting import Manner
from hilt.settings import EngineOptions

TOKENIZER = Path(hilt.__file__).parent / "starter_model" / "tokenizer.json"
CONTEXT_LENGTH = 2048
HIDDEN = 64
LAYERS = 2
CLOSING = 6.0  # of a score, as the others: without it a random model rarely ends a text
STRUCTURE = 5.0
ENDING = 8.0
BLANK = -6.0
_STRUCTURE = ('"', "}", "]", ",", "'", ")", '"}', '",')


class Speaker(Struct, frozen=True):
    """A random model's way of speaking. `opener` is the text with which it may begin a call of itself."""

    dialect: str
    special: tuple[str, ...]
    ends: tuple[str, ...]
    begins: str
    opener: str


_THOUGHT = ("<think>", "</think>")
_LLAMA3 = ("<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>")
_LLAMA4 = ("<|header_start|>", "<|header_end|>", "<|eom|>", "<|eot|>")
_DEEPSEEK = tuple(
    f"<｜{name}｜>"
    for name in (
        "tool▁calls▁begin",
        "tool▁calls▁end",
        "tool▁call▁begin",
        "tool▁call▁end",
        "tool▁sep",
        "Assistant",
        "end▁of▁sentence",
    )
)
_KIMI = tuple(
    f"<|{name}|>"
    for name in (
        "tool_calls_section_begin",
        "tool_calls_section_end",
        "tool_call_begin",
        "tool_call_end",
        "tool_call_argument_begin",
        "im_assistant",
        "im_middle",
    )
)
_HARMONY = tuple(f"<|{name}|>" for name in ("start", "channel", "message", "constrain", "end", "return", "call"))
_CHATML = "<|im_start|>assistant\n"
_GEMMA = ("<|tool_call>", "<tool_call|>", '<|"|>', "<|channel>", "<channel|>", "<|turn>", "<turn|>", "<|tool_response>")

SPEAKERS = (
    Speaker("hermes", ("<tool_call>", "</tool_call>", *_THOUGHT), ("<|im_end|>",), _CHATML, "<tool_call>"),
    Speaker(
        "llama3",
        ("<|python_tag|>", *_LLAMA3),
        ("<|eom_id|>", "<|eot_id|>"),
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        '{"',
    ),
    Speaker("mistral", ("[TOOL_CALLS]", "[INST]", "[/INST]", "</s>"), ("</s>",), "[/INST]", "[TOOL_CALLS]"),
    Speaker(
        "mistral_v11",
        ("[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "[THINK]", "[/THINK]", "[INST]", "[/INST]", "</s>"),
        ("</s>",),
        "[/INST]",
        "[TOOL_CALLS]",
    ),
    Speaker("harmony", _HARMONY, ("<|return|>", "<|call|>"), "<|start|>assistant", " to"),
    Speaker("qwen_xml", ("<tool_call>", "</tool_call>", *_THOUGHT), ("<|im_end|>",), _CHATML, "<tool_call>"),
    Speaker(
        "glm",
        (
            *("<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
            *("<|user|>", "<|assistant|>", "<|observation|>", *_THOUGHT),
        ),
        ("<|user|>", "<|observation|>"),
        "<|assistant|>\n<think>",
        "<tool_call>",
    ),
    Speaker(
        "deepseek_v31",
        (*_DEEPSEEK, *_THOUGHT),
        ("<｜end▁of▁sentence｜>",),
        "<｜Assistant｜></think>",
        "<｜tool▁calls▁begin｜>",
    ),
    Speaker(
        "kimi_k2",
        (*_KIMI, *_THOUGHT),
        ("<|im_end|>",),
        "<|im_assistant|>assistant<|im_middle|>",
        "<|tool_calls_section_begin|>",
    ),
    Speaker("gemma4", _GEMMA, ("<turn|>", "<|tool_response>"), "<|turn>model\n", "<|tool_call>"),
    Speaker(
        "pythonic",
        ("<|python_start|>", "<|python_end|>", *_LLAMA4),
        ("<|eom|>", "<|eot|>"),
        "<|header_start|>assistant<|header_end|>\n\n",
        "[",
    ),
    Speaker(
        "minimax_m3",
        ("]<]minimax[>[", "<mm:think>", "</mm:think>", "]~b]", "[e~["),
        ("[e~[",),
        "]~b]ai\n",
        "]<]minimax[>[",
    ),
    Speaker(
        "kimi_k3",
        ("<|open|>", "<|close|>", "<|sep|>", "<|end_of_msg|>"),
        ("<|end_of_msg|>",),
        '<|open|>message role="assistant"<|sep|><|open|>think<|sep|>',
        "<|open|>",
    ),
    Speaker(
        "lfm2",
        ("<|tool_call_start|>", "<|tool_call_end|>", *_THOUGHT),
        ("<|im_end|>",),
        _CHATML,
        "<|tool_call_start|>",
    ),
    Speaker("jsonl", (), ("<|im_end|>",), _CHATML, '{"'),
)


def speaker_named(dialect: str) -> Speaker:
    """The speaker of that dialect; KeyError if there is none."""
    return {speaker.dialect: speaker for speaker in SPEAKERS}[dialect]


@contextmanager
def open_speaker(speaker: Speaker, rows: int, opening: float = 0.0) -> Generator[LocalBackend]:
    """A backend of a random model that speaks this dialect, with up to `rows` replies at once.

    `opening` is added to the score of the first token of its opener. Its template shows only what was said: there is
    nothing that random weights could learn from the tools.
    """
    dialect = dialect_named(speaker.dialect)
    tokenizer = _tokenizer(speaker)
    ends = [tokenizer.token_to_id(end) for end in speaker.ends]
    assert None not in ends
    size = LlamaSize(HIDDEN, LAYERS, tokenizer.get_vocab_size(), "float32")
    leanings = _leanings(tokenizer, marks_of(dialect))
    first = tokenizer.encode(speaker.opener, add_special_tokens=False).ids[0]
    leanings |= {end: ENDING for end in ends if end is not None}
    if opening:
        leanings[first] = opening
    options = EngineOptions(max_batch=rows, prefix_cache_bytes=1 << 24)
    with TemporaryDirectory() as path:
        folder = Path(path)
        _write(folder, tokenizer, speaker)
        device = find_device()
        engine = Engine(
            lambda: random_model(folder, size, CONTEXT_LENGTH, [e for e in ends if e is not None], leanings, device),
            options,
        )
        manner = Manner(dialect, "it is what is measured", "named", tools=True, calls=True, results=True)
        constraining = Constraining(engine.loaded, dialect, options.grammar_cache_bytes)
        numbers = count(1)
        try:
            yield LocalBackend(
                engine, constraining, speaker.dialect, device.kind, manner, lambda: f"call_{next(numbers)}"
            )
        finally:
            constraining.close()
            engine.close()


def _tokenizer(speaker: Speaker) -> Tokenizer:
    """The starter model's tokenizer with the special tokens of the dialect."""
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    tokens = [AddedToken(text, special=True, normalized=False) for text in speaker.special]
    tokenizer.add_special_tokens(tokens)  # pyright: ignore[reportUnknownMemberType]
    return tokenizer


def _leanings(tokenizer: Tokenizer, marks: list[str]) -> dict[int, float]:
    """What is added to the scores of tokens: more to those with which something may end, so that calls end of
    themselves, and less to white space, which would fill most of them."""
    leanings = {
        token: BLANK
        for token in range(tokenizer.get_vocab_size())
        if not tokenizer.decode([token], skip_special_tokens=False).strip()
    }
    for texts, by in ((_STRUCTURE, STRUCTURE), (marks, CLOSING)):
        for text in texts:
            tokens = tokenizer.encode(text, add_special_tokens=False).ids
            leanings |= dict.fromkeys(tokens[:1], by)
    return leanings


def _write(folder: Path, tokenizer: Tokenizer, speaker: Speaker) -> None:
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": speaker.ends[0],
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")
    begins = json.dumps(speaker.begins, ensure_ascii=False)
    template = (
        "{%- for message in messages -%}{{ message.role }}: {{ message.content }}\n{% endfor -%}"
        f"{{%- if add_generation_prompt %}}{{{{ {begins} }}}}{{% endif -%}}"
    )
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
