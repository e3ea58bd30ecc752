"""An account's history as stretches to be rated: rollups of months or days, cut where prices change.

No job is read but, where a boundary is not kept, the first few of its cut day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tallystick.model.calendar import Calendar
from tallystick.model.months import Month
from tallystick.model.plans import Meter
from tallystick.model.schedule import Schedule
from tallystick.model.usage import Usage, added, jobs_of
from tallystick.rating.stretches import Stretch, inner_ranks
from tallystick.store import boundaries, rollups
from tallystick.store.database import Connection

Days = Mapping[int, dict[int, Usage]]
"""Usage by day and key."""


class Subject(NamedTuple):
    """The account whose history is read, and what its jobs are priced by."""

    account_id: int
    calendar: Calendar
    schedule: Schedule
    meters: tuple[Meter, ...]


class Cut(NamedTuple):
    """Where a rank falls: the day, and the sums per key of that day's jobs up to it."""

    day: int
    usage: Mapping[int, Usage]


class Reader:
    """Reads one account's stretches from a snapshot.

    `derived` collects the ranks whose boundaries were not kept and had to be derived; keeping them spares the next
    reader the work and changes no answer.
    """

    def __init__(self, connection: Connection, subject: Subject) -> None:
        self._connection = connection
        self._subject = subject
        self.derived: set[int] = set()

    def months(
        self, first: Month, last: Month, *, before: int, usage: Mapping[Month, dict[int, Usage]]
    ) -> Iterator[tuple[Month, Stretch]]:
        """A stretch for each month, empty ones included; `before` jobs came earlier, `usage` is the months'."""
        for month in first.to(last):
            plan = self._subject.schedule.plan_for(month)
            sums = usage.get(month, {})
            jobs = jobs_of(sums)
            cuts = self._month_cuts(month, before, inner_ranks(plan, before, jobs, opening=before))
            yield month, Stretch(plan, before, sums, cuts, opening=before)
            before += jobs

    def days(self, first: int, last: int) -> Iterator[tuple[int, Stretch]]:
        """A stretch for each day from `first` to `last`, empty ones included."""
        month = Month.of_day(first)
        before = rollups.jobs_before_month(self._connection, [self._subject.account_id], month).get(
            self._subject.account_id, 0
        )
        days = rollups.days(self._connection, self._subject.account_id, month.first_day, last, self._subject.meters)
        opening = before
        before += sum(jobs_of(sums) for day, sums in days.items() if day < first)
        for day in range(first, last + 1):
            if Month.of_day(day) != month:
                month, opening = Month.of_day(day), before
            plan = self._subject.schedule.plan_for(month)
            sums = days.get(day, {})
            jobs = jobs_of(sums)
            ranks = inner_ranks(plan, before, jobs, opening)
            cuts = {rank: cut.usage for rank, cut in self._cuts(ranks, {day: sums}, before).items()}
            yield day, Stretch(plan, before, sums, cuts, opening)
            before += jobs

    def _month_cuts(self, month: Month, before: int, ranks: Sequence[int]) -> dict[int, Mapping[int, Usage]]:
        if not ranks:
            return {}
        subject = self._subject
        days = rollups.days(self._connection, subject.account_id, month.first_day, month.last_day, subject.meters)
        return {rank: _up_to(days, cut) for rank, cut in self._cuts(ranks, days, before).items()}

    def _cuts(self, ranks: Sequence[int], days: Days, before: int) -> dict[int, Cut]:
        """Where each of the ranks falls among days that follow `before` jobs."""
        if not ranks:
            return {}
        kept = boundaries.kept(self._connection, self._subject.account_id, ranks, self._subject.meters)
        return {rank: self._cut(rank, days, before, kept) for rank in ranks}

    def _cut(self, rank: int, days: Days, before: int, kept: Mapping[int, Mapping[int, Usage]]) -> Cut:
        for day, sums in days.items():
            jobs = jobs_of(sums)
            if before + jobs == rank:
                return Cut(day, sums)
            if before + jobs > rank:
                return Cut(day, kept[rank] if rank in kept else self._derive(rank, day, rank - before))
            before += jobs
        raise AssertionError("a rank inside a stretch falls on one of its days")

    def _derive(self, rank: int, day: int, count: int) -> Mapping[int, Usage]:
        self.derived.add(rank)
        subject = self._subject
        return boundaries.derive(self._connection, subject.account_id, subject.calendar, day, count, subject.meters)


def _up_to(days: Days, cut: Cut) -> Mapping[int, Usage]:
    earlier: Iterable[tuple[int, Usage]] = (
        part for day, sums in days.items() if day < cut.day for part in sums.items()
    )
    return added([*earlier, *cut.usage.items()])
