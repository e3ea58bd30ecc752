"""What an account has passed that it should hear of, from the numbers that its report is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from tallystick.model.money import tidy
from tallystick.model.months import Month
from tallystick.model.notices import Event, Occurrence, months_judged
from tallystick.model.plans import Plan, Reset
from tallystick.rating.bands import free_jobs_left, last_free_rank, rank_before
from tallystick.report.budgetnotices import Judged, passed_budgets
from tallystick.report.closingnotices import closed_months, closings, late_jobs
from tallystick.store import plans, rollups, zones
from tallystick.store.database import Connection
from tallystick.store.notices import ChangedAccount


class MonthJobs(NamedTuple):
    """An account's live jobs around a month: how many came before it, and how many up to its end."""

    month: Month
    before: int
    through: int


class Look(NamedTuple):
    """What some accounts should hear of, said already or not, and the accounts as having been told of it.

    `derived` are the boundaries that were not kept and had to be found, by account.
    """

    occurrences: list[Occurrence]
    accounts: list[ChangedAccount]
    derived: dict[int, set[int]]


def look(connection: Connection, accounts: Sequence[ChangedAccount], *, now: int) -> Look:
    """Looks at some accounts, in a few statements for all of them together where nothing is new."""
    months = {account: _months_judged(account, now) for account in accounts}
    schedules = plans.schedules(connection, [account.id for account in accounts])
    counts = _jobs_before(connection, {month for judged in months.values() for month in judged}, accounts)
    judged = [
        Judged(account, schedules[account.id], {month: counts[month].get(account.id, 0) for month in months[account]})
        for account in accounts
    ]
    seen = Look([], [], {})
    for account, schedule, before in judged:
        for month, jobs_before in before.items():
            jobs = MonthJobs(month, jobs_before, counts[month + 1].get(account.id, 0))
            seen.occurrences.extend(passed(account.name, schedule.plan_for(month), jobs))
        closed = closed_months(connection, account)
        seen.occurrences.extend(closings(account, closed))
        seen.occurrences.extend(late_jobs(connection, account, before))
        seen.accounts.append(account._replace(told_through=closed[-1].month) if closed else account)
    seen.occurrences.extend(passed_budgets(connection, judged, seen.derived))
    return seen


def _months_judged(account: ChangedAccount, now: int) -> tuple[Month, ...]:
    recorded_at = account.recorded_at if account.has_new_jobs else None
    return months_judged(zones.calendar(account.time_zone), recorded_at, now)


def _jobs_before(
    connection: Connection, months: Collection[Month], accounts: Sequence[ChangedAccount]
) -> dict[Month, dict[int, int]]:
    """How many live jobs each account had before each of the months and before the one after it."""
    wanted = {*months, *(month + 1 for month in months)}
    ids = [account.id for account in accounts]
    return {month: rollups.jobs_before_month(connection, ids, month) for month in wanted}


def passed(account: str, plan: Plan, jobs: MonthJobs) -> Iterator[Occurrence]:
    """The thresholds whose last job falls into a month: of free jobs first, then tiers, ascending.

    A threshold of N jobs is passed by the N-th job that the plan counts: the next one is the first with another price
    (rating rule 1). Where it counts anew each month, a threshold is said once a month.
    """
    month, before, through = jobs

    def told(event: Event, reset: Reset, rank: int, **data: object) -> Iterator[Occurrence]:
        if before < rank <= through:
            opening, period = (before, str(month)) if reset is Reset.MONTH else (0, "")
            data = {"account": account, **data, "jobs": through - opening}
            yield Occurrence(account, event, "", period, str(rank - opening), data)

    last_free = last_free_rank(plan, before)
    free = {"free_jobs": plan.free_jobs, "free_jobs_left": free_jobs_left(plan, through, before)}
    # Of fewer than ten free jobs there is no tenth, and the last of them is told of by itself.
    if tenth := plan.free_jobs // 10:
        yield from told(Event.FREE_JOBS_LOW, plan.free_jobs_reset, last_free - tenth, **free)
    if plan.free_jobs:
        yield from told(Event.FREE_JOBS_EXHAUSTED, plan.free_jobs_reset, last_free, **free)
    for number, tier in enumerate(plan.tiers[1:], 2):
        begins = {"tier": number, "after_jobs": tier.after_jobs, "discount": tidy(tier.discount)}
        yield from told(Event.TIER_REACHED, plan.reset, rank_before(plan, tier, before), **begins)
