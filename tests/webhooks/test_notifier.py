"""The notifier beside a server: it looks after commits, finds what others committed, and goes on after failures."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.ledger.notices import Notices
from tallystick.webhooks import notifier, telling
from tests.embedded import Deployment, job, plan

PATIENCE_SECONDS = 30


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold in that time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def heard(deployment: Deployment, account: str) -> bool:
    return bool(deployment.rows("SELECT 1 FROM notice WHERE body LIKE ?", f'%"account":"{account}"%'))


def hundred_jobs(account: str) -> list[dict[str, object]]:
    return [job(number, account=account) for number in range(100)]


@pytest.fixture(autouse=True)
def never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its start it looks at the accounts of commits alone, but where a test says otherwise."""
    monkeypatch.setattr(notifier, "ALL_AFTER_SECONDS", 3600.0)


def test_what_a_commit_has_passed_is_said_soon(deployment: Deployment) -> None:
    with telling(deployment.ledger):
        for account in ("one", "two"):
            deployment.ledger.record(hundred_jobs(account))
            assert within(PATIENCE_SECONDS, lambda account=account: heard(deployment, account))  # type: ignore[misc]


def test_what_was_left_unsaid_is_said_at_the_next_start(deployment: Deployment) -> None:
    deployment.ledger.record(hundred_jobs("left"))
    with telling(deployment.ledger):
        assert within(PATIENCE_SECONDS, lambda: heard(deployment, "left"))


def test_what_another_process_commits_is_found_by_looking_over_all(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "ALL_AFTER_SECONDS", 0.1)
    with telling(deployment.ledger), Ledger(deployment.database, clock=lambda: deployment.now) as other:
        for account in ("first", "second"):
            other.record(hundred_jobs(account))
            assert within(PATIENCE_SECONDS, lambda account=account: heard(deployment, account))  # type: ignore[misc]


@pytest.mark.parametrize("is_another", [True, False])
def test_what_a_change_of_a_plan_lets_an_account_pass_is_found_by_looking_over_all(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, is_another: bool
) -> None:
    monkeypatch.setattr(notifier, "ALL_AFTER_SECONDS", 0.1)
    deployment.ledger.plans.put(plan("dear"))
    deployment.ledger.accounts.create("acme", plan="dear")
    deployment.ledger.budgets.set("acme", amount="100")
    deployment.ledger.record([job(1)])
    deployment.ledger.notices.look()
    assert not heard(deployment, "acme")
    with telling(deployment.ledger), Ledger(deployment.database, clock=lambda: deployment.now) as other:
        changing = other if is_another else deployment.ledger
        dearer = [{"id": "transcription", "report_as": "transcription_tokens", "price": "20"}]
        changing.plans.put(plan("dear", meters=dearer), effective_from="2025-06")
        assert within(PATIENCE_SECONDS, lambda: heard(deployment, "acme"))


@pytest.mark.parametrize("error", [StoreUnavailable("it is gone"), ValueError("a mistake of ours")])
def test_a_look_that_fails_is_made_again(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(notifier, "ALL_AFTER_SECONDS", 0.1)
    failures = [error, error]
    look = Notices.look

    def failing(*arguments: object, **named: object) -> int:
        if failures:
            raise failures.pop()
        return look(*arguments, **named)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(Notices, "look", failing)
    with telling(deployment.ledger):
        deployment.ledger.record(hundred_jobs("failed"))
        assert within(PATIENCE_SECONDS, lambda: heard(deployment, "failed"))
    assert not failures


def test_many_changed_accounts_are_looked_at_a_few_at_a_time(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.ledger.notices.AT_ONCE", 3)
    monkeypatch.setattr(notifier, "REST_SECONDS", 0.0)
    monkeypatch.setattr(notifier, "REST_FACTOR", 0)
    accounts = [f"account {number}" for number in range(10)]
    deployment.ledger.record([entry for account in accounts for entry in hundred_jobs(account)])
    with telling(deployment.ledger):
        assert within(PATIENCE_SECONDS, lambda: all(heard(deployment, account) for account in accounts))


def test_it_ends_at_once_also_while_it_rests(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "REST_SECONDS", 3600.0)
    monkeypatch.setattr(notifier, "MOST_REST_SECONDS", 3600.0)
    with telling(deployment.ledger):
        deployment.ledger.record(hundred_jobs("one"))
        time.sleep(0.1)
    # The ledger lives on, and its commits disturb nobody.
    assert deployment.ledger.record(hundred_jobs("two")).accepted == 100
