"""Price plans: data that says what a job costs (design rules 7, 8 and 10).

A plan is written in TOML or JSON; `parse_plan` checks it and names the key of every error. What the numbers
mean for a job of some rank is `tallystick.rating`'s business.
"""

from __future__ import annotations

import enum
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

import msgspec

from tallystick.errors import FieldError, InvalidInput, InvalidPlan
from tallystick.model.currencies import is_currency
from tallystick.model.money import EXACT, decimal_places, money, plain
from tallystick.model.months import Month
from tallystick.model.names import check_name, is_meter_id

PRICE_PLACES: Final = 12
DISCOUNT_PLACES: Final = 4
UNIT_PRICE_PLACES: Final = 20
"""With prices below 10^9 and token sums below 2^63, costs then fit into the 60 digits of exact arithmetic."""

MAX_PRICE: Final = Decimal(10**9)
MAX_PER: Final = 10**9
MAX_RANK: Final = 10**12
MAX_METERS: Final = 50
MAX_TIERS: Final = 100

_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)

RESERVED_FIELDS: Final = frozenset(
    {
        "jobs",
        "base_cost",
        "final_cost",
        "savings",
        "effective_discount_percentage",
        "free_jobs_left",
        "month",
        "day",
        "account",
        "currency",
        "current_tier_discount",
        "tiers",
        "tokens",
        "api_keys",
    }
)
"""Names that the report uses itself; no meter may be reported under one."""


RESERVED_NAMES: Final = ("simulate",)
"""What stands in the API where a plan's name could."""


class Reset(enum.StrEnum):
    """When a count of jobs starts again: never, or with each month."""

    NEVER = "never"
    MONTH = "month"


class Meter(msgspec.Struct, frozen=True):
    """A named integer quantity that jobs carry, and the report's field for it."""

    id: str
    report_as: str


class MeterPrice(msgspec.Struct, frozen=True):
    """What a plan charges for a meter: `price` for every `per` units."""

    id: str
    report_as: str
    price: Decimal
    per: int

    @property
    def meter(self) -> Meter:
        return Meter(self.id, self.report_as)

    @property
    def unit_price(self) -> Decimal:
        """The exact price of one unit; a checked plan has one."""
        return EXACT.divide(self.price, Decimal(self.per))


class Tier(msgspec.Struct, frozen=True):
    """A discount in percent that applies to the jobs that come after `after_jobs` others."""

    after_jobs: int
    discount: Decimal


class Plan(msgspec.Struct, frozen=True):
    """A checked price plan. `tiers` ascend and start after 0 jobs.

    `reset` says when the count behind the tiers starts again, `free_jobs_reset` when that of the free quota does.
    """

    name: str
    currency: str
    free_jobs: int
    meters: tuple[MeterPrice, ...]
    tiers: tuple[Tier, ...]
    reset: Reset = Reset.NEVER
    free_jobs_reset: Reset = Reset.NEVER

    @property
    def counts_by_month(self) -> bool:
        """Whether anything is counted anew each month."""
        return self.reset is Reset.MONTH or self.free_jobs_reset is Reset.MONTH

    def unit_prices(self, meters: tuple[Meter, ...]) -> tuple[Decimal, ...]:
        """The price of one unit of each of `meters`, 0 for those that the plan lacks (rule 8)."""
        return _unit_prices(self.meters, meters)

    def to_document(self) -> dict[str, Any]:
        """The plan as plain data, decimals in quotes; `parse_plan` takes it back unchanged."""
        return {
            "name": self.name,
            "currency": self.currency,
            "free_jobs": self.free_jobs,
            "free_jobs_reset": self.free_jobs_reset.value,
            "reset": self.reset.value,
            "meters": [
                {"id": m.id, "report_as": m.report_as, "price": plain(m.price), "per": m.per} for m in self.meters
            ],
            "tiers": [{"after_jobs": t.after_jobs, "discount": plain(t.discount)} for t in self.tiers],
        }


@lru_cache(maxsize=1024)
def _unit_prices(prices: tuple[MeterPrice, ...], meters: tuple[Meter, ...]) -> tuple[Decimal, ...]:
    known = {price.id: price.unit_price for price in prices}
    return tuple(known.get(meter.id, Decimal(0)) for meter in meters)


BEGINNING: Final = Month(0)
"""The month of a version that holds from the beginning."""


class PlanVersion(msgspec.Struct, frozen=True):
    """A plan as it holds from a month on; the first version of a plan also holds before that month."""

    effective_from: Month
    plan: Plan

    @property
    def version(self) -> str | None:
        """What names the version within its plan."""
        return version_name(self.effective_from)


def version_name(effective_from: Month) -> str | None:
    """The month from which something holds, `None` where that is from the beginning."""
    return None if effective_from == BEGINNING else str(effective_from)


def parse_plan_toml(text: str) -> Plan:
    """The plan that a TOML text holds. Raises `InvalidPlan`, naming the key of every error."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidPlan([FieldError(f"is not TOML: {error}")]) from None
    return parse_plan(document)


def parse_plan(document: Mapping[str, Any], *, taken_before: bool = False) -> Plan:
    """The plan that a mapping (from TOML or JSON) holds. Raises `InvalidPlan`, naming the key of every error.

    A plan that was `taken_before` keeps its currency whether or not ISO 4217 has it still.
    """
    reader = _Reader(taken_before=taken_before)
    plan = reader.plan(document)
    if reader.errors:
        raise InvalidPlan(reader.errors)
    return plan


class _Reader:
    """Reads a plan and collects what is wrong with it, so that its author hears of everything at once."""

    def __init__(self, *, taken_before: bool) -> None:
        self.errors: list[FieldError] = []
        self._taken_before = taken_before

    def plan(self, document: object) -> Plan:
        table = self._table("", document, _PLAN_KEYS)
        plan = Plan(
            name=self._plan_name("name", table.get("name")),
            currency=self._currency("currency", table.get("currency")),
            free_jobs=self._integer("free_jobs", table.get("free_jobs", 0), 0, MAX_RANK),
            meters=tuple(
                self._meter(f"meters[{i}]", entry)
                for i, entry in enumerate(self._list("meters", table.get("meters"), MAX_METERS))
            ),
            tiers=tuple(
                self._tier(f"tiers[{i}]", entry)
                for i, entry in enumerate(
                    self._list("tiers", table.get("tiers", [{"after_jobs": 0, "discount": "0"}]), MAX_TIERS)
                )
            ),
            reset=self._reset("reset", table.get("reset", Reset.NEVER.value)),
            free_jobs_reset=self._reset("free_jobs_reset", table.get("free_jobs_reset", Reset.NEVER.value)),
        )
        self._check_meters_differ(plan.meters)
        self._check_tiers_ascend(plan.tiers)
        return plan

    def _meter(self, key: str, entry: object) -> MeterPrice:
        table = self._table(key, entry, {"id", "report_as", "price", "per"})
        meter_id = self._meter_id(f"{key}.id", table.get("id"))
        # Where the id is wrong, nothing is wrong with a field that would follow from it.
        field = table.get("report_as", f"{meter_id}_tokens" if meter_id else None)
        report_as = "" if field is None else self._report_as(f"{key}.report_as", field)
        known_errors = len(self.errors)
        price = self._decimal(f"{key}.price", table.get("price"), PRICE_PLACES)
        per = self._integer(f"{key}.per", table.get("per", 1), 1, MAX_PER)
        if price >= MAX_PRICE:
            self._error(f"{key}.price", f"must be below {MAX_PRICE}")
        if len(self.errors) == known_errors:
            self._check_unit_price(f"{key}.price", price, per)
        return MeterPrice(meter_id, report_as, price, per)

    def _check_unit_price(self, key: str, price: Decimal, per: int) -> None:
        denominator = (Fraction(price) / per).denominator
        places = 0
        while denominator % 10 == 0 or denominator % 5 == 0 or denominator % 2 == 0:
            denominator //= 10 if denominator % 10 == 0 else 5 if denominator % 5 == 0 else 2
            places += 1
        if denominator != 1:
            self._error(key, f"{plain(price)} / {per} has no finite decimal form, so costs could not be exact")
        elif places > UNIT_PRICE_PLACES:
            self._error(key, f"{plain(price)} / {per} has more than {UNIT_PRICE_PLACES} decimal places")

    def _tier(self, key: str, entry: object) -> Tier:
        table = self._table(key, entry, {"after_jobs", "discount"})
        after_jobs = self._integer(f"{key}.after_jobs", table.get("after_jobs"), 0, MAX_RANK)
        discount = self._decimal(f"{key}.discount", table.get("discount"), DISCOUNT_PLACES)
        if discount > 100:
            self._error(f"{key}.discount", "is a percentage and must not exceed 100")
        return Tier(after_jobs, discount)

    def _check_meters_differ(self, meters: tuple[MeterPrice, ...]) -> None:
        for field in ("id", "report_as"):
            seen: set[str] = set()
            for i, meter in enumerate(meters):
                value = getattr(meter, field)
                if value and value in seen:
                    self._error(f"meters[{i}].{field}", f"{value!r} is taken by another meter of the plan")
                seen.add(value)

    def _check_tiers_ascend(self, tiers: tuple[Tier, ...]) -> None:
        if tiers and tiers[0].after_jobs != 0:
            self._error("tiers[0].after_jobs", "must be 0: tier1 starts after 0 jobs")
        for i in range(1, len(tiers)):
            if tiers[i].after_jobs <= tiers[i - 1].after_jobs:
                self._error(f"tiers[{i}].after_jobs", f"must be greater than {tiers[i - 1].after_jobs}, the one before")

    # Values. Each reader notes what is wrong and gives a harmless stand-in, so that reading goes on.

    def _table(self, key: str, value: object, known: set[str]) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self._error(key, "must be a table")
            return {}
        for name in value:
            if name not in known:
                path = f"{key}.{name}" if key else str(name)
                self._error(path, f"is not a key of a plan here; known are {', '.join(sorted(known))}")
        return value

    def _list(self, key: str, value: object, most: int) -> list[object]:
        if value is None:
            self._error(key, "is missing")
        elif not isinstance(value, list) or not value:
            self._error(key, "must be a list of at least one table")
        elif len(value) > most:
            self._error(key, f"must have at most {most} entries")
        else:
            return value
        return []

    def _integer(self, key: str, value: object, least: int, most: int) -> int:
        if value is None:
            self._error(key, "is missing")
        elif isinstance(value, bool) or not isinstance(value, int):
            self._error(key, f"must be an integer, not {type(value).__name__}")
        elif not least <= value <= most:
            self._error(key, f"must lie between {least} and {most}")
        else:
            return value
        return least

    def _decimal(self, key: str, value: object, places: int) -> Decimal:
        if value is None:
            self._error(key, "is missing")
        elif not isinstance(value, str):
            self._error(key, f'must be a decimal in quotes, such as "0.03", not {type(value).__name__}')
        elif len(value) > 40:
            self._error(key, "has more digits than a price or discount can have")
        else:
            try:
                amount = money(value)
            except InvalidInput as error:
                self._error(key, error.detail)
                return Decimal(0)
            if amount < 0:
                self._error(key, "must not be negative")
            elif amount.adjusted() > 12 or decimal_places(amount) > places:
                self._error(key, f"must have at most {places} decimal places and 12 before the point")
            else:
                return amount
        return Decimal(0)

    def _reset(self, key: str, value: object) -> Reset:
        if isinstance(value, str) and value in set(Reset):
            return Reset(value)
        self._error(key, 'must be "never" or "month"')
        return Reset.NEVER

    def _plan_name(self, key: str, value: object) -> str:
        if value in RESERVED_NAMES:
            self._error(key, f"{value!r} is a word of the API, which finds no plan of that name")
            return ""
        return self._name(key, value)

    def _name(self, key: str, value: object) -> str:
        if not isinstance(value, str):
            self._error(key, "is missing" if value is None else "must be text")
            return ""
        try:
            return check_name(value)
        except InvalidInput as error:
            self._error(key, error.detail)
            return ""

    def _currency(self, key: str, value: object) -> str:
        if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
            reason = "is missing" if value is None else "must be a currency code of three capitals, such as USD"
        elif not self._taken_before and not is_currency(value):
            reason = f"{value} is no currency of ISO 4217, which has codes such as USD, EUR and JPY"
        else:
            return value
        self._error(key, reason)
        return ""

    def _meter_id(self, key: str, value: object) -> str:
        if isinstance(value, str) and is_meter_id(value):
            return value
        self._error(key, "is missing" if value is None else _METER_FORM)
        return ""

    def _report_as(self, key: str, value: object) -> str:
        # "<id>_tokens" may be longer than an id, hence the cut.
        if not isinstance(value, str) or not is_meter_id(value.removesuffix("_tokens") or "_"):
            self._error(key, _METER_FORM)
        elif value in RESERVED_FIELDS:
            self._error(key, f"{value!r} is a field of the report itself")
        else:
            return value
        return ""

    def _error(self, key: str, detail: str) -> None:
        # A value that is missing or wrong may break further rules by its stand-in; what is said first counts.
        if all(error.key != key for error in self.errors):
            self.errors.append(FieldError(detail, key=key))


_PLAN_KEYS: Final = {"name", "currency", "free_jobs", "free_jobs_reset", "reset", "meters", "tiers"}
_METER_FORM: Final = "must be 1 to 40 of a-z, 0-9 and underscore, a letter first"
