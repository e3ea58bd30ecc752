"""Sessions of the web pages: begun with a token, and over when they are ended, run out, or their token does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple

from tallystick.errors import Unauthenticated
from tallystick.ledger.audit import note
from tallystick.ledger.tokens import Authority, Tokens, has_ended
from tallystick.model.instants import SECOND
from tallystick.store import sessions
from tallystick.store.database import Store
from tallystick.store.sessions import SessionRow

SECRET_BYTES: Final = 32
MOST_SECRET_CHARACTERS: Final = 2 * SECRET_BYTES


class Session(NamedTuple):
    """A session that holds: whose authority it has, and when it ends (microseconds since 1970)."""

    authority: Authority
    expires_at: int


class Sessions:
    """Sessions, kept in the database, so that every server process knows them. Their secrets are not stored."""

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        clock: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        *,
        lasts_hours: int,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock
        self._random_bytes = random_bytes
        self._lasts = lasts_hours * 3600 * SECOND

    def begin(self, token: str) -> tuple[str, Session]:
        """A new session with a token's authority, and its secret. Raises `Unauthenticated` for a token that is none."""
        authority = self._tokens.authenticate(token)
        secret = self._random_bytes(SECRET_BYTES).hex()
        now = self._clock()
        row = SessionRow(_hash(secret), authority.token_id, now, now + self._lasts)
        with self._store.transaction() as connection:
            sessions.add_session(connection, row)
            note(connection, now, "session.begin", authority.token_id, account=authority.account)
        return secret, Session(authority, row.expires_at)

    def resume(self, secret: str) -> Session:
        """The session of that secret. Raises `Unauthenticated` (code ``session_ended``) where it holds no more."""
        if len(secret) <= MOST_SECRET_CHARACTERS:
            with self._store.snapshot() as connection:
                found = sessions.session_hashed(connection, _hash(secret))
            now = self._clock()
            if found is not None:
                session, token = found
                if now < session.expires_at and not has_ended(token, now):
                    return Session(Authority(token.id, token.scope, token.account), session.expires_at)
        raise Unauthenticated("the session has ended; sign in again", code="session_ended")

    def end(self, secret: str) -> None:
        """Ends a session; ending one that is over does nothing."""
        with self._store.transaction() as connection:
            token_id = sessions.remove_session(connection, _hash(secret))
            if token_id is not None:
                note(connection, self._clock(), "session.end", token_id)


def _hash(secret: str) -> str:
    # 256 random bits: a fast hash is enough, as for tokens.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
