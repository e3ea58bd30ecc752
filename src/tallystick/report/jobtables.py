"""The ledger as a table: an account's live jobs of a period in rank order, as CSV or Parquet.

Both are made as the ledger is read, so that memory does not grow with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from tallystick.model.csvtext import CsvLines, guarded
from tallystick.model.instants import format_instant
from tallystick.model.jobs import TableForm
from tallystick.model.money import plain
from tallystick.model.plans import Meter
from tallystick.model.usagetable import token_column
from tallystick.report.entries import Place, Price, Pricing, find_period, find_place
from tallystick.report.jobparquet import ParquetTable
from tallystick.report.usage import Opened
from tallystick.store import accounts, jobs
from tallystick.store.database import Connection
from tallystick.store.jobs import JobRow
from tallystick.store.rows import parts
from tallystick.store.schema import LIVE

_ROWS_AT_ONCE: Final = 500


class PricedJob(NamedTuple):
    """A job as stored, its key's name, and what it costs by its rank."""

    rank: int
    row: JobRow
    api_key: str
    price: Price


class Table(Protocol):
    """Writes jobs that come in rank order."""

    def begun(self) -> bytes:
        """What comes before the first job."""
        ...

    def added(self, jobs: Sequence[PricedJob]) -> bytes:
        """What is written of some jobs; it may be nothing yet."""
        ...

    def ended(self) -> bytes:
        """What comes behind the last job."""
        ...


def ledger_table(
    connection: Connection,
    opened: Opened,
    start_month: str | None,
    end_month: str | None,
    form: TableForm,
    *,
    hear: Callable[[int], None],
    now: int,
) -> Iterator[bytes]:
    """The period's jobs in chunks; `hear` is told how many more were read.

    Raises `InvalidInput` as a report does, and `MissingExtra`, before the first chunk.
    """
    period = find_period(connection, opened, start_month, end_month, now=now)
    place = find_place(connection, opened, period, None)
    meters = opened.subject.meters
    table: Table = CsvTable(meters) if form is TableForm.CSV else ParquetTable(opened)
    rows = jobs.walk(connection, opened.account.id, LIVE, meters, after=place.after, before=place.before)
    return _chunks(table, _priced(opened, place, rows, accounts.key_names(connection, opened.account.id)), hear)


def _chunks(table: Table, priced: Iterator[PricedJob], hear: Callable[[int], None]) -> Iterator[bytes]:
    yield table.begun()
    for part in parts(priced, _ROWS_AT_ONCE):
        if chunk := table.added(part):
            yield chunk
        hear(len(part))
    yield table.ended()


def _priced(opened: Opened, place: Place, rows: Iterator[JobRow], key_names: Mapping[int, str]) -> Iterator[PricedJob]:
    pricing = Pricing(opened.subject, place)
    for number, row in enumerate(rows, place.rank + 1):
        yield PricedJob(number, row, key_names[row.key_id], pricing.price(row, number))


class CsvTable:
    """Jobs as CSV: the members of `LedgerJob`, the tokens of each meter in a column of its own."""

    def __init__(self, meters: tuple[Meter, ...]) -> None:
        self._lines = CsvLines()
        self._columns = [
            *("rank", "id", "api_key", "completed_at", "booked_at", "late"),
            *(token_column(meter.id) for meter in meters),
            *("tier", "free", "discount", "base_cost", "final_cost"),
        ]

    def begun(self) -> bytes:
        return self._lines.written([self._columns])

    def added(self, jobs: Sequence[PricedJob]) -> bytes:
        return self._lines.written(map(_cells, jobs))

    def ended(self) -> bytes:
        return b""


def _cells(job: PricedJob) -> list[str | int]:
    row, price = job.row, job.price
    booked_at = format_instant(row.booked_at)
    return [
        job.rank,
        guarded(row.id),
        guarded(job.api_key),
        format_instant(row.completed_at) if row.late else booked_at,
        booked_at,
        _truth(row.late),
        *row.tokens,
        price.tier,
        _truth(price.free),
        plain(price.discount),
        plain(price.base_cost),
        plain(price.final_cost),
    ]


def _truth(value: bool) -> str:
    return "true" if value else "false"
