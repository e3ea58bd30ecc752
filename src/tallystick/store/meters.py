"""The deployment's meters, and the columns that hold them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select

from tallystick.errors import FieldError, InvalidPlan
from tallystick.model.plans import Meter
from tallystick.store import schema
from tallystick.store.rows import Columns, is_sqlite, run


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
    for place, meter in enumerate(wanted):
        if meter in known:
            continue
        _check_fits(known, meter, place)
        for table in schema.METERED:
            kind = "INTEGER" if is_sqlite(connection) else "BIGINT"
            run(connection, f"ALTER TABLE {table} ADD COLUMN {column(meter.id)} {kind} NOT NULL DEFAULT 0")
        connection.execute(insert(schema.meter).values(position=len(known), id=meter.id, report_as=meter.report_as))
        known.append(meter)


def _check_fits(known: list[Meter], meter: Meter, place: int) -> None:
    for other in known:
        if other.id == meter.id:
            detail = f"the meter {meter.id} is reported as {other.report_as} in this deployment, and stays so"
        elif other.report_as == meter.report_as:
            detail = f"{meter.report_as} is the field of the meter {other.id} in this deployment"
        else:
            continue
        raise InvalidPlan([FieldError(detail, key=f"meters[{place}].report_as")])
