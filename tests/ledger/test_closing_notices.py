"""Notices of budgets, closings and jobs that came late."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tallystick.ledger import Ledger
from tallystick.model.notices import Event, Notice
from tallystick.model.plans import Meter
from tallystick.rating.stretches import Line, Stretch, rate
from tallystick.report import budgetnotices
from tallystick.report.notices import look
from tallystick.store import notices
from tests.embedded import Deploy, Deployment, job, plan


@pytest.fixture
def deployment(deploy: Deploy, tmp_path: Path) -> Deployment:
    """An account `acme` that pays 1 USD for each transcription token and 2 for each of its notes'."""
    opened = deploy(signing_folder=str(tmp_path / "signing"))
    opened.ledger.plans.put(plan("dear"))
    opened.ledger.accounts.create("acme", plan="dear")
    return opened


def heard(deployment: Deployment, kind: Event, account: str = "acme") -> list[Notice]:
    """What was said of an event, the oldest first, after one more look."""
    deployment.ledger.notices.look()
    found = [one for one in deployment.ledger.notices.list(account, limit=1000).notices if one.event is kind]
    return sorted(found, key=lambda one: str(one.data))


def spend(deployment: Deployment, number: int, amount: int, **given: Any) -> None:
    """A job that costs so much."""
    deployment.ledger.record([job(number, tokens={"transcription": amount}, **given)])


# Budgets


def test_each_threshold_of_a_budget_is_said_once_when_the_cost_has_reached_it(deployment: Deployment) -> None:
    deployment.ledger.budgets.set("acme", amount="10")
    for number, amount, passed in ((1, 4, []), (2, 1, [50]), (3, 2, [50]), (4, 1, [50, 80]), (5, 9, [50, 80, 100])):
        spend(deployment, number, amount)
        assert sorted(one.data["threshold"] for one in heard(deployment, Event.BUDGET_THRESHOLD)) == passed
    first = next(one for one in heard(deployment, Event.BUDGET_THRESHOLD) if one.data["threshold"] == 50)
    assert first.data == {
        "account": "acme",
        "api_key": None,
        "month": "2025-06",
        "threshold": 50,
        "amount": Decimal("10.0"),
        "cost": Decimal("5.0"),
        "used_percentage": Decimal("50.0"),
        "currency": "USD",
    }


def test_a_keys_budget_counts_its_own_jobs(deployment: Deployment) -> None:
    spend(deployment, 1, 1, api_key="mine")
    deployment.ledger.budgets.set("acme", "mine", amount="10", thresholds=[100])
    spend(deployment, 2, 100, api_key="other")
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    spend(deployment, 3, 9, api_key="mine")
    (notice,) = heard(deployment, Event.BUDGET_THRESHOLD)
    assert (notice.data["api_key"], notice.data["cost"]) == ("mine", Decimal("10.0"))


def test_a_budget_that_is_passed_when_it_is_set_is_told_of_without_another_job(deployment: Deployment) -> None:
    spend(deployment, 1, 100)
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    deployment.ledger.budgets.set("acme", amount="100", thresholds=[100])
    assert len(heard(deployment, Event.BUDGET_THRESHOLD)) == 1
    # Another amount has thresholds of its own; the first one again is no news.
    deployment.ledger.budgets.set("acme", amount="50", thresholds=[100])
    assert len(heard(deployment, Event.BUDGET_THRESHOLD)) == 2
    deployment.ledger.budgets.set("acme", amount="100.0", thresholds=[100])
    assert len(heard(deployment, Event.BUDGET_THRESHOLD)) == 2


def test_a_budget_that_is_set_while_a_notifier_looks_is_not_missed(deployment: Deployment) -> None:
    """The look has read the account without the budget; its mark must not hide the budget from the next one."""
    spend(deployment, 1, 100)
    for amount in ("1", "2"):
        deployment.ledger.budgets.set("acme", amount=amount, thresholds=[100])
        store = deployment.ledger._store
        with store.snapshot() as connection:
            seen = look(connection, notices.changed_after(connection, 0, limit=10), now=deployment.now)
        deployment.ledger.budgets.set("acme", amount=f"{amount}.5", thresholds=[100])
        with store.transaction() as connection:
            notices.mark(connection, seen.accounts)
        assert Decimal(f"{amount}.5") in [one.data["amount"] for one in heard(deployment, Event.BUDGET_THRESHOLD)]


def test_each_month_begins_a_budget_anew_and_past_months_are_not_told_of(deployment: Deployment) -> None:
    deployment.ledger.budgets.set("acme", amount="10", thresholds=[100])
    spend(deployment, 1, 50, completed_at="2025-05-31T00:00:00Z")
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    spend(deployment, 2, 10)
    deployment.set_clock("2025-07-15T12:00:00Z")
    spend(deployment, 3, 10, completed_at="2025-07-01T00:00:00Z")
    assert [one.data["month"] for one in heard(deployment, Event.BUDGET_THRESHOLD)] == ["2025-07"]
    spend(deployment, 4, 1, completed_at="2025-07-02T00:00:00Z")
    assert len(heard(deployment, Event.BUDGET_THRESHOLD)) == 1


@pytest.mark.parametrize("now", ["2025-07-01T00:30:00Z", "2025-07-01T05:00:00Z"])
def test_a_budget_says_nothing_of_a_month_that_was_past_when_it_was_set(deployment: Deployment, now: str) -> None:
    deployment.set_clock("2025-06-30T23:50:00Z")
    spend(deployment, 1, 100)
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    deployment.set_clock(now)
    deployment.ledger.budgets.set("acme", amount="10")
    deployment.ledger.budgets.set("acme", amount="11")
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []


def test_a_budget_speaks_of_the_running_month_from_its_first_moment(deployment: Deployment) -> None:
    deployment.set_clock("2025-07-01T05:00:00Z")
    for number, made in enumerate(("2025-06-30T23:00:00Z", "2025-07-01T00:00:00Z")):
        spend(deployment, number, 100, completed_at=made)
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    deployment.ledger.budgets.set("acme", amount="100", thresholds=[100])
    assert [one.data["month"] for one in heard(deployment, Event.BUDGET_THRESHOLD)] == ["2025-07"]


@pytest.mark.parametrize("looks_before", [True, False])
@pytest.mark.parametrize("sets", [1, 3])
def test_jobs_that_no_notifier_has_looked_at_are_told_of_also_where_a_budget_was_set_before(
    deployment: Deployment, sets: int, looks_before: bool
) -> None:
    spend(deployment, 1, 1)
    if looks_before:
        assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    deployment.set_clock("2025-06-30T20:00:00Z")
    for amount in range(sets):
        deployment.ledger.budgets.set("acme", amount=str(10 + amount), thresholds=[100])
    deployment.set_clock("2025-06-30T22:00:00Z")
    spend(deployment, 2, 100)
    deployment.set_clock("2025-07-01T05:00:00Z")
    assert [one.data["month"] for one in heard(deployment, Event.BUDGET_THRESHOLD)] == ["2025-06"]


@pytest.mark.parametrize(("voided_at", "told"), [("2025-06-30T23:00:00Z", 1), ("2025-07-01T05:00:00Z", 0)])
def test_a_void_that_makes_a_month_dearer_is_told_of_while_the_month_runs(
    deployment: Deployment, voided_at: str, told: int
) -> None:
    """Without the first job, the dear one comes before the discount."""
    tiers = [{"after_jobs": 0, "discount": "0"}, {"after_jobs": 1, "discount": "50"}]
    deployment.ledger.plans.put(plan("tiered", tiers=tiers))
    deployment.ledger.accounts.change("acme", plan="tiered")
    deployment.ledger.budgets.set("acme", amount="10", thresholds=[100])
    deployment.set_clock("2025-06-30T22:00:00Z")
    spend(deployment, 1, 0)
    spend(deployment, 2, 12)
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    deployment.set_clock(voided_at)
    deployment.ledger.void("acme", "job_000001", reason="a mistake")
    assert len(heard(deployment, Event.BUDGET_THRESHOLD)) == told


@pytest.mark.parametrize(("repaired_at", "told"), [("2025-06-30T23:00:00Z", 1), ("2025-07-01T05:00:00Z", 0)])
def test_sums_that_are_repaired_are_told_of_while_the_month_runs(
    deployment: Deployment, repaired_at: str, told: int
) -> None:
    deployment.ledger.budgets.set("acme", amount="10", thresholds=[100])
    deployment.set_clock("2025-06-30T22:00:00Z")
    spend(deployment, 1, 10)
    deployment.rows("DELETE FROM usage_month")
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    deployment.set_clock(repaired_at)
    deployment.ledger.maintenance.repair()
    assert len(heard(deployment, Event.BUDGET_THRESHOLD)) == told


def test_another_time_zone_says_nothing_of_a_month_that_is_past_in_it(deployment: Deployment) -> None:
    deployment.ledger.accounts.change("acme", time_zone="Pacific/Auckland")
    deployment.ledger.budgets.set("acme", amount="10", thresholds=[100])
    deployment.set_clock("2025-06-30T22:00:00Z")
    spend(deployment, 1, 9, completed_at="2025-06-30T11:00:00Z")
    spend(deployment, 2, 9, completed_at="2025-06-30T21:00:00Z")  # 1 July there
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    deployment.set_clock("2025-07-01T05:00:00Z")
    deployment.ledger.accounts.change("acme", time_zone="UTC")
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []


def test_another_time_zone_tells_of_what_its_running_month_has_passed(deployment: Deployment) -> None:
    deployment.ledger.budgets.set("acme", amount="10", thresholds=[100])
    spend(deployment, 1, 9, completed_at="2025-05-31T13:00:00Z")  # 1 June in Auckland
    spend(deployment, 2, 9)
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    deployment.ledger.accounts.change("acme", time_zone="Pacific/Auckland")
    assert len(heard(deployment, Event.BUDGET_THRESHOLD)) == 1


def test_the_cost_is_that_of_the_report_also_where_a_price_changes_within_the_month(deployment: Deployment) -> None:
    tiers = [{"after_jobs": 0, "discount": "0"}, {"after_jobs": 2, "discount": "50"}]
    deployment.ledger.plans.put(plan("tiered", free_jobs=1, tiers=tiers))
    deployment.ledger.accounts.change("acme", plan="tiered")
    deployment.ledger.budgets.set("acme", amount="15", thresholds=[100])
    spend(deployment, 1, 1000)  # free
    spend(deployment, 2, 10)
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    spend(deployment, 3, 10)  # at half the price
    (notice,) = heard(deployment, Event.BUDGET_THRESHOLD)
    assert notice.data["cost"] == deployment.ledger.usage("acme").totals.final_cost == Decimal("15.0")
    assert deployment.count("boundary") == 2, "what had to be found is kept for the next look"


def test_an_account_is_rated_only_where_a_threshold_that_was_not_said_is_in_reach(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In reach is what the sums would cost without free jobs and discounts; that is told without a job being read."""
    deployment.ledger.plans.put(plan("half", tiers=[{"after_jobs": 0, "discount": "50"}]))
    deployment.ledger.accounts.change("acme", plan="half")
    deployment.ledger.budgets.set("acme", amount="10", thresholds=[100])
    deployment.ledger.record([job(0, api_key="mine", tokens={})])
    deployment.ledger.budgets.set("acme", "mine", amount="3", thresholds=[100])
    rated: list[Stretch] = []

    def rating(stretch: Stretch, meters: tuple[Meter, ...]) -> Iterator[Line]:
        rated.append(stretch)
        return rate(stretch, meters)

    monkeypatch.setattr(budgetnotices, "rate", rating)
    courses = (("other", 9, 0, 0), ("other", 1, 1, 0), ("other", 10, 1, 1), ("mine", 2, 0, 1), ("mine", 4, 1, 2))
    for number, (key, amount, times, passed) in enumerate(courses, 1):
        rated.clear()
        spend(deployment, number, amount, api_key=key)
        assert (len(heard(deployment, Event.BUDGET_THRESHOLD)), len(rated)) == (passed, times), number


# Budgets, where the price changes


def dearer(deployment: Deployment, effective_from: str, price: str = "3", name: str = "dear") -> None:
    """A version of a plan by which a token costs so much."""
    meters = [{"id": "transcription", "report_as": "transcription_tokens", "price": price}]
    deployment.ledger.plans.put(plan(name, meters=meters), effective_from=effective_from)


@pytest.mark.parametrize("effective_from", ["2025-06", "2025-04"])
def test_a_price_that_rises_in_the_running_month_is_told_of_without_another_job(
    deployment: Deployment, effective_from: str
) -> None:
    deployment.ledger.accounts.create("other", plan="dear")
    for account in ("acme", "other"):
        deployment.ledger.budgets.set(account, amount="10", thresholds=[50, 100])
        spend(deployment, 1, 4, account=account)
        spend(deployment, 2, 100, account=account, completed_at="2025-05-10T00:00:00Z")
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    dearer(deployment, effective_from)
    for account in ("acme", "other"):
        told = heard(deployment, Event.BUDGET_THRESHOLD, account)
        assert [(one.data["threshold"], one.data["cost"]) for one in told] == [(100, 12), (50, 12)]
        assert {one.data["month"] for one in told} == {"2025-06"}
    # A threshold is said once, whatever the price does.
    dearer(deployment, effective_from, "1")
    assert deployment.ledger.notices.look() == 0
    dearer(deployment, effective_from, "4")
    assert deployment.ledger.notices.look() == 0


def test_another_plan_of_an_account_is_told_of_without_another_job(deployment: Deployment) -> None:
    deployment.ledger.budgets.set("acme", amount="10", thresholds=[100])
    spend(deployment, 1, 4)
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    deployment.ledger.plans.put(plan("dearest", meters=[{"id": "transcription", "price": "3"}]))
    deployment.ledger.accounts.change("acme", plan="dearest", plan_from="2025-07")
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    deployment.ledger.accounts.change("acme", plan="dearest")
    assert len(heard(deployment, Event.BUDGET_THRESHOLD)) == 1


def test_a_price_that_changes_in_a_month_that_is_past_says_nothing_of_it(deployment: Deployment) -> None:
    deployment.ledger.budgets.set("acme", amount="10", thresholds=[100])
    deployment.set_clock("2025-06-30T22:00:00Z")
    spend(deployment, 1, 4)
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []
    deployment.set_clock("2025-07-01T05:00:00Z")
    dearer(deployment, "2025-06")
    deployment.ledger.plans.put(plan("dearest", meters=[{"id": "transcription", "price": "30"}]))
    deployment.ledger.accounts.change("acme", plan="dearest", plan_from="2025-06")
    assert heard(deployment, Event.BUDGET_THRESHOLD) == []


def test_a_price_that_changes_while_a_notifier_looks_is_not_missed(deployment: Deployment) -> None:
    deployment.ledger.budgets.set("acme", amount="10", thresholds=[100])
    spend(deployment, 1, 4)
    store = deployment.ledger._store
    for price in ("2", "3"):
        with store.snapshot() as connection:
            seen = look(connection, notices.changed_after(connection, 0, limit=10), now=deployment.now)
        dearer(deployment, "2025-06", price)
        with store.transaction() as connection:
            notices.mark(connection, seen.accounts)
    assert len(heard(deployment, Event.BUDGET_THRESHOLD)) == 1


def test_only_accounts_whose_running_month_a_plan_prices_are_looked_at_again(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("idle", plan="dear")
    for number, (account, made) in enumerate((("acme", "06"), ("past", "05"), ("other plan", "06"))):
        if account == "past":
            deployment.ledger.accounts.create("past", plan="dear")
        spend(deployment, number, 1, account=account, completed_at=f"2025-{made}-10T00:00:00Z")
    deployment.ledger.notices.look()

    def waiting() -> list[str]:
        with deployment.ledger._store.snapshot() as connection:
            return [account.name for account in notices.changed_after(connection, 0, limit=10)]

    dearer(deployment, "2025-07")
    assert waiting() == []
    dearer(deployment, "2025-03")
    assert waiting() == ["acme"]
    deployment.ledger.notices.look()
    dearer(deployment, "2025-02")  # until March
    dearer(deployment, "2025-03")  # as it is
    assert waiting() == []


def test_a_change_of_a_plan_takes_as_many_statements_however_many_accounts_are_on_it(deployment: Deployment) -> None:
    statements: list[str] = []

    def count(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(deployment.ledger._store._engine, "before_cursor_execute", count)
    taken = []
    for number in range(4):
        spend(deployment, 1, 1, account=f"account {number}")
        statements.clear()
        dearer(deployment, "2025-06", str(number + 2), "standard")
        taken.append(len(statements))
    assert len(set(taken[1:])) == 1


# Closings


def test_each_month_that_is_closed_is_told_of_once_it_has_a_statement(deployment: Deployment) -> None:
    spend(deployment, 1, 7, completed_at="2025-04-10T00:00:00Z")
    spend(deployment, 2, 8, completed_at="2025-05-10T00:00:00Z")
    assert heard(deployment, Event.MONTH_CLOSED) == []
    deployment.ledger.statements.close("2025-04", "acme")
    (notice,) = heard(deployment, Event.MONTH_CLOSED)
    assert notice.data == {
        "account": "acme",
        "month": "2025-04",
        "jobs": 1,
        "final_cost": Decimal("7.0"),
        "currency": "USD",
        "closed_at": "2025-06-15T12:00:00Z",
    }
    deployment.ledger.statements.close("2025-05", "acme")
    assert [one.data["month"] for one in heard(deployment, Event.MONTH_CLOSED)] == ["2025-04", "2025-05"]
    assert deployment.ledger.notices.look() == 0


def test_a_month_that_is_sealed_and_has_no_statement_yet_is_told_of_later(deployment: Deployment) -> None:
    spend(deployment, 1, 7, completed_at="2025-05-10T00:00:00Z")
    deployment.close_month("acme", "2025-05")
    assert heard(deployment, Event.MONTH_CLOSED) == []
    deployment.ledger.statements.close("2025-05", "acme")
    assert len(heard(deployment, Event.MONTH_CLOSED)) == 1


# Late jobs


def test_jobs_of_a_closed_month_are_told_of_once_for_each_month_that_takes_them(deployment: Deployment) -> None:
    spend(deployment, 1, 1, completed_at="2025-04-10T00:00:00Z")
    deployment.ledger.statements.close("2025-05", "acme")
    spend(deployment, 2, 1)
    assert heard(deployment, Event.JOB_LATE) == []
    spend(deployment, 3, 1, completed_at="2025-04-11T00:00:00Z")
    spend(deployment, 4, 1, completed_at="2025-04-12T00:00:00Z")
    (notice,) = heard(deployment, Event.JOB_LATE)
    assert notice.data == {"account": "acme", "month": "2025-04", "booked_in": "2025-06", "jobs": 2}
    spend(deployment, 5, 1, completed_at="2025-04-13T00:00:00Z")
    assert len(heard(deployment, Event.JOB_LATE)) == 1
    spend(deployment, 6, 1, completed_at="2025-05-13T00:00:00Z")
    assert [one.data["month"] for one in heard(deployment, Event.JOB_LATE)] == ["2025-04", "2025-05"]
    deployment.set_clock("2025-07-02T00:00:00Z")
    spend(deployment, 7, 1, completed_at="2025-04-14T00:00:00Z")
    assert [one.data["booked_in"] for one in heard(deployment, Event.JOB_LATE)] == ["2025-06", "2025-07", "2025-06"]


# Many at once


def test_several_notifiers_say_each_of_these_once(deployment: Deployment) -> None:
    deployment.ledger.budgets.set("acme", amount="1")
    spend(deployment, 1, 5, completed_at="2025-05-10T00:00:00Z")
    deployment.ledger.statements.close("2025-05", "acme")
    spend(deployment, 2, 5, completed_at="2025-05-10T00:00:00Z")
    with Ledger(deployment.database, clock=lambda: deployment.now) as other:
        said = deployment.ledger.notices.look() + other.notices.look() + deployment.ledger.notices.look()
    assert said == 6  # three thresholds, a closing, a late job, and the new account to the provider
    assert len(deployment.ledger.notices.list("acme").notices) == 5
