"""What an account has passed that it should hear of, from the numbers that its report is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from tallystick.model.money import tidy
from tallystick.model.months import Month
from tallystick.model.notices import Event, Occurrence, months_judged
from tallystick.model.plans import Plan
from tallystick.model.schedule import Schedule
from tallystick.store import plans, rollups, zones
from tallystick.store.database import Connection
from tallystick.store.notices import ChangedAccount


class Stretch(NamedTuple):
    """An account's live jobs in a month: those that came earlier, and those of the month itself."""

    plan: Plan
    before: int
    jobs: int


def occurrences(connection: Connection, accounts: Sequence[ChangedAccount], *, now: int) -> Iterator[Occurrence]:
    """What some accounts have passed in the months that are judged, said already or not.

    Takes a few statements for all of the accounts together; no job is read and nothing is rated.
    """
    judged = {
        account: months_judged(zones.calendar(account.time_zone), account.recorded_at, now) for account in accounts
    }
    schedules = plans.schedules(connection, [account.id for account in accounts])
    before = _jobs_before(connection, {month for months in judged.values() for month in months}, accounts)
    for account, months in judged.items():
        for month in months:
            stretch = _stretch(schedules[account.id], before, account.id, month)
            yield from passed(account.name, stretch)


def _jobs_before(
    connection: Connection, months: Collection[Month], accounts: Sequence[ChangedAccount]
) -> dict[Month, dict[int, int]]:
    """How many live jobs each account had before each of the months and before the one after it."""
    wanted = {*months, *(month + 1 for month in months)}
    ids = [account.id for account in accounts]
    return {month: rollups.jobs_before_month(connection, ids, month) for month in wanted}


def _stretch(schedule: Schedule, before: dict[Month, dict[int, int]], account_id: int, month: Month) -> Stretch:
    earlier = before[month].get(account_id, 0)
    return Stretch(schedule.plan_for(month), earlier, before[month + 1].get(account_id, 0) - earlier)


def passed(account: str, stretch: Stretch) -> Iterator[Occurrence]:
    """The thresholds whose last job falls into a stretch: of free jobs first, then tiers, ascending.

    A threshold of N jobs is passed by the N-th job: the next one is the first with another price (rating rule 1).
    """
    plan, before, jobs = stretch
    total = before + jobs

    def told(event: Event, rank: int, **data: object) -> Occurrence:
        return Occurrence(account, event, "", "", str(rank), {"account": account, **data, "jobs": total})

    low = rank_of_low(plan.free_jobs)
    left = max(0, plan.free_jobs - total)
    if low is not None and before < low <= total:
        yield told(Event.FREE_JOBS_LOW, low, free_jobs=plan.free_jobs, free_jobs_left=left)
    if before < plan.free_jobs <= total:
        yield told(Event.FREE_JOBS_EXHAUSTED, plan.free_jobs, free_jobs=plan.free_jobs, free_jobs_left=left)
    for number, tier in enumerate(plan.tiers, 1):
        if before < tier.after_jobs <= total:
            yield told(
                Event.TIER_REACHED,
                tier.after_jobs,
                tier=number,
                after_jobs=tier.after_jobs,
                discount=tidy(tier.discount),
            )


def rank_of_low(free_jobs: int) -> int | None:
    """The job after which a tenth of the free jobs, or less, is left; `None` where a tenth is not one job."""
    left = free_jobs // 10
    return free_jobs - left if left else None
