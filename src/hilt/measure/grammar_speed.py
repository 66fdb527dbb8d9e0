"""What grammars cost: `python -m hilt.measure.grammar_speed` measures, prints and records it.

Grammars of tool sets of several sizes, in dialects of every kind, are made for a vocabulary of 131,072 tokens, found in
the cache and copied.
Masks are timed along random walks: through calls, and through free text. Last, a mask is laid on the scores of a batch.
"""

import argparse
import itertools
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from hilt.dialects import dialect_named
from hilt.engine.trials import time_masks
from hilt.grammar import prepare_arguments
from hilt.grammar.cache import GrammarCache
from hilt.grammar.ending import Closers, bits_of, ending, read_closers
from hilt.grammar.matching import Grammar, compile_grammar
from hilt.grammar.offers import offer
from hilt.grammar.replies import ForcedCalls, NoCalls, marks_of, write_grammar
from hilt.grammar.vocabulary import Vocabulary
from hilt.measure.made_tools import made_tools
from hilt.measure.made_vocabulary import SIZE, made_vocabulary
from hilt.measure.records import Spread, spread, write_record

TOOL_COUNTS = (10, 50, 200)
BATCHES = (1, 8)
DIALECTS = ("hermes", "llama3", "mistral_v11", "qwen_xml", "glm", "gemma4", "pythonic")
CACHE_BYTES = 1 << 30


class Quantiles(Struct, frozen=True):
    """How `n` measurements in `unit` are spread."""

    unit: str
    n: int
    p50: float
    p99: float
    greatest: float


def quantiles(unit: str, samples: Sequence[float]) -> Quantiles:
    """Sum up samples; ValueError if there are none."""
    if not samples:
        raise ValueError("there are no samples to sum up")
    p50, p99 = np.quantile(samples, (0.5, 0.99)).tolist()
    return Quantiles(unit, len(samples), p50, p99, max(samples))


class ToolSetCost(Struct, frozen=True):
    """A grammar of so many tools in a dialect: its text, and what making ready the schemas, writing, compiling, finding
    and copying it takes; `whole` is the first three together."""

    dialect: str
    tools: int
    characters: int
    prepared: Spread
    written: Spread
    compiled: Spread
    whole: Spread
    found_again: Spread
    copied: Spread
    masks: Quantiles
    endings: Quantiles
    endings_found: float


def timed(repeats: int, action: Callable[[], object]) -> list[float]:
    """Milliseconds of an action, several times."""
    taken: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        taken.append(1e3 * (time.perf_counter() - start))
    return taken


def walk(
    grammar: Grammar, vocabulary: Vocabulary, choice: random.Random, steps: int, opened: str = ""
) -> tuple[list[float], list[int]]:
    """Microseconds of each mask of a random walk, and the tokens taken. The walk begins behind the text `opened`; a
    wide choice is made among all that is allowed, a string ends with one chance in ten where it may."""
    matcher = grammar.matcher()
    taken: list[float] = []
    tokens = vocabulary.spelled(opened)
    for token in tokens:
        matcher.take(token)
    quote = vocabulary.tokens.tokenize_str('"')[0]
    for _ in range(steps):
        start = time.perf_counter()
        mask = matcher.mask()
        taken.append(1e6 * (time.perf_counter() - start))
        allowed = [t for t in np.flatnonzero(bits_of(mask, vocabulary.size)).tolist() if t not in vocabulary.ends]
        if not allowed:
            break
        token = quote if quote in allowed and choice.random() < 0.1 else choice.choice(allowed)
        matcher.take(token)
        tokens.append(token)
    return taken, tokens


def walk_often(grammar: Grammar, vocabulary: Vocabulary, walks: int, steps: int, opened: str = "") -> Quantiles:
    """The masks of several walks."""
    taken = [walk(grammar, vocabulary, random.Random(seed), steps, opened)[0] for seed in range(walks)]
    return quantiles("us", list(itertools.chain.from_iterable(taken)))


def find_endings(
    grammar: Grammar, vocabulary: Vocabulary, closers: Closers, walks: int, opened: str = ""
) -> tuple[Quantiles, float]:
    """Milliseconds of looking for an ending within 96 tokens behind random walks, and the share that was found."""
    found = 0
    taken: list[float] = []
    for seed in range(walks):
        choice = random.Random(seed)
        matcher = grammar.matcher()
        for token in walk(grammar, vocabulary, choice, choice.randrange(60), opened)[1]:
            matcher.take(token)
        start = time.perf_counter()
        found += ending(matcher, 96, closers) is not None
        taken.append(1e3 * (time.perf_counter() - start))
    return quantiles("ms", taken), found / walks


def measure_tools(name: str, count: int, vocabulary: Vocabulary, repeats: int, walks: int) -> ToolSetCost:
    """The costs of the grammar with which a model that speaks this dialect must call one or more of `count` tools."""
    dialect, tools = dialect_named(name), made_tools(count)
    prepared = [prepare_arguments(tool.parameters, tool.name) for tool in tools]
    offers = [offer(*both) for both in zip(tools, prepared, strict=True)]
    text = write_grammar(dialect, vocabulary, offers, ForcedCalls())
    preparing = timed(repeats, lambda: [prepare_arguments(tool.parameters, tool.name) for tool in tools])
    writing = timed(repeats, lambda: write_grammar(dialect, vocabulary, offers, ForcedCalls()))
    compiling = timed(repeats, lambda: compile_grammar(text, vocabulary))
    cache = GrammarCache(vocabulary, CACHE_BYTES)
    grammar = cache.get(text)
    opened = dialect.block.open
    endings, share = find_endings(grammar, vocabulary, read_closers(vocabulary, marks_of(dialect)), walks, opened)
    return ToolSetCost(
        dialect=name,
        tools=count,
        characters=len(text),
        prepared=spread("ms", preparing),
        written=spread("ms", writing),
        compiled=spread("ms", compiling),
        whole=spread("ms", [sum(parts) for parts in zip(preparing, writing, compiling, strict=True)]),
        found_again=spread("ms", timed(repeats, lambda: cache.get(text))),
        copied=spread("ms", timed(repeats, grammar.matcher)),
        masks=walk_often(grammar, vocabulary, walks, 120, opened),
        endings=endings,
        endings_found=share,
    )


def measure_masks(rows: int, vocabulary_size: int, repeats: int) -> dict[str, Any]:
    """What a mask adds to picking the best token of each row."""
    times = time_masks(rows, vocabulary_size, repeats)
    plain, masked = spread("ms", [1e3 * s for s in times.plain_s]), spread("ms", [1e3 * s for s in times.masked_s])
    return {"rows": rows, "plain": plain, "masked": masked, "ratio": masked.median / plain.median}


def measure(size: int, counts: Sequence[int], repeats: int, walks: int) -> dict[str, Any]:
    """Everything."""
    vocabulary = made_vocabulary(size)
    tools = [measure_tools(name, count, vocabulary, repeats, walks) for name in DIALECTS for count in counts]
    hermes, given = dialect_named("hermes"), made_tools(max(counts))
    offers = [offer(tool, prepare_arguments(tool.parameters, tool.name)) for tool in given]
    text = compile_grammar(write_grammar(hermes, vocabulary, offers, NoCalls()), vocabulary)
    return {
        "vocabulary": size,
        "tool_sets": tools,
        "free_text_masks": walk_often(text, vocabulary, walks, 120),
        "masks_on_scores": [measure_masks(rows, size, 10 * repeats) for rows in BATCHES],
    }


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/grammar-speed.json"))
    parser.add_argument("--vocabulary", type=int, default=SIZE)
    parser.add_argument("--tools", type=int, nargs="+", default=list(TOOL_COUNTS))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--walks", type=int, default=30)
    options = parser.parse_args()
    results = measure(options.vocabulary, options.tools, options.repeats, options.walks)
    for cost in results["tool_sets"]:
        masks = cost.masks
        print(
            f"{cost.dialect:11} {cost.tools:4} tools: {cost.whole.median:.1f} ms, of which preparing "
            f"{cost.prepared.median:.1f}, compiling {cost.compiled.median:.1f}; found in "
            f"{cost.found_again.median:.3f}, "
            f"copied in {cost.copied.median:.3f}; masks p50 {masks.p50:.0f} us, p99 {masks.p99:.0f}, "
            f"most {masks.greatest:.0f}; endings p50 {cost.endings.p50:.1f} ms, most {cost.endings.greatest:.1f}, "
            f"found {cost.endings_found:.0%}"
        )
    text = results["free_text_masks"]
    print(f"free text: masks p50 {text.p50:.0f} us, p99 {text.p99:.0f}, most {text.greatest:.0f}")
    for row in results["masks_on_scores"]:
        print(f"batch {row['rows']}: {row['masked'].median:.3f} ms masked, {row['plain'].median:.3f} plain")
    print(write_record(options.out.parent, options.out.stem, results, now=datetime.now(UTC)))


if __name__ == "__main__":
    main()
