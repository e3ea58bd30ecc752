"""The usage report by month and by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from tallystick.model.money import percentage_half_even, tidy
from tallystick.model.months import Month, format_day
from tallystick.model.plans import Meter
from tallystick.model.report import DailyReport, DayUsage, MonthUsage, Period, Totals, UsageReport
from tallystick.rating.bands import tier_after, tier_of
from tallystick.rating.stretches import Stretch, rate
from tallystick.report.history import Reader, Subject
from tallystick.report.period import resolve_days, resolve_months
from tallystick.report.tally import KeyTallies, Tally
from tallystick.store import accounts, meters, plans, rollups, zones
from tallystick.store.accounts import AccountRow
from tallystick.store.database import Connection

Months = Iterable[tuple[Month, Stretch]]


class Opened(NamedTuple):
    """An account opened for reading: its row, what its history needs, and the reader of it."""

    account: AccountRow
    subject: Subject
    reader: Reader


def open_account(connection: Connection, name: str) -> Opened:
    """The account of that name, ready to be read. Raises `NotFound` (code ``unknown_account``)."""
    account = accounts.account_named(connection, name)
    subject = Subject(
        account.id,
        zones.calendar(account.time_zone),
        plans.schedules(connection, [account.id])[account.id],
        meters.all_meters(connection),
    )
    return Opened(account, subject, Reader(connection, subject))


def usage_report(
    connection: Connection, opened: Opened, start_month: str | None, end_month: str | None, *, now: int
) -> UsageReport:
    """The contract's report. Raises `InvalidInput` for months that are none or a range that is too long."""
    account, subject, reader = opened
    current = subject.calendar.month_of(now)
    earliest = rollups.first_month(connection, [account.id]) if start_month is None else None
    first, last = resolve_months(start_month, end_month, current=current, earliest=earliest)
    usage = rollups.months(connection, [account.id], first, last, subject.meters)
    before = rollups.jobs_before_month(connection, [account.id], first).get(account.id, 0)
    months = reader.months(first, last, before=before, usage=usage.get(account.id, {}))
    free_jobs = subject.schedule.plan_for(current).free_jobs
    return build_report(
        months,
        subject.meters,
        key_names=accounts.key_names(connection, account.id),
        free_jobs_left=max(0, free_jobs - account.live_jobs),
        period=Period(str(first), str(last)),
        currency=account.currency,
    )


def build_report(
    months: Months,
    meters: tuple[Meter, ...],
    *,
    key_names: Mapping[int, str],
    free_jobs_left: int,
    period: Period,
    currency: str,
) -> UsageReport:
    """The report of rated months. Pure: the same stretches give the same report."""
    totals, keys = Tally(meters), KeyTallies(meters)
    breakdown: list[MonthUsage] = []
    most_tiers = 1
    for month, stretch in months:
        tally = Tally(meters)
        for line in rate(stretch, meters):
            tally.add(line)
            keys.add(line)
        totals.merge(tally)
        most_tiers = max(most_tiers, len(stretch.plan.tiers))
        breakdown.append(_month(month, stretch, tally))
    return UsageReport(
        period=period,
        totals=Totals(
            jobs=totals.jobs,
            tokens=totals.tokens_by_field,
            base_cost=totals.base,
            final_cost=totals.final,
            savings=totals.savings,
            effective_discount_percentage=tidy(percentage_half_even(totals.savings, totals.base)),
            free_jobs_left=free_jobs_left,
        ),
        monthly_breakdown=tuple(breakdown),
        api_keys=keys.report(key_names, most_tiers),
        currency=currency,
    )


def _month(month: Month, stretch: Stretch, tally: Tally) -> MonthUsage:
    return MonthUsage(
        month=str(month),
        jobs=tally.jobs,
        tokens=tally.tokens_by_field,
        base_cost=tally.base,
        final_cost=tally.final,
        savings=tally.savings,
        current_tier_discount=_next_discount(stretch, tally.jobs),
        tiers=tally.tiers(len(stretch.plan.tiers)),
    )


def _next_discount(stretch: Stretch, jobs: int) -> Decimal:
    """The discount that the next job would get at the end of a stretch (rating rule 2)."""
    return tidy(tier_of(stretch.plan, tier_after(stretch.plan, stretch.before + jobs)).discount)


def daily_report(
    connection: Connection, opened: Opened, start: str | None, end: str | None, *, now: int
) -> DailyReport:
    """The report by day and key. Raises `InvalidInput` for days that are none or a range that is too long."""
    account, subject, reader = opened
    first, last = resolve_days(start, end, today=subject.calendar.day_of(now))
    names = accounts.key_names(connection, account.id)
    days = tuple(_day(day, stretch, subject.meters, names) for day, stretch in reader.days(first, last))
    return DailyReport(start=format_day(first), end=format_day(last), days=days, currency=account.currency)


def _day(day: int, stretch: Stretch, meters: tuple[Meter, ...], names: Mapping[int, str]) -> DayUsage:
    tally, keys = Tally(meters), KeyTallies(meters)
    for line in rate(stretch, meters):
        tally.add(line)
        keys.add(line)
    return DayUsage(
        day=format_day(day),
        jobs=tally.jobs,
        tokens=tally.tokens_by_field,
        base_cost=tally.base,
        final_cost=tally.final,
        savings=tally.savings,
        api_keys=keys.report(names, len(stretch.plan.tiers)),
    )
