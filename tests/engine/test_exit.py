"""A process that runs an engine ends cleanly, however it ends; MLX aborts it where its thread is left at work."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.jobs import WAIT_S

BEGIN = """
import os, signal, sys, threading
from pathlib import Path
from hilt.engine.devices import find_device
from hilt.engine.loading import load
from hilt.engine.worker import Engine
from hilt.conversation import Sampling
from hilt.settings import EngineOptions
import mlx.core as mx

folder = Path(sys.argv[1])
"""
NEVER_CLOSED = """
def failing():
    load(folder, find_device())
    raise KeyError("the loader failed")

try:
    Engine(failing, EngineOptions())
except KeyError as problem:
    print(problem)
engine = Engine(lambda: load(folder, find_device()), EngineOptions())
begun = threading.Event()
engine.submit([1, 2, 3], Sampling(max_tokens=4000), lambda output: begun.set())
begun.wait()
print("leaving")
"""
INTERRUPTED = """
def slow():
    loaded = load(folder, find_device())
    os.kill(os.getpid(), signal.SIGINT)
    heavy = mx.ones((600, 600))
    for _ in range(4):
        heavy = heavy @ heavy
        mx.eval(heavy)
    return loaded

try:
    Engine(slow, EngineOptions())
except KeyboardInterrupt:
    print("leaving")
"""


@pytest.mark.parametrize(
    ("program", "said"),
    [(NEVER_CLOSED, "'the loader failed'\nleaving\n"), (INTERRUPTED, "leaving\n")],
    ids=["never closed", "interrupted while it loads"],
)
def test_the_process_ends_cleanly(tiny_folder: Path, program: str, said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", BEGIN + program, str(tiny_folder)],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, said, "")
