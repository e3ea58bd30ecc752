"""Notices: looking at what has changed, saying what is new, and listing what was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from tallystick.errors import InvalidInput
from tallystick.model.instants import MINUTE, format_instant
from tallystick.model.notices import Event, Notice, NoticePage, Occurrence
from tallystick.model.wire import decode, encode
from tallystick.report.cursors import decode_cursor, encode_cursor
from tallystick.report.notices import look
from tallystick.store import accounts, notices, webhooks
from tallystick.store.database import Connection, Store
from tallystick.store.notices import PROVIDER, ChangedAccount, NoticeKey, NoticeRow
from tallystick.store.rows import parts

COALESCED_FOR: Final = MINUTE
"""The provider hears of new accounts, and of rejected jobs, at most once in this time, of all of them together."""

AT_ONCE: Final = 200
"""Accounts that are looked at in one transaction, which holds up a writer of SQLite."""

_MOST_NAMED: Final = 100
_ID_BYTES: Final = 16


class NoticeCursor(msgspec.Struct, frozen=True):
    """The last notice shown: when it was said, and its id."""

    said_at: int
    id: str


class Notices:
    """Says what accounts and the provider should hear of, each once, and lists what was said."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        keep: Callable[[Mapping[int, Collection[int]]], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._random_bytes = random_bytes
        self._keep = keep

    def look(self, account_ids: Iterable[int] | None = None) -> int:
        """Looks at what has changed and says what is new; gives how many notices that were.

        `account_ids` are the numbers of accounts that may have changed (`CommitReport.account_ids`); without them all
        accounts are looked for that have changed since they were looked at, whoever changed them. A server does this
        by itself after every commit. Raises `StoreError`; then nothing is lost, and the next look says it.
        """
        said = 0
        after: int | None = 0
        while account_ids is None and after is not None:
            found, after = self._look_behind(after)
            said += found
        for part in parts(sorted(account_ids or ()), AT_ONCE):
            with self._store.snapshot() as connection:
                changed = notices.changed_of(connection, part)
            said += self._look_at(changed)
        return said + self._say_coalesced()

    def look_on(self, after: int) -> int | None:
        """Looks at the next few of all accounts, those of numbers above `after`; gives where they end, `None` at last.

        For a notifier that lets others work in between. Raises `StoreError`.
        """
        _, last = self._look_behind(after)
        if last is None:
            self._say_coalesced()
        return last

    def list(self, account: str | None = None, *, cursor: str | None = None, limit: int = 100) -> NoticePage:
        """Notices of an account, of all and of the provider where none is named; the newest first.

        Raises `NotFound` (code ``unknown_account``) and `InvalidInput`.
        """
        if not 1 <= limit <= 1000:
            raise InvalidInput.parameter("limit", "must lie between 1 and 1000", code="invalid_parameter")
        seen = None if cursor is None else decode_cursor(cursor, NoticeCursor)
        with self._store.snapshot() as connection:
            account_id = None if account is None else accounts.account_named(connection, account).id
            before = None if seen is None else (seen.said_at, seen.id)
            rows = notices.page(connection, account_id, before=before, limit=limit + 1)
        shown = rows[:limit]
        last = shown[-1][0] if len(rows) > limit else None
        return NoticePage(
            notices=tuple(_shown(row, name) for row, name in shown),
            next_cursor=None if last is None else encode_cursor(NoticeCursor(last.said_at, last.id)),
        )

    def _look_behind(self, after: int) -> tuple[int, int | None]:
        with self._store.snapshot() as connection:
            changed = notices.changed_after(connection, after, limit=AT_ONCE)
        return self._look_at(changed), changed[-1].id if len(changed) == AT_ONCE else None

    def _look_at(self, changed: Sequence[ChangedAccount]) -> int:
        """Says what some accounts have passed, and remembers as of when they were looked at."""
        if not changed:
            return 0
        ids = {account.name: account.id for account in changed}
        with self._store.snapshot() as connection:
            seen = look(connection, changed, now=self._clock())
            found = {_key(occurrence, ids[occurrence.account or ""]): occurrence for occurrence in seen.occurrences}
            # Most were said by an earlier look. Others may say the rest meanwhile, so that their key decides once more.
            known = notices.said_of(connection, found)
        rows = [self._row(occurrence, key.account_id) for key, occurrence in found.items() if key not in known]

        def write(connection: Connection) -> int:
            said = say(connection, rows, now=self._clock())
            notices.mark(connection, seen.accounts)
            return said

        said = self._store.retried(write)
        self._keep(seen.derived)
        return said

    def _say_coalesced(self) -> int:
        """Tells the provider of new accounts and of rejected jobs, unless it was told a moment ago."""
        now = self._clock()
        with self._store.snapshot() as connection:
            last = {event: notices.said_last(connection, PROVIDER, event) for event in notices.untold(connection)}
        due = [event for event, said_at in last.items() if said_at is None or now - said_at >= COALESCED_FOR]

        def write(connection: Connection) -> int:
            found = [_gather(connection, event) for event in due]
            rows = [self._row(occurrence, PROVIDER) for occurrence in found if occurrence is not None]
            return say(connection, rows, now=now)

        return self._store.retried(write) if due else 0

    def _row(self, occurrence: Occurrence, account_id: int) -> NoticeRow:
        return notice_row(occurrence, account_id, now=self._clock(), random_bytes=self._random_bytes)


def _key(occurrence: Occurrence, account_id: int) -> NoticeKey:
    _, event, subject, period, threshold, _ = occurrence
    return NoticeKey(account_id, event.value, subject, period, threshold)


def notice_row(occurrence: Occurrence, account_id: int, *, now: int, random_bytes: Callable[[int], bytes]) -> NoticeRow:
    """The notice that tells of an occurrence, with an id of its own and the body that is sent."""
    body = {"type": occurrence.event, "timestamp": format_instant(now), "data": occurrence.data}
    return NoticeRow(
        account_id=account_id,
        id=f"ntc_{random_bytes(_ID_BYTES).hex()}",
        event=occurrence.event.value,
        subject=occurrence.subject,
        period=occurrence.period,
        threshold=occurrence.threshold,
        said_at=now,
        body=encode(body).decode(),
    )


def say(connection: Connection, rows: Sequence[NoticeRow], *, now: int) -> int:
    """Says those notices whose key is new and sends them on their way; gives how many."""
    said = notices.say(connection, rows)
    webhooks.enqueue(connection, said, now=now)
    return len(said)


def _gather(connection: Connection, event: Event) -> Occurrence | None:
    """Everything of a kind that the provider was not told of, as one occurrence."""
    if event is Event.ACCOUNT_CREATED:
        found = notices.new_accounts(connection)
        more: dict[str, Any] = {"accounts": [name for _, name in found[:_MOST_NAMED]]}
    else:
        found = notices.new_rejections(connection)
        more = {"codes": dict(sorted(Counter(code for _, code in found).items()))}
    if not found:
        return None
    # Each is told of once, so that the first one's number names them all.
    return Occurrence(None, event, "", "", str(found[0][0]), {"count": len(found), **more})


def _shown(row: NoticeRow, account: str | None) -> Notice:
    return Notice(
        id=row.id,
        account=account,
        event=Event(row.event),
        said_at=format_instant(row.said_at),
        data=decode(row.body)["data"],
    )
