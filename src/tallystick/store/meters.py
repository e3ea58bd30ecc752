"""The deployment's meters, and the columns that hold them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import OperationalError

from tallystick.errors import FieldError, InvalidPlan
from tallystick.model.plans import Meter
from tallystick.store import schema
from tallystick.store.rows import Columns, is_sqlite, run

_PATIENCE_MILLISECONDS: Final = 100
"""How long to wait for the tables at once: less than the second after which PostgreSQL looks for circles."""
_ATTEMPTS: Final = 150
_LOCK_NOT_AVAILABLE: Final = "55P03"


def column(meter_id: str) -> str:
    """The column of a meter in the metered tables. Meter ids are checked to be plain words."""
    return f"tokens_{meter_id}"


def columns(meters: Iterable[Meter]) -> list[str]:
    """The columns of several meters, in their order."""
    return [column(meter.id) for meter in meters]


def typed_columns(meters: Iterable[Meter]) -> Columns:
    """The columns of several meters with their type."""
    return dict.fromkeys(columns(meters), "bigint")


def all_meters(connection: Connection) -> tuple[Meter, ...]:
    """The meters of the deployment in the order in which they were added, which is that of reports."""
    table = schema.meter
    rows = connection.execute(select(table.c.id, table.c.report_as).order_by(table.c.position))
    return tuple(Meter(row.id, row.report_as) for row in rows)


def add_meters(connection: Connection, wanted: Iterable[Meter]) -> None:
    """Adds the meters that are new, with a column of zeros for each in the metered tables; loses nothing.

    Raises `InvalidPlan` where a meter is known under another field of the report, or the field is taken.
    """
    known = list(all_meters(connection))
    new = len(known)
    for place, meter in enumerate(wanted):
        if meter not in known:
            _check_fits(known, meter, place)
            known.append(meter)
    if len(known) > new and not is_sqlite(connection):
        _hold_tables(connection)
    for position, meter in enumerate(known[new:], new):
        for table in schema.METERED:
            kind = "INTEGER" if is_sqlite(connection) else "BIGINT"
            run(connection, f"ALTER TABLE {table} ADD COLUMN {column(meter.id)} {kind} NOT NULL DEFAULT 0")
        connection.execute(insert(schema.meter).values(position=position, id=meter.id, report_as=meter.report_as))


def _hold_tables(connection: Connection) -> None:
    """Waits until nobody reads or writes the metered tables, and keeps everybody else away.

    Others take these tables in orders of their own. So this asks for all at once, and rather lets go and asks again
    than stand in a circle, which the database would break by failing somebody's report.
    """
    before = connection.execute(text("SELECT current_setting('lock_timeout')")).scalar_one()
    run(connection, f"SET LOCAL lock_timeout = '{_PATIENCE_MILLISECONDS}ms'")
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with connection.begin_nested():
                run(connection, f"LOCK TABLE {', '.join(schema.METERED)} IN ACCESS EXCLUSIVE MODE")
        except OperationalError as error:
            if attempt == _ATTEMPTS or getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            # Whoever had to wait behind this goes first.
            time.sleep(_PATIENCE_MILLISECONDS / 1000)
        else:
            break
    connection.execute(text("SELECT set_config('lock_timeout', :before, true)"), {"before": before})


def _check_fits(known: list[Meter], meter: Meter, place: int) -> None:
    for other in known:
        if other.id == meter.id:
            detail = f"the meter {meter.id} is reported as {other.report_as} in this deployment, and stays so"
        elif other.report_as == meter.report_as:
            detail = f"{meter.report_as} is the field of the meter {other.id} in this deployment"
        else:
            continue
        raise InvalidPlan([FieldError(detail, key=f"meters[{place}].report_as")])
