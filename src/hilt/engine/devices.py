"""Where MLX computes on this machine, and how fast it multiplies there."""

import platform
import time
from statistics import median
from typing import Literal, TypeAlias

import mlx.core as mx
from msgspec import Struct

DeviceKind: TypeAlias = Literal["metal", "cuda", "cpu"]

_MATRIX_SIZE: dict[DeviceKind, int] = {"metal": 4096, "cuda": 8192, "cpu": 1024}
_SLOW_SIZE = 256


class Device(Struct, frozen=True):
    """The device that MLX uses: its kind, and its name as the driver gives it."""

    kind: DeviceKind
    name: str

    @property
    def multiplies_any_type(self) -> bool:
        """Whether half-precision and quantised products are fast, so that weights may stay as they are stored."""
        return self.kind != "cpu"


def find_device() -> Device:
    """The device that MLX chose."""
    if mx.metal.is_available():
        return Device("metal", _driver_name())
    if mx.cuda.is_available():
        return Device("cuda", _driver_name())
    return Device("cpu", platform.processor() or platform.machine())


def _driver_name() -> str:
    return str(mx.device_info().get("device_name", platform.machine()))


class Throughput(Struct, frozen=True):
    """Speed of a square matrix product of side `size`, in billions of floating-point operations a second."""

    dtype: str
    size: int
    gflops: float


def measure_products(device: Device) -> list[Throughput]:
    """Measure products in float32, bfloat16 and with 8-bit weights: the median of five after a first one."""
    size = _MATRIX_SIZE[device.kind]
    small = size if device.multiplies_any_type else _SLOW_SIZE
    wide = _random(size, mx.float32)
    half = _random(small, mx.bfloat16)
    narrow = _random(small, mx.float32)
    weights, scales, biases = mx.quantize(narrow, group_size=64, bits=8)
    mx.eval(weights, scales, biases)  # pyright: ignore[reportUnknownMemberType]
    return [
        Throughput("float32", size, _gflops(size, lambda: wide @ wide)),
        Throughput("bfloat16", small, _gflops(small, lambda: half @ half)),
        Throughput(
            "8-bit",
            small,
            _gflops(
                small,
                lambda: mx.quantized_matmul(narrow, weights, scales, biases, transpose=True, group_size=64, bits=8),
            ),
        ),
    ]


def _random(size: int, dtype: mx.Dtype) -> mx.array:
    matrix = mx.random.normal((size, size)).astype(dtype)
    mx.eval(matrix)  # pyright: ignore[reportUnknownMemberType]
    return matrix


def _gflops(size: int, product: "object") -> float:
    assert callable(product)
    seconds: list[float] = []
    for _ in range(6):
        start = time.perf_counter()
        mx.eval(product())  # pyright: ignore[reportUnknownMemberType]
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / median(seconds[1:]) / 1e9
