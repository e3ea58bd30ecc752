"""The ledger: jobs as they are stored, appended and walked."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from tallystick.model.plans import Meter
from tallystick.store import meters as meter_columns
from tallystick.store.rows import Columns, insert_new, is_sqlite, run
from tallystick.store.schema import LIVE, VOIDED

_COLUMNS: Final[Columns] = {
    "account_id": "int",
    "state": "int",
    "booked_at": "bigint",
    "id": "text",
    "key_id": "int",
    "completed_at": "bigint",
    "recorded_at": "bigint",
}

_ROWS_AT_ONCE: Final = 1000
_NO_END: Final = 2**63 - 1

_BEHIND: Final = "(booked_at, id) > (CAST(? AS BIGINT), CAST(? AS TEXT))"
"""SQLite compares each row again where it is not told the types."""


class JobRow(msgspec.Struct, frozen=True, gc=False):
    """A job as stored; `tokens` in the order of the deployment's meters."""

    account_id: int
    state: int
    booked_at: int
    id: str
    key_id: int
    completed_at: int
    recorded_at: int
    tokens: tuple[int, ...]

    @property
    def late(self) -> bool:
        """Whether it came after its month was closed: then alone it is booked otherwise than completed (rule 7)."""
        return self.booked_at != self.completed_at

    def values(self) -> tuple[int | str, ...]:
        """The values of the columns, the meters' last."""
        return (
            self.account_id,
            self.state,
            self.booked_at,
            self.id,
            self.key_id,
            self.completed_at,
            self.recorded_at,
            *self.tokens,
        )


class Position(NamedTuple):
    """Where a job stands in its account's order of live jobs."""

    booked_at: int
    id: str


def append(
    connection: Connection, rows: Sequence[JobRow], meters: tuple[Meter, ...], *, clock_moved: bool
) -> dict[tuple[int, str], JobRow]:
    """Stores the jobs whose ids are new to their accounts, and gives the stored ones of all others.

    `rows` hold each (account, id) once. `clock_moved` says that nothing of their accounts was recorded at their
    `recorded_at` before, so that it tells them from what was there: repeats are rare, and are looked for only where
    fewer rows than given went in.
    """
    if not rows:
        return {}
    if clock_moved:
        missing = len(rows) - _insert(connection, rows, meters)
        if not missing:
            return {}
        recorded_at = {(row.account_id, row.id): row.recorded_at for row in rows}
        found = find(connection, recorded_at.keys(), meters)
        known = {place: row for place, row in found.items() if row.recorded_at != recorded_at[place]}
    else:
        known = find(connection, [(row.account_id, row.id) for row in rows], meters)
        fresh = [row for row in rows if (row.account_id, row.id) not in known]
        missing = len(rows) - _insert(connection, fresh, meters)
    assert missing == len(known), "a job that is not stored would be taken for one that is"
    return known


def find(
    connection: Connection, wanted: Collection[tuple[int, str]], meters: tuple[Meter, ...]
) -> dict[tuple[int, str], JobRow]:
    """The stored jobs among the wanted (account, id) pairs, in any state."""
    select = f"SELECT {_select(meters, 'job.')} FROM"
    if is_sqlite(connection):
        # CROSS JOIN keeps the planner from walking the ledger instead of the list.
        rows = run(
            connection,
            f"{select} json_each(?) AS wanted CROSS JOIN job ON job.account_id = json_extract(wanted.value, '$[0]')"
            " AND job.id = json_extract(wanted.value, '$[1]')",
            [json.dumps(list(wanted))],
        )
    else:
        rows = run(
            connection,
            f"{select} unnest(?::int[], ?::text[]) AS wanted (account_id, id)"
            " JOIN job ON job.account_id = wanted.account_id AND job.id = wanted.id",
            [[account_id for account_id, _ in wanted], [job_id for _, job_id in wanted]],
        )
    return {(row.account_id, row.id): row for row in map(_job_row, rows)}


def live_page(
    connection: Connection,
    account_id: int,
    meters: tuple[Meter, ...],
    *,
    after: Position,
    before: int,
    limit: int,
) -> list[JobRow]:
    """At most `limit` live jobs behind a position and booked before an instant, in rank order."""
    rows = run(
        connection,
        f"SELECT {_select(meters)} FROM job WHERE account_id = ? AND state = ?"
        f" AND {_BEHIND} AND booked_at < ? ORDER BY booked_at, id LIMIT ?",
        (account_id, LIVE, *after, before, limit),
    )
    return [_job_row(row) for row in rows]


def count(connection: Connection, account_id: int, state: int, *, start: int, through: Position) -> int:
    """How many jobs of one state are booked from an instant on and not behind a position; walks just those."""
    found: int = run(
        connection,
        "SELECT COUNT(*) FROM job WHERE account_id = ? AND state = ? AND booked_at >= ? AND (booked_at, id) <= (?, ?)",
        (account_id, state, start, *through),
    ).scalar_one()
    return found


def mark_voided(connection: Connection, row: JobRow) -> None:
    """Puts a live job among the voided ones; whoever calls sees to everything that counted it."""
    changed = run(
        connection,
        "UPDATE job SET state = ? WHERE account_id = ? AND state = ? AND booked_at = ? AND id = ?",
        (VOIDED, row.account_id, row.state, row.booked_at, row.id),
    ).rowcount
    assert changed == 1, "the caller holds the account and has just read the job"


def walk_live(connection: Connection, account_id: int, meters: tuple[Meter, ...]) -> Iterator[JobRow]:
    """Every live job of an account in rank order, read as it goes."""
    return walk(connection, account_id, LIVE, meters, after=Position(-1, ""), before=_NO_END)


def walk(
    connection: Connection,
    account_id: int,
    state: int,
    meters: tuple[Meter, ...],
    *,
    after: Position,
    before: int,
    limit: int | None = None,
) -> Iterator[JobRow]:
    """An account's jobs of one state behind a position and booked before an instant, in order, read as it goes."""
    rows = run(
        connection,
        f"SELECT {_select(meters)} FROM job WHERE account_id = ? AND state = ?"
        f" AND {_BEHIND} AND booked_at < ? ORDER BY booked_at, id LIMIT ?",
        (account_id, state, *after, before, _NO_END if limit is None else limit),
        {"stream_results": True, "max_row_buffer": _ROWS_AT_ONCE},
    )
    try:
        for part in rows.partitions(_ROWS_AT_ONCE):
            yield from map(_job_row, part)
    finally:
        rows.close()


def position_behind(
    connection: Connection, account_id: int, state: int, *, after: Position, before: int, skip: int
) -> Position | None:
    """Where the job stands that comes behind `skip` others after a position; `None` where there is none."""
    row = run(
        connection,
        "SELECT booked_at, id FROM job WHERE account_id = ? AND state = ?"
        f" AND {_BEHIND} AND booked_at < ? ORDER BY booked_at, id LIMIT 1 OFFSET ?",
        (account_id, state, *after, before, skip),
    ).first()
    return None if row is None else Position._make(row)


class Placed(NamedTuple):
    """A job and its place among the live jobs of a stretch of time, from 1."""

    place: int
    row: JobRow


def placed(
    connection: Connection,
    account_id: int,
    meters: tuple[Meter, ...],
    *,
    span: tuple[int, int],
    places: tuple[int, int],
    key_id: int | None,
    limit: int,
    backward: bool,
) -> list[Placed]:
    """Of the live jobs booked in a span (from its first instant to before its second), at most `limit` with places
    from the first to the second, in order: the first ones, or `backward` the last; of one key where it is named.
    """
    first, last = places
    if key_id is None:
        count = min(limit, last - first + 1)
        skip = last - count if backward else first - 1
        rows = run(
            connection,
            f"SELECT {_select(meters)} FROM job WHERE account_id = ? AND state = ? AND booked_at >= ? AND booked_at < ?"
            " ORDER BY booked_at, id LIMIT ? OFFSET ?",
            (account_id, LIVE, *span, count, skip),
        )
        return [Placed(place, _job_row(row)) for place, row in enumerate(rows, skip + 1)]
    columns = _select(meters)
    found = run(
        connection,
        f"SELECT place, {columns} FROM (SELECT ROW_NUMBER() OVER (ORDER BY booked_at, id) AS place, {columns} FROM job"
        " WHERE account_id = ? AND state = ? AND booked_at >= ? AND booked_at < ?) AS spanned"
        f" WHERE key_id = ? AND place BETWEEN ? AND ? ORDER BY place {'DESC' if backward else 'ASC'} LIMIT ?",
        (account_id, LIVE, *span, key_id, first, last, limit),
    ).all()
    return [Placed(row[0], _job_row(row[1:])) for row in (reversed(found) if backward else found)]


def _insert(connection: Connection, rows: Sequence[JobRow], meters: tuple[Meter, ...]) -> int:
    columns = _COLUMNS | meter_columns.typed_columns(meters)
    return insert_new(connection, "job", columns, [row.values() for row in rows]) if rows else 0


def column_names(meters: tuple[Meter, ...]) -> list[str]:
    """The columns in the order of `JobRow.values`."""
    return [*_COLUMNS, *meter_columns.columns(meters)]


def _select(meters: tuple[Meter, ...], prefix: str = "") -> str:
    return ", ".join(prefix + column for column in column_names(meters))


def _job_row(row: Sequence[Any]) -> JobRow:
    account_id, state, booked_at, job_id, key_id, completed_at, recorded_at, *tokens = row
    return JobRow(account_id, state, booked_at, job_id, key_id, completed_at, recorded_at, tuple(tokens))
