"""Months and days as they are written, counted and bounded."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import InvalidInput
from tallystick.model.months import Month, format_day, parse_day

MONTHS = st.builds(Month.of, st.integers(1, 9999), st.integers(1, 12))
EPOCH = date(1970, 1, 1)


@given(MONTHS)
def test_a_month_is_read_back_from_its_text(month: Month) -> None:
    assert Month.parse(str(month)) == month
    assert f"{month.year:04}-{month.month:02}" == str(month)


@pytest.mark.parametrize(
    "text",
    [
        "2025-13",
        "2025-00",
        "2025-1",
        "x",
        "",
        "2025",
        "202501",
        "25-01",
        "2025-01-01",
        " 2025-01",
        "2025-01\n",
        "٢٠٢٥-٠١",
        "0000-01",
        "-001-01",
        "2025/01",
    ],
)
def test_another_text_is_no_month_and_the_error_names_the_parameter(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Month.parse(text, "end_month")
    assert caught.value.code == "invalid_month"
    assert [error.parameter for error in caught.value.errors] == ["end_month"]


def test_what_is_no_text_is_no_month() -> None:
    with pytest.raises(InvalidInput, match="YYYY-MM"):
        Month.parse(202501)  # type: ignore[arg-type]


@given(st.dates(min_value=EPOCH))
def test_the_month_of_a_day_holds_it(day: date) -> None:
    number = (day - EPOCH).days
    month = Month.of_day(number)
    assert (month.year, month.month) == (day.year, day.month)
    assert month.first_day <= number <= month.last_day


def test_days_and_months_before_1970_are_negative_days() -> None:
    assert Month.of_day(-1) == Month.of(1969, 12)
    assert Month.of(1969, 12).last_day == -1
    assert Month.of(1969, 12).first_day == -31


def test_the_last_month_ends_where_dates_end() -> None:
    assert Month.of(9999, 12).last_day == (date.max - EPOCH).days
    assert Month.of(9999, 12).last_day - Month.of(9999, 12).first_day == 30


@given(MONTHS.filter(lambda month: month.year < 9999))
def test_months_follow_each_other_without_gap(month: Month) -> None:
    assert (month + 1).first_day == month.last_day + 1
    assert (month + 1) - 1 == month


def test_february_has_29_days_in_a_leap_year() -> None:
    assert format_day(Month.of(2024, 2).last_day) == "2024-02-29"
    assert format_day(Month.of(1900, 2).last_day) == "1900-02-28"


def test_a_range_of_months_includes_both_ends_and_ascends() -> None:
    months = Month.of(2024, 11).to(Month.of(2025, 2))
    assert [str(month) for month in months] == ["2024-11", "2024-12", "2025-01", "2025-02"]
    assert list(Month.of(2025, 2).to(Month.of(2025, 1))) == []


@given(st.dates())
def test_a_day_is_read_back_from_its_text(day: date) -> None:
    number = (day - EPOCH).days
    assert format_day(number) == day.isoformat()
    assert parse_day(day.isoformat(), "start") == number


@pytest.mark.parametrize(
    "text", ["2025-02-29", "2025-1-01", "20250101", "2025-W01-1", "x", "", "2025-01-01T00", "0000-01-01"]
)
def test_another_text_is_no_day_and_the_error_names_the_parameter(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_day(text, "start")
    assert caught.value.code == "invalid_day"
    assert [error.parameter for error in caught.value.errors] == ["start"]
