"""The ledger page by page: each live job with its rank, tier and cost, and cursors that never show a rank twice."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.errors import Conflict, InvalidInput
from tallystick.model.jobs import LedgerJob, LedgerPage
from tallystick.report.cursors import encode_cursor
from tests.embedded import Deployment, Document, job, plan

JOBS = 23
TIERS = [
    {"after_jobs": 0, "discount": "0"},
    {"after_jobs": 10, "discount": "10"},
    {"after_jobs": 20, "discount": "25.5"},
]


def history() -> list[Document]:
    """Jobs of April, May and June; two of each day at the same instant, so that their ids decide."""
    return [
        job(
            f"job {number:02d}",
            completed_at=f"2025-{4 + number // 10:02d}-{1 + number % 10 // 2:02d}T00:00:00Z",
            tokens={"transcription": number},
        )
        for number in range(JOBS)
    ]


@pytest.fixture
def acme(deployment: Deployment) -> Deployment:
    """`acme` on a plan with 4 free jobs and two discounts, with its history recorded backwards."""
    deployment.ledger.plans.put(plan("tiered", free_jobs=4, tiers=TIERS))
    deployment.ledger.accounts.create("acme", plan="tiered")
    assert deployment.ledger.record(history()[::-1]).accepted == JOBS
    return deployment


def page(deployment: Deployment, start: str | None = "2025-04", end: str | None = "2025-06", **more: Any) -> LedgerPage:
    return deployment.ledger.jobs("acme", start, end, **more)


def walk(deployment: Deployment, limit: int, *period: str) -> list[LedgerJob]:
    first = page(deployment, *period, limit=limit)
    seen = list(first.jobs)
    cursor = first.next_cursor
    while cursor is not None:
        assert len(first.jobs) == limit
        following = page(deployment, *period, limit=limit, cursor=cursor)
        assert following.jobs
        seen += following.jobs
        assert len(seen) <= JOBS + 1
        cursor = following.next_cursor
    return seen


def invalid(deployment: Deployment, cursor: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        page(deployment, cursor=cursor)
    assert (caught.value.code, [field.parameter for field in caught.value.errors]) == ("invalid_cursor", ["cursor"])


def test_jobs_come_in_rank_order_with_what_decides_their_price(acme: Deployment) -> None:
    entries = page(acme).jobs
    assert [entry.rank for entry in entries] == list(range(1, JOBS + 1))
    assert [entry.id for entry in entries] == [f"job {number:02d}" for number in range(JOBS)]
    assert [entry.tier for entry in entries] == [1] * 10 + [2] * 10 + [3] * 3
    assert [entry.free for entry in entries] == [True] * 4 + [False] * 19
    assert entries[3] == LedgerJob(
        rank=4,
        id="job 03",
        api_key="first key",
        completed_at="2025-04-02T00:00:00Z",
        booked_at="2025-04-02T00:00:00Z",
        late=False,
        tokens={"transcription": 3, "note_generation": 0},
        tier=1,
        free=True,
        discount=Decimal("0.0"),
        base_cost=Decimal("0.0"),
        final_cost=Decimal("0.0"),
    )
    assert (entries[21].discount, entries[21].base_cost, entries[21].final_cost) == (
        Decimal("25.5"),
        Decimal(21),
        Decimal("15.645"),
    )


def test_the_entries_sum_to_the_report(acme: Deployment) -> None:
    entries = page(acme).jobs
    totals = acme.ledger.usage("acme", "2025-04", "2025-06").totals
    assert sum(entry.base_cost for entry in entries) == totals.base_cost
    assert sum(entry.final_cost for entry in entries) == totals.final_cost
    assert sum(entry.tokens["transcription"] for entry in entries) == totals.tokens["transcription_tokens"]


@pytest.mark.parametrize("limit", [1, 2, 5, JOBS - 1, JOBS, 1000])
def test_pages_of_any_size_show_each_job_once(acme: Deployment, limit: int) -> None:
    assert walk(acme, limit) == list(page(acme, limit=1000).jobs)


def test_ranks_count_over_the_lifetime_whatever_period_is_shown(acme: Deployment) -> None:
    may = walk(acme, 3, "2025-05", "2025-05")
    assert [entry.rank for entry in may] == list(range(11, 21))
    assert walk(acme, 3, "2025-07", "2025-08") == []
    assert [entry.rank for entry in page(acme, "2025-05", "2025-05", limit=3).jobs] == [11, 12, 13]


def test_without_months_the_current_one_is_shown(acme: Deployment) -> None:
    assert [entry.rank for entry in acme.ledger.jobs("acme").jobs] == [21, 22, 23]
    assert len(page(acme, None, "2025-05").jobs) == 20
    assert len(page(acme, "2025-05", None).jobs) == 13


def test_the_far_ends_of_the_calendar_can_be_asked_for(acme: Deployment) -> None:
    assert page(acme, "9999-12", "9999-12").jobs == ()
    assert page(acme, "0001-01", "0001-01").jobs == ()


def test_an_account_without_jobs_has_an_empty_ledger(acme: Deployment) -> None:
    acme.ledger.accounts.create("new")
    assert acme.ledger.jobs("new") == LedgerPage(jobs=(), next_cursor=None)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_out_of_bounds_is_refused(acme: Deployment, limit: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        page(acme, limit=limit)
    assert (caught.value.code, caught.value.errors[0].parameter) == ("invalid_parameter", "limit")


# Changes between two pages


def test_a_job_before_the_cursor_spoils_it_since_ranks_have_moved(acme: Deployment) -> None:
    cursor = page(acme, limit=10).next_cursor
    assert cursor is not None
    acme.ledger.record([job("early", completed_at="2025-01-01T00:00:00Z")])
    with pytest.raises(Conflict) as caught:
        page(acme, cursor=cursor)
    assert caught.value.code == "ledger_changed"
    assert [entry.rank for entry in walk(acme, 7)] == list(range(2, JOBS + 2))


@pytest.mark.parametrize(
    ("late", "moved"),
    [
        (job("job 08x", completed_at="2025-04-05T00:00:00Z"), True),
        (job("job 09", completed_at="2025-04-05T00:00:00Z", account="other"), False),
        (job("job 09x", completed_at="2025-04-05T00:00:00Z"), False),
        (job("a", completed_at="2025-04-05T00:00:00.000001Z"), False),
        (job("a", completed_at="2025-04-05T00:00:00Z"), True),
        (job("sandbox", api_key="s", sandbox=True, completed_at="2025-01-01T00:00:00Z"), False),
    ],
    ids=["before it", "another account", "right behind it", "a microsecond later", "a smaller id", "a sandbox job"],
)
def test_only_a_job_at_or_before_the_cursors_place_spoils_it(acme: Deployment, late: Document, moved: bool) -> None:
    first = page(acme, limit=10)
    assert (first.jobs[-1].id, first.jobs[-1].booked_at) == ("job 09", "2025-04-05T00:00:00Z")
    assert acme.ledger.record([late]).accepted == 1
    if moved:
        with pytest.raises(Conflict):
            page(acme, cursor=first.next_cursor)
        return
    rest = page(acme, cursor=first.next_cursor, limit=1000)
    assert [entry.rank for entry in rest.jobs] == list(range(11, 11 + len(rest.jobs)))
    whole = page(acme, limit=1000).jobs
    assert whole == (*first.jobs, *rest.jobs)


def test_repeats_and_refused_jobs_spoil_no_cursor(acme: Deployment) -> None:
    cursor = page(acme, limit=10).next_cursor
    acme.ledger.record([*history(), job("job 03", tokens={})])
    assert page(acme, cursor=cursor).jobs[0].rank == 11


def test_a_cursor_of_another_account_is_refused(acme: Deployment) -> None:
    acme.ledger.accounts.create("other")
    acme.ledger.record([{**each, "account": "other"} for each in history()])
    cursor = page(acme, limit=10).next_cursor
    with pytest.raises(InvalidInput) as caught:
        acme.ledger.jobs("other", "2025-04", "2025-06", cursor=cursor)
    assert caught.value.code == "invalid_cursor"


# Cursors that this call never gave


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "%%%", "é", "\0", "\ud800", "AAAA", "e30", "bnVsbA", "W10", "🙂", "=" * 50, "A" * 10_001, " ", "e30="],
)
def test_text_that_is_no_cursor_is_refused(acme: Deployment, cursor: str) -> None:
    invalid(acme, cursor)


def fields(cursor: str) -> Document:
    document: Document = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return document


class Forged(msgspec.Struct):
    account: Any
    rank: Any
    booked_at: Any
    id: Any
    version: Any


@pytest.mark.parametrize(
    "forged",
    [
        {"rank": -1},
        {"rank": 2**63},
        {"rank": 10**40},
        {"rank": "1"},
        {"rank": None},
        {"booked_at": -1},
        {"booked_at": 2**62},
        {"booked_at": 10**40},
        {"version": -1},
        {"version": 10**40},
        {"id": ""},
        {"id": "a\0b"},
        {"id": 5},
        {"account": 10**40},
        {"account": -1},
        {"account": "acme"},
    ],
)
def test_a_forged_cursor_is_refused_and_never_reaches_the_database(acme: Deployment, forged: Document) -> None:
    given = page(acme, limit=10).next_cursor
    assert given is not None
    invalid(acme, encode_cursor(Forged(**{**fields(given), **forged})))


def test_a_cursor_with_another_version_and_a_wrong_rank_is_out_of_date(acme: Deployment) -> None:
    given = page(acme, limit=10).next_cursor
    assert given is not None
    for wrong in ({"version": 0, "rank": 3}, {"version": 99, "booked_at": 0}, {"version": 99, "id": "zzz", "rank": 1}):
        with pytest.raises(Conflict):
            page(acme, cursor=encode_cursor(Forged(**{**fields(given), **wrong})))


def test_a_cursor_holds_nothing_but_a_place(acme: Deployment) -> None:
    given = page(acme, limit=10).next_cursor
    assert given is not None
    assert list(fields(given)) == ["account", "rank", "booked_at", "id", "version"]
    assert given.isascii()
    assert set(given) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
