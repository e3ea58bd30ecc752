"""Slices of the ledger are those of the whole ledger, whatever they are narrowed down by and from wherever."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tallystick.errors import InvalidInput, NotFound
from tallystick.model.jobs import LedgerJob, LedgerSlice
from tests.embedded import Deployment, job, plan

KEYS = ("a", "b", "c")
MONTHS = (("2025-03", "2025-06"), ("2025-04", "2025-04"), ("2025-05", "2025-07"), ("2024-01", "2024-03"))


def whole(deployment: Deployment, months: tuple[str, str]) -> list[LedgerJob]:
    """Every job of a period, by the ledger's own pages."""
    found: list[LedgerJob] = []
    cursor = None
    while True:
        page = deployment.ledger.jobs("acme", *months, cursor=cursor, limit=1000)
        found += page.jobs
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


@pytest.fixture
def filled(deployment: Deployment, randomness: random.Random) -> Deployment:
    """An account whose jobs fall on few days, some of them crowded, through all its tiers, which change in May."""
    tiers = [
        {"after_jobs": 0, "discount": "0"},
        {"after_jobs": 40, "discount": "5"},
        {"after_jobs": 90, "discount": "9"},
    ]
    deployment.ledger.plans.put(plan("tiered", tiers=tiers, free_jobs=15))
    monthly = plan("tiered", tiers=tiers[:2], free_jobs=5, free_jobs_reset="month", reset="month")
    deployment.ledger.plans.put(monthly, effective_from="2025-05")
    deployment.ledger.accounts.create("acme", plan="tiered", time_zone="America/New_York")
    days = [f"2025-{month:02d}-{day:02d}" for month in (3, 4, 5, 6) for day in (1, 2, 15)]
    jobs = [
        job(
            number,
            api_key=randomness.choices(KEYS, (20, 5, 1))[0],
            completed_at=f"{randomness.choices(days, range(1, 13))[0]}T{randomness.randrange(24):02d}:00:00Z",
            tokens={"transcription": randomness.randrange(50)},
        )
        for number in range(200)
    ]
    # What lies behind the clock is refused; the rest is enough.
    assert deployment.ledger.record(jobs).accepted > 120
    return deployment


def matching(jobs: list[LedgerJob], api_key: str | None, tier: int | None) -> list[LedgerJob]:
    return [each for each in jobs if api_key in (None, each.api_key) and tier in (None, each.tier)]


def test_every_walk_gives_what_the_whole_ledger_has(filled: Deployment, randomness: random.Random) -> None:
    for months in MONTHS:
        everything = whole(filled, months)
        for api_key in (None, *KEYS):
            if api_key not in (None, *(key.name for key in filled.ledger.accounts.keys("acme"))):
                continue
            for tier in (None, 1, 2, 3, 4):
                wanted = matching(everything, api_key, tier)
                limit = randomness.choice((1, 7, 50)) if len(wanted) < 60 else 50
                only: dict[str, Any] = {"api_key": api_key, "tier": tier, "limit": limit}
                assert forwards(filled, months, only) == wanted
                assert backwards(filled, months, only) == wanted


def forwards(deployment: Deployment, months: tuple[str, str], only: dict[str, Any]) -> list[LedgerJob]:
    found: list[LedgerJob] = []
    behind: int | None = None
    while True:
        part = deployment.ledger.slice("acme", *months, behind=behind, **only)
        assert (part.previous is not None) == bool(found)
        found += part.jobs
        if part.next is None:
            return found
        assert part.next == part.jobs[-1].rank
        behind = part.next


def backwards(deployment: Deployment, months: tuple[str, str], only: dict[str, Any]) -> list[LedgerJob]:
    found: list[LedgerJob] = []
    before: int | None = 10**9
    while before is not None:
        part = deployment.ledger.slice("acme", *months, before=before, **only)
        assert (part.next is not None) == bool(found)
        found = [*part.jobs, *found]
        before = part.previous
    return found


def test_a_slice_of_nothing_is_empty(filled: Deployment) -> None:
    assert filled.ledger.slice("acme", "2020-01", "2020-02") == LedgerSlice(jobs=())
    assert filled.ledger.slice("acme", "2025-03", "2025-06", behind=10**9).jobs == ()
    assert filled.ledger.slice("acme", "2025-03", "2025-06", before=1).jobs == ()
    assert filled.ledger.slice("acme", "2025-03", "2025-06", tier=99).jobs == ()


def test_what_does_not_exist_is_told(filled: Deployment) -> None:
    with pytest.raises(NotFound, match="key"):
        filled.ledger.slice("acme", api_key="nobody's")
    with pytest.raises(NotFound):
        filled.ledger.slice("nobody")
    with pytest.raises(InvalidInput):
        filled.ledger.slice("acme", "2025-13")
    with pytest.raises(InvalidInput):
        filled.ledger.slice("acme", limit=0)


def test_voided_and_sandbox_jobs_are_in_no_slice(filled: Deployment) -> None:
    before = filled.ledger.slice("acme", "2025-03", "2025-06", limit=1000).jobs
    filled.ledger.record([job("sandboxed", api_key="s", sandbox=True, completed_at="2025-04-01T10:00:00Z")])
    filled.ledger.void("acme", before[0].id, reason="a test")
    after = filled.ledger.slice("acme", "2025-03", "2025-06", limit=1000).jobs
    assert [each.id for each in after] == [each.id for each in before[1:]]
    assert [each.rank for each in after] == [each.rank - 1 for each in before[1:]]
