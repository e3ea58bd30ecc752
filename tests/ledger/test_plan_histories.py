"""Plans over time: whoever changes one never changes a month that is closed (design rule 8)."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from tallystick.errors import Conflict
from tallystick.model.months import Month
from tallystick.model.plans import BEGINNING, PlanVersion
from tallystick.model.schedule import months_priced
from tallystick.store import plans
from tests.embedded import Deployment, job, plan


def refused(change: Callable[[], object]) -> str:
    with pytest.raises(Conflict) as caught:
        change()
    assert caught.value.code == "month_closed"
    return caught.value.detail


@pytest.fixture
def acme(deployment: Deployment) -> Deployment:
    """`acme` on the plan "p" from the beginning, closed through March; "other" is free of every closing."""
    deployment.ledger.plans.put(plan("p", free_jobs=1))
    deployment.ledger.plans.put(plan("q", free_jobs=2))
    for name in ("acme", "other"):
        deployment.ledger.accounts.create(name, plan="p")
        deployment.ledger.record(
            [job(month, account=name, completed_at=f"2025-{month:02d}-10T00:00:00Z") for month in range(1, 7)]
        )
    deployment.close_month("acme", "2025-03")
    return deployment


def state(deployment: Deployment) -> object:
    reports = [deployment.ledger.usage(name, "2025-01", "2025-06") for name in ("acme", "other")]
    return reports, deployment.contents("plan", "plan_version", "account_plan", "meter", "audit_event")


# An account's plans


@pytest.mark.parametrize("month", ["2024-01", "2025-01", "2025-03"])
def test_an_account_cannot_change_its_plan_in_a_closed_month(acme: Deployment, month: str) -> None:
    before = state(acme)
    detail = refused(lambda: acme.ledger.accounts.change("acme", plan="q", plan_from=month))
    assert "closed through 2025-03" in detail
    assert "from 2025-04 on" in detail
    assert state(acme) == before


def test_it_can_from_the_first_open_month_on_and_another_account_as_ever(acme: Deployment) -> None:
    closed = acme.ledger.usage("acme", "2025-01", "2025-03")
    acme.ledger.accounts.change("acme", plan="q", plan_from="2025-04")
    acme.ledger.accounts.change("other", plan="q", plan_from="2025-01")
    assert acme.ledger.usage("acme", "2025-01", "2025-03") == closed
    assert [len(month.tiers) for month in acme.ledger.usage("other", "2025-01", "2025-06").monthly_breakdown] == [1] * 6


def test_the_plans_of_an_account_are_shown_with_their_months(acme: Deployment) -> None:
    acme.ledger.accounts.change("acme", plan="q", plan_from="2025-08")
    shown = acme.ledger.accounts.change("acme", plan="standard", plan_from="2025-05")
    assert [(entry.plan, entry.plan_from) for entry in shown.plans] == [
        ("p", None),
        ("standard", "2025-05"),
        ("q", "2025-08"),
    ]
    assert shown.plan == "standard"
    assert acme.ledger.accounts.get("acme") == shown


# A plan's versions


@pytest.mark.parametrize("month", ["2024-01", "2025-01", "2025-03"])
def test_a_version_cannot_take_effect_in_a_month_that_is_closed_for_anybody_on_the_plan(
    acme: Deployment, month: str
) -> None:
    before = state(acme)
    detail = refused(lambda: acme.ledger.plans.put(plan("p", free_jobs=5), effective_from=month))
    assert "'acme'" in detail
    assert "from 2025-04 on" in detail
    assert state(acme) == before


def test_it_can_from_the_first_open_month_on(acme: Deployment) -> None:
    closed = acme.ledger.usage("acme", "2025-01", "2025-03")
    acme.ledger.plans.put(plan("p", free_jobs=5), effective_from="2025-04")
    assert acme.ledger.usage("acme", "2025-01", "2025-03") == closed
    assert acme.ledger.usage("acme", "2025-04", "2025-04").totals.base_cost == 0


def test_a_plan_that_nobody_had_in_a_closed_month_can_change_at_any_month(acme: Deployment) -> None:
    acme.ledger.accounts.change("acme", plan="q", plan_from="2025-04")
    acme.ledger.accounts.change("other", plan="q", plan_from="2025-01")
    acme.ledger.plans.put(plan("q", free_jobs=7), effective_from="2025-01")
    acme.ledger.plans.put(plan("new", free_jobs=7), effective_from="2025-01")


def test_the_same_version_again_changes_nothing_and_is_taken(acme: Deployment) -> None:
    acme.ledger.plans.put(plan("p", free_jobs=5), effective_from="2025-04")
    acme.close_month("acme", "2025-05")
    shown = acme.ledger.plans.put(plan("p", free_jobs=5), effective_from="2025-04")
    assert [version.effective_from for version in shown.versions] == [None, "2025-04"]
    refused(lambda: acme.ledger.plans.put(plan("p", free_jobs=6), effective_from="2025-04"))


def test_a_new_first_version_would_hold_before_its_month_too(deployment: Deployment) -> None:
    """The earliest version prices all months before it; one that is put before it takes those over."""
    deployment.ledger.plans.put(plan("late", free_jobs=1), effective_from="2025-06")
    deployment.ledger.accounts.create("acme", plan="late")
    deployment.close_month("acme", "2025-01")
    refused(lambda: deployment.ledger.plans.put(plan("late", free_jobs=2), effective_from="2025-06"))
    refused(lambda: deployment.ledger.plans.put(plan("late", free_jobs=2), effective_from="2025-03"))
    deployment.ledger.plans.put(plan("late", free_jobs=2), effective_from="2025-07")


def test_a_version_that_a_later_one_ends_before_the_account_came_to_the_plan_is_taken(deployment: Deployment) -> None:
    ledger = deployment.ledger
    ledger.plans.put(plan("p", free_jobs=1))
    ledger.plans.put(plan("q", free_jobs=1))
    ledger.plans.put(plan("p", free_jobs=2), effective_from="2025-03")
    ledger.accounts.create("acme", plan="q")
    ledger.accounts.change("acme", plan="p", plan_from="2025-03")
    deployment.close_month("acme", "2025-04")
    ledger.plans.put(plan("p", free_jobs=9), effective_from="2025-02")  # February alone, when acme was on q
    refused(lambda: ledger.plans.put(plan("q", free_jobs=9), effective_from="2025-02"))
    refused(lambda: ledger.plans.put(plan("p", free_jobs=9), effective_from="2025-04"))


MONTHS = [Month.of(2025, month) for month in range(1, 9)]


def test_which_closed_months_a_version_would_price_is_told_rightly_for_every_history(
    deployment: Deployment, randomness: random.Random
) -> None:
    """Many accounts with random plans and closings, each stretch of months asked for, against looking at each month."""
    ledger = deployment.ledger
    for name in ("p", "q"):
        ledger.plans.put(plan(name))
    histories: dict[str, dict[Month, str]] = {}
    closed: dict[str, Month] = {}
    for number in range(12):
        name = f"account {number:02d}"
        histories[name] = {BEGINNING: randomness.choice("pq")}
        ledger.accounts.create(name, plan=histories[name][BEGINNING])
        for month in randomness.sample(MONTHS, 3):
            histories[name][month] = randomness.choice("pq")
            ledger.accounts.change(name, plan=histories[name][month], plan_from=str(month))
        if randomness.random() < 0.7:
            closed[name] = randomness.choice(MONTHS)
            deployment.close_month(name, str(closed[name]))
    with ledger._store.snapshot() as connection:
        ids = {name: plans.plan_named(connection, name).id for name in ("p", "q")}
        for name, first, last in product("pq", [BEGINNING, *MONTHS], [None, *MONTHS]):
            if last is not None and last < first:
                continue
            expected = touched(histories, closed, name, first, last)
            assert plans.closed_account(connection, ids[name], first, last) == expected


def touched(
    histories: dict[str, dict[Month, str]], closed: dict[str, Month], plan_name: str, first: Month, last: Month | None
) -> tuple[str, Month] | None:
    found = []
    for name, through in closed.items():
        for month in [BEGINNING, *MONTHS]:
            start = max(start for start in histories[name] if start <= month)
            asked = first <= month and (last is None or month <= last)
            if asked and month <= through and histories[name][start] == plan_name:
                found.append((-through.index, name))
                break
    return (min(found)[1], Month(-min(found)[0])) if found else None


@pytest.mark.parametrize(
    ("versions", "month", "expected"),
    [
        ([], "2025-03", (None, None)),
        (["2025-01"], "2025-03", ("2025-03", None)),
        (["2025-01", "2025-05"], "2025-03", ("2025-03", "2025-04")),
        (["2025-05"], "2025-03", (None, "2025-04")),
        (["2025-03", "2025-04"], "2025-03", (None, "2025-03")),
        (["2025-01", "2025-03", "2025-05"], "2025-03", ("2025-03", "2025-04")),
    ],
)
def test_a_version_prices_its_months_up_to_the_next_one_and_as_the_first_those_before(
    versions: list[str], month: str, expected: tuple[str | None, str | None]
) -> None:
    kept: Any = [PlanVersion(Month.parse(start), plan("p")) for start in versions]
    first, last = months_priced(kept, Month.parse(month))
    assert (None if first == BEGINNING else str(first), None if last is None else str(last)) == expected
