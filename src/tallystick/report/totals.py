"""What many accounts cost in some months: each one's totals, under its own plans or under others."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple

from tallystick.model.months import Month
from tallystick.model.plans import Meter
from tallystick.model.schedule import Reign, Schedule
from tallystick.model.usage import Usage
from tallystick.rating.stretches import Stretch, rate
from tallystick.report.growth import Growth, Span, sums_up_to
from tallystick.report.tally import Tally
from tallystick.store import rollups, zones
from tallystick.store.accounts import AccountRow
from tallystick.store.boundaries import Mark
from tallystick.store.database import Connection
from tallystick.store.rows import parts

_AT_ONCE: Final = 250
"""Accounts read together; of more the collector of garbage would look at all their rollups again and again."""


class AccountTotals(NamedTuple):
    """An account, and its sums under each of the schedules that were asked for.

    `derived` holds the ranks of the boundaries that were not kept.
    """

    account: AccountRow
    tallies: tuple[Tally, ...]
    derived: set[int]


SchedulesOf = Callable[[AccountRow], Sequence[Schedule]]


def totals(
    connection: Connection,
    accounts: Sequence[AccountRow],
    schedules_of: SchedulesOf,
    first: Month,
    last: Month,
    meters: tuple[Meter, ...],
) -> Iterator[AccountTotals]:
    """Each account's totals of the months from `first` to `last`, under each of its schedules, in the order given.

    Takes a few statements for some hundred accounts at a time, whose rollups are in memory meanwhile.
    """
    months = _Months(first, last)
    for part in parts(accounts, _AT_ONCE):
        yield from _totals(connection, part, schedules_of, months, meters)


def _totals(
    connection: Connection,
    accounts: Sequence[AccountRow],
    schedules_of: SchedulesOf,
    months: _Months,
    meters: tuple[Meter, ...],
) -> Iterator[AccountTotals]:
    ids = [account.id for account in accounts]
    usage = rollups.month_totals(connection, ids, months.first, months.last, meters)
    before = rollups.jobs_before_month(connection, ids, months.first)
    spans = []
    for account in accounts:
        growth = Growth(account.id, before.get(account.id, 0), usage.get(account.id, ()))
        spans.append([list(months.spans(growth, schedule)) for schedule in schedules_of(account)])
    marks: dict[Mark, Usage] = {}
    for of_account in spans:
        for span in chain.from_iterable(of_account):
            marks.update(span.marks_with_months())
    calendars = {account.id: zones.calendar(account.time_zone) for account in accounts}
    found, derived = sums_up_to(connection, marks, calendars, meters)
    for account, of_account in zip(accounts, spans, strict=True):
        tallies = tuple(_tally([span.stretch(found) for span in of_schedule], meters) for of_schedule in of_account)
        yield AccountTotals(account, tallies, derived.get(account.id, set()))


def _tally(stretches: Sequence[Stretch], meters: tuple[Meter, ...]) -> Tally:
    tally = Tally(meters)
    for stretch in stretches:
        for line in rate(stretch, meters):
            tally.add(line)
    return tally


class _Months:
    """The months of a period, and what accounts have in common about them."""

    def __init__(self, first: Month, last: Month) -> None:
        self.first = first
        self.last = last
        self._reigns: dict[tuple[int, tuple[tuple[Month, str], ...]], Sequence[Reign]] = {}

    def spans(self, growth: Growth, schedule: Schedule) -> Iterator[Span]:
        """Under a schedule the months that have jobs, in as few spans as its plans allow."""
        for first, last, plan in self._reigns_of(schedule):
            start, end = bisect_left(growth.months, first.index), bisect_right(growth.months, last.index)
            if plan.counts_by_month:
                yield from (Span.of(growth, plan, month, month + 1) for month in range(start, end))
            elif start < end:
                yield Span.of(growth, plan, start, end)

    def _reigns_of(self, schedule: Schedule) -> Sequence[Reign]:
        # Most accounts are on one of a few plans from the beginning, and share those plans' versions. The plan that is
        # tried may have the name of one of them.
        key = id(schedule.versions), tuple(schedule.assignments)
        if key not in self._reigns:
            self._reigns[key] = list(schedule.reigns(self.first, self.last))
        return self._reigns[key]
