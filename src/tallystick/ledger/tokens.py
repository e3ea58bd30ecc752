"""Access tokens: made, listed, revoked, rotated, and recognised."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from tallystick.errors import InvalidInput, Unauthenticated
from tallystick.ledger.audit import note
from tallystick.model.accounts import NewToken, TokenInfo
from tallystick.model.instants import SECOND, format_instant, read_instant
from tallystick.model.names import check_name
from tallystick.model.tokens import SECRET_BYTES, Scope, hash_token, is_token, make_token
from tallystick.store import accounts, tokens
from tallystick.store.database import Connection, Store
from tallystick.store.tokens import TokenRow

_ID_BYTES: Final = 8
_MEMORY: Final = SECOND
"""How long a token that was found to hold is taken to hold, in microseconds."""

_MOST_REMEMBERED: Final = 10_000

_OF_ONE_ACCOUNT: Final = frozenset({Scope.USAGE, Scope.MANAGE})

MOST_OVERLAP_SECONDS: Final = 366 * 24 * 3600


class Authority(NamedTuple):
    """What a token may do, and for which account (`None` for scopes that are not bound to one)."""

    token_id: str
    scope: Scope
    account: str | None


class Tokens:
    """Access tokens. A secret is given once, when it is made; only its hash is stored."""

    def __init__(self, store: Store, clock: Callable[[], int], random_bytes: Callable[[int], bytes]) -> None:
        self._store = store
        self._clock = clock
        self._random_bytes = random_bytes
        self._known: dict[str, tuple[Authority, int]] = {}

    def create(
        self, scope: str, *, account: str | None = None, label: str = "", expires_at: str | datetime | None = None
    ) -> NewToken:
        """Makes a token. `usage` and `manage` tokens are bound to an account, `admin` and `ingest` tokens to none.

        `expires_at` is an RFC 3339 time or an aware `datetime`; without it the token holds until it is revoked.

        Raises `InvalidInput` naming the parameter, and `NotFound` (code ``unknown_account``).
        """
        if scope not in set(Scope):
            raise InvalidInput.parameter("scope", f"must be one of {', '.join(Scope)}")
        granted = Scope(scope)
        if (account is not None) != (granted in _OF_ONE_ACCOUNT):
            needed = "is needed" if account is None else "is not taken"
            raise InvalidInput.parameter("account", f"{needed} with scope {granted}")
        if label:
            _check_label(label)
        expiry = self._checked_expiry(expires_at)
        with self._store.transaction() as connection:
            made = self._add(connection, granted, account, label, expiry)
            note(
                connection,
                self._clock(),
                "token.create",
                made.info.id,
                scope=scope,
                account=account,
                label=label or None,
            )
        return made

    def list(self) -> tuple[TokenInfo, ...]:
        """Every token, the oldest first, without secrets."""
        with self._store.snapshot() as connection:
            return tuple(_shown(row) for row in tokens.list_tokens(connection))

    def revoke(self, token_id: str) -> TokenInfo:
        """Ends a token at once. Raises `NotFound` (code ``unknown_token``)."""
        with self._store.transaction() as connection:
            tokens.token_numbered(connection, token_id)
            tokens.revoke_token(connection, token_id, now=self._clock())
            ended = _shown(tokens.token_numbered(connection, token_id))
            note(connection, self._clock(), "token.revoke", token_id)
        self._known.clear()
        return ended

    def rotate(self, token_id: str, *, overlap_seconds: int = 0, expires_at: str | datetime | None = None) -> NewToken:
        """Makes a token of the same scope, account and label; the old one holds for the overlap and then ends.

        Raises `NotFound`, and `InvalidInput` for a token that has ended already.
        """
        if not 0 <= overlap_seconds <= MOST_OVERLAP_SECONDS:
            raise InvalidInput.parameter("overlap_seconds", f"must lie between 0 and {MOST_OVERLAP_SECONDS}")
        expiry = self._checked_expiry(expires_at)
        with self._store.transaction() as connection:
            old = tokens.token_numbered(connection, token_id, hold=True)
            now = self._clock()
            if has_ended(old, now):
                raise InvalidInput.parameter("id", "names a token that has ended; create a new one")
            end = now + overlap_seconds * SECOND
            if old.expires_at is None or end < old.expires_at:
                tokens.expire_token(connection, token_id, at=end)
            made = self._add(connection, old.scope, old.account, old.label, expiry)
            note(connection, now, "token.rotate", token_id, successor=made.info.id, overlap_seconds=overlap_seconds)
        self._known.clear()
        return made

    def authenticate(self, token: str) -> Authority:
        """Whose token it is. Raises `Unauthenticated`; the error never tells which check failed for a stored token."""
        if not is_token(token):
            raise Unauthenticated("the token is malformed; it begins with tally_ and was shown once when it was made")
        hashed = hash_token(token)
        with self._store.snapshot() as connection:
            row = tokens.token_hashed(connection, hashed)
        now = self._clock()
        if row is None or not hmac.compare_digest(row.hash, hashed) or has_ended(row, now):
            raise Unauthenticated("the token is unknown, expired or revoked")
        authority = Authority(row.id, row.scope, row.account)
        self._remember(hashed, authority, now if row.expires_at is None else min(now, row.expires_at - _MEMORY))
        return authority

    def remembered(self, token: str) -> Authority | None:
        """Whose token it is, if it was found to hold within the last second; asks nothing and never waits.

        What this process ends is forgotten at once; a token that another process ends holds for a second more.
        """
        known = self._known.get(hash_token(token))
        if known is None or not 0 <= self._clock() - known[1] < _MEMORY:
            return None
        return known[0]

    def _remember(self, hashed: str, authority: Authority, since: int) -> None:
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[hashed] = (authority, since)

    def _add(
        self, connection: Connection, scope: Scope, account: str | None, label: str, expires_at: int | None
    ) -> NewToken:
        secret = make_token(self._random_bytes(SECRET_BYTES))
        token_id = f"tok_{self._random_bytes(_ID_BYTES).hex()}"
        row = TokenRow(token_id, hash_token(secret), scope, label, account, self._clock(), expires_at, None)
        account_id = None if account is None else accounts.account_named(connection, account).id
        tokens.add_token(connection, row, account_id=account_id)
        return NewToken(token=secret, info=_shown(row))

    def _checked_expiry(self, expires_at: str | datetime | None) -> int | None:
        if expires_at is None:
            return None
        instant = read_instant(expires_at, "expires_at")
        if instant <= self._clock():
            raise InvalidInput.parameter("expires_at", "lies in the past")
        return instant


def _check_label(label: str) -> None:
    try:
        check_name(label)
    except InvalidInput as error:
        raise InvalidInput.parameter("label", error.detail, code=error.code) from None


def has_ended(row: TokenRow, now: int) -> bool:
    """Whether a token holds no more at an instant."""
    return row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now)


def _shown(row: TokenRow) -> TokenInfo:
    return TokenInfo(
        id=row.id,
        scope=row.scope,
        label=row.label,
        account=row.account,
        created_at=format_instant(row.created_at),
        expires_at=None if row.expires_at is None else format_instant(row.expires_at),
        revoked_at=None if row.revoked_at is None else format_instant(row.revoked_at),
    )
