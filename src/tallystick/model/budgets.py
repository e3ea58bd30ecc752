"""Budgets: what an account, or one of its keys, means to spend in a month, and the shares at which it is told.

A budget stops nothing: jobs are finished work when they are reported, so they are taken and rated all the same.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any, Final

import msgspec

from tallystick.errors import InvalidInput
from tallystick.model.money import EXACT, decimal_places, money, tidy
from tallystick.model.wire import Wire, decode

DEFAULT_THRESHOLDS: Final = (50, 80, 100)
"""Percent of the amount."""

MAX_THRESHOLDS: Final = 50
MAX_THRESHOLD: Final = 1000
AMOUNT_PLACES: Final = 12
MAX_AMOUNT: Final = Decimal(10**12)


class Budget(msgspec.Struct, frozen=True):
    """An amount for each month, in the account's currency, and the thresholds: whole percents of it, ascending."""

    amount: Decimal
    thresholds: tuple[int, ...] = DEFAULT_THRESHOLDS

    def passed(self, cost: Decimal) -> tuple[int, ...]:
        """The thresholds that a cost has reached, decided exactly."""
        hundredfold = EXACT.scaleb(cost, 2)
        return tuple(percent for percent in self.thresholds if hundredfold >= EXACT.multiply(self.amount, percent))


class BudgetUse(Wire, frozen=True, kw_only=True):
    """A budget and what the month has used of it so far.

    `api_key` is `None` for the budget of the whole account. `cost` is the month's final cost, exactly as the usage
    report has it; `left` is never below 0. `used_percentage` is rounded half-even to four places, while
    `thresholds_passed` is decided exactly.
    """

    api_key: str | None
    amount: Decimal
    thresholds: tuple[int, ...]
    cost: Decimal
    left: Decimal
    used_percentage: Decimal
    thresholds_passed: tuple[int, ...]


class BudgetReport(Wire, frozen=True, kw_only=True):
    """An account's budgets in the current month (``YYYY-MM`` in its zone): its own first, then its keys' by name.

    `currency` comes beside the wire shape (the header ``Tallystick-Currency``) and is not part of `to_dict`.
    """

    month: str
    budgets: tuple[BudgetUse, ...]
    currency: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The wire shape, money as `Decimal`."""
        return {"month": self.month, "budgets": [budget.to_dict() for budget in self.budgets]}

    @classmethod
    def from_json(cls, body: bytes | str, *, currency: str = "") -> BudgetReport:
        """The report that a server's answer holds."""
        return msgspec.convert({**decode(body), "currency": currency}, cls)

    def __str__(self) -> str:
        from tallystick.model.forecasttext import budget_text

        return budget_text(self)


def checked_budget(amount: str | int | Decimal, thresholds: Collection[int] | None = None) -> Budget:
    """The budget of an amount, a decimal, and thresholds in whole percents; `None` stands for the usual ones.

    Thresholds are sorted and taken once each; without any, nothing is told. Raises `InvalidInput` naming the parameter.
    """
    percents = DEFAULT_THRESHOLDS if thresholds is None else _checked_thresholds(thresholds)
    return Budget(_checked_amount(amount), percents)


def percents_of(text: str) -> tuple[int, ...]:
    """The thresholds that people write with commas between them; none for an empty text or ``none``.

    Raises `InvalidInput` naming the parameter.
    """
    written = text.strip()
    if written in {"", "none"}:
        return ()
    parts = [part.strip().removesuffix("%").strip() for part in written.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 5 for part in parts):
        raise InvalidInput.parameter("thresholds", "must be whole percents with commas between them, such as 50, 80")
    return _checked_thresholds([int(part) for part in parts])


def _checked_amount(value: str | int | Decimal) -> Decimal:
    try:
        amount = money(value)
    except InvalidInput as error:
        raise InvalidInput.parameter("amount", error.detail) from None
    if amount <= 0:
        raise InvalidInput.parameter("amount", "must be more than 0")
    if amount.adjusted() >= MAX_AMOUNT.adjusted():
        raise InvalidInput.parameter("amount", f"must be below {MAX_AMOUNT}")
    if len(amount.as_tuple().digits) > EXACT.prec or decimal_places(amount) > AMOUNT_PLACES:
        raise InvalidInput.parameter("amount", f"must have at most {AMOUNT_PLACES} decimal places")
    return tidy(amount)


def _checked_thresholds(values: Collection[int]) -> tuple[int, ...]:
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        raise InvalidInput.parameter("thresholds", "must be whole percents, such as 50, 80, 100")
    if not all(1 <= value <= MAX_THRESHOLD for value in values):
        raise InvalidInput.parameter("thresholds", f"must lie between 1 and {MAX_THRESHOLD} percent")
    if len(values) > MAX_THRESHOLDS:
        raise InvalidInput.parameter("thresholds", f"must be at most {MAX_THRESHOLDS}")
    return tuple(sorted(set(values)))
