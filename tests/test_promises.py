"""What we promise is held by tests that exist."""

import ast
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def _promises() -> list[dict[str, Any]]:
    return tomllib.loads((ROOT / "tests/promises.toml").read_text(encoding="utf-8"))["promise"]


def _functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_promise_names_tests_that_exist() -> None:
    for promise in _promises():
        assert promise["sentence"].endswith("."), promise["id"]
        assert promise["tests"], f"{promise['id']} has no test"
        for test in promise["tests"]:
            file, _, function = test.partition("::")
            assert function in _functions(file), f"{promise['id']} names {test}, which is not there"


def test_ids_are_given_once() -> None:
    ids = [promise["id"] for promise in _promises()]
    assert len(ids) == len(set(ids))
