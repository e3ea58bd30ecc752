"""What many accounts cost in some months: each one's totals, under its own plans or under others."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

from tallystick.model.months import Month
from tallystick.model.plans import Meter, Plan
from tallystick.model.schedule import Reign, Schedule
from tallystick.rating.stretches import Stretch, Sums, rate
from tallystick.report.history import Draft, Period, cut, periods_of
from tallystick.report.tally import Tally
from tallystick.store import rollups, zones
from tallystick.store.accounts import AccountRow
from tallystick.store.database import Connection
from tallystick.store.rows import parts

_AT_ONCE: Final = 100
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

    Takes a few statements for each hundred accounts, whose rollups are in memory meanwhile.
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
    usage = rollups.months(connection, ids, months.first, months.last, meters, by_key=False)
    before = rollups.jobs_before_month(connection, ids, months.first)
    drafts = [
        months.drafts(account, schedules_of(account), before.get(account.id, 0), usage.get(account.id, {}))
        for account in accounts
    ]
    stretches, derived = cut(connection, list(chain.from_iterable(chain.from_iterable(drafts))), meters, by_key=False)
    rated = iter(stretches)
    for account, own in zip(accounts, drafts, strict=True):
        tallies = tuple(_tally([next(rated) for _ in of_schedule], meters) for of_schedule in own)
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
        self._days: dict[Month, tuple[int, int]] = {}
        self._reigns: dict[tuple[int, tuple[tuple[Month, str], ...]], Sequence[Reign]] = {}

    def drafts(
        self, account: AccountRow, schedules: Sequence[Schedule], before: int, usage: Mapping[Month, Sums]
    ) -> list[list[Draft]]:
        """Under each of the schedules the months that have jobs, in as few stretches as its plans allow."""
        months = list(usage)
        periods = periods_of(map(self._days_of, months), usage.values(), before=before)
        return [
            [
                Draft(account.id, zones.calendar(account.time_zone), plan, own[0].before, own)
                for plan, own in self._by_plan(schedule, months, periods)
            ]
            for schedule in schedules
        ]

    def _days_of(self, month: Month) -> tuple[int, int]:
        if month not in self._days:
            self._days[month] = month.first_day, month.last_day
        return self._days[month]

    def _by_plan(
        self, schedule: Schedule, months: Sequence[Month], periods: Sequence[Period]
    ) -> Iterator[tuple[Plan, Sequence[Period]]]:
        for first, last, plan in self._reigns_of(schedule):
            own = periods[bisect_left(months, first) : bisect_right(months, last)]
            if plan.counts_by_month:
                yield from ((plan, [period]) for period in own)
            elif own:
                yield plan, own

    def _reigns_of(self, schedule: Schedule) -> Sequence[Reign]:
        # Most accounts are on one of a few plans from the beginning, and share those plans' versions. The plan that is
        # tried may have the name of one of them.
        key = id(schedule.versions), tuple(schedule.assignments)
        if key not in self._reigns:
            self._reigns[key] = list(schedule.reigns(self.first, self.last))
        return self._reigns[key]
