"""Voiding a job: taking it out of everything that counts, with a reason."""

from __future__ import annotations

from tallystick.errors import Conflict, NotFound
from tallystick.ledger.audit import note
from tallystick.model.jobs import VoidedJob
from tallystick.model.names import check_reason
from tallystick.report.joblines import voided_job
from tallystick.store import accounts, jobs, meters, states, voids
from tallystick.store.database import Store
from tallystick.store.jobs import JobRow
from tallystick.store.rows import is_storable
from tallystick.store.schema import SANDBOX, VOIDED
from tallystick.store.states import StateRow


def void_job(store: Store, account: str, job_id: str, *, reason: str, now: int) -> VoidedJob:
    """Voids a live job of an open month; one that is voided already stays as it was. See `Ledger.void`."""
    check_reason(reason)
    with store.transaction() as connection:
        account_id = accounts.account_named(connection, account).id
        state = states.lock(connection, [account_id])[account_id]
        # Not before the lock: meanwhile a meter could come, and a job of it.
        known_meters = meters.all_meters(connection)
        place = (account_id, job_id)
        row = jobs.find(connection, [place], known_meters).get(place) if is_storable(job_id) else None
        if row is None:
            raise NotFound("the account has no job with this id", code="unknown_job")
        if row.state == VOIDED:
            void = voids.voids_of(connection, account_id, [job_id])[job_id]
        else:
            _check_voidable(state, row)
            void = voids.void(connection, state, row, known_meters, reason=reason, now=now)
            note(connection, now, "job.void", account, job=job_id, reason=reason)
        return voided_job(row, void, known_meters, accounts.key_names(connection, account_id))


def _check_voidable(state: StateRow, row: JobRow) -> None:
    if row.state == SANDBOX:
        raise Conflict("it is a sandbox job, which is never rated; there is nothing to void", code="sandbox_job")
    if state.open_from is not None and row.booked_at < state.open_from:
        month = state.calendar.month_of(row.booked_at)
        raise Conflict(
            f"the job is booked in {month}, which is closed; a statement never changes afterwards", code="month_closed"
        )
