"""Trying a plan on the history: the old cost is the report's, the new one what the report would be, nothing is kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.errors import InvalidInput, InvalidPlan, NotFound
from tallystick.model.plans import Plan
from tallystick.model.simulation import Simulation
from tallystick.report import growth
from tests.embedded import Deployment, Document, job, plan

TIERS = [{"after_jobs": 0, "discount": "0"}, {"after_jobs": 7, "discount": "10"}, {"after_jobs": 19, "discount": "25"}]
PERIOD = ("2025-03", "2025-06")
ACCOUNTS = ("acme", "globex", "initech")


@pytest.fixture
def fleet(deployment: Deployment) -> Deployment:
    """Three accounts with jobs from March to June, one of which changes its plan in May; one without jobs."""
    deployment.ledger.plans.put(plan("old", free_jobs=3, tiers=TIERS))
    for place, name in enumerate((*ACCOUNTS, "idle")):
        deployment.ledger.accounts.create(name, plan="old", time_zone=["UTC", "Asia/Tokyo"][place % 2])
    deployment.ledger.accounts.change("globex", plan="standard", plan_from="2025-05")
    for place, name in enumerate(ACCOUNTS):
        deployment.ledger.record(history(name, jobs=13 * (place + 1)))
    return deployment


def history(account: str, jobs: int) -> list[Document]:
    return [
        job(
            number,
            account=account,
            api_key=f"key {number % 3}",
            completed_at=f"2025-{3 + 4 * number // jobs:02d}-{1 + number * 5 % 3:02d}T22:00:00Z",
            tokens={"transcription": 10 + number, "note_generation": number % 4},
        )
        for number in range(jobs)
    ]


def simulate(deployment: Deployment, new: Plan, *months: str | None, **more: Any) -> Simulation:
    (simulation,) = deployment.ledger.plans.simulate(new, *months, **more)
    return simulation


def under(deployment: Deployment, new: Plan, *months: str) -> dict[str, Decimal]:
    """What the reports say once the accounts are on the plan from the beginning."""
    deployment.ledger.plans.put(new)
    for name in (*ACCOUNTS, "idle"):
        for month in ("2000-01", "2025-05"):
            deployment.ledger.accounts.change(name, plan=new.name, plan_from=month)
    return {name: deployment.ledger.usage(name, *months).totals.final_cost for name in (*ACCOUNTS, "idle")}


PLANS = {
    "tiers": plan("new", free_jobs=5, tiers=[TIERS[0], {"after_jobs": 11, "discount": "33.3333"}]),
    "by month": plan("new", free_jobs=1, tiers=TIERS[:2], reset="month", free_jobs_reset="month"),
    "flat": plan("new"),
    "another meter": plan("new", meters=[{"id": "note_generation", "report_as": "note_tokens", "price": "7"}]),
}


@pytest.mark.parametrize("months", [PERIOD, ("2025-04", "2025-05"), ("2025-06", "2025-06"), ("2020-01", "2025-04")])
@pytest.mark.parametrize("new", PLANS.values(), ids=PLANS)
def test_old_and_new_costs_are_those_of_the_reports(fleet: Deployment, new: Plan, months: tuple[str, str]) -> None:
    old = {name: fleet.ledger.usage(name, *months).totals.final_cost for name in (*ACCOUNTS, "idle")}
    simulation = simulate(fleet, new, *months)
    assert {account.account: account.old for account in simulation.accounts} == old
    assert {account.account: account.new for account in simulation.accounts} == under(fleet, new, *months)
    assert (simulation.start_month, simulation.end_month, simulation.currency) == (*months, "USD")


def test_a_plan_may_be_tried_under_the_name_of_one_that_accounts_have(fleet: Deployment) -> None:
    """As whoever thinks of a new version does."""
    tried = simulate(fleet, PLANS["tiers"])
    renamed = msgspec.structs.replace(PLANS["tiers"], name="old")
    assert simulate(fleet, renamed) == tried
    assert tried.difference


def test_without_months_it_is_the_whole_history(fleet: Deployment) -> None:
    assert simulate(fleet, PLANS["flat"]) == simulate(fleet, PLANS["flat"], "2025-03", "2025-06")
    only_from, only_to = simulate(fleet, PLANS["flat"], "2025-05"), simulate(fleet, PLANS["flat"], None, "2025-04")
    assert (only_from.start_month, only_from.end_month) == ("2025-05", "2025-06")
    assert (only_to.start_month, only_to.end_month) == ("2025-03", "2025-04")


def test_nothing_is_changed_or_kept(fleet: Deployment) -> None:
    before = fleet.contents()
    simulate(fleet, PLANS["tiers"])
    simulate(fleet, PLANS["by month"], *PERIOD, account="acme")
    assert fleet.contents() == before
    assert fleet.count("boundary") == 0


def test_boundaries_that_are_kept_change_no_figure(fleet: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "NEAR", 0)
    derived = simulate(fleet, PLANS["tiers"])
    fleet.ledger.usage_of_accounts(*PERIOD)
    assert fleet.count("boundary")
    assert simulate(fleet, PLANS["tiers"]) == derived


def test_one_account_may_be_looked_at_alone(fleet: Deployment) -> None:
    everybody = {account.account: account for account in simulate(fleet, PLANS["tiers"]).accounts}
    for name in (*ACCOUNTS, "idle"):
        (alone,) = simulate(fleet, PLANS["tiers"], *PERIOD, account=name).accounts
        assert alone == everybody[name]
    with pytest.raises(NotFound) as caught:
        simulate(fleet, PLANS["tiers"], account="nobody")
    assert caught.value.code == "unknown_account"


def test_each_currency_has_a_simulation_of_its_own(fleet: Deployment) -> None:
    fleet.ledger.plans.put(plan("euro", currency="EUR"))
    fleet.ledger.accounts.create("euro account", plan="euro")
    fleet.ledger.record([job(1, account="euro account", tokens={"transcription": 3})])
    doubled = plan("new", meters=[{"id": "transcription", "report_as": "transcription_tokens", "price": "2"}])
    euros, dollars = fleet.ledger.plans.simulate(doubled)
    assert (euros.currency, dollars.currency) == ("EUR", "USD")
    assert [(account.account, account.old, account.new) for account in euros.accounts] == [
        ("euro account", Decimal(3), Decimal(6))
    ]
    assert len(dollars.accounts) == 4
    assert (euros.start_month, euros.end_month) == (dollars.start_month, dollars.end_month)


def test_a_deployment_without_accounts_has_a_simulation_of_nothing(deployment: Deployment) -> None:
    simulation = simulate(deployment, plan("new", currency="CHF"))
    assert (simulation.currency, simulation.accounts, simulation.old_total) == ("CHF", (), Decimal(0))
    assert (simulation.start_month, simulation.end_month) == ("2025-06", "2025-06")


def test_a_meter_that_nobody_has_yet_costs_nothing(fleet: Deployment) -> None:
    new = plan("new", meters=[{"id": "unheard_of", "price": "1000"}])
    assert simulate(fleet, new).new_total == 0
    assert fleet.count("meter") == 2


def test_a_very_long_period_is_no_trouble(fleet: Deployment) -> None:
    simulation = simulate(fleet, PLANS["by month"], "0001-01", "9999-12")
    assert simulation.accounts == simulate(fleet, PLANS["by month"]).accounts


@pytest.mark.parametrize(
    ("months", "place", "code"),
    [
        (("2025-13", None), "from", "invalid_month"),
        ((None, "x"), "to", "invalid_month"),
        (("2025-05", "2025-04"), "to", "invalid_period"),
        (("2025-07", None), "from", "invalid_period"),
    ],
)
def test_months_that_are_none_are_refused(
    fleet: Deployment, months: tuple[str | None, str | None], place: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        fleet.ledger.plans.simulate(PLANS["flat"], *months)
    assert (caught.value.code, [error.parameter for error in caught.value.errors]) == (code, [place])


def test_a_plan_built_by_hand_is_checked(fleet: Deployment) -> None:
    with pytest.raises(InvalidPlan):
        fleet.ledger.plans.simulate(Plan("p", "USD", -1, plan("p").meters, plan("p").tiers))


def test_progress_is_told_up_to_the_last_account(fleet: Deployment) -> None:
    heard: list[tuple[int, int]] = []
    fleet.ledger.plans.simulate(PLANS["flat"], hear=lambda done, of: heard.append((done, of)))
    assert heard == [(4, 4)]
