"""Access tokens. Only their hashes are here."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert, select, update

from tallystick.errors import NotFound
from tallystick.model.tokens import Scope
from tallystick.store import schema
from tallystick.store.rows import is_storable

_token = schema.access_token


class TokenRow(NamedTuple):
    """A token as stored; `account` is the name of the account that it may read."""

    id: str
    hash: str
    scope: Scope
    label: str
    account: str | None
    created_at: int
    expires_at: int | None
    revoked_at: int | None


def add_token(connection: Connection, row: TokenRow, *, account_id: int | None) -> None:
    """Stores a new token."""
    values: dict[str, Any] = row._asdict() | {"scope": row.scope.value, "account_id": account_id}
    del values["account"]
    connection.execute(insert(_token).values(values))


def list_tokens(connection: Connection) -> list[TokenRow]:
    """Every token, the oldest first."""
    return [_row(row) for row in connection.execute(_tokens().order_by(_token.c.created_at, _token.c.id))]


def token_hashed(connection: Connection, hashed: str) -> TokenRow | None:
    """The token of that hash, if there is one."""
    row = connection.execute(_tokens().where(_token.c.hash == hashed)).first()
    return None if row is None else _row(row)


def token_numbered(connection: Connection, token_id: str, *, hold: bool = False) -> TokenRow:
    """The token of that id, on wish kept from others' changes until the transaction ends.

    Raises `NotFound` (code ``unknown_token``).
    """
    query = _tokens().where(_token.c.id == token_id)
    query = query.with_for_update(of=_token) if hold else query
    row = connection.execute(query).first() if is_storable(token_id) else None
    if row is None:
        raise NotFound("there is no such token", code="unknown_token")
    return _row(row)


def revoke_token(connection: Connection, token_id: str, *, now: int) -> None:
    """Marks a token revoked, unless it is already."""
    connection.execute(
        update(_token).where(_token.c.id == token_id, _token.c.revoked_at.is_(None)).values(revoked_at=now)
    )


def expire_token(connection: Connection, token_id: str, *, at: int) -> None:
    """Sets the instant from which a token no longer holds."""
    connection.execute(update(_token).where(_token.c.id == token_id).values(expires_at=at))


def _tokens() -> Any:
    return select(
        _token.c.id,
        _token.c.hash,
        _token.c.scope,
        _token.c.label,
        schema.account.c.name.label("account"),
        _token.c.created_at,
        _token.c.expires_at,
        _token.c.revoked_at,
    ).outerjoin(schema.account, schema.account.c.id == _token.c.account_id)


def _row(row: Row[Any]) -> TokenRow:
    return TokenRow(**{**row._asdict(), "scope": Scope(row.scope)})
