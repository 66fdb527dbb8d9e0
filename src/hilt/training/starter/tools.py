"""Offered tools: what the model sees of a tool, and what a user may ask of it, with the call, result and answer."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, cast

from hilt.training.starter.lexicon import free_text, invented_word, pick
from hilt.training.starter.phrasing_tables import texts


@dataclass(frozen=True)
class Ask:
    """One thing that one call answers.

    `request` is a clause without politeness, `result` what the tool returns (a JSON value, or text as it stands), and
    `answer` one or more full sentences that say only what the result and the request say.
    """

    request: str
    tool: str
    arguments: dict[str, Any]
    result: Any
    answer: str

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the result, none if it is no object."""
        return cast("dict[str, Any]", self.result) if isinstance(self.result, dict) else {}


@dataclass(frozen=True)
class Vague:
    """A request that leaves out a required argument: the question that it calls for, the user's reply, and the rest."""

    request: str
    question: str
    reply: str
    ask: Ask


def _nothing(_: Random) -> Vague | None:
    return None


def _nothing_more(_: Random, __: Ask) -> Ask | None:
    return None


def _no_pair(_: Random) -> tuple[str, list[Ask]] | None:
    return None


@dataclass(frozen=True)
class Offer:
    """A tool as offered in one conversation.

    `spec` is the OpenAI function object. Offers that share a topic never stand side by side, and a request of one is
    never called impossible while another is offered. `follow` makes a request that leans on an earlier one ("and in
    Rome?").
    """

    spec: dict[str, Any]
    topics: frozenset[str]
    ask: Callable[[Random], Ask]
    vague: Callable[[Random], Vague | None] = field(default=_nothing)
    follow: Callable[[Random, Ask], Ask | None] = field(default=_nothing_more)
    pair: Callable[[Random], tuple[str, list[Ask]] | None] = field(default=_no_pair)

    @property
    def name(self) -> str:
        """The name that calls use."""
        return str(self.spec["name"])


def camel_case(name: str) -> str:
    """get_weather as getWeather."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_MODIFIERS = texts("tools", "modifiers")


def modified_name(rng: Random, name: str) -> str:
    """The name, or (one time in three) the name with a word put in, so that names have to be read and not known."""
    if rng.random() > 0.33:
        return name
    words = name.split("_")
    word = (
        rng.choice(_MODIFIERS)
        if rng.random() < 0.6
        else pick(rng, "common")
        if rng.random() < 0.6
        else invented_word(rng)
    )
    words.insert(rng.randrange(len(words) + 1), word)
    return "_".join(words)


@dataclass(frozen=True)
class Style:
    """How the author of a catalogue writes schemas."""

    naming: Callable[[str], str]
    describes_tools: bool
    describes_parameters: bool
    titles: bool
    closed: bool
    strict: bool
    always_required: bool
    type_first: bool


def draw_style(rng: Random) -> Style:
    """A style of one catalogue; most write snake_case and describe everything."""
    naming = rng.random()
    return Style(
        naming=camel_case if naming < 0.18 else (lambda name: name.replace("_", "-")) if naming < 0.22 else str,
        describes_tools=rng.random() < 0.94,
        describes_parameters=rng.random() < 0.75,
        titles=rng.random() < 0.06,
        closed=rng.random() < 0.12,
        strict=rng.random() < 0.06,
        always_required=rng.random() < 0.5,
        type_first=rng.random() < 0.85,
    )


def parameters_schema(
    properties: dict[str, dict[str, Any]], required: list[str], style: Style | None = None
) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments; `properties` have their descriptions already."""
    shown = properties
    if style is not None:
        shown = {name: _styled(name, schema, style) for name, schema in properties.items()}
    schema: dict[str, Any] = {"type": "object", "properties": shown}
    if required or style is None or style.always_required:
        schema["required"] = required
    if style is not None and style.closed:
        schema["additionalProperties"] = False
    return schema


def _styled(name: str, schema: dict[str, Any], style: Style) -> dict[str, Any]:
    shown = dict(schema)
    if not style.describes_parameters:
        shown.pop("description", None)
    if style.titles:
        shown = {"title": name.replace("_", " ").title(), **shown}
    if not style.type_first and "description" in shown:
        shown = {"description": shown.pop("description"), **shown}
    return shown


def function_spec(name: str, about: str, parameters: dict[str, Any], style: Style | None = None) -> dict[str, Any]:
    """The OpenAI function object of a tool."""
    spec: dict[str, Any] = {"name": name}
    if about and (style is None or style.describes_tools):
        spec["description"] = about
    spec["parameters"] = parameters
    if style is not None and style.strict:
        spec["strict"] = True
    return spec


def shown_value(value: Any) -> str:
    """A value as an answer shows it: no quotes, whole floats without their point, lists as a, b and c."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list):
        items = [shown_value(item) for item in cast("list[Any]", value)]
        return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else "none"
    return "none" if value is None else str(value)


_ERRORS = texts("tools", "errors")
REFUSAL = "the user did not allow this call"
_FAILED = texts("tools", "failed")


def failed(rng: Random, ask: Ask, error: str | None = None) -> Ask:
    """The same request, but the tool fails; the answer reports the error in its words."""
    if error is None:
        if rng.random() < 0.2:
            error = REFUSAL
        else:
            texts = [(name, value) for name, value in ask.arguments.items() if isinstance(value, (str, int, float))]
            error = rng.choice(_ERRORS)
            if not texts:
                error = rng.choice(_ERRORS[:11])
            name, value = rng.choice(texts) if texts else ("", "")
            error = error.format(
                n=rng.randrange(2, 600), name=name, value=value, words=free_text(rng, 2, 7), tool=ask.tool
            )
    if error == REFUSAL:
        answer = rng.choice(
            (
                "I didn't do that, because you did not allow the call.",
                "All right, you did not allow that call, so I left it.",
            )
        )
    else:
        answer = rng.choice(_FAILED).format(error=error.rstrip("."), tool=ask.tool)
        if error.endswith("?"):
            answer = answer.removesuffix(".")
    return replace(ask, result={"error": error}, answer=answer)
