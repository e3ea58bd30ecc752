"""How an error reads on standard error."""

from __future__ import annotations

import pytest

from tallystick.cli.failures import message
from tallystick.errors import (
    BadRequest,
    FieldError,
    InvalidInput,
    InvalidPlan,
    NotFound,
    ResourceNotFound,
    TallystickError,
)


def answered(detail: str, errors: tuple[FieldError, ...]) -> BadRequest:
    error = BadRequest(detail, status=422, code="invalid", request_id="r1")
    error.errors = errors
    return error


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (NotFound("there is no account 'x'"), ["error: there is no account 'x'"]),
        (InvalidInput.parameter("start_month", "must be a month"), ["error: start_month: must be a month"]),
        (InvalidPlan([FieldError("is missing", key="name")]), ["error: name: is missing"]),
        (
            InvalidPlan([FieldError("is missing", key="name"), FieldError("is missing", key="currency")]),
            ["error: 2 mistakes", "  name: is missing", "  currency: is missing"],
        ),
        (
            InvalidInput("The body does not fit.", errors=[FieldError("is too long", pointer="/name")]),
            ["error: The body does not fit.", "  /name: is too long"],
        ),
        (
            ResourceNotFound("No such account.", status=404, code="unknown_account", request_id="r1"),
            ["error: No such account. (404, unknown_account, request r1)"],
        ),
        (
            answered("a: x; b: y", (FieldError("x", key="a"), FieldError("y", key="b"))),
            ["error: 2 mistakes (422, invalid, request r1)", "  a: x", "  b: y"],
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, TallystickError) else "",
)
def test_a_message_says_what_is_wrong_and_where_and_nothing_twice(error: TallystickError, lines: list[str]) -> None:
    assert message(error) == lines
