"""How accounts grew: their jobs and tokens month by month, of all keys together, and up to any rank.

What lies between two months or two ranks is a difference of sums. A rank near either end of its month is read from the
month's jobs, which takes less time than to look whether its boundary is kept. Of any other no job is read but those of
its day up to the rank or behind it, where its boundary is not kept. What many accounts need is read together.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Final

import msgspec

from tallystick.model.calendar import Calendar
from tallystick.model.months import Month
from tallystick.model.plans import Meter, Plan
from tallystick.model.usage import Usage, total
from tallystick.rating.stretches import Stretch, inner_ranks
from tallystick.store import boundaries, rollups
from tallystick.store.boundaries import Cut, Mark, Rest
from tallystick.store.database import Connection

NEAR: Final = 256
"""So many jobs from either end of a month are read in less time than it takes to count through its days."""

EVERY_KEY: Final = 0
"""Stands for all keys of an account together. Keys count from 1."""


class Growth:
    """The months of an account that have jobs, and how many jobs and tokens it had before and after each of them.

    `rows` are those of `rollups.month_totals`; `before` jobs came before the first of them.
    """

    def __init__(self, account_id: int, before: int, rows: Sequence[Sequence[int]]) -> None:
        self.account_id = account_id
        self.months: Sequence[int]
        _, self.months, jobs, *tokens = zip(*rows, strict=True) if rows else ((), (), ())
        self.jobs = list(accumulate(jobs, initial=before))
        self._tokens = [list(accumulate(column, initial=0)) for column in tokens]

    def between(self, first: int, end: int) -> Usage:
        """The sums of the months numbered `first` to `end` - 1."""
        return Usage(self.jobs[end] - self.jobs[first], tuple([sums[end] - sums[first] for sums in self._tokens]))

    def mark(self, rank: int) -> tuple[int, Mark]:
        """The number of the month on which a rank falls, and how the rank is looked for in it."""
        number = bisect_left(self.jobs, rank) - 1
        return number, Mark(self.account_id, rank, *_days(self.months[number]), self.jobs[number])


class Span(msgspec.Struct, frozen=True, gc=False):
    """The months numbered `first` to `end` - 1 of an account, which one plan prices as one stretch."""

    growth: Growth
    plan: Plan
    first: int
    end: int
    marks: Sequence[tuple[int, Mark]]

    @classmethod
    def of(cls, growth: Growth, plan: Plan, first: int, end: int) -> Span:
        """The span with the marks at which it must be cut."""
        before = growth.jobs[first]
        ranks = inner_ranks(plan, before, growth.jobs[end] - before, before)
        return cls(growth, plan, first, end, [growth.mark(rank) for rank in ranks])

    def marks_with_months(self) -> Iterator[tuple[Mark, Usage]]:
        """The marks, each with the sums of its month."""
        return ((mark, self.growth.between(month, month + 1)) for month, mark in self.marks)

    def stretch(self, found: Mapping[Mark, Usage]) -> Stretch:
        """The stretch, given what `sums_up_to` has found for its marks."""
        growth, first = self.growth, self.first
        cuts = {mark.rank: {EVERY_KEY: growth.between(first, month).plus(found[mark])} for month, mark in self.marks}
        before = growth.jobs[first]
        return Stretch(self.plan, before, {EVERY_KEY: growth.between(first, self.end)}, cuts, before)


@cache
def _days(month: int) -> tuple[int, int]:
    return Month(month).first_day, Month(month).last_day


def sums_up_to(
    connection: Connection,
    marks: Mapping[Mark, Usage],
    calendars: Mapping[int, Calendar],
    meters: tuple[Meter, ...],
) -> tuple[dict[Mark, Usage], dict[int, set[int]]]:
    """For each mark the sums of its month's jobs up to the rank, of all keys; and ranks to be kept, by account.

    `marks` come with the sums of their months. Keeping the boundaries of those ranks spares the next reader the work
    and changes no answer.
    """
    found: dict[Mark, Usage] = {}
    derived: dict[int, set[int]] = defaultdict(set)
    reading = _Reading()
    far = []
    for mark, month in marks.items():
        if mark.jobs == month.jobs:
            found[mark] = month
        elif NEAR < mark.jobs < month.jobs - NEAR:
            far.append(mark)
        else:
            reading.add(mark, calendars[mark.account_id].span(mark.first_day, mark.last_day), mark.jobs, month)
    kept = boundaries.kept(connection, far, meters)
    found.update(_kept(connection, kept, meters))
    cut_days = boundaries.cut_day_totals(connection, [mark for mark in far if mark not in kept], meters)
    for mark, ((day, jobs, whole), earlier, of_day) in cut_days.items():
        found[mark] = earlier.plus(of_day) if whole else earlier
        if not whole:
            reading.add(mark, calendars[mark.account_id].day_span(day), jobs, of_day)
            derived[mark.account_id].add(mark.rank)
    for mark, usage in reading.sums(connection, meters):
        found[mark] = found[mark].plus(usage) if mark in found else usage
    return found, derived


class _Reading:
    """Jobs of days or months that are to be read up to a rank, from whichever end is nearer."""

    def __init__(self) -> None:
        self._cuts: dict[Mark, Cut] = {}
        self._rests: dict[Mark, tuple[Rest, Usage]] = {}

    def add(self, mark: Mark, span: tuple[int, int], jobs: int, usage: Usage) -> None:
        """For the mark, the first so many jobs of those between two instants, whose sums are `usage`."""
        rest = usage.jobs - jobs
        if rest < min(jobs, NEAR):
            self._rests[mark] = Rest(mark.account_id, span[1], rest), usage
        else:
            self._cuts[mark] = Cut(mark.account_id, span[0], jobs)

    def sums(self, connection: Connection, meters: tuple[Meter, ...]) -> Iterator[tuple[Mark, Usage]]:
        """Reads them."""
        of_cuts = boundaries.derive_totals(connection, self._cuts.values(), meters)
        of_rests = boundaries.rest_totals(connection, [rest for rest, _ in self._rests.values()], meters)
        for mark, cut in self._cuts.items():
            yield mark, of_cuts[cut]
        for mark, (rest, usage) in self._rests.items():
            yield mark, usage.minus(of_rests[rest])


def _kept(
    connection: Connection, kept: Mapping[Mark, tuple[int, Mapping[int, Usage]]], meters: tuple[Meter, ...]
) -> Iterator[tuple[Mark, Usage]]:
    """The sums up to the ranks whose boundary is kept: those of the cut day, and of the days before it."""
    spans = [(mark.account_id, mark.first_day, day - 1) for mark, (day, _) in kept.items()]
    earlier = rollups.sums_of(connection, spans, meters)
    for (mark, (_, of_the_day)), of_days in zip(kept.items(), earlier, strict=True):
        yield mark, total([*of_the_day.values(), *of_days.values()])
