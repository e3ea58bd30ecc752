"""The quarantine: rejected jobs with their reasons, listed and tried again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

from tallystick.errors import InvalidInput
from tallystick.ingest.bodies import Item, read_item
from tallystick.ledger.audit import note
from tallystick.model.accounts import QuarantinedItem, QuarantinePage, ReplayResult
from tallystick.model.instants import format_instant
from tallystick.model.jobs import IngestResult
from tallystick.model.tokens import STRUCK_OUT
from tallystick.report.cursors import decode_number
from tallystick.store import quarantine
from tallystick.store.database import Store
from tallystick.store.quarantine import QuarantineRow

_AT_ONCE: Final = 500


class Quarantine:
    """Lists rejected jobs and replays them once their cause is gone."""

    def __init__(self, store: Store, clock: Callable[[], int], take: Callable[[Iterable[Item]], IngestResult]) -> None:
        self._store = store
        self._clock = clock
        self._take = take

    def list(self, *, cursor: str | None = None, limit: int = 100) -> QuarantinePage:
        """Items, the oldest first, at most `limit` behind the cursor. Raises `InvalidInput`."""
        if not 1 <= limit <= 1000:
            raise InvalidInput.parameter("limit", "must lie between 1 and 1000", code="invalid_parameter")
        after = 0 if cursor is None else decode_number(cursor)
        with self._store.snapshot() as connection:
            rows = quarantine.page(connection, after=after, limit=limit + 1)
            return QuarantinePage(
                items=tuple(_shown(row) for row in rows[:limit]),
                total=quarantine.count(connection),
                dropped=quarantine.dropped(connection),
                next_cursor=str(rows[limit - 1].id) if len(rows) > limit else None,
            )

    def replay(self, ids: Iterable[int] | None = None) -> ReplayResult:
        """Tries items again, all of them where none are named; those that are stored now leave the quarantine.

        What is refused again stays, with its newest reason.
        """
        wanted = None if ids is None else frozenset(ids)
        replayed = remaining = 0
        for rows in self._pages(wanted):
            refused = {row.id: code for row in rows if (code := self._replay_one(row)) is not None}
            # What is refused with another code is kept anew under that.
            gone = [row.id for row in rows if refused.get(row.id) != row.code]
            with self._store.transaction() as connection:
                quarantine.remove(connection, gone)
            replayed += len(rows) - len(refused)
            remaining += len(refused)
        with self._store.transaction() as connection:
            note(connection, self._clock(), "quarantine.replay", "", replayed=replayed, remaining=remaining)
        return ReplayResult(replayed=replayed, remaining=remaining)

    def _pages(self, ids: Collection[int] | None) -> Iterator[Sequence[QuarantineRow]]:
        # What a replay refuses for a new reason becomes a new item behind the last; it must not be replayed again.
        after, last = 0, None
        while True:
            with self._store.snapshot() as connection:
                if last is None:
                    last = quarantine.newest(connection)
                rows = [row for row in quarantine.page(connection, after=after, limit=_AT_ONCE) if row.id <= last]
            if not rows:
                return
            yield [row for row in rows if ids is None or row.id in ids]
            after = rows[-1].id

    def _replay_one(self, row: QuarantineRow) -> str | None:
        """The code with which an item is refused again; `None` where it is stored now."""
        if STRUCK_OUT in row.item:
            # What was sent is not here any more, only what is left of it without the secret.
            code: str = row.code
            return code
        # One by one: two kept items may have the same id, and each is judged as if it came in now.
        result = self._take([read_item(row.item)])
        return result.rejected[0].code if result.rejected else None


def _shown(row: QuarantineRow) -> QuarantinedItem:
    return QuarantinedItem(
        id=row.id,
        code=row.code,
        detail=row.detail,
        item=row.item,
        first_seen_at=format_instant(row.first_seen_at),
        last_seen_at=format_instant(row.last_seen_at),
        times=row.times,
    )
