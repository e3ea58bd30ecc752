"""The page of alerts: budgets seen by who may read, set and removed by who may manage, and by nobody else."""

from __future__ import annotations

import pytest

from tests.api.service import Service, job
from tests.web.site import Visitor, tables

CURRENT = "2025-02-01T11:00:00Z"
ALERTS = "/alerts"
FORM = "/alerts/budgets"


@pytest.fixture
def account(shared: Service) -> str:
    """A new account whose hundred and first job cost something."""
    name = shared.account()
    jobs = [job(name, completed_at=CURRENT, tokens={"transcription": 1_000_000}) for _ in range(101)]
    assert shared.post_jobs(jobs).json()["accepted"] == 101
    return name


def signed_in(shared: Service, scope: str, account: str) -> Visitor:
    visitor = Visitor(shared)
    visitor.sign_in(shared.token(scope, None if scope == "admin" else account))
    return visitor


def rows(visitor: Visitor, path: str = ALERTS) -> list[list[str]]:
    return [[cell.text for cell in row] for row in tables(visitor.get(path).text).get("budgets", [])[1:]]


def test_a_budget_is_set_seen_and_removed(shared: Service, account: str) -> None:
    manager = signed_in(shared, "manage", account)
    assert "No budgets yet. Set one below" in manager.get(ALERTS).text
    sent = manager.post(FORM, {"api_key": "", "amount": " 40 ", "thresholds": "50, 80 %, 75"}, page=ALERTS)
    assert (sent.status_code, sent.headers["location"]) == (303, f"/dashboard{ALERTS}")
    manager.post(FORM, {"api_key": "a key", "amount": "20.5", "thresholds": ""}, page=ALERTS)
    assert [row[:4] for row in rows(manager)] == [
        ["Whole account", "40.00", "30.00", "75.0 %"],
        ["a key", "20.50", "30.00", "146.3 %"],
    ]
    whole, key = rows(manager)
    assert whole[5] == "too little history to tell"
    assert key[5] == "reached 2025-02-01"
    assert ("".join(whole[6].split()), key[6]) == ("50%passed75%passed80%", "nothing")
    assert "Too little to tell yet: the account had no jobs in the 365 days before today" in manager.get(ALERTS).text
    removed = manager.post(FORM, {"remove": "1", "api_key": ""}, page=ALERTS)
    assert removed.status_code == 303
    assert [row[0] for row in rows(manager)] == ["a key"]
    actions = [event.action for event in shared.ledger.audit.list(limit=3).events]
    assert actions == ["budget.remove", "budget.set", "budget.set"]


def test_who_may_only_read_sees_budgets_and_cannot_change_them(shared: Service, account: str) -> None:
    shared.ledger.budgets.set(account, amount=7)
    reader = signed_in(shared, "usage", account)
    page = reader.get(ALERTS).text
    assert [row[0] for row in rows(reader)] == ["Whole account"]
    assert "Set budget" not in page
    assert "Remove" not in page
    answer = reader.post(FORM, {"remove": "1", "api_key": ""}, page=ALERTS)
    assert answer.status_code == 403
    assert "may only read" in answer.text
    assert len(shared.ledger.budgets.list(account).budgets) == 1


def test_the_provider_sets_any_accounts_budget_where_its_path_names_it(shared: Service, account: str) -> None:
    provider = signed_in(shared, "admin", account)
    path = f"/accounts/{account}"
    sent = provider.post(f"{path}{FORM}", {"api_key": "", "amount": "1", "thresholds": "100"}, page=f"{path}{ALERTS}")
    assert sent.headers["location"] == f"/dashboard/accounts/{account.replace(' ', '%20')}{ALERTS}"
    assert [row[0] for row in rows(provider, f"{path}{ALERTS}")] == ["Whole account"]
    assert provider.get(ALERTS).headers["location"] == "/dashboard/accounts"


def test_a_customer_reaches_no_other_accounts_budgets(shared: Service, account: str) -> None:
    other = shared.account()
    shared.ledger.budgets.set(other, amount=7)
    manager = signed_in(shared, "manage", account)
    assert manager.get(f"/accounts/{other}{ALERTS}").status_code == 403
    answer = manager.post(f"/accounts/{other}{FORM}", {"remove": "1", "api_key": ""}, page=ALERTS)
    assert answer.status_code == 403
    assert len(shared.ledger.budgets.list(other).budgets) == 1


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"amount": "", "thresholds": "50"}, 400, "The amount &#39;&#39; is not a decimal number."),
        ({"amount": "0", "thresholds": "50"}, 400, "The amount must be more than 0."),
        ({"amount": "12,50", "thresholds": "50"}, 400, "is not a decimal number"),
        ({"amount": "<b>", "thresholds": "50"}, 400, "&lt;b&gt;"),
        ({"amount": "5", "thresholds": "0"}, 400, "They must lie between 1 and 1000 percent."),
        ({"amount": "5", "thresholds": "a few"}, 400, "They must be whole percents"),
        ({"amount": "5", "thresholds": "9" * 5000}, 400, "They must be whole percents"),
        ({"amount": "5", "api_key": "trial"}, 400, "is a sandbox key"),
        ({"amount": "5", "api_key": "nobody's"}, 404, "no such API key"),
        ({"remove": "1", "api_key": ""}, 404, "has no budget"),
    ],
)
def test_what_is_no_budget_is_told_beside_its_field_and_kept_in_the_form(
    shared: Service, account: str, fields: dict[str, str], status: int, told: str
) -> None:
    shared.ledger.accounts.create_key(account, "trial", kind="sandbox")
    manager = signed_in(shared, "manage", account)
    answer = manager.post(FORM, fields, page=ALERTS)
    assert answer.status_code == status
    assert told in answer.text
    assert shared.ledger.budgets.list(account).budgets == ()
    if status == 400 and fields["amount"] == "12,50":
        assert 'value="12,50" aria-invalid="true"' in answer.text
