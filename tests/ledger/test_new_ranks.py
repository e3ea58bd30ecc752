"""Ranks that no plan had before, in the middle of a day of many jobs: right at once, and cheap from then on."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.histories import NOW as NOW_OF_HISTORIES
from benchmarks.histories import PERIOD, Counter, add_account
from tallystick.ledger import Ledger
from tallystick.model.plans import parse_plan
from tests.embedded import NOW, Deployment, Document, job
from tests.properties.playing import digits, expected_digits
from tests.reference.rater import Provider
from tests.reference.strategies import STANDARD

JOBS = 1500
MONTHS = ("2025-04", "2025-06")


def edged(name: str, ranks: list[int], **fields: Any) -> Document:
    """The standard plan with tiers that begin behind those ranks."""
    tiers = [{"after_jobs": rank, "discount": f"{place}.5"} for place, rank in enumerate([0, *sorted(ranks)])]
    return {**STANDARD, "name": name, "tiers": tiers, **fields}


def busy_day(randomness: random.Random) -> list[Document]:
    """Jobs of one day of May, most of them sharing their instant with others, and a few in the days around it."""
    moments = [f"2025-05-10T{randomness.randrange(24):02}:{randomness.randrange(4)}0:00Z" for _ in range(JOBS)]
    moments += [f"2025-{month:02}-09T12:00:00Z" for month in (4, 4, 5, 5, 6)]
    return [
        job(
            number,
            api_key=f"key {number % 3}",
            completed_at=moment,
            tokens={"transcription": randomness.randrange(10_000), "note_generation": number},
        )
        for number, moment in enumerate(moments)
    ]


@pytest.mark.parametrize("reset", ["never", "month"])
def test_new_ranks_within_a_day_are_rated_as_the_reference_rates_each_job(
    deployment: Deployment, randomness: random.Random, reset: str
) -> None:
    """Tried, read at once, read again, and read after a late job has moved the jobs behind it."""
    jobs = busy_day(randomness)
    ledger, provider, now = deployment.ledger, Provider(), datetime.fromisoformat(NOW)
    provider.put_plan(STANDARD)
    assert ledger.record(jobs).accepted == sum(provider.submit(each, now) == "accepted" for each in jobs)

    def check() -> None:
        assert digits(ledger.usage("acme", *MONTHS)) == expected_digits(provider, "acme", *MONTHS, now)

    check()
    # Near no rank of the standard plan and not at the day's end, so that each is new and falls within the day.
    free_jobs, *edges = randomness.sample([rank for rank in range(JOBS) if 10 < rank % 100 < 90], 4)
    new = edged("new", edges, reset=reset, free_jobs=free_jobs)
    (tried,) = ledger.plans.simulate(parse_plan(new), *MONTHS)
    provider.put_plan(new)
    ledger.plans.put(parse_plan(new))
    provider.accounts["acme"].plans["2025-01"] = "new"
    ledger.accounts.change("acme", plan="new", plan_from="2025-01")
    kept = deployment.count("boundary")
    assert tried.new_total == ledger.usage("acme", *MONTHS).totals.final_cost
    assert deployment.count("boundary") >= kept + 4
    check()
    check()
    late = job("late", completed_at="2025-05-10T12:00:00Z", tokens={"transcription": 77})
    assert ledger.record([late]).accepted == 1
    assert provider.submit(late, now) == "accepted"
    check()


def test_once_its_boundary_is_kept_a_new_rank_costs_what_any_other_does(tmp_path: Path) -> None:
    """Counted in steps of SQLite, of an account whose first day has 5,500 jobs."""
    with Ledger(f"sqlite:///{tmp_path}/t.db", clock=lambda: NOW_OF_HISTORIES) as ledger:
        add_account(ledger, "acme", 6000)
        counter = Counter(ledger)

        def steps(plan: str) -> list[int]:
            ledger.accounts.change("acme", plan=plan, plan_from=PERIOD[0])
            found = []
            for _ in range(2):
                with counter.counting():
                    ledger.usage("acme", *PERIOD)
                found.append(counter.cost.steps)
            return found

        ledger.plans.put(parse_plan(edged("early", [30, 40, 50], free_jobs=0)))
        ledger.plans.put(parse_plan(edged("late", [5000, 5200, 5400], free_jobs=0)))
        early, late = steps("early"), steps("late")
        assert late[0] > early[0] + 5400  # the day's jobs were read
        assert late[1] < 1.03 * early[1]
