"""A typed function becomes a spec, a validator and a tool."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from hilt.tools import Registry, tool
from hilt.tools.schema import validated


class Place(BaseModel):
    """A place on a map."""

    title: str
    north: float = Field(description="Degrees north.")


def test_the_signature_becomes_the_schema() -> None:
    @tool(effect="external", timeout_s=3)
    def plan_trip(
        goal: Annotated[Place, Field(description="Where to go.")],
        days: Annotated[int, Field(description="How long.", ge=1)] = 2,
        by: Literal["train", "boat"] = "train",
        title: str | None = None,
        stops: list[Place] | None = None,
        extra: dict[str, int] | None = None,
    ) -> str:
        """Plan a trip
        to somewhere.

        This paragraph is for people.
        """
        return "planned"

    assert plan_trip.spec.name == "plan_trip"
    assert plan_trip.spec.description == "Plan a trip to somewhere."
    assert (plan_trip.effect, plan_trip.timeout_s) == ("external", 3)
    place = {
        "type": "object",
        "description": "A place on a map.",
        "properties": {"title": {"type": "string"}, "north": {"type": "number", "description": "Degrees north."}},
        "required": ["title", "north"],
    }
    assert plan_trip.spec.parameters == {
        "type": "object",
        "properties": {
            "goal": {"$ref": "#/$defs/Place", "description": "Where to go."},
            "days": {"type": "integer", "description": "How long.", "default": 2, "minimum": 1},
            "by": {"type": "string", "default": "train", "enum": ["train", "boat"]},
            "title": {"type": "string"},
            "stops": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
            "extra": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        "required": ["goal"],
        "$defs": {"Place": place},
    }


def test_parameters_may_have_any_name() -> None:
    @tool(effect="read")
    def odd(copy: int, schema: str, model_config: bool, json: float = 1.5, self: int = 3) -> None:
        """Take parameters named like attributes of the validator."""

    assert list(odd.spec.parameters["properties"]) == ["copy", "schema", "model_config", "json", "self"]
    arguments = {"copy": 1, "schema": "s", "model_config": True}
    assert validated(odd.arguments, arguments) == {**arguments, "json": 1.5, "self": 3}


def test_nan_hidden_in_a_string_is_refused() -> None:
    @tool(effect="read")
    def take(number: float) -> None:
        """Take a number."""

    for text in ("NaN", "Infinity", "-inf"):
        with pytest.raises(ValueError, match="number: Input should be a finite number"):
            validated(take.arguments, {"number": text})


def test_a_nested_fault_names_its_place_and_a_long_value_is_cut() -> None:
    @tool(effect="read")
    def take(place: Place) -> None:
        """Take a place."""

    with pytest.raises(ValueError, match=r"^place\.north: Input should be a valid number.*x…$"):
        validated(take.arguments, {"place": {"title": "a", "north": "x" * 500}})
    with pytest.raises(ValueError, match=r"place\.north: this parameter is required"):
        validated(take.arguments, {"place": {"title": "a"}})


def test_a_tool_without_parameters_says_so() -> None:
    @tool(effect="read")
    def none() -> None:
        """Take nothing."""

    with pytest.raises(ValueError, match="x: there is no such parameter; the tool takes none"):
        validated(none.arguments, {"x": 1})


def _undocumented(a: int) -> None: ...


def _unannotated(a) -> None:
    """Do."""


def _positional(a: int, /) -> None:
    """Do."""


def _starred(*a: int) -> None:
    """Do."""


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (_undocumented, "_undocumented needs a docstring"),
        (_unannotated, "_unannotated: parameter a has no annotation"),
        (_positional, "_positional: parameter a can't be given by name"),
        (_starred, "_starred: parameter a can't be given by name"),
    ],
)
def test_a_function_that_makes_no_tool_is_refused(function: Any, error: str) -> None:
    with pytest.raises(TypeError, match=error):
        tool(effect="read")(function)


def test_a_registry_is_sorted_and_has_no_name_twice() -> None:
    def named(name: str) -> Any:
        def function() -> None:
            """Do."""

        function.__name__ = name
        return tool(effect="read")(function)

    b, a = named("b"), named("a")
    registry = Registry((b, a))
    assert registry.names == ("a", "b")
    assert [spec.name for spec in registry.specs] == ["a", "b"]
    assert registry.get("b") is b
    assert registry.get("B") is b
    assert registry.get("c") is None
    with pytest.raises(ValueError, match="two tools have the same name: a; give one of them another"):
        Registry((a, b, named("a")))
