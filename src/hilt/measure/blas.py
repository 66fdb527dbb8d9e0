"""What the fast BLAS brings, and how many of its threads help: `python -m hilt.measure.blas` measures and records it.

Products are measured with MLX's own BLAS and with ours. The first command is timed with each number of threads, with
the machine idle and with one core kept busy by somebody else, taking turns.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hilt.measure.first_run import COMMANDS
from hilt.measure.records import Spread, spread, write_record

_PRODUCTS_ALONE = (
    "import sys, msgspec\n"
    "from hilt.engine.devices import find_device, measure_products\n"
    "sys.stdout.buffer.write(msgspec.json.encode(measure_products(find_device())))\n"
)


def products(repeats: int) -> dict[str, Spread]:
    """GFLOP/s of float32 products, with the BLAS that comes with MLX and with the fast one."""
    own: list[float] = []
    fast: list[float] = []
    for _ in range(repeats):
        own.append(_float32(json.loads(_output([sys.executable, "-c", _PRODUCTS_ALONE]))))
        fast.append(_float32(json.loads(_output([sys.executable, "-m", "hilt", "doctor", "--json"]))["products"]))
    return {"MLX's own": spread("GFLOP/s", own), "the fast one": spread("GFLOP/s", fast)}


def _float32(speeds: list[dict[str, object]]) -> float:
    (found,) = (speed["gflops"] for speed in speeds if speed["dtype"] == "float32")
    assert isinstance(found, float)
    return found


def _output(command: list[str]) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout


def first_command(repeats: int) -> dict[str, Spread]:
    """Seconds of the first command, by number of threads and by whether a core is busy."""
    samples: dict[str, list[float]] = {}
    threads = sorted({1, max(1, (os.cpu_count() or 1) - 1), os.cpu_count() or 1})
    for _ in range(repeats):
        for busy in (False, True):
            for count in threads:
                name = f"{count} threads, {'a core busy' if busy else 'idle'}"
                with _busy_core(busy):
                    start = time.perf_counter()
                    subprocess.run(
                        COMMANDS["hilt run"],
                        check=True,
                        capture_output=True,
                        env=os.environ | {"OPENBLAS_NUM_THREADS": str(count)},
                    )
                    samples.setdefault(name, []).append(time.perf_counter() - start)
    return {name: spread("s", taken) for name, taken in samples.items()}


@contextmanager
def _busy_core(wanted: bool) -> Generator[None]:
    if not wanted:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            yield
        finally:
            other.kill()


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    results = {"float32 products": products(options.repeats), "hilt run": first_command(options.repeats)}
    for group, measured in results.items():
        for name, taken in measured.items():
            median, least, greatest = taken.median, taken.least, taken.greatest
            print(f"{group:18} {name:24} {median:7.2f} {taken.unit}  ({least:.2f} to {greatest:.2f}, n = {taken.n})")
    print(write_record(options.results, "blas", results, now=datetime.now(UTC)))


if __name__ == "__main__":
    main()
