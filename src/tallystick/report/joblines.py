"""The ledger as lines: an account's live jobs of a period in rank order, one JSON object a line (NDJSON).

Lines are made as the ledger is read, so that memory does not grow with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from tallystick.model.instants import EPOCH
from tallystick.model.money import plain
from tallystick.report.entries import Pricing, cursor_behind, find_place
from tallystick.report.usage import Opened
from tallystick.store import accounts, jobs
from tallystick.store.database import Connection
from tallystick.store.jobs import JobRow
from tallystick.store.rows import parts
from tallystick.store.schema import LIVE

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


def ledger_lines(
    connection: Connection,
    opened: Opened,
    start_month: str | None,
    end_month: str | None,
    *,
    cursor: str | None,
    limit: int | None,
    now: int,
) -> Lines:
    """The period's jobs behind the cursor, at most `limit` of them.

    Raises as `tallystick.report.entries.ledger_page` does, before the first line.
    """
    account, subject, _ = opened
    after, rank, before = find_place(connection, opened, start_month, end_month, cursor=cursor, now=now)
    next_cursor = None
    if limit is not None:
        last = jobs.position_behind(connection, account.id, LIVE, after=after, before=before, skip=limit - 1)
        if last and jobs.position_behind(connection, account.id, LIVE, after=last, before=before, skip=0):
            next_cursor = cursor_behind(opened, last, rank + limit)
    rows = jobs.walk(connection, account.id, LIVE, subject.meters, after=after, before=before, limit=limit)
    return Lines(_Writer(opened, accounts.key_names(connection, account.id)).chunks(rows, rank), next_cursor)


class _Writer:
    """Writes the lines of jobs that come in rank order."""

    def __init__(self, opened: Opened, key_names: Mapping[int, str]) -> None:
        self._pricing = Pricing(opened.subject)
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
        booked_at = _moment(row.booked_at)
        return _Line(
            rank,
            row.id,
            self._key_names[row.key_id],
            _moment(row.completed_at) if row.late else booked_at,
            booked_at,
            row.late,
            dict(zip(self._meter_ids, row.tokens, strict=True)),
            price.tier,
            price.free,
            _number(price.discount),
            _number(price.base_cost),
            _number(price.final_cost),
        )


def _moment(instant: int) -> datetime:
    # Written as `format_instant` writes it; by place, since keywords take longer than the sum.
    return EPOCH + timedelta(0, 0, instant)


def _number(amount: Decimal) -> msgspec.Raw:
    return msgspec.Raw(plain(amount).encode())
