"""Where an account stands in its plan, and which months have jobs."""

from __future__ import annotations

from tallystick.model.money import EXACT, ZERO, tidy
from tallystick.model.months import Month
from tallystick.model.overview import RECENT_DAYS, Overview, Standing, TierMark
from tallystick.model.plans import Reset
from tallystick.rating.bands import free_jobs_left, tier_after
from tallystick.rating.stretches import rate
from tallystick.report.usage import Opened
from tallystick.store import rollups
from tallystick.store.database import Connection


def overview(connection: Connection, opened: Opened, *, now: int) -> Overview:
    """An account as it stands at an instant."""
    account, subject, _ = opened
    today = subject.calendar.day_of(now)
    current = Month.of_day(today)
    months = rollups.jobs_by(connection, account.id, "month", Month.of(1, 1).index, Month.of(9999, 12).index)
    return Overview(
        account=account.name,
        time_zone=account.time_zone,
        currency=account.currency,
        current_month=str(current),
        today=today,
        months=tuple(str(Month(index)) for index, jobs in months if jobs),
        meters=subject.meters,
        standing=_standing(connection, opened, current, today),
    )


def _standing(connection: Connection, opened: Opened, current: Month, today: int) -> Standing:
    account, subject, reader = opened
    plan = subject.schedule.plan_for(current)
    opening = rollups.jobs_before_month(connection, [account.id], current).get(account.id, 0)
    recent_jobs, recent_cost = 0, ZERO
    for _, stretch in reader.days(today - RECENT_DAYS + 1, today):
        for line in rate(stretch, subject.meters):
            recent_jobs += line.usage.jobs
            recent_cost = EXACT.add(recent_cost, line.base_cost)
    monthly = plan.reset is Reset.MONTH
    return Standing(
        plan=plan.name,
        free_jobs=plan.free_jobs,
        free_jobs_left=free_jobs_left(plan, account.live_jobs, opening),
        free_monthly=plan.free_jobs_reset is Reset.MONTH,
        counted_jobs=account.live_jobs - (opening if monthly else 0),
        monthly=monthly,
        days_left=current.last_day - today + 1,
        tier=tier_after(plan, account.live_jobs, opening),
        tiers=tuple(
            TierMark(number=number, after_jobs=tier.after_jobs, discount=tidy(tier.discount))
            for number, tier in enumerate(plan.tiers, 1)
        ),
        recent_jobs=recent_jobs,
        recent_base_cost=tidy(recent_cost),
    )
