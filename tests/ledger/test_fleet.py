"""The provider's report of all accounts: most cost first, page by page, summed by currency."""

from __future__ import annotations

import base64
import json
from decimal import Decimal

import pytest

from tallystick.errors import InvalidInput
from tallystick.model.report import AccountsReport
from tests.embedded import Deploy, Deployment, job, plan

SPENT = {"b": 50, "a": 50, "é": 50, "most": 90, "free": 0, "x" * 200: 7, "日本": 8}


@pytest.fixture
def fleet(deployment: Deployment) -> Deployment:
    """Accounts that each spent a known amount in May; `euro` pays in another currency, `idle` has no job."""
    for currency in ("USD", "EUR"):
        price = [{"id": "transcription", "report_as": "transcription_tokens", "price": "1"}]
        deployment.ledger.plans.put(plan(currency, currency=currency, meters=price))
    for name, amount in SPENT.items():
        deployment.ledger.accounts.create(name, plan="USD")
        spend(deployment, name, amount)
    deployment.ledger.accounts.create("euro", plan="EUR")
    spend(deployment, "euro", 60)
    deployment.ledger.accounts.create("idle", plan="USD")
    return deployment


def spend(deployment: Deployment, account: str, amount: int, day: str = "2025-05-10") -> None:
    each = job(day, account=account, completed_at=f"{day}T00:00:00Z", tokens={"transcription": amount})
    assert deployment.ledger.record([each]).accepted == 1


ORDER = ["most", "euro", "a", "b", "é", "日本", "x" * 200, "free", "idle"]


def names(report: AccountsReport) -> list[str]:
    return [account.account for account in report.accounts]


def may(deployment: Deployment, **more: object) -> AccountsReport:
    return deployment.ledger.usage_of_accounts("2025-05", "2025-05", **more)  # type: ignore[arg-type]


def test_accounts_come_most_cost_first_then_by_their_names_bytes(fleet: Deployment) -> None:
    report = may(fleet)
    assert names(report) == ORDER
    assert [account.final_cost for account in report.accounts] == [90, 60, 50, 50, 50, 8, 7, 0, 0]
    assert report.next_cursor is None


def test_each_accounts_totals_are_those_of_its_own_report(fleet: Deployment) -> None:
    for account in may(fleet).accounts:
        own = fleet.ledger.usage(account.account, "2025-05", "2025-05")
        assert account.currency == own.currency
        assert (account.jobs, account.tokens, account.base_cost, account.final_cost, account.savings) == (
            own.totals.jobs,
            own.totals.tokens,
            own.totals.base_cost,
            own.totals.final_cost,
            own.totals.savings,
        )


def test_currencies_are_summed_apart_and_over_all_pages(fleet: Deployment) -> None:
    for report in (may(fleet), may(fleet, limit=1), may(fleet, cursor=may(fleet, limit=5).next_cursor)):
        assert [(total.currency, total.accounts, total.jobs, total.final_cost) for total in report.totals] == [
            ("EUR", 1, 1, Decimal(60)),
            ("USD", 8, 7, Decimal(255)),
        ]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, len(ORDER), 1000])
def test_pages_of_any_size_show_each_account_once(fleet: Deployment, limit: int) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        report = may(fleet, limit=limit, cursor=cursor)
        seen += names(report)
        cursor = report.next_cursor
        if cursor is None:
            break
        assert len(report.accounts) == limit
        assert len(seen) < len(ORDER)
    assert seen == ORDER


def test_costs_that_differ_beyond_any_float_are_told_apart_in_order_and_cursor(deployment: Deployment) -> None:
    tiny = [{"id": "transcription", "report_as": "transcription_tokens", "price": "0.000000000001", "per": 10**8}]
    deployment.ledger.plans.put(plan("tiny", meters=tiny))
    for name, amount in (("a", 10**9 - 1), ("b", 10**9), ("c", 10**9 - 1)):
        deployment.ledger.accounts.create(name, plan="tiny")
        spend(deployment, name, amount)
    assert names(may(deployment)) == ["b", "a", "c"]
    first = may(deployment, limit=1)
    assert names(may(deployment, cursor=first.next_cursor)) == ["a", "c"]


def test_the_period_is_the_current_month_unless_one_is_named(fleet: Deployment) -> None:
    fleet.now += 1
    spend(fleet, "b", 5, day="2025-06-02")
    june = fleet.ledger.usage_of_accounts()
    assert (june.period.start_month, june.period.end_month) == ("2025-06", "2025-06")
    assert names(june)[0] == "b"
    assert fleet.ledger.usage_of_accounts(None, "2025-06").period.start_month == "2025-05"
    spend(fleet, "b", 5, day="2024-12-02")
    assert fleet.ledger.usage_of_accounts(None, "2025-06").period.start_month == "2024-12"
    assert fleet.ledger.usage_of_accounts("2025-05", None).period.end_month == "2025-06"


def test_each_accounts_months_are_those_of_its_own_zone(deployment: Deployment) -> None:
    for name, zone in (("utc", "UTC"), ("tokyo", "Asia/Tokyo")):
        deployment.ledger.accounts.create(name, time_zone=zone)
        deployment.ledger.record([job(1, account=name, completed_at="2025-05-31T20:00:00Z")])
    assert {account.account: account.jobs for account in may(deployment).accounts} == {"utc": 1, "tokyo": 0}


def test_the_current_month_is_that_of_the_deployments_zone(deploy: Deploy) -> None:
    assert deploy(now="2025-06-30T20:00:00Z").ledger.usage_of_accounts().period.end_month == "2025-06"
    tokyo = deploy(now="2025-06-30T20:00:00Z", default_time_zone="Asia/Tokyo")
    assert tokyo.ledger.usage_of_accounts().period.end_month == "2025-07"


def test_a_deployment_without_accounts_has_an_empty_report(deployment: Deployment) -> None:
    report = deployment.ledger.usage_of_accounts()
    assert (report.accounts, report.totals, report.next_cursor) == ((), (), None)


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_limit_out_of_bounds_is_refused(fleet: Deployment, limit: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        may(fleet, limit=limit)
    assert (caught.value.code, caught.value.errors[0].parameter) == ("invalid_parameter", "limit")


def cursor_of(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        cursor_of({}),
        cursor_of({"final_cost": "Infinity", "account": "a"}),
        cursor_of({"final_cost": "NaN", "account": "a"}),
        cursor_of({"final_cost": "x", "account": "a"}),
        cursor_of({"final_cost": 5, "account": "a"}),
        cursor_of({"final_cost": "1", "account": "\ud800"}),
        cursor_of({"final_cost": "1"}),
    ],
)
def test_text_that_is_no_cursor_is_refused(fleet: Deployment, cursor: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        may(fleet, cursor=cursor)
    assert (caught.value.code, caught.value.errors[0].parameter) == ("invalid_cursor", "cursor")


def test_a_cursor_of_any_number_is_compared_exactly(fleet: Deployment) -> None:
    """Nothing is rounded or overflows on the way, however the digits were written."""
    assert names(may(fleet, cursor=cursor_of({"final_cost": "1E+999999999", "account": ""}))) == ORDER
    assert names(may(fleet, cursor=cursor_of({"final_cost": "50." + "0" * 60 + "1", "account": ""}))) == ORDER[2:]
    assert names(may(fleet, cursor=cursor_of({"final_cost": "-1", "account": ""}))) == []
