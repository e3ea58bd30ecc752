"""Months that were closed, and jobs that came after the closing of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tallystick.model.instants import format_instant
from tallystick.model.money import money
from tallystick.model.months import Month
from tallystick.model.notices import Event, Occurrence
from tallystick.store import notices, zones
from tallystick.store.database import Connection
from tallystick.store.notices import ChangedAccount, ClosedMonth


def closed_months(connection: Connection, account: ChangedAccount) -> list[ClosedMonth]:
    """The statements of an account that it was not told of, the first one first."""
    if account.closed_through is None or account.closed_through <= account.told_through:
        return []
    return notices.closed_months(connection, account.id, after=account.told_through)


def closings(account: ChangedAccount, months: Iterable[ClosedMonth]) -> Iterator[Occurrence]:
    """A closing for each statement."""
    for closed in months:
        month = str(Month(closed.month))
        data = {
            "account": account.name,
            "month": month,
            "jobs": closed.jobs,
            "final_cost": money(closed.final_cost),
            "currency": account.currency,
            "closed_at": format_instant(closed.closed_at),
        }
        yield Occurrence(account.name, Event.MONTH_CLOSED, "", month, "", data)


def late_jobs(connection: Connection, account: ChangedAccount, months: Iterable[Month]) -> Iterator[Occurrence]:
    """That jobs of closed months are booked in these ones: once for each closed month and each that takes its jobs."""
    if account.closed_through is None:
        return
    calendar = zones.calendar(account.time_zone)
    for booked in months:
        span = calendar.month_start(booked), calendar.month_start(booked + 1)
        every = notices.late_jobs(connection, account.id, span)
        if every is None:
            continue
        for month in calendar.month_of(every.first).to(calendar.month_of(every.last)):
            completed = calendar.month_start(month), calendar.month_start(month + 1)
            found = notices.late_jobs(connection, account.id, span, completed)
            if found is not None:
                data = {
                    "account": account.name,
                    "month": str(month),
                    "booked_in": str(booked),
                    "jobs": found.jobs,
                }
                yield Occurrence(account.name, Event.JOB_LATE, str(month), str(booked), "", data)
