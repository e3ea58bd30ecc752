"""Random deployments: every export sums to the report, whichever way it is summed, to the last digit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq

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


def check_jobs(deployment: Deployment, account: str, months: tuple[str, str]) -> None:
    """Each job of the ledger in each form, summed."""
    report = deployment.ledger.usage(account, *months)
    ids = deployment.ledger.usage_table(account, *months).meters
    expected = priced(report.totals, dict(zip(ids, report.totals.tokens, strict=True)))
    del expected["savings"]
    for rows in (csv_rows(deployment, account, months), parquet_rows(deployment, account, months)):
        assert len(rows) == report.totals.jobs
        assert summed({**row, "jobs": "1"} for row in rows) == (expected if rows else {})


def csv_rows(deployment: Deployment, account: str, months: tuple[str, str]) -> list[dict[str, str]]:
    with deployment.ledger.job_table(account, *months) as chunks:
        return rows_of(b"".join(chunks).decode())


def parquet_rows(deployment: Deployment, account: str, months: tuple[str, str]) -> list[dict[str, Any]]:
    with deployment.ledger.job_table(account, *months, form="parquet") as chunks:
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(b"".join(chunks))).to_pylist()
    return rows


@for_all(scenarios(faults=False), share=0.25)
def test_every_export_sums_to_the_report(databases: Databases, scenario: Scenario) -> None:
    with deployment_of(databases, scenario) as deployment:
        for account in scenario.accounts:
            months: Any = scenario.months(account)
            check_table(deployment, account.name, (months[0], months[-1]))
            check_jobs(deployment, account.name, (months[0], months[-1]))
