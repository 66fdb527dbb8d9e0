"""A measurement becomes a dated JSON record that says where, on what and how often it was taken."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from msgspec import Struct

PACKAGES = (
    "hilt",
    "jsonschema-rs",
    "llguidance",
    "mlx",
    "mlx-lm",
    "numpy",
    "scipy-openblas32",
    "tokenizers",
    "transformers",
)


class Spread(Struct, frozen=True):
    """Repeated measurements of one quantity, in `unit`."""

    unit: str
    n: int
    median: float
    least: float
    greatest: float


def spread(unit: str, samples: Sequence[float]) -> Spread:
    """Sum up samples; ValueError if there are none."""
    if not samples:
        raise ValueError("there are no samples to sum up")
    return Spread(unit, len(samples), median(samples), min(samples), max(samples))


def write_record(folder: Path, name: str, results: Mapping[str, Any], *, now: datetime) -> Path:
    """Write `results` with the commit, the machine and the versions to `folder/name.json`; returns the path."""
    record = {
        "name": name,
        "recorded_at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "machine": machine_facts(),
        "versions": {name: _version(name) for name in PACKAGES},
        "results": results,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False, default=_plain) + "\n", encoding="utf-8")
    return path


def machine_facts() -> dict[str, Any]:
    """What machine this is."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _plain(value: object) -> Any:
    if isinstance(value, Struct):
        return {field: getattr(value, field) for field in value.__struct_fields__}
    raise TypeError(f"{type(value).__name__} has no place in a record")
