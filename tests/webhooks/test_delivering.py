"""The notifier and the dispatcher beside a ledger, a real receiver in front: what was said arrives, whatever fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.ledger.deliveries import Deliveries
from tallystick.model.instants import SECOND, format_instant
from tallystick.model.webhooks import DeliveryState, Policy
from tallystick.settings import Settings
from tallystick.webhooks import dispatcher, telling
from tests.embedded import job
from tests.webhooks.receiver import Receiver, receiving
from tests.webhooks.test_notifier import within

SECONDS = 30
QUICK = Policy(retries=(SECOND // 10, SECOND // 10, SECOND // 5), timeout=SECOND // 2)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with Ledger(database, settings=Settings(webhook_networks="127.0.0.0/8")) as opened:
        opened.accounts.create("acme")
        yield opened


def endpoint(ledger: Ledger, receiver: Receiver, path: str, account: str | None = "acme", **given: Any) -> str:
    return ledger.webhooks.create(f"{receiver.url}/{path}", account=account, **given).endpoint.id


def states(ledger: Ledger, webhook: str) -> set[DeliveryState]:
    return {one.state for one in ledger.webhooks.deliveries(webhook, limit=1000).deliveries}


def delivered(ledger: Ledger, webhook: str, count: int) -> Callable[[], bool]:
    return lambda: (
        len(ledger.webhooks.deliveries(webhook, state=DeliveryState.DELIVERED, limit=1000).deliveries) == count
    )


def test_what_is_passed_arrives_signed_in_a_moment(ledger: Ledger, receiver: Receiver) -> None:
    made = ledger.webhooks.create(f"{receiver.url}/ok/moment", account="acme")
    with telling(ledger):
        now = time.time_ns() // 1000
        ledger.record([job(number, completed_at=format_instant(now)) for number in range(100)])
        assert within(SECONDS, delivered(ledger, made.endpoint.id, 2))
    arrived = [one for one in receiver.received if one.path == "/ok/moment"]
    assert sorted(one.verified(made.secret)["type"] for one in arrived) == ["free_jobs.exhausted", "free_jobs.low"]


def test_what_fails_is_tried_again_under_one_id_until_it_is_given_up(ledger: Ledger, receiver: Receiver) -> None:
    webhook = endpoint(ledger, receiver, "500/again")
    sent = ledger.webhooks.test(webhook)
    with telling(ledger, QUICK):
        assert within(SECONDS, lambda: states(ledger, webhook) == {DeliveryState.FAILED})
    assert receiver.ids("/500/again") == [sent.notice] * 4
    times = [one.headers["webhook-timestamp"] for one in receiver.received if one.path == "/500/again"]
    assert times == sorted(times)


def test_410_ends_an_endpoint(ledger: Ledger, receiver: Receiver) -> None:
    webhook = endpoint(ledger, receiver, "410/gone")
    ledger.webhooks.test(webhook)
    with telling(ledger, QUICK):
        assert within(SECONDS, lambda: ledger.webhooks.get(webhook).off_reason == "gone")
    assert len(receiver.ids("/410/gone")) == 1


def test_endpoints_that_hang_delay_nobody_else(ledger: Ledger, receiver: Receiver) -> None:
    """Five of ten hang. The others have everything long before the first of those has timed out once."""
    hanging = [endpoint(ledger, receiver, f"hang/{number}") for number in range(5)]
    healthy = [endpoint(ledger, receiver, f"ok/healthy{number}") for number in range(5)]
    for webhook in (*hanging, *healthy):
        for _ in range(20):
            ledger.webhooks.test(webhook)
    patient = Policy(timeout=60 * SECOND)
    started = time.monotonic()
    with telling(ledger, patient):
        assert within(SECONDS, lambda: all(delivered(ledger, webhook, 20)() for webhook in healthy))
        assert time.monotonic() - started < SECONDS
        assert states(ledger, hanging[0]) == {DeliveryState.WAITING}
        # One attempt is all that an endpoint may have under way that never answered.
        assert max(len(receiver.ids(f"/hang/{number}")) for number in range(5)) == 1


def test_an_endpoint_that_answers_is_sent_several_at_a_time(ledger: Ledger, receiver: Receiver) -> None:
    webhook = endpoint(ledger, receiver, "slow/wide")
    for _ in range(24):
        ledger.webhooks.test(webhook)
    started = time.monotonic()
    with telling(ledger):
        assert within(SECONDS, delivered(ledger, webhook, 24))
    assert time.monotonic() - started < 24 * 0.3


def test_what_is_under_way_when_it_ends_is_finished_or_sent_again(
    ledger: Ledger, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, hanging = endpoint(ledger, receiver, "slow/end"), endpoint(ledger, receiver, "hang/end")
    for webhook in (slow, hanging):
        ledger.webhooks.test(webhook)
    monkeypatch.setattr(dispatcher, "DRAIN_SECONDS", 1.0)
    with telling(ledger):
        assert within(SECONDS, lambda: len(receiver.ids("/slow/end")) == len(receiver.ids("/hang/end")) == 1)
    assert states(ledger, slow) == {DeliveryState.DELIVERED}
    assert states(ledger, hanging) == {DeliveryState.WAITING}
    with telling(ledger):
        assert within(SECONDS, lambda: len(receiver.ids("/hang/end")) == 2)


@pytest.mark.parametrize("error", [StoreUnavailable("it is gone"), ValueError("a mistake of ours")])
def test_a_database_that_fails_for_a_while_loses_nothing(
    ledger: Ledger, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    webhook = endpoint(ledger, receiver, "ok/failing-store")
    sent = ledger.webhooks.test(webhook)
    work, failures = Deliveries.work, [error, error]

    def failing(self: Deliveries, results: Any, *arguments: Any) -> Any:
        # Once where nothing was attempted yet, and once where there is something to write down.
        if failures and (len(failures) == 2 or results):
            raise failures.pop()
        return work(self, results, *arguments)

    monkeypatch.setattr(Deliveries, "work", failing)
    with telling(ledger, QUICK):
        assert within(SECONDS, delivered(ledger, webhook, 1))
    assert failures == []
    assert set(receiver.ids("/ok/failing-store")) == {sent.notice}


def test_the_log_is_pruned_now_and_then(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    pruned: list[int] = []
    monkeypatch.setattr(dispatcher, "PRUNE_SECONDS", 0.0)
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.02)

    def prune(_: Deliveries) -> int:
        pruned.append(1)
        return 0

    monkeypatch.setattr(Deliveries, "prune", prune)
    with telling(ledger):
        assert within(SECONDS, lambda: len(pruned) > 2)


def test_two_processes_share_the_queue(ledger: Ledger, database: str, receiver: Receiver) -> None:
    """Each delivery is one's alone; SQLite has one server process, but a second would do no harm either."""
    webhook = endpoint(ledger, receiver, "ok/shared")
    for _ in range(60):
        ledger.webhooks.test(webhook)
    with Ledger(database, settings=ledger.settings) as other, telling(ledger), telling(other):
        assert within(SECONDS, delivered(ledger, webhook, 60))
    assert len(receiver.ids("/ok/shared")) == len(set(receiver.ids("/ok/shared"))) == 60
