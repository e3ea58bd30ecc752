"""What a page that failed says: what happened, what to do, and the request's name in the log."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request
from litestar.exceptions import HTTPException
from litestar.response import Response

from tallystick.errors import FieldError, StoreUnavailable, TallystickError, TooManyRequests
from tallystick.model.tokens import strike_tokens
from tallystick.striking import guard_logger
from tallystick.web.answers import redirect, show
from tallystick.web.request import PageRequest
from tallystick.web.visits import ProviderElsewhere, SignInNeeded, no_session_cookie

RETRY_AFTER_SECONDS: Final = 1

_TITLES: Final = {
    400: "The address does not fit",
    403: "Not for you",
    404: "Nothing is here",
    405: "That does not work here",
    409: "Something changed meanwhile",
    413: "Too large",
    429: "Too many attempts",
    503: "Not available at the moment",
}
_OURS: Final = "Something went wrong on our side"
_NOTHING: Final = "No page has this address. It may have been mistyped."

_logger = guard_logger("tallystick.web")


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The page for a request that raised `error`."""
    assert isinstance(request, PageRequest)
    if isinstance(error, SignInNeeded):
        return _to_sign_in(request, had_session=error.had_session)
    if isinstance(error, ProviderElsewhere):
        return redirect(request.link("/accounts"))
    status, detail, reasons = _told(request, error)
    if status >= 500:
        _logger.error("request %s failed: %s", request.id, type(error).__name__, exc_info=error)
    title = _TITLES.get(status, _OURS)
    return show(
        request,
        "failure.html",
        failed=True,
        status=status,
        headers=_headers(error, status),
        title=title,
        detail=detail,
        reasons=reasons,
    )


def _to_sign_in(request: PageRequest, *, had_session: bool) -> Response[bytes]:
    # A form that was sent cannot be sent again after signing in; its page can be opened again.
    query = request.scope["query_string"].decode("latin-1")
    here = request.path_below + (f"?{query}" if query else "") if request.method == "GET" else ""
    told = {"next": here, "ended": "1" if had_session else None}
    cookie = no_session_cookie(request) if had_session else None
    return redirect(request.link("/sign-in", told), cookie=cookie)


def _told(request: PageRequest, error: Exception) -> tuple[int, str, list[str]]:
    """The status, a sentence, and where a value did not fit."""
    if isinstance(error, HTTPException):
        status = error.status_code
        return status, _NOTHING if status == 404 else error.detail, []
    statuses = request.app.state.statuses
    status = next((statuses[kind] for kind in type(error).__mro__ if kind in statuses), 500)
    if status == 500 or not isinstance(error, TallystickError):
        return (
            500,
            "It is in the log. Trying again may help; if it does not, tell the provider the request id below.",
            [],
        )
    if isinstance(error, StoreUnavailable):
        return status, "The database cannot be reached just now. Try again in a moment.", []
    return status, _sentence(error.detail), [_reason(each) for each in getattr(error, "errors", ())]


def _sentence(detail: str) -> str:
    struck = strike_tokens(detail)
    return f"{struck[:1].upper()}{struck[1:]}" + ("" if struck.endswith((".", "?", "!")) else ".")


def _reason(error: FieldError) -> str:
    return strike_tokens(f"{error.place}: {error.detail}" if error.place else error.detail)


def _headers(error: Exception, status: int) -> dict[str, str]:
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after_seconds)}
    if status == 503:
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return {}
