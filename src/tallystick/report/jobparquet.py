"""Jobs as Parquet, for notebooks and databases: exact decimals, instants in UTC, in groups of bounded size.

It is written by pyarrow, which the extra ``parquet`` brings and which is loaded here when it is first needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from tallystick.errors import MissingExtra
from tallystick.model.jobs import MAX_TOKENS
from tallystick.model.money import ZERO, decimal_places
from tallystick.model.plans import DISCOUNT_PLACES, Plan
from tallystick.model.usagetable import token_column
from tallystick.rating.stretches import base_cost
from tallystick.report.usage import Opened

if TYPE_CHECKING:
    from tallystick.report.jobtables import PricedJob

_ROWS_IN_A_GROUP: Final = 50_000
"""A group is held in memory until it is written; readers like them large."""

_MOST_DIGITS: Final = 38
"""Of the decimals that every reader takes. Where a plan's prices can need more, there is one twice as wide."""


class ParquetTable:
    """Jobs as Parquet: the members of `LedgerJob`, the tokens of each meter in a column of its own.

    The file's metadata names the account and its currency. Raises `MissingExtra` where pyarrow is not installed.
    """

    def __init__(self, opened: Opened) -> None:
        self._arrow, parquet = _pyarrow()
        plans = [version.plan for versions in opened.subject.schedule.versions.values() for version in versions]
        self._schema = self._arrow.schema(
            self._fields([meter.id for meter in opened.subject.meters], plans),
            metadata={"account": opened.account.name, "currency": opened.account.currency},
        )
        self._sink = _Sink()
        self._writer: Any = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._batches: list[Any] = []
        self._rows = 0

    def _fields(self, meter_ids: list[str], plans: Sequence[Plan]) -> list[tuple[str, Any]]:
        arrow = self._arrow
        instant, name = arrow.timestamp("us", tz="UTC"), arrow.dictionary(arrow.int32(), arrow.string())
        cost = _cost_type(arrow, plans)
        return [
            ("rank", arrow.int64()),
            ("id", arrow.string()),
            ("api_key", name),
            ("completed_at", instant),
            ("booked_at", instant),
            ("late", arrow.bool_()),
            *((token_column(meter_id), arrow.int64()) for meter_id in meter_ids),
            ("tier", arrow.int32()),
            ("free", arrow.bool_()),
            ("discount", arrow.decimal128(9, DISCOUNT_PLACES)),
            ("base_cost", cost),
            ("final_cost", cost),
        ]

    def begun(self) -> bytes:
        return self._sink.taken()

    def added(self, jobs: Sequence[PricedJob]) -> bytes:
        columns = zip(*map(_values, jobs), strict=True)
        arrays = [
            self._arrow.array(column, type=field.type) for column, field in zip(columns, self._schema, strict=True)
        ]
        self._batches.append(self._arrow.record_batch(arrays, schema=self._schema))
        self._rows += len(jobs)
        if self._rows >= _ROWS_IN_A_GROUP:
            self._write_group()
        return self._sink.taken()

    def ended(self) -> bytes:
        self._write_group()
        self._writer.close()
        return self._sink.taken()

    def _write_group(self) -> None:
        if self._batches:
            table = self._arrow.Table.from_batches(self._batches)
            self._writer.write_table(table, row_group_size=self._rows)
        self._batches, self._rows = [], 0


def _values(job: PricedJob) -> tuple[Any, ...]:
    row, price = job.row, job.price
    return (
        job.rank,
        row.id,
        job.api_key,
        row.completed_at,
        row.booked_at,
        row.late,
        *row.tokens,
        price.tier,
        price.free,
        price.discount,
        price.base_cost,
        price.final_cost,
    )


def _cost_type(arrow: ModuleType, plans: Sequence[Plan]) -> Any:
    """A decimal with room for every digit that a job's cost under these plans can have."""
    places = max((_places(plan) for plan in plans), default=0)
    dearest = max((_dearest_job(plan) for plan in plans), default=ZERO)
    if dearest.adjusted() + 1 + places <= _MOST_DIGITS:
        return arrow.decimal128(_MOST_DIGITS, places)
    return arrow.decimal256(2 * _MOST_DIGITS, places)


def _places(plan: Plan) -> int:
    price_places = max((decimal_places(meter.unit_price) for meter in plan.meters), default=0)
    # A discount is in percent, which is two places more.
    return price_places + max((decimal_places(tier.discount) + 2 for tier in plan.tiers if tier.discount), default=0)


def _dearest_job(plan: Plan) -> Decimal:
    return base_cost((MAX_TOKENS,) * len(plan.meters), tuple(meter.unit_price for meter in plan.meters))


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise MissingExtra("Parquet is written by pyarrow", "parquet") from None
    return pyarrow, pyarrow.parquet


class _Sink:
    """What pyarrow writes to: it is taken away after every group."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size_bytes = 0

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        self._size_bytes += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size_bytes

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing to give back."""

    def taken(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
