"""The audit log: administrative acts, written in the transaction of the act itself and never changed."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from tallystick.store import schema

_event = schema.audit_event


class AuditRow(NamedTuple):
    """An act as stored; `detail` is a JSON text."""

    at: int
    actor: str
    origin: str
    action: str
    subject: str
    detail: str
    id: int = 0


def add(connection: Connection, row: AuditRow) -> None:
    """Writes an act down; its number is given by the database."""
    values = row._asdict()
    del values["id"]
    connection.execute(insert(_event).values(values))


def page(connection: Connection, *, before: int | None, limit: int) -> list[AuditRow]:
    """Acts with numbers below `before`, the newest first."""
    query = select(*(_event.c[field] for field in AuditRow._fields)).order_by(_event.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_event.c.id < before)
    return [AuditRow._make(row) for row in connection.execute(query)]
