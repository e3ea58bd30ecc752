"""Periods are checked before any clock is asked: their form, their order and their length."""

from __future__ import annotations

import pytest

from tallystick.errors import InvalidInput
from tallystick.model.months import Month
from tallystick.model.periods import MAX_MONTHS, check_days, check_months


def test_ends_that_are_left_out_stay_open() -> None:
    assert check_months(None, None) == (None, None)
    assert check_months("2025-01", None) == (Month.of(2025, 1), None)
    assert check_months(None, "2025-03") == (None, Month.of(2025, 3))
    assert check_days(None, None) == (None, None)


def test_one_month_and_120_months_are_periods() -> None:
    assert check_months("2025-01", "2025-01") == (Month.of(2025, 1), Month.of(2025, 1))
    assert check_months("2015-02", "2025-01") == (Month.of(2025, 1) - (MAX_MONTHS - 1), Month.of(2025, 1))


@pytest.mark.parametrize(
    ("start", "end", "code", "parameter"),
    [
        ("2025-13", "2025-01", "invalid_month", "start_month"),
        ("2025-01", "2025-1", "invalid_month", "end_month"),
        ("2025-02", "2025-01", "invalid_period", "end_month"),
        ("2015-01", "2025-01", "invalid_period", "start_month"),
    ],
)
def test_a_wrong_month_a_reversed_range_and_121_months_are_refused(
    start: str, end: str, code: str, parameter: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_months(start, end)
    assert (caught.value.code, [error.parameter for error in caught.value.errors]) == (code, [parameter])


@pytest.mark.parametrize(
    ("start", "end", "code", "parameter"),
    [
        ("2025-02-30", None, "invalid_day", "start"),
        (None, "tomorrow", "invalid_day", "end"),
        ("2025-01-02", "2025-01-01", "invalid_period", "end"),
    ],
)
def test_a_wrong_day_and_a_reversed_range_of_days_are_refused(
    start: str | None, end: str | None, code: str, parameter: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_days(start, end)
    assert (caught.value.code, [error.parameter for error in caught.value.errors]) == (code, [parameter])


def test_a_single_day_is_a_period() -> None:
    assert check_days("1970-01-01", "1970-01-02") == (0, 1)
    assert check_days("1970-01-02", "1970-01-02") == (1, 1)
