"""A job that arrives late takes its place by time and moves exactly one job over each boundary behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import strategies as st

from tallystick.model.jobs import LedgerJob
from tallystick.model.report import UsageReport
from tests.databases import Databases
from tests.properties.playing import Deployment, digits, for_all, new_deployment, opened, submit_all
from tests.reference.rater import Account, Document, Provider, wire
from tests.reference.strategies import FIRST_MONTH, STANDARD, plan_documents

NOW = datetime(2025, 4, 1, tzinfo=UTC)
START = datetime(2025, 1, 1, tzinfo=UTC)
MONTHS = ("2025-01", "2025-03")

BOUNDARIES = (100, 1000, 3000, 5000)
"""After so many jobs the default plan changes the price: the free jobs end, tiers 2, 3 and 4 begin."""

TIED = ("a", "é", "\ue000", "\ufffd", "\U00010000")
"""Ids of the five jobs around each boundary, done at one instant: in order of bytes; the third is the last in front."""


def job(number: int) -> dict[str, Any]:
    """The job of a rank: one every 20 minutes, but for those within two ranks of a boundary, which tie."""
    near = next((boundary for boundary in BOUNDARIES if abs(number - boundary) <= 2), None)
    place = number if near is None else near
    return {
        "id": f"{number:05}" if near is None else f"{TIED[number - near + 2]} {near}",
        "account": "acme",
        "api_key": f"key {number % 3}",
        "completed_at": (START + timedelta(minutes=20 * place)).isoformat(),
        "tokens": {"transcription": number, "note_generation": 7 * number},
    }


JOBS = [job(number) for number in range(1, 5004)]


def late_job(job_id: str, completed_at: str) -> dict[str, Any]:
    tokens = {"transcription": 11, "note_generation": 13}
    return {"id": job_id, "account": "acme", "api_key": "late", "completed_at": completed_at, "tokens": tokens}


@pytest.fixture(scope="module")
def history(databases: Databases) -> Iterator[str]:
    """A closed database with an account that is past its last tier."""
    with databases.fresh() as address:
        with opened(address, NOW) as deployment:
            assert deployment.ledger.record(JOBS).accepted == len(JOBS)
        yield address


@pytest.fixture(scope="module")
def before(history: str) -> dict[str, LedgerJob]:
    """That account's ledger before anything comes late."""
    with opened(history, NOW) as deployment:
        return ledger_jobs(deployment)


@pytest.fixture
def deployment(databases: Databases, history: str) -> Iterator[Deployment]:
    """A copy of it, in which the boundaries are kept."""
    with databases.copy(history) as address, opened(address, NOW) as deployment:
        deployment.ledger.usage("acme", *MONTHS)
        yield deployment


def ledger_jobs(deployment: Deployment) -> dict[str, LedgerJob]:
    """Every job of the account's ledger by its id, in rank order."""
    jobs: list[LedgerJob] = []
    cursor = None
    while True:
        page = deployment.ledger.jobs("acme", *MONTHS, cursor=cursor, limit=1000)
        jobs += page.jobs
        cursor = page.next_cursor
        if cursor is None:
            return {entry.id: entry for entry in jobs}


def moved(before: dict[str, LedgerJob], after: dict[str, LedgerJob]) -> list[tuple[str, int, int]]:
    """The jobs whose price changed, with the rank that each had and the one that it has."""
    return [
        (entry.id, entry.rank, after[entry.id].rank)
        for entry in before.values()
        if (entry.tier, entry.free, entry.final_cost)
        != (after[entry.id].tier, after[entry.id].free, after[entry.id].final_cost)
    ]


def reference_digits(plan: Document, jobs: list[dict[str, Any]]) -> object:
    provider = Provider()
    provider.put_plan(STANDARD)
    provider.put_plan(plan, FIRST_MONTH)
    provider.accounts["acme"] = Account()
    assert submit_all(provider, jobs, NOW)["accepted"] == len(jobs)
    return wire(provider.usage("acme", *MONTHS, NOW))


# The late job's id, and the rank that it takes relative to the boundary: ties are broken by the bytes of ids.
PLACES = [
    pytest.param("Z", -2, id="before the ties"),
    pytest.param("b", -1, id="before the job in front of the last"),
    pytest.param("\ud7ff", 0, id="before the last in front of the boundary"),
    pytest.param("\uf000", 1, id="between the last in front and the first behind"),
    pytest.param("\uffff", 2, id="behind the first behind"),
    pytest.param("\U00010001", 3, id="behind the ties"),
]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("late_id", "place"), PLACES)
def test_a_late_job_among_ties_moves_the_last_job_in_front_of_each_boundary_behind_it(
    deployment: Deployment, before: dict[str, LedgerJob], boundary: int, late_id: str, place: int
) -> None:
    late = late_job(f"{late_id} {boundary}", job(boundary)["completed_at"])
    rank = boundary + place
    assert deployment.ledger.record([late]).accepted == 1
    after = ledger_jobs(deployment)
    assert after[late["id"]].rank == rank
    in_front = [last for last in BOUNDARIES if last >= rank]
    assert moved(before, after) == [(job(last)["id"], last, last + 1) for last in in_front]
    report = deployment.ledger.usage("acme", *MONTHS)
    check_sums(report, after)
    deployment.forget_boundaries()
    assert deployment.ledger.usage("acme", *MONTHS) == report


def check_sums(report: UsageReport, entries: dict[str, LedgerJob]) -> None:
    """The report's costs and tiers are those of the jobs."""
    tiers = Counter(f"tier{entry.tier}" for entry in entries.values())
    assert {tier: sum(month.tiers[tier] for month in report.monthly_breakdown) for tier in tiers} == tiers
    assert Fraction(report.totals.base_cost) == sum(Fraction(entry.base_cost) for entry in entries.values())
    assert Fraction(report.totals.final_cost) == sum(Fraction(entry.final_cost) for entry in entries.values())


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("ids", [("b", "\U00010001"), ("\U00010001", "b")], ids=["in order", "reversed"])
def test_of_several_late_jobs_at_one_instant_the_first_by_its_id_decides_what_moves(
    deployment: Deployment, before: dict[str, LedgerJob], boundary: int, ids: tuple[str, str]
) -> None:
    """Both come in one batch, one in front of the boundary and one behind it, in either order."""
    late = [late_job(f"{late_id} {boundary}", job(boundary)["completed_at"]) for late_id in ids]
    assert deployment.ledger.record(late).accepted == 2
    after = ledger_jobs(deployment)
    assert after[f"b {boundary}"].rank == boundary - 1
    assert after[f"\U00010001 {boundary}"].rank == boundary + 4
    # The two jobs in front of each later boundary pass it; of this one only one does.
    further = [(last - 1, last) for last in BOUNDARIES if last > boundary]
    passing = [boundary, *(rank for pair in further for rank in pair)]
    assert [(entry_id, rank) for entry_id, rank, _ in moved(before, after)] == [
        (job(rank)["id"], rank) for rank in passing
    ]
    report = deployment.ledger.usage("acme", *MONTHS)
    check_sums(report, after)
    deployment.forget_boundaries()
    assert deployment.ledger.usage("acme", *MONTHS) == report


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_report_after_a_late_job_equals_the_references(deployment: Deployment, boundary: int) -> None:
    late = late_job(f"\ud7ff {boundary}", job(boundary)["completed_at"])
    deployment.ledger.record([late])
    assert digits(deployment.ledger.usage("acme", *MONTHS)) == reference_digits(STANDARD, [*JOBS, late])


@pytest.mark.parametrize(
    ("rank", "tier", "free", "discount"),
    [
        (1, 1, True, 0),
        (100, 1, True, 0),
        (101, 1, False, 0),
        (1000, 1, False, 0),
        (1001, 2, False, 7),
        (3000, 2, False, 7),
        (3001, 3, False, 12),
        (5000, 3, False, 12),
        (5001, 4, False, 15),
    ],
)
def test_the_first_and_the_last_job_of_each_tier(
    before: dict[str, LedgerJob], rank: int, tier: int, free: bool, discount: int
) -> None:
    entry = before[job(rank)["id"]]
    assert (entry.rank, entry.tier, entry.free, entry.discount) == (rank, tier, free, Decimal(discount))


@pytest.mark.parametrize("rank", [rank for last in BOUNDARIES for rank in (last, last + 1)])
def test_a_late_job_may_become_the_last_or_the_first_job_of_a_tier_itself(
    deployment: Deployment, before: dict[str, LedgerJob], rank: int
) -> None:
    """It is done at the instant of the job whose rank it takes, and its id is a prefix of that job's."""
    neighbour = job(rank)
    late_id, _, _ = neighbour["id"].partition(" ")
    late = late_job(late_id, neighbour["completed_at"])
    assert deployment.ledger.record([late]).accepted == 1
    after = ledger_jobs(deployment)
    assert after[late_id].rank == rank
    assert after[neighbour["id"]].rank == rank + 1
    crossing = [last for last in BOUNDARIES if last >= rank]
    assert moved(before, after) == [(job(last)["id"], last, last + 1) for last in crossing]


def test_a_job_behind_all_others_moves_none(deployment: Deployment, before: dict[str, LedgerJob]) -> None:
    assert deployment.ledger.record([late_job("last", "2025-03-31T23:59:59.999999Z")]).accepted == 1
    assert moved(before, ledger_jobs(deployment)) == []


def test_a_late_sandbox_job_moves_none(deployment: Deployment, before: dict[str, LedgerJob]) -> None:
    report = deployment.ledger.usage("acme", *MONTHS)
    assert deployment.ledger.record([late_job("early", "2025-01-01T00:00:00Z") | {"sandbox": True}]).accepted == 1
    assert ledger_jobs(deployment) == before
    assert deployment.ledger.usage("acme", *MONTHS) == report


@for_all(st.data(), plan_documents(), st.integers(0, 14), st.booleans(), st.booleans(), share=0.3)
def test_in_any_plan_a_late_job_moves_one_job_over_each_boundary_behind_it(
    databases: Databases, data: st.DataObject, plan: dict[str, Any], jobs: int, tied: bool, kept: bool
) -> None:
    """The late job takes any rank among jobs an hour apart, or all at one instant."""
    rank = data.draw(st.integers(1, jobs + 1))
    ids = [f"{number:02}" for number in range(1, jobs + 2)]
    every_job = [_hourly_job(number, job_id, plan, tied=tied) for number, job_id in enumerate(ids, start=1)]
    late = every_job.pop(rank - 1)
    with new_deployment(databases, NOW) as deployment:
        deployment.put_plan(FIRST_MONTH, plan)
        deployment.ledger.accounts.create("acme")
        deployment.ledger.record(every_job)
        if kept:
            deployment.ledger.usage("acme", *MONTHS)
        before = ledger_jobs(deployment)
        deployment.ledger.record([late])
        after = ledger_jobs(deployment)
        report = digits(deployment.ledger.usage("acme", *MONTHS))
    boundaries = {plan["free_jobs"], *(tier["after_jobs"] for tier in plan["tiers"])} - {0}
    crossing = sorted(last for last in boundaries if rank <= last <= jobs)
    assert [
        (entry.rank, after[entry.id].rank) for entry in before.values() if _band(entry) != _band(after[entry.id])
    ] == [(last, last + 1) for last in crossing]
    assert [entry.rank for entry in after.values()] == list(range(1, jobs + 2))
    assert list(after) == ids
    assert report == reference_digits(plan, [*every_job, late])


def _hourly_job(number: int, job_id: str, plan: dict[str, Any], *, tied: bool) -> dict[str, Any]:
    return {
        "id": job_id,
        "account": "acme",
        "api_key": f"key {number % 2}",
        "completed_at": (START + timedelta(hours=0 if tied else 30 * number)).isoformat(),
        "tokens": {meter["id"]: 10 * number + place for place, meter in enumerate(plan["meters"])},
    }


def _band(entry: LedgerJob) -> tuple[int, bool]:
    return entry.tier, entry.free
