"""The quarantine: rejected items with their reason, bounded by number, size and age."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, delete, func, select

from tallystick.model.instants import DAY
from tallystick.settings import Settings
from tallystick.store import schema
from tallystick.store.rows import MOST_IN_A_LIST, Columns, insert, insert_or, parts

_item = schema.rejected_item
_counter = schema.counter
_DROPPED: Final = "quarantine_dropped"


class QuarantineRow(NamedTuple):
    """An item as kept."""

    id: int
    digest: str
    code: str
    detail: str
    item: str
    size_bytes: int
    first_seen_at: int
    last_seen_at: int
    times: int


class RejectedItem(NamedTuple):
    """An item to be kept. `digest` tells a repeat from something new; `item` holds no token."""

    digest: str
    code: str
    detail: str
    item: str


_COLUMNS: Final[Columns] = {
    **dict.fromkeys(RejectedItem._fields, "text"),
    "size_bytes": "int",
    "first_seen_at": "bigint",
    "last_seen_at": "bigint",
    "times": "int",
}


def add(connection: Connection, items: Iterable[RejectedItem], *, settings: Settings, now: int) -> int:
    """Keeps items, counting repeats, and drops what falls to the bounds; gives how many were dropped."""
    # In one order everywhere, so that writers of the same items wait for each other and never in a circle.
    ordered = sorted(items)
    last = {item.digest: item for item in ordered}
    times = Counter(item.digest for item in ordered)
    insert(
        connection,
        _item.name,
        _COLUMNS,
        [(*item, len(item.item.encode()), now, now, times[digest]) for digest, item in last.items()],
        "ON CONFLICT (digest) DO UPDATE SET last_seen_at = excluded.last_seen_at, detail = excluded.detail,"
        " times = rejected_item.times + excluded.times",
    )
    return _enforce_bounds(connection, settings, now)


def _enforce_bounds(connection: Connection, settings: Settings, now: int) -> int:
    dropped = _drop_aged(connection, now - settings.quarantine_days * DAY) + _drop_oldest(connection, settings)
    if dropped:
        statement = insert_or(connection)(_counter).values(name=_DROPPED, value=dropped)
        connection.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"value": _counter.c.value + dropped})
        )
    return dropped


def _drop_aged(connection: Connection, end: int) -> int:
    aged = [row.id for row in connection.execute(_unheld().where(_item.c.last_seen_at < end))]
    _delete(connection, aged)
    return len(aged)


def _drop_oldest(connection: Connection, settings: Settings) -> int:
    dropped = 0
    count, size = connection.execute(
        select(func.count(), func.coalesce(func.sum(_item.c.size_bytes), 0)).select_from(_item)
    ).one()
    while count > settings.quarantine_items or size > settings.quarantine_bytes:
        surplus = []
        for row in connection.execute(_unheld().order_by(_item.c.last_seen_at, _item.c.id).limit(MOST_IN_A_LIST)).all():
            if count <= settings.quarantine_items and size <= settings.quarantine_bytes:
                break
            surplus.append(row.id)
            count, size = count - 1, size - row.size_bytes
        if not surplus:
            break
        _delete(connection, surplus)
        dropped += len(surplus)
    return dropped


def _unheld() -> Select[Any]:
    # What another writer holds it has just seen or is dropping itself; to wait for it could end in a circle.
    return select(_item.c.id, _item.c.size_bytes).with_for_update(skip_locked=True)


def dropped(connection: Connection) -> int:
    """How many items have been dropped since the beginning."""
    found: int | None = connection.execute(select(_counter.c.value).where(_counter.c.name == _DROPPED)).scalar()
    return found or 0


def count(connection: Connection) -> int:
    """How many items are kept."""
    found: int = connection.execute(select(func.count()).select_from(_item)).scalar_one()
    return found


def newest(connection: Connection) -> int:
    """The number of the item kept last, 0 where there is none."""
    found: int | None = connection.execute(select(func.max(_item.c.id))).scalar()
    return found or 0


def page(connection: Connection, *, after: int = 0, limit: int) -> list[QuarantineRow]:
    """Kept items in the order of their numbers, those behind `after`."""
    columns = (_item.c[field] for field in QuarantineRow._fields)
    query = select(*columns).where(_item.c.id > after).order_by(_item.c.id).limit(limit)
    return [QuarantineRow._make(row) for row in connection.execute(query)]


def remove(connection: Connection, ids: Iterable[int]) -> None:
    """Removes items."""
    for part in parts(ids):
        # Held in the order in which `add` takes them.
        connection.execute(select(_item.c.id).where(_item.c.id.in_(part)).order_by(_item.c.digest).with_for_update())
        _delete(connection, part)


def _delete(connection: Connection, ids: Iterable[int]) -> None:
    for part in parts(ids):
        connection.execute(delete(_item).where(_item.c.id.in_(part)))
