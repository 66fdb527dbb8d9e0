"""What a grammar costs a batch: `python -m hilt.measure.constrained_decoding` measures, prints and records it.

A Llama with random weights writes replies, free ones and ones under a grammar of JSON that doesn't end, taking turns.
On a machine without a GPU give it a small model: `--hidden 64 --layers 2 --vocabulary 4096 --dtype float32`.
"""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hilt.engine.trials import LlamaSize, decode_rate, device_name, random_llama
from hilt.grammar.matching import compile_grammar
from hilt.measure.made_tools import made_tools
from hilt.measure.made_vocabulary import made_vocabulary
from hilt.measure.records import spread, write_record

MOST_OBJECTS = 1000


def endless_grammar() -> str:
    """A list of so many objects that no reply gets to its end."""
    schema = made_tools(1)[0].parameters
    return f'start: "[" (%json {json.dumps(schema)} ","){{{MOST_OBJECTS}}} "]"\n'


def measure(size: LlamaSize, rows: int, steps: int, repeats: int) -> dict[str, Any]:
    """Tokens a second of both, and their ratio in each turn."""
    vocabulary = made_vocabulary(size.vocabulary)
    grammar = compile_grammar(endless_grammar(), vocabulary)
    model = random_llama(size)
    free: list[float] = []
    constrained: list[float] = []
    for turn in range(repeats + 1):
        rates = decode_rate(model, rows, steps, None), decode_rate(model, rows, steps, grammar.matcher)
        if turn:
            free.append(rates[0])
            constrained.append(rates[1])
    return {
        "device": device_name(),
        "model": size,
        "rows": rows,
        "steps": steps,
        "free": spread("tok/s", free),
        "constrained": spread("tok/s", constrained),
        "ratio": spread("1", [with_it / without for with_it, without in zip(constrained, free, strict=True)]),
    }


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/constrained-decoding.json"))
    default = LlamaSize()
    parser.add_argument("--hidden", type=int, default=default.hidden)
    parser.add_argument("--layers", type=int, default=default.layers)
    parser.add_argument("--vocabulary", type=int, default=default.vocabulary)
    parser.add_argument("--dtype", default=default.dtype, choices=["bfloat16", "float16", "float32"])
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    size = LlamaSize(options.hidden, options.layers, options.vocabulary, options.dtype)
    results = measure(size, options.rows, options.steps, options.repeats)
    free, constrained, ratio = results["free"], results["constrained"], results["ratio"]
    print(f"free        {free.median:9.1f} tok/s  ({free.least:.1f} to {free.greatest:.1f}, n = {free.n})")
    print(f"constrained {constrained.median:9.1f} tok/s  ({constrained.least:.1f} to {constrained.greatest:.1f})")
    print(f"ratio       {ratio.median:9.3f}        ({ratio.least:.3f} to {ratio.greatest:.3f})")
    print(write_record(options.out.parent, options.out.stem, results, now=datetime.now(UTC)))


if __name__ == "__main__":
    main()
