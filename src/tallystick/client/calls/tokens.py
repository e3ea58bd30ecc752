"""Access tokens. All of these need an admin token."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tallystick.client.call import Answer, Call, body_of, many, moment, named, nothing, path_of
from tallystick.errors import InvalidInput
from tallystick.model.accounts import NewToken, TokenInfo
from tallystick.model.tokens import Scope
from tallystick.model.wire import decode


def create_token(
    scope: Scope | str,
    *,
    account: str | None = None,
    label: str | None = None,
    expires_at: str | datetime | None = None,
) -> Call[NewToken]:
    """Makes an access token. The result's `token` is the secret: it is shown this once and stored nowhere.

    `scope` is ``admin``, ``ingest``, ``usage`` or ``manage``; the last two read one account, which `account` names.
    `expires_at` is an aware `datetime` or an RFC 3339 text with an offset; without it the token holds until it is
    revoked. Raises `InvalidInput` for another scope or a naive `datetime` before any request, and `RequestError`. It is
    retried only where the first request surely was not carried out, so that no token is made that nobody knows.
    """
    if scope not in tuple(Scope):
        raise InvalidInput.parameter("scope", f"must be one of {', '.join(Scope)}")
    body = body_of(scope=scope, account=account, label=label, expires_at=_expiry(expires_at))
    return Call("POST", "/tokens", _new_token, body=body, repeatable=False)


def list_tokens() -> Call[tuple[TokenInfo, ...]]:
    """Every access token, without its secret. Raises `RequestError`."""
    return Call("GET", "/tokens", many("tokens", TokenInfo))


def revoke_token(token_id: str) -> Call[None]:
    """Revokes a token by its id (never by its secret). Raises `InvalidInput` for a malformed id, and `RequestError`."""
    return Call("DELETE", path_of("tokens", named("token_id", token_id)), nothing)


def rotate_token(
    token_id: str, *, overlap_seconds: int = 0, expires_at: str | datetime | None = None
) -> Call[NewToken]:
    """Makes a token with the same authority as another, which holds for `overlap_seconds` more.

    `expires_at` is an aware `datetime` or an RFC 3339 text with an offset. Raises `InvalidInput` for a malformed id or
    a naive `datetime` before any request, and `RequestError`. It is retried only where the first request surely was
    not carried out.
    """
    body = body_of(overlap_seconds=overlap_seconds, expires_at=_expiry(expires_at))
    path = path_of("tokens", named("token_id", token_id), "rotate")
    return Call("POST", path, _new_token, body=body, repeatable=False)


def _expiry(expires_at: str | datetime | None) -> str | None:
    return None if expires_at is None else moment("expires_at", expires_at)


def _new_token(answer: Answer) -> NewToken:
    wire = decode(answer.body)
    return NewToken(token=msgspec.convert(wire["token"], str), info=msgspec.convert(wire, TokenInfo))
