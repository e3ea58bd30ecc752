"""Boundaries: where in an account's ledger a rank falls, and the sums up to it. A cache of what can be derived.

The *cut day* of a rank is the day on which that job falls. Every earlier day lies wholly before the boundary and
every later one wholly behind it, so rollups answer for them; of the cut day the first few jobs are read in order.
A boundary found once is kept until a job comes in at or before it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, text

from tallystick.model.calendar import Calendar
from tallystick.model.months import Month
from tallystick.model.plans import Meter
from tallystick.model.usage import Usage
from tallystick.store import meters as meter_columns
from tallystick.store import rollups, states
from tallystick.store.jobs import Position
from tallystick.store.rows import array_literal, insert, is_sqlite, run
from tallystick.store.schema import LIFETIME, LIVE

_FAR = 2**31 - 1


class CutDay(NamedTuple):
    """The day on which a rank falls, and how many of the account's live jobs came before that day."""

    day: int
    jobs_before: int


def cut_day(connection: Connection, account_id: int, rank: int) -> CutDay | None:
    """The cut day of a rank, from rollups alone; `None` where the account has fewer jobs."""
    before = 0
    for month, jobs in rollups.jobs_by(connection, account_id, "month", 0, _FAR):
        if before + jobs >= rank:
            return _day_within(connection, account_id, Month(month), rank, before)
        before += jobs
    return None


def _day_within(connection: Connection, account_id: int, month: Month, rank: int, before: int) -> CutDay | None:
    for day, jobs in rollups.jobs_by(connection, account_id, "day", month.first_day, month.last_day):
        if before + jobs >= rank:
            return CutDay(day, before)
        before += jobs
    return None


def kept(
    connection: Connection, account_id: int, ranks: Collection[int], meters: tuple[Meter, ...]
) -> dict[int, dict[int, Usage]]:
    """The cut day's sums per key up to each of those ranks whose boundary is kept."""
    query = text(
        f"SELECT {', '.join(['rank', 'key_id', 'jobs', *meter_columns.columns(meters)])} FROM boundary_usage"
        " WHERE account_id = :account AND period = :period AND rank IN :ranks"
    ).bindparams(bindparam("ranks", expanding=True))
    found: dict[int, dict[int, Usage]] = {}
    rows = connection.execute(query, {"account": account_id, "period": LIFETIME, "ranks": list(ranks)})
    for rank, key_id, jobs, *tokens in rows:
        found.setdefault(rank, {})[key_id] = Usage(jobs, tuple(tokens))
    return found


def derive(
    connection: Connection, account_id: int, calendar: Calendar, day: int, count: int, meters: tuple[Meter, ...]
) -> dict[int, Usage]:
    """The sums per key of the first `count` live jobs of a day, read from the ledger in order."""
    columns = meter_columns.columns(meters)
    sums = ", ".join(["COUNT(*)", *(f"SUM({column})" for column in columns)])
    rows = connection.execute(
        text(
            f"SELECT key_id, {sums} FROM (SELECT {', '.join(['key_id', *columns])} FROM job"
            " WHERE account_id = :account AND state = :state AND booked_at >= :start"
            " ORDER BY booked_at, id LIMIT :count) AS first_jobs GROUP BY key_id"
        ),
        {"account": account_id, "state": LIVE, "start": calendar.day_start(day), "count": count},
    )
    return {key_id: Usage(jobs, tuple(int(sum_) for sum_ in tokens)) for key_id, jobs, *tokens in rows}


def keep(connection: Connection, account_id: int, ranks: Iterable[int]) -> None:
    """Keeps the boundaries at some ranks, each derived anew under the account's lock."""
    state = states.lock(connection, [account_id]).get(account_id)
    if state is None:
        return
    # Not before the lock: meanwhile a meter could come, and a job of it.
    meters = meter_columns.all_meters(connection)
    for rank in ranks:
        cut = cut_day(connection, account_id, rank)
        if cut is not None:
            _keep_one(connection, account_id, rank, cut, state.calendar, meters)


def _keep_one(
    connection: Connection, account_id: int, rank: int, cut: CutDay, calendar: Calendar, meters: tuple[Meter, ...]
) -> None:
    count = rank - cut.jobs_before
    usage = derive(connection, account_id, calendar, cut.day, count, meters)
    position = _position(connection, account_id, calendar.day_start(cut.day), count)
    place = {"account": account_id, "period": LIFETIME, "rank": rank}
    connection.execute(
        text("DELETE FROM boundary WHERE account_id = :account AND period = :period AND rank = :rank"), place
    )
    connection.execute(
        text(
            "INSERT INTO boundary (account_id, period, rank, day, booked_at, job_id)"
            " VALUES (:account, :period, :rank, :day, :booked_at, :job_id)"
        ),
        {**place, "day": cut.day, "booked_at": position.booked_at, "job_id": position.id},
    )
    columns = {"account_id": "int", "period": "int", "rank": "bigint", "key_id": "int", "jobs": "bigint"}
    insert(
        connection,
        "boundary_usage",
        columns | meter_columns.typed_columns(meters),
        [(account_id, LIFETIME, rank, key_id, part.jobs, *part.tokens) for key_id, part in usage.items()],
        "",
    )


def _position(connection: Connection, account_id: int, start: int, count: int) -> Position:
    row = connection.execute(
        text(
            "SELECT booked_at, id FROM job WHERE account_id = :account AND state = :state AND booked_at >= :start"
            " ORDER BY booked_at, id LIMIT 1 OFFSET :offset"
        ),
        {"account": account_id, "state": LIVE, "start": start, "offset": count - 1},
    ).one()
    return Position(*row)


def discard(connection: Connection, earliest: Sequence[tuple[int, Position]]) -> None:
    """Throws away, per account, the boundaries at or behind the position of its earliest new job."""
    if is_sqlite(connection):
        # One statement for all: many short ones let go of the interpreter as often, and wait for it each time.
        run(
            connection,
            "DELETE FROM boundary WHERE (account_id, period, rank) IN (SELECT account_id, period, rank"
            " FROM json_each(?) AS new CROSS JOIN boundary ON account_id = json_extract(new.value, '$[0]') WHERE"
            " (booked_at, job_id) >= (json_extract(new.value, '$[1]'), json_extract(new.value, '$[2]')))",
            [json.dumps([(account_id, *position) for account_id, position in earliest])],
        )
        return
    run(
        connection,
        "DELETE FROM boundary USING unnest(?::int[], ?::bigint[], ?::text[]) AS new (account_id, booked_at, id)"
        " WHERE boundary.account_id = new.account_id"
        " AND (boundary.booked_at, boundary.job_id) >= (new.booked_at, new.id)",
        [
            array_literal([account_id for account_id, _ in earliest], "int"),
            array_literal([position.booked_at for _, position in earliest], "bigint"),
            array_literal([position.id for _, position in earliest], "text"),
        ],
    )


def clear(connection: Connection, account_id: int) -> None:
    """Throws away every boundary of an account, and sums that have lost their boundary."""
    for table in ("boundary_usage", "boundary"):
        connection.execute(text(f"DELETE FROM {table} WHERE account_id = :account"), {"account": account_id})
