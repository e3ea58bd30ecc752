"""Building anew, from the jobs, what was found to be kept wrongly."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from tallystick.errors import StoreError
from tallystick.model.plans import Meter
from tallystick.store import boundaries, notices, postgresql, rollups, states, sums
from tallystick.store import meters as meter_columns
from tallystick.store.rows import is_sqlite, parts
from tallystick.store.states import StateRow


def rebuild(connection: Connection, account_ids: Iterable[int]) -> None:
    """Replaces everything derived of some accounts, whose numbers ascend, and removes it where there is no account.

    Each account's state row is held from before its jobs are read until the transaction ends, so that nobody adds
    to what is being replaced; they are locked in the order in which ingest locks them.
    """
    if not is_sqlite(connection):
        postgresql.lift_limits(connection)
    meters = meter_columns.all_meters(connection)
    for part in parts(account_ids):
        held = states.lock(connection, states.known(connection, part))
        for account_id in part:
            state = held.get(account_id)
            if state is None:
                boundaries.clear(connection, account_id)
                rollups.clear(connection, account_id)
                continue
            _rebuild_one(connection, state, meters)


def _rebuild_one(connection: Connection, state: StateRow, meters: tuple[Meter, ...]) -> None:
    try:
        sums.rebuild(connection, state.account_id, state.calendar, meters)
    except (OverflowError, ValueError) as error:
        raise StoreError(
            f"nothing was repaired: account {state.account_id} has a job booked on no day of the calendar ({error})"
        ) from error
    states.recount(connection, state.account_id)
    notices.ask_for_look(connection, state.account_id, versions=1)
