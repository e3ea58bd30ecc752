"""Where an account stands: what its pages show beside the report."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tallystick.model.plans import Meter
from tallystick.model.wire import Wire

RECENT_DAYS: Final = 30
"""The days by whose pace an account's way to its next tier is told."""


class TierMark(Wire, frozen=True, kw_only=True):
    """A tier of a plan: its number from 1, after how many jobs it starts, and its discount in percent."""

    number: int
    after_jobs: int
    discount: Decimal


class Standing(Wire, frozen=True, kw_only=True):
    """How far an account has come in the plan that holds for it now.

    `counted_jobs` are those that count towards tiers, `tier` the number of the next job's tier. Where tiers count anew
    each month (`monthly`), `days_left` are the days until then, today included. Of the last `RECENT_DAYS` days stand
    the jobs and their cost before discount.
    """

    plan: str
    free_jobs: int
    free_jobs_left: int
    free_monthly: bool
    counted_jobs: int
    monthly: bool
    days_left: int
    tier: int
    tiers: tuple[TierMark, ...]
    recent_jobs: int
    recent_base_cost: Decimal

    @property
    def current(self) -> TierMark:
        """The tier of the next job."""
        return self.tiers[self.tier - 1]

    @property
    def next(self) -> TierMark | None:
        """The tier after that, `None` where there is none."""
        return self.tiers[self.tier] if self.tier < len(self.tiers) else None


class Overview(Wire, frozen=True, kw_only=True):
    """An account, its current month (``YYYY-MM`` in its zone), the months with live jobs, and where it stands.

    `today` is the day in its zone, counted from 1970-01-01;
    `meters` are the deployment's, in the order in which reports have them.
    """

    account: str
    time_zone: str
    currency: str
    current_month: str
    today: int
    months: tuple[str, ...]
    meters: tuple[Meter, ...]
    standing: Standing

    @property
    def first_month(self) -> str | None:
        """The first month with jobs, `None` without any."""
        return self.months[0] if self.months else None

    def nearest_month(self, start_month: str, end_month: str) -> str | None:
        """The month with jobs that is nearest to a period without any: the last before it, else the first after."""
        earlier = [month for month in self.months if month < start_month]
        later = [month for month in self.months if month > end_month]
        return earlier[-1] if earlier else later[0] if later else None


class AccountTrend(Wire, frozen=True, kw_only=True):
    """What an account cost in each of some months, ascending, and when its newest job was accepted (RFC 3339)."""

    final_costs: tuple[Decimal, ...]
    last_recorded_at: str | None
