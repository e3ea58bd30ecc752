"""Statements: closing months, and reading what they came to."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from tallystick.errors import Conflict, NotFound, StoreError
from tallystick.ledger.closing import Closing
from tallystick.ledger.signing import Signer, Signing
from tallystick.model.instants import format_instant
from tallystick.model.months import Month
from tallystick.model.statement import ClosedAccount, CloseResult, ClosingError, SignedStatement, StatementInfo
from tallystick.settings import Settings
from tallystick.store import accounts, statements
from tallystick.store.database import Store

OF_ONE_ACCOUNT: Final = frozenset({"rollups_differ", "statement_differs", "void_missing"})
"""The codes of what hinders the closing of an account and says nothing of the others."""

Progress = Callable[[ClosedAccount, int], None]
"""Hears of each account when it is done, and how many there are in all."""


def _ignore(_: ClosedAccount, __: int) -> None:
    pass


class Statements:
    """Closes months and shows statements, which never change."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], int], signing: Signing) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._signing = signing

    def close(self, month: str, account: str | None = None, *, progress: Progress = _ignore) -> CloseResult:
        """Closes a month (``YYYY-MM``) of every account, or of one, and every earlier month that is still open.

        From then on nothing changes in it: a job that comes late is booked in an open month. Safe to repeat and to
        break off; what is missing is done by the next call. An account whose month has not ended long enough ago is
        left alone, and so is one that begins later. One whose statement cannot be made, since its jobs do not sum to
        its reports, the reason of a void is lost or another statement is stored, is ``failed`` and holds up no other.
        Raises `InvalidInput` for what is no month, `NotFound` (code ``unknown_account``) and `SigningKeyError`; where
        one account is named, also `Conflict` (code ``month_not_over``) and `StoreError` (codes ``rollups_differ``,
        ``statement_differs``, ``void_missing``).
        """
        wanted = Month.parse(month)
        with self._store.snapshot() as connection:
            rows = (
                accounts.list_accounts(connection) if account is None else [accounts.account_named(connection, account)]
            )
        closing = Closing(self._store, self._settings, self._clock, self._signer_once())
        closed = []
        for row in rows:
            try:
                closed.append(closing.close(row, wanted))
            except StoreError as error:
                if account is not None or error.code not in OF_ONE_ACCOUNT:
                    raise
                reason = ClosingError(code=error.code, detail=error.detail)
                closed.append(ClosedAccount(account=row.name, outcome="failed", error=reason))
            progress(closed[-1], len(rows))
        if account is not None and closed[0].outcome == "early":
            raise Conflict(
                f"{wanted} can be closed from {closed[0].due_at} on: it must have ended in the account's time zone, "
                f"and {self._settings.grace_hours} hours of grace with it",
                code="month_not_over",
            )
        return CloseResult(month=str(wanted), accounts=tuple(closed))

    def list(self, account: str) -> tuple[StatementInfo, ...]:
        """An account's statements, the first one first. Raises `NotFound` (code ``unknown_account``)."""
        with self._store.snapshot() as connection:
            row = accounts.account_named(connection, account)
            found = []
            previous = None
            for statement in statements.heads(connection, row.id):
                found.append(
                    StatementInfo(
                        month=str(Month(statement.month)),
                        currency=row.currency,
                        jobs=statement.jobs,
                        late=statement.late,
                        voided=statement.voided,
                        final_cost=Decimal(statement.final_cost),
                        closed_at=format_instant(statement.closed_at),
                        sha256=statement.sha256,
                        previous_sha256=previous,
                        signed_by=statement.signed_by,
                        signature=statement.signature,
                    )
                )
                previous = statement.sha256
        return tuple(found)

    def get(self, account: str, month: str) -> SignedStatement:
        """An account's statement of a month, byte for byte as it was signed.

        Raises `NotFound` (codes ``unknown_account``, and ``no_statement`` where the month is not closed).
        """
        wanted = Month.parse(month)
        with self._store.snapshot() as connection:
            account_id = accounts.account_named(connection, account).id
            row = statements.of_month(connection, account_id, wanted)
        if row is None:
            raise NotFound(f"there is no statement of {wanted}; the month is not closed", code="no_statement")
        return SignedStatement(document=row.document.encode(), signed_by=row.signed_by, signature=row.signature)

    def _signer_once(self) -> Callable[[], Signer]:
        """The signing key, looked up when the first statement needs it, so that nothing to do needs no key."""
        known: list[Signer] = []

        def signer() -> Signer:
            if not known:
                known.append(self._signing.signer())
            return known[0]

        return signer
