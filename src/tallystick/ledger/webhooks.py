"""Webhook endpoints and the log of what was sent to them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

import msgspec

from tallystick.errors import Conflict, InvalidInput
from tallystick.ledger.audit import note
from tallystick.ledger.notices import notice_row
from tallystick.ledger.sealing import Seal
from tallystick.ledger.targets import Targets
from tallystick.model.instants import DAY, SECOND, format_instant, read_instant
from tallystick.model.names import check_name
from tallystick.model.notices import FOR_ACCOUNTS, OF_PROVIDER, Event, Occurrence
from tallystick.model.webhooks import (
    SECRET_BYTES,
    SECRET_PREFIX,
    Attempt,
    Delivery,
    DeliveryLog,
    DeliveryPage,
    DeliveryState,
    Endpoint,
    NewEndpoint,
    OffReason,
    Replayed,
    headers_of,
)
from tallystick.report.cursors import decode_cursor, encode_cursor
from tallystick.store import accounts, notices, webhooks
from tallystick.store.database import Connection, Store
from tallystick.store.notices import PROVIDER
from tallystick.store.webhooks import AttemptRow, DeliveryRow, EndpointRow, Outcome

MOST_ENDPOINTS: Final = 20
"""Endpoints of one account."""

DEFAULT_OVERLAP_SECONDS: Final = 24 * 3600
MOST_OVERLAP_SECONDS: Final = 30 * 24 * 3600
MOST_REPLAYED: Final = 10_000
"""Deliveries that one replay sends on their way again."""

_ID_BYTES: Final = 8


class DeliveryCursor(msgspec.Struct, frozen=True):
    """The last delivery shown: when it was made, and its notice."""

    created_at: int
    notice: str


class Webhooks:
    """Makes, changes and tries endpoints, and shows what was sent to them.

    Where a method takes `account`, only that account's endpoints are there; without it all are.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        *,
        targets: Targets,
        seal: Seal,
        log_days: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._random_bytes = random_bytes
        self._targets = targets
        self._seal = seal
        self._log_days = log_days

    def create(
        self,
        url: str,
        *,
        account: str | None = None,
        events: Collection[str] | None = None,
        description: str | None = None,
    ) -> NewEndpoint:
        """Makes an endpoint of an account, of the provider where none is named. Its secret is given this once.

        `events` are those that it hears of, all of them where none is named; an account's are those of
        `tallystick.model.notices.FOR_ACCOUNTS`. Raises `InvalidInput` naming the parameter, `NotFound` (code
        ``unknown_account``) and `Conflict` (code ``too_many_webhooks``).
        """
        self._targets.check_url(url)
        chosen = _checked_events(events, of_account=account is not None)
        _check_description(description or "")
        secret = self._new_secret()
        with self._store.transaction() as connection:
            owner = PROVIDER if account is None else accounts.account_named(connection, account).id
            if webhooks.count_endpoints(connection, owner) >= MOST_ENDPOINTS:
                raise Conflict(f"there are {MOST_ENDPOINTS} endpoints already, the most", code="too_many_webhooks")
            row = EndpointRow(
                id=f"whe_{self._random_bytes(_ID_BYTES).hex()}",
                account_id=owner,
                url=url,
                events=chosen,
                description=description or "",
                created_at=self._clock(),
                secret=self._seal.close(secret),
                old_secret=None,
                old_secret_until=None,
                failing_since=None,
                off_since=None,
                off_reason=None,
            )
            webhooks.add_endpoint(connection, row)
            note(connection, self._clock(), "webhook.create", row.id, account=account, url=url)
        return NewEndpoint(secret=secret, endpoint=self._shown(row, account))

    def list(self, account: str | None = None) -> tuple[Endpoint, ...]:
        """Endpoints, the oldest first, without secrets. Raises `NotFound` (code ``unknown_account``)."""
        with self._store.snapshot() as connection:
            owner = None if account is None else accounts.account_named(connection, account).id
            rows = webhooks.endpoints_of(connection, owner)
            return tuple(self._shown(row, _owner_name(connection, row)) for row in rows)

    def get(self, endpoint_id: str, *, account: str | None = None) -> Endpoint:
        """The endpoint of that id. Raises `NotFound` (code ``unknown_webhook``)."""
        with self._store.snapshot() as connection:
            row = _found(connection, endpoint_id, account)
            return self._shown(row, _owner_name(connection, row))

    def change(
        self,
        endpoint_id: str,
        *,
        account: str | None = None,
        url: str | None = None,
        events: Collection[str] | None = None,
        description: str | None = None,
        on: bool | None = None,
    ) -> Endpoint:
        """Changes what is given of an endpoint; an empty list of `events` stands for all of them.

        Switched off, it is sent nothing, and what waits is dropped; switched on, it begins anew, and a replay sends
        what it missed. Raises `InvalidInput` and `NotFound` (code ``unknown_webhook``).
        """
        if url is not None:
            self._targets.check_url(url)
        if description is not None:
            _check_description(description)
        with self._store.transaction() as connection:
            row = _found(connection, endpoint_id, account, hold=True)
            of_account = row.account_id != PROVIDER
            row = row._replace(
                url=row.url if url is None else url,
                events=row.events if events is None else _checked_events(events, of_account=of_account),
                description=row.description if description is None else description,
            )
            if on is not None:
                row = switched_on(row) if on else switched_off(connection, row, OffReason.BY_HAND, now=self._clock())
            webhooks.put_endpoint(connection, row)
            told = None if events is None else sorted(events)
            note(connection, self._clock(), "webhook.change", endpoint_id, url=url, events=told, on=on)
            return self._shown(row, _owner_name(connection, row))

    def remove(self, endpoint_id: str, *, account: str | None = None) -> None:
        """Removes an endpoint with its log. Raises `NotFound` (code ``unknown_webhook``)."""
        with self._store.transaction() as connection:
            row = _found(connection, endpoint_id, account, hold=True)
            webhooks.remove_endpoint(connection, row)
            note(connection, self._clock(), "webhook.remove", endpoint_id, url=row.url)

    def rotate(
        self, endpoint_id: str, *, account: str | None = None, overlap_seconds: int | None = None
    ) -> NewEndpoint:
        """Gives an endpoint a new secret; the old one signs too until the overlap is over, a day where none is given.

        A secret that is older still signs no more. Raises `InvalidInput` and `NotFound` (code ``unknown_webhook``).
        """
        overlap_seconds = DEFAULT_OVERLAP_SECONDS if overlap_seconds is None else overlap_seconds
        if not 0 <= overlap_seconds <= MOST_OVERLAP_SECONDS:
            raise InvalidInput.parameter("overlap_seconds", f"must lie between 0 and {MOST_OVERLAP_SECONDS}")
        secret = self._new_secret()
        with self._store.transaction() as connection:
            row = _found(connection, endpoint_id, account, hold=True)
            row = row._replace(
                secret=self._seal.close(secret),
                old_secret=row.secret if overlap_seconds else None,
                old_secret_until=self._clock() + overlap_seconds * SECOND if overlap_seconds else None,
            )
            webhooks.put_endpoint(connection, row)
            note(connection, self._clock(), "webhook.rotate", endpoint_id, overlap_seconds=overlap_seconds)
            return NewEndpoint(secret=secret, endpoint=self._shown(row, _owner_name(connection, row)))

    def test(self, endpoint_id: str, *, account: str | None = None) -> Delivery:
        """Sends an endpoint an event of type ``webhook.test``, whichever events it hears of.

        Raises `NotFound` (code ``unknown_webhook``) and `Conflict` (code ``webhook_off``).
        """
        now = self._clock()
        with self._store.transaction() as connection:
            row = _found(connection, endpoint_id, account, hold=True)
            _check_on(row)
            name = _owner_name(connection, row)
            data = {"account": name, "webhook": row.id}
            occurrence = Occurrence(name, Event.WEBHOOK_TEST, row.id, "", self._random_bytes(_ID_BYTES).hex(), data)
            notice = notice_row(occurrence, row.account_id, now=now, random_bytes=self._random_bytes)
            notices.say(connection, [notice])
            webhooks.send(connection, notice, [row], now=now)
            return _delivery(connection, webhooks.delivery_of(connection, row, notice.id), name)

    def deliveries(
        self,
        endpoint_id: str,
        *,
        account: str | None = None,
        state: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> DeliveryPage:
        """What was sent to an endpoint, the newest first; of one state where it is named.

        Raises `InvalidInput` and `NotFound` (code ``unknown_webhook``).
        """
        if not 1 <= limit <= 1000:
            raise InvalidInput.parameter("limit", "must lie between 1 and 1000", code="invalid_parameter")
        if state is not None and state not in set(DeliveryState):
            known = ", ".join(DeliveryState)
            raise InvalidInput.parameter("state", f"must be one of {known}", code="invalid_parameter")
        seen = None if cursor is None else decode_cursor(cursor, DeliveryCursor)
        with self._store.snapshot() as connection:
            rows = webhooks.deliveries(
                connection,
                _found(connection, endpoint_id, account),
                state=None if state is None else DeliveryState(state),
                before=None if seen is None else (seen.created_at, seen.notice),
                limit=limit + 1,
            )
        shown = rows[:limit]
        last = shown[-1][0] if len(rows) > limit else None
        return DeliveryPage(
            deliveries=tuple(_shown_delivery(row, name, outcome) for row, name, outcome in shown),
            next_cursor=None if last is None else encode_cursor(DeliveryCursor(last.created_at, last.notice_id)),
        )

    def delivery(self, endpoint_id: str, notice_id: str, *, account: str | None = None) -> DeliveryLog:
        """A notice's delivery to an endpoint: what was sent, and every attempt.

        Raises `NotFound` (codes ``unknown_webhook``, ``unknown_delivery``).
        """
        with self._store.snapshot() as connection:
            row = webhooks.delivery_of(connection, _found(connection, endpoint_id, account), notice_id)
            name = webhooks.account_name(connection, row.notice_account_id)
            return DeliveryLog(
                delivery=_delivery(connection, row, name),
                headers=headers_of(row.notice_id),
                body=webhooks.body_of(connection, row),
                attempts=tuple(_shown_attempt(attempt) for attempt in webhooks.attempts_of(connection, row)),
            )

    def replay(self, endpoint_id: str, notice_id: str, *, account: str | None = None) -> Delivery:
        """Sends a notice to an endpoint again, under the same id, whatever has become of it before.

        Raises `NotFound` (codes ``unknown_webhook``, ``unknown_delivery``) and `Conflict` (code ``webhook_off``).
        """
        with self._store.transaction() as connection:
            endpoint = _found(connection, endpoint_id, account, hold=True)
            _check_on(endpoint)
            row = webhooks.delivery_of(connection, endpoint, notice_id, hold=True)
            webhooks.resend(connection, [row.place], now=self._clock())
            note(connection, self._clock(), "webhook.replay", endpoint_id, notice=notice_id)
            name = webhooks.account_name(connection, row.notice_account_id)
            return _delivery(connection, webhooks.delivery_of(connection, endpoint, notice_id), name)

    def replay_missed(self, endpoint_id: str, *, since: str | datetime, account: str | None = None) -> Replayed:
        """Sends an endpoint what was said since an instant and has not reached it: given up, dropped, or never sent.

        `since` is an RFC 3339 time or an aware `datetime`, no earlier than the log of deliveries goes back. At most
        10,000 notices; the next call sends the rest. Raises `InvalidInput`, `NotFound` (code ``unknown_webhook``) and
        `Conflict` (code ``webhook_off``).
        """
        start = read_instant(since, "since")
        now = self._clock()
        with self._store.transaction() as connection:
            endpoint = _found(connection, endpoint_id, account, hold=True)
            _check_on(endpoint)
            _check_in_log(start, now - self._log_days * DAY)
            given_up = webhooks.undelivered(connection, endpoint, since=start, limit=MOST_REPLAYED)
            webhooks.resend(connection, given_up, now=now)
            missed = webhooks.unheard(connection, endpoint, since=start, limit=MOST_REPLAYED - len(given_up))
            for notice in missed:
                webhooks.send(connection, notice, [endpoint], now=now)
            replayed = len(given_up) + len(missed)
            note(connection, now, "webhook.replay", endpoint_id, since=format_instant(start), replayed=replayed)
        return Replayed(replayed=replayed)

    def _new_secret(self) -> str:
        return SECRET_PREFIX + base64.b64encode(self._random_bytes(SECRET_BYTES)).decode()

    def _shown(self, row: EndpointRow, account: str | None) -> Endpoint:
        until = row.old_secret_until
        return Endpoint(
            id=row.id,
            account=account,
            url=row.url,
            events=tuple(event for event in Event if event in row.events) if row.events else None,
            description=row.description,
            created_at=format_instant(row.created_at),
            failing_since=_moment(row.failing_since),
            off_since=_moment(row.off_since),
            off_reason=row.off_reason,
            old_secret_until=_moment(until if until is not None and until > self._clock() else None),
        )


def _check_in_log(since: int, begins: int) -> None:
    """Raises `InvalidInput` where it is not known any more what was delivered since, and would be sent again."""
    if since < begins:
        told = f"lies before {format_instant(begins)}, where the log of deliveries begins"
        raise InvalidInput.parameter("since", told, code="invalid_parameter")


def switched_on(row: EndpointRow) -> EndpointRow:
    """An endpoint that is on; one that is on already stays as it is."""
    return row if row.off_since is None else row._replace(off_since=None, off_reason=None, failing_since=None)


def switched_off(connection: Connection, row: EndpointRow, reason: OffReason, *, now: int) -> EndpointRow:
    """An endpoint that is off, what waited for it dropped; one that is off already stays as it is."""
    if row.off_since is not None:
        return row
    webhooks.drop_waiting(connection, row)
    return row._replace(off_since=now, off_reason=reason)


def _found(connection: Connection, endpoint_id: str, account: str | None, *, hold: bool = False) -> EndpointRow:
    owner = None if account is None else accounts.account_named(connection, account).id
    return webhooks.endpoint_numbered(connection, endpoint_id, owner, hold=hold)


def _owner_name(connection: Connection, row: EndpointRow) -> str | None:
    return None if row.account_id == PROVIDER else webhooks.account_name(connection, row.account_id)


def _check_on(row: EndpointRow) -> None:
    if row.off_since is not None:
        raise Conflict("the endpoint is switched off; switch it on first", code="webhook_off")


def _checked_events(events: Collection[str] | None, *, of_account: bool) -> frozenset[str]:
    """The events that are named, empty for all of them. Raises `InvalidInput`."""
    named = frozenset(map(str, events or ()))
    allowed = FOR_ACCOUNTS if of_account else tuple(Event)
    if named <= set(allowed):
        return named
    reason = f"must be of: {', '.join(allowed)}; without any it hears of all"
    if of_account and (of_provider := sorted(named & OF_PROVIDER)):
        reason += f"; of {', '.join(of_provider)} the provider alone hears"
    raise InvalidInput.parameter("events", reason)


def _check_description(description: str) -> None:
    try:
        if description:
            check_name(description)
    except InvalidInput as error:
        raise InvalidInput.parameter("description", error.detail, code=error.code) from None


def _moment(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _delivery(connection: Connection, row: DeliveryRow, account: str | None) -> Delivery:
    return _shown_delivery(row, account, webhooks.outcome_of(connection, row))


def _shown_delivery(row: DeliveryRow, account: str | None, outcome: Outcome) -> Delivery:
    waits = row.told_state is DeliveryState.WAITING
    return Delivery(
        notice=row.notice_id,
        event=Event(row.event),
        account=account,
        state=row.told_state,
        created_at=format_instant(row.created_at),
        attempts=row.attempts,
        last_status=outcome.status,
        last_milliseconds=outcome.milliseconds,
        next_attempt_at=format_instant(row.due_at) if waits else None,
    )


def _shown_attempt(row: AttemptRow) -> Attempt:
    return Attempt(
        number=row.number,
        at=format_instant(row.at),
        url=row.url,
        status=row.status,
        milliseconds=row.milliseconds,
        error=row.error,
    )
