"""The ledger, page by page: an account's live jobs in rank order, each with its tier and cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from tallystick.errors import Conflict, InvalidInput
from tallystick.model import instants
from tallystick.model.instants import format_instant
from tallystick.model.jobs import LedgerJob, LedgerPage
from tallystick.model.money import ZERO, tidy
from tallystick.model.months import Month
from tallystick.model.plans import Plan
from tallystick.rating.bands import band_of, tier_of
from tallystick.rating.stretches import base_cost, final_cost
from tallystick.report.cursors import decode_cursor, encode_cursor
from tallystick.report.history import Subject
from tallystick.report.period import resolve_months
from tallystick.report.usage import Opened
from tallystick.store import accounts, jobs, rollups
from tallystick.store.database import Connection
from tallystick.store.jobs import JobRow, Position

_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class LedgerCursor(msgspec.Struct, frozen=True):
    """The last job shown: its account, rank and position, and the account's version when it was shown."""

    account: int
    rank: _Number
    booked_at: Annotated[int, msgspec.Meta(ge=instants.FIRST, le=instants.LAST)]
    id: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]+$")]
    version: _Number

    @property
    def position(self) -> Position:
        return Position(self.booked_at, self.id)


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
    current = subject.calendar.month_of(now)
    earliest = rollups.first_month(connection, [account.id]) if start_month is None else None
    first, last = resolve_months(start_month, end_month, current=current, earliest=earliest)
    if cursor is None:
        after = Position(subject.calendar.month_start(first), "")
        rank = rollups.jobs_before_month(connection, [account.id], first).get(account.id, 0)
    else:
        seen = decode_cursor(cursor, LedgerCursor)
        _check_unmoved(connection, opened, seen)
        after, rank = seen.position, seen.rank
    end = subject.calendar.month_start(last + 1)
    rows = jobs.live_page(connection, account.id, subject.meters, after=after, before=end, limit=limit + 1)
    shown = rows[:limit]
    names = accounts.key_names(connection, account.id)
    entries = tuple(_entry(row, number, subject, names) for number, row in enumerate(shown, rank + 1))
    more = len(rows) > limit
    return LedgerPage(jobs=entries, next_cursor=_cursor(shown[-1], rank + limit, account.version) if more else None)


def _cursor(row: JobRow, rank: int, version: int) -> str:
    return encode_cursor(LedgerCursor(row.account_id, rank, row.booked_at, row.id, version))


def _check_unmoved(connection: Connection, opened: Opened, seen: LedgerCursor) -> None:
    if seen.account != opened.account.id:
        raise InvalidInput.parameter("cursor", "was given for another account", code="invalid_cursor")
    if seen.version != opened.account.version and _rank_of(connection, opened.subject, seen.position) != seen.rank:
        raise Conflict(
            "a job was booked before this cursor since it was given, so that ranks have moved; begin again without it",
            code="ledger_changed",
        )


def _rank_of(connection: Connection, subject: Subject, position: Position) -> int:
    """The rank of the job at a position: rollups up to its day, and that day's jobs counted."""
    day = subject.calendar.day_of(position.booked_at)
    month = Month.of_day(day)
    earlier = rollups.jobs_before_month(connection, [subject.account_id], month).get(subject.account_id, 0)
    days = rollups.jobs_by(connection, subject.account_id, "day", month.first_day, day - 1)
    start = subject.calendar.day_start(day)
    same_day = jobs.count_live(connection, subject.account_id, start=start, through=position)
    return earlier + sum(count for _, count in days) + same_day


def _entry(row: JobRow, rank: int, subject: Subject, names: Mapping[int, str]) -> LedgerJob:
    plan: Plan = subject.schedule.plan_for(subject.calendar.month_of(row.booked_at))
    band = band_of(plan, rank)
    discount = tier_of(plan, band.tier).discount
    base = ZERO if band.free else base_cost(row.tokens, plan.unit_prices(subject.meters))
    return LedgerJob(
        rank=rank,
        id=row.id,
        api_key=names[row.key_id],
        completed_at=format_instant(row.completed_at),
        booked_at=format_instant(row.booked_at),
        tokens={meter.id: count for meter, count in zip(subject.meters, row.tokens, strict=True)},
        tier=band.tier,
        free=band.free,
        discount=tidy(discount),
        base_cost=tidy(base),
        final_cost=tidy(final_cost(base, discount)),
    )
