"""Signing in with a token, and out again."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from litestar.response import Response

from tallystick.errors import Forbidden, TooManyRequests, Unauthenticated
from tallystick.ledger import Session
from tallystick.model.tokens import Scope
from tallystick.web.answers import redirect, show
from tallystick.web.attempts import Attempts
from tallystick.web.bundle import begin_bundle
from tallystick.web.pages import Form, action, field, page
from tallystick.web.request import PageRequest
from tallystick.web.visits import FORM_COOKIE, SESSION_COOKIE, act_for, form_cookie, no_session_cookie, session_cookie

_NEXT: Final = re.compile(r"(?!/sign-)(/[A-Za-z0-9%._~-]+)*/?(\?[A-Za-z0-9%._~+&=-]*)?", re.ASCII)
"""A path and query below the prefix: nothing that leads to another host or out of the pages."""

_LONGEST_NEXT: Final = 2000
_SHORT: Final = "Paste the whole token; it begins with tally_ and was shown once when it was made."
_WRONG: Final = "This token does not hold: it is unknown, expired or revoked. Ask your provider for a new one."
_WORKER: Final = "This token may only report jobs. Signing in takes a usage token, or the provider's admin token."


@page("/sign-in", viewers="anyone", summary="Sign in with a token")
def show_sign_in(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/sign-in."""
    if request.session_now is not None:
        return redirect(request.link(safe_next(request.values.get("next", ""))))
    begin_bundle()  # by the time that somebody is signed in the charts can be drawn
    return _form(request, request.values.get("next", ""), ended="ended" in request.values)


@action("/sign-in", viewers="anyone", summary="Begin a session", cookie=FORM_COOKIE)
def sign_in(request: PageRequest, form: Form) -> Response[bytes]:
    """POST /dashboard/sign-in."""
    attempts: Attempts = request.app.state.attempts
    address = request.client.host if request.client else "unknown"
    wanted = field(form, "next")
    try:
        attempts.check(address)
        secret, session = _begin(request, field(form, "token").strip())
    except TooManyRequests as error:
        return _form(request, wanted, failed=error.detail, status=429, wait_seconds=error.retry_after_seconds)
    except (Unauthenticated, Forbidden) as error:
        attempts.failed(address)
        return _form(request, wanted, failed=error.detail, status=401)
    # Whoever signs in anew leaves no session behind that nobody can sign out of.
    request.ledger.sessions.end(request.cookies.get(SESSION_COOKIE, ""))
    seconds = request.settings.session_hours * 3600
    cookie = session_cookie(request, secret, lasts_seconds=seconds)
    below = "/accounts" if session.authority.scope is Scope.ADMIN else ""
    return redirect(request.link(safe_next(wanted) or below), cookie=cookie)


def _begin(request: PageRequest, token: str) -> tuple[str, Session]:
    tokens = request.ledger.tokens
    try:
        authority = tokens.authenticate(token)
    except Unauthenticated as error:
        raise Unauthenticated(_SHORT if "malformed" in error.detail else _WRONG) from None
    if authority.scope is Scope.INGEST:
        raise Forbidden(_WORKER)
    act_for(request, authority)
    return request.ledger.sessions.begin(token)


@action("/sign-out", viewers="anyone", summary="End the session")
def sign_out(request: PageRequest, form: Form) -> Response[bytes]:
    """POST /dashboard/sign-out."""
    request.ledger.sessions.end(request.cookies.get(SESSION_COOKIE, ""))
    return redirect(request.link("/sign-in", {"signed_out": "1"}), cookie=no_session_cookie(request))


def safe_next(wanted: str) -> str:
    """The page to go on to, below the prefix; the first one where what is wanted is no page of ours."""
    if len(wanted) > _LONGEST_NEXT or not _NEXT.fullmatch(wanted):
        return ""
    # Browsers take these for steps up, also percent-encoded.
    steps = {unquote(segment) for segment in wanted.partition("?")[0].split("/")}
    return "" if steps & {".", ".."} else wanted


def _form(
    request: PageRequest,
    wanted: str,
    *,
    ended: bool = False,
    failed: str = "",
    status: int = 200,
    wait_seconds: int | None = None,
) -> Response[bytes]:
    secret = request.cookies.get(FORM_COOKIE) or request.app.state.make_secret()
    headers = {"Set-Cookie": form_cookie(request, secret)}
    if wait_seconds is not None:
        headers["Retry-After"] = str(wait_seconds)
    return show(
        request,
        "sign_in.html",
        status=status,
        headers=headers,
        form_secret=secret,
        title="Sign in",
        ended=ended,
        signed_out="signed_out" in request.values,
        problem=failed,
        wanted=safe_next(wanted),
    )


ROUTES: Final = (show_sign_in, sign_in, sign_out)
