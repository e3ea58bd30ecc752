"""Voided jobs: kept in the ledger with the reason, and counted nowhere."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from tallystick.errors import StoreError
from tallystick.model.plans import Meter
from tallystick.store import boundaries, jobs, notices, schema, states, sums
from tallystick.store.jobs import JobRow, Position
from tallystick.store.rows import parts
from tallystick.store.states import Advance, StateRow

_voided = schema.voided_job


class VoidRow(NamedTuple):
    """When a job was voided, and why."""

    voided_at: int
    reason: str


def void(
    connection: Connection, state: StateRow, row: JobRow, meters: tuple[Meter, ...], *, reason: str, now: int
) -> VoidRow:
    """Takes a live job out of everything that counts jobs. The caller holds the account's state row, `state`."""
    jobs.mark_voided(connection, row)
    sums.take_out(connection, state.account_id, state.calendar, row, meters)
    boundaries.discard(connection, [(state.account_id, Position(row.booked_at, row.id))])
    states.advance(connection, [Advance(-1, state.recorded_at, state.account_id)])
    # For the running month alone: there a dear job may fall back into the tier before, and cost more.
    notices.ask_for_look(connection, state.account_id, versions=1)
    connection.execute(insert(_voided).values(account_id=state.account_id, job_id=row.id, voided_at=now, reason=reason))
    return VoidRow(now, reason)


def voids_of(connection: Connection, account_id: int, job_ids: Collection[str]) -> dict[str, VoidRow]:
    """When and why each of some voided jobs was voided, by its id.

    Raises `StoreError` (code ``void_missing``) where that was lost of one.
    """
    found: dict[str, VoidRow] = {}
    for part in parts(job_ids):
        rows = connection.execute(
            select(_voided.c.job_id, _voided.c.voided_at, _voided.c.reason).where(
                _voided.c.account_id == account_id, _voided.c.job_id.in_(part)
            )
        )
        found.update((job_id, VoidRow(voided_at, reason)) for job_id, voided_at, reason in rows)
    lost = next((job_id for job_id in job_ids if job_id not in found), None)
    if lost is not None:
        raise StoreError(
            f"the job {lost!r} is voided, and when and why is missing from the database; run: tallystick db check",
            code="void_missing",
        )
    return found
