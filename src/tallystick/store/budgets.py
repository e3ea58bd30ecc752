"""Budgets, by account and key."""

from __future__ import annotations

import json
from collections.abc import Collection
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, delete, select

from tallystick.model.budgets import Budget
from tallystick.model.money import plain
from tallystick.store import schema
from tallystick.store.rows import insert_or, parts

_budget = schema.budget

WHOLE_ACCOUNT: Final = 0
"""Stands for the key of a budget that is the whole account's; keys count from 1."""


def budgets_of(connection: Connection, account_ids: Collection[int]) -> dict[int, dict[int, Budget]]:
    """Budgets by account and the number of their key; accounts without any are left out."""
    found: dict[int, dict[int, Budget]] = {}
    for ids in parts(account_ids):
        for account_id, key_id, amount, percents in connection.execute(
            select(_budget.c.account_id, _budget.c.key_id, _budget.c.amount, _budget.c.thresholds).where(
                _budget.c.account_id.in_(ids)
            )
        ):
            budget = Budget(Decimal(amount), tuple(json.loads(percents)))
            found.setdefault(account_id, {})[key_id] = budget
    return found


def put_budget(connection: Connection, account_id: int, key_id: int, budget: Budget) -> None:
    """Stores a budget, in the place of the one that there was."""
    values = {"amount": plain(budget.amount), "thresholds": json.dumps(budget.thresholds)}
    connection.execute(
        insert_or(connection)(_budget)
        .values(account_id=account_id, key_id=key_id, **values)
        .on_conflict_do_update(index_elements=["account_id", "key_id"], set_=values)
    )


def remove_budget(connection: Connection, account_id: int, key_id: int) -> bool:
    """Removes a budget; tells whether there was one."""
    where = (_budget.c.account_id == account_id, _budget.c.key_id == key_id)
    return connection.execute(delete(_budget).where(*where)).rowcount > 0
