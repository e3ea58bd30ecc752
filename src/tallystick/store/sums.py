"""Sums of jobs by day and month: what ingest adds to the rollups, and how they are built anew from the jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection

from tallystick.model.calendar import Calendar, month_of_day
from tallystick.model.plans import Meter
from tallystick.store import boundaries, jobs, rollups
from tallystick.store.jobs import JobRow

DaySums = dict[int, dict[int, list[int]]]
"""Sums of one account's live jobs by day and key: the number of jobs, then the tokens of each meter."""


def by_day(live_jobs: Iterable[JobRow], calendar: Calendar) -> DaySums:
    """The sums of an account's live jobs in a calendar."""
    days: DaySums = {}
    today: dict[int, list[int]] = {}
    start = end = 0
    for job in live_jobs:
        if not start <= job.booked_at < end:
            # Jobs mostly follow each other within a day; only a change of day asks the calendar.
            day = calendar.day_of(job.booked_at)
            start, end = calendar.day_span(day)
            today = days.setdefault(day, {})
        sums = today.get(job.key_id)
        if sums is None:
            today[job.key_id] = [1, *job.tokens]
            continue
        sums[0] += 1
        for i, tokens in enumerate(job.tokens, 1):
            sums[i] += tokens
    return days


def write(connection: Connection, sums: Mapping[int, DaySums], meters: tuple[Meter, ...]) -> None:
    """Adds each account's sums to the rollups of days and months."""
    rollups.add(connection, "day", list(_rows_by_day(sums)), meters)
    rollups.add(connection, "month", list(_rows_by_month(sums)), meters)


def _rows_by_day(sums: Mapping[int, DaySums]) -> Iterator[tuple[int, ...]]:
    for account_id, days in sorted(sums.items()):
        for day, keys in sorted(days.items()):
            for key_id, counts in sorted(keys.items()):
                yield account_id, day, key_id, *counts


def _rows_by_month(sums: Mapping[int, DaySums]) -> Iterator[tuple[int, ...]]:
    months: dict[tuple[int, int, int], list[int]] = {}
    for account_id, day, key_id, *counts in _rows_by_day(sums):
        known = months.setdefault((account_id, month_of_day(day).index, key_id), [0] * len(counts))
        for i, count in enumerate(counts):
            known[i] += count
    for place, counts in months.items():
        yield *place, *counts


def take_out(
    connection: Connection, account_id: int, calendar: Calendar, job: JobRow, meters: tuple[Meter, ...]
) -> None:
    """Takes a job that is live no more out of the rollups of its day and month."""
    day = calendar.day_of(job.booked_at)
    less = (-1, *(-count for count in job.tokens))
    for stretch, place in (("day", day), ("month", month_of_day(day).index)):
        rollups.add(connection, stretch, [(account_id, place, job.key_id, *less)], meters)
        rollups.remove_empty(connection, stretch, account_id, place, job.key_id)


def rebuild(connection: Connection, account_id: int, calendar: Calendar, meters: tuple[Meter, ...]) -> None:
    """Replaces an account's rollups by those of its jobs in a calendar, and throws its boundaries away.

    The caller holds the account's state row. Reads the ledger once, in memory that grows with days and keys only.
    """
    sums = by_day(jobs.walk_live(connection, account_id, meters), calendar)
    boundaries.clear(connection, account_id)
    rollups.clear(connection, account_id)
    write(connection, {account_id: sums}, meters)
