"""Query parameters are taken strictly."""

from __future__ import annotations

import pytest

from tallystick.api.app import ROUTES
from tallystick.api.calls import OPTION
from tallystick.api.parameters import parse_query
from tallystick.errors import InvalidInput
from tests.api.service import Service, places, problem
from tests.api.test_routes import CASES

KNOWN = frozenset({"start_month", "end_month"})


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (b"", {}),
        (b"start_month=2025-01", {"start_month": "2025-01"}),
        (b"start_month=a%20b&end_month=%C3%A9%2F%26", {"start_month": "a b", "end_month": "é/&"}),
        (b"start%5Fmonth=a+b", {"start_month": "a b"}),
        (b"&start_month=1&", {"start_month": "1"}),
    ],
)
def test_what_is_declared_is_read(query: bytes, values: dict[str, str]) -> None:
    assert parse_query(query, KNOWN) == values


@pytest.mark.parametrize(
    ("query", "name", "word"),
    [
        (b"start_moth=2025-01", "start_moth", "known are: end_month, start_month"),
        (b"START_MONTH=2025-01", "START_MONTH", "known are"),
        (b"start_month=1&start_month=1", "start_month", "more than once"),
        (b"start_month=", "start_month", "empty"),
        (b"start_month", "start_month", "empty"),
        (b"=x", "(empty name)", "known are"),
        (b"start_month=1;end_month=2&x=1", "x", "known are"),
        (b"%00=1", "\0", "known are"),
        (b"a" * 5000 + b"=1", "a" * 60, "known are"),
    ],
)
def test_what_is_not_declared_repeated_or_empty_is_refused_by_name(query: bytes, name: str, word: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_query(query, KNOWN)
    assert error.value.code == "invalid_parameter"
    assert [place.parameter for place in error.value.errors] == [name]
    assert word in error.value.detail


@pytest.mark.parametrize("query", [b"start_month=%FF", b"%C3=1", b"start_month=\xff", b"&".join([b"a=1"] * 51)])
def test_a_query_that_cannot_be_read_is_refused(query: bytes) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_query(query, KNOWN)
    assert error.value.code == "invalid_parameter"


@pytest.mark.parametrize("operation", CASES)
def test_every_call_refuses_a_parameter_that_it_does_not_know(shared: Service, operation: str) -> None:
    request = CASES[operation][1](shared).request
    url = request.url.copy_add_param("limt", "5")
    response = shared.client.request(request.method, url, headers=request.headers, content=request.content)
    assert places(problem(response, 400, "invalid_parameter")) == ["limt"]


def test_a_call_takes_what_it_declares_and_nothing_else() -> None:
    for route in ROUTES:
        names = [parameter.name for parameter in route.opt[OPTION].parameters]
        assert len(names) == len(set(names))
