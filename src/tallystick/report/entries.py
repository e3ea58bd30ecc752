"""The ledger, page by page: an account's live jobs in rank order, each with its tier and cost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, NamedTuple

import msgspec

from tallystick.errors import Conflict, InvalidInput
from tallystick.model import instants
from tallystick.model.instants import format_instant
from tallystick.model.jobs import LedgerJob, LedgerPage
from tallystick.model.money import ZERO, tidy
from tallystick.model.months import Month
from tallystick.model.plans import MAX_RANK, Meter, Plan
from tallystick.rating.bands import Band, band_of, tier_of
from tallystick.rating.stretches import base_cost, final_cost
from tallystick.report.cursors import decode_cursor, encode_cursor
from tallystick.report.history import Subject
from tallystick.report.period import resolve_months
from tallystick.report.usage import Opened
from tallystick.store import accounts, jobs, rollups
from tallystick.store.database import Connection
from tallystick.store.jobs import JobRow, Position
from tallystick.store.schema import LIVE

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class LedgerCursor(msgspec.Struct, frozen=True):
    """The last job shown: its account, rank and position, and the account's version when it was shown."""

    account: int
    rank: Count
    booked_at: Annotated[int, msgspec.Meta(ge=instants.FIRST, le=instants.LAST)]
    id: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]+$")]
    version: Count

    @property
    def position(self) -> Position:
        return Position(self.booked_at, self.id)


class PeriodPlaces(NamedTuple):
    """A period's months, the position before its first job, and the instant at which it ends."""

    first: Month
    last: Month
    start: Position
    end: int


class Place(NamedTuple):
    """The jobs to read: those behind a position, which has that rank, and booked before an instant.

    `opening` counts the live jobs before the month in which the position lies.
    """

    after: Position
    rank: int
    before: int
    opening: int


def ledger_page(
    connection: Connection,
    opened: Opened,
    start_month: str | None,
    end_month: str | None,
    *,
    cursor: str | None,
    limit: int,
    now: int,
) -> LedgerPage:
    """At most `limit` jobs of the period behind the cursor.

    Raises `InvalidInput` as a report does, and `Conflict` (code ``ledger_changed``) where a job has come in before
    the cursor since it was given: the ranks already shown are no longer theirs.
    """
    account, subject, _ = opened
    period = find_period(connection, opened, start_month, end_month, now=now)
    place = find_place(connection, opened, period, cursor)
    rank = place.rank
    rows = jobs.live_page(
        connection, account.id, subject.meters, after=place.after, before=place.before, limit=limit + 1
    )
    shown = rows[:limit]
    names = accounts.key_names(connection, account.id)
    pricing = Pricing(subject, place)
    entries = tuple(
        ledger_job(row, number, pricing.price(row, number), subject.meters, names)
        for number, row in enumerate(shown, rank + 1)
    )
    if len(rows) <= limit:
        return LedgerPage(jobs=entries)
    last = Position(shown[-1].booked_at, shown[-1].id)
    return LedgerPage(jobs=entries, next_cursor=cursor_behind(opened, last, rank + limit))


def find_period(
    connection: Connection, opened: Opened, start_month: str | None, end_month: str | None, *, now: int
) -> PeriodPlaces:
    """What period is asked for. Raises `InvalidInput` as a report does."""
    account, subject, _ = opened
    current = subject.calendar.month_of(now)
    earliest = rollups.first_month(connection, [account.id]) if start_month is None else None
    first, last = resolve_months(start_month, end_month, current=current, earliest=earliest)
    start = Position(subject.calendar.month_start(first), "")
    return PeriodPlaces(first, last, start, subject.calendar.month_start(last + 1))


def find_place(connection: Connection, opened: Opened, period: PeriodPlaces, cursor: str | None) -> Place:
    """Where reading begins and ends: with the period's first job, or behind the cursor.

    Raises `InvalidInput` and `Conflict` as `ledger_page` does.
    """
    account = opened.account
    if cursor is None:
        before = rollups.jobs_before_month(connection, [account.id], period.first).get(account.id, 0)
        return Place(period.start, before, period.end, before)
    seen = decode_cursor(cursor, LedgerCursor)
    _check_unmoved(connection, opened, seen)
    month = opened.subject.calendar.month_of(seen.booked_at)
    opening = rollups.jobs_before_month(connection, [account.id], month).get(account.id, 0)
    return Place(seen.position, seen.rank, period.end, opening)


def cursor_behind(opened: Opened, position: Position, rank: int) -> str:
    """The cursor that goes on behind the job with that rank."""
    return encode_cursor(LedgerCursor(opened.account.id, rank, *position, opened.account.version))


def _check_unmoved(connection: Connection, opened: Opened, seen: LedgerCursor) -> None:
    if seen.account != opened.account.id:
        raise foreign_cursor()
    if seen.version != opened.account.version and _rank_of(connection, opened.subject, seen.position) != seen.rank:
        raise ledger_changed()


def foreign_cursor() -> InvalidInput:
    """The error of a cursor that was given for another account."""
    return InvalidInput.parameter("cursor", "was given for another account", code="invalid_cursor")


def ledger_changed() -> Conflict:
    """The error of a cursor that is out of date."""
    return Conflict(
        "jobs were booked or voided before this cursor since it was given, so that ranks have moved; "
        "begin again without it",
        code="ledger_changed",
    )


def _rank_of(connection: Connection, subject: Subject, position: Position) -> int:
    """The rank of the job at a position: rollups up to its day, and that day's jobs counted."""
    day = subject.calendar.day_of(position.booked_at)
    month = Month.of_day(day)
    earlier = rollups.jobs_before_month(connection, [subject.account_id], month).get(subject.account_id, 0)
    days = rollups.jobs_by(connection, subject.account_id, "day", month.first_day, day - 1)
    start = subject.calendar.day_start(day)
    same_day = jobs.count(connection, subject.account_id, LIVE, start=start, through=position)
    return earlier + sum(count for _, count in days) + same_day


class Price(NamedTuple):
    """What decides a job's price, and its cost."""

    tier: int
    free: bool
    discount: Decimal
    base_cost: Decimal
    final_cost: Decimal


class Pricing:
    """Prices an account's live jobs, which must come in rank order, none left out, from a place on."""

    def __init__(self, subject: Subject, place: Place) -> None:
        self._subject = subject
        self._place = place
        self._month_end = instants.FIRST
        self._opening = 0
        self._plan: Plan
        self._unit_prices: tuple[Decimal, ...] = ()
        self._last_rank = 0
        self._band: Band
        self._discount = ZERO

    def price(self, row: JobRow, rank: int) -> Price:
        """The price of the job with that rank."""
        if row.booked_at >= self._month_end:
            self._enter_month(row.booked_at, rank)
        if rank > self._last_rank:
            self._enter_band(rank)
        base = ZERO if self._band.free else base_cost(row.tokens, self._unit_prices)
        return Price(self._band.tier, self._band.free, self._discount, base, final_cost(base, self._discount))

    def _enter_month(self, booked_at: int, rank: int) -> None:
        month = self._subject.calendar.month_of(booked_at)
        # Only where reading begins within a month there are earlier jobs of it.
        goes_on = month == self._subject.calendar.month_of(self._place.after.booked_at)
        self._opening = self._place.opening if goes_on else rank - 1
        self._month_end = self._subject.calendar.month_start(month + 1)
        self._plan = self._subject.schedule.plan_for(month)
        self._unit_prices = self._plan.unit_prices(self._subject.meters)
        self._last_rank = 0

    def _enter_band(self, rank: int) -> None:
        self._band = band_of(self._plan, rank, self._opening)
        self._last_rank = MAX_RANK if self._band.up_to is None else self._band.up_to
        self._discount = tier_of(self._plan, self._band.tier).discount


def ledger_job(row: JobRow, rank: int, price: Price, meters: tuple[Meter, ...], names: Mapping[int, str]) -> LedgerJob:
    """A job with its price, as it is shown."""
    return LedgerJob(
        rank=rank,
        id=row.id,
        api_key=names[row.key_id],
        completed_at=format_instant(row.completed_at),
        booked_at=format_instant(row.booked_at),
        late=row.late,
        tokens={meter.id: count for meter, count in zip(meters, row.tokens, strict=True)},
        tier=price.tier,
        free=price.free,
        discount=tidy(price.discount),
        base_cost=tidy(price.base_cost),
        final_cost=tidy(price.final_cost),
    )
