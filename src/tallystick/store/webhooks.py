"""Endpoints, deliveries and their attempts. The deliveries that wait are a queue which several processes share."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from tallystick.errors import NotFound
from tallystick.model.notices import OF_PROVIDER, Event
from tallystick.model.webhooks import DeliveryState, OffReason
from tallystick.store import schema
from tallystick.store.notices import PROVIDER, NoticeRow
from tallystick.store.rows import is_storable, parts

_endpoint = schema.webhook_endpoint
_delivery = schema.webhook_delivery
_attempt = schema.webhook_attempt
_notice = schema.notice
_KEYS: Final = (_delivery.c.account_id, _delivery.c.endpoint_id, _delivery.c.notice_id)

_STATES: Final = {
    DeliveryState.WAITING: 0,
    DeliveryState.DELIVERED: 1,
    DeliveryState.FAILED: 2,
    DeliveryState.DROPPED: 3,
}
_BY_NUMBER: Final = {number: state for state, number in _STATES.items()}
_WAITING: Final = _STATES[DeliveryState.WAITING]


class EndpointRow(NamedTuple):
    """An endpoint as stored. `secret` and `old_secret` are sealed; `events` is empty for all of them."""

    id: str
    account_id: int
    url: str
    events: frozenset[str]
    description: str
    created_at: int
    secret: str
    old_secret: str | None
    old_secret_until: int | None
    failing_since: int | None
    off_since: int | None
    off_reason: OffReason | None

    def hears(self, notice: NoticeRow) -> bool:
        """Whether a notice is for this endpoint."""
        if self.account_id != PROVIDER and (self.account_id != notice.account_id or notice.event in OF_PROVIDER):
            return False
        return not self.events or notice.event in self.events


class Place(NamedTuple):
    """What names a delivery."""

    account_id: int
    endpoint_id: str
    notice_id: str


class DeliveryRow(NamedTuple):
    """A delivery as stored. `attempts` have been made, `since` of them before it was sent on its way the last time."""

    account_id: int
    endpoint_id: str
    notice_id: str
    notice_account_id: int
    event: str
    state: int
    due_at: int
    attempts: int
    since: int
    created_at: int

    @property
    def place(self) -> Place:
        return Place(self.account_id, self.endpoint_id, self.notice_id)

    @property
    def told_state(self) -> DeliveryState:
        return _BY_NUMBER[self.state]


class AttemptRow(NamedTuple):
    """An attempt as stored."""

    account_id: int
    endpoint_id: str
    notice_id: str
    number: int
    at: int
    url: str
    status: int | None
    milliseconds: int
    error: str | None


class Outcome(NamedTuple):
    """What came of a delivery's last attempt: the status of the answer, and how long it took; nothing without one."""

    status: int | None
    milliseconds: int | None


class Settled(NamedTuple):
    """An attempt that is over, what it makes of its delivery, and until when that was claimed for it.

    The attempt's number is given to it when it is written down.
    """

    attempt: AttemptRow
    state: DeliveryState
    due_at: int
    until: int


# Endpoints


def add_endpoint(connection: Connection, row: EndpointRow) -> None:
    """Stores a new endpoint."""
    connection.execute(insert(_endpoint).values(_endpoint_values(row)))


def put_endpoint(connection: Connection, row: EndpointRow) -> None:
    """Stores an endpoint as it is now."""
    connection.execute(update(_endpoint).where(_endpoint.c.id == row.id).values(_endpoint_values(row)))


def _endpoint_values(row: EndpointRow) -> dict[str, Any]:
    reason = None if row.off_reason is None else row.off_reason.value
    return {**row._asdict(), "events": json.dumps(sorted(row.events)), "off_reason": reason}


def remove_endpoint(connection: Connection, row: EndpointRow) -> None:
    """Removes an endpoint with its deliveries and their attempts."""
    connection.execute(delete(_delivery).where(*_of(row)))
    connection.execute(delete(_endpoint).where(_endpoint.c.id == row.id))


def endpoint_numbered(
    connection: Connection, endpoint_id: str, account_id: int | None, *, hold: bool = False
) -> EndpointRow:
    """The endpoint of that id, on wish kept from others' changes; of that account only, where one is named.

    Raises `NotFound` (code ``unknown_webhook``).
    """
    query = select(_endpoint).where(_endpoint.c.id == endpoint_id)
    if account_id is not None:
        query = query.where(_endpoint.c.account_id == account_id)
    row = connection.execute(query.with_for_update() if hold else query).first() if is_storable(endpoint_id) else None
    if row is None:
        raise NotFound("there is no such webhook endpoint", code="unknown_webhook")
    return _endpoint_row(row)


def endpoints_of(connection: Connection, account_id: int | None) -> list[EndpointRow]:
    """An account's endpoints, everybody's where none is named, the oldest first."""
    query = select(_endpoint).order_by(_endpoint.c.created_at, _endpoint.c.id)
    if account_id is not None:
        query = query.where(_endpoint.c.account_id == account_id)
    return [_endpoint_row(row) for row in connection.execute(query)]


def endpoints_held(connection: Connection, ids: Collection[str]) -> dict[str, EndpointRow]:
    """Some endpoints by their ids, kept from others' changes until the transaction ends."""
    # Held in one order, so that those who settle deliveries of the same endpoints never wait in a circle.
    query = select(_endpoint).where(_endpoint.c.id.in_(bindparam("ids", expanding=True))).order_by(_endpoint.c.id)
    rows = (row for part in parts(sorted(ids)) for row in connection.execute(query.with_for_update(), {"ids": part}))
    return {row.id: _endpoint_row(row) for row in rows}


def count_endpoints(connection: Connection, account_id: int) -> int:
    """How many endpoints an account has."""
    query = select(func.count()).select_from(_endpoint).where(_endpoint.c.account_id == account_id)
    counted: int = connection.execute(query).scalar_one()
    return counted


def _endpoint_row(row: Row[Any]) -> EndpointRow:
    values = row._asdict()
    values["events"] = frozenset(json.loads(values["events"]))
    values["off_reason"] = None if values["off_reason"] is None else OffReason(values["off_reason"])
    return EndpointRow(**values)


def _of(row: EndpointRow) -> tuple[Any, ...]:
    return _delivery.c.account_id == row.account_id, _delivery.c.endpoint_id == row.id


# Deliveries


def enqueue(connection: Connection, notices: Sequence[NoticeRow], *, now: int) -> None:
    """Sends new notices on their way to every endpoint that hears of them."""
    if not notices:
        return
    owners = {PROVIDER, *(notice.account_id for notice in notices)}
    query = select(_endpoint).where(_endpoint.c.account_id.in_(owners), _endpoint.c.off_since.is_(None))
    endpoints = [_endpoint_row(row) for row in connection.execute(query)]
    heard = ((notice, endpoint) for notice in notices for endpoint in endpoints if endpoint.hears(notice))
    _send(connection, [_new_delivery(notice, endpoint, now) for notice, endpoint in heard])


def send(connection: Connection, notice: NoticeRow, endpoints: Iterable[EndpointRow], *, now: int) -> None:
    """Sends a notice on its way to some endpoints."""
    _send(connection, [_new_delivery(notice, endpoint, now) for endpoint in endpoints])


def _new_delivery(notice: NoticeRow, endpoint: EndpointRow, now: int) -> DeliveryRow:
    return DeliveryRow(
        account_id=endpoint.account_id,
        endpoint_id=endpoint.id,
        notice_id=notice.id,
        notice_account_id=notice.account_id,
        event=notice.event,
        state=_WAITING,
        due_at=now,
        attempts=0,
        since=0,
        created_at=now,
    )


def _send(connection: Connection, rows: Sequence[DeliveryRow]) -> None:
    if rows:
        connection.execute(insert(_delivery), [row._asdict() for row in rows])


def due_next(connection: Connection) -> int | None:
    """When the next delivery is due; `None` where none waits."""
    found: int | None = connection.execute(
        select(func.min(_delivery.c.due_at)).where(_delivery.c.state == _WAITING)
    ).scalar()
    return found


def endpoints_due(connection: Connection, *, now: int) -> list[EndpointRow]:
    """The endpoints that are on and have a delivery that is due."""
    due = exists().where(*_of_endpoint(), _delivery.c.state == _WAITING, _delivery.c.due_at <= now)
    query = select(_endpoint).where(_endpoint.c.off_since.is_(None), due)
    return [_endpoint_row(row) for row in connection.execute(query)]


def _of_endpoint() -> tuple[Any, ...]:
    return _delivery.c.account_id == _endpoint.c.account_id, _delivery.c.endpoint_id == _endpoint.c.id


# Built once: for a statement as short as these, building it takes most of the time.
_DUE: Final = (
    select(*_delivery.c, _notice.c.body)
    .join(_notice, and_(_notice.c.account_id == _delivery.c.notice_account_id, _notice.c.id == _delivery.c.notice_id))
    .where(
        _delivery.c.account_id == bindparam("account"),
        _delivery.c.endpoint_id == bindparam("endpoint"),
        _delivery.c.state == _WAITING,
        _delivery.c.due_at <= bindparam("now"),
    )
    .order_by(_delivery.c.due_at)
    .limit(bindparam("most"))
    .with_for_update(of=_delivery, skip_locked=True)
)


def due(connection: Connection, endpoint: EndpointRow, *, now: int, limit: int) -> list[tuple[DeliveryRow, str]]:
    """An endpoint's deliveries that are due, the earliest first, with what is sent, for `claim`.

    What another process is claiming at this moment is left to it.
    """
    values = {"account": endpoint.account_id, "endpoint": endpoint.id, "now": now, "most": limit}
    return [(DeliveryRow(*row), body) for *row, body in connection.execute(_DUE, values)]


_CLAIM: Final = (
    update(_delivery)
    .where(*(column == bindparam(f"of_{column.name}") for column in _KEYS))
    .values(due_at=bindparam("until"))
)


def claim(connection: Connection, places: Iterable[Place], *, until: int) -> None:
    """Lets nobody else be given some deliveries that are `due` in this transaction, until a moment."""
    claimed = [{**_naming(place), "until": until} for place in places]
    if claimed:
        connection.execute(_CLAIM, claimed)


def _naming(place: Sequence[Any]) -> dict[str, Any]:
    return {f"of_{column.name}": value for column, value in zip(_KEYS, place, strict=True)}


def release(connection: Connection, places: Collection[Place], *, now: int) -> None:
    """Makes claimed deliveries due again."""
    for part in parts(places):
        waiting = update(_delivery).where(tuple_(*_KEYS).in_(part), _delivery.c.state == _WAITING)
        connection.execute(waiting.values(due_at=now))


def settle(connection: Connection, settled: Sequence[Settled]) -> None:
    """Writes attempts down, numbered as they come, and what they make of their deliveries.

    A delivery that is gone is passed over. One that was sent on its way again during the attempt, or given to another
    process because the attempt took too long, stays as it is.
    """
    # In one order everywhere, so that writers of the same deliveries never wait in a circle.
    ordered = sorted(settled, key=lambda each: (each.attempt[:3], each.attempt.at))
    made = _attempts_held(connection, {Place(*each.attempt[:3]) for each in ordered})
    numbered = []
    for each in ordered:
        place = Place(*each.attempt[:3])
        if place in made:
            made[place] += 1
            numbered.append(each._replace(attempt=each.attempt._replace(number=made[place])))
    if numbered:
        connection.execute(insert(_attempt), [each.attempt._asdict() for each in numbered])
        connection.execute(_SETTLE, [_settling(each) for each in numbered])


def _attempts_held(connection: Connection, places: Collection[Place]) -> dict[Place, int]:
    """How many attempts were made of each delivery that is there, kept from others' changes."""
    query = select(*_KEYS, _delivery.c.attempts).order_by(*_KEYS).with_for_update()
    rows = (row for part in parts(sorted(places)) for row in connection.execute(query.where(tuple_(*_KEYS).in_(part))))
    return {Place(*place): attempts for *place, attempts in rows}


_IS_CLAIMED: Final = and_(_delivery.c.state == _WAITING, _delivery.c.due_at == bindparam("until"))
# What was dropped meanwhile and came through after all has come through.
_CAME_THROUGH: Final = and_(_delivery.c.state != _WAITING, bindparam("new_state") == _STATES[DeliveryState.DELIVERED])
_SETTLE: Final = (
    update(_delivery)
    .where(*(column == bindparam(f"of_{column.name}") for column in _KEYS))
    .values(
        attempts=bindparam("number"),
        state=case((or_(_IS_CLAIMED, _CAME_THROUGH), bindparam("new_state")), else_=_delivery.c.state),
        due_at=case((_IS_CLAIMED, bindparam("next_due")), else_=_delivery.c.due_at),
    )
)


def _settling(settled: Settled) -> dict[str, Any]:
    attempt = settled.attempt
    after = {
        "number": attempt.number,
        "new_state": _STATES[settled.state],
        "next_due": settled.due_at,
        "until": settled.until,
    }
    return {**_naming(attempt[:3]), **after}


def drop_waiting(connection: Connection, endpoint: EndpointRow) -> None:
    """Gives up what waits at an endpoint; a replay sends it on its way again."""
    connection.execute(
        update(_delivery)
        .where(*_of(endpoint), _delivery.c.state == _WAITING)
        .values(state=_STATES[DeliveryState.DROPPED])
    )


def resend(connection: Connection, places: Collection[Place], *, now: int) -> None:
    """Sends deliveries on their way again, with as many attempts as new ones."""
    for part in parts(places):
        connection.execute(
            update(_delivery)
            .where(tuple_(*_KEYS).in_(part))
            .values(state=_WAITING, due_at=now, since=_delivery.c.attempts)
        )


def unheard(connection: Connection, endpoint: EndpointRow, *, since: int, limit: int) -> list[NoticeRow]:
    """Notices said since a moment that an endpoint should have heard of and has no delivery of, the oldest first."""
    query = select(_notice).where(_notice.c.said_at >= since, _notice.c.event != Event.WEBHOOK_TEST)
    if endpoint.account_id != PROVIDER:
        query = query.where(_notice.c.account_id == endpoint.account_id)
    if endpoint.events:
        query = query.where(_notice.c.event.in_(endpoint.events))
    known = exists().where(*_of(endpoint), _delivery.c.notice_id == _notice.c.id)
    query = query.where(~known).order_by(_notice.c.said_at, _notice.c.id).limit(limit)
    found = [NoticeRow(**row._asdict()) for row in connection.execute(query)]
    return [notice for notice in found if endpoint.hears(notice)]


def undelivered(connection: Connection, endpoint: EndpointRow, *, since: int, limit: int) -> list[Place]:
    """An endpoint's deliveries since a moment that were given up, the oldest first."""
    given_up = [_STATES[DeliveryState.FAILED], _STATES[DeliveryState.DROPPED]]
    query = (
        select(_delivery)
        .where(*_of(endpoint), _delivery.c.state.in_(given_up), _delivery.c.created_at >= since)
        .order_by(_delivery.c.created_at, _delivery.c.notice_id)
        .limit(limit)
    )
    return [DeliveryRow(*row).place for row in connection.execute(query)]


def delivery_of(connection: Connection, endpoint: EndpointRow, notice_id: str, *, hold: bool = False) -> DeliveryRow:
    """The delivery of a notice to an endpoint. Raises `NotFound` (code ``unknown_delivery``)."""
    query = select(_delivery).where(*_of(endpoint), _delivery.c.notice_id == notice_id)
    row = connection.execute(query.with_for_update() if hold else query).first() if is_storable(notice_id) else None
    if row is None:
        raise NotFound("there is no such delivery", code="unknown_delivery")
    return DeliveryRow(*row)


def deliveries(
    connection: Connection,
    endpoint: EndpointRow,
    *,
    state: DeliveryState | None,
    before: tuple[int, str] | None,
    limit: int,
) -> list[tuple[DeliveryRow, str | None, Outcome]]:
    """An endpoint's deliveries with the names of the accounts they are about and what came of them, newest first."""
    query = _with_names_and_outcomes().where(*_of(endpoint))
    if state is not None:
        query = query.where(_delivery.c.state == _STATES[state])
    if before is not None:
        query = query.where(tuple_(_delivery.c.created_at, _delivery.c.notice_id) < tuple_(*before))
    query = query.order_by(_delivery.c.created_at.desc(), _delivery.c.notice_id.desc()).limit(limit)
    return [
        (DeliveryRow(*values), name, Outcome(status, milliseconds))
        for *values, name, status, milliseconds in connection.execute(query)
    ]


def _with_names_and_outcomes() -> Select[Any]:
    account = schema.account
    keys = (_attempt.c.account_id, _attempt.c.endpoint_id, _attempt.c.notice_id, _attempt.c.number)
    last = and_(*(key == of for key, of in zip(keys, (*_KEYS, _delivery.c.attempts), strict=True)))
    return (
        select(*_delivery.c, account.c.name, _attempt.c.status, _attempt.c.milliseconds)
        .outerjoin(account, account.c.id == _delivery.c.notice_account_id)
        .outerjoin(_attempt, last)
    )


def account_name(connection: Connection, account_id: int) -> str | None:
    """An account's name; `None` for the provider."""
    found: str | None = connection.execute(
        select(schema.account.c.name).where(schema.account.c.id == account_id)
    ).scalar()
    return found


def attempts_of(connection: Connection, row: DeliveryRow) -> list[AttemptRow]:
    """A delivery's attempts, the first one first."""
    query = (
        select(_attempt)
        .where(
            _attempt.c.account_id == row.account_id,
            _attempt.c.endpoint_id == row.endpoint_id,
            _attempt.c.notice_id == row.notice_id,
        )
        .order_by(_attempt.c.number)
    )
    return [AttemptRow(*values) for values in connection.execute(query)]


def outcome_of(connection: Connection, row: DeliveryRow) -> Outcome:
    """What came of a delivery's last attempt."""
    last = [attempt for attempt in attempts_of(connection, row) if attempt.number == row.attempts]
    return Outcome(last[0].status, last[0].milliseconds) if last else Outcome(None, None)


def body_of(connection: Connection, row: DeliveryRow) -> str:
    """What a delivery sends."""
    body: str = connection.execute(
        select(_notice.c.body).where(_notice.c.account_id == row.notice_account_id, _notice.c.id == row.notice_id)
    ).scalar_one()
    return body


def prune(connection: Connection, *, before: int, limit: int) -> int:
    """Removes deliveries made before a moment that wait no longer, with their attempts; gives how many."""
    old = [
        Place(*row)
        for row in connection.execute(
            select(*_KEYS)
            .where(_delivery.c.created_at < before, _delivery.c.state != _WAITING)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    ]
    for part in parts(old):
        connection.execute(delete(_delivery).where(tuple_(*_KEYS).in_(part)))
    return len(old)
