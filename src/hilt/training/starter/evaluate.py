"""What a model's folder is worth: greedy turns on drawn conversations, on tools kept from training, on plain requests.

Runs on MLX. Every question is one turn: calls are compared by meaning, answers by the facts in them.
"""

import json
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, cast

from hilt.measure.records import write_record
from hilt.training.starter.builtin_specs import BUILTIN_SPECS
from hilt.training.starter.catalogues import draw_catalogue
from hilt.training.starter.comparing import Verdict, WrittenCall, calls_in, judged_answer, judged_calls
from hilt.training.starter.conversations import episode_of
from hilt.training.starter.recipe import Recipe
from hilt.training.starter.rendering import Conversation, Message

MAX_TOKENS = 220


@dataclass(frozen=True)
class Question:
    """One turn asked of the model: `wanted` calls, or an answer to compare with `reference`."""

    kind: str
    conversation: Conversation
    wanted: tuple[WrittenCall, ...]
    reference: str | None = None


def _wanted(message: Message) -> tuple[WrittenCall, ...]:
    return tuple(
        WrittenCall(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", ())
    )


def drawn_questions(seed: int, count: int, held_out: bool) -> Iterator[Question]:
    """`count` requests of each kind, and the answer to each result that follows."""
    rng = Random(seed)
    for kind in ("single", "parallel", "chain", "vague", "unfit"):
        found = 0
        while found < count and not (kind == "chain" and held_out):
            offers = draw_catalogue(rng, held_out)
            messages = episode_of(kind, rng, offers) if offers else None
            if messages is None:
                continue
            found += 1
            tools = tuple({"type": "function", "function": offer.spec} for offer in offers)
            for at, message in enumerate(messages):
                if message["role"] != "assistant" or (kind == "vague" and at > 1):
                    continue
                before = Conversation(tools, tuple(messages[:at]))
                calls = _wanted(message)
                if calls or at == 1:
                    yield Question(f"{kind} second call" if at > 1 else kind, before, calls)
                else:
                    yield Question("answer", before, (), message["content"])


def plain_questions() -> Iterator[Question]:
    """The hand-written requests for the built-in tools."""
    with Path(__file__).with_name("plain_requests.toml").open("rb") as file:
        read = tomllib.load(file)["request"]
    tools = tuple({"type": "function", "function": spec} for spec in BUILTIN_SPECS.values())
    for entry in read:
        wanted = tuple(WrittenCall(name, arguments) for name, arguments in entry["calls"])
        kind = "no call" if not wanted else "single" if len(wanted) == 1 else "parallel"
        yield Question(kind, Conversation(tools, ({"role": "user", "content": entry["said"]},)), wanted)


Writer = Callable[[Conversation], str]


def greedy_writer(folder: Path) -> Writer:
    """A function that lets the model in `folder` write the next turn of a conversation, greedily."""
    from hilt.engine import blas

    blas.load(Path(tempfile.gettempdir()) / "hilt-evaluate")
    import mlx.core as mx
    from mlx_lm.models.cache import make_prompt_cache, trim_prompt_cache  # pyright: ignore[reportUnknownVariableType]

    from hilt.engine.devices import find_device
    from hilt.engine.loading import load

    loaded = load(folder, find_device())
    model = cast("Callable[..., Any]", loaded.model)
    ends = loaded.tokenizer.eos_token_ids
    cache = make_prompt_cache(loaded.model)
    read: list[int] = []

    def write(conversation: Conversation) -> str:
        ids = cast(
            "list[int]",
            loaded.tokenizer.apply_chat_template(
                list(conversation.messages),
                tools=list(conversation.tools) or None,
                add_generation_prompt=True,
                tokenize=True,
            ),
        )
        shared = 0
        while shared < min(len(ids) - 1, len(read)) and ids[shared] == read[shared]:
            shared += 1
        trim_prompt_cache(cache, len(read) - shared)
        del read[shared:]
        written: list[int] = []
        fresh = ids[shared:]
        while len(written) < MAX_TOKENS:
            token = cast("int", mx.argmax(model(mx.array([fresh]), cache=cache)[0, -1]).item())
            read.extend(fresh)
            if token in ends:
                break
            written.append(token)
            fresh = [token]
        return loaded.tokenizer.decode(written, skip_special_tokens=False)

    return write


def judged(question: Question, text: str) -> Verdict:
    """The verdict on one turn."""
    if question.reference is None:
        return judged_calls(text, question.wanted, question.conversation.tools)
    seen = json.dumps(question.conversation.messages, ensure_ascii=False)
    return judged_answer(text, question.reference, seen)


def measured(write: Writer, questions: Iterator[Question]) -> dict[str, Any]:
    """Percentages by kind of question, with n, and every turn that was not as expected."""
    verdicts: dict[str, list[Verdict]] = {}
    wrong: list[dict[str, Any]] = []
    for question in questions:
        text = write(question.conversation)
        verdict = judged(question, text)
        verdicts.setdefault(question.kind, []).append(verdict)
        if False in (verdict.exact, verdict.faithful):
            said = question.conversation.messages[-1]["content"]
            expected = (
                question.reference
                if question.reference is not None
                else [f"{call.name}({json.dumps(call.arguments, ensure_ascii=False)})" for call in question.wanted]
            )
            wrong.append({"kind": question.kind, "said": said[:300], "expected": expected, "wrote": text[:400]})
    return {
        "kinds": {kind: _shares(found) for kind, found in verdicts.items()},
        "well_formed": _share([one.well_formed for found in verdicts.values() for one in found]),
        "fit": _share([one.fit for found in verdicts.values() for one in found]),
        "wrong": wrong,
    }


def _share(marks: list[bool | None]) -> dict[str, Any] | None:
    """Percent of True with its 95 % interval (Wilson), or None if the question never arose."""
    known = [mark for mark in marks if mark is not None]
    if not known:
        return None
    n, z = len(known), 1.96
    p = sum(known) / n
    middle, reach = p + z * z / (2 * n), z * ((p * (1 - p) + z * z / (4 * n)) / n) ** 0.5
    scale = 1 + z * z / n
    return {
        "percent": round(100 * p, 1),
        "n": n,
        "interval_95": [round(100 * (middle - reach) / scale, 1), round(100 * (middle + reach) / scale, 1)],
    }


def _shares(found: list[Verdict]) -> dict[str, Any]:
    shares = {
        name: _share([getattr(one, name) for one in found])
        for name in ("well_formed", "fit", "right_tool", "exact", "faithful")
    }
    return {name: share for name, share in shares.items() if share is not None}


def evaluate(recipe: Recipe, model: Path, out: Path) -> None:
    """Measure the model in a folder, write a record with n and intervals as `out`, and print its percentages."""
    write = greedy_writer(model)
    count, seed = recipe.evaluate.conversations, recipe.evaluate.seed
    results = {
        "plain": measured(write, plain_questions()),
        "own": measured(write, drawn_questions(seed, count, held_out=False)),
        "held_out": measured(write, drawn_questions(seed + 1, count, held_out=True)),
    }
    told = {"model": str(model), "decoding": "greedy, no grammar", "seed": seed, **results}
    print(write_record(out.parent, out.stem, told, now=datetime.now(UTC)))
    for name, result in results.items():
        print(name, {key: (result[key]["percent"], result[key]["n"]) for key in ("well_formed", "fit")})
        for kind, shares in result["kinds"].items():
            print("  ", kind, {key: (share["percent"], share["n"]) for key, share in shares.items()})


__all__ = ["calls_in", "drawn_questions", "evaluate", "greedy_writer", "judged", "measured", "plain_questions"]
