"""What users ask of a calculator: sums in words and signs, percentages, word problems; with expression and value."""

import ast
import math
from collections.abc import Callable
from random import Random
from typing import Any

from hilt.training.starter import phrases
from hilt.training.starter.lexicon import person
from hilt.training.starter.phrasing_tables import rows, texts
from hilt.training.starter.tools import Ask, Offer, Vague, shown_value
from hilt.training.starter.values import some_number, spoken_number

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.Pow: lambda left, right: left**right,
    ast.Mod: lambda left, right: left % right,
    ast.FloorDiv: lambda left, right: left // right,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos, "tan": math.tan, "log": math.log, "log10": math.log10,
    "exp": math.exp, "abs": abs, "round": round, "floor": math.floor, "ceil": math.ceil, "factorial": math.factorial,
    "min": min, "max": max,
}  # fmt: skip
_CONSTANTS = {"pi": math.pi, "e": math.e}


def worked_out(expression: str) -> int | float:
    """The value of an expression, rounded to 12 significant digits as the tool rounds it.

    ValueError, ZeroDivisionError or OverflowError where it has none.
    """
    value = _walk(ast.parse(expression, mode="eval").body)
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _walk(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.BinOp(left, op, right):
            return _BINARY[type(op)](_walk(left), _walk(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_walk(operand)
        case ast.Name(id=name):
            return _CONSTANTS[name]
        case ast.Call(func=ast.Name(id=name), args=args):
            return _FUNCTIONS[name](*(_walk(arg) for arg in args))
        case _:
            raise ValueError(f"not an arithmetic expression: {ast.dump(node)}")


# A noun phrase for a number, its expression. Letters: a b c numbers, n m small whole ones, p percent, x short decimals.
_SUBJECTS = rows("arithmetic", "subjects")
_FRAMES = texts("arithmetic", "frames")
# A whole request, its expression, the answer.
_PROBLEMS = rows("arithmetic", "problems")
_THINGS = texts("arithmetic", "things")
_FOLLOWS = rows("arithmetic", "follows")
_VAGUE = rows("arithmetic", "vague")


def _drawn(rng: Random) -> tuple[dict[str, str], dict[str, str]]:
    """Spoken and written numbers for the letters of a pattern."""
    spoken: dict[str, str] = {}
    exact: dict[str, str] = {}
    shared_prefix = rng.choice(("", "", "", "", "", "", "", "$", "€"))
    for letter in "abc":
        number = some_number(rng)
        said = spoken_number(rng, number)
        exact[letter] = str(number)
        if rng.random() < 0.12:
            exact[letter] = said = (
                f"{rng.randrange(1, 400)}.{rng.choice(('00', '50', '90', '20', '60', '40', '80', '10', '99', '95'))}"
            )
        spoken[letter] = f"{shared_prefix}{said}" if said[0].isdigit() else said
    for letter, low, high in (("n", 2, 16), ("m", 2, 16)):
        number = rng.randrange(low, high)
        exact[letter], spoken[letter] = str(number), spoken_number(rng, number)
    percent = rng.choice(
        (5, 10, 15, 20, 25, 30, 40, 50, 75, rng.randrange(1, 100), rng.randrange(1, 100), rng.randrange(2, 500) / 10)
    )
    exact["p"] = spoken["p"] = str(percent)
    short = rng.choice((rng.randrange(1, 30), rng.randrange(2, 99) / 10, rng.randrange(10, 999) / 100))
    exact["x"] = spoken["x"] = f"{float(short):.2f}" if rng.random() < 0.25 else str(short)
    return spoken, exact


_SIGNS = frozenset("+*/^()=√!×÷")


def _finished(tool: str, request: str, expression: str, subject: str | None, answer: str | None) -> Ask:
    value = worked_out(expression)
    shown = shown_value(value)
    text = answer.replace("{v}", shown) if answer else f"{subject} is {shown}."
    return Ask(
        request, tool, {"expression": expression}, {"expression": expression, "value": value}, phrases.upper_start(text)
    )


def _symbols(rng: Random, depth: int) -> str:
    """A random expression in signs, spaced as the tool's own expressions are."""
    if depth == 0 or rng.random() < 0.25:
        return str(some_number(rng)) if rng.random() < 0.6 else str(rng.randrange(1, 20))
    operator_sign = rng.choice("++--***//")
    left, right = _symbols(rng, depth - 1), _symbols(rng, depth - 1)
    if rng.random() < 0.15:
        return f"{rng.choice(('sqrt', 'abs', 'sin', 'cos', 'log', 'round'))}({left})"
    text = f"{left} {operator_sign} {right}"
    return f"({text})" if rng.random() < 0.4 else text


def _ask_symbols(rng: Random) -> Ask:
    expression = _symbols(rng, rng.choice((1, 2, 2, 3)))
    written = expression
    match int(rng.random() * 5):
        case 0:
            written = written.replace(" ", "")
        case 1:
            written = written.replace(" * ", "*").replace(" / ", "/")
        case 2:
            written = written.replace("*", rng.choice(("x", "×"))).replace(
                "/", rng.choice(("/", "÷", ":")) if "(" not in written else "÷"
            )
        case _:
            written = expression
    request = phrases.say(rng, rng.choice(_FRAMES), {"s": written})
    return _finished("calculate", request, expression, expression, None)


def _ask_once(rng: Random) -> Ask:
    if rng.random() < 0.12:
        return _ask_symbols(rng)
    spoken, exact = _drawn(rng)
    if rng.random() < 0.68:
        pattern, expression = rng.choice(_SUBJECTS)
        if any(sign in pattern for sign in _SIGNS) or rng.random() < 0.5:
            spoken = exact
        subject = pattern.format(**spoken)
        request = phrases.say(rng, rng.choice(_FRAMES), {"s": subject})
        return _finished("calculate", request, expression.format(**exact), subject, None)
    problem, expression, answer = rng.choice(_PROBLEMS)
    said = {**spoken, "thing": rng.choice(_THINGS), "who": person(rng)}
    exact_said = {**exact, "thing": said["thing"], "who": said["who"]}
    request = phrases.say(rng, problem, said)
    text = answer.replace("{v}", "\0").format(**exact_said).replace("\0", "{v}")
    return _finished("calculate", request, expression.format(**exact), None, text)


def ask(rng: Random) -> Ask:
    """One thing to work out that has a value of at most 15 digits."""
    while True:
        try:
            drawn = _ask_once(rng)
        except (ValueError, ZeroDivisionError, OverflowError):
            continue
        if abs(drawn.result["value"]) < 1e15 and len(str(drawn.result["value"])) < 18:
            return drawn


def follow(rng: Random, before: Ask) -> Ask | None:
    """A sum that goes on from the last value."""
    if before.tool != "calculate" or "value" not in before.result:
        return None
    value = before.result["value"]
    if abs(value) > 1e9 or "e" in str(value):
        return None
    _, exact = _drawn(rng)
    pattern, expression = rng.choice(_FOLLOWS)
    if value < 0 and "sqrt" in expression:
        return None
    request = phrases.say(rng, pattern, exact)
    was = shown_value(value)
    written = expression.format(was=f"({was})" if value < 0 else was, **exact)
    try:
        return _finished("calculate", request, written, None, "That is {v}.")
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


def vague(rng: Random) -> Vague | None:
    """A request for a sum that names none."""
    request, question = rng.choice(_VAGUE)
    asked = ask(rng)
    if question == "Of which numbers?":
        _, exact = _drawn(rng)
        asked = _finished(
            "calculate", f"{exact['a']} and {exact['b']}", f"{exact['a']} + {exact['b']}", None, "The sum is {v}."
        )
    return Vague(request, question, asked.request, asked)


def offer(spec: dict[str, Any]) -> Offer:
    """The calculator."""
    return Offer(spec, frozenset({"math"}), ask, vague, follow)
