"""Closing months: sealed first, in a moment; then each statement is written, in any time.

Sealing holds the account's state row, under which ingest books (design rule 7): a job is in the ledger before it and so
in the statement, or comes behind it and is booked in an open month. From then on the month is frozen, and its statement
follows from it alone. So a closing that was broken off goes on with the same bytes, several processes may close at the
same time, and a statement is there whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import msgspec

from tallystick.errors import StoreError, StoreUnavailable
from tallystick.ledger.audit import note
from tallystick.ledger.signing import Signer
from tallystick.model import instants
from tallystick.model.instants import HOUR, format_instant
from tallystick.model.money import plain
from tallystick.model.months import Month
from tallystick.model.statement import ClosedAccount, PreviousStatement, document_digest
from tallystick.report.statements import read_statement
from tallystick.report.usage import open_account
from tallystick.settings import Settings
from tallystick.store import plans, statements, states
from tallystick.store.accounts import AccountRow
from tallystick.store.database import Connection, Store
from tallystick.store.statements import StatementRow
from tallystick.store.states import StateRow

_ATTEMPTS: Final = 5
_STATEMENTS_AT_ONCE: Final = 12
"""Statements that are read from one snapshot and written in one transaction."""

_Result = TypeVar("_Result")


class Closing:
    """Closes one month of accounts, one after the other."""

    def __init__(
        self, store: Store, settings: Settings, clock: Callable[[], int], signer: Callable[[], Signer]
    ) -> None:
        self._store = store
        self._grace = settings.grace_hours * HOUR
        self._clock = clock
        self._signer = signer

    def close(self, account: AccountRow, month: Month) -> ClosedAccount:
        """Closes the account's months up to this one and writes the statements that are missing."""
        with self._store.snapshot() as connection:
            state = states.read(connection, account.id)
            outcome = self._judge(connection, account, state, month)
            done = outcome.outcome == "already" and statements.of_month(connection, account.id, month) is not None
        if done or outcome.outcome in ("early", "none"):
            return outcome
        # A month that is sealed must get its statement: where nothing can be signed, nothing is sealed.
        self._signer()
        outcome = self._again(lambda: self._seal(account, month))
        written: list[str] = []
        while outcome.outcome in ("closed", "already") and (part := self._again(lambda: self._write_next(account))):
            written += part
        return msgspec.structs.replace(outcome, statements=tuple(written))

    def _again(self, work: Callable[[], _Result]) -> _Result:
        """Does what does no harm twice again where ingest stood in its way."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return work()
            except StoreUnavailable:
                continue
        return work()

    def _seal(self, account: AccountRow, month: Month) -> ClosedAccount:
        with self._store.transaction() as connection:
            # A change of plans either is complete before this, or sees that the month is closed.
            plans.hold(connection)
            state = states.lock(connection, [account.id])[account.id]
            outcome = self._judge(connection, account, state, month)
            if outcome.outcome == "closed":
                statements.seal(connection, account.id, month)
                note(connection, self._clock(), "month.close", account.name, month=str(month))
        return outcome

    def _judge(self, connection: Connection, account: AccountRow, state: StateRow, month: Month) -> ClosedAccount:
        """What becomes of the account: ``closed`` where its month can be closed now."""
        due_at = min(state.calendar.month_start(month + 1) + self._grace, instants.LAST)
        if state.closed_through is not None and state.closed_through >= month.index:
            return ClosedAccount(account=account.name, outcome="already")
        if self._clock() < due_at:
            return ClosedAccount(account=account.name, outcome="early", due_at=format_instant(due_at))
        if _first_month(connection, account, state) > month:
            return ClosedAccount(account=account.name, outcome="none")
        return ClosedAccount(account=account.name, outcome="closed")

    def _write_next(self, account: AccountRow) -> list[str]:
        """Writes the first of the statements that are missing, and gives their months; none where all are there."""
        with self._store.snapshot() as connection:
            made = list(self._missing(connection, account))
        if made:
            with self._store.transaction() as connection:
                statements.add(connection, made)
                _check_unchanged(connection, made)
        return [str(Month(row.month)) for row in made]

    def _missing(self, connection: Connection, account: AccountRow) -> Iterator[StatementRow]:
        opened = open_account(connection, account.name)
        last = statements.last(connection, account.id)
        state = states.read(connection, account.id)
        if state.closed_through is None:
            return
        first = _first_month(connection, account, state) if last is None else Month(last.month) + 1
        previous = None if last is None else PreviousStatement(str(Month(last.month)), last.sha256)
        until = min(Month(state.closed_through), first + (_STATEMENTS_AT_ONCE - 1))
        for month in first.to(until):
            statement = read_statement(connection, opened, month, previous)
            document = statement.to_bytes()
            signed = self._signer().signed(document)
            yield StatementRow(
                account_id=account.id,
                month=month.index,
                document=document.decode(),
                sha256=signed.sha256,
                jobs=statement.jobs.live,
                final_cost=plain(statement.rounded.final_cost),
                closed_at=self._clock(),
                signed_by=signed.signed_by,
                signature=signed.signature,
                late=statement.jobs.late,
                voided=statement.jobs.voided,
            )
            previous = PreviousStatement(str(month), document_digest(document))


def _first_month(connection: Connection, account: AccountRow, state: StateRow) -> Month:
    """The month in which the account's history begins: that of its first job, or that in which it was made.

    It does not change once any month is sealed, since nothing is booked before then.
    """
    booked_at = statements.first_booking(connection, account.id)
    began_at = account.created_at if booked_at is None else min(booked_at, account.created_at)
    return state.calendar.month_of(began_at)


def _check_unchanged(connection: Connection, made: list[StatementRow]) -> None:
    """Raises `StoreError` where another process has written other statements for the same months."""
    first, last = Month(made[0].month), Month(made[-1].month)
    stored = statements.digests(connection, made[0].account_id, first, last)
    differing = [str(Month(row.month)) for row in made if stored[Month(row.month)] != row.sha256]
    if differing:
        raise StoreError(
            f"the stored statement of {differing[0]} is another than the ledger gives; it stays as it is, and somebody "
            "must look at both",
            code="statement_differs",
        )
