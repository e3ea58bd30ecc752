"""Budgets of accounts and keys: set, removed, and seen beside what the month has cost so far."""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal

from tallystick.errors import InvalidInput, NotFound
from tallystick.ledger.audit import note
from tallystick.model.accounts import KeyKind
from tallystick.model.budgets import BudgetReport, checked_budget
from tallystick.model.money import plain
from tallystick.report.budgets import budget_report
from tallystick.report.usage import open_account
from tallystick.store import accounts, budgets, notices
from tallystick.store.budgets import WHOLE_ACCOUNT
from tallystick.store.database import Connection, Store


class Budgets:
    """What accounts and keys mean to spend in a month."""

    def __init__(self, store: Store, clock: Callable[[], int], keep: Callable[[int, Collection[int]], None]) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep

    def list(self, account: str) -> BudgetReport:
        """An account's budgets, what the current month has used of them, and the thresholds that it has passed.

        Raises `NotFound` (code ``unknown_account``).
        """
        with self._store.snapshot() as connection:
            opened = open_account(connection, account)
            report = budget_report(connection, opened, now=self._clock())
        self._keep(opened.account.id, opened.reader.derived)
        return report

    def set(
        self,
        account: str,
        api_key: str | None = None,
        *,
        amount: str | int | Decimal,
        thresholds: Collection[int] | None = None,
    ) -> BudgetReport:
        """Sets the monthly budget of an account, or of one of its keys, in the place of the one that it had.

        `amount` is a decimal in the account's currency, `thresholds` are whole percents of it (50, 80 and 100 where
        they are left out; an empty list tells of none). Gives the account's budgets as they are then. Raises
        `InvalidInput` naming the parameter and `NotFound` (codes ``unknown_account``, ``unknown_key``).
        """
        budget = checked_budget(amount, thresholds)
        with self._store.transaction() as connection:
            account_id = accounts.account_named(connection, account).id
            key_id = _checked_key(connection, account_id, api_key)
            budgets.put_budget(connection, account_id, key_id, budget)
            told = {"api_key": api_key, "amount": plain(budget.amount), "thresholds": list(budget.thresholds)}
            note(connection, self._clock(), "budget.set", account, **told)
            # It may be passed already, and nothing else of the account need change.
            notices.ask_for_look(connection, account_id)
        # Not in the transaction: a report may take a while, and writers of SQLite wait for each other.
        return self.list(account)

    def remove(self, account: str, api_key: str | None = None) -> None:
        """Removes the budget of an account, or of one of its keys.

        Raises `NotFound` (codes ``unknown_account``, ``unknown_key``, and ``unknown_budget`` where it has none).
        """
        with self._store.transaction() as connection:
            account_id = accounts.account_named(connection, account).id
            key_id = WHOLE_ACCOUNT if api_key is None else accounts.key_named(connection, account_id, api_key).id
            if not budgets.remove_budget(connection, account_id, key_id):
                whose = "account" if api_key is None else "API key"
                raise NotFound(f"the {whose} has no budget", code="unknown_budget")
            note(connection, self._clock(), "budget.remove", account, api_key=api_key)


def _checked_key(connection: Connection, account_id: int, api_key: str | None) -> int:
    if api_key is None:
        return WHOLE_ACCOUNT
    key = accounts.key_named(connection, account_id, api_key)
    if key.kind is KeyKind.SANDBOX:
        raise InvalidInput.parameter("api_key", "is a sandbox key, whose jobs are never rated")
    return key.id
