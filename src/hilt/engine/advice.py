"""What would make models run faster on this machine."""

from hilt.engine.blas import Blas
from hilt.engine.devices import Device


def tips(device: Device, blas: Blas, platform: str, *, nvidia: bool) -> list[str]:
    """Advice for the platform found, as sentences; the most useful first.

    `platform` is as in sys.platform; `nvidia` says that the machine has an NVIDIA driver.
    """
    match device.kind:
        case "metal":
            return [
                "Metal runs the model; quantised models (4-bit) read the least memory for each token.",
                "Close programs that hold much memory: a model that does not fit is read from disk again and again.",
            ]
        case "cuda":
            return ["CUDA runs the model; bfloat16 weights are fastest, 4-bit ones take the least memory."]
        case "cpu":
            pass
    advice: list[str] = []
    if nvidia:
        advice.append("There is an NVIDIA GPU: install `hilt[cuda]` in place of `hilt[cpu]` to use it.")
    if platform == "darwin":
        advice.append("MLX found no Metal device; Hilt needs a Mac with Apple silicon to be fast.")
    if blas.state not in ("loaded", "not_needed"):
        advice.append(f"The fast BLAS is not in use ({blas.detail}); products are tens of times slower without it.")
    advice.append(
        "On a CPU the weights are kept as float32, four bytes each: a model of a billion parameters needs 4 GB."
    )
    return advice
