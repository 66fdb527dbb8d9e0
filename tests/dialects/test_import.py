"""The parser library is light: anyone can import it without MLX and without a server's machinery."""

import subprocess
import sys

HEAVY = {
    "mlx", "mlx_lm", "numpy", "jinja2", "pydantic", "jsonschema", "huggingface_hub", "transformers", "starlette",
    "uvicorn", "anyio", "httpx", "asyncio", "concurrent", "multiprocessing", "subprocess", "socket", "ssl", "http",
    "logging", "unittest", "pint", "typer", "rich",
}  # fmt: skip


def test_importing_the_dialects_imports_nothing_heavy() -> None:
    program = "import sys; before = set(sys.modules); import hilt.dialects; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = {module.partition(".")[0] for module in done.stdout.split()}
    assert "hilt" in imported
    assert not imported & HEAVY
    assert {m for m in done.stdout.split() if m.startswith("hilt.")} == {
        m for m in done.stdout.split() if m.startswith(("hilt.dialects", "hilt.conversation"))
    }
