"""How forecasts and budgets are printed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tallystick.model.budgets import BudgetReport, BudgetUse
from tallystick.model.forecast import (
    BudgetForecast,
    CostEstimate,
    Estimate,
    Forecast,
    FreeJobsForecast,
    MonthEnd,
    SoFar,
    TierForecast,
)
from tallystick.model.forecasttext import about

COST = CostEstimate(Decimal("1204.3587"), Decimal("1100.1"), Decimal(1300))


def foreseen(**fields: Any) -> Forecast:
    given: dict[str, Any] = {
        "month": "2025-06",
        "today": "2025-06-18",
        "interval_percentage": 80,
        "so_far": SoFar(jobs=861, tokens={"note_generation": 288442}, final_cost=Decimal("27.0401405")),
        "month_end": MonthEnd(
            jobs=Estimate(1504, 1451, 1572), tokens={"note_generation": Estimate(5, 4, 6)}, final_cost=COST
        ),
        "too_little": None,
        "free_jobs": None,
        "next_tier": None,
        "budgets": (),
        "currency": "USD",
    }
    return Forecast(**{**given, **fields})


def days(expected: str | None, *, reached: bool = False) -> dict[str, Any]:
    return {"reached": reached, "expected": expected, "earliest": expected, "latest": expected if reached else None}


def test_a_forecast_prints_as_two_tables() -> None:
    budget = BudgetForecast(
        api_key="k", amount=Decimal(5), cost=Decimal(1), month_end_cost=None, too_little="it is new", **days(None)
    )
    shown = foreseen(
        free_jobs=FreeJobsForecast(free_jobs=1000, left=0, **days("2025-01-02", reached=True)),
        next_tier=TierForecast(tier=2, after_jobs=3000, discount=Decimal(12), jobs_left=9, **days("2025-07-01")),
        budgets=(budget,),
    )
    assert (
        str(shown)
        == """\
month 2025-06            so far  expected       low      high
----------------------  -------  --------  --------  --------
jobs                        861     1,504     1,451     1,572
note generation tokens  288,442         5         4         6
final cost (USD)          27.04  1,204.36  1,100.10  1,300.00

reached                          expected    earliest        latest
-----------------------  ----------------  ----------  ------------
end of 1,000 free jobs   2025-01-02 (was)
12.0 % after 3,000 jobs        2025-07-01  2025-07-01  not foreseen
budget of 5.0, k                        —           —             —

too little to tell of k: it is new"""
    )


def test_too_little_prints_in_a_sentence() -> None:
    lines = str(foreseen(month_end=None, too_little="the account is new")).splitlines()
    assert lines[2].split() == ["jobs", "861", "—", "—", "—"]
    assert lines[-2:] == ["", "too little to tell: the account is new"]
    wide = str(foreseen(month_end=None, too_little="the account is new, " * 9)).splitlines()
    assert max(map(len, wide)) <= 80


def test_budgets_print_as_a_table() -> None:
    use = BudgetUse(
        api_key=None,
        amount=Decimal(1250),
        thresholds=(50, 80),
        cost=Decimal("700.5"),
        left=Decimal("549.5"),
        used_percentage=Decimal("56.04"),
        thresholds_passed=(50,),
    )
    named = BudgetUse(**{name: getattr(use, name) for name in use.__struct_fields__} | {"api_key": "k" * 40})
    assert (
        str(BudgetReport(month="2025-06", budgets=(use, named), currency="USD"))
        == f"""\
budgets 2025-06                   USD a month   cost   left     used  passed (%)
--------------------------------  -----------  -----  -----  -------  ----------
whole account                         1,250.0  700.5  549.5  56.04 %          50
{"k" * 31}…      1,250.0  700.5  549.5  56.04 %          50"""
    )


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        ("0", "0.00"),
        ("0.0", "0.00"),
        ("1204.36512", "1,204.37"),
        ("1", "1.00"),
        ("0.995", "1.00"),
        ("0.0067563", "0.0068"),
        ("0.25", "0.25"),
        ("1234567.125", "1,234,567.12"),
    ],
)
def test_a_cost_is_shown_to_the_cent_or_to_two_digits(cost: str, shown: str) -> None:
    assert about(Decimal(cost)) == shown
