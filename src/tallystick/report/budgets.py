"""What an account's budgets have left in the current month, from the same report that is billed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tallystick.model.budgets import Budget, BudgetReport, BudgetUse
from tallystick.model.money import EXACT, ZERO, percentage_half_even, tidy
from tallystick.model.report import UsageReport
from tallystick.report.usage import Opened, usage_report
from tallystick.store import accounts, budgets
from tallystick.store.budgets import WHOLE_ACCOUNT
from tallystick.store.database import Connection


def budget_report(connection: Connection, opened: Opened, *, now: int) -> BudgetReport:
    """The account's budgets and what the month that runs `now` has used of them."""
    account, subject, _ = opened
    kept = named_budgets(connection, account.id)
    if not kept:
        # Most accounts have none, and whoever looks through all of them should not pay for a report each.
        return BudgetReport(month=str(subject.calendar.month_of(now)), budgets=(), currency=account.currency)
    return build_budget_report(kept, usage_report(connection, opened, None, None, now=now))


def named_budgets(connection: Connection, account_id: int) -> dict[str | None, Budget]:
    """An account's budgets by the names of their keys (`None`: the whole account), in the order in which they show."""
    kept = budgets.budgets_of(connection, [account_id]).get(account_id, {})
    names = accounts.key_names(connection, account_id) if kept else {}
    named = {None if key_id == WHOLE_ACCOUNT else names[key_id]: budget for key_id, budget in kept.items()}
    return {name: named[name] for name in sorted(named, key=lambda name: (name or "").encode())}


def build_budget_report(kept: Mapping[str | None, Budget], usage: UsageReport) -> BudgetReport:
    """The budgets beside a month's report. Pure: the same report gives the same use."""
    return BudgetReport(
        month=usage.period.start_month,
        budgets=tuple(_use(name, budget, _cost(usage, name)) for name, budget in kept.items()),
        currency=usage.currency,
    )


def _cost(usage: UsageReport, name: str | None) -> Decimal:
    if name is None:
        return usage.totals.final_cost
    key = usage.api_keys.get(name)
    return ZERO if key is None else key.costs.final


def _use(name: str | None, budget: Budget, cost: Decimal) -> BudgetUse:
    return BudgetUse(
        api_key=name,
        amount=budget.amount,
        thresholds=budget.thresholds,
        cost=tidy(cost),
        left=tidy(max(ZERO, EXACT.subtract(budget.amount, cost))),
        used_percentage=tidy(percentage_half_even(cost, budget.amount)),
        thresholds_passed=budget.passed(cost),
    )
