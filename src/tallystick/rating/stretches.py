"""Stretches: consecutive jobs of an account (a month's, a day's) and their split at boundaries.

A stretch knows how many jobs came before it, its sums per key, and for each boundary that falls inside it the
sums per key up to that boundary. Subtracting neighbouring sums gives each band's jobs and tokens, and a price is
a multiplication: no single job is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache

import msgspec

from tallystick.model.money import EXACT, ZERO
from tallystick.model.plans import Meter, Plan
from tallystick.model.usage import Usage, jobs_of
from tallystick.rating.bands import Band, bands, tier_of

Sums = Mapping[int, Usage]
"""Usage per key, by the key's number."""


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """Consecutive live jobs of one account under one plan, within one month where the plan counts by month.

    `before` counts the live jobs that came earlier, `opening` those of them that came before the month; `usage` holds
    all of the stretch; `cuts` maps each rank of `inner_ranks` to the sums of the stretch's jobs up to that rank.
    """

    plan: Plan
    before: int
    usage: Sums
    cuts: Mapping[int, Sums]
    opening: int = 0


class Line(msgspec.Struct, frozen=True, gc=False):
    """One key's jobs of a stretch in one band, and what they cost."""

    key: int
    band: Band
    usage: Usage
    base_cost: Decimal
    final_cost: Decimal


def inner_ranks(plan: Plan, before: int, jobs: int, opening: int = 0) -> list[int]:
    """The boundaries that fall inside a stretch of `jobs` jobs after `before` others: neither at its start nor end."""
    return [band.after for band in bands(plan, opening) if before < band.after < before + jobs]


def rate(stretch: Stretch, meters: tuple[Meter, ...]) -> Iterator[Line]:
    """The lines of a stretch: keys in each band, with exact costs. Free jobs have lines that cost 0."""
    prices = stretch.plan.unit_prices(meters)
    for band, usage in _by_band(stretch):
        discount = tier_of(stretch.plan, band.tier).discount
        for key, part in usage.items():
            if part.jobs:
                base = ZERO if band.free else base_cost(part.tokens, prices)
                yield Line(key, band, part, base, final_cost(base, discount))


def covered_ranks(stretch: Stretch, band: Band) -> tuple[int, int]:
    """The first and the last rank of a stretch that lie in one of its bands, both included."""
    end = stretch.before + jobs_of(stretch.usage)
    return max(band.after, stretch.before) + 1, end if band.up_to is None else min(band.up_to, end)


def meter_cost(quantity: int, unit_price: Decimal, discount: Decimal) -> tuple[Decimal, Decimal]:
    """The cost of one meter's tokens before and after a discount in percent; those of all meters sum to a line's."""
    base = EXACT.multiply(unit_price, quantity)
    return base, final_cost(base, discount)


def base_cost(tokens: tuple[int, ...], unit_prices: tuple[Decimal, ...]) -> Decimal:
    """Tokens times price, over all meters (rating rule 2)."""
    cost = ZERO
    for count, price in zip(tokens, unit_prices, strict=True):
        cost = EXACT.fma(price, count, cost)
    return cost


def final_cost(base: Decimal, discount: Decimal) -> Decimal:
    """`base` less a discount in percent, exactly (rating rules 2 and 3)."""
    return EXACT.multiply(base, _share_left(discount))


@lru_cache(maxsize=1024)
def _share_left(discount: Decimal) -> Decimal:
    return EXACT.subtract(1, EXACT.scaleb(discount, -2))


def _by_band(stretch: Stretch) -> Iterator[tuple[Band, Sums]]:
    end = stretch.before + jobs_of(stretch.usage)
    reached: Sums = {}
    for band in bands(stretch.plan, stretch.opening):
        if band.after >= end:
            break
        if band.up_to is not None and band.up_to <= stretch.before:
            continue
        upper = stretch.usage if band.up_to is None or band.up_to >= end else stretch.cuts[band.up_to]
        yield band, _difference(upper, reached)
        reached = upper


def _difference(upper: Sums, lower: Sums) -> Sums:
    return {key: usage.minus(lower[key]) if key in lower else usage for key, usage in upper.items()}
