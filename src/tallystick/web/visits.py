"""Who looks: the cookie of a session, the token that each form carries, and the door in front of every page."""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import SimpleCookie
from typing import Any, Final, Literal

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from tallystick.errors import Forbidden, Unauthenticated
from tallystick.ledger import Actor, Authority, Session, act_as
from tallystick.model.tokens import Scope
from tallystick.web.request import PageRequest
from tallystick.web.threads import in_thread

SESSION_COOKIE: Final = "tallystick_session"
FORM_COOKIE: Final = "tallystick_form"
"""Ties the sign-in form to the browser that asked for it, while there is no session yet."""

FORM_FIELD: Final = "form_token"
VIEWERS: Final = "viewers"
"""The key under which a page declares who may see it."""

Viewers = Literal["anyone", "account", "managers", "provider"]
"""`account`: the customer its own account, the provider any; `managers` alike, but not a customer whose token may only
read; `provider`: the provider alone.
"""

_OF_ACCOUNTS: Final = {"account": {Scope.USAGE, Scope.MANAGE}, "managers": {Scope.MANAGE}}
"""Who may see the pages of an account, besides the provider."""

_FORM_SECONDS: Final = 3600


class SignInNeeded(Unauthenticated):
    """Nobody is signed in; `had_session` says that a session was there and has ended."""

    def __init__(self, *, had_session: bool) -> None:
        super().__init__("Sign in to see this page.")
        self.had_session = had_session


class ProviderElsewhere(Exception):
    """The provider has no account of its own; its pages begin elsewhere."""


async def admit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Lets a request through to its page. Raises `SignInNeeded`, `Forbidden` or `ProviderElsewhere`."""
    viewers: Viewers | None = handler.opt.get(VIEWERS)
    connection.scope["auth"] = session = await _session(connection)
    if session is not None:
        act_for(connection, session.authority)
    if viewers == "anyone":
        return
    if session is None:
        raise SignInNeeded(had_session=SESSION_COOKIE in connection.cookies)
    scope = session.authority.scope
    if scope is Scope.ADMIN:
        if viewers in _OF_ACCOUNTS and "account" not in connection.path_params:
            raise ProviderElsewhere
        if viewers in (*_OF_ACCOUNTS, "provider"):
            return
    elif "account" not in connection.path_params and scope in _OF_ACCOUNTS.get(viewers or "", ()):
        return
    elif viewers == "managers" and scope is Scope.USAGE:
        raise Forbidden("Your token may only read. A manage token may change this, and so may your provider.")
    raise Forbidden("This page is the provider's.")


def act_for(connection: ASGIConnection[Any, Any, Any, Any], authority: Authority) -> None:
    """From here on, acts are those of whoever has that authority, from where the request comes."""
    act_as(Actor(authority.token_id, connection.client.host if connection.client else "unknown"))


async def _session(connection: ASGIConnection[Any, Any, Any, Any]) -> Session | None:
    secret = connection.cookies.get(SESSION_COOKIE)
    if not secret:
        return None
    try:
        session: Session = await in_thread(connection.app.state.ledger.sessions.resume, secret)
    except Unauthenticated:
        return None
    return session


def form_token(secret: str) -> str:
    """What the forms of a session carry: whoever cannot read the cookie cannot know it."""
    return hmac.new(secret.encode(), b"tallystick form", hashlib.sha256).hexdigest()


def check_form(request: PageRequest, cookie: str, given: str) -> None:
    """Raises `Forbidden` (code ``form_expired``) for a form that we did not give to the holder of that cookie."""
    secret = request.cookies.get(cookie, "")
    from_elsewhere = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if from_elsewhere or not secret or not hmac.compare_digest(form_token(secret).encode(), given.encode()):
        raise Forbidden(
            "The form is too old or came from elsewhere; open the page again and repeat.", code="form_expired"
        )


def session_cookie(request: PageRequest, secret: str, *, lasts_seconds: int) -> str:
    """The value of Set-Cookie that begins a session in the browser."""
    return _cookie(request, SESSION_COOKIE, secret, lasts_seconds)


def no_session_cookie(request: PageRequest) -> str:
    """The value of Set-Cookie that ends it."""
    return _cookie(request, SESSION_COOKIE, "", 0)


def form_cookie(request: PageRequest, secret: str) -> str:
    """The value of Set-Cookie for a browser that is shown the sign-in form."""
    return _cookie(request, FORM_COOKIE, secret, _FORM_SECONDS)


def _cookie(request: PageRequest, name: str, value: str, seconds: int) -> str:
    cookie: SimpleCookie = SimpleCookie()
    cookie[name] = value
    cookie[name]["path"] = request.link()
    cookie[name]["max-age"] = seconds
    cookie[name]["httponly"] = True
    cookie[name]["samesite"] = "Lax"
    # A cookie marked so over plain HTTP would be dropped, and nobody could sign in without TLS.
    cookie[name]["secure"] = request.scope["scheme"] == "https"
    return cookie[name].OutputString()
