"""Notices: what is said, when, to whom, and that it is said once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any

import pytest

from tallystick.errors import InvalidInput, NotFound, StoreUnavailable
from tallystick.ledger import CommitReport, Ledger
from tallystick.model.instants import SECOND
from tallystick.model.months import Month
from tallystick.model.notices import Event, Notice
from tallystick.report.notices import MonthJobs, passed
from tallystick.store import notices
from tallystick.store.database import Connection, Store
from tallystick.store.notices import NoticeRow
from tests.embedded import Deploy, Deployment, job, plan


def jobs(first: int, last: int, **fields: Any) -> list[dict[str, Any]]:
    """Jobs of those numbers, both included."""
    return [job(number, **fields) for number in range(first, last + 1)]


def said(deployment: Deployment, account: str | None = "acme") -> list[tuple[str, int]]:
    """Event and number of jobs of every notice of an account, in the order in which they would be reached."""
    page = deployment.ledger.notices.list(account, limit=1000)
    return sorted(((n.event.value, threshold(n)) for n in page.notices), key=lambda entry: (entry[1], entry[0]))


def threshold(notice: Notice) -> int:
    data = notice.data
    return int(data.get("after_jobs", data.get("free_jobs", 0)))


def events(deployment: Deployment, account: str | None = "acme") -> set[str]:
    return {event for event, _ in said(deployment, account)}


def test_nothing_is_said_of_an_account_that_has_passed_nothing(deployment: Deployment) -> None:
    deployment.ledger.record(jobs(1, 89))
    assert deployment.ledger.notices.look() == 1  # of the new account, to the provider
    assert said(deployment) == []


def test_the_last_tenth_of_the_free_jobs_is_told_of(deployment: Deployment) -> None:
    deployment.ledger.record(jobs(1, 89))
    deployment.ledger.notices.look()
    deployment.ledger.record(jobs(90, 92))
    deployment.ledger.notices.look()
    (notice,) = deployment.ledger.notices.list("acme").notices
    assert notice.event is Event.FREE_JOBS_LOW
    assert notice.account == "acme"
    assert notice.said_at == "2025-06-15T12:00:00Z"
    assert notice.data == {"account": "acme", "free_jobs": 100, "free_jobs_left": 8, "jobs": 92}


def test_the_end_of_the_free_jobs_and_each_tier_are_told_of_when_their_last_job_is_there(
    deployment: Deployment,
) -> None:
    deployment.ledger.accounts.create("acme")
    for last, new in ((99, {"free_jobs.low"}), (100, {"free_jobs.exhausted"}), (999, set()), (1000, {"tier.reached"})):
        before = events(deployment)
        deployment.ledger.record(jobs(1, last))
        deployment.ledger.notices.look()
        assert events(deployment) - before == new, last
    newest = deployment.ledger.notices.list("acme").notices
    (tier,) = [notice for notice in newest if notice.event is Event.TIER_REACHED]
    assert tier.data == {"account": "acme", "tier": 2, "after_jobs": 1000, "discount": Decimal("7.0"), "jobs": 1000}


def test_the_first_tier_is_where_every_account_begins_and_no_news(deployment: Deployment) -> None:
    deployment.ledger.record(jobs(1, 1))
    deployment.ledger.notices.look()
    assert said(deployment) == []


@pytest.mark.parametrize(("free_jobs", "low"), [(100, 90), (10, 9), (9, None), (1, None), (101, 91), (119, 108)])
def test_a_tenth_of_the_free_jobs_is_cut_to_whole_jobs(free_jobs: int, low: int | None) -> None:
    found = passed("acme", plan("some", free_jobs=free_jobs), MonthJobs(Month.of(2025, 6), 0, 1000))
    expected = [] if low is None else [("free_jobs.low", str(low))]
    assert [(one.event, one.threshold) for one in found] == [*expected, ("free_jobs.exhausted", str(free_jobs))]


def test_without_free_jobs_none_run_out() -> None:
    assert list(passed("acme", plan("none"), MonthJobs(Month.of(2025, 6), 0, 1000))) == []


@pytest.mark.parametrize("counting", ["reset", "free_jobs_reset"])
def test_where_the_count_begins_anew_each_month_so_do_the_notices(deployment: Deployment, counting: str) -> None:
    tiers = [{"after_jobs": 0, "discount": "0"}, {"after_jobs": 20, "discount": "5"}]
    deployment.ledger.plans.put(plan("monthly", free_jobs=10, tiers=tiers, **{counting: "month"}))
    deployment.ledger.accounts.create("acme", plan="monthly")
    anew = {"reset": {"tier.reached"}, "free_jobs_reset": {"free_jobs.low", "free_jobs.exhausted"}}[counting]
    for month, told in (("06", {"tier.reached", "free_jobs.low", "free_jobs.exhausted"}), ("07", anew), ("08", anew)):
        before = deployment.ledger.notices.list("acme").notices
        deployment.set_clock(f"2025-{month}-15T12:00:00Z")
        made = [job(f"{month} {number}", completed_at=f"2025-{month}-02T00:00:00Z") for number in range(20)]
        deployment.ledger.record(made)
        deployment.ledger.notices.look()
        new = [one for one in deployment.ledger.notices.list("acme").notices if one not in before]
        assert sorted(one.event for one in new) == sorted(told), month
        assert {one.data["jobs"] for one in new} == {20}


def test_looking_again_says_nothing_again(deployment: Deployment) -> None:
    deployment.ledger.record(jobs(1, 1000))
    assert deployment.ledger.notices.look() == 4
    before = deployment.ledger.notices.list(limit=1000)
    assert deployment.ledger.notices.look() == 0
    deployment.rows("DELETE FROM notice_mark")
    deployment.now += 60 * SECOND
    assert deployment.ledger.notices.look() == 0
    assert deployment.ledger.notices.list(limit=1000) == before


def test_what_was_said_is_not_said_by_another_look_in_vain(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saying it again would change nothing, but hold up the writers meanwhile."""
    tried: list[list[str]] = []
    say = notices.say

    def trying(connection: Connection, rows: Sequence[NoticeRow]) -> list[NoticeRow]:
        tried.append([row.event for row in rows])
        return say(connection, rows)

    monkeypatch.setattr(notices, "say", trying)
    deployment.ledger.accounts.create("acme")
    deployment.ledger.notices.look()
    for first, last, new in (
        (1, 100, ["free_jobs.low", "free_jobs.exhausted"]),
        (101, 999, []),
        (1000, 1000, ["tier.reached"]),
    ):
        tried.clear()
        deployment.ledger.record(jobs(first, last))
        deployment.ledger.notices.look()
        assert tried == [new]


def test_months_that_are_past_send_none(deployment: Deployment) -> None:
    """A history that is taken in tells of nothing; what is reached in the running month is told of."""
    deployment.ledger.record(jobs(1, 1500, completed_at="2025-05-31T23:59:59Z"))
    deployment.ledger.notices.look()
    assert said(deployment) == []
    deployment.ledger.record(jobs(1501, 3000))
    deployment.ledger.notices.look()
    assert said(deployment) == [("tier.reached", 3000)]


def test_the_month_is_that_of_the_accounts_zone(deploy: Deploy) -> None:
    deployment = deploy(now="2025-06-30T20:30:00Z")
    deployment.ledger.accounts.create("acme", time_zone="Asia/Kolkata")  # two in the morning of 1 July
    deployment.ledger.record(jobs(1, 100, completed_at="2025-06-30T18:00:00Z"))  # 30 June there
    deployment.ledger.notices.look()
    assert said(deployment) == []
    deployment.ledger.record([job("later", completed_at="2025-06-30T18:30:00Z")])
    deployment.ledger.notices.look()
    assert said(deployment) == []


def test_within_an_hour_of_its_end_a_month_still_speaks(deploy: Deploy) -> None:
    deployment = deploy(now="2025-07-01T00:59:59Z")
    deployment.ledger.record(jobs(1, 100, completed_at="2025-06-30T23:59:59Z"))
    deployment.ledger.notices.look()
    assert said(deployment) == [("free_jobs.exhausted", 100), ("free_jobs.low", 100)]


def test_after_that_hour_it_is_past(deploy: Deploy) -> None:
    deployment = deploy(now="2025-07-01T01:00:01Z")
    deployment.ledger.record(jobs(1, 100, completed_at="2025-06-30T23:59:59Z"))
    deployment.ledger.notices.look()
    assert said(deployment) == []


def test_a_notifier_that_was_down_at_the_end_of_the_month_still_says_what_was_passed(deploy: Deploy) -> None:
    deployment = deploy(now="2025-06-30T20:00:00Z")
    deployment.ledger.record(jobs(1, 100))
    deployment.set_clock("2025-07-01T19:00:00Z")
    deployment.ledger.notices.look()
    assert said(deployment) == [("free_jobs.exhausted", 100), ("free_jobs.low", 100)]


def test_what_is_found_more_than_a_day_late_is_not_said(deploy: Deploy) -> None:
    deployment = deploy(now="2025-06-30T20:00:00Z")
    deployment.ledger.record(jobs(1, 100))
    deployment.set_clock("2025-07-01T20:00:01Z")
    deployment.ledger.notices.look()
    assert said(deployment) == []


def test_sandbox_jobs_pass_nothing(deployment: Deployment) -> None:
    deployment.ledger.record(jobs(1, 200, sandbox=True))
    deployment.ledger.notices.look()
    assert said(deployment) == []


def test_other_free_jobs_of_another_plan_are_told_of_anew(deployment: Deployment) -> None:
    deployment.ledger.record(jobs(1, 100))
    deployment.ledger.notices.look()
    deployment.ledger.plans.put(plan("generous", free_jobs=200))
    deployment.ledger.accounts.change("acme", plan="generous")
    deployment.ledger.record(jobs(101, 200))
    deployment.ledger.notices.look()
    assert said(deployment) == [
        ("free_jobs.exhausted", 100),
        ("free_jobs.low", 100),
        ("free_jobs.exhausted", 200),
        ("free_jobs.low", 200),
    ]


def test_what_another_plan_moves_is_told_of_without_another_job_where_a_job_of_the_month_passed_it(
    deployment: Deployment,
) -> None:
    """Thresholds at or below the jobs before the month are past, and what was said once is not said again."""
    deployment.ledger.record(jobs(1, 50, completed_at="2025-05-10T00:00:00Z") + jobs(51, 120))
    deployment.ledger.notices.look()
    before = said(deployment)
    tiers = [{"after_jobs": after, "discount": str(after)} for after in (0, 50, 51, 80)]
    deployment.ledger.plans.put(plan("standard", free_jobs=55, tiers=tiers), effective_from="2025-06")
    deployment.ledger.notices.look()
    moved = [("tier.reached", 51), ("free_jobs.exhausted", 55), ("tier.reached", 80)]
    assert before == [("free_jobs.exhausted", 100), ("free_jobs.low", 100)]
    assert said(deployment) == moved + before
    discounts = [{**tier, "discount": "3"} for tier in tiers]
    deployment.ledger.plans.put(plan("standard", free_jobs=100, tiers=discounts), effective_from="2025-06")
    assert deployment.ledger.notices.look() == 0


def test_only_the_named_accounts_are_looked_at(deployment: Deployment) -> None:
    deployment.ledger.record(jobs(1, 100) + jobs(1, 100, account="other"))
    (number,) = deployment.rows("SELECT id FROM account WHERE name = 'other'")[0]
    deployment.ledger.notices.look([number])
    assert (said(deployment), len(said(deployment, "other"))) == ([], 2)
    deployment.ledger.notices.look([])
    assert said(deployment) == []


def test_a_commit_names_the_accounts_that_it_changed(deployment: Deployment) -> None:
    reports: list[CommitReport] = []
    others: list[CommitReport] = []
    deployment.ledger.tell_commits(reports.append)
    deployment.ledger.tell_commits(others.append)
    deployment.ledger.record([job(1), job(1, account="other"), {"id": "bad"}])
    deployment.ledger.record([job(1)])
    numbers = tuple(sorted(number for (number,) in deployment.rows("SELECT id FROM account")))
    assert [report.account_ids for report in reports] == [numbers, ()]
    assert others == reports


def test_a_listener_that_fails_keeps_no_other_from_hearing(deployment: Deployment) -> None:
    def fail(_: CommitReport) -> None:
        raise ValueError("a listener's own mistake")

    heard: list[CommitReport] = []
    deployment.ledger.tell_commits(fail)
    deployment.ledger.tell_commits(heard.append)
    assert deployment.ledger.record([job(1)]).accepted == 1
    assert len(heard) == 1


# The provider's.


def test_new_accounts_are_told_of_together_and_at_most_once_a_minute(deployment: Deployment) -> None:
    deployment.ledger.record([job(1, account=f"account {number:03}") for number in range(150)])
    deployment.ledger.accounts.create("by hand")
    deployment.ledger.notices.look()
    (first,) = deployment.ledger.notices.list().notices
    assert first.account is None
    assert first.data["count"] == 151
    assert first.data["accounts"] == [f"account {number:03}" for number in range(100)]
    deployment.ledger.accounts.create("second")
    deployment.ledger.accounts.create("third")
    deployment.ledger.notices.look()
    assert len(deployment.ledger.notices.list().notices) == 1
    deployment.now += 60 * SECOND
    deployment.ledger.notices.look()
    newest = deployment.ledger.notices.list().notices[0]
    assert newest.data == {"count": 2, "accounts": ["second", "third"]}
    deployment.now += 60 * SECOND
    assert deployment.ledger.notices.look() == 0


def test_rejected_jobs_are_told_of_together_by_their_codes_and_repeats_are_no_news(deployment: Deployment) -> None:
    bad = [{"id": "1"}, {"id": "2"}, job(1, tokens={"pages": 1})]
    deployment.ledger.record(bad)
    deployment.ledger.notices.look()
    (notice,) = deployment.ledger.notices.list().notices
    assert (notice.event, notice.data) == (
        Event.QUARANTINE_ADDED,
        {"count": 3, "codes": {"invalid": 2, "unknown_meter": 1}},
    )
    deployment.now += 60 * SECOND
    deployment.ledger.record(bad)
    assert deployment.ledger.notices.look() == 0
    deployment.ledger.record([{"id": "3"}])
    assert deployment.ledger.notices.look() == 1


def test_what_was_there_before_there_were_notices_is_no_news(deployment: Deployment) -> None:
    """The migration marks it so; here its statements are tried on a database with a history."""
    deployment.ledger.record([*jobs(1, 100), {"id": "bad"}])
    deployment.rows(
        "INSERT INTO notice_mark (account_id, version, announced) SELECT account_id, version, 1 FROM account_state"
    )
    deployment.rows("UPDATE rejected_item SET told = 1")
    assert deployment.ledger.notices.look() == 0


@pytest.mark.parametrize("others", [0, 1])
def test_a_look_that_is_asked_for_during_a_look_is_still_to_be_had(deployment: Deployment, others: int) -> None:
    """Also where another look ends meanwhile."""
    deployment.ledger.record(jobs(1, 10))
    with closing(Store(deployment.database)) as store, store.transaction() as connection:
        (account,) = notices.changed_after(connection, 0, limit=10)
        notices.mark(connection, [account])
        notices.ask_for_look(connection, account.id)
        (first,) = notices.changed_after(connection, 0, limit=10)
        for _ in range(others):
            notices.mark(connection, notices.changed_after(connection, 0, limit=10))
        notices.ask_for_look(connection, account.id)
        notices.mark(connection, [first])
        (again,) = notices.changed_after(connection, 0, limit=10)
        assert not again.has_new_jobs
        notices.mark(connection, [again])
        assert notices.changed_after(connection, 0, limit=10) == []


# Listing.


def test_notices_come_newest_first_page_by_page(deployment: Deployment) -> None:
    for number in range(5):
        deployment.ledger.record(jobs(1, 100, account=f"account {number}"))
        deployment.ledger.notices.look()
        deployment.now += 60 * SECOND
    whole = deployment.ledger.notices.list(limit=1000).notices
    assert [notice.said_at for notice in whole] == sorted((notice.said_at for notice in whole), reverse=True)
    pages: list[tuple[Notice, ...]] = []
    cursor = None
    while not pages or cursor:
        page = deployment.ledger.notices.list(limit=2, cursor=cursor)
        pages.append(page.notices)
        cursor = page.next_cursor
    assert tuple(notice for page in pages for notice in page) == whole
    assert len(whole) == 5 * 3
    assert {notice.account for notice in deployment.ledger.notices.list("account 3").notices} == {"account 3"}


def test_a_bad_cursor_limit_or_account_is_refused(deployment: Deployment) -> None:
    for given in ({"cursor": "x"}, {"limit": 0}, {"limit": 1001}):
        with pytest.raises(InvalidInput):
            deployment.ledger.notices.list(**given)
    with pytest.raises(NotFound):
        deployment.ledger.notices.list("nobody")


# Many notifiers, and crashes.


@contextmanager
def crashing_at(monkeypatch: pytest.MonkeyPatch, step: str) -> Iterator[None]:
    """A block in which a notifier dies at a step of its transaction."""

    def crash(*_: object, **__: object) -> object:
        raise StoreUnavailable("the power is gone")

    with monkeypatch.context() as patched:
        patched.setattr(notices, step, crash)
        yield


@pytest.mark.parametrize("step", ["say", "mark", "new_accounts"])
def test_a_notifier_that_dies_has_said_all_or_nothing_and_the_next_says_the_rest(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    deployment.ledger.record(jobs(1, 100))
    with crashing_at(monkeypatch, step), pytest.raises(StoreUnavailable):
        deployment.ledger.notices.look()
    deployment.ledger.notices.look()
    assert events(deployment) == {"free_jobs.low", "free_jobs.exhausted"}
    assert len(deployment.ledger.notices.list().notices) == 3


def test_many_notifiers_at_once_say_each_notice_once(deployment: Deployment) -> None:
    deployment.ledger.record([job for number in range(30) for job in jobs(1, 100, account=f"account {number}")])
    ledgers = [deployment.ledger]
    ledgers += [Ledger(deployment.database, clock=lambda: deployment.now) for _ in range(3)]
    together = threading.Barrier(len(ledgers))
    counts: list[int] = []

    def look(ledger: Ledger) -> None:
        together.wait()
        counts.append(ledger.notices.look())

    threads = [threading.Thread(target=look, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ledger in ledgers[1:]:
        ledger.close()
    # Accounts that one notifier took up after another had told of its own come a minute later.
    deployment.now += 60 * SECOND
    counts.append(deployment.ledger.notices.look())
    whole = deployment.ledger.notices.list(limit=1000).notices
    assert sum(counts) == len(whole)
    of_accounts = [notice for notice in whole if notice.account]
    assert len(of_accounts) == 60
    assert len({(notice.account, notice.event) for notice in of_accounts}) == 60
    assert sum(notice.data["count"] for notice in whole if notice.event is Event.ACCOUNT_CREATED) == 30
