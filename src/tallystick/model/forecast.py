"""The forecast of an account's month, as the server answers it, the SDK gives it and the command line prints it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from tallystick.model.wire import Wire, decode


class Estimate(msgspec.Struct, frozen=True):
    """A whole number that is expected, and the interval in which it lies four times in five."""

    expected: int
    low: int
    high: int


class CostEstimate(msgspec.Struct, frozen=True):
    """An amount that is expected, and the interval in which it lies four times in five."""

    expected: Decimal
    low: Decimal
    high: Decimal


class SoFar(msgspec.Struct, frozen=True, kw_only=True):
    """The month up to now, exactly as the usage report has it. `tokens` maps meter ids to their sums."""

    jobs: int
    tokens: Mapping[str, int]
    final_cost: Decimal


class MonthEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The whole month, what has happened included. `tokens` maps meter ids to their estimates."""

    jobs: Estimate
    tokens: Mapping[str, Estimate]
    final_cost: CostEstimate


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """When something is reached: days (``YYYY-MM-DD``) of the account's zone.

    `reached` tells that it has been, on the day that all three then name. Otherwise `earliest` and `latest` are the
    ends of the interval; `None` stands where it is not within what was looked at: the month for a budget, 366 days for
    the free jobs and the next tier.
    """

    reached: bool
    expected: str | None
    earliest: str | None
    latest: str | None


class FreeJobsForecast(Reached, frozen=True, kw_only=True):
    """The end of the free jobs: how many there are, and how many are left now."""

    free_jobs: int
    left: int


class TierForecast(Reached, frozen=True, kw_only=True):
    """The next tier with a greater discount than the next job has now; `jobs_left` more jobs reach it."""

    tier: int
    after_jobs: int
    discount: Decimal
    jobs_left: int


class BudgetForecast(Reached, frozen=True, kw_only=True):
    """A budget of the account (`api_key` is `None`) or a key: its amount, and the month's cost so far and at its end.

    A key may have too little history where the account has enough.
    """

    api_key: str | None
    amount: Decimal
    cost: Decimal
    month_end_cost: CostEstimate | None
    too_little: str | None


class Forecast(Wire, frozen=True, kw_only=True):
    """What an account's current month (``YYYY-MM`` in its zone) comes to, and when what matters is reached.

    Where the history is too short to tell, `too_little` says what is lacking, `month_end` is `None`, and so are the
    days of what has not been reached. `free_jobs` is `None` for a plan without any, `next_tier` in the last tier.
    `currency` comes beside the wire shape (the header ``Tallystick-Currency``) and is not part of `to_dict`.
    """

    month: str
    today: str
    interval_percentage: int
    so_far: SoFar
    month_end: MonthEnd | None
    too_little: str | None
    free_jobs: FreeJobsForecast | None
    next_tier: TierForecast | None
    budgets: tuple[BudgetForecast, ...]
    currency: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The wire shape, money as `Decimal`."""
        shape = super().to_dict()
        del shape["currency"]
        return shape

    @classmethod
    def from_json(cls, body: bytes | str, *, currency: str = "") -> Forecast:
        """The forecast that a server's answer holds."""
        return msgspec.convert({**decode(body), "currency": currency}, cls)

    def __str__(self) -> str:
        from tallystick.model.forecasttext import forecast_text

        return forecast_text(self)
