"""What is derived from the jobs, counted anew from the jobs in the plainest way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tallystick.model.calendar import Calendar
from tallystick.store import zones
from tests.databases import run


@dataclass(frozen=True)
class Stored:
    """A live job as it is stored."""

    booked_at: int
    id: str
    key_id: int
    tokens: tuple[int, int]


def live_jobs(database: str, account_id: int) -> list[Stored]:
    rows = run(
        database,
        "SELECT booked_at, id, key_id, tokens_transcription, tokens_note_generation FROM job"
        " WHERE account_id = ? AND state = 0",
        account_id,
    )
    found = [Stored(booked_at, job_id, key, (one, two)) for booked_at, job_id, key, one, two in rows]
    return sorted(found, key=lambda stored: (stored.booked_at, stored.id.encode()))


def add_up(found: Sequence[Stored]) -> dict[int, tuple[int, ...]]:
    """Jobs and tokens per key."""
    totals: dict[int, tuple[int, ...]] = {}
    for stored in found:
        known = totals.get(stored.key_id, (0, 0, 0))
        totals[stored.key_id] = tuple(map(sum, zip(known, (1, *stored.tokens), strict=True)))
    return totals


def calendar_of(database: str, account_id: int) -> Calendar:
    ((zone,),) = run(database, "SELECT time_zone FROM account_state WHERE account_id = ?", account_id)
    return zones.calendar(zone)


def stale_boundaries(database: str, account_id: int) -> list[int]:
    """The ranks of kept boundaries that are not what the jobs say."""
    found, calendar = live_jobs(database, account_id), calendar_of(database, account_id)
    stale = []
    kept = run(database, "SELECT rank, day, booked_at, job_id FROM boundary WHERE account_id = ?", account_id)
    for rank, day, booked_at, job_id in kept:
        usage = run(
            database,
            "SELECT key_id, jobs, tokens_transcription, tokens_note_generation FROM boundary_usage"
            " WHERE account_id = ? AND rank = ?",
            account_id,
            rank,
        )
        last = found[rank - 1]
        of_the_day = [stored for stored in found[:rank] if calendar.day_of(stored.booked_at) == day]
        expected = (calendar.day_of(last.booked_at), last.booked_at, last.id, add_up(of_the_day))
        if (day, booked_at, job_id, {key: tuple(sums_) for key, *sums_ in usage}) != expected:
            stale.append(rank)
    return stale


def check_rollups(database: str, account_id: int) -> None:
    found, calendar = live_jobs(database, account_id), calendar_of(database, account_id)
    for table, stretch, place in (
        ("usage_day", "day", calendar.day_of),
        ("usage_month", "month", lambda instant: calendar.month_of(instant).index),
    ):
        rows = run(
            database,
            f"SELECT {stretch}, key_id, jobs, tokens_transcription, tokens_note_generation FROM {table}"
            " WHERE account_id = ?",
            account_id,
        )
        expected = {
            (where, key): totals
            for where in {place(stored.booked_at) for stored in found}
            for key, totals in add_up([stored for stored in found if place(stored.booked_at) == where]).items()
        }
        assert {(where, key): tuple(sums_) for where, key, *sums_ in rows} == expected, table
    ((live,),) = run(database, "SELECT live_jobs FROM account_state WHERE account_id = ?", account_id)
    assert live == len(found)
