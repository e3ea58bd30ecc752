"""Bands: the stretches of ranks in which a plan's price does not change.

"After N jobs" means: a job is priced by how many live jobs came before it (rating rule 1). So the free quota
ends, and a tier starts, between rank N and rank N + 1, and N is a boundary. Where a plan counts anew each month, the
jobs before the month do not count: the boundary is N behind the month's opening rank. Ranks are lifetime ranks
throughout, so that a boundary names the same job whatever counts up to it.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from tallystick.model.plans import Plan, Reset, Tier


class Band(msgspec.Struct, frozen=True, gc=False):
    """The ranks `after` + 1 to `up_to` (`None`: without end): the tier they are in, from 1, and if they are free."""

    after: int
    up_to: int | None
    tier: int
    free: bool


def bands(plan: Plan, opening: int = 0) -> tuple[Band, ...]:
    """The bands of a month before which there were `opening` live jobs, ascending, without a gap.

    They begin with rank 1, or where the plan counts anything anew each month with the month's first rank.
    """
    return _bands(plan, opening if plan.counts_by_month else 0)


@lru_cache(maxsize=1024)
def _bands(plan: Plan, opening: int) -> tuple[Band, ...]:
    free_until = last_free_rank(plan, opening)
    changes = {free_until, *(rank_before(plan, tier, opening) for tier in plan.tiers)}
    starts = sorted({opening, *(rank for rank in changes if rank > opening)})
    ends = [*starts[1:], None]
    return tuple(
        Band(start, end, tier_after(plan, start, opening), start < free_until)
        for start, end in zip(starts, ends, strict=True)
    )


def _count_from(reset: Reset, opening: int) -> int:
    """The rank behind which jobs are counted."""
    return opening if reset is Reset.MONTH else 0


def last_free_rank(plan: Plan, opening: int = 0) -> int:
    """The rank of the last job of the free quota, in a month before which there were `opening` live jobs."""
    return _count_from(plan.free_jobs_reset, opening) + plan.free_jobs


def rank_before(plan: Plan, tier: Tier, opening: int = 0) -> int:
    """The rank behind which a tier begins, in a month before which there were `opening` live jobs."""
    return _count_from(plan.reset, opening) + tier.after_jobs


def tier_after(plan: Plan, jobs: int, opening: int = 0) -> int:
    """The number, from 1, of the tier of the job that comes after `jobs` others, `opening` of them before its month."""
    counted = jobs - _count_from(plan.reset, opening)
    return sum(1 for tier in plan.tiers if tier.after_jobs <= counted)


def free_jobs_left(plan: Plan, jobs: int, opening: int = 0) -> int:
    """What is left of the free quota after `jobs` jobs, `opening` of them before the month (rating rule 2)."""
    return max(0, plan.free_jobs - (jobs - _count_from(plan.free_jobs_reset, opening)))


def tier_of(plan: Plan, number: int) -> Tier:
    """The tier of that number."""
    return plan.tiers[number - 1]


def band_of(plan: Plan, rank: int, opening: int = 0) -> Band:
    """The band in which a rank lies, of a month before which there were `opening` live jobs."""
    return next(band for band in reversed(bands(plan, opening)) if band.after < rank)
