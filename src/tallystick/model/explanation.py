"""The explanation of a bill: every cost as lines that anybody can multiply again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from tallystick.model.report import Period
from tallystick.model.wire import Wire, decode


class ExplainedLine(Wire, frozen=True, kw_only=True):
    """What one API key used of one meter in one month at one price, and what that costs.

    ``quantity * price_per_unit = base_cost`` and ``base_cost * (1 - discount / 100) = final_cost``, both exactly;
    `discount` is in percent. The `jobs` of the line are those of this key among the account's ranks `first_rank` to
    `last_rank`, both included. Free jobs stand on lines of their own, at a price of 0; `free_jobs` counts them.
    `plan_version` is the month from which the version of `plan` holds, `None` where it holds from the beginning.
    """

    month: str
    api_key: str
    meter: str
    tier: int
    first_rank: int
    last_rank: int
    jobs: int
    free_jobs: int
    quantity: int
    price_per_unit: Decimal
    discount: Decimal
    base_cost: Decimal
    final_cost: Decimal
    plan: str
    plan_version: str | None


class ExplainedMonth(Wire, frozen=True, kw_only=True):
    """A month of the period: its live jobs, how many came before it, and the plan version that prices it."""

    month: str
    jobs_before: int
    jobs: int
    plan: str
    plan_version: str | None


class ExplainedPlan(Wire, frozen=True, kw_only=True):
    """A plan version that priced a month, whole, so that tiers and prices can be looked up."""

    plan: str
    plan_version: str | None
    document: dict[str, Any]


class ExplainedTotals(Wire, frozen=True, kw_only=True):
    """The sums of all lines; `savings` is the difference of both."""

    base_cost: Decimal
    final_cost: Decimal
    savings: Decimal


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Every cost of a report as lines. `totals` are their sums, and those of the report for the same months.

    Lines come by month, then by key in the report's order, then by rank, then by meter. A meter of which a key used
    nothing has no line, but jobs without any tokens have one, of the plan's first meter, so that each job is on a
    line.
    """

    period: Period
    currency: str
    totals: ExplainedTotals
    months: tuple[ExplainedMonth, ...]
    lines: tuple[ExplainedLine, ...]
    plans: tuple[ExplainedPlan, ...]

    def to_dict(self) -> dict[str, Any]:
        """The wire shape, money as `Decimal`."""
        return {
            "period": {"start_month": self.period.start_month, "end_month": self.period.end_month},
            "currency": self.currency,
            "totals": msgspec.structs.asdict(self.totals),
            "months": [msgspec.structs.asdict(month) for month in self.months],
            "lines": [msgspec.structs.asdict(line) for line in self.lines],
            "plans": [msgspec.structs.asdict(plan) for plan in self.plans],
        }

    @classmethod
    def from_json(cls, body: bytes | str) -> Explanation:
        """The explanation that a server's answer holds; amounts are read from its digits."""
        return msgspec.convert(decode(body), cls)

    def __str__(self) -> str:
        from tallystick.model.text import explanation_text

        return explanation_text(self)
