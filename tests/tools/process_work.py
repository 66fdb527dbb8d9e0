"""Functions that the tests of processes run in children: honest ones, clumsy ones and hostile ones."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Struct
from pydantic import BaseModel, Field

from hilt.tools.tool import tool


class Answer(Struct, frozen=True):
    day: date
    parts: tuple[int, ...]


class Question(BaseModel):
    text: str
    day: date | None = None


class Holder:
    @staticmethod
    def held(text: str) -> str:
        return text.upper()


def echo(value: Any = None) -> Any:
    return value


def answer(day: date, path: Path, question: Question) -> Answer:
    assert isinstance(path, Path)
    assert question.day is None
    return Answer(day, (day.year, len(question.text)))


@tool(effect="read", isolation="process")
def doubled(number: Annotated[int, Field(ge=1)], times: int = 2) -> int:
    """Multiply a number."""
    return number * times


def environment() -> dict[str, str]:
    return dict(os.environ)


def grandchild_environment() -> str:
    code = "import os, json; print(json.dumps(dict(os.environ)))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def surroundings() -> dict[str, Any]:
    return {
        "folder": str(Path.cwd()),
        "entries": sorted(entry.name for entry in Path().iterdir()),
        "stdin": os.read(0, 10).decode(),
        "session": os.getsid(0) == os.getpid(),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "path": sys.path[0],
    }


def noisy() -> str:
    print("printed")
    print("wailed", file=sys.stderr)
    os.write(1, b"\0" * 100_000)
    subprocess.run(["/bin/sh", "-c", "echo loud; echo louder >&2"], check=True)
    return "quiet"


def raising(kind: Literal["value", "unicode", "os", "key", "exit", "own", "interrupt", "half"]) -> None:
    match kind:
        case "value":
            raise ValueError("the day is wrong")
        case "unicode":
            b"\xff".decode()
        case "os":
            Path("/nowhere/secret-name").read_text(encoding="utf-8")
        case "key":
            raise KeyError("missing")
        case "exit":
            sys.exit(3)
        case "own":
            raise Exception("x" * 1_000_000)
        case "interrupt":
            raise KeyboardInterrupt
        case "half":
            raise ValueError("half \ud800")


def result(kind: Literal["nan", "object", "cycle", "large", "half", "model"]) -> Any:
    match kind:
        case "nan":
            return float("nan")
        case "object":
            return object()
        case "cycle":
            cycle: list[Any] = []
            cycle.append(cycle)
            return cycle
        case "large":
            return "x" * 2_000_000
        case "half":
            return {"half": "\ud800", "numbers": {1: 2}}
        case "model":
            return [Question(text="q", day=date(2026, 1, 2))]


def dying(how: Literal["exit", "kill", "fault", "processor"]) -> None:
    match how:
        case "exit":
            os._exit(7)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "fault":
            ctypes.string_at(0)
        case "processor":
            resource.setrlimit(resource.RLIMIT_CPU, (0, 0))
            while True:
                pass


def hungry(size_bytes: int) -> int:
    return len(bytearray(size_bytes))


def sleeping(marks: str, kind: Literal["plain", "deaf", "grandchild", "fork", "late"]) -> str:
    """Write the ids of all processes that this makes into the folder `marks`, and go on for ever."""
    Path(marks, str(os.getpid())).touch()
    match kind:
        case "plain":
            pass
        case "deaf":
            for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(ignored, signal.SIG_IGN)
        case "grandchild" | "late":
            started = subprocess.Popen(["/bin/sh", "-c", "trap '' TERM HUP; sleep 1000 & wait"])
            Path(marks, str(started.pid)).touch()
            if kind == "late":
                return "done"
        case "fork":
            if (forked := os.fork()) == 0:
                return "from the fork"
            Path(marks, str(forked)).touch()
            return "from the child"
    Path(marks, "ready").touch()
    while True:
        time.sleep(1000)
