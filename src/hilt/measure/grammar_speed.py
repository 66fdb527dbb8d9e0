"""What grammars cost: `python -m hilt.measure.grammar_speed` measures, prints and records it.

Grammars of tool sets of several sizes are compiled for a vocabulary of 131,072 tokens, found in the cache and copied.
Masks are timed along random walks: through calls, and through free text. Last, a mask is laid on the scores of a batch.
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from hilt.engine.trials import time_masks
from hilt.grammar.cache import GrammarCache
from hilt.grammar.ending import Closers, bits_of, ending, read_closers
from hilt.grammar.matching import Grammar, compile_grammar
from hilt.grammar.vocabulary import Vocabulary
from hilt.measure.made_tools import made_tools, plain_grammar
from hilt.measure.made_vocabulary import SIZE, made_vocabulary
from hilt.measure.records import Spread, spread, write_record

TOOL_COUNTS = (10, 50, 200)
BATCHES = (1, 8)
FREE_TEXT = "start: TEXT\nTEXT: /(?s:.*)/ & ~/(?s:.*)<\\/?tool_call>(?s:.*)/\n"
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
    """A grammar of so many tools: its text, and what compiling, finding and copying it takes."""

    tools: int
    characters: int
    compiled: Spread
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


def walk(grammar: Grammar, vocabulary: Vocabulary, choice: random.Random, steps: int) -> tuple[list[float], list[int]]:
    """Microseconds of each mask of a random walk, and the tokens taken. A wide choice is made among all that is
    allowed, a string ends with one chance in ten where it may."""
    matcher = grammar.matcher()
    taken: list[float] = []
    tokens: list[int] = []
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


def walk_often(grammar: Grammar, vocabulary: Vocabulary, walks: int, steps: int) -> Quantiles:
    """The masks of several walks."""
    taken = [micros for seed in range(walks) for micros in walk(grammar, vocabulary, random.Random(seed), steps)[0]]
    return quantiles("us", taken)


def find_endings(grammar: Grammar, vocabulary: Vocabulary, closers: Closers, walks: int) -> tuple[Quantiles, float]:
    """Milliseconds of looking for an ending within 96 tokens behind random walks, and the share that was found."""
    found = 0
    taken: list[float] = []
    for seed in range(walks):
        choice = random.Random(seed)
        matcher = grammar.matcher()
        for token in walk(grammar, vocabulary, choice, choice.randrange(60))[1]:
            matcher.take(token)
        start = time.perf_counter()
        found += ending(matcher, 96, closers) is not None
        taken.append(1e3 * (time.perf_counter() - start))
    return quantiles("ms", taken), found / walks


def measure_tools(count: int, vocabulary: Vocabulary, closers: Closers, repeats: int, walks: int) -> ToolSetCost:
    """The costs of a grammar of `count` tools."""
    text = plain_grammar(made_tools(count), vocabulary)
    compiled = timed(repeats, lambda: compile_grammar(text, vocabulary))
    cache = GrammarCache(vocabulary, CACHE_BYTES)
    grammar = cache.get(text)
    endings, share = find_endings(grammar, vocabulary, closers, walks)
    return ToolSetCost(
        tools=count,
        characters=len(text),
        compiled=spread("ms", compiled),
        found_again=spread("ms", timed(repeats, lambda: cache.get(text))),
        copied=spread("ms", timed(repeats, grammar.matcher)),
        masks=walk_often(grammar, vocabulary, walks, 120),
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
    closers = read_closers(vocabulary, ("</think>", "</tool_call>"))
    tools = [measure_tools(count, vocabulary, closers, repeats, walks) for count in counts]
    text = compile_grammar(FREE_TEXT, vocabulary)
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
            f"{cost.tools:4} tools: compiled in {cost.compiled.median:.1f} ms, found in {cost.found_again.median:.3f}, "
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
