"""The usage report as one flat table, a row for each month and API key, for spreadsheets."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from tallystick.model.csvtext import csv_text
from tallystick.model.money import plain


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one API key used in one month. `tokens` maps meter ids to their sums."""

    month: str
    api_key: str
    jobs: int
    tokens: Mapping[str, int]
    base_cost: Decimal
    savings: Decimal
    final_cost: Decimal


class UsageTable(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of some months: months ascend, within each the keys come most jobs first.

    Every column sums to the totals of the report, its rows of a month to that month, and its rows of a key to that
    key, all exactly. A month without jobs is one row of zeros without a key. `meters` are the ids of all meters.
    """

    currency: str
    meters: tuple[str, ...]
    rows: tuple[UsageRow, ...]

    def to_csv(self) -> str:
        """The table as CSV: names guarded against formulas, tokens of a meter in the column ``<meter>_tokens``."""
        columns = ("month", "api_key", "jobs", *map(token_column, self.meters), *COSTS, "currency")
        return csv_text(columns, map(self._cells, self.rows))

    def _cells(self, row: UsageRow) -> list[str | int]:
        tokens = [row.tokens[meter] for meter in self.meters]
        costs = map(plain, (row.base_cost, row.savings, row.final_cost))
        return [row.month, row.api_key, row.jobs, *tokens, *costs, self.currency]


COSTS: Final = ("base_cost", "savings", "final_cost")


def token_column(meter: str) -> str:
    """The column for a meter's tokens; no other column ends like it, so that none is taken twice."""
    return f"{meter}_tokens"
