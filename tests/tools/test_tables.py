"""Every row of the tables in cases/, through the whole runtime."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hilt.tools import Runtime
from tests.tools.conftest import asking, runtime_over

CASES = Path(__file__).parent / "cases"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    folder = tmp_path_factory.mktemp("tables")
    return runtime_over(folder, folder / "notes")


@pytest.fixture(scope="module")
def ask(runtime: Runtime) -> Ask:
    return asking(runtime)


def rows(name: str) -> list[dict[str, Any]]:
    return tomllib.loads((CASES / f"{name}.toml").read_text(encoding="utf-8"))["case"]


def row_name(row: dict[str, Any]) -> str:
    return " ".join(str(value) for value in row.values())[:60]


def test_the_starter_model_is_shown_the_tools_that_it_was_trained_on(runtime: Runtime) -> None:
    wanted = json.loads((CASES.parent / "specs.json").read_text(encoding="utf-8"))
    names = {spec["name"] for spec in wanted}
    shown = [
        {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
        for spec in runtime.registry.specs
        if spec.name in names
    ]
    # As text, since the order of the keys is part of what a model reads.
    assert json.dumps(shown, indent=1) == json.dumps(wanted, indent=1)
    assert {tool.spec.name: tool.effect for tool in runtime.registry.tools if tool.effect != "read"} == {
        "add_note": "write",
        "create_file": "write",
        "edit_file": "write",
        "delete_file": "destructive",
        "edit_note": "write",
        "delete_note": "destructive",
    }


@pytest.mark.parametrize("row", rows("calculate"), ids=row_name)
def test_calculate(row: dict[str, Any], ask: Ask) -> None:
    result = ask("calculate", expression=row["expression"])
    if "error" in row:
        assert row["error"] in result["error"]
    else:
        assert result == {"expression": row["expression"].strip(), "value": row["value"]}
        assert type(result["value"]) is type(row["value"])


@pytest.mark.parametrize("row", rows("convert_units"), ids=row_name)
def test_convert_units(row: dict[str, Any], ask: Ask) -> None:
    result = ask("convert_units", value=row["value"], from_unit=row["from"], to_unit=row["to"])
    if "error" in row:
        assert row["error"] in result["error"]
    else:
        assert result == {
            "value": float(row["value"]),
            "from_unit": row["from"],
            "to_unit": row["to"],
            "result": row["result"],
        }


@pytest.mark.parametrize("row", rows("current_time"), ids=row_name)
def test_current_time(row: dict[str, Any], ask: Ask) -> None:
    result = ask("current_time", row["arguments"])
    if "error" in row:
        assert row["error"] in result["error"]
    else:
        assert list(result.items()) == list(row["result"].items())


@pytest.mark.parametrize("row", rows("arguments"), ids=row_name)
def test_arguments(row: dict[str, Any], ask: Ask) -> None:
    result = ask("search_notes", row["arguments"])
    assert row["error"] in result["error"] if "error" in row else result["notes"] == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ('{"query": ' + "[" * 40_000 + "]" * 40_000 + "}", "nested too deeply"),
        ('{"query": "a", "limit": ' + "9" * 5000 + "}", "a number of 5000 digits, which is too long"),
    ],
    ids=["nesting", "digits"],
)
def test_arguments_too_large_for_a_table(arguments: str, error: str, ask: Ask) -> None:
    assert error in ask("search_notes", arguments)["error"]


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("-" * 900 + "1", "nested too deeply"),
        ("(" * 400 + "1" + ")" * 400, "not a complete arithmetic expression"),
        ("1" * 1001, "longer than 1000 characters"),
    ],
    ids=["minuses", "brackets", "length"],
)
def test_expressions_too_large_for_a_table(expression: str, error: str, ask: Ask) -> None:
    assert error in ask("calculate", expression=expression)["error"]
