"""The report's nouns: their wire shape, their attributes, and that nothing is lost on the way there and back."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from tallystick.model.report import (
    AccountsReport,
    AccountUsage,
    Costs,
    CurrencyTotals,
    DailyReport,
    DayUsage,
    KeyUsage,
    Period,
    UsageReport,
)
from tallystick.model.wire import encode

CONTRACT = resources.files("tallystick.demo.data").joinpath("january-2025.report.json").read_text("utf-8")

KEY = KeyUsage(
    jobs=1,
    tokens={"pages": 2},
    costs=Costs(Decimal("0.10"), Decimal("0.05"), Decimal("0.05")),
    tiers={"tier1": 0, "tier2": 1},
)
SUMS: dict[str, Any] = {
    "jobs": 1,
    "tokens": {"page_count": 2},
    "base_cost": Decimal("0.10"),
    "final_cost": Decimal("0.05"),
    "savings": Decimal("0.05"),
}


def test_the_contracts_report_is_read_and_written_unchanged() -> None:
    assert UsageReport.from_json(CONTRACT).to_json(indent=2) == CONTRACT.rstrip("\n")


def test_the_reports_figures_are_attributes_meters_among_them() -> None:
    report = UsageReport.from_json(CONTRACT, currency="USD")
    assert report.currency == "USD"
    assert report.totals.transcription_tokens == 1672
    assert report.monthly_breakdown[0].note_tokens == 2905
    assert report.totals.base_cost == Decimal("0.07592")
    assert report.api_keys["another api key"].tokens["transcription"] == 152
    assert report.api_keys["some api key"].costs.final == Decimal("0.06756")


def test_money_in_the_wire_shape_is_exact_and_never_a_float() -> None:
    shape = UsageReport.from_json(CONTRACT).to_dict()
    amounts = [
        shape["totals"]["base_cost"],
        shape["totals"]["savings"],
        shape["api_keys"]["some api key"]["costs"]["base"],
    ]
    assert [type(amount) for amount in amounts] == [Decimal] * 3


def test_a_figure_that_a_report_does_not_have_is_named() -> None:
    totals = UsageReport.from_json(CONTRACT).totals
    with pytest.raises(AttributeError, match="Totals has no field 'pages'"):
        _ = totals.pages


def test_a_report_is_frozen_and_can_be_copied() -> None:
    report = UsageReport.from_json(CONTRACT)
    assert copy.deepcopy(report) == report
    with pytest.raises(AttributeError):
        report.totals.jobs = 5  # type: ignore[misc]


def test_the_daily_report_comes_back_from_its_json() -> None:
    day = DayUsage(day="2025-01-11", api_keys={"a key": KEY}, **SUMS)
    report = DailyReport(start="2025-01-11", end="2025-01-11", days=(day,))
    shape = report.to_dict()
    assert list(shape["days"][0]) == ["day", "jobs", "page_count", "base_cost", "final_cost", "savings", "api_keys"]
    assert DailyReport.from_json(encode(shape)) == report
    assert DailyReport.from_json(encode(shape), currency="EUR").currency == "EUR"


@pytest.mark.parametrize("cursor", [None, "next"])
def test_the_accounts_report_comes_back_from_its_json(cursor: str | None) -> None:
    report = AccountsReport(
        period=Period("2025-01", "2025-02"),
        totals=(CurrencyTotals(currency="USD", accounts=1, **SUMS),),
        accounts=(AccountUsage(account="acme", currency="USD", **SUMS),),
        next_cursor=cursor,
    )
    body = encode(report.to_dict())
    assert AccountsReport.from_json(body) == report
    assert json.loads(body)["accounts"][0]["account"] == "acme"


def test_a_report_prints_as_a_table_of_months_keys_and_totals() -> None:
    text = str(UsageReport.from_json(CONTRACT, currency="USD"))
    lines = text.splitlines()
    assert lines[0] == "Usage 2025-01"
    assert ["2025-01", "108", "1672", "2905", "0.07592", "0.0", "0.07592"] in [line.split() for line in lines]
    for fact in ("base (USD)", "some api key", "another api key", "0.07592", "free jobs left 0"):
        assert fact in text
    assert all(line == line.rstrip() and "\t" not in line for line in lines)
