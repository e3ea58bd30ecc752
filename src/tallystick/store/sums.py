"""Sums of jobs by day and month: what ingest adds to the rollups, and how they are built anew from the jobs."""

from __future__ import annotations

from sqlalchemy import Connection

from tallystick.model.calendar import Calendar, month_of_day
from tallystick.model.plans import Meter
from tallystick.model.usage import Usage
from tallystick.store import boundaries, jobs, rollups
from tallystick.store.jobs import JobRow


class Sums:
    """Sums of live jobs per account, day or month, and key, ready to be added to the rollups."""

    def __init__(self) -> None:
        self.days: dict[tuple[int, int, int], list[int]] = {}

    def count(self, job: JobRow, calendar: Calendar) -> None:
        """Adds a live job to its day."""
        place = (job.account_id, calendar.day_of(job.booked_at), job.key_id)
        sums = self.days.get(place)
        if sums is None:
            self.days[place] = [1, *job.tokens]
            return
        sums[0] += 1
        for i, tokens in enumerate(job.tokens, 1):
            sums[i] += tokens

    def write(self, connection: Connection, meters: tuple[Meter, ...]) -> None:
        """Adds the sums to the rollups of days and months."""
        days: dict[tuple[int, int, int], Usage] = {}
        months: dict[tuple[int, int, int], Usage] = {}
        for (account_id, day, key_id), sums in sorted(self.days.items()):
            usage = Usage(sums[0], tuple(sums[1:]))
            days[account_id, day, key_id] = usage
            place = (account_id, month_of_day(day).index, key_id)
            known = months.get(place)
            months[place] = usage if known is None else known.plus(usage)
        rollups.add(connection, days, months, meters)


def rebuild(connection: Connection, account_id: int, calendar: Calendar, meters: tuple[Meter, ...]) -> None:
    """Replaces an account's rollups by those of its jobs in a calendar, and throws its boundaries away.

    The caller holds the account's state row. Reads the ledger once, in memory that grows with days and keys only.
    """
    sums = Sums()
    for job in jobs.walk_live(connection, account_id, meters):
        sums.count(job, calendar)
    boundaries.clear(connection, account_id)
    rollups.clear(connection, account_id)
    sums.write(connection, meters)
