"""The one door: who may make a call, and whose data it may see.

Every route declares the scopes that may use it or is `PUBLIC`; a route that declares nothing is closed to all.
"""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import Headers
from litestar.handlers import BaseRouteHandler

from tallystick.api.calls import ADMINS, METRICS, OPTION, PUBLIC, Call
from tallystick.api.problems import TokenAbsent
from tallystick.api.request import ApiRequest, in_thread
from tallystick.errors import Forbidden, InvalidInput, Unauthenticated
from tallystick.ledger import Actor, act_as

_BEARER = "bearer"


async def admit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Lets a request through to its route, or raises `Unauthenticated` or `Forbidden`."""
    call = handler.opt.get(OPTION)
    if not isinstance(call, Call):
        raise Forbidden("No token has the authority for this call.")
    allowed = call.allowed
    if allowed == METRICS:
        allowed = ADMINS if connection.app.state.settings.metrics == "admin" else PUBLIC
    if allowed == PUBLIC:
        return
    token = token_of(connection.headers)
    tokens = connection.app.state.ledger.tokens
    authority = tokens.remembered(token) or await in_thread(tokens.authenticate, token)
    if authority.scope not in allowed:
        wanted = " or ".join(sorted(allowed))
        raise Forbidden(f"This call needs a token of scope {wanted}; the one given has scope {authority.scope}.")
    connection.scope["auth"] = authority
    limits = connection.app.state.limits
    try:
        limits.take(authority.token_id)
    finally:
        connection.scope["state"]["allowance"] = limits.left(authority.token_id)
    act_as(Actor(authority.token_id, connection.client.host if connection.client else "unknown"))


def token_of(headers: Headers) -> str:
    """The one token that a request carries, in whichever of the two headers. Raises `Unauthenticated`."""
    given = [_bearer(value) for value in headers.getall("authorization", [])]
    given += [value.strip() for value in headers.getall("x-api-key", [])]
    tokens = set(given)
    if not tokens:
        raise TokenAbsent("A token is needed: Authorization: Bearer TOKEN, or X-Api-Key: TOKEN.")
    if len(tokens) > 1:
        raise Unauthenticated("The request carries two different tokens; send one.")
    return tokens.pop()


def _bearer(value: str) -> str:
    scheme, _, token = value.strip().partition(" ")
    if scheme.lower() != _BEARER or not token.strip():
        raise Unauthenticated("Authorization must have the form: Bearer TOKEN.")
    return token.strip()


def account_of(request: ApiRequest) -> str:
    """The account that a read is about: the token's own, or for an admin the one that `account` names.

    Raises `Forbidden` where a token of one account names another, in the same words whether that one exists or
    not, and `InvalidInput` where an admin names none.
    """
    account = account_if_any(request)
    if account is None:
        raise InvalidInput.parameter(
            "account", "is missing; an admin token must say which account to read", code="invalid_parameter"
        )
    return account


def account_if_any(request: ApiRequest) -> str | None:
    """As `account_of`; `None` where an admin names none, which stands for the provider."""
    named = request.values.get("account")
    own = request.auth.account
    if own is None:
        return named
    if named is not None and named != own:
        raise Forbidden("This token reads its own account only.")
    return own
