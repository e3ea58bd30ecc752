"""A failure in the middle of storing leaves nothing half done and nothing remembered that is not stored."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tallystick.errors import StoreError, StoreUnavailable
from tallystick.ingest.intake import Directory, KeyRef
from tallystick.model.accounts import KeyKind
from tallystick.model.jobs import IngestResult
from tallystick.store import jobs
from tests.embedded import Deploy, Deployment, codes, job

STEPS = (
    "tallystick.store.meters.all_meters",
    "tallystick.store.accounts.account_ids",
    "tallystick.store.accounts.add_account",
    "tallystick.store.states.lock",
    "tallystick.store.accounts.keys_named",
    "tallystick.store.accounts.add_key",
    "tallystick.store.jobs.append",
    "tallystick.store.sums.write",
    "tallystick.store.boundaries.discard",
    "tallystick.store.states.advance",
    "tallystick.store.quarantine.add",
)
"""Every function of the store that storing a batch calls, in that order."""

BATCH = [job(1), job(2, account="other"), job(3, api_key="second"), job(4, completed_at="never"), job(5, sandbox=True)]

TALLY = (3, 0, [(3, "job_000004", "invalid"), (4, "job_000005", "key_kind")])


class PowerIsGoneError(Exception):
    """What the tests let happen."""


def tally(result: IngestResult) -> tuple[int, int, list[tuple[int, str | None, str]]]:
    return result.accepted, result.duplicates, codes(result)


def failing(function: Callable[..., Any], *, after: bool, error: Exception) -> Callable[..., Any]:
    def fail(*arguments: Any, **named: Any) -> Any:
        if after:
            function(*arguments, **named)
        raise error

    return fail


def patch(monkeypatch: pytest.MonkeyPatch, step: str, *, after: bool, error: Exception) -> None:
    module, _, name = step.rpartition(".")
    function = getattr(importlib.import_module(module), name)
    monkeypatch.setattr(step, failing(function, after=after, error=error))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_failure_at_any_step_leaves_nothing_and_the_same_batch_is_taken_later(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    before = deployment.contents()
    with monkeypatch.context() as patched:
        patch(patched, step, after=after, error=PowerIsGoneError("in the middle"))
        with pytest.raises(PowerIsGoneError, match="in the middle"):
            deployment.ledger.record(BATCH)
    assert deployment.contents() == before
    assert tally(deployment.ledger.record(BATCH)) == TALLY
    assert deployment.ledger.usage("acme").totals.jobs == 2
    assert deployment.ledger.usage("other").totals.jobs == 1
    assert deployment.rows("SELECT live_jobs, version FROM account_state ORDER BY account_id") == [(2, 1), (1, 1)]


@pytest.mark.parametrize("step", STEPS[3:])
def test_after_a_failure_known_accounts_and_keys_are_still_known_and_new_ones_are_not(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """What a transaction registered is remembered only once it is durable."""
    deployment.ledger.record([job(1)])
    after_first = deployment.contents()
    batch = [job(2), job(3, api_key="new"), job(4, account="new"), job("")]
    with monkeypatch.context() as patched:
        patch(patched, step, after=False, error=StoreUnavailable("the disk is full"))
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            deployment.ledger.record(batch)
    assert deployment.contents() == after_first
    # Would the numbers of the lost account and key be remembered, these would be booked on nobody.
    assert tally(deployment.ledger.record(batch)) == (3, 0, [(3, None, "invalid")])
    assert deployment.count("job") == 4
    orphans = (
        "SELECT COUNT(*) FROM job LEFT JOIN api_key ON api_key.account_id = job.account_id AND api_key.id = key_id"
    )
    assert deployment.value(f"{orphans} WHERE api_key.id IS NULL") == 0


def test_a_commit_that_fails_is_told_and_nothing_of_it_is_remembered(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PowerIsGoneError("while committing")

    before = deployment.contents()
    with monkeypatch.context() as patched:
        patched.setattr("sqlalchemy.engine.default.DefaultDialect.do_commit", fail)
        with pytest.raises(PowerIsGoneError):
            deployment.ledger.record([job()])
    assert deployment.contents() == before
    assert deployment.ledger.record([job()]).accepted == 1
    assert deployment.ledger.usage("acme").totals.jobs == 1


def test_a_statement_that_the_database_refuses_is_a_store_error(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("tallystick.store.meters.column", lambda meter: f"tokens_of_{meter}")
        with pytest.raises(StoreError):
            deployment.ledger.record([job()])
    assert deployment.count("account") == 0
    assert deployment.ledger.record([job()]).accepted == 1


# Many at once


def in_threads(work: Callable[[int], Any], threads: int = 10) -> list[Any]:
    """What each of several threads gives; they begin together."""
    start = threading.Barrier(threads)

    def begin(number: int) -> Any:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(begin, range(threads)))


def sums(deployment: Deployment, account: str = "acme") -> tuple[int, int, int]:
    totals = deployment.ledger.usage(account, "2025-01", "2025-06").totals
    return totals.jobs, totals.transcription_tokens, totals.note_tokens


def check_rollups(deployment: Deployment) -> None:
    """Days, months and states hold what the jobs do."""
    live = deployment.rows(
        "SELECT account_id, key_id, COUNT(*), SUM(tokens_transcription), SUM(tokens_note_generation) FROM job"
        " WHERE state = 0 GROUP BY account_id, key_id ORDER BY 1, 2"
    )
    for table in ("usage_day", "usage_month"):
        rolled = deployment.rows(
            f"SELECT account_id, key_id, SUM(jobs), SUM(tokens_transcription), SUM(tokens_note_generation) FROM {table}"
            " GROUP BY account_id, key_id ORDER BY 1, 2"
        )
        assert [tuple(map(int, row)) for row in rolled] == [tuple(map(int, row)) for row in live]
    counted = dict(deployment.rows("SELECT account_id, COUNT(*) FROM job WHERE state = 0 GROUP BY account_id"))
    states = dict(deployment.rows("SELECT account_id, live_jobs FROM account_state WHERE live_jobs > 0"))
    assert states == counted


def test_ten_threads_that_send_the_same_batch_store_each_job_once(deployment: Deployment) -> None:
    batch = [job(number, completed_at=f"2025-0{1 + number % 6}-01T00:00:00Z") for number in range(60)]
    results = in_threads(lambda _: deployment.ledger.record(batch))
    assert sum(result.accepted for result in results) == 60
    assert sum(result.duplicates for result in results) == 540
    assert all(result.rejected == () for result in results)
    assert sums(deployment) == (60, 300, 600)
    assert (deployment.count("account"), deployment.count("api_key")) == (1, 1)
    check_rollups(deployment)


def test_threads_that_name_the_same_new_accounts_and_keys_agree_on_them(deployment: Deployment) -> None:
    def send(thread: int) -> int:
        jobs = [
            job(f"{thread}-{number}", account=f"account {(thread + number) % 7}", api_key=f"key {number % 5}")
            for number in range(35)
        ]
        return deployment.ledger.record(jobs).accepted

    assert sum(in_threads(send)) == 350
    assert (deployment.count("account"), deployment.count("api_key")) == (7, 35)
    check_rollups(deployment)


def test_single_jobs_of_many_threads_are_all_counted_while_others_read(deployment: Deployment) -> None:
    deployment.ledger.record([job("first")])

    def work(thread: int) -> list[int]:
        if thread % 2:
            return [deployment.ledger.usage("acme").totals.jobs for _ in range(10)]
        return [deployment.ledger.record([job(f"{thread}-{number}")]).accepted for number in range(10)]

    for number, seen in enumerate(in_threads(work)):
        assert seen == sorted(seen)  # who reads never sees fewer jobs than before
        assert number % 2 or seen == [1] * 10
    assert sums(deployment)[0] == 51
    check_rollups(deployment)


def test_two_ledgers_on_one_database_store_each_job_once(deploy: Deploy) -> None:
    """As two processes do: each has a memory of its own of accounts and keys."""
    ledgers = [deploy().ledger, deploy().ledger]
    batch = [job(number, account=f"account {number % 3}") for number in range(30)]
    results = in_threads(lambda thread: ledgers[thread % 2].record(batch), threads=4)
    assert sum(result.accepted for result in results) == 30
    assert sum(result.duplicates for result in results) == 90
    check_rollups(deploy())


def test_one_request_that_fails_does_not_fail_those_committed_with_it(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = jobs.append

    def append(connection: Any, rows: Any, *others: Any, **named: Any) -> Any:
        if any(row.id == "poison" for row in rows):
            raise PowerIsGoneError("this one")
        return original(connection, rows, *others, **named)

    monkeypatch.setattr(jobs, "append", append)

    def send(thread: int) -> object:
        try:
            return deployment.ledger.record([job("poison" if thread == 3 else thread)]).accepted
        except PowerIsGoneError:
            return "failed"

    outcomes = in_threads(send)
    assert outcomes == [1, 1, 1, "failed", 1, 1, 1, 1, 1, 1]
    assert sums(deployment)[0] == 9
    check_rollups(deployment)


def test_what_is_sent_after_the_end_is_refused_and_what_was_taken_is_stored(deploy: Deploy) -> None:
    first = deploy()
    first.ledger.record([job(1)])
    first.ledger.close()
    with pytest.raises(StoreUnavailable) as caught:
        first.ledger.record([job(2)])
    assert caught.value.code == "shutting_down"
    first.ledger.close()
    assert deploy().ledger.usage("acme").totals.jobs == 1


def test_a_full_queue_turns_requests_away_at_once_and_loses_none_that_it_took(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deploy(queue_jobs=5)
    commits = deployment.ledger._commits
    go_on = threading.Event()
    original = deployment.ledger._store.transaction
    held: list[int] = []

    def transaction() -> Any:
        held.append(1)
        assert go_on.wait(60)
        return original()

    monkeypatch.setattr(deployment.ledger._store, "transaction", transaction)

    def send(name: str, size: int) -> int:
        return deployment.ledger.record([job(f"{name}-{index}") for index in range(size)]).accepted

    with ThreadPoolExecutor(8) as pool:
        taken = [pool.submit(send, "held", 1)]
        wait_until(lambda: len(held) == 1)
        taken.append(pool.submit(send, "waits", 3))
        wait_until(lambda: commits.queued_jobs == 3)
        with pytest.raises(StoreUnavailable) as caught:
            send("too many", 3)
        assert caught.value.code == "overloaded"
        taken.append(pool.submit(send, "fits", 2))
        wait_until(lambda: commits.queued_jobs == 5)
        go_on.set()
        assert sum(done.result() for done in taken) == 6
    assert sums(deployment)[0] == 6


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.001)


# The memory of names


def test_the_directory_forgets_everything_when_it_grows_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.ingest.intake.MOST_REMEMBERED", 3)
    directory = Directory()
    for number in range(4):
        directory.remember({f"account {number}": number}, {(number, "key"): KeyRef.of(number, KeyKind.LIVE)})
    assert directory.accounts == {"account 2": 2, "account 3": 3}
    assert len(directory.keys) == 2


def test_forgetting_names_changes_no_result(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.ingest.intake.MOST_REMEMBERED", 0)
    batch = [job(number, account=f"account {number % 5}", api_key=f"key {number % 3}") for number in range(30)]
    results = in_threads(lambda _: deployment.ledger.record(batch), threads=4)
    assert sum(result.accepted for result in results) == 30
    assert deployment.count("account") == 5
    check_rollups(deployment)
