"""Plans that count anew each month: tiers, the free quota, or both, in every report and in the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.model.jobs import LedgerJob
from tallystick.model.wire import decode
from tests.embedded import Deployment, job, plan

TIERS = [{"after_jobs": 0, "discount": "0"}, {"after_jobs": 4, "discount": "10"}, {"after_jobs": 8, "discount": "25"}]
PERIOD = ("2025-04", "2025-06")
PER_MONTH = 10


@pytest.fixture
def acme(deployment: Deployment) -> Deployment:
    """`acme`, with ten jobs in each of April, May and June at midnight of ten days; each costs 1 before discount."""
    for name, resets in RESETS.items():
        deployment.ledger.plans.put(plan(name, free_jobs=3, tiers=TIERS, **resets))
    deployment.ledger.accounts.create("acme", plan="never")
    deployment.ledger.record(
        [
            job(
                number,
                completed_at=f"2025-{4 + number // PER_MONTH:02d}-{1 + number % PER_MONTH:02d}T00:00:00Z",
                tokens={"transcription": 1},
            )
            for number in range(3 * PER_MONTH)
        ]
    )
    return deployment


RESETS: dict[str, dict[str, str]] = {
    "never": {},
    "tiers": {"reset": "month"},
    "free": {"free_jobs_reset": "month", "reset": "never"},
    "both": {"reset": "month", "free_jobs_reset": "month"},
}


def entries(deployment: Deployment, start: str, end: str, limit: int) -> list[LedgerJob]:
    page = deployment.ledger.jobs("acme", start, end, limit=limit)
    found = list(page.jobs)
    while page.next_cursor is not None:
        page = deployment.ledger.jobs("acme", start, end, limit=limit, cursor=page.next_cursor)
        found += page.jobs
    return found


def set_plan(deployment: Deployment, name: str, month: str) -> None:
    deployment.ledger.accounts.change("acme", plan=name, plan_from=month)


# Tiers and free jobs of each month: tier counts, then how many jobs are free.
MONTHS = {
    "never": [([4, 4, 2], 3), ([0, 0, 10], 0), ([0, 0, 10], 0)],
    "tiers": [([4, 4, 2], 3), ([4, 4, 2], 0), ([4, 4, 2], 0)],
    "free": [([4, 4, 2], 3), ([0, 0, 10], 3), ([0, 0, 10], 3)],
    "both": [([4, 4, 2], 3), ([4, 4, 2], 3), ([4, 4, 2], 3)],
}


@pytest.mark.parametrize("name", RESETS)
def test_each_month_counts_as_the_plan_says(acme: Deployment, name: str) -> None:
    set_plan(acme, name, "2025-01")
    for _ in range(2):  # once with boundaries derived, once with those that were kept
        report = acme.ledger.usage("acme", *PERIOD)
        assert [list(month.tiers.values()) for month in report.monthly_breakdown] == [
            tiers for tiers, _ in MONTHS[name]
        ]
        assert [month.jobs - int(month.base_cost) for month in report.monthly_breakdown] == [n for _, n in MONTHS[name]]


@pytest.mark.parametrize("name", RESETS)
@pytest.mark.parametrize("limit", [1, 3, PER_MONTH, 1000])
def test_the_ledger_prices_each_job_as_the_report_does(acme: Deployment, name: str, limit: int) -> None:
    """However the pages are cut, and wherever the period begins."""
    set_plan(acme, name, "2025-01")
    found = entries(acme, *PERIOD, limit)
    assert [entry.rank for entry in found] == list(range(1, 3 * PER_MONTH + 1))
    for place, month in enumerate(acme.ledger.usage("acme", *PERIOD).monthly_breakdown):
        own = found[place * PER_MONTH : (place + 1) * PER_MONTH]
        assert sum(entry.final_cost for entry in own) == month.final_cost
        assert [sum(entry.tier == tier for entry in own) for tier in (1, 2, 3)] == list(month.tiers.values())
        assert entries(acme, month.month, month.month, limit) == own
    lines = b"".join(acme.ledger.job_lines("acme", *PERIOD)).splitlines()
    assert [(line["tier"], line["free"]) for line in map(decode, lines)] == [
        (entry.tier, entry.free) for entry in found
    ]


def test_lines_that_go_on_behind_a_cursor_count_the_jobs_of_the_month_before_it(acme: Deployment) -> None:
    set_plan(acme, "both", "2025-01")
    first = acme.ledger.job_lines("acme", *PERIOD, limit=15)
    lines = b"".join(first)
    lines += b"".join(acme.ledger.job_lines("acme", *PERIOD, cursor=first.next_cursor))
    assert [decode(line)["tier"] for line in lines.splitlines()] == 3 * [1, 1, 1, 1, 2, 2, 2, 2, 3, 3]


def test_a_page_behind_a_cursor_may_begin_in_a_later_month(acme: Deployment) -> None:
    """The next job behind the cursor lies two months later: nothing of its month came before it."""
    set_plan(acme, "both", "2025-01")
    acme.ledger.record([job("later", completed_at="2025-06-14T00:00:00Z", tokens={"transcription": 1})])
    cursor = acme.ledger.jobs("acme", "2025-04", "2025-04", limit=9).next_cursor
    assert cursor is not None
    page = acme.ledger.jobs("acme", *PERIOD, limit=3, cursor=cursor)
    assert [(entry.rank, entry.tier, entry.free) for entry in page.jobs] == [
        (10, 3, False),
        (11, 1, True),
        (12, 1, True),
    ]


@pytest.mark.parametrize("name", RESETS)
def test_days_count_within_their_month_also_where_the_period_begins_in_the_middle(acme: Deployment, name: str) -> None:
    set_plan(acme, name, "2025-01")
    ledger = {entry.completed_at[:10]: entry for entry in entries(acme, *PERIOD, 1000)}
    for start in ("2025-04-01", "2025-04-06", "2025-05-08"):
        for day in acme.ledger.daily("acme", start, "2025-06-12").days:
            assert day.final_cost == (ledger[day.day].final_cost if day.jobs else 0)


def test_the_explanation_has_lifetime_ranks_and_the_jobs_before_each_month(acme: Deployment) -> None:
    set_plan(acme, "both", "2025-01")
    explanation = acme.ledger.explain("acme", "2025-05", "2025-05")
    assert [(line.first_rank, line.last_rank, line.tier, line.free_jobs) for line in explanation.lines] == [
        (11, 13, 1, 3),
        (14, 14, 1, 0),
        (15, 18, 2, 0),
        (19, 20, 3, 0),
    ]
    assert explanation.months[0].jobs_before == 10
    assert explanation.plans[0].document["reset"] == "month"


# What the next job gets


def now_is(deployment: Deployment, now: str) -> Any:
    deployment.set_clock(now)
    return deployment.ledger.usage("acme", "2025-04", "2025-07")


@pytest.mark.parametrize(
    ("name", "discounts"),
    [("never", [25, 25, 25, 25]), ("tiers", [25, 25, 25, 0]), ("free", [25, 25, 25, 25]), ("both", [25, 25, 25, 0])],
)
def test_the_next_discount_of_a_month_is_what_one_more_job_in_it_would_get(
    acme: Deployment, name: str, discounts: list[int]
) -> None:
    set_plan(acme, name, "2025-01")
    report = now_is(acme, "2025-06-15T12:00:00Z")
    assert [month.current_tier_discount for month in report.monthly_breakdown] == discounts


def test_free_jobs_left_are_those_of_the_month_that_runs_whatever_period_is_asked_for(acme: Deployment) -> None:
    set_plan(acme, "free", "2025-01")
    assert now_is(acme, "2025-06-15T12:00:00Z").totals.free_jobs_left == 0
    assert now_is(acme, "2025-07-01T00:00:00Z").totals.free_jobs_left == 3
    acme.ledger.record([job("july", completed_at="2025-07-01T00:00:00Z")])
    assert now_is(acme, "2025-07-01T00:00:00Z").totals.free_jobs_left == 2
    set_plan(acme, "never", "2025-01")
    assert now_is(acme, "2025-07-01T00:00:00Z").totals.free_jobs_left == 0


def test_a_job_ahead_of_the_clock_in_the_next_month_takes_nothing_of_this_one(acme: Deployment) -> None:
    set_plan(acme, "free", "2025-01")
    acme.set_clock("2025-07-31T23:59:00Z")
    acme.ledger.record([job("august", completed_at="2025-08-01T00:01:00Z")])
    assert acme.ledger.usage("acme").totals.free_jobs_left == 3


# Changes


def test_plans_with_different_resets_follow_each_other(acme: Deployment) -> None:
    """April counts for ever, May by month, June for ever again: then the jobs of May count too."""
    for name, month in (("never", "2025-01"), ("both", "2025-05"), ("never", "2025-06")):
        set_plan(acme, name, month)
    report = acme.ledger.usage("acme", *PERIOD)
    assert [list(month.tiers.values()) for month in report.monthly_breakdown] == [[4, 4, 2], [4, 4, 2], [0, 0, 10]]
    assert [int(month.base_cost) for month in report.monthly_breakdown] == [7, 7, 10]


def test_months_are_those_of_the_accounts_zone(acme: Deployment) -> None:
    """In St John's the job of midnight on 1 May UTC is still one of April's, as its eleventh."""
    set_plan(acme, "both", "2025-01")
    acme.ledger.accounts.change("acme", time_zone="America/St_Johns")
    found = entries(acme, "2025-03", "2025-06", 4)
    assert [entry.rank for entry in found if entry.free] == [1, 2, 3, 4, 12, 13, 14, 22, 23, 24]
    months = acme.ledger.usage("acme", "2025-03", "2025-06").monthly_breakdown
    assert [month.jobs for month in months] == [1, 10, 10, 9]
    assert [sum(month.tiers.values()) for month in months] == [1, 10, 10, 9]


def test_a_late_job_moves_the_later_jobs_of_its_month_alone(acme: Deployment) -> None:
    set_plan(acme, "both", "2025-01")
    before = acme.ledger.usage("acme", *PERIOD)
    acme.ledger.record([job("late", completed_at="2025-04-01T00:00:00Z", tokens={"transcription": 100})])
    after = acme.ledger.usage("acme", *PERIOD)
    assert after.monthly_breakdown[1:] == before.monthly_breakdown[1:]
    assert list(after.monthly_breakdown[0].tiers.values()) == [4, 4, 3]
