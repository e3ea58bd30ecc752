"""The public keys of the deployment, in the order in which they took each other's place."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from tallystick.store import schema
from tallystick.store.rows import is_sqlite, run

_key = schema.signing_key


class SigningKeyRow(NamedTuple):
    """A public key as stored, in base64 like its signature; `number` counts from 1."""

    number: int
    id: str
    public_key: str
    created_at: int
    signed_by: str | None
    signature: str | None


def lock(connection: Connection) -> None:
    """Lets nobody else add keys until the transaction ends. A write transaction of SQLite does so by itself."""
    if not is_sqlite(connection):
        run(connection, "LOCK TABLE signing_key IN SHARE ROW EXCLUSIVE MODE")


def keys(connection: Connection) -> list[SigningKeyRow]:
    """Every key; the last one signs."""
    return [SigningKeyRow._make(row) for row in connection.execute(select(_key).order_by(_key.c.number))]


def add(connection: Connection, row: SigningKeyRow) -> None:
    """Stores a key, which signs from now on. The caller holds the lock."""
    connection.execute(insert(_key).values(row._asdict()))
