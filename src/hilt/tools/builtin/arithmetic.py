"""A calculator: arithmetic from a string, evaluated node by node and never by Python itself."""

import ast
import math
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from msgspec import Struct
from pydantic import Field
from simpleeval import FunctionNotDefined, InvalidExpression, NameNotDefined, SimpleEval

from hilt.tools.builtin.notation import python_notation
from hilt.tools.tool import Tool, tool

Number: TypeAlias = int | float

_MAX_CHARS = 1000
_MAX_DIGITS = 1000
_MAX_BITS = int(_MAX_DIGITS * math.log2(10))
_MAX_FACTORIAL = 449
_SIGNIFICANT_DIGITS = 12
_TOO_LARGE = f"a result on the way has more than {_MAX_DIGITS} digits or is too large for a decimal number"
_NOT_ARITHMETIC = (
    "the expression may hold only numbers, + - * / // % **, brackets and functions; write * for every multiplication "
    "and no comma within a number"
)
_NODES = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Constant, ast.operator, ast.unaryop, ast.expr_context)
_TOO_DEEP = "the expression is nested too deeply"


class Calculation(Struct, frozen=True):
    """An expression as it was given, and what it comes to: an exact int, or a float to 12 significant digits."""

    expression: str
    value: Number


def arithmetic_tools() -> tuple[Tool, ...]:
    """The calculator."""
    evaluate = calculator()

    @tool(effect="read")
    def calculate(
        expression: Annotated[str, Field(description="An arithmetic expression such as 0.17 * (3 + 4) or sqrt(2).")],
    ) -> Calculation:
        """Work out an arithmetic expression."""
        return Calculation(expression.strip(), evaluate(expression))

    return (calculate,)


def calculator() -> Callable[[str], Number]:
    """A function from an expression to its value: numbers, + - * / // % **, brackets, pi, e and functions, with
    angles in radians. It may be called from any thread.

    It raises ValueError, in words for the model, for what is no such expression, has no real value, or is too large.
    """
    # Built once, because building it touches the process's warning filters.
    evaluator: Any = SimpleEval(operators=_operators(), functions=_functions(), names={"pi": math.pi, "e": math.e})

    def evaluate(expression: str) -> Number:
        if not expression.strip():
            raise ValueError("the expression is empty")
        if len(expression) > _MAX_CHARS:
            raise ValueError(f"the expression is longer than {_MAX_CHARS} characters")
        tree = _parsed(python_notation(expression), expression.strip())
        return _rounded(_value(evaluator, tree))

    return evaluate


def _parsed(notation: str, expression: str) -> ast.expr:
    try:
        tree = ast.parse(notation, mode="eval").body
        strange = any(not isinstance(node, _NODES) for node in ast.walk(tree))
    except SyntaxError:
        raise ValueError(f"{expression[:100]!r} is not a complete arithmetic expression") from None
    except (RecursionError, MemoryError):
        raise ValueError(_TOO_DEEP) from None
    if strange:
        raise ValueError(_NOT_ARITHMETIC)
    return tree


def _value(evaluator: Any, tree: ast.expr) -> object:
    try:
        return evaluator.eval("", previously_parsed=tree)
    except FunctionNotDefined as fault:
        known = ", ".join(sorted(_functions()))
        raise ValueError(f"there is no function {fault.func_name!r}; the functions are: {known}") from None
    except NameNotDefined as fault:
        raise ValueError(f"{fault.name!r} is no number; the constants are pi and e") from None
    except InvalidExpression:
        raise ValueError(_NOT_ARITHMETIC) from None
    except ZeroDivisionError:
        raise ValueError("division by zero") from None
    except OverflowError:
        raise ValueError(_TOO_LARGE) from None
    except TypeError:
        raise ValueError("a function lacks its brackets or has the wrong number of arguments") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def _operators() -> dict[type[ast.AST], Callable[..., Number]]:
    unary: dict[type[ast.AST], Callable[[Number], Number]] = {
        ast.UAdd: lambda number: number,
        ast.USub: lambda number: -number,
    }
    binary: dict[type[ast.AST], Callable[[Number, Number], Number]] = {
        ast.Add: lambda left, right: left + right,
        ast.Sub: lambda left, right: left - right,
        ast.Mult: lambda left, right: left * right,
        ast.Div: lambda left, right: left / right,
        ast.FloorDiv: lambda left, right: left // right,
        ast.Mod: lambda left, right: left % right,
        ast.Pow: _power,
    }
    return {**unary, **{node: _bounded(function) for node, function in binary.items()}}


def _functions() -> dict[str, Callable[..., Number]]:
    whole: dict[str, Callable[[Number], Number]] = {
        "abs": lambda number: abs(number),
        "floor": lambda number: math.floor(number),
        "ceil": lambda number: math.ceil(number),
        "factorial": _factorial,
    }
    real = (math.sqrt, math.sin, math.cos, math.tan, math.log, math.log10, math.exp)
    return {
        **whole,
        **{function.__name__: _real(function) for function in real},
        "round": _round,
        "min": _smallest,
        "max": _largest,
    }


def _bounded(function: Callable[[Number, Number], Number]) -> Callable[..., Number]:
    """The operator, with results that are no number of a sane size refused."""

    def applied(left: Number, right: Number) -> Number:
        return _checked(function(left, right))

    return applied


def _checked(value: Number) -> Number:
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise OverflowError
    if isinstance(value, float) and not math.isfinite(value):
        raise OverflowError
    return value


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0 and base not in (-1, 0, 1):
        # The power is worked out only when its size, known beforehand, is within bounds.
        if (base.bit_length() - 1) * exponent > _MAX_BITS:
            raise OverflowError
        return base**exponent
    value = base**exponent
    if isinstance(value, complex):
        raise ValueError("a negative number has no real power with a fractional exponent")  # noqa: TRY004
    return value


def _smallest(first: Number, *others: Number) -> Number:
    return min((first, *others))


def _largest(first: Number, *others: Number) -> Number:
    return max((first, *others))


def _factorial(number: Number) -> int:
    if number != int(number) or number < 0:
        raise ValueError("factorial takes a whole number that is not negative")
    if number > _MAX_FACTORIAL:
        raise OverflowError
    return math.factorial(int(number))


def _round(number: Number, digits: Number = 0) -> Number:
    if digits != int(digits) or abs(digits) > _MAX_DIGITS:
        raise ValueError("round takes a whole number of digits")
    return round(number, int(digits)) if digits else round(number)


def _real(function: Callable[..., float]) -> Callable[..., Number]:
    def applied(*numbers: Number) -> Number:
        try:
            return _checked(function(*numbers))
        except ValueError:
            raise ValueError(f"{function.__name__} has no real value there") from None

    return applied


def _rounded(value: object) -> Number:
    match value:
        case int():
            return value
        case float() if math.isfinite(value):
            return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
        case float():
            raise ValueError(_TOO_LARGE)
        case _:
            raise ValueError("a function lacks its brackets, as in sqrt(2)")
