"""Days and months of a zone agree with a walk along its wall clock, minute by minute (design rule 12)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model import instants
from tallystick.model.calendar import Calendar
from tallystick.model.instants import from_datetime, to_datetime
from tallystick.model.months import Month, format_day
from tests.reference import rater
from tests.reference.strategies import ERAS, Era

EPOCH = date(1970, 1, 1)
ZONES = sorted({era.zone for era in ERAS})


def calendar(zone: str) -> Calendar:
    return Calendar(rater.time_zone(zone))


def check_day(zone: str, day: date) -> None:
    """The product's day starts where the reference's does, and its instants belong to it."""
    days = calendar(zone)
    number = (day - EPOCH).days
    start = rater.day_start(zone, day)
    assert to_datetime(days.day_start(number)) == start
    for distance in (-1, 0, 1):
        moment = start + timedelta(microseconds=distance)
        instant = from_datetime(moment)
        assert format_day(days.day_of(instant)) == rater.day_of(zone, moment).isoformat()
        assert str(days.month_of(instant)) == rater.month_of(zone, moment)


@pytest.mark.parametrize("era", ERAS, ids=lambda era: f"{era.zone} {era.days[0]}")
def test_every_day_around_a_zones_peculiarities_starts_where_its_wall_clock_says(era: Era) -> None:
    day = era.days[0] - timedelta(days=7)
    while day < era.days[-1] + timedelta(days=7):
        check_day(era.zone, day)
        day += timedelta(days=1)


@given(st.sampled_from(ZONES), st.dates(date(1970, 1, 3), date(2060, 1, 1)))
def test_any_day_starts_where_its_wall_clock_says(zone: str, day: date) -> None:
    check_day(zone, day)


@given(st.sampled_from(ZONES), st.datetimes(datetime(1970, 1, 3), datetime(2060, 1, 1)))  # noqa: DTZ001 - read as UTC
def test_any_instant_belongs_to_the_day_that_started_last(zone: str, moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    days = calendar(zone)
    instant = from_datetime(moment)
    assert format_day(days.day_of(instant)) == rater.day_of(zone, moment).isoformat()


@given(st.sampled_from(ZONES), st.integers(2, 40_000))
def test_days_follow_each_other_without_gap_or_overlap(zone: str, day: int) -> None:
    days = calendar(zone)
    start, end = days.day_start(day), days.day_start(day + 1)
    assert start <= end
    assert days.day_span(day) == (start, end)
    if start < end:  # Apia's 2011-12-30 is empty
        assert days.day_of(start) == days.day_of(end - 1) == day
    assert days.day_of(end) > day


@given(st.sampled_from(ZONES), st.integers(1971 * 12, 2060 * 12).map(Month))
def test_a_month_runs_from_its_first_day_to_the_next_months(zone: str, month: Month) -> None:
    days = calendar(zone)
    assert days.month_start(month) == days.day_start(month.first_day)
    assert days.month_of(days.month_start(month)) == month
    assert days.month_of(days.month_start(month) - 1) == month - 1


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_first_and_the_last_instant_have_a_day_in_every_zone(zone: str) -> None:
    days = calendar(zone)
    assert format_day(days.day_of(instants.FIRST)) in {"1969-12-31", "1970-01-01"}
    assert format_day(days.day_of(instants.LAST)) == "9999-12-31"
    assert str(days.month_of(instants.LAST)) == "9999-12"
    assert days.month_start(Month.of(9999, 12) + 1) == instants.LAST + 1


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Pacific/Chatham"])
def test_days_never_fall_towards_the_end_of_time(zone: str) -> None:
    days = calendar(zone)
    hours = range(instants.LAST - 6 * instants.DAY, instants.LAST, instants.HOUR)
    told = [days.day_of(instant) for instant in hours]
    assert told == sorted(told)


class JumpBeforeMidnight(tzinfo):
    """Half past eleven in the evening of 10 June 2024 is followed by half past twelve. No real zone does so now."""

    jump = datetime(2024, 6, 10, 23, 30)  # noqa: DTZ001 - what the wall clock reads

    def utcoffset(self, moment: datetime | None) -> timedelta:
        assert moment is not None
        wall, hour = moment.replace(tzinfo=None, fold=0), timedelta(hours=1)
        in_the_gap = self.jump <= wall < self.jump + hour
        ahead = moment.fold == 1 if in_the_gap else wall >= self.jump
        return hour if ahead else timedelta()

    def dst(self, _moment: datetime | None) -> timedelta:
        return timedelta()

    def tzname(self, _moment: datetime | None) -> str:
        return "jumping"

    def fromutc(self, moment: datetime) -> datetime:
        return moment + timedelta(hours=1 if moment.replace(tzinfo=None) >= self.jump else 0)


def test_a_midnight_amid_a_jump_starts_the_day_at_the_jump() -> None:
    days = Calendar(JumpBeforeMidnight())
    day = (date(2024, 6, 11) - EPOCH).days
    jump = datetime(2024, 6, 10, 23, 30, tzinfo=UTC)
    assert to_datetime(days.day_start(day)) == jump
    assert days.day_of(from_datetime(jump)) == day
    assert days.day_of(from_datetime(jump) - 1) == day - 1
    assert to_datetime(days.day_start(day + 1)) == datetime(2024, 6, 11, 23, tzinfo=UTC)
