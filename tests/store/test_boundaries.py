"""Boundaries of many accounts and ranks, found together: against the jobs themselves, counted one by one."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest

from benchmarks.histories import Counter as Counted
from benchmarks.histories import add_account, forget_boundaries
from tallystick.ledger import Ledger
from tallystick.model.instants import DAY
from tallystick.model.months import Month
from tallystick.model.usage import Usage, total
from tallystick.report import growth
from tallystick.store import boundaries, rollups, zones
from tallystick.store.boundaries import Cut, CutDay, Mark, Rest
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
    return stored.booked_at // DAY


def usage(jobs: list[Stored]) -> dict[int, Usage]:
    return {key: Usage(count, tokens) for key, (count, *rest) in add_up(jobs).items() for tokens in [tuple(rest)]}


def total_usage(jobs: list[Stored]) -> Usage:
    return total([Usage(0, (0, 0)), *usage(jobs).values()])


def by_day(jobs: list[Stored]) -> dict[int, list[Stored]]:
    return {day: [stored for stored in jobs if day_of(stored) == day] for day in map(day_of, jobs)}


def test_cuts_hold_the_first_jobs_of_their_days_however_many_are_asked_for(
    deployment: Deployment, accounts: dict[int, list[Stored]]
) -> None:
    expected = {
        Cut(number, day * DAY, count): of_day[:count]
        for number, jobs in accounts.items()
        for day, of_day in by_day(jobs).items()
        for count in range(1, len(of_day) + 1)
    }
    assert len(expected) == 3 * JOBS
    with deployment.ledger._store.snapshot() as connection:
        meters = all_meters(connection)
        for asked in ([*expected], random.Random(1).sample(sorted(expected), 20), []):
            own = {cut: expected[cut] for cut in asked}
            assert boundaries.derive(connection, asked, meters) == {cut: usage(jobs) for cut, jobs in own.items()}
            sums = {cut: total_usage(jobs) for cut, jobs in own.items()}
            assert boundaries.derive_totals(connection, asked, meters) == sums
            positions = {cut: Position(jobs[-1].booked_at, jobs[-1].id) for cut, jobs in own.items()}
            assert boundaries.positions(connection, asked) == positions


def test_rests_hold_the_last_jobs_before_an_instant(deployment: Deployment, accounts: dict[int, list[Stored]]) -> None:
    expected = {
        Rest(number, (day + 1) * DAY, count): total_usage(of_day[-count:])
        for number, jobs in accounts.items()
        for day, of_day in by_day(jobs).items()
        for count in range(1, len(of_day) + 1)
    }
    with deployment.ledger._store.snapshot() as connection:
        assert boundaries.rest_totals(connection, [*expected], all_meters(connection)) == expected
        assert boundaries.rest_totals(connection, [], all_meters(connection)) == {}


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
    sums = {}
    for number, jobs in accounts.items():
        for mark, through in marks_of(number, jobs).items():
            of_day = by_day(jobs)[day := day_of(through[-1])]
            count = len(by_day(through)[day])
            expected[mark] = CutDay(day, count, count == len(of_day))
            earlier = total_usage(through[: len(through) - count])
            sums[mark] = boundaries.CutDayTotals(expected[mark], earlier, total_usage(of_day))
    with deployment.ledger._store.snapshot() as connection:
        assert boundaries.cut_days(connection, list(expected)) == expected
        assert boundaries.cut_days(connection, []) == {}
        assert boundaries.cut_day_totals(connection, list(expected), all_meters(connection)) == sums
        assert boundaries.cut_day_totals(connection, [], all_meters(connection)) == {}


@pytest.mark.parametrize("near", [0, 3, 2 * JOBS])
def test_sums_up_to_a_rank_are_those_of_its_months_first_jobs_wherever_they_are_read(
    deployment: Deployment, accounts: dict[int, list[Stored]], near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "NEAR", near)
    marks = {
        mark: (number, through) for number, jobs in accounts.items() for mark, through in marks_of(number, jobs).items()
    }
    months = {}
    for mark, (number, _) in marks.items():
        months[mark] = total_usage([j for j in accounts[number] if mark.first_day <= day_of(j) <= mark.last_day])
    expected = {mark: total_usage(through) for mark, (_, through) in marks.items()}
    calendars = dict.fromkeys(accounts, zones.calendar("UTC"))

    def found(asked: Iterable[Mark]) -> tuple[dict[Mark, Usage], dict[int, set[int]]]:
        with deployment.ledger._store.snapshot() as connection:
            own = {mark: months[mark] for mark in asked}
            return growth.sums_up_to(connection, own, calendars, all_meters(connection))

    sums, derived = found(marks)
    assert sums == expected
    few = random.Random(near).sample(sorted(marks), 20)
    assert found(few)[0] == {mark: expected[mark] for mark in few}
    assert found([]) == ({}, {})
    with deployment.ledger._store.transaction() as connection:
        boundaries.keep(connection, derived)
    assert bool(derived) == (near < JOBS)
    assert found(marks) == (expected, {})


def test_what_is_kept_is_given_back_for_the_ranks_that_are_asked_for(
    deployment: Deployment, accounts: dict[int, list[Stored]]
) -> None:
    kept = {number: sorted(random.Random(number).sample(range(1, JOBS + 1), 9)) for number in accounts}
    with deployment.ledger._store.transaction() as connection:
        boundaries.keep(connection, {number: [*ranks, JOBS + 1] for number, ranks in kept.items()})
    expected = {}
    asked = []
    for number, jobs in accounts.items():
        for mark, through in marks_of(number, jobs).items():
            if mark.rank % 2:
                asked.append(mark)
                if mark.rank in kept[number]:
                    day = day_of(through[-1])
                    own = [stored for stored in through if day_of(stored) == day]
                    expected[mark] = (day, usage(own))
    with deployment.ledger._store.snapshot() as connection:
        assert boundaries.kept(connection, asked, all_meters(connection)) == expected
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
    own = [[j for j in accounts[n] if a <= day_of(j) <= b] for n, a, b in spans]
    with deployment.ledger._store.snapshot() as connection:
        meters = all_meters(connection)
        assert rollups.sums_of(connection, spans, meters) == [usage(jobs) for jobs in own]
        found = [[tuple(row) for row in rows] for rows in rollups.totals_by_day(connection, spans, meters)]
    expected = [
        [
            (day, sums.jobs, *sums.tokens)
            for day, of_day in sorted(by_day(jobs).items())
            for sums in [total_usage(of_day)]
        ]
        for jobs in own
    ]
    assert found == expected


def test_many_boundaries_on_one_day_are_found_in_one_walk_over_it(tmp_path: Any) -> None:
    """Counted in steps of SQLite: a hundred ranks of a day of 5,500 jobs cost about what the last of them does."""
    with Ledger(f"sqlite:///{tmp_path}/t.db") as ledger:
        account = add_account(ledger, "acme", 6000)
        counter = Counted(ledger)

        def cost(ranks: list[int]) -> int:
            forget_boundaries(ledger)
            with counter.counting(), ledger._store.transaction() as connection:
                boundaries.keep(connection, {account: ranks})
            return counter.cost.steps

        one = cost([5400])
        many = cost([54 * number for number in range(1, 101)])
        assert many < 2 * one
