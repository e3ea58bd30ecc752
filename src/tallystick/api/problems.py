"""Errors on the wire: the one table from error classes to statuses, and the one builder of problem documents.

Every error answer is a problem document (RFC 9457), whoever noticed the error: the ledger, a handler, the router
or nobody. What it tells is struck of tokens, and an error of ours tells nothing but its request id.
"""

from __future__ import annotations

import http
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.response import Response

from tallystick.api.calls import PROBLEM_JSON
from tallystick.errors import (
    Conflict,
    FieldError,
    Forbidden,
    InvalidInput,
    InvalidPlan,
    MissingExtra,
    NotFound,
    SigningKeyError,
    StoreError,
    StoreUnavailable,
    TallystickError,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    UnsupportedMedia,
    WebhookRejected,
)
from tallystick.model.tokens import strike_tokens
from tallystick.striking import guard_logger

STATUSES: Final[Mapping[type[TallystickError], int]] = {
    InvalidInput: 400,
    InvalidPlan: 400,
    WebhookRejected: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedMedia: 415,
    TooManyRequests: 429,
    StoreError: 500,
    MissingExtra: 501,
    StoreUnavailable: 503,
    SigningKeyError: 500,
}
"""The status of every error that the core raises, by its exact class."""

RETRY_AFTER_SECONDS: Final = 1
REALM_MISSING: Final = "Bearer"
REALM_INVALID: Final = 'Bearer error="invalid_token"'

_INTERNAL_CODE: Final = "internal"
_INTERNAL: Final = "Something went wrong on the server's side; its log names this request id."
_UNAVAILABLE: Final = "The database cannot be used at the moment; the same request may work soon."

_logger = guard_logger("tallystick.api")


class TokenAbsent(Unauthenticated):
    """No token was given at all, so the challenge must not call one invalid (RFC 6750, section 3.1)."""


class ClientGone(Exception):
    """The client hung up before its request was complete; nobody is left to answer."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem document. `code` is a stable word for programs, `detail` a sentence for people."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: Sequence[FieldError] = ()


def problem(status: int, code: str, detail: str, *, request_id: str, errors: Sequence[FieldError] = ()) -> bytes:
    """The problem document, struck of tokens; everything that answers with an error builds it here."""
    return msgspec.json.encode(
        Problem(
            title=http.HTTPStatus(status).phrase,
            status=status,
            code=code,
            detail=strike_tokens(detail),
            request_id=request_id,
            errors=[_struck(error) for error in errors],
        )
    )


def _struck(error: FieldError) -> FieldError:
    texts = {
        name: strike_tokens(value) for name, value in msgspec.structs.asdict(error).items() if value and name != "line"
    }
    return msgspec.structs.replace(error, **texts)


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The answer to a request that raised `error`."""
    status, code, detail = _told(error)
    request_id = request.scope["state"]["request_id"]
    if isinstance(error, StoreUnavailable) and error.code != StoreUnavailable.code:
        _logger.warning("request %s was turned away: %s", request_id, error.code)
    elif status >= 500:
        _log(request_id, error)
    body = problem(status, code, detail, request_id=request_id, errors=getattr(error, "errors", ()))
    return Response(body, status_code=status, media_type=PROBLEM_JSON, headers=_headers(error, status))


def unexpected(request_id: str, error: Exception) -> bytes:
    """The problem document for an error of ours, which the log hears of."""
    _log(request_id, error)
    return problem(500, _INTERNAL_CODE, _INTERNAL, request_id=request_id)


def _log(request_id: str, error: Exception) -> None:
    # The log hears what the answer keeps back.
    _logger.error("request %s failed: %s", request_id, type(error).__name__, exc_info=error)


def _told(error: Exception) -> tuple[int, str, str]:
    """The status, code and detail that the client hears."""
    if isinstance(error, HTTPException):
        return _told_by_router(error)
    if isinstance(error, ClientGone):
        return 400, "client_gone", "The request ended before its body was complete."
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)
    if isinstance(error, StoreUnavailable) and error.code == StoreUnavailable.code:
        # What the database says of itself is for the log; a code of its own was meant for the client.
        return status, error.code, _UNAVAILABLE
    if status == 500 or not isinstance(error, TallystickError):
        return 500, _INTERNAL_CODE, _INTERNAL
    return status, error.code, error.detail


def _told_by_router(error: HTTPException) -> tuple[int, str, str]:
    if isinstance(error, NotFoundException):
        return 404, NotFound.code, "There is nothing at this path; /openapi.json lists what there is."
    if isinstance(error, MethodNotAllowedException):
        return 405, "method_not_allowed", "This path does not take this method; the header Allow names those it takes."
    if 400 <= error.status_code < 500:
        return error.status_code, "invalid", error.detail
    return 500, _INTERNAL_CODE, _INTERNAL


def _headers(error: Exception, status: int) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": REALM_MISSING if isinstance(error, TokenAbsent) else REALM_INVALID}
    if isinstance(error, MethodNotAllowedException):
        return {"Allow": allow_with_head((error.headers or {}).get("allow", ""))}
    if isinstance(error, UnsupportedMedia):
        return {"Accept-Encoding": "gzip, identity"}
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after_seconds)}
    if status == 503:
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return {}


def allow_with_head(allow: str) -> str:
    """The value of Allow for these methods: every GET answers to HEAD as well."""
    methods = {method.strip() for method in allow.split(",") if method.strip()}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))
