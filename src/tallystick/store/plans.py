"""Price plans, their versions, and which account is on which."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from tallystick.errors import Conflict, FieldError, InvalidPlan, NotFound
from tallystick.model.months import Month
from tallystick.model.plans import Plan, PlanVersion, parse_plan
from tallystick.model.schedule import Schedule
from tallystick.store import meters, schema
from tallystick.store.rows import is_sqlite, is_storable, run

_plan = schema.plan
_version = schema.plan_version
_assignment = schema.account_plan
_state = schema.account_state


def lock(connection: Connection) -> None:
    """Lets nobody else change plans until the transaction ends. A write transaction of SQLite does so by itself."""
    if not is_sqlite(connection):
        run(connection, "LOCK TABLE plan IN SHARE ROW EXCLUSIVE MODE")


def hold(connection: Connection) -> None:
    """Lets nobody change plans until the transaction ends; several may hold them so at once."""
    if not is_sqlite(connection):
        run(connection, "LOCK TABLE plan IN SHARE MODE")


def find_plan(connection: Connection, name: str) -> Row[Any] | None:
    """The plan's row (id, name, currency), if there is such a plan."""
    return connection.execute(select(_plan).where(_plan.c.name == name)).first() if is_storable(name) else None


def plan_named(connection: Connection, name: str) -> Row[Any]:
    """The plan's row (id, name, currency). Raises `NotFound` (code ``unknown_plan``)."""
    row = find_plan(connection, name)
    if row is None:
        raise NotFound("there is no such price plan", code="unknown_plan")
    return row


def list_plans(connection: Connection) -> list[Row[Any]]:
    """The plans' rows in the order of their names' bytes."""
    return list(connection.execute(select(_plan).order_by(_plan.c.name)))


def versions_of(connection: Connection, plan_ids: Collection[int]) -> dict[int, list[PlanVersion]]:
    """Each plan's versions, the earliest first."""
    rows = connection.execute(
        select(_version.c.plan_id, _version.c.effective_month, _version.c.document)
        .where(_version.c.plan_id.in_(plan_ids))
        .order_by(_version.c.plan_id, _version.c.effective_month)
    )
    found: dict[int, list[PlanVersion]] = defaultdict(list)
    for plan_id, month, document in rows:
        found[plan_id].append(PlanVersion(Month(month), _stored_plan(document)))
    return found


@lru_cache(maxsize=1024)
def _stored_plan(document: str) -> Plan:
    return parse_plan(json.loads(document), taken_before=True)


def put_plan(connection: Connection, plan: Plan, *, effective_from: Month, now: int) -> None:
    """Stores a version of a plan, in the place of one that takes effect in the same month; adds new meters.

    Raises `InvalidPlan` where the currency is not that of the plan's other versions, or a meter does not fit.
    """
    row = find_plan(connection, plan.name)
    if row is not None and row.currency != plan.currency:
        detail = f"is {row.currency} in the plan's other versions, and accounts keep their currency"
        raise InvalidPlan([FieldError(detail, key="currency")])
    meters.add_meters(connection, [price.meter for price in plan.meters])
    plan_id = row.id if row is not None else _add_plan(connection, plan)
    connection.execute(
        delete(_version).where(_version.c.plan_id == plan_id, _version.c.effective_month == effective_from.index)
    )
    connection.execute(
        insert(_version).values(
            plan_id=plan_id,
            effective_month=effective_from.index,
            document=json.dumps(plan.to_document()),
            created_at=now,
        )
    )


def _add_plan(connection: Connection, plan: Plan) -> int:
    statement = insert(_plan).values(name=plan.name, currency=plan.currency).returning(_plan.c.id)
    plan_id: int = connection.execute(statement).scalar_one()
    return plan_id


def assign(connection: Connection, account_id: int, currency: str, plan: Row[Any], *, effective_from: Month) -> None:
    """Puts an account on a plan from a month on. Raises `Conflict` where the currency is another."""
    if plan.currency != currency:
        raise Conflict(
            f"the plan is in {plan.currency} and the account pays in {currency}, which is fixed",
            code="currency_fixed",
        )
    where = (_assignment.c.account_id == account_id, _assignment.c.effective_month == effective_from.index)
    connection.execute(delete(_assignment).where(*where))
    connection.execute(
        insert(_assignment).values(account_id=account_id, effective_month=effective_from.index, plan_id=plan.id)
    )


def closed_account(connection: Connection, plan_id: int, first: Month, last: Month | None) -> tuple[str, Month] | None:
    """Of the accounts that the plan prices in a closed month from `first` to `last`, the one closed furthest.

    Given with the last month that is closed for it. Whoever asks holds the plans' lock, which a closing waits for.
    """
    # Three stretches of months have one in common where each two of them have: those that were asked for, those in
    # which the account is on the plan, and those that are closed.
    later = _assignment.alias("later")
    until = (
        select(func.min(later.c.effective_month))
        .where(later.c.account_id == _assignment.c.account_id, later.c.effective_month > _assignment.c.effective_month)
        .scalar_subquery()
    )
    query = (
        select(schema.account.c.name, _state.c.closed_through)
        .join(_state, _state.c.account_id == schema.account.c.id)
        .join(_assignment, _assignment.c.account_id == schema.account.c.id)
        .where(
            _assignment.c.plan_id == plan_id,
            _state.c.closed_through >= first.index,
            _state.c.closed_through >= _assignment.c.effective_month,
            func.coalesce(until, first.index + 1) > first.index,
        )
        .order_by(_state.c.closed_through.desc(), schema.account.c.name)
        .limit(1)
    )
    if last is not None:
        query = query.where(_assignment.c.effective_month <= last.index)
    row = connection.execute(query).first()
    return None if row is None else (row.name, Month(row.closed_through))


def schedules(connection: Connection, account_ids: Collection[int] | None = None) -> dict[int, Schedule]:
    """Which plan holds when, per account; of every account where none are named."""
    query = select(_assignment.c.account_id, _assignment.c.effective_month, _assignment.c.plan_id).order_by(
        _assignment.c.account_id, _assignment.c.effective_month
    )
    if account_ids is not None:
        query = query.where(_assignment.c.account_id.in_(account_ids))
    assignments: dict[int, list[tuple[Month, int]]] = defaultdict(list)
    for account_id, month, plan_id in connection.execute(query):
        assignments[account_id].append((Month(month), plan_id))
    plan_ids = {plan_id for entries in assignments.values() for _, plan_id in entries}
    histories = versions_of(connection, plan_ids)
    names = {plan_id: versions[0].plan.name for plan_id, versions in histories.items()}
    versions = {names[plan_id]: entries for plan_id, entries in histories.items()}
    return {
        account_id: Schedule([(month, names[plan_id]) for month, plan_id in entries], versions)
        for account_id, entries in assignments.items()
    }
