"""What becomes of each keyword of JSON Schema, by the cases of the JSON Schema Test Suite.

`python -m hilt.measure.schema_keywords PATH` reads the suite's folder for draft 2020-12 below PATH, and counts for
every file of it the schemas that the grammar enforces exactly, those that the final check completes, those that are
refused, and every case with a wrong result. A case is apart by choice where the suite asserts a format that is a
remark here, or takes as a remark one that is asserted here. Wrong is a valid value that the grammar doesn't allow, an
invalid one that it allows although nothing is listed as unenforced, or a final check that judges otherwise.
"""

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from hilt.conversation import InvalidRequest
from hilt.grammar import Check, prepare
from hilt.grammar.keywords import is_list, is_object
from hilt.measure.grammar_trial import Trial, byte_tokenizer
from hilt.measure.records import write_record

DRAFT = "draft2020-12"


class Keyword(Struct, frozen=True):
    """The schemas of one file of the suite, by what becomes of them, and the cases with a wrong result."""

    name: str
    by_the_grammar: int
    by_the_final_check: int
    refused: int
    cases: int
    by_choice: list[str]
    wrong: list[str]
    refusals: list[str]


def measure_keyword(name: str, groups: list[dict[str, Any]], tokenizer: Any) -> Keyword:
    """Run every case of one file."""
    counts = {"grammar": 0, "check": 0, "refused": 0}
    by_choice: list[str] = []
    wrong: list[str] = []
    refusals: list[str] = []
    cases = 0
    for group in groups:
        try:
            prepared = prepare(group["schema"], "schema")
        except InvalidRequest as refusal:
            if any(case["valid"] for case in group["tests"]) or "never" not in refusal.message:
                refusals.append(f"{group['description']}: {refusal.message[:160]}")
            counts["refused"] += 1
            continue
        counts["check" if prepared.unenforced else "grammar"] += 1
        check, trial = Check(prepared.schema), Trial(prepared.grammar, tokenizer)
        for case in group["tests"]:
            cases += 1
            place = f"{group['description']}: {case['description']}"
            value = ordered(case["data"], prepared.grammar)
            allowed = trial.accepts_value(value)
            remark = any(part.keyword == "format" for part in prepared.unenforced) and not case["valid"]
            if remark or (name == "format" and case["valid"] and check.value_faults(case["data"])):
                by_choice.append(place)
                continue
            faults: list[str] = []
            if (not check.value_faults(case["data"])) != case["valid"]:
                faults.append("the final check judges otherwise")
            if case["valid"] and not allowed:
                faults.append("the grammar doesn't allow it")
            if allowed and not case["valid"] and not prepared.unenforced:
                faults.append("the grammar allows it")
            if faults:
                wrong.append(f"{place}: {', '.join(faults)}")
    return Keyword(name, counts["grammar"], counts["check"], counts["refused"], cases, by_choice, wrong, refusals)


def ordered(value: Any, grammar: Any) -> Any:
    """`value` as a grammar wants it written: members in the order of the schema, whole numbers without a fraction."""
    return _ordered(value, _member_order(grammar))


def _member_order(grammar: Any) -> dict[str, int]:
    order: dict[str, int] = {}
    pending = [grammar]
    while pending:
        node = pending.pop()
        if is_object(node):
            names: dict[str, Any] = node.get("properties", {}) if "enum" not in node else {}
            for name in (*names, *_names_in(node.get("enum", []))):
                order.setdefault(name, len(order))
            pending.extend(reversed(list(node.values())))
        elif is_list(node):
            pending.extend(reversed(node))
    return order


def _ordered(value: Any, order: dict[str, int]) -> Any:
    if is_object(value):
        names = sorted(value, key=lambda name: order.get(name, len(order)))
        return {name: _ordered(value[name], order) for name in names}
    if is_list(value):
        return [_ordered(part, order) for part in value]
    whole = isinstance(value, float) and value.is_integer() and abs(value) <= 2**53
    return int(value) if whole else value


def _names_in(value: Any) -> list[str]:
    """The names of members anywhere in a listed value."""
    if is_object(value):
        return [*value, *(name for part in value.values() for name in _names_in(part))]
    return [name for part in value for name in _names_in(part)] if is_list(value) else []


def files(suite: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The name and the groups of every file of the suite, the optional ones after the others."""
    root = next(iter(sorted(suite.rglob(DRAFT))), None)
    if root is None:
        raise FileNotFoundError(f"there is no folder {DRAFT} below {suite}")
    for path in sorted(root.rglob("*.json"), key=lambda path: (len(path.parts), path)):
        yield path.relative_to(root).as_posix().removesuffix(".json"), json.loads(path.read_text(encoding="utf-8"))


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, help="a checkout of the JSON Schema Test Suite")
    parser.add_argument("--out", type=Path, default=Path("results/schema-keywords.json"))
    options = parser.parse_args()
    tokenizer = byte_tokenizer()
    keywords = [measure_keyword(name, groups, tokenizer) for name, groups in files(options.suite)]
    for keyword in keywords:
        print(
            f"{keyword.name:40} grammar {keyword.by_the_grammar:3}  final check {keyword.by_the_final_check:3}"
            f"  refused {keyword.refused:3}  wrong {len(keyword.wrong)} of {keyword.cases}"
        )
        for line in (*keyword.wrong, *keyword.refusals):
            print(f"    {line}")
    print(write_record(options.out.parent, options.out.stem, {"keywords": keywords}, now=datetime.now(UTC)))


if __name__ == "__main__":
    main()
