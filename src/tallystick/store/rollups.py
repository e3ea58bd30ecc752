"""Rollups: the sums of live jobs per account, key and day or month. Ingest adds to them, a void takes out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, bindparam, text

from tallystick.model.months import Month
from tallystick.model.plans import Meter
from tallystick.model.usage import Usage
from tallystick.store import meters as meter_columns
from tallystick.store.rows import Columns, for_each, insert, parts, run


def add(connection: Connection, stretch: str, rows: Sequence[Sequence[int]], meters: tuple[Meter, ...]) -> None:
    """Adds rows (account, day or month, key, jobs, tokens of each meter) to the rollups of that stretch."""
    if not rows:
        return
    table = f"usage_{stretch}"
    summed = {"jobs": "bigint", **meter_columns.typed_columns(meters)}
    added = ", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in summed)
    insert(
        connection,
        table,
        {"account_id": "int", stretch: "int", "key_id": "int", **summed},
        rows,
        f"ON CONFLICT (account_id, {stretch}, key_id) DO UPDATE SET {added}",
    )


def remove_empty(connection: Connection, stretch: str, account_id: int, place: int, key_id: int) -> None:
    """Removes a key's row of a day or month once no job is left in it, as if none had ever been there."""
    run(
        connection,
        f"DELETE FROM usage_{stretch} WHERE account_id = ? AND {stretch} = ? AND key_id = ? AND jobs = 0",
        (account_id, place, key_id),
    )


def clear(connection: Connection, account_id: int) -> None:
    """Removes an account's rollups, to be built anew in the same transaction."""
    for table in ("usage_day", "usage_month"):
        connection.execute(text(f"DELETE FROM {table} WHERE account_id = :account"), {"account": account_id})


def months(
    connection: Connection,
    account_ids: Collection[int],
    first: Month,
    last: Month,
    meters: tuple[Meter, ...],
) -> dict[int, dict[Month, dict[int, Usage]]]:
    """Usage by account, month (ascending) and key, of the months that have any."""
    query = text(
        f"SELECT account_id, month, key_id, {_sums(meters)} FROM usage_month"
        " WHERE account_id IN :ids AND month BETWEEN :first AND :last ORDER BY account_id, month"
    ).bindparams(bindparam("ids", expanding=True))
    found: dict[int, dict[Month, dict[int, Usage]]] = {}
    named = cache(Month)
    for ids in parts(account_ids):
        for row in connection.execute(query, {"ids": ids, "first": first.index, "last": last.index}):
            found.setdefault(row[0], {}).setdefault(named(row[1]), {})[row[2]] = _usage(row[3:])
    return found


def month_totals(
    connection: Connection, account_ids: Collection[int], first: Month, last: Month, meters: tuple[Meter, ...]
) -> dict[int, list[Sequence[int]]]:
    """Rows (account, index of the month, jobs, tokens of each meter) by account, of all keys, months ascending."""
    found: dict[int, list[Sequence[int]]] = {}
    for ids in parts(account_ids):
        rows = run(
            connection,
            f"SELECT account_id, month, {_total(meters)} FROM usage_month WHERE account_id IN ({_places(ids)})"
            " AND month BETWEEN ? AND ? GROUP BY account_id, month ORDER BY account_id, month",
            (*ids, first.index, last.index),
        ).fetchall()
        found.update((account_id, list(own)) for account_id, own in groupby(rows, itemgetter(0)))
    return found


def days(
    connection: Connection, account_id: int, first: int, last: int, meters: tuple[Meter, ...]
) -> dict[int, dict[int, Usage]]:
    """Usage by day and key, of the days from `first` to `last` that have any, ascending."""
    query = text(
        f"SELECT day, key_id, {_sums(meters)} FROM usage_day"
        " WHERE account_id = :account AND day BETWEEN :first AND :last ORDER BY day"
    )
    found: dict[int, dict[int, Usage]] = {}
    for day, key_id, *sums in connection.execute(query, {"account": account_id, "first": first, "last": last}):
        found.setdefault(day, {})[key_id] = _usage(sums)
    return found


Span = tuple[int, int, int]
"""An account and some days, the first and the last."""

_SPAN: Final[Columns] = {"account_id": "int", "first": "int", "last": "int"}
_OF_SPAN: Final = "FROM usage_day WHERE account_id = {account_id} AND day BETWEEN {first} AND {last}"


def jobs_by_day(connection: Connection, spans: Sequence[Span]) -> Iterator[Iterable[tuple[int, int]]]:
    """For each span (day, live jobs), ascending, of the days that have any; as `for_each` gives them."""
    select = f"SELECT day, {_total_of('jobs')} {_OF_SPAN} GROUP BY day ORDER BY day"
    return for_each(connection, _SPAN, spans, select)  # type: ignore[return-value]  # two columns, as they say


def totals_by_day(
    connection: Connection, spans: Sequence[Span], meters: tuple[Meter, ...]
) -> Iterator[Iterable[Sequence[int]]]:
    """For each span rows (day, jobs, tokens of each meter), of all keys, ascending; as `for_each` gives them."""
    return for_each(connection, _SPAN, spans, f"SELECT day, {_total(meters)} {_OF_SPAN} GROUP BY day ORDER BY day")


def sums_of(connection: Connection, spans: Sequence[Span], meters: tuple[Meter, ...]) -> list[dict[int, Usage]]:
    """For each span the usage of all its days, by key."""
    select = f"SELECT key_id, {_total(meters)} {_OF_SPAN} GROUP BY key_id"
    return [{key_id: _usage(sums) for key_id, *sums in rows} for rows in for_each(connection, _SPAN, spans, select)]


def day_sums(
    connection: Connection, account_id: int, first: int, last: int, meters: tuple[Meter, ...]
) -> dict[int, Usage]:
    """Usage by day, of all keys together, of the days from `first` to `last` that have any, ascending."""
    sums = ", ".join(f"SUM({column})" for column in ("jobs", *meter_columns.columns(meters)))
    query = text(
        f"SELECT day, {sums} FROM usage_day WHERE account_id = :account AND day BETWEEN :first AND :last"
        " GROUP BY day ORDER BY day"
    )
    rows = connection.execute(query, {"account": account_id, "first": first, "last": last})
    return {day: Usage(int(jobs), tuple(int(count) for count in tokens)) for day, jobs, *tokens in rows}


def key_days(
    connection: Connection,
    account_id: int,
    first: int,
    last: int,
    meters: tuple[Meter, ...],
    key_ids: Collection[int],
) -> dict[int, dict[int, Usage]]:
    """Usage by key and day, of some keys, of the days from `first` to `last` that have any."""
    query = text(
        f"SELECT key_id, day, {_sums(meters)} FROM usage_day"
        " WHERE account_id = :account AND day BETWEEN :first AND :last AND key_id IN :keys"
    ).bindparams(bindparam("keys", expanding=True))
    found: dict[int, dict[int, Usage]] = {key_id: {} for key_id in key_ids}
    for keys in parts(key_ids):
        values = {"account": account_id, "first": first, "last": last, "keys": keys}
        for key_id, day, *sums in connection.execute(query, values):
            found[key_id][day] = _usage(sums)
    return found


def first_day(connection: Connection, account_id: int) -> int | None:
    """The first day with a live job of an account; `None` without any."""
    query = text("SELECT MIN(day) FROM usage_day WHERE account_id = :account")
    found: int | None = connection.execute(query, {"account": account_id}).scalar()
    return found


def jobs_before_month(connection: Connection, account_ids: Collection[int], month: Month) -> dict[int, int]:
    """How many live jobs each account had before a month; accounts with none are left out."""
    found: dict[int, int] = {}
    for ids in parts(account_ids):
        rows = run(
            connection,
            f"SELECT account_id, SUM(jobs) FROM usage_month WHERE account_id IN ({_places(ids)}) AND month < ?"
            " GROUP BY account_id",
            (*ids, month.index),
        )
        for account_id, jobs in map(tuple, rows):
            found[account_id] = int(jobs)
    return found


def jobs_by_month(connection: Connection, account_ids: Iterable[int]) -> Iterator[Iterable[tuple[int, int]]]:
    """For each account (month, live jobs), ascending, of the months that have any; as `for_each` gives them."""
    select = (
        f"SELECT month, {_total_of('jobs')} FROM usage_month WHERE account_id = {{account_id}}"
        " GROUP BY month ORDER BY month"
    )
    rows = [(account_id,) for account_id in account_ids]
    return for_each(connection, {"account_id": "int"}, rows, select)  # type: ignore[return-value]  # as in jobs_by_day


def jobs_by(
    connection: Connection, account_id: int, stretch: str, first: int, last: int, *, key_id: int | None = None
) -> list[tuple[int, int]]:
    """(day or month, live jobs) ascending, of those from `first` to `last` that have any; of one key if it is named."""
    of_key = "" if key_id is None else " AND key_id = :key"
    query = text(
        f"SELECT {stretch}, SUM(jobs) FROM usage_{stretch} WHERE account_id = :account"
        f" AND {stretch} BETWEEN :first AND :last{of_key} GROUP BY {stretch} ORDER BY {stretch}"
    )
    values = {"account": account_id, "first": first, "last": last} | ({} if key_id is None else {"key": key_id})
    return [(place, int(jobs)) for place, jobs in connection.execute(query, values)]


def first_month(connection: Connection, account_ids: Collection[int] | None = None) -> Month | None:
    """The first month with a live job of any of the accounts, of all where none are named; `None` without any."""
    if account_ids is None:
        found = connection.execute(text("SELECT MIN(month) FROM usage_month")).scalar()
    else:
        query = text("SELECT MIN(month) FROM usage_month WHERE account_id IN :ids")
        query = query.bindparams(bindparam("ids", expanding=True))
        found = connection.execute(query, {"ids": list(account_ids)}).scalar()
    return None if found is None else Month(found)


def _places(values: Collection[int]) -> str:
    return ", ".join("?" * len(values))


def _sums(meters: Iterable[Meter]) -> str:
    return ", ".join(["jobs", *meter_columns.columns(meters)])


def _total(meters: Iterable[Meter]) -> str:
    return ", ".join(map(_total_of, ["jobs", *meter_columns.columns(meters)]))


def _total_of(column: str) -> str:
    # PostgreSQL sums integers to decimals.
    return f"CAST(SUM({column}) AS BIGINT) AS {column}"


def _usage(sums: Sequence[Any]) -> Usage:
    return Usage(sums[0], tuple(sums[1:]))
