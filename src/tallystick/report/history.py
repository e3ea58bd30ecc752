"""Accounts' histories as stretches to be rated: rollups of months or days, cut where prices change.

No job is read but, where a boundary is not kept, the first few of its cut day. Everything that is to be cut, of one
account or of many, is cut together, in a number of statements that does not grow with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tallystick.model.calendar import Calendar
from tallystick.model.months import Month
from tallystick.model.plans import Meter, Plan
from tallystick.model.schedule import Schedule
from tallystick.model.usage import Usage, added, jobs_of
from tallystick.rating.stretches import Stretch, Sums, inner_ranks
from tallystick.store import boundaries, rollups
from tallystick.store.boundaries import Cut, CutDay, Mark
from tallystick.store.database import Connection


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
    """A stretch that has not been cut yet."""

    account_id: int
    calendar: Calendar
    plan: Plan
    opening: int
    period: Period

    def marks(self) -> list[Mark]:
        """The ranks at which it must be cut."""
        first_day, last_day, before, usage = self.period
        ranks = inner_ranks(self.plan, before, jobs_of(usage), self.opening)
        return [Mark(self.account_id, rank, first_day, last_day, before) for rank in ranks]


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
        return Draft(subject.account_id, subject.calendar, subject.schedule.plan_for(month), opening, period)

    def _cut(self, drafts: Sequence[Draft]) -> list[Stretch]:
        stretches, derived = cut(self._connection, drafts, self._subject.meters)
        self.derived |= derived.get(self._subject.account_id, set())
        return stretches


def cut(
    connection: Connection, drafts: Sequence[Draft], meters: tuple[Meter, ...]
) -> tuple[list[Stretch], dict[int, set[int]]]:
    """The drafts as stretches, and the ranks of the boundaries that had to be derived, by account."""
    marked = [draft.marks() for draft in drafts]
    calendars = {draft.account_id: draft.calendar for draft in drafts}
    cutter = _Cutter(connection, calendars, meters)
    found = cutter.sums_up_to({mark for marks in marked for mark in marks})
    return [
        Stretch(
            draft.plan,
            draft.period.before,
            draft.period.usage,
            {mark.rank: found[mark] for mark in marks},
            draft.opening,
        )
        for draft, marks in zip(drafts, marked, strict=True)
    ], cutter.derived


class _Cutter:
    """Finds the sums up to ranks: from what is kept, and else from rollups and the first few jobs of the cut day."""

    def __init__(self, connection: Connection, calendars: Mapping[int, Calendar], meters: tuple[Meter, ...]) -> None:
        self._connection = connection
        self._calendars = calendars
        self._meters = meters
        self.derived: dict[int, set[int]] = defaultdict(set)

    def sums_up_to(self, wanted: set[Mark]) -> dict[Mark, Sums]:
        """For each mark the sums of its days' jobs up to the rank."""
        marks = sorted(wanted)
        kept = boundaries.kept(self._connection, marks, self._meters)
        derived = [mark for mark in marks if mark not in kept]
        cut_days = boundaries.cut_days(self._connection, derived)
        earlier = self._earlier_days(kept, cut_days)
        of_the_day = {mark: usage for mark, (_, usage) in kept.items()} | self._derive(derived, cut_days)
        return {
            mark: added(entry for part in (earlier, of_the_day) if mark in part for entry in part[mark].items())
            for mark in marks
        }

    def _earlier_days(self, kept: Mapping[Mark, tuple[int, Sums]], cut_days: Mapping[Mark, CutDay]) -> dict[Mark, Sums]:
        """The sums of the days that lie wholly before a rank."""
        last_days = {mark: day - 1 for mark, (day, _) in kept.items()}
        last_days |= {mark: cut_day.day if cut_day.whole else cut_day.day - 1 for mark, cut_day in cut_days.items()}
        spans = {
            mark: (mark.account_id, mark.first_day, last) for mark, last in last_days.items() if last >= mark.first_day
        }
        sums = rollups.sums_of(self._connection, list(spans.values()), self._meters)
        return dict(zip(spans, sums, strict=True))

    def _derive(self, marks: Sequence[Mark], cut_days: Mapping[Mark, CutDay]) -> dict[Mark, Sums]:
        """The sums of the first few jobs of the days on which ranks fall."""
        cuts = {}
        for mark in marks:
            day, jobs, whole = cut_days[mark]
            if not whole:
                cuts[mark] = Cut(mark.account_id, self._calendars[mark.account_id].day_span(day)[0], jobs)
                self.derived[mark.account_id].add(mark.rank)
        found = boundaries.derive(self._connection, cuts.values(), self._meters)
        return {mark: found[cut] for mark, cut in cuts.items()}
