"""Boundaries of many accounts and ranks, found together: against the jobs themselves, counted one by one."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from benchmarks.histories import Counter as Counted
from benchmarks.histories import add_account, forget_boundaries
from tallystick.ledger import Ledger
from tallystick.model.months import Month
from tallystick.model.usage import Usage
from tallystick.store import boundaries, rollups
from tallystick.store.boundaries import Cut, CutDay, Mark
from tallystick.store.jobs import Position
from tallystick.store.meters import all_meters
from tests.embedded import Deployment, job
from tests.store.recount import Stored, add_up, live_jobs

JOBS = 60
IDS = ("a", "é", "\ue000", "\ufffd", "\U00010000")


@pytest.fixture
def accounts(deployment: Deployment, randomness: random.Random) -> dict[int, list[Stored]]:
    """Three accounts by their numbers, with jobs of two keys on a few days of two months, many at one instant."""
    for name in ("one", "two", "three"):
        documents = [
            job(
                f"{randomness.choice(IDS)} {number}",
                account=name,
                api_key=f"key {randomness.randrange(2)}",
                completed_at=f"2025-{randomness.choice((4, 5)):02d}-{randomness.choice((1, 2, 30)):02d}T12:00:00Z",
                tokens={"transcription": randomness.randrange(100), "note_generation": 1},
            )
            for number in range(JOBS)
        ]
        assert deployment.ledger.record(documents).accepted == JOBS
    numbers = [number for (number,) in deployment.rows("SELECT id FROM account")]
    return {number: live_jobs(deployment.database, number) for number in numbers}


def day_of(stored: Stored) -> int:
    return stored.booked_at // 86_400_000_000


def usage(jobs: list[Stored], *, by_key: bool) -> dict[int, Usage]:
    sums = add_up(jobs if by_key else [Stored(j.booked_at, j.id, rollups.ALL_KEYS, j.tokens) for j in jobs])
    return {key: Usage(count, tokens) for key, (count, *rest) in sums.items() for tokens in [tuple(rest)]}


@pytest.mark.parametrize("by_key", [True, False])
def test_cuts_hold_the_first_jobs_of_their_days_however_many_are_asked_for(
    deployment: Deployment, accounts: dict[int, list[Stored]], by_key: bool
) -> None:
    expected = {}
    positions = {}
    for number, jobs in accounts.items():
        for start in {day_of(stored) * 86_400_000_000 for stored in jobs}:
            of_day = [stored for stored in jobs if day_of(stored) * 86_400_000_000 == start]
            for count in range(1, len(of_day) + 1):
                cut = Cut(number, start, count)
                expected[cut] = usage(of_day[:count], by_key=by_key)
                positions[cut] = Position(of_day[count - 1].booked_at, of_day[count - 1].id)
    assert len(expected) == 3 * JOBS
    with deployment.ledger._store.snapshot() as connection:
        meters = all_meters(connection)
        assert boundaries.derive(connection, expected, meters, by_key=by_key) == expected
        assert boundaries.positions(connection, positions) == positions
        few = random.Random(1).sample(sorted(expected), 20)
        assert boundaries.derive(connection, few, meters, by_key=by_key) == {cut: expected[cut] for cut in few}
        assert boundaries.derive(connection, [], meters, by_key=by_key) == {}
        assert boundaries.positions(connection, []) == {}


def marks_of(number: int, jobs: list[Stored]) -> dict[Mark, list[Stored]]:
    """A mark for each rank, within its month, and that month's jobs up to it."""
    found = {}
    for rank, stored in enumerate(jobs, 1):
        month = Month.of_day(day_of(stored))
        before = sum(Month.of_day(day_of(other)) < month for other in jobs)
        found[Mark(number, rank, month.first_day, month.last_day, before)] = jobs[before:rank]
    return found


def test_each_mark_is_found_on_its_day(deployment: Deployment, accounts: dict[int, list[Stored]]) -> None:
    expected = {}
    for number, jobs in accounts.items():
        sizes = Counter(map(day_of, jobs))
        for mark, through in marks_of(number, jobs).items():
            day = day_of(through[-1])
            count = sum(day_of(stored) == day for stored in through)
            expected[mark] = CutDay(day, count, count == sizes[day])
    with deployment.ledger._store.snapshot() as connection:
        assert boundaries.cut_days(connection, list(expected)) == expected
        assert boundaries.cut_days(connection, []) == {}


@pytest.mark.parametrize("by_key", [True, False])
def test_what_is_kept_is_given_back_for_the_ranks_that_are_asked_for(
    deployment: Deployment, accounts: dict[int, list[Stored]], by_key: bool
) -> None:
    kept = {number: sorted(random.Random(number).sample(range(1, JOBS + 1), 9)) for number in accounts}
    for number, ranks in kept.items():
        with deployment.ledger._store.transaction() as connection:
            boundaries.keep(connection, number, [*ranks, JOBS + 1])
    expected = {}
    asked = []
    for number, jobs in accounts.items():
        for mark, through in marks_of(number, jobs).items():
            if mark.rank % 2:
                asked.append(mark)
                if mark.rank in kept[number]:
                    day = day_of(through[-1])
                    own = [stored for stored in through if day_of(stored) == day]
                    expected[mark] = (day, usage(own, by_key=by_key))
    with deployment.ledger._store.snapshot() as connection:
        assert boundaries.kept(connection, asked, all_meters(connection), by_key=by_key) == expected
        assert boundaries.kept(connection, [], all_meters(connection)) == {}
    rows = deployment.rows("SELECT account_id, rank FROM boundary ORDER BY account_id, rank")
    assert rows == [(number, rank) for number in sorted(kept) for rank in kept[number]]


def test_a_rank_is_told_its_day(deployment: Deployment, accounts: dict[int, list[Stored]]) -> None:
    with deployment.ledger._store.snapshot() as connection:
        for number, jobs in accounts.items():
            for rank in (1, 7, JOBS):
                assert boundaries.day_of_rank(connection, number, rank) == day_of(jobs[rank - 1])
            assert boundaries.day_of_rank(connection, number, JOBS + 1) is None


def test_spans_are_summed_by_key_and_together(deployment: Deployment, accounts: dict[int, list[Stored]]) -> None:
    first, last = Month.of(2025, 4).first_day, Month.of(2025, 5).last_day
    spans = [(n, a, b) for n in accounts for a, b in ((first, last), (first, first), (first + 29, first + 31), (0, 9))]
    for by_key in (True, False):
        expected: list[Any] = [
            usage([j for j in accounts[n] if a <= day_of(j) <= b], by_key=by_key) for n, a, b in spans
        ]
        with deployment.ledger._store.snapshot() as connection:
            assert rollups.sums_of(connection, spans, all_meters(connection), by_key=by_key) == expected


def test_many_boundaries_on_one_day_are_found_in_one_walk_over_it(tmp_path: Any) -> None:
    """Counted in steps of SQLite: a hundred ranks of a day of 5,500 jobs cost about what the last of them does."""
    with Ledger(f"sqlite:///{tmp_path}/t.db") as ledger:
        account = add_account(ledger, "acme", 6000)
        counter = Counted(ledger)

        def cost(ranks: list[int]) -> int:
            forget_boundaries(ledger)
            with counter.counting(), ledger._store.transaction() as connection:
                boundaries.keep(connection, account, ranks)
            return counter.cost.steps

        one = cost([5400])
        many = cost([54 * number for number in range(1, 101)])
        assert many < 2 * one
