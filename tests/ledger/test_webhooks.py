"""Endpoints and their deliveries, without a network: the clock and what is answered are the test's."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from tallystick.errors import Conflict, InvalidInput, NotFound, StoreError
from tallystick.ledger import Ledger
from tallystick.ledger.deliveries import Result, Room, Task
from tallystick.ledger.sealing import new_key
from tallystick.ledger.webhooks import MOST_ENDPOINTS
from tallystick.model.instants import DAY, SECOND, format_instant, to_datetime
from tallystick.model.notices import FOR_ACCOUNTS, OF_PROVIDER, Event
from tallystick.model.webhooks import Delivery, DeliveryState, Endpoint, OffReason, Policy
from tallystick.settings import Settings
from tallystick.webhooks.sending import signed
from tests.embedded import Deploy, Deployment, job

URL = "https://hooks.example/usage"
POLICY = Policy()
ROOM = Room(1000, 1000, lambda _: 1000)


def made(deployment: Deployment, account: str | None = "acme", **given: Any) -> Endpoint:
    """A new endpoint of an account, which is made where there is none of that name."""
    if account is not None and account not in [one.name for one in deployment.ledger.accounts.list().accounts]:
        deployment.ledger.accounts.create(account)
    return deployment.ledger.webhooks.create(URL, account=account, **given).endpoint


def hundred_jobs(deployment: Deployment, account: str = "acme") -> None:
    """Passes two thresholds and says so."""
    deployment.ledger.record([job(number, account=account) for number in range(100)])
    deployment.ledger.notices.look()


def tasks(deployment: Deployment, room: Room = ROOM) -> list[Task]:
    return deployment.ledger.deliveries.work([], room, POLICY)


def answer(deployment: Deployment, given: Sequence[Task], status: int | None = 500) -> None:
    """Lets attempts end now."""
    error = None if status else "no answer"
    results = [Result(task, deployment.now, 7, status, error) for task in given]
    deployment.ledger.deliveries.work(results, Room(0, 0, lambda _: 0), POLICY)


def log(deployment: Deployment, endpoint: Endpoint, task: Task) -> list[tuple[int, int | None]]:
    """The numbers and statuses of a delivery's attempts."""
    attempts = deployment.ledger.webhooks.delivery(endpoint.id, task.delivery.notice_id).attempts
    return [(attempt.number, attempt.status) for attempt in attempts]


def states(deployment: Deployment, endpoint: Endpoint) -> list[DeliveryState]:
    return [one.state for one in deployment.ledger.webhooks.deliveries(endpoint.id).deliveries]


# Endpoints


def test_an_endpoint_is_made_with_a_secret_of_the_specifications_form(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("acme")
    new = deployment.ledger.webhooks.create(URL, account="acme", events=["tier.reached"], description="books")
    assert new.secret.startswith("whsec_")
    assert len(base64.b64decode(new.secret.removeprefix("whsec_"))) == 32
    assert new.secret not in repr(new)
    assert deployment.ledger.webhooks.get(new.endpoint.id) == new.endpoint
    assert new.endpoint.to_dict() == {
        "id": new.endpoint.id,
        "account": "acme",
        "url": URL,
        "events": ["tier.reached"],
        "description": "books",
        "created_at": "2025-06-15T12:00:00Z",
        "failing_since": None,
        "off_since": None,
        "off_reason": None,
        "old_secret_until": None,
    }


def test_secrets_are_sealed_in_the_database_with_the_key_of_the_file(deploy: Deploy, tmp_path: Any) -> None:
    (tmp_path / "key").write_text(new_key())
    (tmp_path / "key").chmod(0o600)
    deployment = deploy(webhook_key_file=str(tmp_path / "key"))
    first = deployment.ledger.webhooks.create(URL)
    second = deployment.ledger.webhooks.rotate(first.endpoint.id)
    for secret in (first.secret, second.secret):
        assert secret.removeprefix("whsec_").encode() not in deployment.everything()


def test_no_secret_is_in_the_audit_log_which_tells_who_did_what(deployment: Deployment) -> None:
    endpoint = made(deployment)
    deployment.ledger.webhooks.change(endpoint.id, on=False)
    secrets = [deployment.ledger.webhooks.rotate(endpoint.id).secret]
    deployment.ledger.webhooks.remove(endpoint.id)
    events = deployment.ledger.audit.list().events
    assert [event.action for event in events[:4]] == [
        *("webhook.remove", "webhook.rotate", "webhook.change", "webhook.create")
    ]
    assert not any(secret in str(events) for secret in secrets)


def test_an_accounts_endpoints_are_not_there_for_another(deployment: Deployment) -> None:
    endpoint, _ = made(deployment), made(deployment, "other")
    webhooks = deployment.ledger.webhooks
    assert webhooks.list("acme") == (endpoint,)
    assert len(webhooks.list()) == 2
    for call in (
        lambda: webhooks.get(endpoint.id, account="other"),
        lambda: webhooks.change(endpoint.id, account="other", on=False),
        lambda: webhooks.remove(endpoint.id, account="other"),
        lambda: webhooks.rotate(endpoint.id, account="other"),
        lambda: webhooks.test(endpoint.id, account="other"),
        lambda: webhooks.deliveries(endpoint.id, account="other"),
        lambda: webhooks.replay_missed(endpoint.id, account="other", since="2025-01-01T00:00:00Z"),
    ):
        with pytest.raises(NotFound) as caught:
            call()
        assert caught.value.code == "unknown_webhook"


def test_an_account_has_a_bounded_number_of_endpoints(deployment: Deployment) -> None:
    for _ in range(MOST_ENDPOINTS):
        made(deployment)
    with pytest.raises(Conflict) as caught:
        made(deployment)
    assert caught.value.code == "too_many_webhooks"
    made(deployment, "other")


@pytest.mark.parametrize(
    ("given", "parameter"),
    [
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"events": ["no.such"]}, "events"),
        ({"description": "a\tb"}, "description"),
    ],
)
def test_a_wrong_change_is_refused_and_changes_nothing(
    deployment: Deployment, given: dict[str, Any], parameter: str
) -> None:
    endpoint = made(deployment)
    with pytest.raises(InvalidInput) as caught:
        deployment.ledger.webhooks.change(endpoint.id, **given)
    assert caught.value.errors[0].parameter == parameter
    assert deployment.ledger.webhooks.get(endpoint.id) == endpoint


def test_what_is_given_of_an_endpoint_changes_and_the_rest_stays(deployment: Deployment) -> None:
    endpoint = made(deployment, events=["tier.reached"], description="books")
    change = deployment.ledger.webhooks.change
    assert change(endpoint.id, description="").description == ""
    assert change(endpoint.id, url=f"{URL}/2").url == f"{URL}/2"
    assert change(endpoint.id, events=[]).events is None
    assert change(endpoint.id, events=["free_jobs.low"]).events == ("free_jobs.low",)
    assert change(endpoint.id).url == f"{URL}/2"


# Who hears of what


def test_an_account_hears_of_itself_and_the_provider_of_everything(deployment: Deployment) -> None:
    own, other, provider = made(deployment), made(deployment, "other"), made(deployment, None)
    hundred_jobs(deployment)
    by_endpoint = {
        endpoint.id: sorted(one.event for one in deployment.ledger.webhooks.deliveries(endpoint.id).deliveries)
        for endpoint in (own, other, provider)
    }
    assert by_endpoint == {
        own.id: ["free_jobs.exhausted", "free_jobs.low"],
        other.id: [],
        provider.id: ["account.created", "free_jobs.exhausted", "free_jobs.low"],
    }
    assert {one.account for one in deployment.ledger.webhooks.deliveries(provider.id).deliveries} == {"acme", None}


def test_an_endpoint_hears_only_of_the_events_that_it_asks_for(deployment: Deployment) -> None:
    own = made(deployment, events=["free_jobs.low"])
    provider = made(deployment, None, events=["account.created"])
    hundred_jobs(deployment)
    for endpoint, heard in ((own, "free_jobs.low"), (provider, "account.created")):
        assert [one.event for one in deployment.ledger.webhooks.deliveries(endpoint.id).deliveries] == [heard]


def test_an_account_cannot_ask_for_what_the_provider_alone_hears_of(deployment: Deployment) -> None:
    own, provider = made(deployment), made(deployment, None)
    webhooks = deployment.ledger.webhooks
    for event in OF_PROVIDER:
        # An admin too may not give it to an account's endpoint.
        for refused in (
            lambda named: webhooks.create(URL, account="acme", events=named),
            lambda named: webhooks.change(own.id, account="acme", events=named),
            lambda named: webhooks.change(own.id, events=named),
        ):
            with pytest.raises(InvalidInput) as caught:
                refused(["tier.reached", event])
            (reason,) = caught.value.errors
            assert reason.parameter == "events"
            assert reason.detail == (
                "must be of: free_jobs.low, free_jobs.exhausted, tier.reached, budget.threshold, month.closed, "
                "job.late, webhook.off, webhook.test; without any it hears of all; "
                f"of {event} the provider alone hears"
            )
        assert webhooks.change(provider.id, events=[event]).events == (event,)
    assert webhooks.list("acme") == (own,)
    assert webhooks.change(own.id, events=list(FOR_ACCOUNTS)).events == FOR_ACCOUNTS


def test_an_endpoint_that_is_off_is_sent_nothing(deployment: Deployment) -> None:
    endpoint = made(deployment)
    deployment.ledger.webhooks.change(endpoint.id, on=False)
    hundred_jobs(deployment)
    assert states(deployment, endpoint) == []


# Attempts


def test_a_delivery_is_tried_by_the_schedule_until_it_has_failed(deployment: Deployment) -> None:
    """The whole schedule, without waiting: after each wait it is due, a second before it is not."""
    endpoint = made(deployment, events=["free_jobs.low"])
    hundred_jobs(deployment)
    ids = set()
    for number, wait in enumerate([0, *POLICY.retries]):
        deployment.now += max(0, wait - SECOND)
        assert wait == 0 or tasks(deployment) == [], number
        deployment.now += SECOND + wait // 10
        (task,) = tasks(deployment)
        ids.add(task.delivery.notice_id)
        assert task.delivery.attempts == number
        answer(deployment, [task])
    assert states(deployment, endpoint) == [DeliveryState.FAILED]
    deployment.now += DAY
    assert tasks(deployment) == []
    assert len(ids) == 1
    log = deployment.ledger.webhooks.delivery(endpoint.id, ids.pop())
    assert [attempt.number for attempt in log.attempts] == list(range(1, 11))
    assert {(attempt.status, attempt.milliseconds, attempt.url) for attempt in log.attempts} == {(500, 7, URL)}


def test_a_success_ends_it(deployment: Deployment) -> None:
    endpoint = made(deployment, events=["free_jobs.low"])
    hundred_jobs(deployment)
    (waiting,) = deployment.ledger.webhooks.deliveries(endpoint.id).deliveries
    assert (waiting.attempts, waiting.last_status, waiting.last_milliseconds) == (0, None, None)
    answer(deployment, tasks(deployment), None)
    (tried,) = deployment.ledger.webhooks.deliveries(endpoint.id).deliveries
    assert (tried.attempts, tried.last_status, tried.last_milliseconds) == (1, None, 7)
    deployment.now += 6 * SECOND
    answer(deployment, tasks(deployment), 204)
    assert states(deployment, endpoint) == [DeliveryState.DELIVERED]
    deployment.now += DAY
    assert tasks(deployment) == []
    (one,) = deployment.ledger.webhooks.deliveries(endpoint.id).deliveries
    log = deployment.ledger.webhooks.delivery(endpoint.id, one.notice)
    assert (one.attempts, one.last_status, one.last_milliseconds) == (2, 204, 7)
    assert log.delivery == one
    assert [(attempt.status, attempt.error) for attempt in log.attempts] == [(None, "no answer"), (204, None)]
    assert log.headers["webhook-id"] == one.notice
    assert '"type":"free_jobs.low"' in log.body


def test_what_a_process_has_taken_is_nobody_elses_until_its_lease_has_run_out(deployment: Deployment) -> None:
    made(deployment)
    hundred_jobs(deployment)
    taken = tasks(deployment)
    assert len(taken) == 2
    with Ledger(deployment.database, clock=lambda: deployment.now) as other:
        assert other.deliveries.work([], ROOM, POLICY) == []
        deployment.now += POLICY.lease
        again = other.deliveries.work([], ROOM, POLICY)
        assert {task.delivery.place for task in again} == {task.delivery.place for task in taken}


def test_of_two_processes_that_have_attempted_the_same_both_are_written_down_and_a_success_counts(
    deployment: Deployment,
) -> None:
    endpoint = made(deployment, events=["free_jobs.low"])
    hundred_jobs(deployment)
    first = tasks(deployment)
    deployment.now += POLICY.lease
    second = tasks(deployment)
    answer(deployment, second)
    answer(deployment, first, 200)
    # What the second made of it stays: it is sent again, which does no harm.
    assert states(deployment, endpoint) == [DeliveryState.WAITING]
    assert log(deployment, endpoint, first[0]) == [(1, 500), (2, 200)]
    deployment.now += 6 * SECOND
    answer(deployment, tasks(deployment), 200)
    assert states(deployment, endpoint) == [DeliveryState.DELIVERED]


def test_what_was_broken_off_is_due_again_at_once(deployment: Deployment) -> None:
    made(deployment)
    hundred_jobs(deployment)
    taken = tasks(deployment)
    deployment.ledger.deliveries.release(taken)
    assert len(tasks(deployment)) == 2


def test_no_more_is_taken_than_there_is_room_for(deployment: Deployment) -> None:
    endpoints = [made(deployment) for _ in range(3)]
    hundred_jobs(deployment)
    assert tasks(deployment, Room(0, 5, lambda _: 5)) == []
    assert tasks(deployment, Room(5, 5, lambda _: 0)) == []
    assert len(tasks(deployment, Room(5, 5, lambda each: int(each == endpoints[0].id)))) == 1
    assert len(tasks(deployment, Room(4, 4, lambda _: 8))) == 4
    assert len(tasks(deployment, Room(5, 5, lambda _: 8))) == 1


def test_what_fails_leaves_room_for_what_does_not(deployment: Deployment) -> None:
    failing = [made(deployment) for _ in range(3)]
    hundred_jobs(deployment)
    answer(deployment, tasks(deployment))
    healthy = made(deployment)
    deployment.ledger.webhooks.replay_missed(healthy.id, since="2025-06-01T00:00:00Z")
    deployment.now += 6 * SECOND
    taken = [task.delivery.endpoint_id for task in tasks(deployment, Room(4, 1, lambda _: 8))]
    assert taken.count(healthy.id) == 2
    assert sum(taken.count(each.id) for each in failing) == 1


def test_a_result_of_an_endpoint_that_was_removed_meanwhile_is_passed_over(deployment: Deployment) -> None:
    gone, kept = made(deployment), made(deployment)
    hundred_jobs(deployment)
    taken = tasks(deployment)
    deployment.ledger.webhooks.remove(gone.id)
    answer(deployment, taken, 200)
    assert states(deployment, kept) == [DeliveryState.DELIVERED] * 2
    assert deployment.count("webhook_delivery") == deployment.count("webhook_attempt") == 2


# Endpoints that end


def test_410_switches_an_endpoint_off_at_once_and_says_so(deployment: Deployment) -> None:
    gone, other, provider = made(deployment), made(deployment), made(deployment, None, events=["webhook.off"])
    hundred_jobs(deployment)
    taken = tasks(deployment)
    answer(deployment, [task for task in taken if task.delivery.endpoint_id == gone.id][:1], 410)
    now = deployment.ledger.webhooks.get(gone.id)
    assert (now.off_reason, now.off_since) == (OffReason.GONE, "2025-06-15T12:00:00Z")
    assert set(states(deployment, gone)) == {DeliveryState.DROPPED}
    (notice,) = [n for n in deployment.ledger.notices.list("acme").notices if n.event is Event.WEBHOOK_OFF]
    assert notice.data == {"account": "acme", "webhook": gone.id, "url": URL, "reason": "gone"}
    # The account's other endpoints and the provider hear of it.
    for endpoint in (other, provider):
        assert "webhook.off" in [one.event for one in deployment.ledger.webhooks.deliveries(endpoint.id).deliveries]
    assert gone.id not in {task.delivery.endpoint_id for task in tasks(deployment)}


def test_five_days_of_failure_switch_an_endpoint_off_and_say_so(deployment: Deployment) -> None:
    endpoint = made(deployment, events=["webhook.test"])
    for seconds in (0, 4 * 86400, 86400 - 1):
        deployment.now += seconds * SECOND
        deployment.ledger.webhooks.test(endpoint.id)
        answer(deployment, tasks(deployment), None)
        failing = deployment.ledger.webhooks.get(endpoint.id)
        assert (failing.off_since, failing.failing_since) == (None, "2025-06-15T12:00:00Z")
    deployment.now += SECOND
    deployment.ledger.webhooks.test(endpoint.id)
    answer(deployment, tasks(deployment), 503)
    off = deployment.ledger.webhooks.get(endpoint.id)
    assert (off.off_reason, off.off_since) == (OffReason.FAILING, "2025-06-20T12:00:00Z")
    assert [n.event for n in deployment.ledger.notices.list("acme").notices] == [Event.WEBHOOK_OFF]


def test_a_success_in_between_begins_the_days_of_failure_anew(deployment: Deployment) -> None:
    endpoint = made(deployment)
    for days, status in ((0, 500), (3, 200), (1, 500), (4, 500)):
        deployment.now += days * DAY
        deployment.ledger.webhooks.test(endpoint.id)
        answer(deployment, tasks(deployment), status)
    assert deployment.ledger.webhooks.get(endpoint.id).failing_since == "2025-06-19T12:00:00Z"
    assert deployment.ledger.webhooks.get(endpoint.id).off_since is None


def test_each_time_that_an_endpoint_is_switched_off_is_said(deployment: Deployment) -> None:
    endpoint = made(deployment)
    for _ in range(2):
        deployment.now += DAY
        deployment.ledger.webhooks.change(endpoint.id, on=True)
        deployment.ledger.webhooks.test(endpoint.id)
        answer(deployment, tasks(deployment), 410)
    assert [n.event for n in deployment.ledger.notices.list("acme").notices] == [Event.WEBHOOK_OFF] * 2


def test_an_endpoint_that_is_off_can_be_switched_on_and_is_sent_what_it_missed(deployment: Deployment) -> None:
    endpoint = made(deployment)
    deployment.ledger.record([job(number) for number in range(90)])
    deployment.ledger.notices.look()
    deployment.ledger.webhooks.change(endpoint.id, on=False)  # drops the first notice
    hundred_jobs(deployment)  # the second is not even made
    with pytest.raises(Conflict) as caught:
        deployment.ledger.webhooks.replay_missed(endpoint.id, since="2025-06-15T00:00:00Z")
    assert caught.value.code == "webhook_off"
    deployment.ledger.webhooks.change(endpoint.id, on=True)
    assert tasks(deployment) == []
    assert deployment.ledger.webhooks.replay_missed(endpoint.id, since="2025-06-15T12:00:01Z").replayed == 0
    assert deployment.ledger.webhooks.replay_missed(endpoint.id, since="2025-06-15T12:00:00Z").replayed == 2
    assert sorted(task.delivery.event for task in tasks(deployment)) == ["free_jobs.exhausted", "free_jobs.low"]
    assert deployment.ledger.webhooks.replay_missed(endpoint.id, since="2025-06-15T12:00:00Z").replayed == 0


# Replay and test


def test_a_replay_sends_under_the_same_id_with_all_its_retries(deployment: Deployment) -> None:
    endpoint = made(deployment, events=["free_jobs.low"])
    hundred_jobs(deployment)
    (task,) = tasks(deployment)
    answer(deployment, [task], 200)
    replayed = deployment.ledger.webhooks.replay(endpoint.id, task.delivery.notice_id)
    assert (replayed.state, replayed.attempts) == (DeliveryState.WAITING, 1)
    for wait in (0, *POLICY.retries):
        deployment.now += wait + wait // 10
        (again,) = tasks(deployment)
        assert again.delivery.notice_id == task.delivery.notice_id
        answer(deployment, [again])
    assert states(deployment, endpoint) == [DeliveryState.FAILED]
    assert len(deployment.ledger.webhooks.delivery(endpoint.id, task.delivery.notice_id).attempts) == 11


@pytest.mark.parametrize("status", [200, 500])
def test_a_replay_during_an_attempt_is_an_attempt_more(deployment: Deployment, status: int) -> None:
    endpoint = made(deployment, events=["free_jobs.low"])
    hundred_jobs(deployment)
    (task,) = tasks(deployment)
    deployment.now += 1
    deployment.ledger.webhooks.replay(endpoint.id, task.delivery.notice_id)
    answer(deployment, [task], status)
    assert states(deployment, endpoint) == [DeliveryState.WAITING]
    (again,) = tasks(deployment)
    assert again.delivery.place == task.delivery.place
    answer(deployment, [again], 200)
    assert states(deployment, endpoint) == [DeliveryState.DELIVERED]
    assert len(deployment.ledger.webhooks.delivery(endpoint.id, task.delivery.notice_id).attempts) == 2


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([(1, 500), (2, 200)], DeliveryState.DELIVERED),
        ([(2, 200), (1, 500)], DeliveryState.DELIVERED),
        ([(1, 200), (2, 500)], DeliveryState.WAITING),
        ([(2, 500), (1, 200)], DeliveryState.WAITING),
    ],
)
def test_of_an_attempt_and_a_replay_under_way_at_once_the_replay_decides_and_the_log_has_both(
    deployment: Deployment, ends: list[tuple[int, int]], expected: DeliveryState
) -> None:
    endpoint = made(deployment, events=["free_jobs.low"])
    hundred_jobs(deployment)
    (first,) = tasks(deployment)
    deployment.now += 1
    deployment.ledger.webhooks.replay(endpoint.id, first.delivery.notice_id)
    (second,) = tasks(deployment)
    for which, status in ends:
        deployment.now += 1
        answer(deployment, [first if which == 1 else second], status)
    assert states(deployment, endpoint) == [expected]
    assert log(deployment, endpoint, first) == [(1, ends[0][1]), (2, ends[1][1])]


def test_attempts_that_end_together_are_all_in_the_log(deployment: Deployment) -> None:
    endpoint = made(deployment, events=["free_jobs.low"])
    hundred_jobs(deployment)
    (first,) = tasks(deployment)
    deployment.ledger.webhooks.replay(endpoint.id, first.delivery.notice_id)
    (second,) = tasks(deployment)
    answer(deployment, [second, first], 200)
    assert states(deployment, endpoint) == [DeliveryState.DELIVERED]
    assert log(deployment, endpoint, first) == [(1, 200), (2, 200)]


@pytest.mark.parametrize("on", [None, True])
def test_410_from_an_address_that_was_changed_meanwhile_says_nothing_of_the_new_one(
    deployment: Deployment, on: bool | None
) -> None:
    endpoint = made(deployment, events=["free_jobs.low"])
    hundred_jobs(deployment)
    taken = tasks(deployment)
    deployment.ledger.webhooks.change(endpoint.id, url="https://moved.example/hook", on=on)
    answer(deployment, taken, 410)
    changed = deployment.ledger.webhooks.get(endpoint.id)
    assert (changed.off_since, changed.failing_since) == (None, None)
    assert states(deployment, endpoint) == [DeliveryState.WAITING]
    deployment.now += 6 * SECOND
    (again,) = tasks(deployment)
    assert again.url == "https://moved.example/hook"


def test_what_was_missed_is_known_as_far_back_as_the_log_goes(deploy: Deploy) -> None:
    deployment = deploy(webhook_log_days=10)
    endpoint = made(deployment)
    hundred_jobs(deployment)
    answer(deployment, tasks(deployment), 200)
    said = format_instant(deployment.now)
    deployment.now += 10 * DAY
    assert deployment.ledger.webhooks.replay_missed(endpoint.id, since=said).replayed == 0
    deployment.now += SECOND
    assert deployment.ledger.deliveries.prune() == 2
    with pytest.raises(InvalidInput, match="where the log of deliveries begins") as caught:
        deployment.ledger.webhooks.replay_missed(endpoint.id, since=said)
    assert caught.value.errors[0].parameter == "since"
    begins = format_instant(deployment.now - 10 * DAY)
    assert deployment.ledger.webhooks.replay_missed(endpoint.id, since=begins).replayed == 0
    assert tasks(deployment) == []


def test_a_test_event_goes_to_its_endpoint_alone_whatever_that_hears_of(deployment: Deployment) -> None:
    endpoint, other = made(deployment, events=["tier.reached"]), made(deployment)
    sent = deployment.ledger.webhooks.test(endpoint.id)
    (task,) = tasks(deployment)
    assert task.delivery.place[1:] == (endpoint.id, sent.notice)
    assert '"type":"webhook.test"' in task.body
    assert states(deployment, other) == []
    assert deployment.ledger.notices.list("acme").notices == ()
    assert deployment.ledger.webhooks.replay_missed(other.id, since=datetime(2025, 6, 1, tzinfo=UTC)).replayed == 0
    deployment.ledger.webhooks.change(endpoint.id, on=False)
    with pytest.raises(Conflict):
        deployment.ledger.webhooks.test(endpoint.id)


def test_an_unknown_delivery_state_or_time_is_refused(deployment: Deployment) -> None:
    endpoint = made(deployment)
    for call in (
        lambda: deployment.ledger.webhooks.delivery(endpoint.id, "ntc_none"),
        lambda: deployment.ledger.webhooks.replay(endpoint.id, "ntc_none"),
    ):
        with pytest.raises(NotFound) as caught:
            call()
        assert caught.value.code == "unknown_delivery"
    with pytest.raises(InvalidInput, match="state"):
        deployment.ledger.webhooks.deliveries(endpoint.id, state="lost")
    with pytest.raises(InvalidInput, match="since"):
        deployment.ledger.webhooks.replay_missed(endpoint.id, since="yesterday")


def test_deliveries_come_newest_first_page_by_page_and_by_state(deployment: Deployment) -> None:
    endpoint = made(deployment)
    for _ in range(5):
        deployment.ledger.webhooks.test(endpoint.id)
        deployment.now += SECOND
    answer(deployment, tasks(deployment, Room(2, 2, lambda _: 2)), 200)
    whole = deployment.ledger.webhooks.deliveries(endpoint.id).deliveries
    assert [one.created_at for one in whole] == sorted((one.created_at for one in whole), reverse=True)
    found: list[Delivery] = []
    cursor = None
    while not found or cursor:
        page = deployment.ledger.webhooks.deliveries(endpoint.id, limit=2, cursor=cursor)
        found += page.deliveries
        cursor = page.next_cursor
    assert tuple(found) == whole
    assert deployment.ledger.webhooks.deliveries(endpoint.id, state="delivered").deliveries == whole[3:]


def test_what_is_older_than_the_log_is_kept_is_removed_unless_it_waits(deploy: Deploy) -> None:
    deployment = deploy(webhook_log_days=10)
    endpoint = made(deployment)
    for status in (200, None):
        deployment.ledger.webhooks.test(endpoint.id)
        answer(deployment, tasks(deployment), status)
    deployment.now += 10 * DAY
    assert deployment.ledger.deliveries.prune() == 0
    deployment.now += 1
    assert deployment.ledger.deliveries.prune() == 1
    assert states(deployment, endpoint) == [DeliveryState.WAITING]
    assert deployment.count("webhook_attempt") == 1


# Secrets


def verifies(task: Task, secret: str, at: int) -> bool:
    headers = {"webhook-id": task.delivery.notice_id, **signed(task, at)}
    signature = Webhook(secret).sign(headers["webhook-id"], to_datetime(at), task.body)
    return signature in headers["webhook-signature"].split(" ")


def test_both_secrets_sign_during_the_overlap_and_the_new_one_alone_after_it(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("acme")
    first = deployment.ledger.webhooks.create(URL, account="acme")
    second = deployment.ledger.webhooks.rotate(first.endpoint.id, overlap_seconds=60)
    assert second.secret != first.secret
    assert second.endpoint.old_secret_until == "2025-06-15T12:01:00Z"
    for seconds, both in ((0, True), (59, True), (1, False)):
        deployment.now += seconds * SECOND
        deployment.ledger.webhooks.test(first.endpoint.id)
        (task,) = tasks(deployment)
        assert verifies(task, second.secret, deployment.now)
        assert verifies(task, first.secret, deployment.now) is both
        assert len(signed(task, deployment.now)["webhook-signature"].split(" ")) == 1 + both
        answer(deployment, [task], 200)
    assert deployment.ledger.webhooks.get(first.endpoint.id).old_secret_until is None


def test_without_an_overlap_the_old_secret_signs_no_more(deployment: Deployment) -> None:
    first = deployment.ledger.webhooks.create(URL)
    second = deployment.ledger.webhooks.rotate(first.endpoint.id, overlap_seconds=0)
    deployment.ledger.webhooks.test(first.endpoint.id)
    (task,) = tasks(deployment)
    assert task.secrets == (second.secret,)
    for overlap in (-1, 10**9):
        with pytest.raises(InvalidInput, match="overlap_seconds"):
            deployment.ledger.webhooks.rotate(first.endpoint.id, overlap_seconds=overlap)


@pytest.fixture
def sealed(database: str, tmp_path: Any) -> Iterator[str]:
    """The id of an endpoint whose secret is sealed with a key that is lost."""
    (tmp_path / "key").write_text(new_key())
    (tmp_path / "key").chmod(0o600)
    with Ledger(database, settings=Settings(webhook_key_file=str(tmp_path / "key"))) as ledger:
        yield ledger.webhooks.create(URL).endpoint.id


def test_an_endpoint_whose_secret_cannot_be_opened_is_sent_nothing_and_holds_up_nobody(
    sealed: str, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    good = made(deployment)
    for endpoint in (sealed, good.id):
        deployment.ledger.webhooks.test(endpoint)
    (task,) = tasks(deployment)
    assert task.delivery.endpoint_id == good.id
    tasks(deployment)
    assert caplog.text.count(f"{sealed} is sent nothing: a secret is sealed") == 1
    # A new secret makes it whole.
    deployment.ledger.webhooks.rotate(sealed, overlap_seconds=0)
    assert [task.delivery.endpoint_id for task in tasks(deployment)] == [sealed]


def test_due_in_says_when_there_is_something_to_do(deployment: Deployment) -> None:
    assert deployment.ledger.deliveries.due_in() is None
    endpoint = made(deployment)
    deployment.ledger.webhooks.test(endpoint.id)
    assert deployment.ledger.deliveries.due_in() == 0
    tasks(deployment)
    assert deployment.ledger.deliveries.due_in() == POLICY.lease


def test_a_store_that_fails_writes_nothing_down(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = made(deployment)
    deployment.ledger.webhooks.test(endpoint.id)
    taken = tasks(deployment)

    def fail(*_: object, **__: object) -> None:
        raise StoreError("it is gone")

    with monkeypatch.context() as patched:
        patched.setattr("tallystick.store.webhooks.put_endpoint", fail)
        with pytest.raises(StoreError):
            answer(deployment, taken)
    assert deployment.count("webhook_attempt") == 0
    answer(deployment, taken, 200)
    assert states(deployment, endpoint) == [DeliveryState.DELIVERED]
