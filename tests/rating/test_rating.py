"""Rating: which ranks have which price, and what a stretch of jobs costs, exactly."""

from __future__ import annotations

from decimal import Context, Decimal

import pytest

from tallystick.model.plans import Meter, Plan, parse_plan
from tallystick.model.usage import Usage
from tallystick.rating.bands import Band, band_of, bands, tier_after, tier_of
from tallystick.rating.stretches import Stretch, base_cost, final_cost, inner_ranks, rate

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
    assert [tuple(band) for band in bands(plan(free_jobs, *tiers))] == expected


@pytest.mark.parametrize("rank", [1, 2, 99, 100, 101, 1000, 1001, 3000, 3001, 5000, 5001, 10**12])
def test_a_job_is_priced_by_how_many_came_before_it(rank: int) -> None:
    band = band_of(STANDARD, rank)
    assert band.after < rank
    assert band.up_to is None or rank <= band.up_to
    assert band.free == (rank <= 100)
    assert band.tier == tier_after(STANDARD, rank - 1)
    assert tier_of(STANDARD, band.tier).after_jobs <= rank - 1


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
