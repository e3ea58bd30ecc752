"""The ledger as lines: an account's live jobs of a period in rank order, one JSON object a line (NDJSON).

Where they are wanted, the voided jobs follow, in the same order by time and id. Lines are made as the ledger is read,
so that memory does not grow with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Annotated, Final, NamedTuple

import msgspec

from tallystick.errors import InvalidInput
from tallystick.model import instants
from tallystick.model.instants import format_instant, to_datetime
from tallystick.model.jobs import VoidedJob
from tallystick.model.money import plain
from tallystick.model.plans import Meter
from tallystick.report.cursors import decode_cursor, encode_cursor
from tallystick.report.entries import (
    Count,
    PeriodPlaces,
    Place,
    Pricing,
    cursor_behind,
    find_period,
    find_place,
    foreign_cursor,
    ledger_changed,
)
from tallystick.report.usage import Opened
from tallystick.store import accounts, jobs, rollups, voids
from tallystick.store.database import Connection
from tallystick.store.jobs import JobRow, Position
from tallystick.store.rows import parts
from tallystick.store.schema import LIVE, VOIDED
from tallystick.store.voids import VoidRow

_LINES_AT_ONCE: Final = 500

_encoder: Final = msgspec.json.Encoder()


class Lines(NamedTuple):
    """Lines in chunks that each end with a line, and the cursor that goes on behind them (`None` at the end)."""

    chunks: Iterator[bytes]
    next_cursor: str | None


class _Line(msgspec.Struct, frozen=True, gc=False):
    """An entry of the ledger as `LedgerJob` has it, with amounts that are written already."""

    rank: int
    id: str
    api_key: str
    completed_at: datetime
    booked_at: datetime
    late: bool
    tokens: dict[str, int]
    tier: int
    free: bool
    discount: msgspec.Raw
    base_cost: msgspec.Raw
    final_cost: msgspec.Raw


class VoidedCursor(msgspec.Struct, frozen=True):
    """The last voided job shown, or none yet where `voided` is 0; `live` counts the live ones up to the period's end.

    It holds no rank, so that it is never taken for a cursor among live jobs, or one of those for it.
    """

    account: int
    live: Count
    voided: Count
    booked_at: Annotated[int, msgspec.Meta(ge=instants.FIRST, le=instants.LAST)]
    id: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$")]
    version: Count


def ledger_lines(
    connection: Connection,
    opened: Opened,
    start_month: str | None,
    end_month: str | None,
    *,
    voided: bool,
    cursor: str | None,
    limit: int | None,
    now: int,
) -> Lines:
    """The period's jobs behind the cursor, at most `limit` of them.

    A page holds live jobs or voided ones, never both. Raises as `tallystick.report.entries.ledger_page` does, before
    the first line.
    """
    seen = _voided_cursor(cursor) if voided and cursor is not None else None
    period = find_period(connection, opened, start_month, end_month, now=now)
    if seen is not None:
        return _Voided(connection, opened, period).page(seen, limit)
    live = _live_lines(connection, opened, find_place(connection, opened, period, cursor), limit)
    if not voided or live.next_cursor is not None:
        return live
    behind = _Voided(connection, opened, period)
    if limit is None:
        return Lines(chain(live.chunks, behind.chunks(period.start, None)), None)
    return live._replace(next_cursor=behind.first_cursor())


def _live_lines(connection: Connection, opened: Opened, place: Place, limit: int | None) -> Lines:
    account, subject, _ = opened
    after, rank, before, _ = place
    next_cursor = None
    if limit is not None:
        last = jobs.position_behind(connection, account.id, LIVE, after=after, before=before, skip=limit - 1)
        if last and jobs.position_behind(connection, account.id, LIVE, after=last, before=before, skip=0):
            next_cursor = cursor_behind(opened, last, rank + limit)
    rows = jobs.walk(connection, account.id, LIVE, subject.meters, after=after, before=before, limit=limit)
    return Lines(_Writer(opened, place, accounts.key_names(connection, account.id)).chunks(rows, rank), next_cursor)


def _voided_cursor(text: str) -> VoidedCursor | None:
    try:
        return decode_cursor(text, VoidedCursor)
    except InvalidInput:
        return None


class _Voided:
    """The voided jobs of a period, behind its live ones."""

    def __init__(self, connection: Connection, opened: Opened, period: PeriodPlaces) -> None:
        self._connection = connection
        self._opened = opened
        self._period = period

    def first_cursor(self) -> str | None:
        """What leads from the last live job to the first voided one; `None` where none was voided."""
        return self._cursor_behind(None, 0)

    def page(self, seen: VoidedCursor, limit: int | None) -> Lines:
        """The voided jobs behind a cursor. Raises `Conflict` where jobs were booked or voided before it since."""
        self._check_unmoved(seen)
        after = Position(seen.booked_at, seen.id) if seen.voided else self._period.start
        if limit is None:
            return Lines(self.chunks(after, None), None)
        last = self._position_behind(after, limit - 1)
        return Lines(self.chunks(after, limit), last and self._cursor_behind(last, seen.voided + limit))

    def chunks(self, after: Position, limit: int | None) -> Iterator[bytes]:
        """Their lines."""
        subject = self._opened.subject
        names = accounts.key_names(self._connection, subject.account_id)
        rows = jobs.walk(
            self._connection,
            subject.account_id,
            VOIDED,
            subject.meters,
            after=after,
            before=self._period.end,
            limit=limit,
        )
        for part in parts(rows, _LINES_AT_ONCE):
            found = voids.voids_of(self._connection, subject.account_id, [row.id for row in part])
            yield _encoder.encode_lines([voided_job(row, found[row.id], subject.meters, names) for row in part])

    def _cursor_behind(self, last: Position | None, voided: int) -> str | None:
        if self._position_behind(last or self._period.start, 0) is None:
            return None
        booked_at, job_id = last or (instants.FIRST, "")
        account = self._opened.account
        return encode_cursor(VoidedCursor(account.id, self._live(), voided, booked_at, job_id, account.version))

    def _position_behind(self, after: Position, skip: int) -> Position | None:
        account_id, end = self._opened.account.id, self._period.end
        return jobs.position_behind(self._connection, account_id, VOIDED, after=after, before=end, skip=skip)

    def _live(self) -> int:
        account_id = self._opened.account.id
        return rollups.jobs_before_month(self._connection, [account_id], self._period.last + 1).get(account_id, 0)

    def _check_unmoved(self, seen: VoidedCursor) -> None:
        account = self._opened.account
        if seen.account != account.id:
            raise foreign_cursor()
        if seen.version == account.version:
            return
        through = Position(seen.booked_at, seen.id)
        start = self._period.start.booked_at
        voided = jobs.count(self._connection, account.id, VOIDED, start=start, through=through) if seen.voided else 0
        if (seen.live, seen.voided) != (self._live(), voided):
            raise ledger_changed()


def voided_job(row: JobRow, void: VoidRow, meters: tuple[Meter, ...], key_names: Mapping[int, str]) -> VoidedJob:
    """A voided job as it is shown."""
    return VoidedJob(
        id=row.id,
        api_key=key_names[row.key_id],
        completed_at=format_instant(row.completed_at),
        booked_at=format_instant(row.booked_at),
        late=row.late,
        tokens={meter.id: count for meter, count in zip(meters, row.tokens, strict=True)},
        voided_at=format_instant(void.voided_at),
        void_reason=void.reason,
    )


class _Writer:
    """Writes the lines of jobs that come in rank order."""

    def __init__(self, opened: Opened, place: Place, key_names: Mapping[int, str]) -> None:
        self._pricing = Pricing(opened.subject, place)
        self._meter_ids = [meter.id for meter in opened.subject.meters]
        self._key_names = key_names

    def chunks(self, rows: Iterator[JobRow], rank: int) -> Iterator[bytes]:
        """The lines of jobs that follow the one with that rank."""
        for part in parts(rows, _LINES_AT_ONCE):
            yield _encoder.encode_lines(self._lines(part, rank))
            rank += len(part)

    def _lines(self, rows: Sequence[JobRow], rank: int) -> list[_Line]:
        return [self._line(row, number) for number, row in enumerate(rows, rank + 1)]

    def _line(self, row: JobRow, rank: int) -> _Line:
        price = self._pricing.price(row, rank)
        booked_at = to_datetime(row.booked_at)
        return _Line(
            rank,
            row.id,
            self._key_names[row.key_id],
            to_datetime(row.completed_at) if row.late else booked_at,
            booked_at,
            row.late,
            dict(zip(self._meter_ids, row.tokens, strict=True)),
            price.tier,
            price.free,
            _number(price.discount),
            _number(price.base_cost),
            _number(price.final_cost),
        )


def _number(amount: Decimal) -> msgspec.Raw:
    return msgspec.Raw(plain(amount).encode())
