"""Slices of the ledger: an account's live jobs of one API key or one tier, from any rank on, forwards or backwards.

Rollups tell in which days such jobs are and which ranks those days have, so that only the days shown are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from tallystick.model.jobs import LedgerJob, LedgerSlice
from tallystick.model.months import Month
from tallystick.rating.bands import bands
from tallystick.report.entries import Place, Pricing, find_period, ledger_job
from tallystick.report.usage import Opened
from tallystick.store import accounts, jobs, rollups
from tallystick.store.database import Connection
from tallystick.store.jobs import Placed, Position

_AT_ONCE: Final = 200


class Span(NamedTuple):
    """Ranks, both ends included."""

    first: int
    last: int

    def within(self, other: Span) -> Span:
        """The ranks that both have; none where `first` comes out greater than `last`."""
        return Span(max(self.first, other.first), min(self.last, other.last))


class Stage(NamedTuple):
    """A month of the period: the jobs before it, and the ranks in it that are wanted."""

    month: Month
    opening: int
    ranks: Span


def ledger_slice(
    connection: Connection,
    opened: Opened,
    months: tuple[str | None, str | None],
    *,
    api_key: str | None,
    tier: int | None,
    behind: int | None,
    before: int | None,
    limit: int,
    now: int,
) -> LedgerSlice:
    """At most `limit` jobs of the period: the first behind a rank, or the last before one; with any rank, the first.

    Raises `NotFound` (code ``unknown_key``), and `InvalidInput` as a report does.
    """
    key_id = None if api_key is None else accounts.key_named(connection, opened.account.id, api_key).id
    reader = _Slices(connection, opened, key_id)
    stages = list(_stages(connection, opened, months, tier=tier, now=now))
    ranks = Span((behind or 0) + 1, (before or opened.account.live_jobs + 1) - 1)
    backward = before is not None
    found = list(islice(reader.read(stages, ranks, backward=backward), limit))
    if backward:
        found.reverse()
    if not found:
        return LedgerSlice(jobs=())
    first, last = found[0].rank, found[-1].rank
    earlier = reader.any(stages, Span(1, first - 1), backward=True)
    later = reader.any(stages, Span(last + 1, opened.account.live_jobs), backward=False)
    return LedgerSlice(jobs=tuple(found), previous=first if earlier else None, next=last if later else None)


def _stages(
    connection: Connection, opened: Opened, months: tuple[str | None, str | None], *, tier: int | None, now: int
) -> Iterator[Stage]:
    account, subject, _ = opened
    period = find_period(connection, opened, *months, now=now)
    opening = rollups.jobs_before_month(connection, [account.id], period.first).get(account.id, 0)
    for index, count in rollups.jobs_by(connection, account.id, "month", period.first.index, period.last.index):
        month = Month(index)
        ranks = Span(opening + 1, opening + count)
        if tier is not None:
            of_tier = [band for band in bands(subject.schedule.plan_for(month), opening) if band.tier == tier]
            # The bands of a tier follow each other: the free ones and the others.
            last = of_tier[-1].up_to or ranks.last if of_tier else 0
            ranks = ranks.within(Span(of_tier[0].after + 1 if of_tier else 1, last))
        yield Stage(month, opening, ranks)
        opening += count


class _Slices:
    """Reads an account's jobs, of one key where it is named, a day at a time."""

    def __init__(self, connection: Connection, opened: Opened, key_id: int | None) -> None:
        self._connection = connection
        self._opened = opened
        self._key_id = key_id
        self._names = accounts.key_names(connection, opened.account.id)

    def any(self, stages: Sequence[Stage], ranks: Span, *, backward: bool) -> bool:
        """Whether there are such jobs at all."""
        return next(self.read(stages, ranks, backward=backward), None) is not None

    def read(self, stages: Sequence[Stage], ranks: Span, *, backward: bool) -> Iterator[LedgerJob]:
        """The jobs with these ranks in rank order, or `backward` in reverse."""
        for stage in reversed(stages) if backward else stages:
            wanted = stage.ranks.within(ranks)
            if wanted.first <= wanted.last:
                yield from self._month(stage, wanted, backward=backward)

    def _month(self, stage: Stage, wanted: Span, *, backward: bool) -> Iterator[LedgerJob]:
        _, subject, _ = self._opened
        start = Position(subject.calendar.month_start(stage.month), "")
        place = Place(start, stage.opening, 0, stage.opening)
        pricing = Pricing(subject, place)
        days = self._days(stage, wanted)
        for day, opening, places in reversed(days) if backward else days:
            for each in self._day(day, places, backward=backward):
                rank = opening + each.place
                if backward:
                    pricing = Pricing(subject, place)  # one takes ranks that ascend
                yield ledger_job(each.row, rank, pricing.price(each.row, rank), subject.meters, self._names)

    def _days(self, stage: Stage, wanted: Span) -> list[tuple[int, int, Span]]:
        """The month's days with wanted jobs: the day, the jobs before it, and the places in it that are wanted."""
        number = self._opened.account.id
        stretch = "day", stage.month.first_day, stage.month.last_day
        having = None
        if self._key_id is not None:
            having = {day for day, _ in rollups.jobs_by(self._connection, number, *stretch, key_id=self._key_id)}
        found = []
        opening = stage.opening
        for day, count in rollups.jobs_by(self._connection, number, *stretch):
            places = Span(1, count).within(Span(wanted.first - opening, wanted.last - opening))
            if places.first <= places.last and (having is None or day in having):
                found.append((day, opening, places))
            opening += count
        return found

    def _day(self, day: int, places: Span, *, backward: bool) -> Iterator[Placed]:
        """The jobs of a day, a few at a time."""
        account, subject, _ = self._opened
        while places.first <= places.last:
            rows = jobs.placed(
                self._connection,
                account.id,
                subject.meters,
                span=subject.calendar.day_span(day),
                places=places,
                key_id=self._key_id,
                limit=_AT_ONCE,
                backward=backward,
            )
            if not rows:
                return
            yield from reversed(rows) if backward else rows
            places = Span(places.first, rows[0].place - 1) if backward else Span(rows[-1].place + 1, places.last)
