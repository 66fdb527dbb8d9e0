"""The five errors: one status each, and what they tell a program and a person."""

import pytest

from hilt.conversation import Bug, HiltError, InvalidRequest, NotFound, Overloaded, Unavailable


def test_there_are_five_and_each_has_its_status() -> None:
    statuses = {InvalidRequest: 400, NotFound: 404, Overloaded: 429, Unavailable: 503, Bug: 500}
    assert set(HiltError.__subclasses__()) == set(statuses)
    assert {kind: kind.status for kind in statuses} == statuses


@pytest.mark.parametrize("kind", [InvalidRequest, NotFound, Unavailable, Bug])
def test_an_error_tells_what_where_and_which(kind: type[HiltError]) -> None:
    error = kind("no such thing", param="model", code="model_not_found")
    assert str(error) == error.message == "no such thing"
    assert (error.param, error.code) == ("model", "model_not_found")
    assert kind("no such thing").code == kind.code


def test_a_code_of_one_error_is_not_the_code_of_the_next() -> None:
    InvalidRequest("a", code="special")
    assert InvalidRequest("b").code == "invalid_request"


def test_overload_says_when_to_come_back() -> None:
    assert Overloaded("busy", retry_after_s=7).retry_after_s == 7
    assert Overloaded("busy").code == "overloaded"
