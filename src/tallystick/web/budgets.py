"""Budgets on the page of alerts: what of them is used and expected, and the form that sets one."""

from __future__ import annotations

from typing import Final, NamedTuple

from tallystick.errors import InvalidInput
from tallystick.model.accounts import KeyKind
from tallystick.model.budgets import DEFAULT_THRESHOLDS, BudgetReport, BudgetUse, percents_of
from tallystick.model.forecast import BudgetForecast, Forecast
from tallystick.model.money import ZERO
from tallystick.web import figures
from tallystick.web.pages import Form, field
from tallystick.web.request import PageRequest
from tallystick.web.tables import Cell, amount

_WHOLE: Final = "Whole account"


class Threshold(NamedTuple):
    """A threshold in percent, and whether the month has passed it."""

    percent: int
    passed: bool


class BudgetRow(NamedTuple):
    """A budget as the page shows it; `key` is empty for the whole account's."""

    name: str
    key: str
    amount: Cell
    cost: Cell
    used: str
    filled: int
    over: bool
    expected: Cell | None
    between: str
    reached: str
    thresholds: list[Threshold]


class GivenBudget(NamedTuple):
    """What a form was sent with."""

    key: str
    amount: str
    thresholds: str


class BudgetForm(NamedTuple):
    """The form that sets a budget: the keys that may have one, what was given, and what is wrong with it by field."""

    keys: list[str]
    given: GivenBudget
    problems: dict[str, str]


def budget_rows(report: BudgetReport, foreseen: Forecast) -> list[BudgetRow]:
    """A row for each budget: the month so far beside its expected end."""
    ahead = {budget.api_key: budget for budget in foreseen.budgets}
    # Figures stand under figures: one number of decimal places for all.
    places = figures.rounded_places(max((use.amount for use in report.budgets), default=ZERO))
    return [_row(use, ahead.get(use.api_key), places) for use in report.budgets]


def _row(use: BudgetUse, ahead: BudgetForecast | None, places: int) -> BudgetRow:
    end = None if ahead is None else ahead.month_end_cost
    return BudgetRow(
        name=use.api_key or _WHOLE,
        key=use.api_key or "",
        amount=amount(use.amount, places),
        cost=amount(use.cost, places),
        used=f"{figures.share(use.cost, use.amount)} %",
        filled=min(100, int(use.used_percentage)),
        over=use.cost >= use.amount,
        expected=None if end is None else amount(end.expected, places),
        between="" if end is None else f"{figures.money(end.low, places)} to {figures.money(end.high, places)}",
        reached=_reached(ahead),
        thresholds=[Threshold(percent, percent in use.thresholds_passed) for percent in use.thresholds],
    )


def _reached(ahead: BudgetForecast | None) -> str:
    """When the budget is reached, in words."""
    if ahead is None or (ahead.too_little is not None and not ahead.reached):
        return "too little history to tell"
    if ahead.reached:
        return f"reached {ahead.expected}"
    if ahead.expected is not None:
        return f"expected {ahead.expected}"
    return f"not expected; {ahead.earliest} at the earliest" if ahead.earliest else "not expected this month"


def given_budget(form: Form) -> GivenBudget:
    """What a form's fields hold."""
    return GivenBudget(field(form, "api_key"), field(form, "amount").strip(), field(form, "thresholds").strip())


def set_from(request: PageRequest, given: GivenBudget) -> None:
    """Sets the budget that a form gives. Raises `InvalidInput` naming the field."""
    thresholds = percents_of(given.thresholds)
    request.ledger.budgets.set(request.account, given.key or None, amount=given.amount, thresholds=thresholds)


def remove(request: PageRequest, given: GivenBudget) -> None:
    """Removes the budget that a form names."""
    request.ledger.budgets.remove(request.account, given.key or None)


def budget_forms(
    request: PageRequest, account: str, given: GivenBudget | None, error: InvalidInput | None
) -> BudgetForm:
    """The form, with what was given where that was refused."""
    keys = [key.name for key in request.ledger.accounts.keys(account) if key.kind is KeyKind.LIVE]
    usual = GivenBudget("", "", ", ".join(map(str, DEFAULT_THRESHOLDS)))
    problems = {} if error is None else {each.parameter: each.detail for each in error.errors}
    return BudgetForm(keys, given or usual, problems)
