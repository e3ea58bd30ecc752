"""The usage report, as the server answers it, the SDK gives it and the command line prints it.

The shapes are those of the contract. Money is `Decimal`; `to_dict` keeps it so, `to_json` writes it as plain
decimal numbers (`tallystick.model.wire`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from tallystick.model.wire import decode, encode


class _Metered(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs with their tokens: each meter is also an attribute, such as ``totals.transcription_tokens``.

    `tokens` maps the report's field of each meter to its sum.
    """

    jobs: int
    tokens: Mapping[str, int]

    def __getattr__(self, name: str) -> int:
        # Only asked for what is not a field. Dunder look-ups must fail as usual or copying breaks.
        if not name.startswith("__"):
            try:
                return self.tokens[name]
            except KeyError:
                pass
        raise AttributeError(f"{type(self).__name__} has no field {name!r}")


class _Priced(_Metered, frozen=True, kw_only=True):
    """Jobs with their tokens and what they cost before and after discount."""

    base_cost: Decimal
    final_cost: Decimal
    savings: Decimal

    def _sums(self) -> dict[str, Any]:
        return {
            "jobs": self.jobs,
            **self.tokens,
            "base_cost": self.base_cost,
            "final_cost": self.final_cost,
            "savings": self.savings,
        }


class Period(msgspec.Struct, frozen=True):
    """The months (``YYYY-MM``) that a report covers, both included."""

    start_month: str
    end_month: str


class Totals(_Priced, frozen=True, kw_only=True):
    """The sums of a report's whole period, and the free jobs that the account has left now."""

    effective_discount_percentage: Decimal
    free_jobs_left: int

    def to_dict(self) -> dict[str, Any]:
        return {
            **self._sums(),
            "effective_discount_percentage": self.effective_discount_percentage,
            "free_jobs_left": self.free_jobs_left,
        }


class MonthUsage(_Priced, frozen=True, kw_only=True):
    """One month. `current_tier_discount` is what the next job would get at its end, in percent."""

    month: str
    current_tier_discount: Decimal
    tiers: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        return {
            "month": self.month,
            **self._sums(),
            "current_tier_discount": self.current_tier_discount,
            "tiers": dict(self.tiers),
        }


class Costs(msgspec.Struct, frozen=True):
    """Cost before and after discount, and the difference."""

    base: Decimal
    final: Decimal
    savings: Decimal

    def to_dict(self) -> dict[str, Decimal]:
        return {"base": self.base, "final": self.final, "savings": self.savings}


class KeyUsage(msgspec.Struct, frozen=True, kw_only=True):
    """One API key's part of the report. `tokens` maps meter ids to their sums."""

    jobs: int
    tokens: Mapping[str, int]
    costs: Costs
    tiers: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        return {
            "jobs": self.jobs,
            "tokens": dict(self.tokens),
            "costs": self.costs.to_dict(),
            "tiers": dict(self.tiers),
        }


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an account used in some months and what it costs.

    Months ascend and none is left out; keys come most jobs first. Months sum to totals, keys sum to totals,
    tiers sum to jobs, and `base_cost - savings = final_cost`, all exactly. `currency` comes beside the contract's
    shape (the header ``Tallystick-Currency``) and is not part of `to_dict`.
    """

    period: Period
    totals: Totals
    monthly_breakdown: tuple[MonthUsage, ...]
    api_keys: Mapping[str, KeyUsage]
    currency: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The wire shape, money as `Decimal`."""
        return {
            "period": {"start_month": self.period.start_month, "end_month": self.period.end_month},
            "totals": self.totals.to_dict(),
            "monthly_breakdown": [month.to_dict() for month in self.monthly_breakdown],
            "api_keys": {name: key.to_dict() for name, key in self.api_keys.items()},
        }

    def to_json(self, *, indent: int = 0) -> str:
        """The wire shape as JSON, money as plain decimal numbers."""
        return encode(self.to_dict(), indent=indent).decode()

    @classmethod
    def from_json(cls, body: bytes | str, *, currency: str = "") -> UsageReport:
        """The report that a server's answer holds; every number is read from its digits."""
        wire = decode(body)
        return cls(
            period=msgspec.convert(wire["period"], Period),
            totals=_metered(Totals, wire["totals"]),
            monthly_breakdown=tuple(_metered(MonthUsage, month) for month in wire["monthly_breakdown"]),
            api_keys=msgspec.convert(wire["api_keys"], dict[str, KeyUsage]),
            currency=currency,
        )

    def __str__(self) -> str:
        from tallystick.model.text import usage_text

        return usage_text(self)


class DayUsage(_Priced, frozen=True, kw_only=True):
    """One day (``YYYY-MM-DD`` in the account's zone) of a daily report, and each key's part of it."""

    day: str
    api_keys: Mapping[str, KeyUsage]

    def to_dict(self) -> dict[str, Any]:
        return {
            "day": self.day,
            **self._sums(),
            "api_keys": {name: key.to_dict() for name, key in self.api_keys.items()},
        }


class DailyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report by day and key, for charts. Days ascend and none is left out."""

    start: str
    end: str
    days: tuple[DayUsage, ...]
    currency: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The wire shape, money as `Decimal`."""
        return {"period": {"start": self.start, "end": self.end}, "days": [day.to_dict() for day in self.days]}

    @classmethod
    def from_json(cls, body: bytes | str, *, currency: str = "") -> DailyReport:
        """The report that a server's answer holds."""
        wire = decode(body)
        days = tuple(_metered(DayUsage, day) for day in wire["days"])
        return cls(start=wire["period"]["start"], end=wire["period"]["end"], days=days, currency=currency)


class AccountUsage(_Priced, frozen=True, kw_only=True):
    """One account's totals in the provider's list."""

    account: str
    currency: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "currency": self.currency,
            **self._sums(),
        }


class CurrencyTotals(_Priced, frozen=True, kw_only=True):
    """The sums of all accounts that pay in one currency."""

    currency: str
    accounts: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "accounts": self.accounts,
            **self._sums(),
        }


class AccountsReport(msgspec.Struct, frozen=True, kw_only=True):
    """Totals per account, most cost first, and of all accounts by currency. `next_cursor` is `None` at the end."""

    period: Period
    totals: tuple[CurrencyTotals, ...]
    accounts: tuple[AccountUsage, ...]
    next_cursor: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The wire shape, money as `Decimal`."""
        return {
            "period": {"start_month": self.period.start_month, "end_month": self.period.end_month},
            "totals": [total.to_dict() for total in self.totals],
            "accounts": [account.to_dict() for account in self.accounts],
            "next_cursor": self.next_cursor,
        }

    @classmethod
    def from_json(cls, body: bytes | str) -> AccountsReport:
        """The report that a server's answer holds."""
        wire = decode(body)
        return cls(
            period=msgspec.convert(wire["period"], Period),
            totals=tuple(_metered(CurrencyTotals, total) for total in wire["totals"]),
            accounts=tuple(_metered(AccountUsage, account) for account in wire["accounts"]),
            next_cursor=wire["next_cursor"],
        )


_Kind = TypeVar("_Kind", bound=_Metered)


def _metered(kind: type[_Kind], wire: Mapping[str, Any]) -> _Kind:
    """`wire` as `kind`, the fields that it does not know being meters."""
    known = set(kind.__struct_fields__) - {"tokens"}
    tokens = {name: value for name, value in wire.items() if name not in known}
    return msgspec.convert({**{name: wire[name] for name in known if name in wire}, "tokens": tokens}, kind)
