"""Accounts' histories as stretches to be rated: rollups of months or days, cut where prices change.

No job is read but, where a boundary is not kept, the first few of its cut day or month. Everything that is to be cut,
of one account or of many, is cut together, in a number of statements that does not grow with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tallystick.model.calendar import Calendar
from tallystick.model.months import Month
from tallystick.model.plans import Meter, Plan
from tallystick.model.schedule import Schedule
from tallystick.model.usage import Usage, added, jobs_of
from tallystick.rating.stretches import Stretch, Sums, inner_ranks
from tallystick.store import boundaries, rollups
from tallystick.store.boundaries import Cut, CutDay, Mark
from tallystick.store.database import Connection

NEAR: Final = 256
"""So many jobs from the first of a mark's days on are read in less time than it takes to count through the days."""


class Subject(NamedTuple):
    """The account whose history is read, and what its jobs are priced by."""

    account_id: int
    calendar: Calendar
    schedule: Schedule
    meters: tuple[Meter, ...]


class Period(NamedTuple):
    """Some days of an account, the first and the last, how many live jobs came before them, and their sums."""

    first_day: int
    last_day: int
    before: int
    usage: Sums


class Draft(NamedTuple):
    """A stretch that has not been cut yet: one or more periods that follow each other."""

    account_id: int
    calendar: Calendar
    plan: Plan
    opening: int
    periods: Sequence[Period]

    def marks(self) -> list[tuple[int, Mark]]:
        """The ranks at which it must be cut, each with the number of the period on which it falls."""
        periods = self.periods
        jobs = periods[-1].before - periods[0].before + jobs_of(periods[-1].usage)
        marks = []
        place = 0
        for rank in inner_ranks(self.plan, periods[0].before, jobs, self.opening):
            while place + 1 < len(periods) and periods[place + 1].before < rank:
                place += 1
            period = periods[place]
            marks.append((place, Mark(self.account_id, rank, period.first_day, period.last_day, period.before)))
        return marks


def periods_of(days: Iterable[tuple[int, int]], usage: Iterable[Sums], *, before: int) -> list[Period]:
    """Periods of those first and last days, and with that usage, after `before` jobs."""
    found: list[Period] = []
    for (first_day, last_day), sums in zip(days, usage, strict=True):
        found.append(Period(first_day, last_day, before, sums))
        before += jobs_of(sums)
    return found


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
        self, first: Month, last: Month, *, before: int, usage: Mapping[Month, Mapping[int, Usage]]
    ) -> Iterator[tuple[Month, Stretch]]:
        """A stretch for each month, empty ones included; `before` jobs came earlier, `usage` is the months'."""
        months = list(first.to(last))
        periods = periods_of(
            [(month.first_day, month.last_day) for month in months],
            [usage.get(month, {}) for month in months],
            before=before,
        )
        drafts = [self._draft(month, period.before, period) for month, period in zip(months, periods, strict=True)]
        return zip(months, self._cut(drafts), strict=True)

    def days(self, first: int, last: int) -> Iterator[tuple[int, Stretch]]:
        """A stretch for each day from `first` to `last`, empty ones included."""
        subject = self._subject
        month = Month.of_day(first)
        usage = rollups.days(self._connection, subject.account_id, month.first_day, last, subject.meters)
        opening = rollups.jobs_before_month(self._connection, [subject.account_id], month).get(subject.account_id, 0)
        before = opening + sum(jobs_of(sums) for day, sums in usage.items() if day < first)
        days = range(first, last + 1)
        drafts = []
        for period in periods_of(((day, day) for day in days), (usage.get(day, {}) for day in days), before=before):
            if Month.of_day(period.first_day) != month:
                month, opening = Month.of_day(period.first_day), period.before
            drafts.append(self._draft(month, opening, period))
        return zip(days, self._cut(drafts), strict=True)

    def _draft(self, month: Month, opening: int, period: Period) -> Draft:
        subject = self._subject
        return Draft(subject.account_id, subject.calendar, subject.schedule.plan_for(month), opening, [period])

    def _cut(self, drafts: Sequence[Draft]) -> list[Stretch]:
        stretches, derived = cut(self._connection, drafts, self._subject.meters)
        self.derived |= derived.get(self._subject.account_id, set())
        return stretches


def cut(
    connection: Connection, drafts: Sequence[Draft], meters: tuple[Meter, ...], *, by_key: bool = True
) -> tuple[list[Stretch], dict[int, set[int]]]:
    """The drafts as stretches, and the ranks of the boundaries that had to be derived, by account.

    Without `by_key`, sums are those of `rollups.ALL_KEYS`, as the drafts' must be.
    """
    marked = [draft.marks() for draft in drafts]
    calendars = {draft.account_id: draft.calendar for draft in drafts}
    cutter = _Cutter(connection, calendars, meters, by_key=by_key)
    found = cutter.sums_up_to({mark for marks in marked for _, mark in marks})
    return [_stretch(draft, marks, found) for draft, marks in zip(drafts, marked, strict=True)], cutter.derived


def _stretch(draft: Draft, marks: Sequence[tuple[int, Mark]], found: Mapping[Mark, Sums]) -> Stretch:
    usage = [period.usage for period in draft.periods]
    cuts: dict[int, Sums] = {}
    summed, earlier = 0, usage[:0]
    for place, mark in marks:
        if place > summed:
            summed, earlier = place, [_total([*earlier, *usage[summed:place]])]
        cuts[mark.rank] = _total([*earlier, found[mark]])
    return Stretch(draft.plan, draft.periods[0].before, _total([*earlier, *usage[summed:]]), cuts, draft.opening)


def _total(parts: Sequence[Sums]) -> Sums:
    return parts[0] if len(parts) == 1 else added(entry for part in parts for entry in part.items())


class _Cutter:
    """Finds the sums up to ranks: from what is kept, and else from rollups and the first few jobs of the cut day."""

    def __init__(
        self, connection: Connection, calendars: Mapping[int, Calendar], meters: tuple[Meter, ...], *, by_key: bool
    ) -> None:
        self._connection = connection
        self._calendars = calendars
        self._meters = meters
        self._by_key = by_key
        # One account's report counts the days, and so keeps no boundary that rollups tell without a job.
        self._near = 0 if by_key else NEAR
        self.derived: dict[int, set[int]] = defaultdict(set)

    def sums_up_to(self, wanted: set[Mark]) -> dict[Mark, Sums]:
        """For each mark the sums of its days' jobs up to the rank."""
        marks = sorted(wanted)
        kept = boundaries.kept(self._connection, marks, self._meters, by_key=self._by_key)
        derived = [mark for mark in marks if mark not in kept]
        cut_days = boundaries.cut_days(self._connection, [mark for mark in derived if mark.jobs > self._near])
        earlier = self._earlier_days(kept, cut_days)
        of_the_day = {mark: usage for mark, (_, usage) in kept.items()} | self._derive(derived, cut_days)
        return {mark: _total([part[mark] for part in (earlier, of_the_day) if mark in part]) for mark in marks}

    def _earlier_days(self, kept: Mapping[Mark, tuple[int, Sums]], cut_days: Mapping[Mark, CutDay]) -> dict[Mark, Sums]:
        """The sums of the days that lie wholly before a rank."""
        last_days = {mark: day - 1 for mark, (day, _) in kept.items()}
        last_days |= {mark: cut_day.day if cut_day.whole else cut_day.day - 1 for mark, cut_day in cut_days.items()}
        spans = {
            mark: (mark.account_id, mark.first_day, last) for mark, last in last_days.items() if last >= mark.first_day
        }
        sums = rollups.sums_of(self._connection, list(spans.values()), self._meters, by_key=self._by_key)
        return dict(zip(spans, sums, strict=True))

    def _derive(self, marks: Sequence[Mark], cut_days: Mapping[Mark, CutDay]) -> dict[Mark, Sums]:
        """The sums of the first few jobs of the days on which ranks fall, or where no cut day is given of all days."""
        cuts = {}
        for mark in marks:
            day, jobs, whole = cut_days.get(mark, (mark.first_day, mark.jobs, False))
            if not whole:
                cuts[mark] = Cut(mark.account_id, self._calendars[mark.account_id].day_span(day)[0], jobs)
                self.derived[mark.account_id].add(mark.rank)
        found = boundaries.derive(self._connection, cuts.values(), self._meters, by_key=self._by_key)
        return {mark: found[cut] for mark, cut in cuts.items()}
