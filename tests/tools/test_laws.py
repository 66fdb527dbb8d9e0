"""What holds for every expression, unit and path, whoever writes it."""

import contextlib
import math
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hilt.tools.builtin.arithmetic import calculator
from hilt.tools.builtin.confinement import relative_parts
from hilt.tools.builtin.units import converter

EVALUATE = calculator()
CONVERT = converter()
WHOLE = st.integers(-(10**6), 10**6)
TOKENS = st.lists(
    st.from_regex(r"[0-9.e(),+*/%^×!-]|1e9|pi|//|\*\*|of|(sqrt|log|max|round|factorial)\(", fullmatch=True),
    max_size=14,
)
UNIT_TOKENS = st.lists(
    st.from_regex(r"[mh%°/*^239()²µ-]|km|mile|celsius|degF|hour|square|cubic|per|\*\*|delta|10", fullmatch=True),
    max_size=6,
)


@settings(deadline=None)
@given(tokens=TOKENS, gap=st.sampled_from(["", " "]))
@example(tokens=["9", "**", "9", "**", "9", "**", "9"], gap="")
def test_every_expression_has_a_finite_value_or_a_value_error(tokens: list[str], gap: str) -> None:
    with contextlib.suppress(ValueError):
        assert math.isfinite(EVALUATE(gap.join(tokens)))


@settings(deadline=None)
@given(a=WHOLE, b=WHOLE, c=WHOLE)
def test_whole_numbers_are_exact(a: int, b: int, c: int) -> None:
    assert EVALUATE(f"({a}) * {b} - ({c})") == a * b - c


@settings(deadline=None)
@given(percent=st.integers(0, 10**6), of=WHOLE)
def test_a_percentage_is_a_hundredth(percent: int, of: int) -> None:
    wanted = float(f"{percent / 100 * of:.12g}")
    for written in (f"{percent}% of {of}", f"{percent} % * ({of})", f"({percent})% of ({of})"):
        assert EVALUATE(written) == pytest.approx(wanted, rel=1e-11)


@settings(deadline=None)
@given(tokens=UNIT_TOKENS, gap=st.sampled_from(["", " "]), value=st.floats(-1e6, 1e6))
def test_every_unit_is_converted_or_refused(tokens: list[str], gap: str, value: float) -> None:
    with contextlib.suppress(ValueError):
        assert math.isfinite(CONVERT(value, gap.join(tokens), "meter"))


@pytest.mark.parametrize(
    ("one", "other"), [("mile", "kilometer"), ("celsius", "fahrenheit"), ("pound", "kg"), ("mile/hour", "m/s")]
)
@settings(deadline=None)
@given(value=st.floats(-1e6, 1e6))
def test_there_and_back_is_the_same(value: float, one: str, other: str) -> None:
    assert CONVERT(CONVERT(value, one, other), other, one) == pytest.approx(value, rel=1e-9, abs=1e-7)


@settings(deadline=None)
@given(path=st.text(st.sampled_from("ab./~\0é "), max_size=12))
def test_a_path_is_within_the_workspace_or_refused(path: str) -> None:
    with contextlib.suppress(ValueError):
        assert not {"..", "", "/", "."} & set(relative_parts(Path("/work/a"), path))
