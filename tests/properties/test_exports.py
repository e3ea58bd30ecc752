"""Random deployments: every export sums to the report, whichever way it is summed, to the last digit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from tallystick.model.money import EXACT
from tallystick.model.report import KeyUsage, MonthUsage, Totals, UsageReport
from tests.databases import Databases
from tests.properties.playing import Deployment, deployment_of, for_all
from tests.reference.strategies import Scenario, scenarios

Row = Mapping[str, str]
Sums = dict[str, Decimal]
COSTS = ("base_cost", "savings", "final_cost")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def unguarded(cell: str) -> str:
    return cell.removeprefix("'")


def summed(rows: Iterable[Row]) -> Sums:
    """Every column of figures, summed."""
    sums: dict[str, Decimal] = {}
    for row in rows:
        for name, value in row.items():
            if name == "jobs" or name.endswith(("_tokens", "_cost")) or name == "savings":
                sums[name] = EXACT.add(sums.get(name, Decimal(0)), Decimal(value))
    return sums


def priced(part: Totals | MonthUsage, meters: Mapping[str, str]) -> Sums:
    """The figures of the report under the names that the table has for them; `meters` are fields by id."""
    tokens = {f"{meter}_tokens": Decimal(part.tokens[field]) for meter, field in meters.items()}
    return {"jobs": Decimal(part.jobs), **tokens, **{cost: getattr(part, cost) for cost in COSTS}}


def of_key(usage: KeyUsage) -> Sums:
    tokens = {f"{meter}_tokens": Decimal(count) for meter, count in usage.tokens.items()}
    costs = {"base_cost": usage.costs.base, "savings": usage.costs.savings, "final_cost": usage.costs.final}
    return {"jobs": Decimal(usage.jobs), **tokens, **costs}


def check_table(deployment: Deployment, account: str, months: tuple[str, str]) -> None:
    report: UsageReport = deployment.ledger.usage(account, *months)
    table = deployment.ledger.usage_table(account, *months)
    meters = dict(zip(table.meters, report.totals.tokens, strict=True))
    rows = rows_of(table.to_csv())
    assert summed(rows) == priced(report.totals, meters)
    assert [*dict.fromkeys(row["month"] for row in rows)] == [month.month for month in report.monthly_breakdown]
    for month in report.monthly_breakdown:
        assert summed(row for row in rows if row["month"] == month.month) == priced(month, meters)
    named = {unguarded(row["api_key"]) for row in rows} - {""}
    assert named == set(report.api_keys)
    for name, usage in report.api_keys.items():
        assert summed(row for row in rows if unguarded(row["api_key"]) == name) == of_key(usage)
    assert {row["currency"] for row in rows} == {report.currency}


@for_all(scenarios(histories=True, faults=False), share=0.25)
def test_the_table_sums_to_the_report_by_month_and_by_key(databases: Databases, scenario: Scenario) -> None:
    with deployment_of(databases, scenario) as deployment:
        for account in scenario.accounts:
            months: Any = scenario.months(account)
            check_table(deployment, account.name, (months[0], months[-1]))
