"""Instants are read to the microsecond, need an offset and lie in 1970-9999 (design rule 9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import InvalidInput
from tallystick.model import instants
from tallystick.model.instants import format_instant, from_datetime, parse_instant, to_datetime
from tests.reference import rater

INSTANTS = st.integers(instants.FIRST, instants.LAST)


@given(INSTANTS)
def test_an_instant_is_read_back_from_its_text(instant: int) -> None:
    assert parse_instant(format_instant(instant)) == instant
    assert from_datetime(to_datetime(instant)) == instant


@given(
    st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9998, 12, 31)),  # noqa: DTZ001 - the offset follows
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_an_offset_is_taken_off(wall: datetime, minutes: int) -> None:
    text = wall.replace(tzinfo=timezone(timedelta(minutes=minutes))).isoformat(timespec="microseconds")
    assert to_datetime(parse_instant(text)) == rater.instant(text)


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("2025-01-31T23:59:59.9999999Z", "2025-01-31T23:59:59.999999Z"),
        ("2025-01-31T23:59:59.999999999999999Z", "2025-01-31T23:59:59.999999Z"),
        ("2025-01-11T20:12:01.0000009Z", "2025-01-11T20:12:01Z"),
        ("2025-01-11T20:12:01.5Z", "2025-01-11T20:12:01.500000Z"),
        ("2025-01-11t20:12:01z", "2025-01-11T20:12:01Z"),
        ("2025-01-11 20:12:01+00:00", "2025-01-11T20:12:01Z"),
        ("2025-01-12T02:12:01+06:00", "2025-01-11T20:12:01Z"),
        ("2025-01-11T16:42:01-03:30", "2025-01-11T20:12:01Z"),
    ],
)
def test_one_instant_has_many_forms_and_finer_digits_are_cut(text: str, same_as: str) -> None:
    assert parse_instant(text) == parse_instant(same_as)


def test_the_first_and_the_last_instant() -> None:
    assert parse_instant("1970-01-01T00:00:00Z") == 0 == instants.FIRST
    assert parse_instant("9999-12-31T23:59:59.9999999Z") == instants.LAST
    assert format_instant(instants.LAST) == "9999-12-31T23:59:59.999999Z"


@pytest.mark.parametrize(
    "text",
    [
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+23:59",
    ],
)
def test_other_years_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"outside the years 1970 to 9999|is not a time"):
        parse_instant(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025-01-11",
        "2025-01-11T20:12:01",  # naive
        "2025-01-11T20:12Z",
        "2025-01-11T20:12:01+0100",
        "2025-01-11T20:12:01+24:00",
        "2025-01-11T24:00:00Z",
        "2025-01-11T20:60:00Z",
        "2016-12-31T23:59:60Z",  # a leap second has no microsecond of its own
        "2025-02-29T00:00:00Z",
        "2025-00-01T00:00:00Z",
        "2025-W02-6T20:12:01Z",
        "2025-01-11T20:12:01.Z",
        "2025-01-11T20:12:01,5Z",
        "2025-01-11T20:12:01Z ",
        "2025-01-11T20:12:01Z\n",
        "٢٠٢٥-01-11T20:12:01Z",
        "1736626321",
        "now",
    ],
)
def test_another_text_is_no_instant(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a time"):
        parse_instant(text)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(InvalidInput, match="without a time zone"):
        from_datetime(datetime(2025, 1, 11))  # noqa: DTZ001 - naive on purpose


def test_a_datetime_before_1970_is_refused() -> None:
    with pytest.raises(InvalidInput, match="outside the years"):
        from_datetime(datetime(1969, 12, 31, tzinfo=UTC))


def test_a_fraction_is_written_only_where_there_is_one() -> None:
    assert format_instant(parse_instant("2025-01-11T20:12:01Z")) == "2025-01-11T20:12:01Z"
    assert format_instant(parse_instant("2025-01-11T20:12:01.5Z")) == "2025-01-11T20:12:01.500000Z"
