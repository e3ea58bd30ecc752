"""The statistics of the forecast: what follows from them for certain, whatever the figures."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.usage import Usage
from tallystick.report.outlook import LEAST_DAYS, Outlook, Series

COUNTS = st.lists(st.integers(0, 10**9), min_size=LEAST_DAYS, max_size=400)
ELAPSED = st.floats(0, 1)
AHEAD = st.integers(0, 366)

WEEK = (5, 5, 5, 5, 5, 1, 0)


def test_what_never_changes_is_foreseen_as_it_is() -> None:
    for days in (0, 1, 6, 29):
        ahead = Series([7] * 900).ahead(0.0, days)
        assert ahead == pytest.approx([7 * (days + 1)] * 3)


def test_the_rest_of_today_is_the_share_of_a_day() -> None:
    assert Series([8] * 900).ahead(0.75, 1) == pytest.approx([10.0] * 3)
    assert Series([8] * 900).ahead(1.0, 0) == pytest.approx([0.0] * 3)


@pytest.mark.parametrize("first", range(7))
def test_a_weekly_rhythm_is_kept_wherever_the_history_begins(first: int) -> None:
    history = [100 * WEEK[(first + i) % 7] for i in range(896)]
    for days in range(1, 14):
        coming = [100 * WEEK[(first + 896 + i) % 7] for i in range(days)]
        # Each factor is drawn towards 1 a little, so that it is not quite the rhythm's own.
        assert Series(history).ahead(0.0, days - 1).expected == pytest.approx(sum(coming), rel=0.04, abs=60)


def test_growth_is_foreseen_to_go_on() -> None:
    history = [round(100 * 1.005**i) for i in range(365)]
    coming = sum(100 * 1.005 ** (365 + i) for i in range(30))
    assert Series(history).ahead(0.0, 29).expected == pytest.approx(coming, rel=0.02)


def test_the_interval_is_wider_where_days_vary_more(randomness: random.Random) -> None:
    def width(noise: float) -> float:
        ahead = Series([round(1000 * randomness.uniform(1 - noise, 1 + noise)) for _ in range(365)]).ahead(0.0, 9)
        return ahead.high - ahead.low

    assert width(0.02) < width(0.2) < width(0.8)


def test_a_young_history_is_less_sure_than_an_old_one_of_the_same_days() -> None:
    days = [50, 60] * 200
    young, old = Series(days[:LEAST_DAYS]).ahead(0.0, 29), Series(days).ahead(0.0, 29)
    assert young.high - young.low > 3 * (old.high - old.low)


@given(COUNTS, ELAPSED, AHEAD)
def test_the_ends_lie_around_what_is_expected_and_nothing_is_negative(
    counts: list[int], elapsed: float, days: int
) -> None:
    low, expected, high = Series(counts).ahead(elapsed, days)
    assert 0 <= low <= expected <= high
    assert Series(counts).ahead(elapsed, days) == (low, expected, high)


@given(COUNTS, ELAPSED, AHEAD)
def test_a_thousand_times_the_jobs_are_foreseen_as_a_thousand_times_as_many(
    counts: list[int], elapsed: float, days: int
) -> None:
    one = Series(counts).ahead(elapsed, days)
    thousand = Series([1000 * count for count in counts]).ahead(elapsed, days)
    assert [end / 1000 for end in thousand] == pytest.approx(list(one), rel=1e-9, abs=1e-9)


@given(st.lists(st.integers(0, 1000), min_size=0, max_size=30), AHEAD)
def test_a_long_silence_is_foreseen_to_go_on(before: list[int], days: int) -> None:
    """However much there was before it: two years of nothing leave no level to speak of."""
    assert Series([*before, *[0] * 700]).ahead(0.0, days).high < 1


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10**6)), min_size=LEAST_DAYS, max_size=120), ELAPSED, AHEAD
)
def test_an_outlook_gives_whole_jobs_and_tokens_in_order(
    days: list[tuple[int, int]], elapsed: float, ahead: int
) -> None:
    outlook = Outlook([Usage(jobs, (tokens, 2 * tokens)) for jobs, tokens in days], (3, 2), elapsed)
    usages = outlook.usage(ahead)
    for least, most in pairwise(usages):
        assert 0 <= least.jobs <= most.jobs
        assert all(0 <= less <= more for less, more in zip(least.tokens, most.tokens, strict=True))
    assert usages[1].jobs == outlook.jobs(ahead).expected


def test_meters_without_a_price_do_not_count_in_what_jobs_are_worth() -> None:
    """The second meter's wild days widen its own interval, and not that of the cost."""
    days = [Usage(10, (1000, 10**6 * (i % 2))) for i in range(365)]
    low, _, high = Outlook(days, (1, 0), 0.0).usage(9)
    assert (low.tokens[0], high.tokens[0]) == (10_000, 10_000)
    assert Outlook(days, (0, 0), 0.0).usage(9)[0].jobs == 100
