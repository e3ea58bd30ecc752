"""The usage report by month and by day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tallystick.model.months import Month, format_day
from tallystick.model.plans import Meter, Reset
from tallystick.model.report import DailyReport, DayUsage, Period, UsageReport
from tallystick.model.usagetable import UsageTable
from tallystick.rating.bands import free_jobs_left
from tallystick.rating.stretches import Stretch, rate
from tallystick.report.building import Months, build_report, build_table
from tallystick.report.history import Reader, Subject
from tallystick.report.period import resolve_days, resolve_months
from tallystick.report.tally import KeyTallies, Tally
from tallystick.store import accounts, meters, plans, rollups, zones
from tallystick.store.accounts import AccountRow
from tallystick.store.database import Connection


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


class ReadMonths(NamedTuple):
    """The months of a report, the first and the last included, as stretches to be rated."""

    first: Month
    last: Month
    months: Months


def read_months(
    connection: Connection, opened: Opened, start_month: str | None, end_month: str | None, *, now: int
) -> ReadMonths:
    """The months that a report covers. Raises `InvalidInput` for what is no month or a range that is too long."""
    account, subject, reader = opened
    earliest = rollups.first_month(connection, [account.id]) if start_month is None else None
    current = subject.calendar.month_of(now)
    first, last = resolve_months(start_month, end_month, current=current, earliest=earliest)
    usage = rollups.months(connection, [account.id], first, last, subject.meters)
    before = rollups.jobs_before_month(connection, [account.id], first).get(account.id, 0)
    return ReadMonths(first, last, reader.months(first, last, before=before, usage=usage.get(account.id, {})))


def usage_report(
    connection: Connection, opened: Opened, start_month: str | None, end_month: str | None, *, now: int
) -> UsageReport:
    """The contract's report. Raises `InvalidInput` for months that are none or a range that is too long."""
    account, subject, _ = opened
    first, last, months = read_months(connection, opened, start_month, end_month, now=now)
    return build_report(
        months,
        subject.meters,
        key_names=accounts.key_names(connection, account.id),
        free_jobs_left=_free_jobs_left(connection, account, subject, subject.calendar.month_of(now)),
        period=Period(str(first), str(last)),
        currency=account.currency,
    )


def usage_table(
    connection: Connection, opened: Opened, start_month: str | None, end_month: str | None, *, now: int
) -> UsageTable:
    """The report of the same months by month and key. Raises as `usage_report` does."""
    account, subject, _ = opened
    _, _, months = read_months(connection, opened, start_month, end_month, now=now)
    names = accounts.key_names(connection, account.id)
    return build_table(months, subject.meters, key_names=names, currency=account.currency)


def _free_jobs_left(connection: Connection, account: AccountRow, subject: Subject, current: Month) -> int:
    """What is left now of the free quota: of the current month's, where the plan gives it anew each month."""
    plan = subject.schedule.plan_for(current)
    if plan.free_jobs_reset is Reset.NEVER:
        return free_jobs_left(plan, account.live_jobs)
    opening, jobs = (
        rollups.jobs_before_month(connection, [account.id], month).get(account.id, 0)
        for month in (current, current + 1)
    )
    return free_jobs_left(plan, jobs, opening)


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
