"""Bands: the stretches of ranks in which a plan's price does not change.

"After N jobs" means: a job is priced by how many live jobs came before it (rating rule 1). So the free quota
ends, and a tier starts, between rank N and rank N + 1, and N is a boundary.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from tallystick.model.plans import Plan, Tier


class Band(NamedTuple):
    """The ranks `after` + 1 to `up_to` (`None`: without end): the tier they are in, from 1, and if they are free."""

    after: int
    up_to: int | None
    tier: int
    free: bool


@lru_cache(maxsize=1024)
def bands(plan: Plan) -> tuple[Band, ...]:
    """The bands of a plan, ascending, from rank 1 without a gap."""
    starts = sorted({0, plan.free_jobs, *(tier.after_jobs for tier in plan.tiers)})
    ends = [*starts[1:], None]
    return tuple(
        Band(start, end, tier_after(plan, start), start < plan.free_jobs)
        for start, end in zip(starts, ends, strict=True)
    )


def tier_after(plan: Plan, jobs: int) -> int:
    """The number, from 1, of the tier of the job that comes after `jobs` others."""
    return sum(1 for tier in plan.tiers if tier.after_jobs <= jobs)


def tier_of(plan: Plan, number: int) -> Tier:
    """The tier of that number."""
    return plan.tiers[number - 1]


def band_of(plan: Plan, rank: int) -> Band:
    """The band in which a rank lies."""
    return next(band for band in reversed(bands(plan)) if band.after < rank)
