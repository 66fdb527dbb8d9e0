"""What a new user waits for: `python -m hilt.measure.first_run` times the first commands and records it."""

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from hilt.measure.records import Spread, spread, write_record

QUESTION = "How much is 17 % of 2340, and what day is it?"
COMMANDS = {
    "hilt run": [sys.executable, "-m", "hilt", "run", QUESTION],
    "hilt --help": [sys.executable, "-m", "hilt", "--help"],
    "import hilt.dialects": [sys.executable, "-c", "import hilt.dialects"],
    "python, for comparison": [sys.executable, "-c", "pass"],
}


def measure(repeats: int) -> dict[str, Spread]:
    """Wall-clock seconds of each command from start to end, the commands taking turns."""
    samples: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(repeats):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            samples[name].append(time.perf_counter() - start)
    return {name: spread("s", taken) for name, taken in samples.items()}


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    results = measure(options.repeats)
    for name, taken in results.items():
        print(f"{name:24} {taken.median:6.2f} s  ({taken.least:.2f} to {taken.greatest:.2f}, n = {taken.n})")
    print(write_record(options.results, "first-run", results, now=datetime.now(UTC)))


if __name__ == "__main__":
    main()
