"""The forecast and the budgets as rows of text, for `print` and for the command line."""

from __future__ import annotations

import decimal
import textwrap
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from tallystick.model.money import grouped, plain
from tallystick.model.text import short, text_table

if TYPE_CHECKING:
    from tallystick.model.budgets import BudgetReport, BudgetUse
    from tallystick.model.forecast import Estimate, Forecast, Reached

MONTH_HEADS: Final = ("so far", "expected", "low", "high")
REACHED_HEADS: Final = ("expected", "earliest", "latest")

_WIDTH: Final = 80

_ENDS: Final = ("expected", "low", "high")
_ROUNDING: Final = decimal.Context(prec=60, rounding=decimal.ROUND_HALF_EVEN)


def forecast_text(foreseen: Forecast) -> str:
    """A table of the month, one of what is reached, and what a history lacks."""
    lines = text_table([f"month {foreseen.month}", *MONTH_HEADS], month_rows(foreseen))
    reached = reached_rows(foreseen)
    if reached:
        lines += ["", *text_table(["reached", *REACHED_HEADS], reached)]
    told = [textwrap.fill(sentence, _WIDTH) for sentence in lacking(foreseen)]
    return "\n".join([*lines, *([""] if told else []), *told])


def lacking(foreseen: Forecast) -> list[str]:
    """What the account's history lacks for a forecast, and the keys', in sentences."""
    told = [] if foreseen.too_little is None else [f"too little to tell: {foreseen.too_little}"]
    return told + [
        f"too little to tell of {budget.api_key}: {budget.too_little}"
        for budget in foreseen.budgets
        if budget.too_little not in {None, foreseen.too_little}
    ]


def budget_text(report: BudgetReport) -> str:
    """A table of the budgets and what the month has used of them."""
    header = [f"budgets {report.month}", *budget_heads(report)]
    return "\n".join(text_table(header, [budget_row(use) for use in report.budgets]))


def budget_heads(report: BudgetReport) -> list[str]:
    """What the columns of a budget's row are, but for its name."""
    return [f"{report.currency} a month".strip(), "cost", "left", "used", "passed (%)"]


def budget_row(use: BudgetUse) -> list[str]:
    """A budget and what the month has used of it."""
    sums = [grouped(value) for value in (use.amount, use.cost, use.left)]
    passed = ", ".join(map(str, use.thresholds_passed)) or "—"
    return [short(use.api_key or "whole account"), *sums, f"{grouped(use.used_percentage)} %", passed]


def month_rows(foreseen: Forecast) -> list[list[str]]:
    """Jobs, tokens and cost: so far, expected, low and high."""
    so_far, end = foreseen.so_far, foreseen.month_end
    unknown = ["—"] * len(_ENDS)
    rows = [["jobs", f"{so_far.jobs:,}", *(unknown if end is None else _counts(end.jobs))]]
    for meter, tokens in so_far.tokens.items():
        label = f"{meter.replace('_', ' ')} tokens"
        rows.append([label, f"{tokens:,}", *(unknown if end is None else _counts(end.tokens[meter]))])
    costs = unknown if end is None else [about(getattr(end.final_cost, name)) for name in _ENDS]
    rows.append([f"final cost ({foreseen.currency})", about(so_far.final_cost), *costs])
    return rows


def _counts(estimate: Estimate) -> list[str]:
    return [f"{getattr(estimate, name):,}" for name in _ENDS]


def reached_rows(foreseen: Forecast) -> list[list[str]]:
    """What is reached, and when: expected, earliest and latest."""
    rows = []
    if foreseen.free_jobs is not None:
        label = f"end of {foreseen.free_jobs.free_jobs:,} free jobs"
        rows.append([label, *_days(foreseen.free_jobs, told=foreseen.too_little is None)])
    if foreseen.next_tier is not None:
        tier = foreseen.next_tier
        label = f"{plain(tier.discount)} % after {tier.after_jobs:,} jobs"
        rows.append([label, *_days(tier, told=foreseen.too_little is None)])
    for budget in foreseen.budgets:
        label = f"budget of {grouped(budget.amount)}" + (f", {budget.api_key}" if budget.api_key else "")
        rows.append([label, *_days(budget, told=budget.too_little is None)])
    return rows


def _days(reached: Reached, *, told: bool) -> list[str]:
    if reached.reached:
        return [f"{reached.expected} (was)", "", ""]
    unknown = "not foreseen" if told else "—"
    return [day or unknown for day in (reached.expected, reached.earliest, reached.latest)]


def about(value: Decimal) -> str:
    """A cost to the cent, and below 1 to two digits that count, rounded half-even: a forecast knows no more."""
    if not value:
        return "0.00"
    places = 2 if abs(value) >= 1 else 1 - value.adjusted()
    return f"{_ROUNDING.quantize(value, Decimal(1).scaleb(-places)):,f}"
