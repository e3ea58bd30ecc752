"""Rating: which ranks have which price, and what a stretch of jobs costs, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any

import msgspec
import pytest

from tallystick.model.plans import Meter, Plan, Reset, parse_plan
from tallystick.model.usage import Usage
from tallystick.rating.bands import Band, band_of, bands, free_jobs_left, tier_after, tier_of
from tallystick.rating.stretches import (
    Stretch,
    base_cost,
    covered_ranks,
    final_cost,
    inner_ranks,
    meter_cost,
    rate,
)

WIDE = Context(prec=200)

METERS = (Meter("a", "a_tokens"), Meter("b", "b_tokens"))


def plan(free_jobs: int, *tiers: tuple[int, str], meters: tuple[tuple[str, str, int], ...] = (("a", "1", 1),)) -> Plan:
    return parse_plan(
        {
            "name": "p",
            "currency": "USD",
            "free_jobs": free_jobs,
            "meters": [{"id": name, "price": price, "per": per} for name, price, per in meters],
            "tiers": [{"after_jobs": after, "discount": discount} for after, discount in ((0, "0"), *tiers)],
        }
    )


def as_tuples(found: Sequence[Band]) -> list[tuple[Any, ...]]:
    return [msgspec.structs.astuple(band) for band in found]


STANDARD = plan(100, (1000, "7"), (3000, "12"), (5000, "15"))


def test_the_standard_plan_has_these_bands() -> None:
    assert bands(STANDARD) == (
        Band(0, 100, 1, free=True),
        Band(100, 1000, 1, free=False),
        Band(1000, 3000, 2, free=False),
        Band(3000, 5000, 3, free=False),
        Band(5000, None, 4, free=False),
    )


@pytest.mark.parametrize(
    ("free_jobs", "tiers", "expected"),
    [
        (0, (), [(0, None, 1, False)]),
        (1, (), [(0, 1, 1, True), (1, None, 1, False)]),
        (1, ((1, "5"),), [(0, 1, 1, True), (1, None, 2, False)]),
        (5, ((2, "5"),), [(0, 2, 1, True), (2, 5, 2, True), (5, None, 2, False)]),
        (2, ((5, "5"), (6, "6")), [(0, 2, 1, True), (2, 5, 1, False), (5, 6, 2, False), (6, None, 3, False)]),
    ],
)
def test_bands_cover_every_rank_once_also_where_boundaries_fall_together(
    free_jobs: int, tiers: tuple[tuple[int, str], ...], expected: list[tuple[int, int | None, int, bool]]
) -> None:
    assert as_tuples(bands(plan(free_jobs, *tiers))) == expected


@pytest.mark.parametrize("rank", [1, 2, 99, 100, 101, 1000, 1001, 3000, 3001, 5000, 5001, 10**12])
def test_a_job_is_priced_by_how_many_came_before_it(rank: int) -> None:
    band = band_of(STANDARD, rank)
    assert band.after < rank
    assert band.up_to is None or rank <= band.up_to
    assert band.free == (rank <= 100)
    assert band.tier == tier_after(STANDARD, rank - 1)
    assert tier_of(STANDARD, band.tier).after_jobs <= rank - 1


MONTHLY_TIERS = msgspec.structs.replace(STANDARD, reset=Reset.MONTH)
MONTHLY_FREE = msgspec.structs.replace(STANDARD, free_jobs_reset=Reset.MONTH)
MONTHLY = msgspec.structs.replace(MONTHLY_TIERS, free_jobs_reset=Reset.MONTH)


@pytest.mark.parametrize(
    ("plan", "opening", "expected"),
    [
        (STANDARD, 2500, as_tuples(bands(STANDARD))),
        (MONTHLY, 0, as_tuples(bands(STANDARD))),
        (MONTHLY, 2500, [(2500, 2600, 1, True), (2600, 3500, 1, False), (3500, 5500, 2, False)]),
        (MONTHLY_TIERS, 0, as_tuples(bands(STANDARD))),
        (MONTHLY_TIERS, 50, [(50, 100, 1, True), (100, 1050, 1, False), (1050, 3050, 2, False)]),
        (MONTHLY_TIERS, 2500, [(2500, 3500, 1, False), (3500, 5500, 2, False), (5500, 7500, 3, False)]),
        (MONTHLY_FREE, 950, [(950, 1000, 1, True), (1000, 1050, 2, True), (1050, 3000, 2, False)]),
        (MONTHLY_FREE, 900, [(900, 1000, 1, True), (1000, 3000, 2, False), (3000, 5000, 3, False)]),
        (MONTHLY_FREE, 2500, [(2500, 2600, 2, True), (2600, 3000, 2, False), (3000, 5000, 3, False)]),
        (MONTHLY_FREE, 7000, [(7000, 7100, 4, True), (7100, None, 4, False)]),
    ],
)
def test_a_count_that_starts_with_each_month_begins_behind_the_jobs_of_the_months_before(
    plan: Plan, opening: int, expected: list[tuple[int, int | None, int, bool]]
) -> None:
    found = bands(plan, opening)
    assert as_tuples(found[: len(expected)]) == expected
    assert found[-1].up_to is None
    for band in found:
        assert band_of(plan, band.after + 1, opening) == band
        assert tier_after(plan, band.after, opening) == band.tier


def test_the_free_jobs_that_are_left_are_those_of_the_month_where_they_are_given_anew() -> None:
    assert [free_jobs_left(STANDARD, jobs) for jobs in (0, 99, 100, 101)] == [100, 1, 0, 0]
    assert free_jobs_left(STANDARD, 130, opening=120) == 0
    assert [free_jobs_left(MONTHLY_FREE, jobs, opening=120) for jobs in (120, 130, 219, 220, 500)] == [100, 90, 1, 0, 0]
    assert free_jobs_left(MONTHLY_TIERS, 130, opening=120) == 0


def test_boundaries_of_a_month_lie_behind_its_opening_rank() -> None:
    assert inner_ranks(MONTHLY, 2500, 10_000, opening=2500) == [2600, 3500, 5500, 7500]
    assert inner_ranks(MONTHLY, 2600, 900, opening=2500) == []
    assert inner_ranks(MONTHLY_FREE, 950, 3000, opening=950) == [1000, 1050, 3000]


def test_a_stretch_within_a_month_is_rated_by_the_months_count() -> None:
    stretch = Stretch(MONTHLY, 3400, {1: Usage(200, (200, 0))}, {3500: {1: Usage(100, (30, 0))}}, opening=2500)
    assert [(line.band.tier, line.usage.tokens[0], line.final_cost) for line in rate(stretch, METERS)] == [
        (1, 30, Decimal(30)),
        (2, 170, Decimal("158.1")),
    ]


def test_what_a_band_covers_of_a_stretch_ends_where_either_ends() -> None:
    stretch = Stretch(STANDARD, 50, {1: Usage(1000, (1, 0))}, {})
    assert [covered_ranks(stretch, band) for band in bands(STANDARD)[:3]] == [(51, 100), (101, 1000), (1001, 1050)]
    assert covered_ranks(Stretch(STANDARD, 6000, {1: Usage(5, (1, 0))}, {}), bands(STANDARD)[-1]) == (6001, 6005)


def test_the_costs_of_the_meters_sum_to_the_cost_of_all() -> None:
    first, second = meter_cost(10, Decimal("0.3"), Decimal("7.5")), meter_cost(7, Decimal("0.02"), Decimal("7.5"))
    base = base_cost((10, 7), (Decimal("0.3"), Decimal("0.02")))
    assert first[0] + second[0] == base
    assert first[1] + second[1] == final_cost(base, Decimal("7.5"))


def test_boundaries_inside_a_stretch_are_neither_at_its_start_nor_at_its_end() -> None:
    assert inner_ranks(STANDARD, 0, 99) == inner_ranks(STANDARD, 0, 100) == []
    assert inner_ranks(STANDARD, 0, 101) == [100]
    assert inner_ranks(STANDARD, 100, 900) == []
    assert inner_ranks(STANDARD, 100, 901) == [1000]
    assert inner_ranks(STANDARD, 99, 10_000) == [100, 1000, 3000, 5000]
    assert inner_ranks(STANDARD, 5000, 10**6) == []
    assert inner_ranks(STANDARD, 50, 0) == []


def test_a_stretch_without_cuts_is_rated_whole() -> None:
    (line,) = rate(Stretch(STANDARD, 2000, {7: Usage(3, (10, 0))}, {}), METERS)
    assert (line.key, line.band.tier, line.usage) == (7, 2, Usage(3, (10, 0)))
    assert (line.base_cost, line.final_cost) == (Decimal(10), Decimal("9.3"))


def test_a_stretch_of_nothing_has_no_lines() -> None:
    assert list(rate(Stretch(STANDARD, 0, {}, {}), METERS)) == []
    assert list(rate(Stretch(STANDARD, 5000, {}, {}), METERS)) == []


def test_a_cut_stretch_gives_each_band_its_own_jobs_of_each_key() -> None:
    """Ranks 98 to 1002: three are free, two lie in the second tier."""
    stretch = Stretch(
        plan=STANDARD,
        before=97,
        usage={1: Usage(600, (6000, 0)), 2: Usage(305, (305, 0))},
        cuts={100: {2: Usage(3, (3, 0))}, 1000: {1: Usage(599, (5000, 0)), 2: Usage(304, (304, 0))}},
    )
    lines = [
        (line.key, line.band.tier, line.band.free, line.usage.jobs, line.base_cost) for line in rate(stretch, METERS)
    ]
    assert lines == [
        (2, 1, True, 3, Decimal(0)),
        (1, 1, False, 599, Decimal(5000)),
        (2, 1, False, 301, Decimal(301)),
        (1, 2, False, 1, Decimal(1000)),
        (2, 2, False, 1, Decimal(1)),
    ]
    assert sum(line.usage.jobs for line in rate(stretch, METERS)) == 905


def test_free_jobs_cost_nothing_and_have_their_tokens() -> None:
    (line,) = rate(Stretch(STANDARD, 0, {1: Usage(5, (10**9, 0))}, {}), METERS)
    assert (line.usage.tokens, line.base_cost, line.final_cost) == ((10**9, 0), Decimal(0), Decimal(0))


def test_a_meter_that_a_plan_lacks_is_priced_zero() -> None:
    prices = plan(0, meters=(("b", "3", 1000),)).unit_prices(METERS)
    assert prices == (Decimal(0), Decimal("0.003"))
    assert base_cost((10**15, 7), prices) == Decimal("0.021")


def test_cost_is_exact_to_the_last_digit_of_the_largest_sums() -> None:
    """Checked in whole numbers: a price has at most 20 decimal places, a discount six as a fraction."""
    most = 2**63 - 1
    prices = plan(0, meters=(("a", "0.000000000001", 10**8), ("b", "999999999.999999999999", 1))).unit_prices(METERS)
    scaled = most * (1 + 999_999_999_999_999_999_999 * 10**8)
    base = base_cost((most, most), prices)
    assert str(base.scaleb(20, WIDE).quantize(Decimal(1), context=WIDE)) == str(scaled)
    final = final_cost(base, Decimal("33.3333"))
    assert str(final.scaleb(26, WIDE).quantize(Decimal(1), context=WIDE)) == str(scaled * (10**6 - 333_333))


@pytest.mark.parametrize(("discount", "final"), [("0", "8"), ("12.5", "7"), ("0.0001", "7.999992"), ("100", "0")])
def test_a_discount_is_taken_exactly(discount: str, final: str) -> None:
    assert final_cost(Decimal(8), Decimal(discount)) == Decimal(final)
