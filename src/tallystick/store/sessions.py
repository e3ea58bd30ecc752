"""Sessions of the web pages. Only the hashes of their secrets are here."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from tallystick.store import schema, tokens
from tallystick.store.tokens import TokenRow

_session = schema.web_session


class SessionRow(NamedTuple):
    """A session as stored; instants in microseconds since 1970."""

    hash: str
    token_id: str
    created_at: int
    expires_at: int


def add_session(connection: Connection, row: SessionRow) -> None:
    """Stores a new session, and removes those that have run out by its beginning."""
    connection.execute(delete(_session).where(_session.c.expires_at <= row.created_at))
    connection.execute(insert(_session).values(row._asdict()))


def session_hashed(connection: Connection, hashed: str) -> tuple[SessionRow, TokenRow] | None:
    """The session of that hash with the token it holds the authority of, if there is one."""
    columns = (_session.c[field] for field in SessionRow._fields)
    row = connection.execute(select(*columns).where(_session.c.hash == hashed)).first()
    return None if row is None else (SessionRow._make(row), tokens.token_numbered(connection, row.token_id))


def remove_session(connection: Connection, hashed: str) -> str | None:
    """Ends a session, if there is one of that hash; gives the id of its token."""
    query = delete(_session).where(_session.c.hash == hashed).returning(_session.c.token_id)
    token_id: str | None = connection.execute(query).scalar()
    return token_id
