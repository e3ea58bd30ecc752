"""Budgets: set and removed, exact beside the report, and nobody else's business."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from tallystick.errors import InvalidInput, NotFound, TallystickError
from tallystick.model.budgets import BudgetReport, BudgetUse
from tallystick.model.tokens import make_token
from tests.embedded import TABLES, Deployment, job, plan

TOKEN = make_token(bytes(32))


@pytest.fixture
def acme(deployment: Deployment) -> Deployment:
    """An account without free jobs that pays 1 for a token of transcription, and 2 for one of a note; two keys."""
    deployment.ledger.plans.put(plan("plain"))
    deployment.ledger.accounts.create("acme", plan="plain")
    deployment.ledger.record(
        [
            job(1, tokens={"transcription": 30}),
            job(2, api_key="second key", tokens={"note_generation": 10}),
            job(3, completed_at="2025-05-31T23:59:59Z", tokens={"transcription": 1000}),
            job(4, api_key="trial", sandbox=True, tokens={"transcription": 1000}),
        ]
    )
    return deployment


def used(report: BudgetReport) -> dict[str | None, tuple[Decimal, tuple[int, ...]]]:
    return {use.api_key: (use.cost, use.thresholds_passed) for use in report.budgets}


def test_an_account_has_no_budget_until_one_is_set(acme: Deployment) -> None:
    assert acme.ledger.budgets.list("acme") == BudgetReport(month="2025-06", budgets=(), currency="USD")


def test_a_budget_shows_what_the_month_has_used_of_it(acme: Deployment) -> None:
    use = BudgetUse(
        api_key=None,
        amount=Decimal(60),
        thresholds=(50, 80, 100),
        cost=Decimal(50),
        left=Decimal(10),
        used_percentage=Decimal("83.3333"),
        thresholds_passed=(50, 80),
    )
    report = BudgetReport(month="2025-06", budgets=(use,), currency="USD")
    assert acme.ledger.budgets.set("acme", amount="60") == report
    assert acme.ledger.budgets.list("acme") == report


def test_a_key_has_a_budget_of_its_own_and_the_accounts_comes_first(acme: Deployment) -> None:
    acme.ledger.budgets.set("acme", "second key", amount=20, thresholds=[100, 101])
    acme.ledger.budgets.set("acme", "first key", amount="29.99", thresholds=[])
    report = acme.ledger.budgets.set("acme", amount="1000")
    assert list(used(report).items()) == [
        (None, (Decimal(50), ())),
        ("first key", (Decimal(30), ())),
        ("second key", (Decimal(20), (100,))),
    ]
    assert [use.left for use in report.budgets] == [Decimal(950), Decimal(0), Decimal(0)]
    usage = acme.ledger.usage("acme")
    assert report.budgets[0].cost == usage.totals.final_cost
    assert {use.api_key: use.cost for use in report.budgets[1:]} == {
        name: key.costs.final for name, key in usage.api_keys.items()
    }


def test_a_budget_takes_the_place_of_the_one_that_there_was(acme: Deployment) -> None:
    acme.ledger.budgets.set("acme", amount="60", thresholds=[10])
    acme.ledger.budgets.set("acme", amount="25")
    assert used(acme.ledger.budgets.list("acme")) == {None: (Decimal(50), (50, 80, 100))}
    assert acme.count("budget") == 1


def test_a_new_month_begins_with_nothing_used(acme: Deployment) -> None:
    acme.ledger.budgets.set("acme", amount="60")
    acme.set_clock("2025-06-30T23:59:59.999999Z")
    assert used(acme.ledger.budgets.list("acme")) == {None: (Decimal(50), (50, 80))}
    acme.set_clock("2025-07-01T00:00:00Z")
    report = acme.ledger.budgets.list("acme")
    assert (report.month, used(report)) == ("2025-07", {None: (Decimal(0), ())})


def test_the_month_is_that_of_the_accounts_zone_also_after_it_changes(acme: Deployment) -> None:
    acme.ledger.budgets.set("acme", amount="60")
    # In Auckland the job of the last second of May was made on the first of June.
    acme.ledger.accounts.change("acme", time_zone="Pacific/Auckland")
    assert used(acme.ledger.budgets.list("acme")) == {None: (Decimal(1050), (50, 80, 100))}


def test_free_jobs_and_discounts_are_the_accounts_as_in_the_report(acme: Deployment) -> None:
    tiers = [{"after_jobs": 0, "discount": "0"}, {"after_jobs": 2, "discount": "50"}]
    acme.ledger.plans.put(plan("tiered", free_jobs=2, tiers=tiers))
    acme.ledger.accounts.change("acme", plan="tiered", plan_from="2025-06")
    # Rank 1 fell in May, so that one of June's jobs is free, and the other half off.
    report = acme.ledger.budgets.set("acme", "second key", amount="10")
    assert used(report) == {"second key": (Decimal(10), (50, 80, 100))}


def test_the_budget_is_in_the_accounts_currency(acme: Deployment) -> None:
    acme.ledger.plans.put(plan("euro", currency="EUR"))
    acme.ledger.accounts.create("südstern", plan="euro")
    assert acme.ledger.budgets.set("südstern", amount="5").currency == "EUR"


def test_a_revoked_key_keeps_its_budget_since_its_jobs_still_count(acme: Deployment) -> None:
    acme.ledger.budgets.set("acme", "first key", amount="60")
    acme.ledger.accounts.revoke_key("acme", "first key")
    acme.ledger.record([job(9, tokens={"transcription": 30})])
    assert used(acme.ledger.budgets.list("acme")) == {"first key": (Decimal(60), (50, 80, 100))}
    acme.ledger.budgets.set("acme", "first key", amount="600")
    assert used(acme.ledger.budgets.list("acme")) == {"first key": (Decimal(60), ())}


def test_a_sandbox_key_has_no_budget_since_its_jobs_cost_nothing(acme: Deployment) -> None:
    with pytest.raises(InvalidInput) as caught:
        acme.ledger.budgets.set("acme", "trial", amount="60")
    assert [error.parameter for error in caught.value.errors] == ["api_key"]
    assert acme.count("budget") == 0


def test_a_removed_budget_is_gone_and_the_others_stay(acme: Deployment) -> None:
    acme.ledger.budgets.set("acme", amount="60")
    acme.ledger.budgets.set("acme", "first key", amount="60")
    acme.ledger.budgets.remove("acme")
    assert list(used(acme.ledger.budgets.list("acme"))) == ["first key"]
    acme.ledger.budgets.remove("acme", "first key")
    assert acme.count("budget") == 0


@pytest.mark.parametrize("api_key", [None, "first key", "trial"])
def test_what_has_no_budget_cannot_lose_it(acme: Deployment, api_key: str | None) -> None:
    with pytest.raises(NotFound) as caught:
        acme.ledger.budgets.remove("acme", api_key)
    assert caught.value.code == "unknown_budget"


@pytest.mark.parametrize("name", ["nobody", "", "\0", "\ud800", TOKEN])
def test_nobodys_budget_cannot_be_seen_set_or_removed(acme: Deployment, name: str) -> None:
    budgets = acme.ledger.budgets
    for act in (lambda: budgets.list(name), lambda: budgets.set(name, amount=1), lambda: budgets.remove(name)):
        with pytest.raises(NotFound) as caught:
            act()
        assert caught.value.code == "unknown_account"
    for act in (lambda: budgets.set("acme", name, amount=1), lambda: budgets.remove("acme", name)):
        with pytest.raises(NotFound) as caught:
            act()
        assert caught.value.code == "unknown_key"
    assert acme.count("budget") == 0


def test_an_account_knows_nothing_of_anothers_keys_and_budgets(acme: Deployment) -> None:
    acme.ledger.record([job(account="other", tokens={"transcription": 7})])
    acme.ledger.budgets.set("other", "first key", amount="1")
    acme.ledger.budgets.set("acme", amount="60")
    acme.ledger.budgets.set("acme", "first key", amount="61")
    assert list(used(acme.ledger.budgets.list("other"))) == ["first key"]
    with pytest.raises(NotFound):
        acme.ledger.budgets.set("other", "second key", amount="1")
    with pytest.raises(NotFound):
        acme.ledger.budgets.remove("other")
    acme.ledger.budgets.remove("other", "first key")
    assert used(acme.ledger.budgets.list("acme")) == {
        None: (Decimal(50), (50, 80)),
        "first key": (Decimal(30), ()),
    }


def test_a_refused_budget_changes_nothing(acme: Deployment) -> None:
    acme.ledger.budgets.set("acme", amount="60")
    before = acme.contents()
    refused: list[dict[str, object]] = [
        {"amount": "0"},
        {"amount": "1e400"},
        {"amount": "1", "thresholds": [0]},
        {"amount": "1", "api_key": "no key"},
        {"amount": "1", "api_key": "trial"},
    ]
    for arguments in refused:
        with pytest.raises(TallystickError):
            acme.ledger.budgets.set("acme", **arguments)  # type: ignore[arg-type]  # what is wrong is the point
    assert acme.contents() == before


def test_who_set_and_removed_a_budget_is_in_the_audit_log(acme: Deployment) -> None:
    acme.ledger.budgets.set("acme", "first key", amount="250.50", thresholds=[80, 50])
    acme.ledger.budgets.set("acme", amount="0.10")
    acme.ledger.budgets.remove("acme", "first key")
    events = [(event.action, event.subject, event.detail) for event in acme.ledger.audit.list(limit=3).events]
    assert events == [
        ("budget.remove", "acme", {"api_key": "first key"}),
        ("budget.set", "acme", {"amount": "0.1", "thresholds": [50, 80, 100]}),
        ("budget.set", "acme", {"api_key": "first key", "amount": "250.5", "thresholds": [50, 80]}),
    ]


def test_a_budget_set_by_many_at_once_is_one_of_theirs(acme: Deployment) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda amount: acme.ledger.budgets.set("acme", amount=amount, thresholds=[amount]), range(1, 17)))
    (use,) = acme.ledger.budgets.list("acme").budgets
    assert use.thresholds == (int(use.amount),)


def test_budgets_are_no_part_of_what_is_rated(acme: Deployment) -> None:
    before = acme.ledger.usage("acme", "2025-05", "2025-06")
    tables = acme.contents(*(table for table in TABLES if table not in {"budget", "audit_event", "notice_mark"}))
    acme.ledger.budgets.set("acme", amount="0.000000000001", thresholds=range(1, 29))
    acme.ledger.budgets.set("acme", "first key", amount="999999999999.999999999999")
    assert acme.ledger.usage("acme", "2025-05", "2025-06") == before
    assert acme.contents(*tables) == tables
    assert used(acme.ledger.budgets.list("acme")) == {
        None: (Decimal(50), tuple(range(1, 29))),
        "first key": (Decimal(30), ()),
    }
