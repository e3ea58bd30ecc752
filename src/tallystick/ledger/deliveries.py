"""Deliveries: which are to be attempted now, and what becomes of them and their endpoints after an attempt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from tallystick.errors import StoreError
from tallystick.ledger.notices import notice_row, say
from tallystick.ledger.sealing import Seal
from tallystick.ledger.webhooks import switched_off
from tallystick.model.instants import DAY, format_instant
from tallystick.model.notices import Event, Occurrence
from tallystick.model.webhooks import DeliveryState, OffReason, Policy
from tallystick.store import webhooks
from tallystick.store.database import Connection, Store
from tallystick.store.notices import PROVIDER
from tallystick.store.webhooks import AttemptRow, DeliveryRow, EndpointRow, Settled

PRUNED_AT_ONCE: Final = 500
GONE: Final = 410
_UNNUMBERED: Final = 0

_log = logging.getLogger(__name__)


class Task(NamedTuple):
    """A delivery to be attempted, claimed until its `due_at`: where, with which secrets (the newest first) and what."""

    delivery: DeliveryRow
    url: str
    secrets: tuple[str, ...]
    body: str

    def is_for(self, endpoint: EndpointRow) -> bool:
        """Whether this goes to the endpoint as it is now."""
        return (self.delivery.endpoint_id, self.url) == (endpoint.id, endpoint.url)


class Result(NamedTuple):
    """An attempt that is over: when it began, how long it took, the answer's status or what went wrong."""

    task: Task
    at: int
    milliseconds: int
    status: int | None
    error: str | None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Room(NamedTuple):
    """How many attempts may begin: in all, at endpoints that are failing, and at the endpoint of an id."""

    total: int
    failing: int
    of: Callable[[str], int]


class Deliveries:
    """The queue as those see it who send. Any number of processes may work on it at the same time."""

    def __init__(
        self, store: Store, clock: Callable[[], int], random_bytes: Callable[[int], bytes], *, seal: Seal, log_days: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._random_bytes = random_bytes
        self._seal = seal
        self._log_days = log_days
        self._unreadable: set[str] = set()

    def now(self) -> int:
        """The ledger's time, with which attempts are dated."""
        return self._clock()

    def due_in(self) -> int | None:
        """In how many microseconds the next delivery is due, 0 or less for now; `None` where none waits."""
        with self._store.snapshot() as connection:
            due_at = webhooks.due_next(connection)
        return None if due_at is None else due_at - self._clock()

    def work(self, results: Sequence[Result], room: Room, policy: Policy) -> list[Task]:
        """Writes down what came of attempts, and gives those that shall begin now, which are nobody else's for a while.

        Raises `StoreError`; then nothing was written down.
        """

        def write(connection: Connection) -> list[Task]:
            now = self._clock()
            self._settle(connection, results, policy, now)
            until = now + policy.lease
            tasks = list(self._due(connection, room, now, until))
            webhooks.claim(connection, [task.delivery.place for task in tasks], until=until)
            return tasks

        return self._store.retried(write)

    def release(self, tasks: Iterable[Task]) -> None:
        """Makes tasks due again whose attempts were broken off. Raises `StoreError`."""
        places = [task.delivery.place for task in tasks]
        with self._store.transaction() as connection:
            webhooks.release(connection, places, now=self._clock())

    def prune(self) -> int:
        """Removes some of what is older than the log is kept; gives how many deliveries. Raises `StoreError`."""
        with self._store.transaction() as connection:
            before = self._clock() - self._log_days * DAY
            return webhooks.prune(connection, before=before, limit=PRUNED_AT_ONCE)

    # What came of attempts

    def _settle(self, connection: Connection, results: Sequence[Result], policy: Policy, now: int) -> None:
        if not results:
            return
        held = webhooks.endpoints_held(connection, {result.task.delivery.endpoint_id for result in results})
        webhooks.settle(connection, [self._settled(result, policy, now) for result in results])
        for endpoint in held.values():
            # What an address answered that was changed meanwhile says nothing of the new one.
            own = [result for result in results if result.task.is_for(endpoint)]
            after = _endpoint_after(endpoint, own)
            reason = _reason_to_end(after, own, policy, now)
            if reason is not None and after.off_since is None:
                after = switched_off(connection, after, reason, now=now)
                self._say_off(connection, after, now)
            if after != endpoint:
                webhooks.put_endpoint(connection, after)

    def _settled(self, result: Result, policy: Policy, now: int) -> Settled:
        row = result.task.delivery
        attempt = AttemptRow(
            *row.place, _UNNUMBERED, result.at, result.task.url, result.status, result.milliseconds, result.error
        )
        if result.is_success:
            return Settled(attempt, DeliveryState.DELIVERED, row.due_at, row.due_at)
        due_at = policy.retry_at(row.attempts + 1 - row.since, now, self._jitter())
        if due_at is None:
            return Settled(attempt, DeliveryState.FAILED, row.due_at, row.due_at)
        return Settled(attempt, DeliveryState.WAITING, due_at, row.due_at)

    def _jitter(self) -> float:
        return int.from_bytes(self._random_bytes(4)) / 2**32

    def _say_off(self, connection: Connection, endpoint: EndpointRow, now: int) -> None:
        """Says to the endpoint's owner that it was switched off; once for each time."""
        name = None if endpoint.account_id == PROVIDER else webhooks.account_name(connection, endpoint.account_id)
        data = {"account": name, "webhook": endpoint.id, "url": endpoint.url, "reason": endpoint.off_reason}
        occurrence = Occurrence(name, Event.WEBHOOK_OFF, endpoint.id, "", format_instant(now), data)
        row = notice_row(occurrence, endpoint.account_id, now=now, random_bytes=self._random_bytes)
        webhooks.put_endpoint(connection, endpoint)
        say(connection, [row], now=now)
        _log.warning("webhook endpoint %s was switched off: %s", endpoint.id, endpoint.off_reason)

    # What is to be attempted

    def _due(self, connection: Connection, room: Room, now: int, until: int) -> Iterable[Task]:
        total, failing = room.total, room.failing
        # Those that fail come last, and share what is theirs: they may hang, and must not take what others need.
        for endpoint in sorted(webhooks.endpoints_due(connection, now=now), key=lambda row: row.failing_since or 0):
            is_failing = endpoint.failing_since is not None
            limit = min(total, failing if is_failing else total, room.of(endpoint.id))
            secrets = self._secrets(endpoint, now) if limit > 0 else ()
            if not secrets:
                continue
            for row, body in webhooks.due(connection, endpoint, now=now, limit=limit):
                total -= 1
                failing -= is_failing
                yield Task(row._replace(due_at=until), endpoint.url, secrets, body)

    def _secrets(self, endpoint: EndpointRow, now: int) -> tuple[str, ...]:
        """The secrets that sign now, the newest first; none where they cannot be opened, which is said once."""
        stored = [endpoint.secret]
        if endpoint.old_secret is not None and (endpoint.old_secret_until or 0) > now:
            stored.append(endpoint.old_secret)
        try:
            return tuple(map(self._seal.open, stored))
        except StoreError as error:
            if endpoint.id not in self._unreadable:
                self._unreadable.add(endpoint.id)
                _log.error("webhook endpoint %s is sent nothing: %s", endpoint.id, error.detail)
            return ()


def _endpoint_after(endpoint: EndpointRow, results: Sequence[Result]) -> EndpointRow:
    """An endpoint after some attempts, the earliest first: since when it has failed without a success in between."""
    failing_since = endpoint.failing_since
    for result in sorted(results, key=lambda result: result.at):
        failing_since = None if result.is_success else failing_since if failing_since is not None else result.at
    return endpoint._replace(failing_since=failing_since)


def _reason_to_end(endpoint: EndpointRow, results: Sequence[Result], policy: Policy, now: int) -> OffReason | None:
    if any(result.status == GONE for result in results):
        return OffReason.GONE
    if endpoint.failing_since is not None and now - endpoint.failing_since >= policy.failing_for:
        return OffReason.FAILING
    return None
