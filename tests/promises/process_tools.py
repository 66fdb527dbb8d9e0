"""Tools of a module, so that they can run in processes of their own."""

import os
import time
from pathlib import Path

from hilt.tools.tool import tool


@tool(effect="read", isolation="process", timeout_s=1000)
def process_hang() -> str:
    """Hang in a process."""
    while True:
        time.sleep(1000)


@tool(effect="read", isolation="process", timeout_s=1000)
def process_mark(path: str) -> str:
    """Leave a mark of the process, then hang."""
    Path(path).write_text(str(os.getpid()))
    while True:
        time.sleep(1000)


@tool(effect="read", isolation="process")
def process_environment() -> dict[str, str]:
    """Tell the environment."""
    return dict(os.environ)
