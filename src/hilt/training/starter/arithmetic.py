"""What users ask of a calculator: sums in words and signs, percentages, word problems, with their expression and value."""

import ast
import math
import operator
from collections.abc import Callable
from random import Random
from typing import Any

from hilt.training.starter import phrases
from hilt.training.starter.lexicon import person
from hilt.training.starter.tools import Ask, Offer, Vague, shown_value
from hilt.training.starter.values import some_number, spoken_number

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.Mod: operator.mod, ast.FloorDiv: operator.floordiv,
}  # fmt: skip
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
_SUBJECTS = (
    ("{a} plus {b}", "{a} + {b}"), ("{a} + {b}", "{a} + {b}"), ("{a}+{b}", "{a} + {b}"), ("the sum of {a} and {b}", "{a} + {b}"),
    ("{a} minus {b}", "{a} - {b}"), ("{a} - {b}", "{a} - {b}"), ("{a}-{b}", "{a} - {b}"),
    ("the difference between {a} and {b}", "{a} - {b}"), ("{a} less {b}", "{a} - {b}"),
    ("{a} times {b}", "{a} * {b}"), ("{a} times {b}", "{a} * {b}"), ("{a} x {b}", "{a} * {b}"), ("{a} * {b}", "{a} * {b}"),
    ("{a}*{b}", "{a} * {b}"), ("{a} × {b}", "{a} * {b}"), ("{a} multiplied by {b}", "{a} * {b}"),
    ("the product of {a} and {b}", "{a} * {b}"),
    ("{a} divided by {b}", "{a} / {b}"), ("{a} / {b}", "{a} / {b}"), ("{a}/{b}", "{a} / {b}"), ("{a} ÷ {b}", "{a} / {b}"),
    ("{a} over {b}", "{a} / {b}"),
    ("{p} % of {a}", "{p} / 100 * {a}"), ("{p}% of {a}", "{p} / 100 * {a}"), ("{p} percent of {a}", "{p} / 100 * {a}"),
    ("{p} % of {a}", "{p} / 100 * {a}"), ("{p}% of {a}", "{p} / 100 * {a}"), ("{p} percent of {a}", "{p} / 100 * {a}"),
    ("{a} to the power of {n}", "{a} ** {n}"), ("{n} to the power of {m}", "{n} ** {m}"), ("{n}^{m}", "{n} ** {m}"),
    ("{n} ** {m}", "{n} ** {m}"), ("{n} to the {m}th", "{n} ** {m}"), ("{n} raised to {m}", "{n} ** {m}"),
    ("{a} squared", "{a} ** 2"), ("{a} cubed", "{a} ** 3"), ("the square of {a}", "{a} ** 2"), ("the cube of {n}", "{n} ** 3"),
    ("the square root of {a}", "sqrt({a})"), ("the root of {a}", "sqrt({a})"), ("sqrt({a})", "sqrt({a})"), ("sqrt {a}", "sqrt({a})"),
    ("√{a}", "sqrt({a})"), ("the cube root of {a}", "{a} ** (1 / 3)"),
    ("half of {a}", "{a} / 2"), ("a third of {a}", "{a} / 3"), ("a quarter of {a}", "{a} / 4"), ("a tenth of {a}", "{a} / 10"),
    ("twice {a}", "2 * {a}"), ("double {a}", "2 * {a}"), ("three quarters of {a}", "3 / 4 * {a}"),
    ("two thirds of {a}", "2 / 3 * {a}"), ("three times {a}", "3 * {a}"),
    ("{a} modulo {n}", "{a} % {n}"), ("{a} mod {n}", "{a} % {n}"), ("the remainder of {a} divided by {n}", "{a} % {n}"),
    ("{n} factorial", "factorial({n})"), ("{n}!", "factorial({n})"), ("the factorial of {n}", "factorial({n})"),
    ("sin({x})", "sin({x})"), ("the sine of {x}", "sin({x})"), ("cos({x})", "cos({x})"), ("the cosine of {x}", "cos({x})"),
    ("tan({x})", "tan({x})"), ("the tangent of {x}", "tan({x})"), ("the natural logarithm of {a}", "log({a})"), ("ln({a})", "log({a})"),
    ("log({a})", "log({a})"), ("log10({a})", "log10({a})"), ("the base 10 logarithm of {a}", "log10({a})"), ("the logarithm of {a}", "log({a})"),
    ("exp({n})", "exp({n})"), ("e to the power of {n}", "exp({n})"), ("abs(-{a})", "abs(-{a})"), ("the absolute value of -{a}", "abs(-{a})"),
    ("{x} rounded", "round({x})"), ("round({x})", "round({x})"), ("{x} rounded up", "ceil({x})"), ("{x} rounded down", "floor({x})"),
    ("the average of {a} and {b}", "({a} + {b}) / 2"), ("the average of {a}, {b} and {c}", "({a} + {b} + {c}) / 3"),
    ("the mean of {a}, {b} and {c}", "({a} + {b} + {c}) / 3"), ("the sum of {a}, {b} and {c}", "{a} + {b} + {c}"),
    ("{a} plus {b} plus {c}", "{a} + {b} + {c}"), ("{a} + {b} + {c}", "{a} + {b} + {c}"), ("{a} + {b} - {c}", "{a} + {b} - {c}"),
    ("{a} plus {b} minus {c}", "{a} + {b} - {c}"), ("{a} minus {b} plus {c}", "{a} - {b} + {c}"), ("{a} times {b} plus {c}", "{a} * {b} + {c}"),
    ("{a} * {b} + {c}", "{a} * {b} + {c}"), ("({a} + {b}) * {c}", "({a} + {b}) * {c}"), ("({a} - {b}) * {c}", "({a} - {b}) * {c}"),
    ("({a} + {b}) / {c}", "({a} + {b}) / {c}"), ("{a} * ({b} + {c})", "{a} * ({b} + {c})"), ("{a} / ({b} - {c})", "{a} / ({b} - {c})"),
    ("{a} - {b} * {c}", "{a} - {b} * {c}"), ("{a} * {b} / {c}", "{a} * {b} / {c}"), ("{a} times {b} times {c}", "{a} * {b} * {c}"),
    ("sqrt({a} + {b})", "sqrt({a} + {b})"), ("sqrt({a}) * {b}", "sqrt({a}) * {b}"), ("sin({x}) + {n}", "sin({x}) + {n}"), ("2 * pi * {x}", "2 * pi * {x}"),
    ("pi times {a}", "pi * {a}"), ("{a} ** {n} - {b}", "{a} ** {n} - {b}"), ("{a} // {n}", "{a} // {n}"), ("{x}({a} + {b})", "{x} * ({a} + {b})"),
    ("the larger of {a} and {b}", "max({a}, {b})"), ("max({a}, {b}, {c})", "max({a}, {b}, {c})"), ("min({a}, {b})", "min({a}, {b})"),
    ("the smallest of {a}, {b} and {c}", "min({a}, {b}, {c})"),
    ("the area of a circle with radius {x}", "pi * {x} ** 2"), ("the circumference of a circle with radius {x}", "2 * pi * {x}"),
    ("the area of a {a} by {b} room", "{a} * {b}"), ("the volume of a cube with side {x}", "{x} ** 3"),
    ("the area of a rectangle of {a} by {b}", "{a} * {b}"), ("{a} plus {p} percent", "{a} + {p} / 100 * {a}"),
    ("{a} plus {p} % tax", "{a} + {p} / 100 * {a}"), ("{a} minus {p} %", "{a} - {p} / 100 * {a}"), ("{a} with {p} percent off", "{a} - {p} / 100 * {a}"),
    ("{p} % off {a}", "{a} - {p} / 100 * {a}"), ("a {p} % tip on {a}", "{p} / 100 * {a}"), ("a {p} percent discount on {a}", "{p} / 100 * {a}"),
    ("{p} percent interest on {a}", "{p} / 100 * {a}"),
    ("{p}% of {a} plus {b}", "{p} / 100 * {a} + {b}"), ("{p} percent of {a} minus {b}", "{p} / 100 * {a} - {b}"), ("{b} plus {p} % of {a}", "{b} + {p} / 100 * {a}"),
    ("the square of the sum of {a} and {b}", "({a} + {b}) ** 2"), ("the square root of the sum of {a} and {b}", "sqrt({a} + {b})"), ("half of the sum of {a} and {b}", "({a} + {b}) / 2"),
    ("the sum of {a} and {b} times {c}", "({a} + {b}) * {c}"), ("the sum of {a} and {b} divided by {c}", "({a} + {b}) / {c}"), ("twice the sum of {a} and {b}", "2 * ({a} + {b})"),
    ("the difference between {a} and {b} times {c}", "({a} - {b}) * {c}"), ("the product of {a} and {b} plus {c}", "{a} * {b} + {c}"), ("{a} times the sum of {b} and {c}", "{a} * ({b} + {c})"),
    ("{a} divided by the sum of {b} and {c}", "{a} / ({b} + {c})"), ("{a} plus {b} times {c}", "{a} + {b} * {c}"), ("{a} minus {b} minus {c}", "{a} - {b} - {c}"), ("{a} divided by {b} plus {c}", "{a} / {b} + {c}"),
    ("the sum of the squares of {n} and {m}", "{n} ** 2 + {m} ** 2"), ("the cube of the sum of {n} and {m}", "({n} + {m}) ** 3"), ("the square of {n} plus the square of {m}", "{n} ** 2 + {m} ** 2"),
    ("one {n}th of {a}", "{a} / {n}"), ("a fifth of {a}", "{a} / 5"), ("{n} fifths of {a}", "{n} / 5 * {a}"), ("the average of {a}, {b}, {c} and {n}", "({a} + {b} + {c} + {n}) / 4"),
    ("{a} plus {b} plus {c} plus {n}", "{a} + {b} + {c} + {n}"), ("the square root of {a} plus the square root of {b}", "sqrt({a}) + sqrt({b})"), ("the product of {a}, {b} and {c}", "{a} * {b} * {c}"),
)  # fmt: skip
_FRAMES = (
    "What is {s}?", "What's {s}?", "How much is {s}?", "What is {s}?", "What's {s}?", "How much is {s}?", "calculate {s}", "compute {s}",
    "work out {s}", "{s}", "{s}?", "{s} =", "{s} = ?", "tell me {s}", "evaluate {s}", "Do you know what {s} is?", "I need to know {s}",
    "What does {s} [make|give|come to|equal]?", "figure out {s}", "give me {s}", "find {s}", "solve {s}", "how much is {s}", "what's {s}",
    "What do I get for {s}?", "[do the math:|quick math:] {s}", "I want to know what {s} is", "use the calculator for {s}",
)  # fmt: skip
# A whole request, its expression, the answer.
_PROBLEMS = (
    ("add {b} to {a}", "{a} + {b}", "{a} plus {b} is {v}."), ("add {a} and {b}", "{a} + {b}", "{a} plus {b} is {v}."),
    ("add [up |together |]{a}, {b} and {c}", "{a} + {b} + {c}", "The sum is {v}."), ("sum up {a}, {b}, {c}", "{a} + {b} + {c}", "The sum is {v}."),
    ("subtract {b} from {a}", "{a} - {b}", "{a} minus {b} is {v}."), ("take {b} [away |off |]from {a}", "{a} - {b}", "{a} minus {b} is {v}."),
    ("multiply {a} by {b}", "{a} * {b}", "{a} times {b} is {v}."), ("multiply {a} and {b}", "{a} * {b}", "{a} times {b} is {v}."),
    ("divide {a} by {b}", "{a} / {b}", "{a} divided by {b} is {v}."), ("halve {a}", "{a} / 2", "Half of {a} is {v}."),
    ("square {a}", "{a} ** 2", "{a} squared is {v}."), ("take the [square |]root of {a}", "sqrt({a})", "The square root of {a} is {v}."),
    ("round {x}", "round({x})", "{x} rounded is {v}."), ("raise {n} to the power of {m}", "{n} ** {m}", "{n} to the power of {m} is {v}."),
    ("What do {a} and {b} add up to?", "{a} + {b}", "{a} plus {b} is {v}."), ("What do you get if you multiply {a} by {b}?", "{a} * {b}", "{a} times {b} is {v}."),
    ("How many times does {b} go into {a}?", "{a} / {b}", "{a} divided by {b} is {v}."), ("By how much is {a} more than {b}?", "{a} - {b}", "The difference is {v}."),
    ("I had {a} and spent {b}. [How much is left|What's left|How much do I still have]?", "{a} - {b}", "You have {v} left."),
    ("How much remains of {a} after {b} is gone?", "{a} - {b}", "{v} remains."),
    ("The bill is {a}. [What|How much] is a {p}[%| %| percent] tip?", "{p} / 100 * {a}", "A {p} % tip is {v}."),
    ("How much should I tip on {a} at {p}[%| %| percent]?", "{p} / 100 * {a}", "The tip is {v}."),
    ("Dinner was {a}, and I want to leave {p}[%| percent]. How much is that?", "{p} / 100 * {a}", "That is {v}."),
    ("split {a} [between|among|by] {n}[ people| friends| of us|]", "{a} / {n}", "Each pays {v}."),
    ("split a bill of {a} between {n} people", "{a} / {n}", "Each pays {v}."), ("How much is it each if {n} people share {a}?", "{a} / {n}", "Each pays {v}."),
    ("{n} of us share a taxi for {a}. What does each one owe?", "{a} / {n}", "Each owes {v}."), ("share {a} equally among {n} children", "{a} / {n}", "Each gets {v}."),
    ("The {thing} costs {a} but there is a {p}[%| percent] discount. What do I pay?", "{a} - {p} / 100 * {a}", "You pay {v}."),
    ("What does a {thing} for {a} cost [with|after] {p}[%| percent| %] off?", "{a} - {p} / 100 * {a}", "It costs {v}."),
    ("[What is|What's] the price of a {a} {thing} after a {p}[%| %| percent] reduction?", "{a} - {p} / 100 * {a}", "The price is {v}."),
    ("{thing} {a}, {p} % off. What's the new price?", "{a} - {p} / 100 * {a}", "The new price is {v}."),
    ("add {p}[%| %| percent] [tax|VAT] to {a}", "{a} + {p} / 100 * {a}", "With tax it is {v}."), ("What is {a} with {p}[%| percent] VAT on top?", "{a} + {p} / 100 * {a}", "With VAT it is {v}."),
    ("My salary of {a} goes up by {p}[%| percent]. What will it be?", "{a} + {p} / 100 * {a}", "It will be {v}."),
    ("I buy {n} {thing}s at {a} each. How much is that?", "{n} * {a}", "That is {v}."), ("How much are {n} {thing}s at {a} each?", "{n} * {a}", "They cost {v}."),
    ("What do {n} tickets cost at {a} apiece?", "{n} * {a}", "They cost {v}."), ("I earn {a} an hour and work {n} hours. What do I get?", "{a} * {n}", "You get {v}."),
    ("If I save {a} a month, how much do I have after {n} months?", "{a} * {n}", "You have {v} then."), ("I pay {a} a month. How much is that a year?", "{a} * 12", "That is {v} a year."),
    ("{who} has {a} apples and eats {n}. How many are left?", "{a} - {n}", "{v} are left."), ("{who} has {a} coins and finds {n} more. How many is that?", "{a} + {n}", "That is {v}."),
    ("What percentage of {b} is {a}?", "{a} / {b} * 100", "It is {v} percent."), ("{a} is what percent of {b}?", "{a} / {b} * 100", "It is {v} percent."),
    ("{a} out of {b}, what is that in percent?", "{a} / {b} * 100", "It is {v} percent."), ("We grew from {a} to {b}. How many percent is that?", "({b} - {a}) / {a} * 100", "That is {v} percent."),
    ("I drove {a} km in {n} hours. What was my average speed?", "{a} / {n}", "It was {v} km an hour."),
    ("How long is the hypotenuse if the sides are {a} and {b}?", "sqrt({a} ** 2 + {b} ** 2)", "It is {v} long."),
    ("A box holds {n} eggs. How many eggs are in {m} boxes?", "{n} * {m}", "There are {v} eggs."), ("There are {n} rows of {m} chairs. How many chairs is that?", "{n} * {m}", "That is {v} chairs."),
    ("I bought {n} {thing}s at {x} each and a {thing} for {a}. [What's the total|How much is that|What did I pay]?", "{n} * {x} + {a}", "That is {v}."),
    ("{n} {thing}s at {a} and {m} more at {b}, what's the total?", "{n} * {a} + {m} * {b}", "The total is {v}."), ("What do {n} {thing}s for {a} and {m} for {b} cost together?", "{n} * {a} + {m} * {b}", "Together they cost {v}."),
    ("I paid {a}, {b} and {c}. How much is that [together|in total|altogether]?", "{a} + {b} + {c}", "That is {v}."), ("I had {a}, spent {b} and got {c} back. What do I have now?", "{a} - {b} + {c}", "You have {v}."),
    ("We are {n} people and [the bill|dinner|the hotel] is {a}. [What|How much] does each of us [pay|owe]?", "{a} / {n}", "Each pays {v}."), ("There are {n} of us and it costs {a}. How much each?", "{a} / {n}", "It is {v} each."),
    ("{n} friends share a {thing} for {a}. How much does each one pay?", "{a} / {n}", "Each pays {v}."), ("The total is {a} for {n} people. What is that per person?", "{a} / {n}", "It is {v} per person."),
    ("If a [train|car|bus] goes {a} km in {n} hours, how fast is it?", "{a} / {n}", "It goes {v} km an hour."), ("I read {n} pages a day. How many pages is that in {m} days?", "{n} * {m}", "That is {v} pages."),
    ("A {thing} costs {a}. How many can I buy for {b}?", "{b} / {a}", "You can buy {v}."), ("I walk {x} km a day. How far is that in {n} days?", "{x} * {n}", "That is {v} km."),
    ("I make {a} a week. What is that in {n} weeks?", "{a} * {n}", "That is {v}."), ("How much is {a} minus {p} percent tax?", "{a} - {p} / 100 * {a}", "It is {v}."),
    ("How much is {n} dozen?", "{n} * 12", "{n} dozen is {v}."), ("One costs {a}. What do {n} cost?", "{n} * {a}", "They cost {v}."),
)  # fmt: skip
_THINGS = ("jacket", "chair", "lamp", "book", "bike", "phone", "shirt", "table", "ticket", "bag", "sofa", "mug", "plant", "toy", "pen")
_FOLLOWS = (
    ("[And |]times {n}?", "{was} * {n}"), ("[And |]divided by {n}?", "{was} / {n}"), ("[And |]plus {a}?", "{was} + {a}"),
    ("[And |]minus {a}?", "{was} - {a}"), ("[Now |]add {a}", "{was} + {a}"), ("And half of that?", "{was} / 2"),
    ("[And |]twice that?", "2 * {was}"), ("And {p} % of that?", "{p} / 100 * {was}"), ("multiply that by {n}", "{was} * {n}"),
    ("subtract {a} from that", "{was} - {a}"), ("divide the result by {n}", "{was} / {n}"), ("take the square root of that", "sqrt({was})"),
)  # fmt: skip
_VAGUE = (
    ("calculate something", "What should I calculate?"), ("do some math for me", "What should I calculate?"), ("I need a calculation", "What should I calculate?"),
    ("What is the sum?", "Of which numbers?"), ("calculate it", "What should I calculate?"),
    ("Can you calculate something for me?", "What should I calculate?"), ("help me with a calculation", "What should I calculate?"),
)  # fmt: skip


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
            exact[letter] = said = f"{rng.randrange(1, 400)}.{rng.choice(('00', '50', '90', '20', '60', '40', '80', '10', '99', '95'))}"
        spoken[letter] = f"{shared_prefix}{said}" if said[0].isdigit() else said
    for letter, low, high in (("n", 2, 16), ("m", 2, 16)):
        number = rng.randrange(low, high)
        exact[letter], spoken[letter] = str(number), spoken_number(rng, number)
    percent = rng.choice((5, 10, 15, 20, 25, 30, 40, 50, 75, rng.randrange(1, 100), rng.randrange(1, 100), rng.randrange(2, 500) / 10))
    exact["p"] = spoken["p"] = str(percent)
    short = rng.choice((rng.randrange(1, 30), rng.randrange(2, 99) / 10, rng.randrange(10, 999) / 100))
    exact["x"] = spoken["x"] = f"{float(short):.2f}" if rng.random() < 0.25 else str(short)
    return spoken, exact


_SIGNS = frozenset("+*/^()=√!×÷")


def _finished(tool: str, request: str, expression: str, subject: str | None, answer: str | None) -> Ask:
    value = worked_out(expression)
    shown = shown_value(value)
    text = answer.replace("{v}", shown) if answer else f"{subject} is {shown}."
    return Ask(request, tool, {"expression": expression}, {"expression": expression, "value": value}, phrases.upper_start(text))


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
            written = written.replace("*", rng.choice(("x", "×"))).replace("/", rng.choice(("/", "÷", ":")) if "(" not in written else "÷")
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
    spoken, exact = _drawn(rng)
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
        spoken, exact = _drawn(rng)
        asked = _finished("calculate", f"{exact['a']} and {exact['b']}", f"{exact['a']} + {exact['b']}", None, "The sum is {v}.")
    return Vague(request, question, asked.request, asked)


def offer(spec: dict[str, Any]) -> Offer:
    """The calculator."""
    return Offer(spec, frozenset({"math"}), ask, vague, follow)
